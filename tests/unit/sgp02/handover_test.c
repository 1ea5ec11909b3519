/* SPDX-License-Identifier: Apache-2.0 */
/* The SM-SR change as tables, and the rules of decisions.md E1 and E2 in them. */
#include "common/sgp02/handover.h"

#include <criterion/criterion.h>

enum {
	NO = HANDOVER_OUT_STATES,
	L = HOUT_LOCKING,
	C = HOUT_CALLING,
	F = HOUT_CERTIFYING,
	D = HOUT_CERTIFIED,
	K = HOUT_KEYING,
	A = HOUT_ANSWERED,
	Q = HOUT_DOUBT,
	X = HOUT_DROPPING,
	U = HOUT_UNLOCKING,
	MOVED = HOUT_MOVED,
	KEPT = HOUT_KEPT
};

static enum handover_out_state out(int state, enum handover_out_event event)
{
	return handover_out_next((enum handover_out_state)state, event);
}

static enum handover_in_state in(int state, enum handover_in_event event)
{
	return handover_in_next((enum handover_in_state)state, event);
}

Test(handover_out, every_state_and_event)
{
	/* locked, busy, authenticate, challenge, keyset, receipt, card_failed, managed, refused, peer_expired, silent, deadline, settled,
	 * resolve_moved, resolve_kept */
	static const int wanted[HANDOVER_OUT_STATES][HANDOVER_OUT_EVENTS] = {
		[L] = { C, U, NO, NO, NO, NO, NO, NO, NO, NO, L, U, NO, NO, NO },
		[C] = { NO, NO, F, NO, NO, NO, NO, X, U, U, C, U, NO, NO, NO },
		[F] = { NO, NO, NO, D, NO, NO, C, X, U, U, F, U, NO, NO, NO },
		[D] = { NO, NO, F, NO, K, NO, NO, X, U, U, D, U, NO, NO, NO },
		[K] = { NO, NO, NO, NO, NO, A, C, X, U, U, K, U, NO, NO, NO },
		[A] = { NO, NO, NO, NO, NO, NO, NO, X, U, A, A, Q, NO, NO, NO },
		[Q] = { NO, NO, NO, NO, NO, NO, NO, X, U, Q, Q, NO, NO, X, U },
		[X] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, X, X, MOVED, NO, NO },
		[U] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, U, U, KEPT, NO, NO },
		[MOVED] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
		[KEPT] = { NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO },
	};

	for (int s = 0; s < HANDOVER_OUT_STATES; s++)
		for (int e = 0; e < HANDOVER_OUT_EVENTS; e++)
			cr_expect_eq((int)out(s, (enum handover_out_event)e), wanted[s][e], "%s, %s",
				     handover_out_state_name((enum handover_out_state)s),
				     handover_out_event_name((enum handover_out_event)e));
	cr_expect_eq(out(HANDOVER_OUT_STATES, HOEV_DEADLINE), HANDOVER_OUT_STATES);
	cr_expect_eq(out(C, HANDOVER_OUT_EVENTS), HANDOVER_OUT_STATES);
}

/* E1: it expires before it answered CreateAdditionalKeySet: abort, unlock, FAILED. */
Test(handover_out, before_the_receipt_is_answered_it_gives_up_freely)
{
	for (int s = L; s <= K; s++) {
		cr_expect(!handover_out_in_doubt((enum handover_out_state)s));
		cr_expect_eq(out(s, HOEV_DEADLINE), HOUT_UNLOCKING, "%d", s);
		cr_expect_eq(handover_out_tells((enum handover_out_state)s, HOEV_DEADLINE, false), HANDOVER_NOTHING, "%d", s);
	}
	cr_expect_eq(handover_out_tells(HOUT_UNLOCKING, HOEV_SETTLED, false), HANDOVER_FAILED);
	cr_expect_eq(handover_out_tells(HOUT_UNLOCKING, HOEV_DEADLINE, false), HANDOVER_FAILED,
		     "the sm-sr is away: it is told all the same");
	cr_expect_eq(handover_out_tells(HOUT_UNLOCKING, HOEV_SETTLED, true), HANDOVER_NOTHING, "once");
	cr_expect_eq(handover_out_tells(HOUT_LOCKING, HOEV_BUSY, false), HANDOVER_NOTHING, "not before it is unlocked");
	cr_expect_eq(out(HOUT_UNLOCKING, HOEV_RECEIPT), HANDOVER_OUT_STATES, "what the card says late is answered to nobody");
	cr_expect_eq(out(HOUT_UNLOCKING, HOEV_KEYSET), HANDOVER_OUT_STATES);
}

