/* SPDX-License-Identifier: Apache-2.0 */
/* What SM-SR1 refuses of who calls ES7, and what the card refuses: the code, and that nothing has changed. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/handover_out_stage.h"

enum { TIMEOUT = 120 };

#define refused(...) refused_at(__LINE__, __VA_ARGS__)
static void refused_at(int line, struct go *g, result r, enum code code, const char *subject_id, enum handover_out_state state)
{
	struct left l;

	cr_assert(r != OK && r->status == STATUS_FAILED, "line %d: it was not refused", line);
	cr_assert_eq(r->code, code, "line %d: %s: %s", line, status_code(r->code)->name, r->message ? r->message : "");
	cr_assert(!subject_id || (r->subject_id && !strcmp(r->subject_id, subject_id)), "%s", r->subject_id ? r->subject_id : "-");
	go_in(g, state);
	cr_assert(!go_next(g, &l), "%s was asked", l.kind);
	cr_assert_null(go_answer(g));
}

Test(handover_out_bad, only_the_announced_sm_sr_in_its_time, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct handover_out *before;
	struct es7_authenticate_smsr_rq rq;
	struct eid unannounced;
	struct eis eis;
	struct left l;

	cr_assert(eid_complete("890490320005008812000000009999", &unannounced));
	cr_assert_eq(eis_text_read(g->a, (struct bytes){ (const uint8_t *)g->eis, strlen(g->eis) }, &eis), OK);
	go_to(g, HOUT_CALLING, &l);
	before = go_row(g);
	refused(g, go_authenticate(g, &g->other, g->certificate), CODE_EID_UNKNOWN, g->eid.text, HOUT_CALLING);
	rq = (struct es7_authenticate_smsr_rq){ .eid = &unannounced, .certificate = g->certificate };
	refused(g, go_call(g, FN_ES7_AuthenticateSMSR, &g->sr2, &rq), CODE_EID_UNKNOWN, unannounced.text, HOUT_CALLING);
	rq.eis = &eis;
	refused(g, go_call(g, FN_ES7_AuthenticateSMSR, &g->sr2, &rq), CODE_PARAM_INVALID, "Eid", HOUT_CALLING);
	rq.eid = NULL;
	rq.eis = NULL;
	refused(g, go_call(g, FN_ES7_AuthenticateSMSR, &g->sr2, &rq), CODE_PARAM_MISSING, "Eid", HOUT_CALLING);
	cr_assert_eq(go_row(g)->step, before->step);
	cr_assert_eq(go_row(g)->due_at, before->due_at);
	/* Not its turn: without a challenge, and when another one is under way. */
	refused(g, go_keyset(g, NULL), CODE_EID_UNKNOWN, g->eid.text, HOUT_CALLING);
	go_to(g, HOUT_ANSWERED, &l);
	refused(g, go_authenticate(g, &g->sr2, g->certificate), CODE_EID_UNKNOWN, NULL, HOUT_ANSWERED);
	refused(g, go_keyset(g, NULL), CODE_EID_UNKNOWN, NULL, HOUT_ANSWERED);
	go_to(g, HOUT_DOUBT, &l);
	refused(g, go_authenticate(g, &g->sr2, g->certificate), CODE_EID_UNKNOWN, NULL, HOUT_DOUBT);
	/* The Eis names the card as well. */
	go_to(g, HOUT_CALLING, &l);
	rq.eis = &eis;
	cr_assert_eq(go_call(g, FN_ES7_AuthenticateSMSR, &g->sr2, &rq), OK);
	go_in(g, HOUT_CERTIFYING);
	go_close(g);
}

/* Its time is over, though the worker has not looked yet. */
Test(handover_out_bad, late, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	go_to(g, HOUT_CALLING, &l);
	DB_QUEUE0(g->db, T_DEADLINE);
	go_sync(g, NULL, 0);
	refused(g, go_authenticate(g, &g->sr2, g->certificate), CODE_EID_UNKNOWN, NULL, HOUT_CALLING);
	go_to(g, HOUT_CERTIFIED, &l);
	DB_QUEUE0(g->db, T_DEADLINE);
	go_sync(g, NULL, 0);
	refused(g, go_keyset(g, NULL), CODE_EID_UNKNOWN, NULL, HOUT_CERTIFIED);
	go_close(g);
}

Test(handover_out_bad, certificates, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct ec_key *another = ec_key_new();
	const struct {
		struct bytes certificate;
		enum code code;
	} cases[] = {
		{ go_certificate(g, g->f.ci_key, GP_ROLE_SM_DP, "20401231"), CODE_SMSR_CERT_INVALID },
		{ go_certificate(g, another, GP_ROLE_SM_SR, "20401231"), CODE_SMSR_CERT_INVALID },
		{ go_certificate(g, g->f.ci_key, GP_ROLE_SM_SR, "20200101"), CODE_SMSR_CERT_EXPIRED },
		{ { g->certificate.data, g->certificate.len - 1 }, CODE_SMSR_CERT_INVALID },
		{ { (const uint8_t *)"\x30\x00", 2 }, CODE_SMSR_CERT_INVALID },
	};
	struct left l;

	go_to(g, HOUT_CALLING, &l);
	for (size_t i = 0; i < LEN(cases); i++)
		refused(g, go_authenticate(g, &g->sr2, cases[i].certificate), cases[i].code, "SmsrCertificate", HOUT_CALLING);
	cr_assert_eq(go_authenticate(g, &g->sr2, g->certificate), OK);
	ec_key_free(another);
	go_close(g);
}

