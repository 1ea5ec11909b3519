/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts for an ISD-P: whom they reach, how they are answered, what hooks do to them. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/card/isdp_commands.h"
#include "common/card/script.h"
#include "services/euicc-sim/card_internal.h"
#include "tests/unit/services/sim_fixture.h"

#define ISDP_TARGET "//aid/A000000559/1010FFFFFFFF8900001300"

static struct holder *holder(struct sim_test *t)
{
	return sim_test_card(t, 0);
}

static bool confirmed(struct sim_test *t)
{
	return holder(t)->card->phase == CARD_IDLE && holder(t)->card->attached_once && !holder(t)->session;
}

/* The fixture holds the lock while it asks. */
static bool has_status(struct sim_test *t)
{
	return t->smsr.status[0] != 0;
}

static struct aid isdp_of_test(void)
{
	return aid_isdp(0x13);
}

/* One C-APDU to the ISD-R, as from a session; its data in out. */
static uint16_t to_isdr(struct sim_test *t, const struct buf *capdu, struct buf *out)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	CLEANUP(buf_free) struct buf answer = { 0 };
	const struct bytes apdu = { (const uint8_t *)capdu->data, capdu->len };
	struct script_answer read;
	bool refresh = false;
	const char *why;

	script_build(&script, SCRIPT_DEFINITE, &apdu, 1);
	cr_assert(
		script_run(holder(t), 1, &AID_ISDR, (struct bytes){ (const uint8_t *)script.data, script.len }, &answer, &refresh));
	cr_assert(script_answer_parse((struct bytes){ (const uint8_t *)answer.data, answer.len }, &read, &why), "%s", why);
	cr_assert_eq(read.n, 1);
	buf_clear(out);
	buf_add(out, read.results[0].data.data, read.results[0].data.len);
	return read.results[0].sw;
}

static uint16_t create(struct sim_test *t)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	struct aid isdp = isdp_of_test();

	isdr_create_isdp(&capdu, &isdp, 500);
	return to_isdr(t, &capdu, &out);
}

static void check_answer(struct sim_test *t, const char *script, const char *expected)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf answer = { 0 };
	struct aid isdp = isdp_of_test();
	bool refresh = false;
	uint8_t body[256];

	cr_assert(hex_decode(script, strlen(script), body));
	cr_assert(script_run(holder(t), 1, &isdp, (struct bytes){ body, strlen(script) / 2 }, &answer, &refresh));
	cr_assert_str_eq(hex_text(a, (const uint8_t *)answer.data, answer.len), expected, "%s", script);
	cr_assert_not(refresh);
}

Test(sim_isdp, both_containers_are_taken_and_answered_alike)
{
	struct sim_test t;

	sim_test_make(&t, true);
	sim_test_start(&t);
	cr_assert_eq(create(&t), SW_OK);
	check_answer(&t,
		     "AE80"
		     "840A30000102030405060708"
		     "8500"
		     "0000",
		     "AF80"
		     "9F440103"
		     "0000");
	check_answer(&t,
		     "AA0C"
		     "840A30000102030405060708",
		     "AB07"
		     "800101"
		     "9F440103");
	check_answer(&t,
		     "AE80"
		     "220C"
		     "840A30000102030405060708"
		     "0000",
		     "AF80"
		     "23069F4401039000"
		     "0000");
	check_answer(&t,
		     "AE80"
		     "2209"
		     "80E288000441424344"
		     "0000",
		     "AF80"
		     "23026982"
		     "0000");
	check_answer(&t,
		     "AE80"
		     "A209"
		     "80E288000441424344"
		     "0000",
		     "AF80"
		     "23026982"
		     "0000");
	check_answer(&t,
		     "AE80"
		     "8700"
		     "0000",
		     "AF80"
		     "900101"
		     "0000");
	check_answer(&t,
		     "AE80"
		     "840A3000"
		     "0000",
		     "AF80"
		     "900101"
		     "0000");
	check_answer(&t,
		     "AA02"
		     "8700",
		     "AB06"
		     "800100"
		     "900101");
	sim_test_end(&t);
}

Test(sim_isdp, sessions_bring_scripts_to_whom_they_are_for)
{
	struct sim_test t;

	sim_test_make(&t, true);
	t.smsr.confirms[NOTE_FIRST_ATTACH] = true;
	sim_test_start(&t);
	sim_test_bind(&t, "secret12");
	life_power(holder(&t), true);
	cr_assert(sim_test_until(&t, confirmed));
	for (unsigned there = 0; there < 2; there++) {
		if (there)
			cr_assert_eq(create(&t), SW_OK);
		pthread_mutex_lock(&t.smsr.lock);
		t.smsr.status[0] = 0;
		t.smsr.last_sw = 0;
		t.smsr.target = ISDP_TARGET;
		isdr_get_resources(&t.smsr.script);
		pthread_mutex_unlock(&t.smsr.lock);
		sim_test_trigger(&t);
		cr_assert(sim_test_until(&t, has_status));
		cr_assert_str_eq(t.smsr.status, there ? "ok" : "unknown-application");
		cr_assert_eq(t.smsr.last_sw, there ? SW_SECURITY : 0, "an ISD-P does nothing for who has not proved himself");
		cr_assert(sim_test_until(&t, confirmed));
	}
	sim_test_end(&t);
}