/* E1: after, EXPIRED to the operator, but the EID stays locked until SM-SR2 answers for good. */
Test(handover_out, behind_it_only_a_word_for_good_ends_it)
{
	static const enum handover_out_event no_word[] = { HOEV_SILENT, HOEV_PEER_EXPIRED };

	cr_expect_eq(handover_out_tells(HOUT_ANSWERED, HOEV_DEADLINE, false), HANDOVER_EXPIRED);
	cr_assert_eq(out(HOUT_ANSWERED, HOEV_DEADLINE), HOUT_DOUBT);
	for (int s = A; s <= Q; s++) {
		cr_expect(handover_out_in_doubt((enum handover_out_state)s));
		for (size_t i = 0; i < 2; i++)
			cr_expect_eq((int)out(s, no_word[i]), s);
		cr_expect_eq(out(s, HOEV_MANAGED), HOUT_DROPPING);
		cr_expect_eq(out(s, HOEV_REFUSED), HOUT_UNLOCKING);
		for (int e = HOEV_LOCKED; e <= HOEV_CARD_FAILED; e++)
			cr_expect_eq(out(s, (enum handover_out_event)e), HANDOVER_OUT_STATES, "no other attempt beside it");
	}
	cr_expect_eq(out(HOUT_ANSWERED, HOEV_RESOLVE_KEPT), HANDOVER_OUT_STATES, "a person has no say before the time is over");
	cr_expect_eq(out(HOUT_ANSWERED, HOEV_RESOLVE_MOVED), HANDOVER_OUT_STATES);
	cr_expect_eq(out(HOUT_DOUBT, HOEV_RESOLVE_KEPT), HOUT_UNLOCKING);
	cr_expect_eq(out(HOUT_DOUBT, HOEV_RESOLVE_MOVED), HOUT_DROPPING);
	for (int s = L; s < Q; s++)
		cr_expect_eq(out(s, HOEV_RESOLVE_KEPT), HANDOVER_OUT_STATES);
}

Test(handover_out, who_manages_it_is_believed_and_the_operator_told_once)
{
	for (int s = C; s <= Q; s++)
		cr_expect_eq(out(s, HOEV_MANAGED), HOUT_DROPPING, "%d", s);
	cr_expect_eq(handover_out_tells(HOUT_CALLING, HOEV_MANAGED, false), HANDOVER_NOTHING, "not before it is dropped");
	cr_expect_eq(handover_out_tells(HOUT_DROPPING, HOEV_SETTLED, false), HANDOVER_SUCCESS);
	cr_expect_eq(handover_out_tells(HOUT_DROPPING, HOEV_DEADLINE, false), HANDOVER_SUCCESS);
	cr_expect_eq(handover_out_tells(HOUT_DROPPING, HOEV_SETTLED, true), HANDOVER_NOTHING);
	cr_expect_eq(handover_out_tells(HOUT_MOVED, HOEV_SETTLED, false), HANDOVER_NOTHING);
}

