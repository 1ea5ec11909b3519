/* SPDX-License-Identifier: Apache-2.0 */
/* Whole downloads: what is asked of the SM-SR, what the card has then, what the operator hears, what becomes of ICCID and keys. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/card/profile_file.h"
#include "common/crypto/keys.h"
#include "common/rpc/relay.h"
#include "tests/unit/services/smdp_fixture.h"

/* What is on the card is the type's package with this ICCID's secrets in it. */
static void installed(struct shop *s, const struct iccid *iccid)
{
	const struct bytes got = { (const uint8_t *)s->card.package.data, s->card.package.len };
	const struct profile_element *aka;
	struct profile_package p;
	struct profile_fault fault;
	struct profile_aka a;
	struct iccid said;

	cr_assert(s->card.installed);
	cr_assert(profile_package_parse(s->a, got, &p, &fault) && profile_package_check(&p, &fault), "%s",
		  profile_fault_text(s->a, &fault));
	cr_assert(profile_header_iccid(&p.header, &said) && iccid_equal(&said, iccid));
	aka = profile_element_find(&p, PE_AKA_PARAMETER, 0);
	cr_assert(aka && profile_aka_decode(s->a, aka, &a, &fault));
	cr_assert(a.key.len == sizeof(s->ki) && !memcmp(a.key.data, s->ki, sizeof(s->ki)));
}

static void keyset_is(struct shop *s, bool kept)
{
	CLEANUP(secret_free) struct secret keys = { 0 };
	char aid[2 * AID_MAX + 1];
	const struct rows *r;

	DB_QUEUE(s->db, T_KEYSET, p_text(s->made.eid.text));
	shop_sync(s, &r, 1);
	cr_assert_eq(rows_count(r), kept);
	if (!kept)
		return;
	aid_format(&s->card.isdp, aid);
	cr_assert(kek_unwrap(&s->smdp.kek, arena_printf(s->a, "%s|%s|30", s->made.eid.text, aid), row_bytes(r, 0, 3), &keys));
	cr_assert(keys.len == 3 * AES_KEY && !memcmp(keys.data, s->card.keys.enc, AES_KEY) &&
		  !memcmp(keys.data + 2 * AES_KEY, s->card.keys.dek, AES_KEY));
}

Test(download, success, .timeout = 600)
{
	struct shop *s = shop_open();
	struct download *d;

	shop_download(s, "small", false);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_RESERVED);
	shop_run(s, DOWNLOAD_DONE);
	d = shop_now(s);
	cr_assert_eq(d->state, DOWNLOAD_DONE);
	cr_assert_str_eq(s->asked.data, "GetEIS CreateISDP+ SendData+ SendData+ SendData ProfileDownloadCompleted");
	installed(s, &s->iccid[0]);
	cr_expect_eq(shop_stock(s, &s->iccid[0])->state, STOCK_INSTALLED);
	shop_told_is(s, "EXECUTED_SUCCESS", NULL, NULL);
	cr_expect(strstr(shop_told(s), s->iccid[0].text));
	cr_expect_str_eq(s->completed.profile_type, "small");
	cr_expect(s->completed.pol2 && s->completed.pol2->n_rules == 1 && s->completed.pol2->rules[0].action == POL2_DELETE);
	cr_expect(s->completed.address && !strcmp(s->completed.address->imsi, "9017000000000"));
	keyset_is(s, true);
	cr_expect(d->secret.len == 0 && d->request.len == 0, "wiped");
	shop_close(s);
}

static void relay_ended(struct shop *s, enum status status, const struct eid *eid)
{
	const struct es4_profile_rq request = { .eid = *eid, .iccid = s->iccid[0] };
	const struct response_base base = { .status = { status, NULL } };
	const struct relay_end end = { .fn = function_by_id(FN_ES2_DeleteProfile), .request = &request, .base = &base };

	smdp_relay.ended(&s->smdp, s->db, s->a, &end);
	shop_sync(s, NULL, 0);
}

/* Deleted through us, an installed ICCID is for a person to decide about. */
Test(download, deleted_by_its_operator, .timeout = 600)
{
	struct shop *s = shop_open();
	struct eid other = s->made.eid;

	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_DONE);
	other.text[0] = '7';
	relay_ended(s, STATUS_SUCCESS, &other);
	relay_ended(s, STATUS_FAILED, &s->made.eid);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_INSTALLED);
	relay_ended(s, STATUS_SUCCESS, &s->made.eid);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED);
	shop_close(s);
}

static void told_deleted(struct shop *s, int64_t at)
{
	const struct es3_profile_notification n = { { .eid = s->made.eid, .iccid = s->iccid[0], .completed = at }, s->mno.oid };
	struct rq rq = { .db = s->db, .arena = s->a, .fn = function_by_id(FN_ES3_HandleProfileDeletedNotification) };

	smdp_relay.told(&rq, &n);
	shop_sync(s, NULL, 0);
}

