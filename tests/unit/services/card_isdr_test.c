/* SPDX-License-Identifier: Apache-2.0 */
/* A card changes its SM-SR: what the ISD-R takes from the new one, what it keeps of the old one, and what it refuses. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/card/isdr_agreement.h"
#include "tests/unit/services/download.h"

/* SM-SR1's key sets, and those that SM-SR2 asks for. */
enum { OLD = 0x01, OLD_HTTPS = 0x40, NEW = 0x02, NEW_HTTPS = 0x41 };

static struct bytes out_of(const struct download *d)
{
	return (struct bytes){ (const uint8_t *)d->out.data, d->out.len };
}

static void key(struct download *d, size_t place, uint8_t version, uint8_t index, uint8_t type)
{
	d->c->keys[place] = (struct card_key){ .version = version, .index = index, .type = type };
	memset(d->c->keys[place].value, (int)(version + index), CARD_KEY_LEN);
}

/* A card of SM-SR1; d->dp signs for SM-SR2. */
static void open_card(struct download *d)
{
	download_open(d);
	for (uint8_t i = 0; i < 3; i++)
		key(d, i, OLD, i + 1, 0x88);
	key(d, 3, OLD_HTTPS, 1, 0x85);
	key(d, 4, OLD_HTTPS, 2, 0x88);
	download_save(d);
	d->secured = OLD;
}

static unsigned keys_of(const struct download *d, uint8_t version)
{
	unsigned n = 0;

	for (size_t i = 0; i < CARD_KEYS; i++)
		n += d->c->keys[i].version == version;
	return n;
}

static uint16_t certify(struct download *d)
{
	return download_certificate(d, download_cert(d, d->ci, GP_ROLE_SM_SR));
}

/* As SM-SR1 relays it. */
static uint16_t request(struct download *d, uint8_t kvn, int64_t counter)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	uint8_t point[P256_POINT];
	struct isdr_offer offer;
	struct bytes rc;

	cr_assert(ka_challenge_parse(out_of(d), &rc));
	cr_assert(isdr_agreement_start(&d->host, kvn, counter, 0, (struct bytes){ 0 }));
	cr_assert(isdr_agreement_offer(&d->host, rc, d->dp, d->a, &offer));
	ec_key_public(d->dp, point);
	cr_assert_eq(isdr_agreement_request(&offer, NULL, rc, point, &capdu), KA_GOOD);
	return download_execute(d, &capdu);
}

static uint16_t agree(struct download *d, uint8_t kvn, int64_t counter)
{
	uint16_t sw = certify(d);

	return sw == SW_OK ? request(d, kvn, counter) : sw;
}

static void agreed(struct download *d, uint8_t kvn, int64_t counter)
{
	cr_assert_eq(agree(d, kvn, counter), SW_OK, "%s", d->effects.why);
	cr_assert_eq(download_finish(d), KA_GOOD);
	cr_assert_eq(d->keys.kvn, kvn);
}

/* One SMS under these keys: does the card take it? */
static bool takes_sms(struct download *d, const struct scp80_keys *keys, uint64_t counter)
{
	static const uint8_t trigger[] = { 0x81, 0x00 };
	CLEANUP(buf_free) struct buf packet = { 0 };
	CLEANUP(buf_free) struct buf por = { 0 };
	const struct scp80_command command = { .spi1 = SPI_CC_CIPHER_HIGHER,
					       .spi2 = SPI_POR_SECURED,
					       .tar = { 0, 0, 1 },
					       .counter = counter,
					       .data = { trigger, sizeof(trigger) } };
	struct scp80_command opened;
	const char *why = "";
	bool took;

	cr_assert(scp80_command_build(keys, &command, &packet));
	took = card_sms(d->c, d->a, (struct bytes){ (const uint8_t *)packet.data, packet.len }, &opened, &por, &why);
	cr_assert_eq(por.len > 0, took, "%s", why);
	download_save(d);
	return took;
}

static bool old_works(struct download *d, uint64_t counter)
{
	uint8_t kic[CARD_KEY_LEN], kid[CARD_KEY_LEN];
	const struct scp80_keys keys = { OLD, kic, kid };

	memset(kic, OLD + 1, sizeof(kic));
	memset(kid, OLD + 2, sizeof(kid));
	return takes_sms(d, &keys, counter);
}

static bool new_works(struct download *d, uint64_t counter)
{
	const struct scp80_keys keys = { d->keys.kvn, d->keys.enc, d->keys.mac };

	return takes_sms(d, &keys, counter);
}

static uint16_t put_key(struct download *d, uint8_t kvn, const uint8_t dek[AES_KEY])
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct scp81_keys k = { .kvn = kvn };

	memset(k.psk, 0x77, sizeof(k.psk));
	memset(k.dek, 0x78, sizeof(k.dek));
	cr_assert(isdr_put_key_build(&capdu, &k, dek));
	return download_execute(d, &capdu);
}

