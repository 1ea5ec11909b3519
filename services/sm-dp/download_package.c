/* SPDX-License-Identifier: Apache-2.0 */
/* The personalised package of a download: computed from the stock and the type's template whenever it is needed, and never stored. */
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/statements.h"
#include "services/sm-dp/variables.h"

result download_parts(struct download_case *c)
{
	const struct rows *r[2];

	if (c->loaded)
		return OK;
	TRY(download_flush(c));
	DB_QUEUE(c->db, SMDP_TYPE_GET, p_text(c->d->mno.text), p_text(c->d->type));
	DB_QUEUE(c->db, SMDP_STOCK_GET, p_text(c->d->iccid.text));
	TRY(db_sync(c->db, c->a, r, LEN(r), NULL));
	TRY(profile_type_from(c->a, r[0], &c->d->mno, c->d->type, &c->type));
	TRY(stock_item_from(c->a, r[1], &c->item));
	c->loaded = true;
	return OK;
}

result download_package(struct download_case *c, struct secret *out)
{
	uint8_t digest[SHA256_LEN];

	TRY(download_parts(c));
	if (!c->type || !c->item)
		return internal(c->a, "download %s: its profile type or ICCID is gone", c->d->id);
	TRY(download_flush(c));
	return profile_make(c->db, c->a, &c->smdp->kek, c->item, c->type, out, digest);
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
	in.package = (struct bytes){ package->data, package->len };
	*out = in;
	card_install_wipe(&in);
	return OK;
}