/* The same when its SM-SR tells of it; not when that is old news. The keys of what is gone go, too. */
Test(download, deleted_by_others, .timeout = 600)
{
	struct shop *s = shop_open();

	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_DONE);
	told_deleted(s, clock_wall_us() - (STOCK_LATE_S + 60) * INT64_C(1000000));
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_INSTALLED);
	keyset_is(s, true);
	for (unsigned i = 0; i < 2; i++) {
		told_deleted(s, clock_wall_us());
		cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED);
		keyset_is(s, false);
	}
	shop_close(s);
}

/* An SM-SR tells of the deletion before we heard that the download was complete: it is not installed any more. */
Test(download, deleted_before_it_was_known_to_be_complete, .timeout = 600)
{
	struct shop *s = shop_open();

	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_COMPLETE);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_RESERVED);
	told_deleted(s, clock_wall_us());
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED);
	shop_run(s, DOWNLOAD_DONE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_QUARANTINED);
	keyset_is(s, false);
	shop_close(s);
}

Test(download, many_segments_then_enabled_and_keys_deleted, .timeout = 600)
{
	struct shop *s = shop_open();

	s->config.send_bytes = 45000;
	shop_download(s, "large", true);
	shop_run(s, DOWNLOAD_DONE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	cr_assert_str_eq(s->asked.data,
			 "GetEIS CreateISDP+ SendData+ SendData+ SendData+ SendData+ SendData+ ProfileDownloadCompleted "
			 "EnableProfile");
	installed(s, &s->iccid[2]);
	shop_told_is(s, "EXECUTED_SUCCESS", NULL, NULL);
	keyset_is(s, false);
	shop_close(s);
}

/* Callbacks do the same; a second one for the same call changes nothing, nor does one for an older call. */
Test(download, by_callback, .timeout = 600)
{
	struct shop *s = shop_open();
	struct test_call call, before = { 0 };
	struct test_answer answer, old = { 0 };

	shop_download(s, "small", true);
	while (shop_next(s, &call)) {
		answer = shop_execute(s, &call);
		if (!call.wants_callback) {
			cr_assert(call.fn->id == FN_ES3_GetEIS || call.fn->id == FN_ES3_ProfileDownloadCompleted);
			shop_answer(s, &call, &answer);
			continue;
		}
		shop_callback(s, &call, &answer, CALLBACK_TAKEN);
		shop_callback(s, &call, &answer, CALLBACK_CLOSED);
		if (before.ref)
			shop_callback(s, &before, &old, CALLBACK_CLOSED);
		before = call;
		old = answer;
	}
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	installed(s, &s->iccid[0]);
	before.ref = "x.1";
	shop_callback(s, &before, &old, CALLBACK_NOT_OURS);
	shop_close(s);
}

/* Whoever goes on is another process: it knows what stands in rows. */
Test(download, every_step_by_another_process, .timeout = 600)
{
	struct shop *s = shop_open();

	s->config.send_bytes = 45000;
	shop_download(s, "large", true);
	do {
		s->smdp.downloads = NULL;
		db_close(s->db);
		s->db = db_open(s->store);
	} while (shop_step(s));
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	installed(s, &s->iccid[2]);
	shop_close(s);
}

/* At no time does a table hold Ki or a key of the ISD-P in clear. */
Test(download, no_secret_in_any_table, .timeout = 600)
{
	struct shop *s = shop_open();

	shop_download(s, "small", false);
	do {
		cr_assert_eq(shop_find(s, s->ki, sizeof(s->ki)), 0);
		if (s->card.personalized)
			cr_assert_eq(shop_find(s, s->card.keys.enc, AES_KEY) + shop_find(s, s->card.keys.mac, AES_KEY) +
					     shop_find(s, s->card.keys.dek, AES_KEY),
				     0);
	} while (shop_step(s));
	cr_assert_eq(shop_find(s, s->ki, sizeof(s->ki)), 0);
	cr_assert_gt(shop_find(s, s->card.isdp.data, s->card.isdp.len), 0, "what is there would be found");
	shop_close(s);
}

/* ---- failures ---- */

static const char created_asked[] = "GetEIS CreateISDP+ SendData+ DeleteISDP";
static const char key_asked[] = "GetEIS CreateISDP+ SendData+ SendData+ DeleteISDP";
static const char sent_asked[] = "GetEIS CreateISDP+ SendData+ SendData+ SendData DeleteISDP";

/* Fails, cleans up, tells the exact code and why; the ICCID goes where D6 says. */
Test(download, what_the_card_says_wrong, .timeout = 600)
{
	static const struct {
		enum card_fault fault;
		const char *asked, *subject, *reason, *message;
		enum stock_state stock;
	} cases[] = {
		{ CARD_LOCKED, created_asked, "8.4", "4.2", "6985", STOCK_AVAILABLE },
		{ CARD_BAD_RECEIPT, key_asked, "8.3", "6.1", "wrong receipt", STOCK_AVAILABLE },
		{ CARD_BAD_RMAC, sent_asked, "8.3", "6.1", "MAC", STOCK_QUARANTINED },
		{ CARD_PE_FAILURE, sent_asked, "8.4", "4.2", "identification 8", STOCK_QUARANTINED },
		{ CARD_NO_MEMORY, sent_asked, "8.1", "4.8", "not-enough-memory", STOCK_QUARANTINED },
		{ CARD_BAD_SEGMENT, sent_asked, "8.4", "4.2", "refused: security error (02)", STOCK_QUARANTINED },
		{ CARD_SILENT_END, sent_asked, "8.4", "4.2", "did not say that it is installed", STOCK_QUARANTINED },
	};
	struct shop *s = shop_open();

	for (size_t i = 0; i < LEN(cases); i++) {
		shop_reset(s);
		s->card.fault = cases[i].fault;
		s->card.at = 2;
		shop_download(s, "small", false);
		shop_run(s, DOWNLOAD_FAILED);
		cr_assert_eq(shop_now(s)->state, DOWNLOAD_FAILED, "%zu", i);
		cr_assert_str_eq(s->asked.data, cases[i].asked, "%zu", i);
		shop_told_is(s, "FAILED", cases[i].subject, cases[i].reason);
		cr_assert(strstr(shop_told(s), cases[i].message), "%s", shop_told(s));
		cr_assert(strstr(shop_told(s), "EuiccResponseData"), "%s", shop_told(s));
		cr_assert_eq(shop_stock(s, &s->iccid[0])->state, cases[i].stock, "%zu", i);
		keyset_is(s, false);
	}
	shop_close(s);
}

/* The card is not asked at all. */
static void refused(struct shop *s, const char *subject, const char *reason)
{
	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_FAILED);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_FAILED);
	cr_assert_str_eq(s->asked.data, "GetEIS");
	shop_told_is(s, "FAILED", subject, reason);
	cr_assert_eq(shop_stock(s, &s->iccid[0])->state, STOCK_AVAILABLE);
	shop_reset(s);
}

