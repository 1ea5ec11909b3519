/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/variables.h"

#include <stdlib.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/statements.h"

struct stock_variables *stock_variables_new(void)
{
	struct stock_variables *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->v.pins = v->pins;
	v->v.puks = v->puks;
	v->v.sd_keys = v->keys;
	return v;
}

void stock_variables_freep(struct stock_variables **v)
{
	if (!*v)
		return;
	for (unsigned use = 0; use < STOCK_USES; use++)
		secret_free(&(*v)->secrets[use]);
	secret_wipe(*v, sizeof(**v));
	free(*v);
	*v = NULL;
}

static result no_template(struct arena *a, const struct profile_type *t, const struct profile_fault *fault)
{
	return internal(a, "profile type %s of %s: %s", t->name, t->mno.text, profile_fault_text(a, fault));
}

/* One row of SMDP_SECRETS_GET. */
static result secret_take(struct arena *a, const struct secret *kek, const struct stock_item *item, const struct rows *r, size_t i,
			  struct stock_variables *out, enum stock_use *out_use)
{
	enum stock_use use = stock_use_by_name(row_text(r, i, 0));

	if (use == STOCK_USES)
		return internal(a, "ICCID %s has a secret that is of a newer program", item->iccid.text);
	if (!kek_unwrap(kek, stock_aad(a, &item->iccid, use), row_bytes(r, i, 1), &out->secrets[use]) ||
	    stock_value_why(use, &out->secrets[use]))
		return internal(a, "%s of ICCID %s cannot be read with this KEK", stock_use_name(use), item->iccid.text);
	*out_use = use;
	return OK;
}

static result secrets_take(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
			   const struct profile_type *type, const struct profile_package *p, struct stock_variables *out)
{
	struct profile_fault fault;
	struct sd_versions sd;
	enum stock_use use = STOCK_USES;
	const struct rows *r;

	if (!sd_versions_find(a, p, &sd, &fault))
		return no_template(a, type, &fault);
	DB_QUEUE(db, SMDP_SECRETS_GET, p_text(item->iccid.text));
	TRY(db_sync(db, a, &r, 1, NULL));
	for (size_t i = 0; i < rows_count(r); i++) {
		TRY(secret_take(a, kek, item, r, i, out, &use));
		if (!stock_variables_put(out, use, &sd, &fault))
			return no_template(a, type, &fault);
	}
	return out->v.ki.data && out->v.opc.data ? OK : internal(a, "ICCID %s has no Ki or no OPc", item->iccid.text);
}

static result variables_of(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
			   const struct profile_type *type, const struct profile_package *p, struct stock_variables **out)
{
	CLEANUP(stock_variables_freep) struct stock_variables *v = stock_variables_new();
	struct type_variables t;
	const char *why;

	if (!type_variables_parse(a, type->variables, &t, &why))
		return internal(a, "profile type %s of %s: %s", type->name, type->mno.text, why);
	v->v.iccid = &item->iccid;
	v->v.imsi = item->imsi;
	v->v.has_pol1 = t.has_pol1;
	v->v.pol1 = t.pol1;
	v->v.connectivity = t.connectivity;
	TRY(secrets_take(db, a, kek, item, type, p, v));
	*out = v;
	v = NULL;
	return OK;
}

static result template_open(struct arena *a, const struct profile_type *type, struct profile_package *out)
{
	struct profile_fault fault;

	return profile_package_parse(a, type->package, out, &fault) ? OK : no_template(a, type, &fault);
}

result profile_make(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
		    const struct profile_type *type, struct secret *out_package, uint8_t out_digest[SHA256_LEN])
{
	CLEANUP(stock_variables_freep) struct stock_variables *v = NULL;
	struct secret made = { 0 };
	struct profile_fault fault;
	struct profile_package p;

	TRY(template_open(a, type, &p));
	TRY(variables_of(db, a, kek, item, type, &p, &v));
	if (!profile_personalise(&p, &v->v, &made, &fault))
		return no_template(a, type, &fault);
	sha256(made.data, made.len, out_digest);
	*out_package = made;
	return OK;
}
