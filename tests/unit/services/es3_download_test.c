/* SPDX-License-Identifier: Apache-2.0 */
/* Making an ISD-P, sending to it, completing it, on a real database: what the card's answers, losses and lists do to EIS, memory and lease. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/key_agreement.h"
#include "common/card/tlv.h"
#include "tests/unit/services/procedure_fixture.h"

static struct stage *s;

#define SAYS(answer, what) cr_expect(strstr((answer) ? (answer) : "", (what)), "%s: %s", (what), (answer) ? (answer) : "(none)")

static enum code code_of(result r)
{
	cr_assert_neq(r, OK, "it was not refused");
	return r->code;
}

static result create(int64_t memory, bool more)
{
	static bool yes = true;
	struct es3_create_isdp_rq *in = ARENA_NEW(s->a, struct es3_create_isdp_rq);

	*in = (struct es3_create_isdp_rq){ .eid = s->eid,
					   .iccid = s->iccid[THIRD],
					   .mno = s->operator[OTHER].oid,
					   .required_memory = memory,
					   .more_to_do = more ? &yes : NULL };
	return ask(s, &s->smdp, FN_ES3_CreateISDP, &es3_create_isdp_load, es3_create_isdp, in, NULL);
}

static void created(bool more)
{
	cr_assert_eq(create(200, more), OK);
	if (!look(s).session)
		card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_CREATE);
	card_answer1(s, "00", SW_OK);
}

/* free memory, and the new profile's state, "-": not there. */
static const char *eis_says(void)
{
	return look(s).third;
}

static void answer_list_with(bool with_third, uint8_t third)
{
	static const uint16_t sw[] = { SW_OK, SW_NOT_FOUND };
	CLEANUP(buf_free) struct buf list = { 0 };
	const char *data[] = { NULL, "" };

	for (int p = BASE; p <= (with_third ? THIRD : OTHER); p++)
		isdr_status_build(&list, &(const struct isdp_status){ .aid = s->isdp[p],
								      .state = p == BASE    ? ISDP_ENABLED
									       : p == THIRD ? third
											    : ISDP_DISABLED,
								      .fallback = p == BASE,
								      .memory = -1,
								      .free = -1 });
	data[0] = hex_text(s->a, (const uint8_t *)list.data, list.len);
	card_answer(s, 2, data, sw);
}

static void answer_list(bool with_third)
{
	answer_list_with(with_third, ISDP_SELECTABLE);
}

static void an_isd_p_is_made(void)
{
	cr_assert_eq(create(200, false), OK);
	cr_expect_str_eq(eis_says(), "300 3"); /* In-Creation, its memory taken */
	cr_expect_eq(code_of(create(1, false)), CODE_BUSY);
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	s->fci = "call-1";
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_CREATE);
	card_answer1(s, "00", SW_OK);
	cr_expect_str_eq(eis_says(), "300 0");
	SAYS(look(s).answer, "ES3-CreateISDPResponse");
	SAYS(look(s).answer, "Isd-p-aid>A0000005591010FFFFFFFF8900001200<"); /* the lowest that is free */
	cr_expect_str_eq(look(s).trail, "256/0");
	cr_expect_eq(look(s).busy + look(s).open_commands, 0);
	cr_expect_eq(code_of(create(100, false)), CODE_ICCID_IN_USE);
}

static void what_is_asked_for_must_be_there(void)
{
	cr_expect_eq(code_of(create(0, false)), CODE_EUICC_MEMORY);
	cr_expect_eq(code_of(create(501, false)), CODE_EUICC_MEMORY);
	cr_expect_str_eq(eis_says(), "500 -");
	cr_expect_eq(create(500, false), OK);
	cr_expect_str_eq(eis_says(), "0 3");
}

static void what_the_card_refuses_leaves_nothing(void)
{
	cr_assert_eq(create(200, true), OK);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_CREATE);
	card_answer1(s, "", SW_NO_MEMORY);
	SAYS(look(s).answer, "4.8");
	SAYS(look(s).answer, "EuiccResponseData>6A84<");
	cr_expect_str_eq(eis_says(), "500 -");
	cr_expect_eq(look(s).busy, 0);
	cr_assert_eq(create(200, true), OK); /* its ICCID is free again */
	cr_assert_eq(card_fetch(s), COMMAND_CREATE);
	card_answer1(s, "", SW_BAD_DATA);
	SAYS(look(s).answer, "8.4");
	cr_expect_str_eq(eis_says(), "500 -");
	cr_assert_eq(create(200, true), OK);
	time_out(s, false); /* never fetched */
	SAYS(look(s).answer, "5.3");
	cr_expect_str_eq(eis_says(), "500 -");
}

