/* SPDX-License-Identifier: Apache-2.0 */
/* An ISD-P is made and gets its keys; whatever is not as it should be has its status word and changes nothing. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/services/download.h"

Test(card_agree, an_isdp_is_made_and_gets_keys)
{
	CLEANUP(download_close) struct download d;
	const struct card_profile *p;

	download_open(&d);
	download_agree(&d, 50000);
	p = download_profile(&d);
	cr_assert_eq(p->state, ISDP_PERSONALIZED);
	cr_assert(!memcmp(&p->domain->keys, &d.keys, sizeof(d.keys)));
	cr_assert_eq(p->memory, 50000);
	cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY - 50000);
	cr_assert_eq(d.c->creates, 1);
	cr_assert_eq(d.c->keysets, 1);
	download_reload(&d);
	p = download_profile(&d);
	cr_assert_eq(p->state, ISDP_PERSONALIZED);
	cr_assert(!memcmp(&p->domain->keys, &d.keys, sizeof(d.keys)));
	cr_assert_eq(d.c->keysets, 1);
}

Test(card_agree, creation_is_refused)
{
	CLEANUP(download_close) struct download d;

	download_open(&d);
	cr_assert_eq(download_create(&d, DOWNLOAD_MEMORY - BOOT_MEMORY + 1), SW_NO_MEMORY);
	d.faults[CARD_FAULT_NO_ROOM] = 1;
	cr_assert_eq(download_create(&d, 10), SW_NO_MEMORY);
	cr_assert_eq(d.c->creates, 0);
	cr_assert_eq(download_create(&d, DOWNLOAD_MEMORY - BOOT_MEMORY), SW_OK);
	cr_assert_eq(d.c->remaining_memory, 0);
	cr_assert_eq(download_create(&d, 0), SW_BAD_DATA, "this AID is in use");
	for (uint32_t tar = 0x20; tar < 0x20 + CARD_PROFILES - 2; tar++) {
		d.isdp = aid_isdp(tar);
		cr_assert_eq(download_create(&d, 0), SW_OK);
	}
	d.isdp = aid_isdp(0x40);
	cr_assert_eq(download_create(&d, 0), SW_NO_MEMORY, "no place");
	cr_assert_eq(d.c->creates, CARD_PROFILES - 1);
}

Test(card_agree, each_state_is_shown_and_deleted)
{
	CLEANUP(download_close) struct download d;
	struct isdp_status *list;
	size_t n;

	download_open(&d);
	for (unsigned stage = 0; stage < 3; stage++) {
		const uint8_t states[] = { ISDP_SELECTABLE, ISDP_PERSONALIZED, ISDP_DISABLED };
		CLEANUP(buf_free) struct buf capdu = { 0 };

		if (stage == 0)
			cr_assert_eq(download_create(&d, 90000), SW_OK);
		else if (stage == 1)
			download_agree(&d, 90000);
		else
			download_all(&d, 90000, download_default(&d, "89001234567890123458", 0, 0));
		isdr_get_status(&capdu, &d.isdp, false);
		cr_assert_eq(download_execute(&d, &capdu), SW_OK);
		cr_assert(isdr_status_parse(d.a, (struct bytes){ (const uint8_t *)d.out.data, d.out.len }, &list, &n));
		cr_assert_eq(n, 1);
		cr_assert_eq(list->state, states[stage]);
		cr_assert_eq(list->memory, 90000);
		cr_assert_eq(list->free, 90000 - card_profile_stored(d.c, download_profile(&d)));
		cr_assert_eq(list->free < 90000, stage == 2);
		download_reload(&d);
		cr_assert_eq(download_profile(&d)->state, states[stage]);
		cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
		cr_assert_null(download_profile(&d));
		cr_assert_eq(d.c->remaining_memory, DOWNLOAD_MEMORY - BOOT_MEMORY);
		download_reload(&d);
		cr_assert_null(download_profile(&d));
		cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_NOT_FOUND);
	}
	cr_assert_eq(d.c->deletes, 3);
}

Test(card_agree, the_certificate_is_judged)
{
	CLEANUP(download_close) struct download d;
	CLEANUP(ec_key_freep) struct ec_key *other = ec_key_new();
	struct bytes changed, rc;

	download_open(&d);
	cr_assert_eq(download_certificate(&d, d.cert), SW_CONDITIONS, "for whom?");
	cr_assert_eq(download_install(&d), SW_NOT_FOUND);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	cr_assert_eq(download_install(&d), SW_OK);
	cr_assert_eq(download_certificate(&d, download_cert(&d, other, GP_ROLE_SM_DP)), SW_SECURITY);
	cr_assert_str_eq(d.effects.why, ka_verdict_text(KA_BAD_CERTIFICATE));
	cr_assert_eq(download_certificate(&d, download_cert(&d, d.ci, GP_ROLE_SM_SR)), SW_CONDITIONS);
	cr_assert_str_eq(d.effects.why, ka_verdict_text(KA_WRONG_ROLE));
	changed = (struct bytes){ arena_memdup(d.a, d.cert.data, d.cert.len), d.cert.len - 1 };
	cr_assert_eq(download_certificate(&d, changed), SW_BAD_DATA, "cut off");
	cr_assert_eq(d.out.len, 0);
	cr_assert_eq(download_certificate(&d, d.cert), SW_OK);
	cr_assert(ka_challenge_parse((struct bytes){ (const uint8_t *)d.out.data, d.out.len }, &rc));
	d.faults[CARD_FAULT_CHALLENGE] = 1;
	cr_assert_eq(download_certificate(&d, d.cert), SW_OK);
	cr_assert_not(ka_challenge_parse((struct bytes){ (const uint8_t *)d.out.data, d.out.len }, &rc));
	cr_assert_eq(download_profile(&d)->state, ISDP_SELECTABLE);
	d.isdp = aid_isdp(0x10);
	cr_assert_eq(download_install(&d), SW_CONDITIONS, "a factory profile");
}

/* What is asked between certificate and signature; the status word. */
static uint16_t with_template(struct download *d, const struct ka_template *t)
{
	cr_assert_eq(download_install(d), SW_OK);
	cr_assert_eq(download_certificate(d, d->cert), SW_OK);
	return download_request(d, t);
}

