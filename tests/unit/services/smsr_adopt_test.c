/* SPDX-License-Identifier: Apache-2.0 */
/* A signed EIS goes from one SM-SR's database to another's and back: nothing of it changes, and no key is in it (procedures.md 3.20, decisions.md
 * D2, D3, E2). */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/crypto/keys.h"
#include "common/rpc/json_out.h"
#include "services/sm-sr/isdr_keys.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/services/smsr_fixture.h"

#define ONE "1.3.6.1.4.1.99999.2" /* to whom the EUM delivers */
#define TWO "1.2.77"
#define GOING "00000000-0000-4000-8000-000000000001"
#define BACK "00000000-0000-4000-8000-000000000002"
#define OTHER_CHANGE "00000000-0000-4000-8000-000000000003"
#define SAYS(text, what) cr_expect(strstr((text), (what)), "%s: %s", (what), (text))
#define SAYS_NOT(text, what) cr_expect(!strstr((text), (what)), "%s: %s", (what), (text))

enum { KVN = 2, PROFILES = 3 };

static struct fixture f;
static struct eum_card card;
static struct stage *one, *two;

static enum code code_of(result r)
{
	cr_assert_neq(r, OK);
	cr_assert_eq(r->status, STATUS_FAILED, "%s", r->cause ? r->cause : "");
	return r->code;
}

