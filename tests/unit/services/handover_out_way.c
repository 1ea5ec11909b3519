/* SPDX-License-Identifier: Apache-2.0 */
/* All going well: what each party does until a state is reached. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/random.h"
#include "tests/unit/services/handover_out_stage.h"

/* The command that the sm-sr is to have executed: its step, and the APDU. */
static const char *command(struct go *g, const char *name, struct buf *apdu, struct left *l)
{
	json_t *in = go_asked(g, "command", l);
	const char *hex = json_string_value(json_object_get(in, "apdu")), *step;
	size_t n = hex ? strlen(hex) : 0;
	uint8_t bytes[512];

	cr_assert_str_eq(json_string_value(json_object_get(in, "command")), name);
	cr_assert(n > 0 && n <= 2 * sizeof(bytes) && hex_decode(hex, n, bytes));
	cr_assert_not_null(json_object_get(in, "until"));
	buf_add(apdu, bytes, n / 2);
	step = arena_strdup(g->a, json_string_value(json_object_get(in, "step")));
	json_decref(in);
	cr_assert(go_reply(g, l, "", NULL));
	return step;
}

static struct apdu parsed(const struct buf *b)
{
	struct apdu c;

	cr_assert(apdu_parse((struct bytes){ (const uint8_t *)b->data, b->len }, &c));
	return c;
}

const char *go_card_challenge(struct go *g, struct buf *out_data)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct bytes cert;
	struct left l;
	const char *step = command(g, "establish_certificate", &capdu, &l);
	struct apdu c = parsed(&capdu);

	cr_assert_eq(ka_certificate_parse(&c, &cert), SW_OK);
	cr_assert_eq(ka_certificate_check(cert, g->role.own.ci_point, GP_ROLE_SM_SR, g->signer), KA_GOOD);
	random_bytes(g->rc, sizeof(g->rc));
	ka_challenge_build(out_data, (struct bytes){ g->rc, sizeof(g->rc) });
	return step;
}

const char *go_card_receipt(struct go *g, struct buf *out_data)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct ka_received r;
	struct ka_answer answer;
	struct left l;
	const char *step = command(g, "establish_request", &capdu, &l);
	struct apdu c = parsed(&capdu);

	cr_assert_eq(ka_request_parse(&c, &r), SW_OK);
	cr_assert_eq(ka_card_agree(&r, (struct bytes){ g->rc, sizeof(g->rc) }, g->signer, g->ecasd, NULL, &g->keys, &answer),
		     KA_GOOD);
	ka_answer_build(out_data, &answer);
	return step;
}

void go_to(struct go *g, enum handover_out_state state, struct left *out_call)
{
	CLEANUP(buf_free) struct buf rc = { 0 };
	CLEANUP(buf_free) struct buf receipt = { 0 };
	struct left l;
	const char *step;

	go_reset(g);
	cr_assert_eq(go_change(g, 3600), OK);
	if (state == HOUT_LOCKING)
		return;
	json_decref(go_asked(g, "export", &l));
	cr_assert(go_reply(g, &l, "", json_pack("{s:s}", "eis", g->eis)));
	cr_assert(go_next(g, out_call));
	cr_assert_str_eq(out_call->kind, "ES7-HandoverEUICC");
	if (state == HOUT_CALLING)
		return;
	cr_assert_eq(go_authenticate(g, &g->sr2, g->certificate), OK);
	if (state == HOUT_CERTIFYING)
		return;
	step = go_card_challenge(g, &rc);
	cr_assert_eq(go_outcome(g, step, "answered", "", "9000", (struct bytes){ (const uint8_t *)rc.data, rc.len }), OK);
	if (state == HOUT_CERTIFIED)
		return;
	cr_assert_eq(go_keyset(g, NULL), OK);
	if (state == HOUT_KEYING)
		return;
	step = go_card_receipt(g, &receipt);
	cr_assert_eq(go_outcome(g, step, "answered", "", "9000", (struct bytes){ (const uint8_t *)receipt.data, receipt.len }), OK);
	if (state == HOUT_ANSWERED)
		return;
	cr_assert_eq(state, HOUT_DOUBT);
	go_time(g, T_DEADLINE);
	json_decref(go_asked(g, "tell", &l));
	cr_assert(go_reply(g, &l, "", NULL));
}
