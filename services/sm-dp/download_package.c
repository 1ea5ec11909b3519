/* SPDX-License-Identifier: Apache-2.0 */
/* The personalised package of a download: computed from the stock and the type's template whenever it is needed, and never stored. */
#include <string.h>

#include "common/card/profile_default.h"
#include "common/card/profile_personalise.h"
#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"

enum { SCP80_KVN_MIN = 0x01, SCP80_KVN_MAX = 0x0F, SD_KEYS = 3 };

struct secrets {
	struct secret of[STOCK_USES];
};

static void secrets_free(struct secrets *s)
{
	for (unsigned u = 0; u < STOCK_USES; u++)
		secret_free(&s->of[u]);
}

static bool use_of(const char *name, enum stock_use *out)
{
	for (unsigned u = 0; u < STOCK_USES; u++)
		if (!strcmp(stock_use_name((enum stock_use)u), name)) {
			*out = (enum stock_use)u;
			return true;
		}
	return false;
}

static result secrets_load(struct download_case *c, struct secrets *out)
{
	const struct rows *r;

	DB_QUEUE(c->db, SMDP_SECRETS_GET, p_text(c->d->iccid.text));
	TRY(db_sync(c->db, c->a, &r, 1, NULL));
	for (size_t i = 0; i < rows_count(r); i++) {
		enum stock_use use;

		if (!use_of(row_text(r, i, 0), &use))
			return internal(c->a, "stock: %s of %s is of a newer program", row_text(r, i, 0), c->d->iccid.text);
		secret_free(&out->of[use]);
		if (!kek_unwrap(&c->smdp->kek, stock_aad(c->a, &c->d->iccid, use), row_bytes(r, i, 1), &out->of[use]))
			return internal(c->a, "%s of ICCID %s cannot be read with this KEK", row_text(r, i, 0), c->d->iccid.text);
	}
	return OK;
}

/* The version of the SCP80 keys in the template's MNO-SD; the built-in type's when it has none, which is then said to be missing. */
static uint8_t scp80_kvn(struct arena *a, const struct profile_package *p)
{
	const struct profile_element *e = profile_element_find(p, PE_SECURITY_DOMAIN, 0);
	struct profile_fault fault;
	struct profile_sd sd;

	if (e && profile_sd_decode(a, e, &sd, &fault))
		for (size_t i = 0; i < sd.n_keys; i++)
			if (sd.keys[i].version >= SCP80_KVN_MIN && sd.keys[i].version <= SCP80_KVN_MAX)
				return (uint8_t)sd.keys[i].version;
	return PROFILE_DEFAULT_KVN_SCP80;
}

static struct bytes bytes_of(const struct secret *s)
{
	return (struct bytes){ s->data, s->len };
}

static result personalise(struct download_case *c, const struct profile_type *type, const struct stock_item *item,
			  const struct secrets *secrets, struct secret *out)
{
	struct profile_variables v = { .iccid = &item->iccid,
				       .imsi = item->imsi,
				       .ki = bytes_of(&secrets->of[USE_KI]),
				       .opc = bytes_of(&secrets->of[USE_OPC]) };
	struct profile_key keys[SD_KEYS];
	struct profile_package p;
	struct profile_fault fault;

	if (!profile_package_parse(c->a, type->package, &p, &fault))
		return internal(c->a, "profile type %s: %s", type->name, profile_fault_text(c->a, &fault));
	for (unsigned i = 0; i < SD_KEYS; i++) {
		const struct secret *s = &secrets->of[USE_KIC + i];

		if (s->len)
			keys[v.n_sd_keys++] = (struct profile_key){ scp80_kvn(c->a, &p), (uint8_t)(i + 1), bytes_of(s) };
	}
	v.sd_keys = keys;
	if (!profile_personalise(&p, &v, out, &fault))
		return internal(c->a, "profile type %s with ICCID %s: %s", type->name, item->iccid.text,
				profile_fault_text(c->a, &fault));
	return OK;
}

result download_package(struct download_case *c, struct secret *out)
{
	CLEANUP(secrets_free) struct secrets secrets = { 0 };
	struct profile_type *type;
	struct stock_item *item;

	TRY(profile_type_load(c->db, c->a, &c->d->mno, c->d->type, &type));
	TRY(stock_load(c->db, c->a, &c->d->iccid, &item));
	TRY(secrets_load(c, &secrets));
	if (!type || !item)
		return internal(c->a, "download %s: its profile type or ICCID is gone", c->d->id);
	return personalise(c, type, item, &secrets, out);
}

void card_install_wipe(struct card_install *in)
{
	secret_wipe(in, sizeof(*in));
}

result download_install(struct download_case *c, struct secret *package, struct card_install *out)
{
	CLEANUP(secret_free) struct secret kept = { 0 };
	struct card_install in = { .isdp = c->d->isdp };

	if (!download_unseal(c, "keys", &kept) || kept.len != sizeof(in.keys) + sizeof(in.challenge))
		return internal(c->a, "download %s: the keys of its ISD-P cannot be read with this KEK", c->d->id);
	TRY(download_package(c, package));
	memcpy(&in.keys, kept.data, sizeof(in.keys));
	memcpy(in.challenge, kept.data + sizeof(in.keys), sizeof(in.challenge));
	in.package = bytes_of(package);
	*out = in;
	card_install_wipe(&in);
	return OK;
}
