/* SPDX-License-Identifier: Apache-2.0 */
/* The personalised package of a download: computed from the stock and the type's template whenever it is needed, and never stored. */
#include <string.h>

#include "common/crypto/keys.h"
#include "services/sm-dp/download.h"
#include "services/sm-dp/variables.h"

result download_package(struct download_case *c, struct secret *out)
{
	uint8_t digest[SHA256_LEN];
	struct profile_type *type;
	struct stock_item *item;

	TRY(profile_type_load(c->db, c->a, &c->d->mno, c->d->type, &type));
	TRY(stock_load(c->db, c->a, &c->d->iccid, &item));
	if (!type || !item)
		return internal(c->a, "download %s: its profile type or ICCID is gone", c->d->id);
	return profile_make(c->db, c->a, &c->smdp->kek, item, type, out, digest);
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
