/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/sgp02/relay_state.h"

Test(relay_state, every_event_in_every_state)
{
	enum { NO = RELAY_STATES, ASK = RELAY_ASKING, CALL = RELAY_CALLING, WAIT = RELAY_AWAITING, END = RELAY_ENDED };
	static const int expected[RELAY_STATES][REV_EVENTS] = {
		/*                  OWNED REFUSED TAKEN ANSWERED GIVEN_UP EXPIRED */
		[RELAY_ASKING] = { CALL, END, ASK, NO, END, END },
		[RELAY_CALLING] = { NO, NO, WAIT, END, END, END },
		[RELAY_AWAITING] = { NO, NO, NO, END, NO, END },
		[RELAY_ENDED] = { NO, NO, NO, NO, NO, NO },
	};

	for (int s = 0; s < RELAY_STATES; s++)
		for (int e = 0; e < REV_EVENTS; e++)
			cr_expect_eq((int)relay_next((enum relay_state)s, (enum relay_event)e), expected[s][e], "%d %d", s, e);
	cr_expect_eq(relay_next((enum relay_state)9, REV_EXPIRED), RELAY_STATES); /* a row of a newer program */
	cr_expect_eq(relay_next(RELAY_CALLING, (enum relay_event)9), RELAY_STATES);
	cr_expect_str_eq(relay_state_name(RELAY_AWAITING), "awaiting");
	cr_expect_str_eq(relay_state_name((enum relay_state)9), "?");
}

Test(relay_state, a_nested_call_gets_what_is_left_but_for_its_answer)
{
	cr_expect_eq(relay_nested_s(30000), 28);
	cr_expect_eq(relay_nested_s(39999), 37);
	cr_expect_eq(relay_nested_s(720000), 684); /* 5 % is more than 2 s */
	cr_expect_eq(relay_nested_s(86400000), 82080);
	cr_expect_eq(relay_nested_s(5000), 3);
	cr_expect_eq(relay_nested_s(4999), 0);
	cr_expect_eq(relay_nested_s(0), 0);
	cr_expect_eq(relay_nested_s(-5000), 0);
}