static void other_bytes(struct shop *s, struct bytes *b, size_t at)
{
	uint8_t *copy = arena_memdup(s->a, b->data, b->len);

	copy[at] ^= 1;
	b->data = copy;
}

Test(download, what_the_eis_says_wrong, .timeout = 600)
{
	struct shop *s = shop_open();
	struct security_domain *ecasd = &s->eis.info.ecasd;
	struct profile_info *p = &s->eis.profiles[0];

	other_bytes(s, &s->eis.info_octets, s->eis.info_octets.len / 2);
	refused(s, "8.6", "6.1");
	ecasd->keysets = arena_memdup(s->a, ecasd->keysets, sizeof(*ecasd->keysets));
	ecasd->keysets->certificates = arena_memdup(s->a, ecasd->keysets->certificates, sizeof(*ecasd->keysets->certificates));
	other_bytes(s, &ecasd->keysets->certificates[0].value, ecasd->keysets->certificates[0].value.len - 1);
	refused(s, "8.5.2", "6.1");
	s->smdp.ci_pem = (struct bytes){ 0 };
	refused(s, "8.6", "6.1");
	s->smdp.ci_pem = s->f.ci_pem;
	s->eis.remaining_memory = 149999;
	refused(s, "8.1", "4.8");
	s->eis.info.capabilities.remote_provisioning_version = "1.9.9";
	refused(s, "8.1", "3.1");
	p = &s->eis.profiles[0];
	p->iccid = s->iccid[0];
	refused(s, "8.2.1", "3.3");
	s->eis.info.eid = s->made.eid;
	s->eis.info.eid.text[31] ^= 1;
	refused(s, "8.6", "6.1");
	shop_close(s);
}

/* What older downloads of ours left is deleted before; what is another's, or is no leftover, stays. */
Test(download, leftovers_go_first, .timeout = 600)
{
	struct shop *s = shop_open();
	struct oid other = s->mno.oid;

	s->eis.remaining_memory = 100000;
	for (size_t i = 0; i < 2; i++) {
		s->eis.profiles[s->eis.n_profiles] = s->eis.profiles[0];
		s->eis.profiles[s->eis.n_profiles++] = (struct profile_info){ .iccid = s->iccid[i],
									      .isdp_aid = aid_isdp(0x30 + (uint32_t)i),
									      .mno = s->mno.oid,
									      .smdp = &s->rpc.self,
									      .state = PROFILE_CREATED,
									      .allocated_memory = 30000 };
	}
	s->eis.profiles[0].state = PROFILE_CREATED;
	s->eis.profiles[0].smdp = &other;
	shop_download(s, "small", false);
	shop_run(s, DOWNLOAD_DONE);
	cr_assert_eq(shop_now(s)->state, DOWNLOAD_DONE);
	cr_assert_str_eq(s->asked.data,
			 "GetEIS DeleteISDP DeleteISDP CreateISDP+ SendData+ SendData+ SendData ProfileDownloadCompleted");
	shop_close(s);
}
