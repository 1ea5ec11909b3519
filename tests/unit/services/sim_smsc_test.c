/* SPDX-License-Identifier: Apache-2.0 */
/* Several SM-SRs at one SMSC: each has its own account and number. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "services/euicc-sim/accounts.h"
#include "tests/unit/services/sim_fixture.h"

#define FIRST "88390"
#define SECOND "88391"
#define CARD "883500000000"

static bool other_bound(struct sim_test *t)
{
	return smpp_is_bound(t->other.session);
}

static bool both_receipts(struct sim_test *t)
{
	return t->esme.n_receipts == 1 && t->other.n_receipts == 1;
}

static bool first_spoken(struct sim_test *t)
{
	return t->esme.n_por > 0;
}

static bool other_spoken(struct sim_test *t)
{
	return t->other.n_por > 0;
}

static void make(struct sim_test *t, bool http, char path[128])
{
	sim_test_make(t, http);
	sim_test_file(t, "accounts", "second other123 " SECOND "\n", path);
	t->config.smpp_accounts_file = path;
}

static void bind_other(struct sim_test *t)
{
	sim_test_bind_other(t, "second", "other123", SECOND);
	cr_assert(sim_test_until(t, other_bound));
}

Test(sim_smsc, each_reaches_all_cards_and_gets_its_own_receipts)
{
	struct sim_test t;
	char path[128];

	make(&t, true, path);
	t.smsr.confirms[NOTE_FIRST_ATTACH] = true;
	sim_test_start(&t);
	sim_test_bind(&t, "secret12");
	bind_other(&t);
	life_power(sim_test_card(&t, 0), true);
	sim_test_sms(&t.esme, CARD);
	sim_test_sms(&t.other, CARD);
	cr_assert(sim_test_until(&t, both_receipts));
	cr_assert(t.esme.status == SMPP_OK && t.other.status == SMPP_OK);
	sim_test_end(&t);
}

Test(sim_smsc, a_password_is_of_its_own_system_id)
{
	static const struct {
		const char *system_id, *password;
	} wrong[] = { { "second", "secret12" }, { "smsr", "other123" }, { "third", "other123" } };
	struct sim_test t;
	char path[128];

	make(&t, true, path);
	sim_test_start(&t);
	for (size_t i = 0; i < LEN(wrong); i++) {
		sim_test_bind_other(&t, wrong[i].system_id, wrong[i].password, SECOND);
		sim_test_for(&t, 100);
		cr_assert_not(other_bound(&t), "%s", wrong[i].system_id);
		smpp_close(t.other.session);
		t.other.session = NULL;
	}
	bind_other(&t);
	sim_test_end(&t);
}

/* The ESMEs of the fixture take only what is for their number. */
Test(sim_smsc, a_card_speaks_to_who_has_the_number)
{
	struct sim_test t;
	char path[128];

	make(&t, false, path);
	t.config.smsr_number = SECOND;
	t.config.retry_ms = 60000;
	sim_test_start(&t);
	sim_test_bind(&t, "secret12");
	life_power(sim_test_card(&t, 0), true);
	sim_test_for(&t, 200);
	cr_assert_eq(t.esme.n_por, 0, "it waits for the other one");
	t.config.smsr_number = FIRST;
	life_power(sim_test_card(&t, 1), true);
	cr_assert(sim_test_until(&t, first_spoken), "nobody waits for who is not bound");
	bind_other(&t);
	cr_assert(sim_test_until(&t, other_spoken));
	cr_assert_str_eq(t.other.from, CARD);
	sim_test_end(&t);
}

Test(sim_smsc, numbers_of_sm_srs_come_with_their_addresses)
{
	json_t *smsr;
	char path[128], error[SIM_ERROR] = "";
	struct sim_test t;

	make(&t, true, path);
	sim_test_start(&t);
	cr_assert_str_eq(number_default(sim_test_card(&t, 0)), FIRST);
	smsr = json_pack("{s:{s:s,s:i,s:s,s:s}}", "1.3.6.1.4.1.99.2", "host", "127.0.0.1", "port", 1, "uri", "/ram", "number",
			 SECOND);
	cr_assert(targets_take(t.sim.targets, smsr, error), "%s", error);
	cr_assert_str_eq(number_default(sim_test_card(&t, 0)), SECOND);
	sim_test_restart(&t);
	cr_assert_str_eq(number_default(sim_test_card(&t, 0)), SECOND, "a restart knows it as well");
	json_object_set_new(json_object_get(smsr, "1.3.6.1.4.1.99.2"), "number", json_string("+1"));
	cr_assert_not(targets_take(t.sim.targets, smsr, error));
	cr_assert(strstr(error, "number should be"), "%s", error);
	json_object_set_new(json_object_get(smsr, "1.3.6.1.4.1.99.2"), "number", json_integer(1));
	cr_assert_not(targets_take(t.sim.targets, smsr, error));
	json_decref(smsr);
	sim_test_end(&t);
}

Test(sim_smsc, a_bad_file_is_named_with_its_line)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "", NULL },
		{ "\n\nsecond  other123 88391\n", NULL },
		{ "second other123 88391", NULL },
		{ "second other123\n", "line 1: should be a system id" },
		{ "a b 1\nsecond other123 88391 x\n", "line 2: should be a system id" },
		{ "second other1234 88391\n", "at most" },
		{ "1234567890123456 p 88391\n", "at most" },
		{ "a p 123456789012345678901\n", "at most" },
		{ "smsr p 1\n", "that another has" },
		{ "a p 1\na q 2\n", "line 2: has a system id" },
		{ "a p 1\nb p 1\nc p 1\nd p 1\ne p 1\nf p 1\ng p 1\nh p 1\n", "line 8: is one too many" },
	};
	struct accounts *a;
	struct sim_test t;
	char path[128];

	make(&t, true, path);
	for (size_t i = 0; i < LEN(rows); i++) {
		char error[SIM_ERROR] = "";

		sim_test_file(&t, "accounts", rows[i].text, path);
		a = accounts_open(&t.config, error);
		cr_expect_eq(a == NULL, rows[i].says != NULL, "row %zu: %s", i, error);
		cr_expect(!rows[i].says || strstr(error, rows[i].says), "row %zu: %s", i, error);
		accounts_close(a);
	}
	t.config.smpp_accounts_file = "";
	sim_test_start(&t);
	sim_test_end(&t);
}
