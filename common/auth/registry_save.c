/* SPDX-License-Identifier: Apache-2.0 */
/* Import of partners into the registry. */
#include "common/auth/registry.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/crypto/cert.h"
#include "common/store/statements.h"

static result record_check(struct arena *a, const struct entity_record *r, struct cert_info *certs)
{
	struct dialect dialect;
	const char *bad;

	if (!r->name || !*r->name)
		return failed(a, CODE_PARAM_MISSING, "name", "name: an entity needs a name");
	if (!r->roles)
		return failed(a, CODE_PARAM_MISSING, "roles", "roles: an entity needs a role");
	if (!dialect_parse(a, r->dialect, &dialect, &bad))
		return failed(a, CODE_PARAM_INVALID, "dialect", "dialect: %s is not known: there are %s", bad, dialect_known);
	for (size_t i = 0; i < r->n_certificates; i++)
		if (!cert_read(a, r->certificates[i].data, r->certificates[i].len, &certs[i]))
			return failed(a, CODE_PARAM_INVALID, "certificates", "certificates[%zu]: not an X.509 certificate", i);
	for (size_t i = 0; i < r->n_urls; i++)
		if (strncmp(r->urls[i].url, "https://", 8) || !r->urls[i].url[8])
			return failed(a, CODE_PARAM_INVALID, "addresses", "addresses: %s does not start with https://", r->urls[i].url);
	return OK;
}

static const char *customers_text(struct arena *a, const struct entity_record *r)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (size_t i = 0; i < r->n_customers; i++)
		buf_printf(&text, "%s%s", i ? " " : "", r->customers[i].text);
	return arena_strdup(a, text.data);
}

static void queue_record(struct db *db, struct arena *a, const struct entity_record *r, const struct cert_info *certs)
{
	struct param oid = p_text(r->oid.text);

	DB_QUEUE(db, RPC_ENTITY_SAVE, oid, p_text(r->name), p_int(a, r->roles), p_text(r->dialect), p_text(customers_text(a, r)));
	DB_QUEUE(db, RPC_ENTITY_CLEAR_CERTS, oid);
	DB_QUEUE(db, RPC_ENTITY_CLEAR_URLS, oid);
	for (size_t i = 0; i < r->n_certificates; i++)
		DB_QUEUE(db, RPC_ENTITY_ADD_CERT, p_bytes(certs[i].fingerprint, SHA256_LEN), oid, p_bytes(certs[i].spki, SHA256_LEN),
			 p_text(certs[i].subject), p_time(a, certs[i].not_after));
	for (size_t i = 0; i < r->n_urls; i++)
		DB_QUEUE(db, RPC_ENTITY_ADD_URL, oid, p_text(iface_name(r->urls[i].iface)), p_int(a, (int64_t)i), p_text(r->urls[i].url));
}

result registry_save(struct db *db, struct arena *a, const struct entity_record *record)
{
	struct cert_info *certs = arena_array(a, record->n_certificates, sizeof(*certs));
	struct db_failure failure = { 0 };
	result r;

	TRY(record_check(a, record, certs));
	db_begin(db);
	queue_record(db, a, record, certs);
	db_commit(db);
	r = db_sync(db, a, NULL, 0, &failure);
	if (r != OK && failure.unique_constraint && !strcmp(failure.unique_constraint, "entity_cert_pkey"))
		return failed(a, CODE_PARAM_INVALID, "certificates", "certificates: one is listed twice or belongs to another entity");
	return r;
}