Test(card_agree, the_signature_is_judged_and_the_challenge_used_up)
{
	CLEANUP(download_close) struct download d;
	struct ka_template t = ka_template_isdp(0x30), wrong = ka_template_isdp(0x2F);
	struct ec_key *dp;

	download_open(&d);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	cr_assert_eq(download_install(&d), SW_OK);
	cr_assert_eq(download_request(&d, &t), SW_CONDITIONS, "no challenge yet");
	cr_assert_eq(with_template(&d, &wrong), SW_BAD_DATA, "no key version of SCP03");
	buf_clear(&d.out);
	cr_assert_eq(download_request(&d, &t), SW_CONDITIONS, "the challenge was used");
	cr_assert_eq(download_certificate(&d, d.cert), SW_OK);
	dp = d.dp;
	d.dp = ec_key_new();
	cr_assert_eq(download_request(&d, &t), SW_SECURITY, "signed by another");
	ec_key_free(d.dp);
	d.dp = dp;
	cr_assert_eq(download_profile(&d)->state, ISDP_SELECTABLE);
	cr_assert_null(download_profile(&d)->domain);
	cr_assert_eq(download_certificate(&d, d.cert), SW_OK);
	card_refresh(d.c);
	cr_assert_eq(download_request(&d, &t), SW_CONDITIONS, "a reset ends it");
	cr_assert_eq(d.c->keysets, 0);
	cr_assert_eq(with_template(&d, &t), SW_OK);
	cr_assert_eq(download_finish(&d), KA_GOOD);
	cr_assert_eq(download_install(&d), SW_CONDITIONS, "it has keys");
}

Test(card_agree, what_a_template_may_ask_for)
{
	CLEANUP(download_close) struct download d;
	struct ka_template t = ka_template_isdp(0x33);

	download_open(&d);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	t.scenario |= KA_WITH_DR | KA_WITH_HOST_ID;
	t.host_id = (struct ka_name){ { 1, 2, 3 }, 3 };
	t.n_counter = 5;
	t.counter[1] = 1;
	cr_assert_eq(with_template(&d, &t), SW_BAD_DATA, "no sequence counter is that long");
	t.counter[1] = 0;
	t.counter[4] = 7;
	cr_assert_eq(with_template(&d, &t), SW_OK);
	cr_assert_eq(download_finish(&d), KA_GOOD);
	d.sequence = 7;
	download_session(&d);
}

Test(card_agree, a_wrong_receipt_is_seen)
{
	CLEANUP(download_close) struct download d;
	const struct ka_template t = ka_template_isdp(0x30);

	download_open(&d);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	d.faults[CARD_FAULT_RECEIPT] = 1;
	cr_assert_eq(with_template(&d, &t), SW_OK);
	cr_assert_eq(download_finish(&d), KA_BAD_RECEIPT);
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	cr_assert_eq(with_template(&d, &t), SW_OK);
	cr_assert_eq(download_finish(&d), KA_GOOD);
}