Test(handover_out, a_refusal_of_the_card_lets_sm_sr2_try_again)
{
	cr_expect_eq(out(HOUT_CERTIFYING, HOEV_CARD_FAILED), HOUT_CALLING);
	cr_expect_eq(out(HOUT_KEYING, HOEV_CARD_FAILED), HOUT_CALLING);
	cr_expect_eq(out(HOUT_CALLING, HOEV_KEYSET), HANDOVER_OUT_STATES, "not without a new challenge");
	cr_expect_eq(out(HOUT_CERTIFIED, HOEV_AUTHENTICATE), HOUT_CERTIFYING);
}

/* Whatever comes, its deadline and one word for good lead to the end. */
Test(handover_out, all_of_it_ends_in_one_of_two_ways)
{
	static const enum handover_out_event words[] = { HOEV_MANAGED, HOEV_REFUSED };

	for (int s = 0; s < HANDOVER_OUT_STATES; s++) {
		for (size_t w = 0; w < 2; w++) {
			int now = s;

			cr_expect_eq(handover_out_ended((enum handover_out_state)s), s == MOVED || s == KEPT);
			if (out(now, HOEV_DEADLINE) != HANDOVER_OUT_STATES)
				now = (int)out(now, HOEV_DEADLINE);
			if (out(now, words[w]) != HANDOVER_OUT_STATES)
				now = (int)out(now, words[w]);
			if (out(now, HOEV_SETTLED) != HANDOVER_OUT_STATES)
				now = (int)out(now, HOEV_SETTLED);
			cr_expect(handover_out_ended((enum handover_out_state)now), "%d %zu", s, w);
		}
		cr_expect_eq((int)handover_out_state_by_name(handover_out_state_name((enum handover_out_state)s)), s);
	}
	cr_expect_eq(handover_out_state_by_name("elsewhere"), HANDOVER_OUT_STATES);
	cr_expect_str_eq(handover_out_state_name(HANDOVER_OUT_STATES), "?");
	cr_expect_str_eq(handover_out_event_name(HOEV_RESOLVE_KEPT), "resolve_kept");
	cr_expect_str_eq(handover_out_event_name(HANDOVER_OUT_EVENTS), "?");
}

enum {
	N = HANDOVER_IN_STATES,
	PRE = HIN_PREPARED,
	AU = HIN_AUTHENTICATING,
	KE = HIN_KEYING,
	AD = HIN_ADOPTING,
	PU = HIN_PUTTING_KEY,
	DR = HIN_ADDRESSING,
	FI = HIN_FINALISING,
	UD = HIN_AUDITING,
	OW = HIN_OWNED,
	FA = HIN_FAILED,
	LA = HIN_LAPSED
};

Test(handover_in, every_state_and_event)
{
	/* handover, challenge, receipt, bad_receipt, refused, silent, asked, deadline, adopted, adopted_sms, card_done, card_failed, skipped */
	static const int wanted[HANDOVER_IN_STATES][HANDOVER_IN_EVENTS] = {
		[PRE] = { AU, N, N, N, N, N, N, LA, N, N, N, N, N },    [AU] = { N, KE, N, N, FA, AU, FA, FA, N, N, N, N, N },
		[KE] = { N, N, AD, FA, FA, KE, FA, FA, N, N, N, N, N }, [AD] = { N, N, N, N, N, AD, N, AD, PU, DR, N, N, N },
		[PU] = { N, N, N, N, N, PU, N, PU, N, N, DR, PU, DR },  [DR] = { N, N, N, N, N, DR, N, DR, N, N, FI, DR, FI },
		[FI] = { N, N, N, N, N, FI, N, FI, N, N, UD, FI, UD },  [UD] = { N, N, N, N, N, UD, N, UD, N, N, OW, UD, OW },
		[OW] = { N, N, N, N, N, N, N, N, N, N, N, N, N },       [FA] = { N, N, N, N, N, N, N, N, N, N, N, N, N },
		[LA] = { N, N, N, N, N, N, N, N, N, N, N, N, N },
	};

	for (int s = 0; s < HANDOVER_IN_STATES; s++) {
		for (int e = 0; e < HANDOVER_IN_EVENTS; e++)
			cr_expect_eq((int)in(s, (enum handover_in_event)e), wanted[s][e], "%s, %s",
				     handover_in_state_name((enum handover_in_state)s),
				     handover_in_event_name((enum handover_in_event)e));
		cr_expect_eq((int)handover_in_state_by_name(handover_in_state_name((enum handover_in_state)s)), s);
		cr_expect_eq(handover_in_ended((enum handover_in_state)s), s >= OW);
	}
	cr_expect_eq(in(HANDOVER_IN_STATES, HIEV_DEADLINE), HANDOVER_IN_STATES);
	cr_expect_eq(in(PRE, HANDOVER_IN_EVENTS), HANDOVER_IN_STATES);
	cr_expect_eq(handover_in_state_by_name("?"), HANDOVER_IN_STATES);
	cr_expect_str_eq(handover_in_event_name(HIEV_ADOPTED_SMS), "adopted_sms");
	cr_expect_str_eq(handover_in_event_name(HANDOVER_IN_EVENTS), "?");
}

