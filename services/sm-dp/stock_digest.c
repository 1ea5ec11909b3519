/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: what an ICCID's package is, without a word of what is in it, to be compared with what a card stored. */
#include <string.h>

#include "common/base/hex.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/variables.h"

struct made {
	struct stock_item *item;   /* NULL: not of our stock */
	struct profile_type *type; /* NULL: gone */
	size_t bytes, elements;
	uint8_t digest[SHA256_LEN];
};

/* The same bytes that a download sends (profile_make). */
static result make(const struct smdp *smdp, struct db *db, struct arena *a, const struct iccid *iccid, struct made *out)
{
	CLEANUP(secret_free) struct secret package = { 0 };
	struct profile_package p;
	struct profile_fault fault;
	struct made m = { 0 };

	TRY(stock_load(db, a, iccid, &m.item));
	if (m.item)
		TRY(profile_type_load(db, a, &m.item->mno, m.item->type, &m.type));
	if (m.type) {
		TRY(profile_make(db, a, &smdp->kek, m.item, m.type, &package, m.digest));
		if (!profile_package_parse(a, (struct bytes){ package.data, package.len }, &p, &fault))
			return internal(a, "the package of ICCID %s: %s", iccid->text, profile_fault_text(a, &fault));
		m.bytes = package.len;
		m.elements = p.n;
	}
	*out = m;
	return OK;
}

static void digest_write(struct buf *b, const struct made *m)
{
	buf_char(b, '{');
	json_out_member(b, "iccid", m->item->iccid.text);
	json_out_member(b, "type", m->item->type);
	buf_printf(b, ",\"elements\":%zu,\"bytes\":%zu,\"digest\":\"", m->elements, m->bytes);
	buf_hex(b, m->digest, sizeof(m->digest));
	buf_str(b, "\"}\n");
}

/* ?iccid= */
void stock_digest(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *text = http_query(call, "iccid");
	struct iccid iccid;
	struct made m;
	result r;

	if (!text || !iccid_parse(text, &iccid)) {
		app_error(call, 400, "bad_request", "iccid: should be 6 to 20 digits that start with 89");
		return;
	}
	r = make(app->rpc.role_state, app_db(call), app_arena(call), &iccid, &m);
	if (r != OK && r->code == CODE_INTERNAL) {
		app_error(call, 500, "internal", "%s", r->cause ? r->cause : "the package cannot be made");
	} else if (r != OK) {
		admin_no_database(call);
	} else if (!m.type) {
		app_error(call, 404, "not_found", "ICCID %s is not in the stock", iccid.text);
	} else {
		digest_write(&json, &m);
		app_json(call, 200, json.data);
	}
}