static uint16_t address(struct download *d, const struct isdr_addressing *p)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	cr_assert(isdr_addressing_build(&capdu, p));
	return download_execute(d, &capdu);
}

static struct isdr_addressing somewhere(void)
{
	return (struct isdr_addressing){ .number = "+4915",
					 .has_http = true,
					 .http = { .address = 0x7F000001,
						   .port = 4433,
						   .kvn = NEW_HTTPS,
						   .key_id = 1,
						   .uri = { (const uint8_t *)"/es5", 4 } } };
}

static uint16_t finalise(struct download *d, const struct isdr_kept *kept, size_t n)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	cr_assert(isdr_finalise_build(&capdu, kept, n));
	return download_execute(d, &capdu);
}

static const struct isdr_kept new_ones[] = { { NEW, 1, 3 }, { NEW_HTTPS, 1, 2 } };

/* E2 from its beginning to its end; a kill behind each step changes nothing. */
Test(card_isdr, a_card_changes_hands)
{
	CLEANUP(download_close) struct download d;
	const struct isdr_addressing home = somewhere();

	open_card(&d);
	agreed(&d, NEW, 100);
	download_reload(&d);
	cr_assert(keys_of(&d, OLD) == 3 && keys_of(&d, NEW) == 3);
	cr_assert(old_works(&d, 1), "until it is final");
	cr_assert(!new_works(&d, 100), "not above its initial counter");
	cr_assert(new_works(&d, 101));
	d.secured = NEW;
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_OK);
	download_reload(&d);
	cr_assert_eq(keys_of(&d, NEW_HTTPS), 2);
	cr_assert_eq(address(&d, &home), SW_OK);
	download_reload(&d);
	cr_assert(d.c->home.address == 0x7F000001 && d.c->home.port == 4433 && d.c->home.kvn == NEW_HTTPS &&
		  d.c->home.scp80 == NEW);
	cr_assert_str_eq(d.c->home.uri, "/es5");
	cr_assert_str_eq(d.c->home.number, "4915");
	cr_assert_eq(finalise(&d, new_ones, 2), SW_OK);
	download_reload(&d);
	cr_assert(keys_of(&d, OLD) == 0 && keys_of(&d, OLD_HTTPS) == 0 && keys_of(&d, NEW) == 3 && keys_of(&d, NEW_HTTPS) == 2);
	cr_assert(!old_works(&d, 2), "a command of SM-SR1 is ignored");
	cr_assert(!new_works(&d, 101), "a counter never comes twice");
	cr_assert(new_works(&d, 102));
	cr_assert(d.c->isdr_keysets == 1 && d.c->put_keys == 1 && d.c->finalises == 1);
	cr_assert_eq(d.c->home.kvn, NEW_HTTPS);
	cr_assert_eq(d.c->keysets, 0, "no ISD-P's");
	d.c->http = true;
	cr_assert(card_by_https(d.c));
	d.c->http = false;
	cr_assert(!card_by_https(d.c), "it speaks none");
	d.c->http = true;
	cr_assert_eq(finalise(&d, new_ones, 1), SW_OK);
	cr_assert(!card_by_https(d.c), "no key is left for it");
}

Test(card_isdr, the_certificate_must_be_of_an_sm_sr)
{
	CLEANUP(download_close) struct download d;
	CLEANUP(ec_key_freep) struct ec_key *other = ec_key_new();

	open_card(&d);
	cr_assert_eq(download_certificate(&d, d.cert), SW_CONDITIONS);
	cr_assert_str_eq(d.effects.why, ka_verdict_text(KA_WRONG_ROLE));
	cr_assert_eq(download_certificate(&d, download_cert(&d, other, GP_ROLE_SM_SR)), SW_SECURITY);
	cr_assert_str_eq(d.effects.why, ka_verdict_text(KA_BAD_CERTIFICATE));
	cr_assert_eq(d.out.len, 0);
	cr_assert_eq(certify(&d), SW_OK);
	cr_assert_eq(keys_of(&d, NEW), 0);
}

/* The second STORE DATA with a template of one's own. */
static uint16_t with_template(struct download *d, const struct ka_template *t)
{
	cr_assert_eq(certify(d), SW_OK);
	return download_request(d, t);
}

