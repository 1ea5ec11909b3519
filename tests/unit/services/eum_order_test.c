/* SPDX-License-Identifier: Apache-2.0 */
/* An order is checked before numbers are given out; every fault names its element. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/eum_fixture.h"

static result check(struct fixture *f, struct eum_batch *batch, struct eum_range **ranges, size_t *n)
{
	return eum_order_check(f->a, &f->order, &f->facts, batch, ranges, n);
}

/* The order as it stands is refused and its element named. */
static void refused(struct fixture *f, const char *element, const char *part)
{
	struct eum_batch batch;
	struct eum_range *ranges;
	size_t n;
	result r = check(f, &batch, &ranges, &n);

	cr_assert_neq(r, OK, "%s: taken", element);
	cr_assert(r->code == CODE_PARAM_INVALID || r->code == CODE_PARAM_MISSING);
	cr_assert_str_eq(r->subject_id, element, "%s instead of %s: %s", r->subject_id, element, r->message);
	cr_assert_not_null(strstr(r->message, part), "%s: %s", element, r->message);
}

/* Sets a field, expects the refusal, sets it back. */
#define REFUSED(field, value, element, part)      \
	do {                                      \
		__typeof__(field) was_ = (field); \
		(field) = (value);                \
		refused(&f, (element), (part));   \
		(field) = was_;                   \
	} while (0)

Test(eum_order, each_fault_names_its_element)
{
	struct fixture f = fixture_make();
	struct eum_profile_order *p = f.order.profiles;

	REFUSED(f.order.name, "", "Name", "1 to 64");
	REFUSED(f.order.quantity, 0, "Quantity", "100000");
	REFUSED(f.order.quantity, 100001, "Quantity", "100000");
	REFUSED(f.order.eid_prefix, "89049032000500881", "EidPrefix", "18 digits");
	REFUSED(f.order.eid_prefix, "89049032000500881A", "EidPrefix", "digits");
	REFUSED(f.order.eid_prefix, "790490320005008812", "EidPrefix", "89");
	REFUSED(f.order.n_profiles, 0, "Profile", "1 to 8");
	REFUSED(p[0].iccid_prefix, "8x", "IccidPrefix", "digits");
	REFUSED(p[0].iccid_prefix, "123", "IccidPrefix", "89");
	REFUSED(p[0].iccid_prefix, "890000000000000000", "IccidPrefix", "too long");
	REFUSED(p[1].imsi_prefix, "001", "ImsiPrefix", "too short");
	REFUSED(p[1].msisdn_prefix, "123456789012345", "MsisdnPrefix", "too long");
	REFUSED(p[0].enabled, false, "Enabled", "exactly one");
	REFUSED(p[1].enabled, true, "Enabled", "exactly one");
	REFUSED(p[0].memory, 0, "Memory", "needs some");
	REFUSED(p[0].memory, 327680, "Memory", "more than the card");
	REFUSED(p[0].memory, INT64_MAX, "Memory", "too large");
	REFUSED(f.facts.name_used, true, "Name", "name already used");
	REFUSED(f.facts.smsr_known, false, "Smsr-id", "know");
	REFUSED(f.facts.smsr_reachable, false, "Smsr-id", "address");
	REFUSED(f.facts.transport_key, false, "Smsr-id", "transport key");
	fixture_drop(&f);
}

Test(eum_order, numbers_are_taken_once)
{
	struct fixture f = fixture_make();
	struct eum_range known[] = { { NUMBER_EID, "890490320005008812", 101 },
				     { NUMBER_ICCID, "893301", 7 },
				     { NUMBER_IMSI, "893301", 9 } };
	struct eum_batch batch;
	struct eum_range *ranges;
	size_t n;

	f.facts.known = known;
	f.facts.n_known = 3;
	f.order.profiles[1].iccid_prefix = "893301"; /* both count through one range */
	f.order.profiles[1].imsi_prefix = "";
	cr_assert_eq(check(&f, &batch, &ranges, &n), OK);
	cr_assert_eq(n, 5);
	cr_assert_eq(batch.eid_first, 101);
	cr_assert_eq(batch.profiles[0].iccid_first, 7);
	cr_assert_eq(batch.profiles[1].iccid_first, 10);
	cr_assert_eq(batch.profiles[0].imsi_first, 1);
	cr_assert_null(batch.profiles[1].order.imsi_prefix);
	cr_assert_eq(ranges[0].kind, NUMBER_EID);
	cr_assert_eq(ranges[0].first, 104);
	cr_assert_eq(ranges[1].kind, NUMBER_ICCID);
	cr_assert_eq(ranges[1].first, 13);
	fixture_drop(&f);
}

Test(eum_order, prefixes_must_have_room_and_not_overlap)
{
	struct fixture f = fixture_make();
	struct eum_range nearly = { NUMBER_ICCID, "893301", 999999999998 }, shorter = { NUMBER_ICCID, "8933", 1 };
	struct eum_range other_kind = { NUMBER_MSISDN, "8933", 1 };
	struct eum_batch batch;
	struct eum_range *ranges;
	size_t n;

	f.facts.n_known = 1;
	f.facts.known = &nearly; /* two are left */
	refused(&f, "IccidPrefix", "no room");
	f.order.quantity = 2;
	cr_assert_eq(check(&f, &batch, &ranges, &n), OK);
	f.facts.known = &shorter;
	refused(&f, "IccidPrefix", "overlaps");
	f.facts.known = &other_kind;
	cr_assert_eq(check(&f, &batch, &ranges, &n), OK);
	f.order.profiles[1].iccid_prefix = "8933014"; /* within the order itself */
	refused(&f, "IccidPrefix", "overlaps");
	fixture_drop(&f);
}