static void kvn_zero(struct es7_create_additional_keyset_rq *rq)
{
	rq->kvn = 0;
}

static void kvn_https(struct es7_create_additional_keyset_rq *rq)
{
	rq->kvn = 0x40;
}

static void kvn_in_use(struct es7_create_additional_keyset_rq *rq)
{
	rq->kvn = 1;
}

static void curve(struct es7_create_additional_keyset_rq *rq)
{
	rq->ecc_length = ES7_ECC_384;
}

static void scenario_negative(struct es7_create_additional_keyset_rq *rq)
{
	rq->scenario = -1;
}

static void scenario_unknown(struct es7_create_additional_keyset_rq *rq)
{
	rq->scenario |= 0x40;
}

static void scenario_uncertified(struct es7_create_additional_keyset_rq *rq)
{
	rq->scenario = KA_WITH_DR;
}

static void host_id(struct es7_create_additional_keyset_rq *rq)
{
	rq->host_id = (struct bytes){ (const uint8_t *)"\x01", 1 };
}

static void host_id_missing(struct es7_create_additional_keyset_rq *rq)
{
	rq->scenario |= KA_WITH_HOST_ID;
}

static void point(struct es7_create_additional_keyset_rq *rq)
{
	rq->point.len = 3;
}

static void signature_short(struct es7_create_additional_keyset_rq *rq)
{
	rq->signature.len--;
}

static void counter(struct es7_create_additional_keyset_rq *rq)
{
	rq->counter++;
}

static void other_kvn(struct es7_create_additional_keyset_rq *rq)
{
	rq->kvn = KVN + 1;
}

/* Nothing that the card would refuse reaches it. */
Test(handover_out_bad, key_sets, .timeout = TIMEOUT)
{
	static const struct {
		void (*spoil)(struct es7_create_additional_keyset_rq *rq);
		enum code code;
		const char *name;
	} cases[] = {
		{ kvn_zero, CODE_PARAM_INVALID, "KeyVersionNumber" },
		{ kvn_https, CODE_PARAM_INVALID, "KeyVersionNumber" },
		{ kvn_in_use, CODE_PARAM_INVALID, "KeyVersionNumber" },
		{ curve, CODE_PARAM_INVALID, "ECCKeyLength" },
		{ scenario_negative, CODE_PARAM_INVALID, "ScenarioParameter" },
		{ scenario_unknown, CODE_PARAM_INVALID, "ScenarioParameter" },
		{ scenario_uncertified, CODE_PARAM_INVALID, "ScenarioParameter" },
		{ host_id, CODE_PARAM_INVALID, "HostId" },
		{ host_id_missing, CODE_PARAM_INVALID, "HostId" },
		{ point, CODE_PARAM_INVALID, "EphemeralPublicKey" },
		{ signature_short, CODE_PARAM_INVALID, "Signature" },
		{ counter, CODE_ISDR_KEY_INVALID, "Signature" },
		{ other_kvn, CODE_ISDR_KEY_INVALID, "Signature" },
	};
	struct go *g = go_open();
	struct left l;

	go_to(g, HOUT_CERTIFIED, &l);
	for (size_t i = 0; i < LEN(cases); i++)
		refused(g, go_keyset(g, cases[i].spoil), cases[i].code, cases[i].name, HOUT_CERTIFIED);
	g->rc[0] ^= 1; /* over another challenge */
	refused(g, go_keyset(g, NULL), CODE_ISDR_KEY_INVALID, "Signature", HOUT_CERTIFIED);
	g->rc[0] ^= 1;
	cr_assert_eq(go_keyset(g, NULL), OK);
	go_in(g, HOUT_KEYING);
	go_close(g);
}

/* ---- the card ---- */

static void card_says(struct go *g, enum handover_out_state state, const char *outcome, const char *code, const char *sw,
		      struct bytes data)
{
	CLEANUP(buf_free) struct buf unused = { 0 };
	struct left l;
	const char *step;

	go_to(g, state, &l);
	step = state == HOUT_CERTIFYING ? go_card_challenge(g, &unused) : go_card_receipt(g, &unused);
	cr_assert_eq(go_outcome(g, step, outcome, code, sw, data), OK);
	go_in(g, HOUT_CALLING);
	cr_assert(!*go_row(g)->fci && !go_row(g)->challenge.len);
}

