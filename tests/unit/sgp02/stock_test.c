/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/stock.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/sgp02/eis.h"

#define EID "89001012012341234012345678901224"
#define OTHER "89049032000500881234567890123492"

Test(stock, every_state_and_event)
{
	enum { NO = STOCK_STATES, A = STOCK_AVAILABLE, R = STOCK_RESERVED, I = STOCK_INSTALLED, Q = STOCK_QUARANTINED };
	/* reserved, sent, installed, cleaned, unsure, deleted, released */
	static const int wanted[2][STOCK_STATES][STOCK_EVENTS] = {
		{ { R, NO, NO, NO, NO, NO, NO },
		  { NO, R, NO, A, Q, NO, NO },
		  { NO, NO, NO, NO, NO, NO, NO },
		  { NO, NO, NO, NO, NO, NO, A } },
		{ { R, NO, NO, NO, NO, NO, NO },
		  { NO, R, I, Q, Q, Q, NO },
		  { NO, NO, NO, NO, NO, Q, NO },
		  { NO, NO, NO, NO, NO, NO, A } },
	};

	for (int sent = 0; sent < 2; sent++)
		for (int s = 0; s < STOCK_STATES; s++)
			for (int e = 0; e < STOCK_EVENTS; e++)
				cr_expect_eq((int)stock_next((enum stock_state)s, sent, (enum stock_event)e), wanted[sent][s][e],
					     "%s, %s%s", stock_state_name((enum stock_state)s),
					     stock_event_name((enum stock_event)e), sent ? ", sent" : "");
	cr_expect_eq(stock_next(STOCK_STATES, false, STEV_RESERVED), STOCK_STATES);
	cr_expect_eq(stock_next(STOCK_AVAILABLE, false, STOCK_EVENTS), STOCK_STATES);
}

Test(stock, what_left_is_for_its_own_card)
{
	struct eid eid, other;

	cr_assert(eid_parse(EID, &eid));
	cr_assert(eid_parse(OTHER, &other));
	cr_expect(stock_serves(false, NULL, &eid));
	cr_expect(stock_serves(false, &other, &eid));
	cr_expect(stock_serves(true, &eid, &eid));
	cr_expect_not(stock_serves(true, &other, &eid));
	cr_expect_not(stock_serves(true, NULL, &eid));
}

Test(stock, states_have_names_and_back)
{
	for (unsigned s = 0; s < STOCK_STATES; s++)
		cr_expect_eq(stock_state_by_name(stock_state_name((enum stock_state)s)), s);
	cr_expect_eq(stock_state_by_name("gone"), STOCK_STATES);
}

Test(stock, an_iccid_has_its_luhn_digit)
{
	const char *why = NULL;
	struct iccid iccid;

	cr_expect(stock_iccid_parse("8988303000000614224", &iccid, &why));
	cr_expect_str_eq(iccid.text, "8988303000000614224");
	cr_expect_not(stock_iccid_parse("8988303000000614225", &iccid, &why));
	cr_expect(strstr(why, "Luhn"));
	cr_expect_not(stock_iccid_parse("8988303000000614224F", &iccid, &why));
	cr_expect(strstr(why, "padding"));
	cr_expect_not(stock_iccid_parse("7788303000000614227", &iccid, &why));
	cr_expect_not(stock_iccid_parse("", &iccid, &why));
}

Test(stock, ranges_are_counted_and_closed_by_luhn)
{
	struct iccid first, at, again;
	const char *why;
	char number[IMSI_MAX + 1];

	cr_assert(iccid_complete("898830300000061422", &first));
	for (uint64_t i = 0; i < 2000; i++) {
		cr_assert(stock_iccid_at(&first, i, &at));
		cr_assert(stock_iccid_parse(at.text, &again, &why), "%s: %s", at.text, why);
	}
	cr_expect_eq(strncmp(at.text, "898830300000063421", 18), 0, "%s", at.text);
	cr_expect(stock_iccid_at(&first, UINT64_C(699999938577), &at));
	cr_expect_eq(strncmp(at.text, "898830999999999999", 18), 0, "%s", at.text);
	cr_expect_not(stock_iccid_at(&first, UINT64_C(699999938578), &at));
	cr_expect_not(stock_iccid_at(&first, UINT64_MAX, &at));
	cr_expect(stock_number_at("901700000000099", 1, number));
	cr_expect_str_eq(number, "901700000000100");
	cr_expect_not(stock_number_at("901709999999999", 1, number));
	cr_expect_not(stock_number_at("90170x", 1, number));
	cr_expect_not(stock_number_at("1234567890123456", 0, number));
}

Test(stock, rules_are_written_as_people_do)
{
	struct pol2_rule rule;

	cr_assert(pol2_rule_parse("DISABLE:Not-Allowed", &rule));
	cr_expect(rule.action == POL2_DISABLE && rule.qualification == POL2_NOT_ALLOWED);
	cr_assert(pol2_rule_parse("DISABLE:Auto-Delete", &rule));
	cr_expect_eq(rule.qualification, POL2_AUTO_DELETE);
	cr_expect_not(pol2_rule_parse("DISABLE", &rule));
	cr_expect_not(pol2_rule_parse("DISABLE:", &rule));
	cr_expect_not(pol2_rule_parse("DISABLES:Not-Allowed", &rule));
	cr_expect_not(pol2_rule_parse("", &rule));
}