static void a_list_decides_what_became_of_a_lost_one(void)
{
	for (int there = 0; there < 2; there++) {
		stage_reset(s);
		cr_assert_eq(create(200, false), OK);
		card_session(s);
		cr_assert_eq(card_fetch(s), COMMAND_CREATE);
		card_session(s); /* nothing was answered */
		cr_assert_eq(card_fetch(s), COMMAND_STATUS);
		answer_list(there);
		if (!there) { /* not executed: once more */
			cr_expect_str_eq(eis_says(), "300 3");
			cr_assert_eq(card_fetch(s), COMMAND_CREATE);
			card_answer1(s, "00", SW_OK);
		}
		SAYS(look(s).answer, "EXECUTED_SUCCESS");
		cr_expect_str_eq(eis_says(), "300 0");

		stage_reset(s);
		cr_assert_eq(create(200, true), OK);
		card_session(s);
		cr_assert_eq(card_fetch(s), COMMAND_CREATE);
		time_out(s, false);
		SAYS(look(s).answer, "5.4");
		cr_expect_str_eq(eis_says(), "300 3"); /* nobody knows */
		cr_expect_eq(look(s).busy, 0);
		card_session(s);
		cr_assert_eq(card_fetch(s), COMMAND_STATUS);
		answer_list(there);
		cr_expect_str_eq(eis_says(), there ? "300 0" : "500 -");
		cr_expect_str_eq(look(s).told, "");
	}
}

/* That it is not there would be a guess: its ICCID would go to another card while this one may have it. */
static void one_that_nobody_knows_of_is_deleted(void)
{
	for (int there = 0; there < 2; there++) {
		const struct es4_profile_rq in = { .eid = s->eid, .iccid = s->iccid[THIRD] };

		stage_reset(s);
		cr_assert_eq(create(200, true), OK);
		card_session(s);
		cr_assert_eq(card_fetch(s), COMMAND_CREATE);
		time_out(s, false);
		cr_assert_eq(ask(s, &s->smdp, FN_ES3_DeleteISDP, &es4_profile_load, es4_delete_profile, &in, NULL), OK);
		card_session(s);
		cr_assert_eq(card_fetch(s), COMMAND_STATUS);
		answer_list(there);
		cr_assert_eq(card_fetch(s), COMMAND_DELETE);
		card_answer1(s, "", there ? SW_OK : SW_NOT_FOUND);
		SAYS(look(s).answer, there ? "EXECUTED_SUCCESS" : "EXECUTED_WITHWARNING");
		cr_expect_str_eq(eis_says(), "500 -");
		cr_expect_str_eq(look(s).told, "");
	}
}

static struct bytes hex_bytes(const char *hex)
{
	uint8_t *raw = arena_alloc(s->a, strlen(hex) / 2);

	cr_assert(hex_decode(hex, strlen(hex), raw));
	return (struct bytes){ raw, strlen(hex) / 2 };
}

static result send_as(const struct entity *caller, const struct aid *sd, struct bytes data, bool more)
{
	static bool yes = true;
	struct es3_send_data_rq *in = ARENA_NEW(s->a, struct es3_send_data_rq);

	*in = (struct es3_send_data_rq){ .eid = s->eid, .sd_aid = *sd, .data = data, .more_to_do = more ? &yes : NULL };
	return ask(s, caller, FN_ES3_SendData, &es3_send_data_load, es3_send_data, in, NULL);
}

static const char segment[] = "861892D41D5EE541E3283FEA1C37BDC091D4411FED39E079B9D6";

static result send_segment(bool more)
{
	return send_as(&s->smdp, &s->isdp[THIRD], hex_bytes(segment), more);
}