Test(card_isdr, what_is_no_key_set_of_the_isd_r_is_refused)
{
	CLEANUP(download_close) struct download d;
	struct ka_template t = ka_template_isdr(NEW), wrong;
	struct ec_key *sr2;

	open_card(&d);
	wrong = t;
	wrong.kvn = 0x30;
	cr_assert_eq(with_template(&d, &wrong), SW_BAD_DATA);
	wrong = t;
	wrong.usage = KA_BASE_KEY;
	cr_assert_eq(with_template(&d, &wrong), SW_BAD_DATA);
	wrong = t;
	wrong.key_id = 2;
	cr_assert_eq(with_template(&d, &wrong), SW_BAD_DATA);
	wrong = t;
	wrong.n_counter = 8;
	wrong.counter[2] = 1;
	cr_assert_eq(with_template(&d, &wrong), SW_BAD_DATA, "more than SCP80 counts to");
	cr_assert_eq(certify(&d), SW_OK);
	sr2 = d.dp;
	d.dp = ec_key_new();
	cr_assert_eq(download_request(&d, &t), SW_SECURITY, "signed by another");
	ec_key_free(d.dp);
	d.dp = sr2;
	buf_clear(&d.out);
	cr_assert(keys_of(&d, NEW) == 0 && d.c->isdr_keysets == 0);
	t.scenario |= KA_DELETE_KEYS | KA_WITH_DR;
	cr_assert_eq(with_template(&d, &t), SW_OK);
	cr_assert_eq(download_finish(&d), KA_GOOD);
	cr_assert_eq(keys_of(&d, OLD), 3, "nothing is deleted before it is final");
}

Test(card_isdr, a_challenge_is_for_one_signature_and_dies_with_a_reset)
{
	CLEANUP(download_close) struct download d;
	const struct ka_template t = ka_template_isdr(NEW);

	open_card(&d);
	cr_assert_eq(certify(&d), SW_OK);
	card_session_over(d.c);
	cr_assert_eq(request(&d, NEW, 0), SW_OK, "SM-SR1 asks in another session: SM-SR2 was asked meanwhile");
	cr_assert_eq(certify(&d), SW_OK);
	card_refresh(d.c);
	cr_assert_eq(request(&d, NEW + 1, 0), SW_CONDITIONS);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	cr_assert_eq(download_install(&d), SW_OK);
	cr_assert_eq(download_certificate(&d, d.cert), SW_OK);
	card_session_over(d.c);
	cr_assert_eq(download_request(&d, &t), SW_CONDITIONS, "an SM-DP's is over with its session");
	cr_assert_eq(certify(&d), SW_OK, "and is not in the way of the ISD-R");
}

Test(card_isdr, keys_in_use_are_not_replaced_and_left_ones_are)
{
	CLEANUP(download_close) struct download d;
	struct card_keys first;

	open_card(&d);
	cr_assert_eq(agree(&d, OLD, 0), SW_CONDITIONS);
	cr_assert_str_eq(d.effects.why, "the key version is in use");
	cr_assert_eq(d.c->keys[0].value[0], OLD + 1);
	d.faults[CARD_FAULT_RECEIPT] = 1;
	cr_assert_eq(agree(&d, NEW, 9), SW_OK);
	cr_assert_eq(download_finish(&d), KA_BAD_RECEIPT, "SM-SR2 never had these");
	agreed(&d, NEW, 0);
	first = d.keys;
	cr_assert_eq(keys_of(&d, NEW), 3);
	agreed(&d, NEW, 5);
	cr_assert(memcmp(&first, &d.keys, sizeof(first)) != 0);
	cr_assert(!new_works(&d, 5) && new_works(&d, 6), "the counter begins anew");
	download_reload(&d);
	cr_assert_eq(agree(&d, NEW, 0), SW_CONDITIONS, "it was used");
	cr_assert(new_works(&d, 7));
	cr_assert_eq(d.c->isdr_keysets, 3);
	card_keys_wipe(&first);
}

Test(card_isdr, a_card_has_room_for_so_many_keys)
{
	CLEANUP(download_close) struct download d;

	open_card(&d);
	for (uint8_t kvn = NEW; kvn < NEW + 3; kvn++) /* of 16 places 5 are taken */
		agreed(&d, kvn, 0);
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.c->keys[2].value), SW_OK);
	cr_assert_eq(agree(&d, NEW + 3, 0), SW_NO_MEMORY);
	cr_assert_eq(put_key(&d, NEW_HTTPS + 1, d.c->keys[2].value), SW_NO_MEMORY);
	cr_assert_eq(d.out.len, 0);
	cr_assert(old_works(&d, 1) && new_works(&d, 1));
}

Test(card_isdr, put_key_is_under_the_dek_of_what_secures_it)
{
	CLEANUP(download_close) struct download d;

	open_card(&d);
	agreed(&d, NEW, 0);
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_BAD_DATA, "secured by SM-SR1's");
	d.secured = 0;
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_CONDITIONS);
	d.secured = NEW + 1;
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_CONDITIONS, "no such set");
	d.secured = NEW;
	cr_assert_eq(put_key(&d, OLD_HTTPS, d.keys.dek), SW_CONDITIONS, "in use");
	cr_assert(keys_of(&d, NEW_HTTPS) == 0 && d.c->put_keys == 0);
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_OK);
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_OK, "its answer was lost");
	d.secured = NEW_HTTPS; /* in a session, key 2 is the DEK */
	cr_assert_eq(put_key(&d, NEW_HTTPS + 1, card_key_of(d.c, NEW_HTTPS, 2)->value), SW_OK);
	card_key_used(d.c, NEW_HTTPS);
	cr_assert_eq(put_key(&d, NEW_HTTPS, card_key_of(d.c, NEW_HTTPS, 2)->value), SW_CONDITIONS, "in use now");
}

