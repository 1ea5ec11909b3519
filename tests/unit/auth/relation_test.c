/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "common/auth/relation.h"

#define OWNER "1.3.6.1.4.1.99999.5"
#define OTHER "1.3.6.1.4.1.99999.6"
#define SMDP "1.3.6.1.4.1.99999.4"
#define EUM "1.3.6.1.4.1.99999.1"

static struct oid oid(const char *text)
{
	struct oid o;

	cr_assert(oid_parse(text, &o));
	return o;
}

static struct entity entity(const char *text, unsigned roles)
{
	return (struct entity){ .oid = oid(text), .name = "x", .roles = roles };
}

/* A card with one profile of OWNER, made by SMDP. */
struct card {
	struct profile_info profile;
	struct oid smdp;
	struct relation_facts facts;
};

static void card_make(struct card *c)
{
	memset(c, 0, sizeof(*c));
	c->smdp = oid(SMDP);
	cr_assert(iccid_complete("893301000000000001", &c->profile.iccid));
	c->profile.mno = oid(OWNER);
	c->profile.smdp = &c->smdp;
	c->profile.state = PROFILE_DISABLED;
	c->facts = (struct relation_facts){
		.eid_named = true, .eid_known = true, .eum = oid(EUM), .profiles = &c->profile, .n_profiles = 1, .iccid = &c->profile.iccid
	};
	cr_assert(eid_parse("89001012012341234012345678901224", &c->facts.eid));
}

static void expect(enum function_id id, const struct entity *caller, const struct card *c, int code)
{
	struct arena *a = arena_new();
	result r = relation_check(a, function_by_id(id), caller, &c->facts);

	if (code < 0)
		cr_assert(r == OK, "%s refused", function_by_id(id)->wire);
	else
		cr_assert(r != OK && (int)r->code == code, "%s: %s", function_by_id(id)->wire, r ? status_code(r->code)->name : "OK");
	arena_free(a);
}

Test(relation, an_unknown_eid_is_said_before_anything_about_the_caller)
{
	struct entity stranger = entity(OTHER, ROLE_OPERATOR);
	struct card c;

	card_make(&c);
	c.facts.eid_known = false;
	expect(FN_ES4_GetEIS, &stranger, &c, CODE_EID_UNKNOWN);
	expect(FN_ES4_EnableProfile, &stranger, &c, CODE_EID_UNKNOWN);
}

Test(relation, get_eis_needs_a_profile_of_the_caller_that_is_not_in_creation)
{
	struct entity owner = entity(OWNER, ROLE_OPERATOR), stranger = entity(OTHER, ROLE_OPERATOR);
	struct card c;

	card_make(&c);
	expect(FN_ES4_GetEIS, &owner, &c, -1);
	expect(FN_ES4_GetEIS, &stranger, &c, CODE_EUICC_NOT_ALLOWED);
	c.profile.state = PROFILE_IN_CREATION;
	expect(FN_ES4_GetEIS, &owner, &c, CODE_EUICC_NOT_ALLOWED);
}

Test(relation, a_profile_is_commanded_by_its_owner_only)
{
	struct entity owner = entity(OWNER, ROLE_OPERATOR), stranger = entity(OTHER, ROLE_OPERATOR);
	struct iccid unknown;
	struct card c;

	card_make(&c);
	expect(FN_ES4_EnableProfile, &owner, &c, -1);
	expect(FN_ES4_EnableProfile, &stranger, &c, CODE_PROFILE_NOT_ALLOWED);
	cr_assert(iccid_complete("893301000000000002", &unknown));
	c.facts.iccid = &unknown;
	expect(FN_ES4_EnableProfile, &owner, &c, CODE_ICCID_UNKNOWN);
}

Test(relation, an_sm_dp_reaches_what_it_made_and_what_its_customers_own)
{
	struct oid customer = oid(OWNER);
	struct entity maker = entity(SMDP, ROLE_SM_DP), relay = entity("1.2.3.9", ROLE_SM_DP), stranger = entity("1.2.3.8", ROLE_SM_DP);
	struct card c;

	card_make(&c);
	relay.customers = &customer;
	relay.n_customers = 1;
	expect(FN_ES3_EnableProfile, &maker, &c, -1);
	expect(FN_ES3_EnableProfile, &relay, &c, -1);
	expect(FN_ES3_EnableProfile, &stranger, &c, CODE_PROFILE_NOT_ALLOWED);
}