/* The third profile is the first operator's, too. */
static void card_make(void)
{
	struct eum_profile_order *p = arena_array(f.a, PROFILES, sizeof(*p));
	struct eum_range *ranges;
	struct eum_batch batch;
	const char *why = "";
	size_t n;

	p[0] = f.order.profiles[0];
	p[1] = f.order.profiles[1];
	p[2] = f.order.profiles[1];
	p[2].mno = p[0].mno;
	p[2].iccid_prefix = "894903";
	p[2].imsi_prefix = "00103";
	p[2].msisdn_prefix = "88277";
	f.order.profiles = p;
	f.order.n_profiles = PROFILES;
	cr_assert_eq(eum_order_check(f.a, &f.order, &f.facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	cr_assert(eum_card_make(f.a, &f.issuer, &f.transport, &batch, 0, clock_wall_us(), &card, &why), "%s", why);
}

static struct stage *sm_sr_make(const char *self, struct transport_key *transport)
{
	struct stage *s = stage_make();

	*transport = (struct transport_key){ f.issuer.oid, f.transport };
	s->rpc.self = oid_of(self);
	s->smsr.ci_pem = f.ci_pem;
	s->smsr.transports = (struct transport_keys){ transport, 1 };
	s->smsr.kek = secret_new(KEK_LEN);
	random_bytes(s->smsr.kek.data, KEK_LEN);
	s->config.check_ecasd = true;
	s->config.cards_host = "127.0.0.1";
	s->operator[BASE].oid = f.order.profiles[0].mno;
	s->operator[OTHER].oid = f.order.profiles[1].mno;
	return s;
}

/* Its operators are known; the fixture's own card stays aside. */
static void sm_sr_begin(struct stage *s, const char *other)
{
	cr_assert(eid_complete("890490320005008812999999999901", &s->eid));
	cr_assert(iccid_complete("893399000000000001", &s->iccid[BASE]) && iccid_complete("894999000000000001", &s->iccid[OTHER]));
	stage_reset(s);
	s->eid = card.eid;
	add_sm_sr(s, other);
	for (size_t i = 0; i < PROFILES; i++)
		s->iccid[i] = card.eis.profiles[i].iccid;
}

static void sm_sr_drop(struct stage *s)
{
	secret_free(&s->smsr.kek);
	stage_drop(s);
}

/* The EUM registers it with the first one, and things happen there. */
static void registered(void)
{
	struct pol2_rule rule = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	struct es1_register_eis_rq *in = ARENA_NEW(one->a, struct es1_register_eis_rq);
	struct entity *eum = ARENA_NEW(one->a, struct entity);
	const struct pol2 rules = { &rule, 1 };
	result r;

	eum->oid = f.issuer.oid;
	eum->roles = ROLE_EUM;
	in->eis = card.eis;
	r = ask(one, eum, FN_ES1_RegisterEIS, &es1_register_eis_load, es1_register_eis, in, NULL);
	cr_assert_eq(r, OK, "%s %s", r ? status_code(r->code)->name : "", r && r->cause ? r->cause : "");
	set_pol2(one, OTHER, pol2_to_bytes(one->a, &rules));
	set_msisdn(one, OTHER, "49170000001");
	made_by_smdp(one, OTHER, PROFILE_DISABLED);
	made_by_smdp(one, THIRD, PROFILE_CREATED);
	DB_QUEUE(one->db, T_TRAIL, p_text(one->eid.text), p_text(one->iccid[OTHER].text));
	cr_assert_eq(db_sync(one->db, one->a, NULL, 0, NULL), OK);
}

/* It leaves s, under a change of its own. */
static const char *exported(struct stage *s, const char *target)
{
	const char *text;
	json_t *out;

	cr_assert_eq(ask_smsr_change(s, BASE, target), OK);
	cr_assert_eq(ask_sm_sr(s, "export", running_id(s), "", &out), OK);
	text = arena_strdup(f.a, json_string_value(json_object_get(out, "eis")));
	json_decref(out);
	return text;
}

struct ks2 {
	int kvn;
	unsigned n;
	bool damaged, misplaced, twice;
};
static const struct ks2 good = { .kvn = KVN, .n = 3 };

/* KS2 as the sm-sr-handover of the domain wrapped it. */
static const char *keys_json(struct stage *s, const struct ks2 *k)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	buf_char(&out, '[');
	for (unsigned i = 0; i < k->n; i++) {
		const char *aad = arena_printf(s->a, "%s|%d|%u", s->eid.text, k->kvn, k->misplaced ? 9 : k->twice ? 1 : i + 1);
		uint8_t key[16], kcv[KCV_LEN];
		struct bytes wrapped;

		random_bytes(key, sizeof(key));
		cr_assert(key_kcv(KEY_TYPE_AES, key, sizeof(key), kcv));
		kcv[0] ^= k->damaged;
		kek_wrap(&s->smsr.kek, aad, key, sizeof(key), s->a, &wrapped);
		buf_printf(&out, "%s{\"index\":%u,\"type\":\"88\",\"kcv\":\"%s\",\"wrapped\":\"%s\"}", i ? "," : "",
			   k->twice ? 1 : i + 1, hex_text(s->a, kcv, sizeof(kcv)), hex_text(s->a, wrapped.data, wrapped.len));
	}
	buf_char(&out, ']');
	return arena_strdup(s->a, out.data);
}

static result adopt(struct stage *s, const char *handover, const char *former, const char *eis, const struct ks2 *k, json_t **out)
{
	CLEANUP(buf_free) struct buf in = { 0 };

	buf_printf(&in, ",\"kvn\":%d,\"counter\":5,\"keys\":%s", k->kvn, keys_json(s, k));
	json_out_member(&in, "former", former);
	json_out_member(&in, "operator", s->operator[BASE].oid.text);
	json_out_member(&in, "context_id", "ctx-1");
	json_out_member(&in, "eis", eis);
	return ask_sm_sr(s, "adopt", handover, in.data, out);
}

static bool adopted_https(struct stage *s, const char *handover, const char *former, const char *eis)
{
	json_t *out;
	bool https;
	result r = adopt(s, handover, former, eis, &good, &out);

	cr_assert_eq(r, OK, "%s %s", r && r->message ? r->message : "", r && r->cause ? r->cause : "");
	cr_assert(json_is_boolean(json_object_get(out, "https")));
	https = json_is_true(json_object_get(out, "https"));
	json_decref(out);
	return https;
}

/* As text, without what has to change: whose it is, and the key sets that SM-SRs agreed on with the card. */
static const char *lasting(const char *text)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct eis eis;
	size_t kept = 0;

	cr_assert_eq(eis_text_read(f.a, (struct bytes){ (const uint8_t *)text, strlen(text) }, &eis), OK);
	eis.smsr = oid_of("1.2");
	for (size_t i = 0; i < eis.isdr.n_keysets; i++)
		if (eis.isdr.keysets[i].version == EUM_SCP80_VERSION || eis.isdr.keysets[i].version == EUM_SCP81_VERSION)
			eis.isdr.keysets[kept++] = eis.isdr.keysets[i];
	cr_assert_eq(kept, 2);
	eis.isdr.n_keysets = kept;
	eis_text_write(f.a, &out, &eis);
	return arena_strdup(f.a, out.data);
}

