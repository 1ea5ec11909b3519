/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/procedure.h"

#include <criterion/criterion.h>
#include <string.h>

/* Rows: states; columns: events as in enum procedure_event, fetched to expired; letters: the state it leads to, '-': cannot
 * happen. */
static const char letters[] = "QSTCE";
static const char *const expected[PROC_KINDS][PROC_STATES] = {
	/*               F A R N C r o L n D X */
	[PROC_ENABLE] = { "S-EC-----TE", /* queued */
			  "-TEC-EESQTE", /* sent */
			  "---C-EE-TTE", /* taken */
			  "---CEEECCCE", /* confirming */
			  "-----------" /* ended */ },
	[PROC_AUDIT] = { "SE--------E", "-EE----Q--E", "-----------", "-----------", "-----------" },
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

/* No procedure can last for ever, none lives after its end, and each state of the enable is used. */
Test(procedure, time_ends_each_state_and_the_end_is_final)
{
	for (int k = 0; k < PROC_KINDS; k++) {
		bool seen[PROC_STATES] = { false };

		reach((enum procedure_kind)k, PROC_QUEUED, seen);
		cr_expect(seen[PROC_ENDED]);
		for (int s = 0; s < PROC_ENDED; s++) {
			cr_expect(seen[s] || k != PROC_ENABLE, "%d is never reached", s);
			if (seen[s])
				cr_expect_eq(procedure_next((enum procedure_kind)k, (enum procedure_state)s, PEV_EXPIRED),
					     PROC_ENDED);
		}
		for (int e = 0; e < PEV_EVENTS; e++)
			cr_expect_eq(procedure_next((enum procedure_kind)k, PROC_ENDED, (enum procedure_event)e), PROC_STATES);
	}
	cr_expect_eq(procedure_next(PROC_ENABLE, PROC_STATES, PEV_EXPIRED), PROC_STATES);
	cr_expect_eq(procedure_next(PROC_ENABLE, PROC_QUEUED, PEV_EVENTS), PROC_STATES);
	cr_expect_eq(procedure_next(PROC_KINDS, PROC_QUEUED, PEV_EXPIRED), PROC_STATES);
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
