/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/registry.h"

#include <string.h>

#include "common/base/buf.h"
#include "common/crypto/cert.h"
#include "common/store/statements.h"

const char dialect_known[] =
	"es7=eid, fci=weak, namespace=URI, no_reply_to=address, no_reply_to=refuse, s_callback=yes, unqualified=yes";

/* One "key=value"; false when key or value is not known. */
static bool dialect_set(struct arena *a, struct dialect *d, const char *key, const char *value)
{
	if (!strcmp(key, "fci") && !strcmp(value, "weak"))
		d->fci_weak = true;
	else if (!strcmp(key, "unqualified") && !strcmp(value, "yes"))
		d->unqualified = true;
	else if (!strcmp(key, "no_reply_to") && !strcmp(value, "address"))
		d->no_reply_to = NO_REPLY_TO_ADDRESS;
	else if (!strcmp(key, "no_reply_to") && !strcmp(value, "refuse"))
		d->no_reply_to = NO_REPLY_TO_REFUSE;
	else if (!strcmp(key, "s_callback") && !strcmp(value, "yes"))
		d->s_callback = true;
	else if (!strcmp(key, "es7") && !strcmp(value, "eid"))
		d->es7_eid = true;
	else if (!strcmp(key, "namespace") && *value)
		d->namespace_uri = arena_strdup(a, value);
	else
		return false;
	return true;
}

bool dialect_parse(struct arena *a, const char *text, struct dialect *out, const char **out_bad)
{
	struct dialect d = { 0 };
	char *copy = arena_strdup(a, text), *rest = NULL;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		const char *whole = arena_strdup(a, word);
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		if (!equals || !dialect_set(a, &d, word, equals + 1)) {
			*out_bad = whole;
			return false;
		}
	}
	*out = d;
	return true;
}

const struct oid *oids_parse(struct arena *a, const char *text, size_t *out_n)
{
	char *copy = arena_strdup(a, text ? text : ""), *rest = NULL;
	struct oid *oids = arena_array(a, strlen(copy) / 2 + 1, sizeof(*oids));
	size_t n = 0;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (oid_parse(word, &oids[n]))
			n++;
	*out_n = n;
	return oids;
}

/* Columns: oid, name, roles, dialect, customers. */
static result entity_from_row(struct arena *a, const struct rows *rows, const struct entity **out)
{
	struct entity *e = ARENA_NEW(a, struct entity);
	const char *bad;

	if (!oid_parse(row_text(rows, 0, 0), &e->oid))
		return internal(a, "entity: %s is no OID", row_text(rows, 0, 0));
	e->name = row_text_dup(a, rows, 0, 1);
	e->roles = (unsigned)row_int(rows, 0, 2);
	if (!dialect_parse(a, row_text(rows, 0, 3), &e->dialect, &bad))
		return internal(a, "entity %s: dialect %s is not known", e->oid.text, bad);
	e->customers = oids_parse(a, row_text(rows, 0, 4), &e->n_customers);
	*out = e;
	return OK;
}

static result entity_take(struct arena *a, const struct rows *rows, const struct entity **out)
{
	if (rows_count(rows) == 0) {
		*out = NULL;
		return OK;
	}
	return entity_from_row(a, rows, out);
}

static result entity_sync(struct db *db, struct arena *a, const struct entity **out)
{
	const struct rows *rows;

	TRY(db_sync(db, a, &rows, 1, NULL));
	return entity_take(a, rows, out);
}

result registry_by_certificate(struct db *db, struct arena *a, struct bytes der, const struct entity **out)
{
	uint8_t fingerprint[SHA256_LEN];

	sha256(der.data, der.len, fingerprint);
	DB_QUEUE(db, RPC_ENTITY_BY_CERT, p_bytes(fingerprint, sizeof(fingerprint)));
	return entity_sync(db, a, out);
}

result registry_by_oid(struct db *db, struct arena *a, const struct oid *oid, const struct entity **out)
{
	DB_QUEUE(db, RPC_ENTITY_BY_OID, p_text(oid->text));
	return entity_sync(db, a, out);
}

static const char *pins_from_rows(struct arena *a, const struct rows *rows)
{
	CLEANUP(buf_free) struct buf pins = { 0 };

	for (size_t i = 0; i < rows_count(rows); i++)
		buf_printf(&pins, "%ssha256//%s", i ? ";" : "", row_text(rows, i, 0));
	return pins.len ? arena_strdup(a, pins.data) : NULL;
}

static void endpoint_queue(struct db *db, const struct oid *oid, enum iface iface)
{
	DB_QUEUE(db, RPC_ENTITY_URLS, p_text(oid->text), p_text(iface_name(iface)));
	DB_QUEUE(db, RPC_ENTITY_PINS, p_text(oid->text));
}

/* urls, pins: rows of what endpoint_queue queued. */
static void endpoint_take(struct arena *a, const struct rows *urls, const struct rows *pins, struct endpoint *out)
{
	size_t n = rows_count(urls);
	const char **all = arena_array(a, n, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = row_text_dup(a, urls, i, 0);
	*out = (struct endpoint){ .urls = all, .n = n, .pins = pins_from_rows(a, pins) };
}

result registry_endpoint(struct db *db, struct arena *a, const struct oid *oid, enum iface iface, struct endpoint *out)
{
	const struct rows *rows[2];

	endpoint_queue(db, oid, iface);
	TRY(db_sync(db, a, rows, 2, NULL));
	endpoint_take(a, rows[0], rows[1], out);
	return OK;
}

result registry_peer(struct db *db, struct arena *a, const struct oid *oid, enum iface iface, const struct entity **out,
		     struct endpoint *out_endpoint)
{
	const struct rows *rows[3];

	DB_QUEUE(db, RPC_ENTITY_BY_OID, p_text(oid->text));
	endpoint_queue(db, oid, iface);
	TRY(db_sync(db, a, rows, 3, NULL));
	TRY(entity_take(a, rows[0], out));
	endpoint_take(a, rows[1], rows[2], out_endpoint);
	return OK;
}
