/* SPDX-License-Identifier: Apache-2.0 */
/* SM-SR2: what must not become a take-over (procedures.md 3.20). */
#include <criterion/criterion.h>
#include <string.h>

#include "common/auth/eis_trust.h"
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/crypto/pki.h"
#include "tests/unit/services/handover_fixture.h"

#define FORMER "1.3.6.1.4.1.99999.2"
#define YEAR_US (INT64_C(365) * 86400 * 1000000)

/* Bad input of ES7.HandoverEUICC: the exact code, and nothing changed. */
static void what_was_not_announced_does_not_come(struct desk *d)
{
	struct entity other = { .oid = oid_of("1.3.6.1.4.1.99999.23"), .name = "another", .roles = ROLE_SM_SR };

	desk_refused(desk_hand(d, &d->former, 3600), CODE_EID_UNKNOWN);
	desk_refused(desk_prepare(d, "1.2.3.4"), CODE_SMSR_UNKNOWN);
	desk_refused(desk_prepare(d, "1.3.6.1.4.1.99999.5"), CODE_SMSR_UNKNOWN);
	desk_refused(desk_prepare(d, "x"), CODE_PARAM_INVALID);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	desk_refused(desk_hand(d, &other, 3600), CODE_EID_UNKNOWN);
	desk_untouched(d);
	cr_assert_eq(desk_time(d, T_LAPSE), 1);
	cr_assert_eq(desk_now(d)->state, HIN_LAPSED);
	desk_refused(desk_hand(d, &d->former, 3600), CODE_EID_UNKNOWN);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
}

static void forge(struct desk *d, struct bytes *octets, const char *at)
{
	char *copy = arena_strndup(d->a, (const char *)octets->data, octets->len), *place = strstr(copy, at);

	cr_assert_not_null(place);
	place += strlen(at);
	*place = *place == '1' ? '2' : '1';
	*octets = (struct bytes){ (const uint8_t *)copy, octets->len };
}

static void an_eis_that_is_not_the_eums_does_not_come(struct desk *d)
{
	const struct bytes ci_pem = d->hs.own.ci_pem;
	struct profile_info twice[2];

	cr_assert_eq(desk_prepare(d, FORMER), OK);
	forge(d, &d->eis.info_octets, "PlatformVersion>");
	desk_refused(desk_hand(d, &d->former, 3600), CODE_EUM_SIGNATURE_INVALID);
	desk_untouched(d);
	desk_reset(d);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	d->hs.own.ci_pem = (struct bytes){ 0 }; /* nobody's chain leads there */
	desk_refused(desk_hand(d, &d->former, 3600), CODE_EUM_SIGNATURE_INVALID);
	desk_untouched(d);
	d->hs.own.ci_pem = ci_pem;
	d->eis.info.ecasd.keysets =
		arena_memdup(d->a, d->eis.info.ecasd.keysets, d->eis.info.ecasd.n_keysets * sizeof(*d->eis.info.ecasd.keysets));
	for (size_t i = 0; i < d->eis.info.ecasd.n_keysets; i++)
		d->eis.info.ecasd.keysets[i].n_certificates = 0;
	desk_refused(desk_hand(d, &d->former, 3600), CODE_ECASD_CERT_INVALID);
	desk_untouched(d);
	desk_reset(d);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	d->eis.smsr = oid_of("1.2.3");
	desk_refused(desk_hand(d, &d->former, 3600), CODE_PARAM_INVALID);
	desk_reset(d);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	twice[0] = twice[1] = d->eis.profiles[0];
	d->eis.profiles = twice;
	d->eis.n_profiles = 2;
	desk_refused(desk_hand(d, &d->former, 3600), CODE_PARAM_INVALID);
	desk_untouched(d);
}

/* It could not be asked to be adopted, behind the receipt. */
static void an_eis_longer_than_the_bus_takes(struct desk *d)
{
	struct properties *many = ARENA_NEW(d->a, struct properties);
	char *value = arena_alloc(d->a, EIS_TEXT_MAX + 1);

	memset(value, 'x', EIS_TEXT_MAX);
	many->items = ARENA_NEW(d->a, struct property);
	many->items[many->n_items++] = (struct property){ "example", value };
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	d->eis.properties = many;
	desk_refused(desk_hand(d, &d->former, 3600), CODE_SMSR_REFUSED);
	desk_untouched(d);
}

static void refused_later(struct desk *d, int64_t years, enum code code)
{
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	d->later_us = years * YEAR_US;
	desk_refused(desk_hand(d, &d->former, 3600), code);
	desk_untouched(d);
	d->later_us = 0;
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
}