Test(relation, what_is_in_creation_only_its_sm_dp_reaches_and_only_to_delete_it)
{
	struct oid customer = oid(OWNER);
	struct entity maker = entity(SMDP, ROLE_SM_DP), relay = entity("1.2.3.9", ROLE_SM_DP), owner = entity(OWNER, ROLE_OPERATOR);
	struct card c;

	card_make(&c);
	relay.customers = &customer;
	relay.n_customers = 1;
	c.profile.state = PROFILE_IN_CREATION;
	expect(FN_ES3_DeleteISDP, &maker, &c, -1);
	expect(FN_ES3_EnableProfile, &maker, &c, CODE_ICCID_UNKNOWN);
	expect(FN_ES3_DeleteISDP, &relay, &c, CODE_ICCID_UNKNOWN);
	expect(FN_ES4_DeleteProfile, &owner, &c, CODE_ICCID_UNKNOWN);
}

Test(relation, an_sm_dp_audits_where_it_made_a_profile_or_a_customer_owns_one)
{
	struct oid customer = oid(OWNER);
	struct entity maker = entity(SMDP, ROLE_SM_DP), relay = entity("1.2.3.9", ROLE_SM_DP), stranger = entity("1.2.3.8", ROLE_SM_DP);
	struct card c;

	card_make(&c);
	c.facts.iccid = NULL;
	relay.customers = &customer;
	relay.n_customers = 1;
	expect(FN_ES3_AuditEIS, &maker, &c, -1);
	expect(FN_ES3_AuditEIS, &relay, &c, -1);
	expect(FN_ES3_AuditEIS, &stranger, &c, CODE_EUICC_NOT_ALLOWED);
	expect(FN_ES3_GetEIS, &stranger, &c, -1);
	/* On ES4 nobody is asked whose customers they are. */
	relay.roles |= ROLE_OPERATOR;
	expect(FN_ES4_GetEIS, &relay, &c, CODE_EUICC_NOT_ALLOWED);
	c.profile.state = PROFILE_IN_CREATION;
	expect(FN_ES3_AuditEIS, &maker, &c, CODE_EUICC_NOT_ALLOWED);
}

/* ISD-Ps are numbered: who tries them all must not learn whose profiles are on the card (D2). */
Test(relation, an_isd_p_is_its_makers_and_nobody_else_learns_its_iccid)
{
	struct entity maker = entity(SMDP, ROLE_SM_DP), stranger = entity("1.2.3.8", ROLE_SM_DP);
	struct aid isdp = aid_isdp(0x10), other = aid_isdp(0x11);
	struct arena *a = arena_new();
	struct card c;
	result r;

	card_make(&c);
	c.profile.isdp_aid = isdp;
	c.facts.iccid = NULL;
	c.facts.isdp = &isdp;
	expect(FN_ES3_SendData, &maker, &c, -1);
	r = relation_check(a, function_by_id(FN_ES3_SendData), &stranger, &c.facts);
	cr_assert(r != OK && r->code == CODE_ISDP_NOT_ALLOWED);
	cr_assert_str_eq(r->subject_id, c.facts.eid.text);
	cr_assert_null(strstr(r->message, c.profile.iccid.text));
	c.facts.isdp = &other;
	expect(FN_ES3_SendData, &maker, &c, CODE_ISDP_UNKNOWN);
	arena_free(a);
}

Test(relation, additional_properties_are_of_the_eum_that_registered)
{
	struct entity eum = entity(EUM, ROLE_EUM), other = entity("1.2.3.7", ROLE_EUM);
	struct card c;

	card_make(&c);
	expect(FN_ES1_UpdateEISAdditionalProperties, &eum, &c, -1);
	expect(FN_ES1_UpdateEISAdditionalProperties, &other, &c, CODE_REQUESTER_NOT_ALLOWED);
}