static bool key_is_here(struct stage *s, int64_t version, int64_t index)
{
	const struct rows *row;
	struct secret key = { 0 };
	bool opens;

	DB_QUEUE(s->db, T_KEY, p_text(s->eid.text), p_int(s->a, version), p_int(s->a, index));
	cr_assert_eq(db_sync(s->db, s->a, &row, 1, NULL), OK);
	if (rows_count(row) == 0)
		return false;
	opens = isdr_key_open(&s->smsr, &s->eid, version, index, row_bytes(row, 0, 0), &key);
	secret_free(&key);
	return opens;
}

static void there_and_back_again_it_is_the_same(void)
{
	const char *gone, *returned, *first;
	struct smsr_look l;

	sm_sr_begin(one, TWO);
	sm_sr_begin(two, ONE);
	registered();
	gone = exported(one, TWO);
	SAYS_NOT(gone, "KeyComponents");
	SAYS_NOT(gone, "kcv");
	SAYS(gone, "1.2.33</rps:Smsr-id>"); /* who had it long ago */
	cr_expect(adopted_https(two, GOING, ONE, gone));
	cr_expect(adopted_https(two, GOING, ONE, gone), "again: the same answer");
	two->config.cards_host = "";
	cr_expect(!adopted_https(two, GOING, ONE, gone), "it cannot be told where to");
	two->config.cards_host = "cards.example";
	cr_expect(!adopted_https(two, GOING, ONE, gone), "cards resolve no names");
	two->config.cards_host = "127.0.0.1";
	l = smsr_look(two);
	SAYS(l.events, "eis.adopted {");
	SAYS(l.events, "\"former\":\"" ONE "\"");
	cr_expect_eq(strstr(strstr(l.events, "eis.adopted") + 1, "eis.adopted"), NULL);
	cr_expect(key_is_here(two, KVN, 1) && key_is_here(two, KVN, 2) && key_is_here(two, KVN, 3));
	cr_expect_not(key_is_here(two, 1, 1));
	cr_expect_not(look(two).uncertain);
	cr_expect_eq(code_of(adopt(two, OTHER_CHANGE, ONE, gone, &good, NULL)), CODE_EUICC_MANAGED);
	/* It is gone from the first one. */
	first = running_id(one);
	cr_assert_eq(ask_sm_sr(one, "drop", first, ",\"moved_to\":\"" TWO "\",\"status\":\"success\"", NULL), OK);
	cr_expect_eq(smsr_look(one).rows, 0);
	cr_expect_str_eq(smsr_look(one).moved_to, TWO);
	/* What it has now is what it had. */
	returned = exported(two, ONE);
	SAYS(returned, "<rps:Smsr-id>" TWO "</rps:Smsr-id>");
	cr_expect_str_eq(lasting(returned), lasting(gone));
	SAYS(returned, ">2</rps:Version><rps:Type>SCP80</rps:Type><rps:Cntr>5<");
	SAYS(lasting(gone), "Example"); /* of the octets that the EUM signed */
	cr_assert_eq(ask_sm_sr(two, "drop", running_id(two), ",\"moved_to\":\"" ONE "\",\"status\":\"success\"", NULL), OK);
	cr_expect(adopt(one, BACK, TWO, returned, &(const struct ks2){ .kvn = 3, .n = 3 }, NULL) == OK);
	cr_expect_str_eq(smsr_look(one).moved_to, "");
	/* What slept meanwhile, or a database of yesterday, does not make two of one. */
	cr_expect_eq(code_of(adopt(two, GOING, ONE, gone, &good, NULL)), CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(smsr_look(two).rows, 0);
	cr_expect_str_eq(smsr_look(two).moved_to, ONE);
	cr_expect_str_eq(lasting(exported(one, TWO)), lasting(gone));
	/* Words of long ago do not drop it. */
	cr_expect_eq(ask_sm_sr(one, "drop", first, ",\"moved_to\":\"" TWO "\",\"status\":\"success\"", NULL), OK);
	cr_expect_eq(code_of(ask_sm_sr(one, "drop", GOING, ",\"moved_to\":\"" TWO "\",\"status\":\"success\"", NULL)),
		     CODE_SMSR_CHANGE_ENDED);
	cr_expect_eq(look(one).profiles, PROFILES);
}

static void what_cannot_be_taken_changes_nothing(void)
{
	static const struct {
		struct ks2 keys;
		enum code code;
	} bad[] = {
		{ { .kvn = KVN, .n = 0 }, CODE_PARAM_INVALID },
		{ { .kvn = KVN, .n = 1 }, CODE_PARAM_INVALID }, /* no SMS can be authenticated */
		{ { .kvn = KVN, .n = 4 }, CODE_PARAM_INVALID },
		{ { .kvn = KVN, .n = 2, .twice = true }, CODE_PARAM_INVALID },
		{ { .kvn = KVN, .n = 3, .damaged = true }, CODE_ISDR_KEY_INVALID },
		{ { .kvn = KVN, .n = 3, .misplaced = true }, CODE_ISDR_KEY_INVALID },
		{ { .kvn = 1, .n = 3 }, CODE_PARAM_INVALID }, /* the card has such a set */
		{ { .kvn = 16, .n = 3 }, CODE_PARAM_INVALID },
	};
	const char *gone;

	sm_sr_begin(one, TWO);
	sm_sr_begin(two, ONE);
	registered();
	gone = exported(one, TWO);
	for (size_t i = 0; i < LEN(bad); i++)
		cr_expect_eq(code_of(adopt(two, GOING, ONE, gone, &bad[i].keys, NULL)), bad[i].code, "%zu", i);
	cr_expect_eq(code_of(adopt(two, GOING, "?", gone, &good, NULL)), CODE_PARAM_INVALID);
	cr_expect_eq(code_of(adopt(two, GOING, ONE, "<Eis>", &good, NULL)), CODE_PARAM_INVALID);
	cr_expect_eq(code_of(adopt(two, GOING, ONE, "<x/>", &good, NULL)), CODE_PARAM_INVALID);
	cr_assert(eid_complete("890490320005008812000000000333", &two->eid));
	cr_expect_eq(code_of(adopt(two, GOING, ONE, gone, &good, NULL)), CODE_PARAM_INVALID, "of another card");
	two->eid = card.eid;
	cr_expect_eq(smsr_look(two).rows, 0);
	cr_expect_str_eq(smsr_look(two).events, "");
}

/* After the commit point nothing that is only odd keeps us from taking it. */
static void what_is_odd_is_taken_all_the_same(void)
{
	const struct rows *row;
	const char *gone;

	sm_sr_begin(one, TWO);
	sm_sr_begin(two, ONE);
	registered();
	gone = exported(one, TWO);
	/* Another card has one of its ICCIDs here; and the CI is not ours. */
	DB_QUEUE(two->db, T_PROFILE, p_text("89049032000500881200000000000099"), p_text(two->iccid[OTHER].text),
		 p_bytes("12345", 5), p_text("1.2.6"), p_bool(false), p_int(two->a, PROFILE_DISABLED));
	cr_assert_eq(db_sync(two->db, two->a, NULL, 0, NULL), OK);
	two->smsr.ci_pem = (struct bytes){ 0 };
	cr_expect(adopted_https(two, GOING, ONE, gone));
	two->smsr.ci_pem = f.ci_pem;
	DB_QUEUE(two->db, T_ICCID, p_text(two->iccid[OTHER].text));
	cr_assert_eq(db_sync(two->db, two->a, &row, 1, NULL), OK);
	cr_expect_str_eq(row_text(row, 0, 0), "89049032000500881200000000000099");
	cr_expect_eq(look(two).profiles, PROFILES);
}

static void owners_are_told_once(void)
{
	const char *gone, *body;

	sm_sr_begin(one, TWO);
	sm_sr_begin(two, ONE);
	unaddressed(two, OTHER);
	add_smdp(two, true);
	registered();
	gone = exported(one, TWO);
	cr_expect_eq(ask_sm_sr(two, "announce", GOING, "", NULL), OK, "not here: nobody to be told");
	cr_assert(adopted_https(two, GOING, ONE, gone));
	cr_expect_eq(ask_sm_sr(two, "announce", OTHER_CHANGE, "", NULL), OK, "that change did not bring it");
	cr_expect_str_eq(smsr_look(two).told, "");
	cr_expect_eq(ask_sm_sr(two, "announce", GOING, "", NULL), OK);
	cr_expect_eq(ask_sm_sr(two, "announce", GOING, "", NULL), OK);
	cr_expect_str_eq(smsr_look(two).told,
			 "ES3-HandleSMSRChangeNotification>1.2.8 ES4-HandleSMSRChangeNotification>1.3.6.1.4.1.99999.5");
	body = outbox_body_of(two, "ES4-HandleSMSRChangeNotification");
	SAYS(body, two->iccid[BASE].text);
	SAYS(body, two->iccid[THIRD].text);
	SAYS_NOT(body, two->iccid[OTHER].text);
	SAYS_NOT(body, "AuditTrail");
	SAYS_NOT(body, "Cntr>");
	SAYS(body, "<rps:Smsr-id>" TWO "</rps:Smsr-id>");
	SAYS(body, "CompletionTimestamp");
	body = outbox_body_of(two, "ES3-HandleSMSRChangeNotification");
	SAYS(body, two->iccid[OTHER].text);
	SAYS_NOT(body, two->iccid[BASE].text);
	SAYS(body, ">1.3.6.1.4.1.99999.6</rps:Mno-id>");
}

/* Its EUM registers a card anew that has moved: its EUM knows which keys it has. */
static void registered_anew_its_tombstone_goes(void)
{
	sm_sr_begin(one, TWO);
	registered();
	(void)exported(one, TWO);
	cr_assert_eq(ask_sm_sr(one, "drop", running_id(one), ",\"moved_to\":\"" TWO "\",\"status\":\"success\"", NULL), OK);
	registered();
	cr_expect_str_eq(smsr_look(one).moved_to, "");
	cr_expect_eq(smsr_look(one).busy, 0);
	cr_expect(key_is_here(one, 1, 1));
}

Test(smsr_adopt, a_card_goes_to_another_sm_sr, .timeout = 200)
{
	static void (*const cases[])(void) = {
		there_and_back_again_it_is_the_same, what_cannot_be_taken_changes_nothing,
		what_is_odd_is_taken_all_the_same,   owners_are_told_once,
		registered_anew_its_tombstone_goes,
	};
	struct transport_key transports[2];

	if (!cluster_installed())
		cr_skip_test("PostgreSQL is not installed");
	f = fixture_make();
	card_make();
	one = sm_sr_make(ONE, &transports[0]);
	two = sm_sr_make(TWO, &transports[1]);
	for (size_t i = 0; i < LEN(cases); i++)
		cases[i]();
	sm_sr_drop(one);
	sm_sr_drop(two);
	eum_card_free(&card);
	fixture_drop(&f);
}