/* The status word of 3A02, and whether its receipt held. */
static uint16_t agree(struct sim_test *t, const struct ec_key *ci, bool *out_good, uint16_t *out_certificate)
{
	static const uint8_t id[] = { 1 }, usage[] = { 0x88 };
	const struct ka_template template = ka_template_isdp(0x30);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(ec_key_freep) struct ec_key *dp = ec_key_new();
	CLEANUP(secret_free) struct secret scalar = secret_new(P256_SCALAR);
	CLEANUP(ec_key_freep) struct ec_key *ecasd = NULL;
	CLEANUP(buf_free) struct buf capdu = { 0 };
	CLEANUP(buf_free) struct buf out = { 0 };
	struct gp_cert cert = { { id, 1 },  { id, 1 },     { id, 1 }, { usage, 1 }, NULL,
				"20300101", GP_ROLE_SM_DP, { 0 },     { 0 },        { { 0 } } };
	struct aid isdp = isdp_of_test();
	uint8_t point[P256_POINT];
	struct card_keys keys;
	struct ka_answer answer;
	struct ka_host host;
	struct bytes rc;
	uint16_t sw;

	*out_good = false;
	ec_key_public(dp, cert.point);
	ka_install_build(&capdu, &isdp);
	cr_assert_eq(to_isdr(t, &capdu, &out), SW_OK);
	buf_clear(&capdu);
	cr_assert(ka_certificate_build(&capdu, gp_cert_build(a, &cert, ci)));
	*out_certificate = to_isdr(t, &capdu, &out);
	if (!ka_challenge_parse((struct bytes){ (const uint8_t *)out.data, out.len }, &rc))
		return 0;
	buf_clear(&capdu);
	cr_assert(ka_host_start(&host, &template));
	cr_assert(ka_host_request(&host, rc, dp, &capdu));
	sw = to_isdr(t, &capdu, &out);
	memcpy(scalar.data, holder(t)->card->ecasd_key, P256_SCALAR);
	ecasd = ec_key_from_scalar(&scalar);
	ec_key_public(ecasd, point);
	cr_assert(ka_answer_parse((struct bytes){ (const uint8_t *)out.data, out.len }, &answer));
	*out_good = ka_host_finish(&host, point, NULL, &answer, &keys) == KA_GOOD;
	ka_host_wipe(&host);
	return sw;
}

Test(sim_isdp, hooks_strike_once_where_they_are_armed)
{
	CLEANUP(ec_key_freep) struct ec_key *ci = ec_key_new();
	const struct eid *eid;
	struct sim_test t;
	uint16_t certificate;
	bool good;

	sim_test_make(&t, true);
	sim_test_start(&t);
	eid = &holder(&t)->card->eid;
	ec_key_public(ci, holder(&t)->card->ci_point);
	hook_arm(t.sim.hooks, HOOK_NO_MEMORY, eid, 1, "install");
	cr_assert_eq(create(&t), SW_OK, "that is for another occasion");
	card_wipe(holder(&t)->card, 2);
	hook_arm(t.sim.hooks, HOOK_NO_MEMORY, eid, 1, "");
	cr_assert_eq(create(&t), SW_NO_MEMORY);
	cr_assert_eq(create(&t), SW_OK);
	hook_arm(t.sim.hooks, HOOK_BAD_CHALLENGE, eid, 1, "");
	cr_assert_eq(agree(&t, ci, &good, &certificate), 0);
	cr_assert_eq(certificate, SW_OK);
	hook_arm(t.sim.hooks, HOOK_BAD_RECEIPT, eid, 1, "");
	cr_assert_eq(agree(&t, ci, &good, &certificate), SW_OK);
	cr_assert_not(good);
	card_wipe(holder(&t)->card, 2);
	cr_assert_eq(create(&t), SW_OK);
	cr_assert_eq(agree(&t, ci, &good, &certificate), SW_OK);
	cr_assert(good);
	check_answer(&t,
		     "AE80"
		     "8511330000000000000000"
		     "0000000000000000"
		     "0000",
		     "AF80"
		     "9F450102"
		     "0000");
	card_wipe(holder(&t)->card, 2);
	cr_assert(life_save(holder(&t)));
	sim_test_end(&t);
}