Test(card_isdr, an_address_replaces_what_it_says)
{
	CLEANUP(download_close) struct download d;
	struct isdr_addressing p = { .has_http = true, .http.port = 1 };
	char uri[CARD_URI + 2];

	open_card(&d);
	cr_assert_eq(address(&d, &p), SW_BAD_DATA, "nowhere");
	p = somewhere();
	cr_assert_eq(address(&d, &p), SW_OK);
	cr_assert_eq(d.c->home.scp80, OLD);
	p = (struct isdr_addressing){ .has_http = true, .http.port = 99 };
	cr_assert_eq(address(&d, &p), SW_OK);
	cr_assert(d.c->home.port == 99 && d.c->home.address == 0x7F000001);
	cr_assert_str_eq(d.c->home.number, "4915");
	p = (struct isdr_addressing){ .number = "8" };
	cr_assert_eq(address(&d, &p), SW_OK);
	cr_assert_str_eq(d.c->home.number, "8");
	cr_assert_eq(d.c->home.port, 99);
	memset(uri, 'u', sizeof(uri));
	p = (struct isdr_addressing){ .number = "9", .has_http = true, .http.uri = { (const uint8_t *)uri, 5 } };
	cr_assert_eq(address(&d, &p), SW_BAD_DATA, "no path");
	uri[0] = '/';
	p.http.uri.len = sizeof(uri);
	cr_assert_eq(address(&d, &p), SW_BAD_DATA, "too long");
	p.http.uri.len = 1;
	p.http.kvn = NEW;
	cr_assert_eq(address(&d, &p), SW_BAD_DATA, "no key of HTTPS");
	cr_assert_str_eq(d.c->home.number, "8", "all or nothing");
	cr_assert_str_eq(d.c->home.uri, "/es5");
}

Test(card_isdr, only_who_is_kept_makes_it_final)
{
	CLEANUP(download_close) struct download d;
	const struct isdr_kept old_ones[] = { { OLD, 1, 3 }, { OLD_HTTPS, 1, 2 } }, part = { NEW, 1, 2 };

	open_card(&d);
	agreed(&d, NEW, 0);
	cr_assert_eq(finalise(&d, new_ones, 2), SW_NOT_FOUND, "the second is not there");
	cr_assert_eq(finalise(&d, new_ones, 1), SW_CONDITIONS, "secured by SM-SR1");
	cr_assert_str_eq(d.effects.why, "not secured by a key set that is kept");
	d.secured = 0;
	cr_assert_eq(finalise(&d, new_ones, 1), SW_CONDITIONS);
	cr_assert(keys_of(&d, OLD) == 3 && keys_of(&d, NEW) == 3 && d.c->finalises == 0);
	d.secured = OLD;
	cr_assert_eq(finalise(&d, old_ones, 2), SW_OK, "SM-SR1 clears away what an attempt left");
	cr_assert(keys_of(&d, OLD) == 3 && keys_of(&d, OLD_HTTPS) == 2 && keys_of(&d, NEW) == 0);
	cr_assert(old_works(&d, 1));
	agreed(&d, NEW, 0);
	d.secured = NEW;
	cr_assert_eq(finalise(&d, &part, 1), SW_OK, "a range that leaves a key out");
	cr_assert(keys_of(&d, NEW) == 2 && keys_of(&d, OLD) == 0 && keys_of(&d, OLD_HTTPS) == 0);
	cr_assert(new_works(&d, 1));
	cr_assert_eq(put_key(&d, NEW_HTTPS, d.keys.dek), SW_CONDITIONS, "its DEK is gone");
}

Test(card_isdr, what_is_gone_is_no_way_home)
{
	CLEANUP(download_close) struct download d;
	struct isdr_addressing home = somewhere();

	open_card(&d);
	home.http.kvn = OLD_HTTPS;
	cr_assert_eq(address(&d, &home), SW_OK);
	agreed(&d, NEW, 0);
	d.secured = NEW;
	cr_assert_eq(finalise(&d, new_ones, 1), SW_OK);
	cr_assert(d.c->home.kvn == 0 && d.c->home.scp80 == 0 && d.c->home.port == 4433);
	for (size_t i = 0; i < CARD_COUNTERS; i++)
		cr_assert_neq(d.c->counters[i].version, OLD);
}