Test(relation, what_has_no_table_yet_is_nobodys)
{
	struct entity owner = entity(OWNER, ROLE_OPERATOR);
	struct card c;

	card_make(&c);
	c.facts.eid_named = false;
	expect(FN_ES4A_SetPLMA, &owner, &c, CODE_REQUESTER_NOT_ALLOWED);
}

/* Who is not the partner learns nothing: an EID of another change and one that nobody announced are the same to it. */
Test(relation, an_sm_sr_reaches_the_cards_of_its_own_changes)
{
	static const enum function_id ids[] = { FN_ES7_HandoverEUICC, FN_ES7_AuthenticateSMSR, FN_ES7_CreateAdditionalKeySet };
	struct entity partner = entity("1.2.3.7", ROLE_SM_SR);
	struct card c;

	card_make(&c);
	c.facts.eid_named = false; /* it need not be managed here */
	for (size_t i = 0; i < LEN(ids); i++) {
		c.facts.handover = HANDOVER_PARTNERS;
		expect(ids[i], &partner, &c, -1);
		c.facts.handover = HANDOVER_NONE;
		expect(ids[i], &partner, &c, CODE_EID_UNKNOWN);
	}
}

/* D1 at an SM-DP: its stock, or what a fresh EIS says. */
Test(relation, the_stock_or_a_fresh_eis)
{
	struct entity owner = entity(OWNER, ROLE_OPERATOR), stranger = entity("1.2.3.4.5", ROLE_OPERATOR);
	struct card c;

	card_make(&c);
	expect(FN_ES2_EnableProfile, &owner, &c, -1);
	expect(FN_ES2_EnableProfile, &stranger, &c, CODE_PROFILE_NOT_ALLOWED);
	c.facts.stock = STOCK_CALLERS;
	expect(FN_ES2_EnableProfile, &stranger, &c, -1);
	c.facts.stock = STOCK_ASK; /* the relay checks again when it knows more */
	expect(FN_ES2_EnableProfile, &stranger, &c, -1);
	c.facts.stock = STOCK_UNKNOWN;
	c.facts.iccid = NULL;
	expect(FN_ES2_AuditEIS, &owner, &c, -1);
	expect(FN_ES2_AuditEIS, &stranger, &c, CODE_EUICC_NOT_ALLOWED);
}

Test(dialect, known_switches_are_read_and_others_named)
{
	struct arena *a = arena_new();
	const char *bad = NULL;
	struct dialect d;

	cr_assert(dialect_parse(a, "fci=weak unqualified=yes namespace=http://x/4", &d, &bad));
	cr_assert(d.fci_weak && d.unqualified);
	cr_assert_str_eq(d.namespace_uri, "http://x/4");
	cr_assert(dialect_parse(a, "", &d, &bad));
	cr_assert(!d.fci_weak && !d.namespace_uri && !d.s_callback && d.no_reply_to == NO_REPLY_TO_PARK);
	cr_assert(dialect_parse(a, "no_reply_to=address s_callback=yes", &d, &bad));
	cr_assert(d.s_callback && d.no_reply_to == NO_REPLY_TO_ADDRESS);
	cr_assert(!d.es7_eid);
	cr_assert(dialect_parse(a, "es7=eid", &d, &bad));
	cr_assert(d.es7_eid);
	cr_assert(!dialect_parse(a, "es7=eis", &d, &bad), "that is what is sent without a word");
	cr_assert(dialect_parse(a, "no_reply_to=refuse", &d, &bad));
	cr_assert(!d.s_callback && d.no_reply_to == NO_REPLY_TO_REFUSE);
	cr_assert(!dialect_parse(a, "no_reply_to=park", &d, &bad));
	cr_assert_str_eq(bad, "no_reply_to=park");
	cr_assert(!dialect_parse(a, "s_callback", &d, &bad));
	cr_assert_str_eq(bad, "s_callback");
	cr_assert(!dialect_parse(a, "fci=weak colour=blue", &d, &bad));
	cr_assert_str_eq(bad, "colour=blue");
	arena_free(a);
}
