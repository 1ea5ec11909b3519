/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/procedure.h"

#include <criterion/criterion.h>
#include <string.h>

/* Rows: states; columns: events as in enum procedure_event, fetched to kept; letters: the state it leads to, '-': cannot
 * happen. */
static const char letters[] = "QSTCEdsMU";
#define NEVER "-------------"
static const char *const expected[PROC_KINDS][PROC_STATES] = {
	/*               F A R N C r o L n D X m k */
	[PROC_ENABLE] = { "S-EC-----TE--", /* queued */
			  "-TEC-EESQTE--", /* sent */
			  "---C-EE-TTE--", /* taken */
			  "---CEEECCCE--", /* confirming */
			  NEVER, NEVER, NEVER, NEVER, NEVER },
	[PROC_DISABLE] = { "S-EC-----TE--", "-TEC-EESQTE--", "---C-EE-TTE--", "---CEEECCCE--", NEVER, NEVER, NEVER, NEVER, NEVER },
	[PROC_DELETE] = { "S-EC-----TE--", "-TEC-EESQTE--", "---C-EE-TTE--", "---CdEECCCE--", NEVER,
			  "s-E------EE--", /* delete queued */
			  "-EE----sdEE--", /* delete sent */
			  NEVER, NEVER },
	[PROC_AUTO_DELETE] = { NEVER, NEVER, NEVER, NEVER, NEVER, "s-E------EE--", "-EE----sdEE--", NEVER, NEVER },
	[PROC_AUDIT] = { "SE--------E--", "-EE----Q--E--", NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
	[PROC_CREATE] = { "S--------EE--", "-EE----SQEE--", NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
	/* No script of it goes out twice that may have come to the card. */
	[PROC_SEND] = { "S-E-------E--", "SEE----EQ-E--", NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
	[PROC_SMSR_CHANGE] = { NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, "MMM----MMMUEE", /* moving */
			       "UUU----UUU-EE" /* doubt */ },
	[PROC_HANDOVER_STEP] = { "S-E-------E--", "SEE----EQ-E--", NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER },
};

Test(procedure, tables_are_as_written_out)
{
	for (int k = 0; k < PROC_KINDS; k++)
		for (int s = 0; s < PROC_STATES; s++) {
			cr_assert_eq(strlen(expected[k][s]), PEV_EVENTS);
			for (int e = 0; e < PEV_EVENTS; e++) {
				enum procedure_state next =
					procedure_next((enum procedure_kind)k, (enum procedure_state)s, (enum procedure_event)e);
				char is = next == PROC_STATES ? '-' : letters[next];

				cr_expect_eq(is, expected[k][s][e], "%s: %s, %s: %c, not %c",
					     procedure_kind_name((enum procedure_kind)k),
					     procedure_state_name((enum procedure_state)s),
					     procedure_event_name((enum procedure_event)e), is, expected[k][s][e]);
			}
		}
}

/* Which states a procedure may ever be in. */
static void reach(enum procedure_kind kind, enum procedure_state from, bool seen[PROC_STATES])
{
	if (seen[from])
		return;
	seen[from] = true;
	for (int e = 0; e < PEV_EVENTS; e++) {
		enum procedure_state next = procedure_next(kind, from, (enum procedure_event)e);

		if (next != PROC_STATES)
			reach(kind, next, seen);
	}
}

/* No procedure can last for ever but a change of SM-SR, of which only the other one can tell whether it happened (decisions.md E1); none lives
 * after its end, and each state is used. */
Test(procedure, time_ends_each_state_and_the_end_is_final)
{
	bool used[PROC_STATES] = { false };

	for (int k = 0; k < PROC_KINDS; k++) {
		bool seen[PROC_STATES] = { false };

		reach((enum procedure_kind)k, procedure_first((enum procedure_kind)k, true), seen);
		reach((enum procedure_kind)k, procedure_first((enum procedure_kind)k, false), seen);
		cr_expect(seen[PROC_ENDED]);
		for (int s = 0; s < PROC_STATES; s++) {
			used[s] |= seen[s];
			if (seen[s] && s != PROC_ENDED && k != PROC_SMSR_CHANGE)
				cr_expect_eq(procedure_next((enum procedure_kind)k, (enum procedure_state)s, PEV_EXPIRED),
					     PROC_ENDED);
		}
		for (int e = 0; e < PEV_EVENTS; e++)
			cr_expect_eq(procedure_next((enum procedure_kind)k, PROC_ENDED, (enum procedure_event)e), PROC_STATES);
	}
	for (int s = 0; s < PROC_STATES; s++)
		cr_expect(used[s], "%d is never reached", s);
	cr_expect_eq(procedure_next(PROC_ENABLE, PROC_STATES, PEV_EXPIRED), PROC_STATES);
	cr_expect_eq(procedure_next(PROC_ENABLE, PROC_QUEUED, PEV_EVENTS), PROC_STATES);
	cr_expect_eq(procedure_next(PROC_KINDS, PROC_QUEUED, PEV_EXPIRED), PROC_STATES);
}

Test(procedure, a_delete_disables_first_what_is_enabled)
{
	cr_expect_eq(procedure_first(PROC_DELETE, true), PROC_QUEUED);
	cr_expect_eq(procedure_first(PROC_DELETE, false), PROC_DELETE_QUEUED);
	cr_expect_eq(procedure_first(PROC_ENABLE, false), PROC_QUEUED);
	cr_expect(procedure_switches(PROC_DELETE, PROC_CONFIRMING) && !procedure_switches(PROC_DELETE, PROC_DELETE_QUEUED));
	cr_expect(!procedure_switches(PROC_AUDIT, PROC_QUEUED) && !procedure_switches(PROC_ENABLE, PROC_ENDED));
	cr_expect_eq(procedure_first(PROC_SMSR_CHANGE, false), PROC_MOVING);
	cr_expect(!procedure_switches(PROC_SMSR_CHANGE, PROC_MOVING) && !procedure_untouched(PROC_DOUBT));
	cr_expect(procedure_untouched(PROC_DELETE_QUEUED) && !procedure_untouched(PROC_DELETE_SENT));
}

Test(procedure, all_names_are_told)
{
	for (int k = 0; k < PROC_KINDS; k++)
		cr_expect(strcmp(procedure_kind_name((enum procedure_kind)k), "?"));
	for (int s = 0; s < PROC_STATES; s++)
		cr_expect(strcmp(procedure_state_name((enum procedure_state)s), "?"));
	for (int e = 0; e < PEV_EVENTS; e++)
		cr_expect(strcmp(procedure_event_name((enum procedure_event)e), "?"));
	cr_expect_str_eq(procedure_event_name(PEV_EXPIRED), "expired");
	cr_expect_str_eq(procedure_state_name(PROC_STATES), "?");
}

/* POL2 of both profiles; n: how many of the rules count. */
struct pol2_row {
	struct pol2_rule target[2], enabled[2];
	size_t n_target, n_enabled;
	bool nothing_enabled, allowed;
};

static const struct pol2_row pol2_rows[] = {
	{ .allowed = true },
	{ .nothing_enabled = true, .allowed = true },
	/* The target's own rules. */
	{ .target = { { POL2_PROFILE, POL2_ENABLE, POL2_NOT_ALLOWED } }, .n_target = 1 },
	{ .target = { { POL2_PROFILE, POL2_ENABLE, POL2_NOT_ALLOWED } }, .n_target = 1, .nothing_enabled = true },
	{ .target = { { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED }, { POL2_PROFILE, POL2_ENABLE, POL2_NOT_ALLOWED } },
	  .n_target = 2 },
	{ .target = { { POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED }, { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED } },
	  .n_target = 2,
	  .allowed = true },
	{ .target = { { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE } }, .n_target = 1, .allowed = true },
	/* Those of the profile that it would disable. */
	{ .enabled = { { POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED } }, .n_enabled = 1 },
	{ .enabled = { { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE }, { POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED } },
	  .n_enabled = 2 },
	{ .enabled = { { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE } }, .n_enabled = 1, .allowed = true },
	{ .enabled = { { POL2_PROFILE, POL2_ENABLE, POL2_NOT_ALLOWED }, { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED } },
	  .n_enabled = 2,
	  .allowed = true },
	/* Both forbid. */
	{ .target = { { POL2_PROFILE, POL2_ENABLE, POL2_NOT_ALLOWED } },
	  .enabled = { { POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED } },
	  .n_target = 1,
	  .n_enabled = 1 },
};

Test(pol2, decides_who_may_be_enabled_over_whom)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(pol2_rows); i++) {
		struct pol2_row row = pol2_rows[i];
		struct profile_info target = { .pol2 = { row.target, row.n_target } },
				    enabled = { .pol2 = { row.enabled, row.n_enabled } };
		result r;

		cr_assert(iccid_parse("8949000000000000017", &target.iccid));
		cr_assert(iccid_parse("8949000000000000025", &enabled.iccid));
		r = pol2_allow_enable(a, &target, row.nothing_enabled ? NULL : &enabled);
		cr_expect_eq(r == OK, row.allowed, "row %zu", i);
		if (r == OK)
			continue;
		cr_expect_eq(r->code, CODE_POL2_REFUSES);
		cr_expect_str_eq(r->subject_id, target.iccid.text);
		/* Whose it is that may not be disabled is no business of the caller. */
		cr_expect(!strstr(r->message, enabled.iccid.text), "row %zu", i);
	}
}

Test(pol2, has_compares_action_and_qualification)
{
	struct pol2_rule rules[] = { { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE },
				     { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED } };
	const struct pol2 some = { rules, LEN(rules) }, none = { NULL, 0 };

	cr_expect(pol2_has(&some, POL2_DISABLE, POL2_AUTO_DELETE));
	cr_expect(pol2_has(&some, POL2_DELETE, POL2_NOT_ALLOWED));
	cr_expect(!pol2_has(&some, POL2_DISABLE, POL2_NOT_ALLOWED));
	cr_expect(!pol2_has(&some, POL2_DELETE, POL2_AUTO_DELETE));
	cr_expect(!pol2_has(&none, POL2_DISABLE, POL2_AUTO_DELETE));
}

Test(pol2, says_what_may_be_disabled_and_deleted)
{
	static const struct pol2_rule no_disable = { POL2_PROFILE, POL2_DISABLE, POL2_NOT_ALLOWED };
	static const struct pol2_rule no_delete = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	static const struct pol2_rule deletes = { POL2_PROFILE, POL2_DISABLE, POL2_AUTO_DELETE };
	static const struct {
		struct pol2_rule rule;
		bool disable, delete_enabled, delete_disabled, auto_delete;
	} rows[] = { { no_disable, false, false, true, false },
		     { no_delete, true, false, false, false },
		     { deletes, true, true, true, true } };
	CLEANUP(arena_freep) struct arena *a = arena_new();

	for (size_t i = 0; i < LEN(rows); i++) {
		struct pol2_rule rule = rows[i].rule;
		struct profile_info p = { .pol2 = { &rule, 1 }, .state = PROFILE_ENABLED };
		result r = pol2_allow_disable(a, &p);

		cr_expect_eq(r == OK, rows[i].disable);
		cr_expect(r == OK || r->code == CODE_POL2_REFUSES);
		cr_expect_eq(pol2_allow_delete(a, &p) == OK, rows[i].delete_enabled);
		p.state = PROFILE_DISABLED;
		cr_expect_eq(pol2_allow_delete(a, &p) == OK, rows[i].delete_disabled);
		cr_expect_eq(pol2_deletes(&p), rows[i].auto_delete);
		p.fallback = true; /* R3 means nothing for its holder */
		cr_expect_not(pol2_deletes(&p));
	}
}