static void an_expired_eum_certificate(struct desk *d)
{
	refused_later(d, 11, CODE_EUM_CERT_EXPIRED);
}

/* The same card with a certificate for one year; the EUM's lasts for ten. */
static void an_expired_ecasd_certificate(struct desk *d)
{
	struct eum_issuer issuer = d->f.issuer;
	struct eum_range *ranges;
	struct eum_batch batch;
	struct eum_card young;
	const char *why = "";
	size_t n;

	issuer.cert_years = 1;
	cr_assert_eq(eum_order_check(d->a, &d->f.order, &d->f.facts, &batch, &ranges, &n), OK);
	batch.id = "0";
	cr_assert(eum_card_make(d->a, &issuer, &d->f.transport, &batch, 0, clock_wall_us(), &young, &why), "%s", why);
	cr_assert_str_eq(young.eid.text, d->made.eid.text);
	d->eis.info = young.eis.info;
	d->eis.info_octets = young.eis.info_octets;
	d->eis.signature_octets = young.eis.signature_octets;
	refused_later(d, 2, CODE_ECASD_CERT_EXPIRED);
	eum_card_free(&young);
}

static bool counted(const char *line)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	metrics_write(&text);
	return text.len && strstr(text.data, line);
}

/* D4: it comes, and nobody overlooks it. */
static void a_revoked_eum_certificate(struct desk *d)
{
	const int64_t now = clock_wall_us();
	struct sig_result found = eis_signature_find(d->a, &d->eis, d->f.ci_pem, (struct bytes){ 0 }, now);
	struct cert_info ci;
	struct bytes crl;

	cr_assert(found.verdict == SIG_GOOD && !found.revoked && !counted("rsp_eis_signer_revoked_total 1"));
	cr_assert(cert_read(d->a, d->f.ci_pem.data, d->f.ci_pem.len, &ci));
	cr_assert(pki_crl_make(d->a, d->f.ci_key, ci.der, (struct bytes){ 0 }, found.cert_der, now, now + YEAR_US, &crl));
	d->hs.own.ci_crl_pem = crl;
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	cr_assert(counted("rsp_eis_signer_revoked_total 1"));
	d->hs.own.ci_crl_pem = (struct bytes){ 0 };
	desk_run(d, HIN_KEYING);
}

/* Records as long as another SM-SR may have made them, `quotes` in each, which take two octets of a JSON string. */
static void trail_of(struct desk *d, size_t records, size_t quotes)
{
	struct audit_trail *trail = ARENA_NEW(d->a, struct audit_trail);
	char *message = arena_alloc(d->a, quotes + 1);

	memset(message, '"', quotes);
	message[quotes] = '\0';
	*trail = (struct audit_trail){ arena_array(d->a, records, sizeof(*trail->records)), records };
	for (size_t i = 0; i < records; i++) {
		struct status_code_data *code = ARENA_NEW(d->a, struct status_code_data);
		struct execution_status *status = ARENA_NEW(d->a, struct execution_status);

		*code = (struct status_code_data){ .subject = "8.4", .reason = "4.2", .message = message };
		*status = (struct execution_status){ .status = STATUS_FAILED, .code = code };
		trail->records[i] = (struct audit_record){ .eid = d->made.eid,
							   .smsr = d->former.oid,
							   .date = (int64_t)i * 1000000,
							   .operation = { (const uint8_t *)"\1\0", 2 },
							   .status = status };
	}
	d->eis.audit_trail = trail;
}

/* Behind the commit point the sm-sr must be able to take it, so of a trail too long for the bus only the newest records come. */
static void a_trail_too_long_for_the_bus(struct desk *d)
{
	struct desk_row row;
	struct eis kept;
	const char *eis;

	trail_of(d, 1000, 600);
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	cr_assert_eq(desk_hand(d, &d->former, 3600), OK);
	desk_run(d, HIN_ADOPTING);
	cr_assert(desk_next(d, DESK_SMSR, &row));
	cr_assert_str_eq(row.kind, "adopt");
	cr_assert_lt(strlen(row.text), 1000 * 1024);
	eis = json_string_value(json_object_get(row.json, "eis"));
	cr_assert_eq(eis_text_read(d->a, (struct bytes){ (const uint8_t *)eis, strlen(eis) }, &kept), OK);
	cr_assert(kept.audit_trail->n_records > 200 && kept.audit_trail->n_records < 1000, "%zu", kept.audit_trail->n_records);
	cr_assert_eq(kept.audit_trail->records[kept.audit_trail->n_records - 1].date, INT64_C(999) * 1000000);
}