Test(handover_out_bad, what_the_card_refuses_is_told_and_sm_sr2_may_begin_again, .timeout = TIMEOUT)
{
	static const enum handover_out_state states[] = { HOUT_CERTIFYING, HOUT_KEYING };
	struct go *g = go_open();
	struct bytes none = { NULL, 0 }, short_rc = { (const uint8_t *)"\x85\x02\x01\x02", 4 };

	for (size_t i = 0; i < LEN(states); i++) {
		card_says(g, states[i], "refused", "8.4/4.2", "6A80", none);
		go_answer_is(g, "FAILED", "8.4", "4.2");
		card_says(g, states[i], "refused", "8.5.3/6.1", "", none);
		go_answer_is(g, "FAILED", "8.5.3", "6.1");
		card_says(g, states[i], "silent", "", "", none);
		go_answer_is(g, "EXPIRED", "1.6", "5.4");
		card_says(g, states[i], "answered", "", "6985", none);
		go_answer_is(g, "FAILED", "8.4", "4.2");
		card_says(g, states[i], "answered", "", "9000", short_rc);
		go_answer_is(g, "FAILED", "8.4", "4.2");
		cr_assert_eq(go_authenticate(g, &g->sr2, g->certificate), OK);
		go_in(g, HOUT_CERTIFYING);
	}
	go_close(g);
}

/* The sm-sr does not try it, or says nothing of it in time. */
Test(handover_out_bad, a_command_that_is_not_tried, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	go_to(g, HOUT_CERTIFYING, &l);
	json_decref(go_asked(g, "command", &l));
	cr_assert(go_reply(g, &l, "1.2/4.4", NULL));
	go_in(g, HOUT_CALLING);
	go_answer_is(g, "FAILED", "1.2", "4.4");
	go_to(g, HOUT_CERTIFYING, &l);
	json_decref(go_asked(g, "command", &l));
	go_time(g, T_CALL_OVER);
	go_in(g, HOUT_CALLING);
	go_answer_is(g, "EXPIRED", "1.6", "5.4");
	/* What was said of an older command is about nothing any more. */
	cr_assert(go_reply(g, &l, "1.2/4.4", NULL));
	cr_assert_eq(go_authenticate(g, &g->sr2, g->certificate), OK);
	cr_assert_eq(go_outcome(g, "certificate-2", "refused", "8.4/4.2", "6A80", (struct bytes){ NULL, 0 }), OK);
	go_in(g, HOUT_CERTIFYING);
	cr_assert_null(go_answer(g));
	go_close(g);
}

/* SM-SR2 gives up while the card works for it: its own call ends as well. */
Test(handover_out_bad, a_call_that_is_open_ends_with_the_handover, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l, command;

	go_to(g, HOUT_KEYING, &l);
	json_decref(go_asked(g, "command", &command));
	cr_assert(go_answered(g, &l, STATUS_FAILED, "8.7", "4.2"));
	go_in(g, HOUT_UNLOCKING);
	go_answer_is(g, "FAILED", "8.7", "4.2");
	go_close(g);
}

/* Another challenge in the place of the first. */
Test(handover_out_bad, authenticated_twice, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	CLEANUP(buf_free) struct buf rc = { 0 };
	struct left l;
	const char *step;

	go_to(g, HOUT_CERTIFIED, &l);
	cr_assert_eq(go_authenticate(g, &g->sr2, g->certificate), OK);
	step = go_card_challenge(g, &rc);
	cr_assert_eq(go_outcome(g, step, "answered", "", "9000", (struct bytes){ (const uint8_t *)rc.data, rc.len }), OK);
	go_in(g, HOUT_CERTIFIED);
	cr_assert_eq(go_keyset(g, NULL), OK);
	go_close(g);
}

/* A request that is none is refused, and nothing has changed. */
Test(handover_out_bad, what_the_sm_sr_asks_wrongly, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	CLEANUP(buf_free) struct buf rc = { 0 };
	struct left l;
	const char *step;
	result r;

	go_to(g, HOUT_CERTIFYING, &l);
	step = go_card_challenge(g, &rc);
	r = go_outcome(g, step, "perhaps", "", "9000", (struct bytes){ NULL, 0 });
	cr_assert(r && r->code == CODE_PARAM_INVALID);
	r = go_outcome(g, step, "answered", "", "90", (struct bytes){ NULL, 0 });
	cr_assert(r && r->code == CODE_PARAM_INVALID);
	go_in(g, HOUT_CERTIFYING);
	cr_assert_null(go_answer(g));
	go_close(g);
}

/* It came a moment ago, and SM-SR0 has keys on it or waits for our word; with nothing but an audit missing it may go. */
Test(handover_out_bad, what_is_still_being_taken_over_stays, .timeout = TIMEOUT)
{
	struct go *g = go_open();
	struct left l;

	for (int state = HIN_ADOPTING; state <= HIN_AUDITING; state++) {
		result r;

		go_reset(g);
		DB_QUEUE(g->db, T_COMING, p_text(g->eid.text), p_int(g->a, state));
		go_sync(g, NULL, 0);
		r = go_change(g, VALIDITY_S);
		if (state == HIN_AUDITING) {
			cr_assert_eq(r, OK);
			break;
		}
		cr_assert(r && r->status == STATUS_FAILED && r->code == CODE_BUSY && !r->cause, "%s",
			  handover_in_state_name(state));
		cr_assert(!go_next(g, &l), "%s was asked", l.kind);
	}
	go_in(g, HOUT_LOCKING);
	go_close(g);
}
