/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/download.h"

#include <criterion/criterion.h>

enum {
	NO = DOWNLOAD_STATES,
	E = DOWNLOAD_GET_EIS,
	U = DOWNLOAD_CLEANUP,
	C = DOWNLOAD_CREATE_ISDP,
	K = DOWNLOAD_KEY_CERTIFICATE,
	R = DOWNLOAD_KEY_REQUEST,
	I = DOWNLOAD_INSTALL,
	P = DOWNLOAD_COMPLETE,
	N = DOWNLOAD_ENABLE,
	D = DOWNLOAD_DELETE,
	H = DOWNLOAD_KEEP,
	DX = DOWNLOAD_DELETE_EXPIRED,
	HX = DOWNLOAD_KEEP_EXPIRED,
	OK = DOWNLOAD_DONE,
	F = DOWNLOAD_FAILED,
	X = DOWNLOAD_EXPIRED
};

Test(download, every_state_and_event)
{
	/* done, more, leftover, enable, wait, refused, broken, silent, pol1, pol1_late, deadline, given_up */
	static const int wanted[DOWNLOAD_STATES][DOWNLOAD_EVENTS] = {
		[E] = { C, NO, U, NO, E, F, F, X, NO, NO, X, NO },         [U] = { C, U, NO, NO, U, F, F, X, F, NO, X, NO },
		[C] = { K, NO, NO, NO, C, F, D, DX, NO, NO, DX, NO },      [K] = { R, NO, NO, NO, K, D, D, DX, NO, NO, DX, NO },
		[R] = { I, NO, NO, NO, R, D, D, DX, NO, NO, DX, NO },      [I] = { P, I, NO, NO, I, D, D, DX, NO, NO, DX, NO },
		[P] = { OK, NO, NO, N, P, D, D, DX, NO, NO, DX, NO },      [N] = { OK, NO, NO, NO, N, OK, OK, OK, NO, NO, OK, NO },
		[D] = { F, NO, NO, NO, D, F, F, D, H, NO, DX, NO },        [H] = { OK, NO, NO, N, H, F, F, X, NO, NO, HX, NO },
		[DX] = { X, NO, NO, NO, DX, X, X, DX, H, HX, DX, X },      [HX] = { X, NO, NO, X, HX, X, X, X, NO, NO, HX, X },
		[OK] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO }, [F] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
		[X] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
	};

	for (int s = 0; s < DOWNLOAD_STATES; s++)
		for (int e = 0; e < DOWNLOAD_EVENTS; e++)
			cr_expect_eq((int)download_next((enum download_state)s, (enum download_event)e), wanted[s][e], "%s, %s",
				     download_state_name((enum download_state)s), download_event_name((enum download_event)e));
	cr_expect_eq(download_next(DOWNLOAD_STATES, DLEV_DONE), DOWNLOAD_STATES);
	cr_expect_eq(download_next(DOWNLOAD_GET_EIS, DOWNLOAD_EVENTS), DOWNLOAD_STATES);
}

/* By whatever comes, in any order, everything ends: once its time is over a state is left for good, or by the end of the cleaning. */
Test(download, all_of_it_ends)
{
	for (int s = 0; s < DOWNLOAD_STATES; s++) {
		enum download_state now = (enum download_state)s;

		if (!download_ended(now)) {
			now = download_next(now, DLEV_DEADLINE);
			cr_assert_neq(now, DOWNLOAD_STATES, "%s has no deadline", download_state_name((enum download_state)s));
		}
		if (!download_ended(now))
			now = download_next(now, DLEV_GIVEN_UP);
		cr_expect(download_ended(now), "%s", download_state_name((enum download_state)s));
	}
}

Test(download, names_and_back)
{
	for (unsigned s = 0; s < DOWNLOAD_STATES; s++)
		cr_expect_eq(download_state_by_name(download_state_name((enum download_state)s)), s);
	cr_expect_eq(download_state_by_name("gone"), DOWNLOAD_STATES);
	cr_expect_str_eq(download_state_name(DOWNLOAD_STATES), "?");
	cr_expect_str_eq(download_event_name(DOWNLOAD_EVENTS), "?");
}

/* An ICCID goes back only when nothing was created, or when it is known to be deleted. */
Test(download, what_becomes_of_the_iccid)
{
	for (int s = 0; s < DOWNLOAD_STATES; s++) {
		for (int e = 0; e < DOWNLOAD_EVENTS; e++) {
			enum stock_event wanted = STEV_UNSURE;

			if (s == E || s == U || (s == C && e == DLEV_REFUSED) || ((s == D || s == DX) && e == DLEV_DONE))
				wanted = STEV_CLEANED;
			if (s == N || ((s == P || s == H || s == HX) && (e == DLEV_DONE || e == DLEV_ENABLE)))
				wanted = STEV_INSTALLED;
			if (download_ended(download_next((enum download_state)s, (enum download_event)e)))
				cr_expect_eq(download_stock((enum download_state)s, (enum download_event)e), wanted, "%s, %s",
					     download_state_name((enum download_state)s),
					     download_event_name((enum download_event)e));
		}
	}
}