static void the_card_is_kept_for_who_has_more_to_do(void)
{
	struct entity other = s->smdp;

	cr_assert(oid_parse("1.2.88", &other.oid));
	created(true);
	cr_expect_eq(look(s).busy, 1);
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	cr_expect_eq(code_of(ask_audit(s, OTHER)), CODE_BUSY);
	cr_expect_eq(code_of(create(1, false)), CODE_BUSY);
	cr_expect_eq(code_of(send_as(&other, &s->isdp[THIRD], hex_bytes(segment), false)), CODE_ISDP_NOT_ALLOWED);
	cr_expect_eq(code_of(send_as(&s->smdp, &s->isdp[OTHER], hex_bytes(segment), false)), CODE_ISDP_NOT_ALLOWED);
	cr_assert_eq(send_segment(true), OK);
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY);
	s->fci = "call-7";
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF8086000000");
	SAYS(look(s).answer, "ES3-SendDataResponse");
	SAYS(look(s).answer, "EuiccResponseData>8600<");
	cr_expect_eq(code_of(ask_enable(s, OTHER)), CODE_BUSY); /* kept on */
	lease_over(s);
	cr_expect_eq(ask_enable(s, OTHER), OK);
	cr_expect_eq(look(s).busy, 1);
}

static void the_last_data_frees_the_card(void)
{
	created(true);
	cr_assert_eq(send_segment(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AB05800101"
			   "8600");
	SAYS(look(s).answer, "EuiccResponseData>8600<");
	cr_expect_eq(look(s).busy, 0);
	cr_expect_eq(ask_enable(s, OTHER), OK);
}

static void long_data_goes_in_several_scripts(void)
{
	created(false);
	s->config.send_script_max = 30;
	cr_assert_eq(send_as(&s->smdp, &s->isdp[THIRD], hex_bytes(arena_printf(s->a, "%s%s%s", segment, segment, segment)), false),
		     OK);
	cr_expect_eq(look(s).open_commands, 3);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF8086000000");
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF808602AABB0000");
	cr_expect_null(look(s).answer);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF808602CCDD0000");
	SAYS(look(s).answer, "EuiccResponseData>86008602AABB8602CCDD<");
	/* An error: nothing more of it goes to the card. */
	cr_assert_eq(send_as(&s->smdp, &s->isdp[THIRD], hex_bytes(arena_printf(s->a, "%s%s", segment, segment)), false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF809F4601020000");
	SAYS(look(s).answer, "EuiccResponseData>9F460102<");
	cr_expect_eq(look(s).open_commands, 0);
	s->config.send_script_max = 8192;
}

/* An open session fetches by itself; the lane that wakes cards looks early enough for one that does not. */
static void the_lane_is_rung_for_who_is_to_be_woken(void)
{
	cr_assert_eq(create(200, true), OK);
	cr_expect(s->asked->queued && s->asked->lane);
	card_session(s);
	cr_assert_eq(card_fetch(s), COMMAND_CREATE);
	card_answer1(s, "00", SW_OK);
	cr_assert_eq(send_segment(true), OK);
	cr_expect(s->asked->queued && !s->asked->lane);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF8086000000");
	s->config.card_net_ms = 300; /* sooner than it looks by itself */
	cr_assert_eq(send_segment(true), OK);
	cr_expect(s->asked->queued && s->asked->lane);
	s->config.card_net_ms = 3000;
}

static void nothing_is_sent_twice(void)
{
	created(true);
	cr_assert_eq(send_segment(true), OK);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_session(s); /* the session was lost */
	SAYS(look(s).answer, "EXPIRED");
	SAYS(look(s).answer, "5.4");
	cr_expect_eq(look(s).open_commands + look(s).busy, 0);
	cr_expect(look(s).uncertain);
}

static struct bytes key_data(bool agreement)
{
	static const uint8_t cert[] = { 0x7F, 0x21, 0x03, 0x42, 0x01, 0x01 };
	struct ka_request r = { .template = ka_template_isdp(0x30), .form = KA_POINT_FORM };
	CLEANUP(buf_free) struct buf one = { 0 };
	CLEANUP(buf_free) struct buf two = { 0 };
	CLEANUP(buf_free) struct buf all = { 0 };

	if (agreement) {
		r.point[0] = 4;
		cr_assert(ka_request_build(&two, &r));
	} else {
		ka_install_build(&one, &s->isdp[THIRD]);
		tlv_add(&all, 0x22, one.data, one.len);
		cr_assert(ka_certificate_build(&two, (struct bytes){ cert, sizeof(cert) }));
	}
	tlv_add(&all, 0x22, two.data, two.len);
	return (struct bytes){ arena_memdup(s->a, all.data, all.len), all.len };
}

static result send_keys(bool agreement)
{
	return send_as(&s->smdp, &AID_ISDR, key_data(agreement), true);
}

#define CHALLENGE                              \
	"AF80"                                 \
	"23029000"                             \
	"2314"                                 \
	"8510000102030405060708090A0B0C0D0E0F" \
	"9000"                                 \
	"0000"

static void keys_are_agreed_in_one_session(void)
{
	created(true);
	cr_expect_eq(code_of(send_keys(true)), CODE_ISDP_NOT_ALLOWED); /* no certificate yet */
	cr_assert_eq(send_keys(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_CERTIFICATE);
	card_answer_raw(s, CHALLENGE);
	SAYS(look(s).answer, "8510000102");
	cr_assert_eq(send_keys(true), OK);
	cr_assert_eq(card_fetch(s), COMMAND_AGREEMENT);
	card_answer_raw(s, "AF80"
			   "2314"
			   "8610000102030405060708090A0B0C0D0E0F"
			   "9000"
			   "0000");
	cr_expect_eq(code_of(send_keys(true)), CODE_ISDP_NOT_ALLOWED); /* once */
	cr_assert_eq(send_keys(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_CERTIFICATE);
	card_answer_raw(s, "AF80"
			   "23029000"
			   "23026A80"
			   "0000");
	cr_expect_eq(code_of(send_keys(true)), CODE_ISDP_NOT_ALLOWED); /* the card refused the certificate */
	cr_assert_eq(send_keys(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_CERTIFICATE);
	card_answer_raw(s, CHALLENGE);
	card_session(s);
	cr_expect_eq(code_of(send_keys(true)), CODE_ISDP_NOT_ALLOWED); /* another session */
	cr_assert_eq(send_keys(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_CERTIFICATE);
	card_answer_raw(s, CHALLENGE);
	cr_assert_eq(send_keys(true), OK);
	card_session(s); /* before it was fetched */
	cr_expect_not(card_may_fetch(s));
	SAYS(look(s).answer, "8.3.1");
	cr_expect_eq(look(s).open_commands, 0);
}

static result complete(const struct entity *caller)
{
	struct pol2_rule rule = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	struct pol2 rules = { &rule, 1 };
	struct subscription_address address = { "901700000000003", "881700000000003" };
	struct es3_profile_download_completed_rq in = {
		.eid = s->eid, .iccid = s->iccid[THIRD], .profile_type = "big", .address = &address, .pol2 = &rules
	};

	return ask(s, caller, FN_ES3_ProfileDownloadCompleted, &es3_profile_download_completed_load, es3_profile_download_completed,
		   &in, NULL);
}

static void a_complete_profile_is_disabled(void)
{
	struct entity other = s->smdp;

	cr_assert(oid_parse("1.2.88", &other.oid));
	created(true);
	cr_expect_eq(code_of(complete(&other)), CODE_BUSY);
	cr_assert_eq(complete(&s->smdp), OK);
	cr_expect_str_eq(eis_says(), "300 1");
	cr_expect_eq(look(s).busy, 0);
	cr_expect_eq(code_of(complete(&s->smdp)), CODE_PROFILE_NOT_ALLOWED); /* by another call */
	cr_expect_eq(code_of(ask(s, &s->operator[OTHER], FN_ES4_DeleteProfile, &es4_profile_load, es4_delete_profile,
				 &(const struct es4_profile_rq){ .eid = s->eid, .iccid = s->iccid[THIRD] }, NULL)),
		     CODE_POL2_REFUSES);
	SAYS(look(s).events, "profile.downloaded");
}

/* Between the last data, which frees the card, and ProfileDownloadCompleted anybody may have it audited. */
static void an_audit_does_not_complete_a_profile(void)
{
	created(true);
	cr_assert_eq(send_segment(false), OK);
	cr_assert_eq(card_fetch(s), COMMAND_SEND);
	card_answer_raw(s, "AF8086000000");
	cr_assert_eq(ask_audit(s, OTHER), OK);
	cr_assert_eq(card_fetch(s), COMMAND_STATUS);
	answer_list_with(true, ISDP_DISABLED); /* the card has all of it */
	cr_expect_str_eq(eis_says(), "300 0");
	cr_expect_eq(code_of(ask_enable(s, THIRD)), CODE_PROFILE_NOT_ALLOWED);
	cr_assert_eq(complete(&s->smdp), OK);
	cr_expect_str_eq(eis_says(), "300 1");
}

/* Else an operator that sets its rules too early could have nobody take away what failed. */
static void rules_do_not_keep_what_is_not_complete(void)
{
	struct pol2_rule rule = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	struct es4_update_policy_rules_rq in = { .eid = s->eid, .iccid = s->iccid[THIRD], .pol2 = { &rule, 1 } };

	created(false);
	cr_assert_eq(ask(s, &s->operator[OTHER], FN_ES4_UpdatePolicyRules, &es4_update_policy_rules_load, es4_update_policy_rules,
			 &in, NULL),
		     OK);
	cr_assert_eq(ask(s, &s->smdp, FN_ES3_DeleteISDP, &es4_profile_load, es4_delete_profile,
			 &(const struct es4_profile_rq){ .eid = s->eid, .iccid = s->iccid[THIRD] }, NULL),
		     OK);
	cr_assert_eq(card_fetch(s), COMMAND_DELETE);
	card_answer1(s, "", SW_OK);
	SAYS(look(s).answer, "EXECUTED_SUCCESS");
	cr_expect_str_eq(eis_says(), "500 -");
}

static void connectivity_goes_secured(void)
{
	struct es3_update_connectivity_parameters_rq in = { .eid = s->eid, .iccid = s->iccid[THIRD] };
	struct entity other = s->smdp; /* of the same customers */

	cr_assert(oid_parse("1.2.88", &other.oid));
	created(false);
	in.parameters = hex_bytes("221084E2880007"
				  "3A0704A0020600"
				  "00");
	cr_expect_eq(code_of(ask(s, &s->smdp, FN_ES3_UpdateConnectivityParameters, &es3_update_connectivity_parameters_load,
				 es3_update_connectivity_parameters, &in, NULL)),
		     CODE_ISDP_NOT_ALLOWED);
	in.parameters = hex_bytes("221584E2880010C01EF6806B012375313193718385FBD2");
	cr_expect_eq(code_of(ask(s, &other, FN_ES3_UpdateConnectivityParameters, &es3_update_connectivity_parameters_load,
				 es3_update_connectivity_parameters, &in, NULL)),
		     CODE_ISDP_NOT_ALLOWED);
	cr_assert_eq(ask(s, &s->smdp, FN_ES3_UpdateConnectivityParameters, &es3_update_connectivity_parameters_load,
			 es3_update_connectivity_parameters, arena_memdup(s->a, &in, sizeof(in)), NULL),
		     OK);
	cr_assert_eq(card_fetch(s), COMMAND_PARAMETERS);
	card_answer_raw(s, "AF80230290000000");
	SAYS(look(s).answer, "ES3-UpdateConnectivityParametersResponse");
	SAYS(look(s).answer, "EuiccResponseData>23029000<");
}

Test(es3_download, on_one_card)
{
	static void (*const tests[])(void) = { an_isd_p_is_made,
					       what_is_asked_for_must_be_there,
					       what_the_card_refuses_leaves_nothing,
					       a_list_decides_what_became_of_a_lost_one,
					       one_that_nobody_knows_of_is_deleted,
					       the_card_is_kept_for_who_has_more_to_do,
					       the_last_data_frees_the_card,
					       long_data_goes_in_several_scripts,
					       the_lane_is_rung_for_who_is_to_be_woken,
					       nothing_is_sent_twice,
					       keys_are_agreed_in_one_session,
					       a_complete_profile_is_disabled,
					       an_audit_does_not_complete_a_profile,
					       rules_do_not_keep_what_is_not_complete,
					       connectivity_goes_secured };

	s = stage_make();
	for (size_t i = 0; i < LEN(tests); i++) {
		stage_reset(s);
		tests[i]();
	}
	stage_drop(s);
}