static void all_versions_taken(struct desk *d)
{
	struct keyset *sets = arena_array(d->a, SCP80_KVN_LAST, sizeof(*sets));

	for (int64_t i = 0; i < SCP80_KVN_LAST; i++)
		sets[i].version = i + 1;
	d->eis.isdr.keysets = sets;
	d->eis.isdr.n_keysets = SCP80_KVN_LAST;
	cr_assert_eq(desk_prepare(d, FORMER), OK);
	desk_refused(desk_hand(d, &d->former, 3600), CODE_SMSR_REFUSED);
	desk_untouched(d);
}

/* A receipt that does not hold is none: the attempt is over, and one that comes later changes nothing. */
static void a_wrong_receipt(struct desk *d)
{
	struct es7_create_additional_keyset_rs good, bad;
	struct desk_row row;

	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	good = desk_receipt(d, &row);
	bad = good;
	bad.receipt.data = arena_memdup(d->a, good.receipt.data, good.receipt.len);
	((uint8_t *)(uintptr_t)bad.receipt.data)[3] ^= 1;
	desk_answer(d, &row, &bad.base);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 1, "FAILED", "8.4", "6.1");
	desk_callback(d, &row, &d->former.oid, &good.base, CALLBACK_CLOSED);
	desk_answer(d, &row, &good.base);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	cr_assert_eq(desk_now(d)->secret.len, 0);
	cr_assert(!desk_next(d, DESK_SMSR, &row));
	desk_refused(desk_hand(d, &d->former, 3600), CODE_SMSR_CHANGE_ENDED);
}

static void short_answers(struct desk *d)
{
	struct es7_create_additional_keyset_rs receipt;
	struct es7_authenticate_smsr_rs challenge;
	struct desk_row row;

	desk_run(d, HIN_AUTHENTICATING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	challenge = desk_challenge(d);
	challenge.random_challenge.len = 8;
	desk_answer(d, &row, &challenge.base);
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 1, "FAILED", "8.7", "4.2");
	desk_reset(d);
	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	receipt = desk_receipt(d, &row);
	receipt.receipt.len = 15;
	desk_answer(d, &row, &receipt.base);
	desk_told_is(d, 1, "FAILED", "8.4", "6.1");
}

/* The other SM-SR's refusal is the answer, in its words; what passes is asked again under the same identifier. */
static void the_other_sm_sr_refuses(struct desk *d)
{
	struct desk_row row, again;

	desk_run(d, HIN_AUTHENTICATING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	desk_refuse(d, &row, STATUS_FAILED, "1.2", "4.4");
	cr_assert_eq(desk_now(d)->state, HIN_AUTHENTICATING);
	cr_assert(!desk_next(d, DESK_PEER, &again));
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert(desk_next(d, DESK_PEER, &again));
	cr_assert_str_eq(again.ref, row.ref);
	desk_answer(d, &again, NULL); /* given up */
	cr_assert_eq(desk_now(d)->state, HIN_AUTHENTICATING);
	cr_assert_eq(desk_time(d, T_DUE), 1);
	cr_assert(desk_next(d, DESK_PEER, &again));
	desk_refuse(d, &again, STATUS_FAILED, "8.5.3", "6.1");
	cr_assert_eq(desk_now(d)->state, HIN_FAILED);
	desk_told_is(d, 1, "FAILED", "8.5.3", "6.1");
	desk_reset(d);
	desk_run(d, HIN_KEYING);
	cr_assert(desk_next(d, DESK_PEER, &row));
	desk_refuse(d, &row, STATUS_EXPIRED, "1.6", "5.3");
	desk_told_is(d, 1, "FAILED", "8.7", "4.2");
}

/* Nothing changed, and the exact code. */
Test(handover_in, bad_input, .timeout = 600)
{
	static void (*const tests[])(struct desk * d) = {
		what_was_not_announced_does_not_come,
		an_eis_that_is_not_the_eums_does_not_come,
		an_eis_longer_than_the_bus_takes,
		an_expired_eum_certificate,
		an_expired_ecasd_certificate,
		a_revoked_eum_certificate,
		all_versions_taken,
		a_trail_too_long_for_the_bus,
		a_wrong_receipt,
		short_answers,
		the_other_sm_sr_refuses,
	};

	desk_each(tests, LEN(tests));
}