/* After the verified receipt never FAILED, nor EXPIRED. */
Test(handover_in, behind_the_commit_it_is_told_success_or_warning)
{
	for (int s = 0; s < HANDOVER_IN_STATES; s++) {
		bool committed = s >= AD && s <= OW;

		cr_expect_eq(handover_in_committed((enum handover_in_state)s), committed);
		for (int e = 0; e < HANDOVER_IN_EVENTS; e++) {
			enum handover_tell tell = handover_in_tells((enum handover_in_state)s, (enum handover_in_event)e, false);
			int to = (int)in(s, (enum handover_in_event)e);

			cr_expect(!committed || (tell != HANDOVER_FAILED && tell != HANDOVER_EXPIRED), "%d %d", s, e);
			cr_expect(!committed || to == N || handover_in_committed((enum handover_in_state)to), "%d %d", s, e);
			cr_expect(committed || (tell != HANDOVER_SUCCESS && tell != HANDOVER_WARNING), "%d %d", s, e);
			cr_expect_eq(handover_in_tells((enum handover_in_state)s, (enum handover_in_event)e, true),
				     HANDOVER_NOTHING);
		}
	}
	cr_expect_eq(handover_in_tells(HIN_KEYING, HIEV_RECEIPT, false), HANDOVER_NOTHING, "it stays open until step 28");
	cr_expect_eq(handover_in_tells(HIN_FINALISING, HIEV_CARD_DONE, false), HANDOVER_SUCCESS);
	cr_expect_eq(handover_in_tells(HIN_FINALISING, HIEV_CARD_FAILED, false), HANDOVER_WARNING,
		     "step 25 fails: the old keys stay");
	cr_expect_eq(handover_in_tells(HIN_FINALISING, HIEV_SKIPPED, false), HANDOVER_WARNING);
	cr_expect_eq(handover_in_tells(HIN_ADOPTING, HIEV_DEADLINE, false), HANDOVER_WARNING);
	cr_expect_eq(handover_in_tells(HIN_AUDITING, HIEV_CARD_DONE, false), HANDOVER_NOTHING, "it was told before");
}

Test(handover_in, before_the_commit_it_fails_for_good)
{
	cr_expect_eq(handover_in_tells(HIN_KEYING, HIEV_BAD_RECEIPT, false), HANDOVER_FAILED);
	cr_expect_eq(handover_in_tells(HIN_AUTHENTICATING, HIEV_REFUSED, false), HANDOVER_FAILED);
	cr_expect_eq(handover_in_tells(HIN_KEYING, HIEV_ASKED, false), HANDOVER_FAILED);
	cr_expect_eq(handover_in_tells(HIN_KEYING, HIEV_DEADLINE, false), HANDOVER_EXPIRED);
	cr_expect_eq(handover_in_tells(HIN_PREPARED, HIEV_DEADLINE, false), HANDOVER_NOTHING, "nobody waits");
	cr_expect_eq(in(HIN_FAILED, HIEV_RECEIPT), HANDOVER_IN_STATES, "a later receipt is refused");
}

/* E1, seen from SM-SR2: HandoverEUICC once more. */
Test(handover_in, asked_again_it_says_whose_the_card_is)
{
	cr_expect_eq(handover_in_repeated(HIN_PREPARED, true), HANDOVER_BEGINS);
	cr_expect_eq(handover_in_repeated(HIN_PREPARED, false), HANDOVER_UNKNOWN);
	cr_expect_eq(handover_in_repeated(HIN_LAPSED, true), HANDOVER_UNKNOWN);
	for (int s = AU; s <= KE; s++) {
		cr_expect_eq(handover_in_repeated((enum handover_in_state)s, true), HANDOVER_WAITS);
		cr_expect_eq(handover_in_repeated((enum handover_in_state)s, false), HANDOVER_DIES);
		cr_expect_eq(in(s, HIEV_ASKED), HIN_FAILED);
	}
	for (int s = AD; s <= FI; s++) {
		cr_expect_eq(handover_in_repeated((enum handover_in_state)s, true), HANDOVER_WAITS);
		cr_expect_eq(handover_in_repeated((enum handover_in_state)s, false), HANDOVER_MANAGED);
	}
	cr_expect_eq(handover_in_repeated(HIN_AUDITING, true), HANDOVER_MANAGED);
	cr_expect_eq(handover_in_repeated(HIN_OWNED, false), HANDOVER_MANAGED);
	cr_expect_eq(handover_in_repeated(HIN_FAILED, true), HANDOVER_DEAD);
}

/* SM-SR1 expires with the receipt answered. Whether SM-SR2 committed or not, the two end with one owner. */
Test(handover, the_doubt_ends_with_one_owner)
{
	for (unsigned committed = 0; committed < 2; committed++) {
		enum handover_in_state sr2 = committed ? in(KE, HIEV_RECEIPT) : HIN_KEYING;
		enum handover_out_state sr1 = out(A, HOEV_DEADLINE);
		enum handover_repeat r = handover_in_repeated(sr2, false);

		cr_assert_eq(r, committed ? HANDOVER_MANAGED : HANDOVER_DIES);
		if (r == HANDOVER_DIES)
			sr2 = in((int)sr2, HIEV_ASKED);
		sr1 = out((int)sr1, r == HANDOVER_MANAGED ? HOEV_MANAGED : HOEV_REFUSED);
		sr1 = out((int)sr1, HOEV_SETTLED);
		cr_expect_eq(sr1 == HOUT_MOVED, handover_in_committed(sr2));
		cr_expect_eq(sr1 == HOUT_KEPT, !handover_in_committed(sr2));
	}
}

Test(handover, the_lowest_key_version_that_is_not_listed_is_free)
{
	struct keyset sets[17] = { { .version = 1 }, { .version = 0x40 }, { .version = 3 }, { .version = 0x41 } };
	struct eis eis = { .isdr = { .keysets = sets, .n_keysets = 4 } };

	cr_expect_eq(handover_free_kvn(&eis, KEYSET_SCP80), 2);
	cr_expect_eq(handover_free_kvn(&eis, KEYSET_SCP81), 0x42);
	eis.isdr.n_keysets = 0;
	cr_expect_eq(handover_free_kvn(&eis, KEYSET_SCP80), 1);
	for (size_t i = 0; i < 16; i++)
		sets[i].version = (int64_t)(0x40 + i);
	eis.isdr.n_keysets = 16;
	cr_expect_eq(handover_free_kvn(&eis, KEYSET_SCP81), 0);
	for (size_t i = 0; i < 15; i++)
		sets[i].version = (int64_t)(1 + i);
	eis.isdr.n_keysets = 15;
	cr_expect_eq(handover_free_kvn(&eis, KEYSET_SCP80), 0);
}
