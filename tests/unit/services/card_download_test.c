/* SPDX-License-Identifier: Apache-2.0 */
/* The secure channel with an ISD-P, and what its files hold. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hex.h"
#include "tests/unit/services/download.h"

static struct bytes view(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

static void check_error(struct download *d, uint32_t tag, enum scp03t_reason reason)
{
	struct bytes rest = view(&d->out);
	struct tlv t;

	cr_assert(tlv_next(&rest, &t));
	cr_assert_eq(t.tag, tag, "%X", t.tag);
	cr_assert_eq(t.value.len, 1);
	cr_assert_eq(t.value.data[0], reason);
	cr_assert_eq(rest.len, 0, "an error ends the script");
}

static bool run_hex(struct download *d, const char *hex)
{
	uint8_t data[512];

	cr_assert(hex_decode(hex, strlen(hex), data));
	return download_run(d, (struct bytes){ data, strlen(hex) / 2 });
}

Test(card_download, sessions_need_keys_and_are_counted)
{
	CLEANUP(download_close) struct download d;

	download_open(&d);
	cr_assert_eq(download_create(&d, -1), SW_OK);
	cr_assert_not(run_hex(&d, "840A3000"
				  "0102030405060708"
				  "8500"));
	check_error(&d, 0x9F44, SCP03T_REFERENCE);
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
	download_agree(&d, -1);
	cr_assert_not(run_hex(&d, "840A3100"
				  "0102030405060708"));
	check_error(&d, 0x9F44, SCP03T_REFERENCE);
	cr_assert_not(run_hex(&d, "84093000"
				  "01020304050607"));
	check_error(&d, 0x9F44, SCP03T_LENGTH);
	cr_assert_eq(download_profile(&d)->domain->sequence, 0);
	for (unsigned i = 0; i < 3; i++)
		download_session(&d); /* checks the counter */
	download_reload(&d);
	download_session(&d);
	cr_assert_eq(download_profile(&d)->domain->sequence, 4);
	cr_assert(run_hex(&d, "840A0000"
			      "0102030405060708"),
		  "any key version");
}

Test(card_download, who_cannot_prove_himself_gets_nowhere)
{
	CLEANUP(download_close) struct download d;
	CLEANUP(buf_free) struct buf script = { 0 };
	uint8_t challenge[SCP03_CHALLENGE] = { 9 };

	download_open(&d);
	download_agree(&d, -1);
	cr_assert_not(run_hex(&d, "8511330000000000000000"
				  "0000000000000000"));
	check_error(&d, 0x9F45, SCP03T_SECURITY);
	d.keys.mac[0] ^= 1;
	cr_assert(scp03_begin(&d.s, &d.keys, &d.isdp, 1, challenge));
	scp03t_initialize_build(&script, &d.s);
	cr_assert(download_run(&d, view(&script)));
	buf_clear(&script);
	cr_assert(scp03t_authenticate_build(&d.s, &script));
	cr_assert_not(download_run(&d, view(&script)));
	check_error(&d, 0x9F45, SCP03T_SECURITY);
	cr_assert_not(download_segment(&d, (struct bytes){ challenge, 8 }));
	check_error(&d, 0x9F46, SCP03T_SECURITY);
}

Test(card_download, a_changed_or_repeated_segment_ends_the_session)
{
	CLEANUP(download_close) struct download d;
	struct bytes good;

	download_open(&d);
	good = download_default(&d, "89001234567890123458", 0, 0);
	for (unsigned how = 0; how < 4; how++) {
		CLEANUP(buf_free) struct buf script = { 0 };
		struct scp03_session before;

		download_agree(&d, -1);
		download_session(&d);
		before = d.s;
		cr_assert(scp03t_segment_build(&d.s, (struct bytes){ good.data, 300 }, &script));
		if (how == 0)
			script.data[20] ^= 1;
		if (how == 1)
			script.data[script.len - 1] ^= 1;
		if (how == 2)
			cr_assert(download_run(&d, view(&script)), "the first time");
		if (how == 3)
			d.faults[CARD_FAULT_MAC] = 1;
		cr_assert_not(download_run(&d, view(&script)));
		check_error(&d, 0x9F46, SCP03T_SECURITY);
		d.s = before;
		cr_assert_not(download_segment(&d, (struct bytes){ good.data, 300 }));
		check_error(&d, 0x9F46, SCP03T_SECURITY);
		cr_assert_eq(download_profile(&d)->domain->begun, how == 2);
		cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
	}
}

Test(card_download, its_own_proofs_are_wrong_when_a_test_wants_it)
{
	static const uint8_t challenge[SCP03_CHALLENGE] = { 1 };
	CLEANUP(download_close) struct download d;
	CLEANUP(buf_free) struct buf script = { 0 };
	struct scp03_initialized answer;
	struct bytes package, out;
	uint8_t reason = 0;

	download_open(&d);
	package = download_default(&d, "89001234567890123458", 0, 0);
	download_agree(&d, -1);
	d.faults[CARD_FAULT_CRYPTOGRAM] = 1;
	cr_assert(scp03_begin(&d.s, &d.keys, &d.isdp, ++d.sequence, challenge));
	scp03t_initialize_build(&script, &d.s);
	cr_assert(download_run(&d, view(&script)), "the card itself finds nothing wrong");
	cr_assert_eq(scp03t_initialized_open(&d.s, view(&d.out), &answer, &reason), SCP03_BAD_CRYPTOGRAM);
	download_session(&d);
	d.faults[CARD_FAULT_RMAC] = 1;
	while (package.len) {
		size_t n = package.len < SCP03T_PLAIN_MAX ? package.len : SCP03T_PLAIN_MAX;

		cr_assert(download_segment(&d, (struct bytes){ package.data, n }));
		package = (struct bytes){ package.data + n, package.len - n };
	}
	cr_assert_eq(scp03t_segment_open(d.a, &d.s, NULL, view(&d.out), &out, &reason), SCP03_BAD_MAC);
	cr_assert_eq(download_profile(&d)->state, ISDP_DISABLED);
}

Test(card_download, a_channel_is_with_one_isdp)
{
	CLEANUP(download_close) struct download d;
	struct aid first;

	download_open(&d);
	download_agree(&d, -1);
	download_session(&d);
	first = d.isdp;
	d.isdp = aid_isdp(0x14);
	download_agree(&d, -1);
	cr_assert_not(download_segment(&d, (struct bytes){ d.keys.enc, 8 }));
	check_error(&d, 0x9F46, SCP03T_SECURITY);
	d.isdp = first;
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
	cr_assert_not(d.c->channel && d.c->channel->secured != CARD_NONE);
}

/* 22 around each TLV. */
static void wrapped(struct buf *script)
{
	CLEANUP(buf_free) struct buf inner = *script;
	struct bytes rest = view(&inner);
	struct tlv t;

	*script = (struct buf){ 0 };
	while (tlv_next(&rest, &t)) {
		CLEANUP(buf_free) struct buf one = { 0 };

		tlv_add(&one, t.tag, t.value.data, t.value.len);
		tlv_add(script, 0x22, one.data, one.len);
	}
}

Test(card_download, wrapped_segments_are_taken_too)
{
	CLEANUP(download_close) struct download d;
	CLEANUP(buf_free) struct buf script = { 0 };
	uint8_t challenge[SCP03_CHALLENGE] = { 5 }, reason = 0;
	struct bytes good, rest, answer = { 0 };
	struct tlv t = { 0 };

	download_open(&d);
	good = download_default(&d, "89001234567890123458", 0, 0);
	download_agree(&d, -1);
	cr_assert(scp03_begin(&d.s, &d.keys, &d.isdp, 1, challenge));
	scp03t_initialize_build(&script, &d.s);
	cr_assert(scp03t_authenticate_build(&d.s, &script));
	for (size_t at = 0; at < good.len; at += 500)
		cr_assert(scp03t_segment_build(&d.s, (struct bytes){ good.data + at, good.len - at < 500 ? good.len - at : 500 },
					       &script));
	wrapped(&script);
	cr_assert(download_run(&d, view(&script)));
	for (rest = view(&d.out); tlv_next(&rest, &t);)
		cr_assert(t.tag == 0x23 && !memcmp(t.value.data + t.value.len - 2, "\x90\x00", 2));
	t.value.len -= 2;
	cr_assert_eq(scp03t_segment_open(d.a, &d.s, NULL, t.value, &answer, &reason), SCP03_GOOD);
	cr_assert_gt(answer.len, 0);
	cr_assert_eq(download_profile(&d)->state, ISDP_DISABLED);
	cr_assert_not(download_segment(&d, good.len > 8 ? (struct bytes){ good.data, 8 } : good));
	check_error(&d, 0x9F46, SCP03T_REFERENCE);
}

/* One C-APDU in a 22; its status word, d->out then is the data. */
static uint16_t apdu_run(struct download *d, const struct buf *capdu)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	struct bytes rest;
	struct tlv t;
	uint16_t sw;

	tlv_add(&script, 0x22, capdu->data, capdu->len);
	(void)download_run(d, view(&script));
	rest = view(&d->out);
	cr_assert(tlv_next(&rest, &t));
	cr_assert_eq(t.tag, 0x23);
	cr_assert_eq(rest.len, 0);
	sw = (uint16_t)(t.value.data[t.value.len - 2] << 8 | t.value.data[t.value.len - 1]);
	rest = (struct bytes){ arena_memdup(d->a, t.value.data, t.value.len - 2), t.value.len - 2 };
	buf_clear(&d->out);
	buf_add(&d->out, rest.data, rest.len);
	return sw;
}

/* INITIALIZE UPDATE and EXTERNAL AUTHENTICATE. */
static void apdu_session(struct download *d)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	uint8_t challenge[SCP03_CHALLENGE] = { 7 };
	struct scp03_initialized answer;

	cr_assert(scp03_begin(&d->s, &d->keys, &d->isdp, ++d->sequence, challenge));
	scp03_initialize_build(&capdu, &d->s);
	cr_assert_eq(apdu_run(d, &capdu), SW_OK);
	cr_assert(scp03_initialized_parse(view(&d->out), &answer));
	cr_assert_eq(scp03_initialized_check(&d->s, &answer), SCP03_GOOD);
	buf_clear(&capdu);
	cr_assert(scp03_authenticate_build(&d->s, SCP03_LEVEL_FULL, &capdu));
	cr_assert_eq(apdu_run(d, &capdu), SW_OK);
}

static uint16_t store_secured(struct download *d, const char *hex)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };
	uint8_t data[255];
	const struct apdu c = { 0x80, 0xE2, 0x88, 0x00, { data, strlen(hex) / 2 }, false };
	struct bytes plain;
	uint16_t sw;

	cr_assert(hex_decode(hex, strlen(hex), data));
	cr_assert(scp03_wrap(&d->s, &c, &capdu));
	sw = apdu_run(d, &capdu);
	if (sw == SW_OK)
		cr_assert_eq(scp03_answer_open(d->a, &d->s, NULL, view(&d->out), sw, &plain), SCP03_GOOD);
	return sw;
}

Test(card_download, connectivity_parameters_are_stored_under_scp03)
{
	static const uint8_t kept[] = { 0xA0, 0x04, 0x06, 0x02, 0x91, 0x21 };
	CLEANUP(download_close) struct download d;
	CLEANUP(buf_free) struct buf plain = { 0 };
	const struct card_domain *domain;
	uint8_t digest[SHA256_LEN];

	download_open(&d);
	download_agree(&d, -1);
	apdu_session(&d);
	cr_assert_eq(store_secured(&d, "3A0706A00406029121"), SW_CONDITIONS, "it has no profile");
	cr_assert_eq(download_platform(&d, isdr_delete_profile), SW_OK);
	download_all(&d, -1, download_default(&d, "89001234567890123458", 0, 0));
	apdu_session(&d);
	cr_assert_eq(store_secured(&d, "3A0706A00406029121"), SW_OK);
	cr_assert_eq(store_secured(&d, "3A0706A30406029121"), SW_BAD_DATA);
	cr_assert_eq(store_secured(&d, "3A0606A00406029121"), SW_BAD_DATA);
	cr_assert_eq(store_secured(&d, "3A0704A0030602"), SW_BAD_DATA);
	apdu_build(&plain, &(struct apdu){ 0x80, 0xE2, 0x88, 0, { kept, sizeof(kept) }, false });
	cr_assert_eq(apdu_run(&d, &plain), SW_SECURITY, "not secured");
	memcpy(digest, download_profile(&d)->domain->digest, sizeof(digest));
	download_reload(&d);
	domain = download_profile(&d)->domain;
	cr_assert_eq(domain->n_connectivity, sizeof(kept));
	cr_assert(!memcmp(domain->connectivity, kept, sizeof(kept)));
	cr_assert(!memcmp(digest, domain->digest, sizeof(digest)));
	cr_assert_gt(domain->bytes, 0);
}

Test(card_download, a_damaged_or_missing_file_is_said)
{
	CLEANUP(download_close) struct download d;
	char error[CARD_ERROR] = "", path[300], other[320];
	FILE *f;

	download_open(&d);
	download_all(&d, -1, download_default(&d, "89001234567890123458", 0, 0));
	(void)snprintf(path, sizeof(path), "%s/%s-1-%u", d.isdps, d.c->eid.text, d.c->domain_versions[1]);
	(void)snprintf(other, sizeof(other), "%s.away", path);
	card_file_close(d.file);
	cr_assert_eq(rename(path, other), 0);
	cr_assert_null(card_file_open(d.batch, error));
	cr_assert_not_null(strstr(error, "missing or damaged"), "%s", error);
	cr_assert_not_null(strstr(error, path), "%s", error);
	cr_assert_eq(rename(other, path), 0);
	f = fopen(path, "r+");
	cr_assert(f && fseek(f, 400, SEEK_SET) == 0);
	cr_assert_eq(fputc(fgetc(f) ^ 1, f) == EOF, false);
	cr_assert_eq(fclose(f), 0);
	error[0] = '\0';
	cr_assert_null(card_file_open(d.batch, error));
	cr_assert_not_null(strstr(error, "missing or damaged"), "%s", error);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(unlink(arena_printf(d.a, "%s.state", d.batch)), 0);
	d.file = card_file_open(d.batch, error);
	cr_assert_not_null(d.file, "%s", error);
	d.c = card_file_card(d.file, 0);
}

Test(card_download, files_are_for_the_owner_alone_and_as_many_as_there_are_keys)
{
	CLEANUP(download_close) struct download d;
	char path[300];
	struct stat st;

	download_open(&d);
	download_agree(&d, -1);
	for (unsigned i = 1; i < 4; i++) {
		cr_assert_eq(d.c->domain_versions[1], i);
		(void)snprintf(path, sizeof(path), "%s/%s-1-%u", d.isdps, d.c->eid.text, i - 1);
		cr_assert_neq(access(path, F_OK), 0, "the one before is gone");
		(void)snprintf(path, sizeof(path), "%s/%s-1-%u", d.isdps, d.c->eid.text, i);
		cr_assert_eq(stat(path, &st), 0);
		cr_assert_eq(st.st_mode & 0777, 0600);
		download_session(&d);
	}
	cr_assert_eq(stat(d.isdps, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
}

/* A kill between a file and the record that names it, and between the record and the removal of the file before. */
Test(card_download, what_a_kill_leaves_goes_at_the_next_start)
{
	CLEANUP(download_close) struct download d;
	struct card_domains_old old;
	uint32_t version;

	download_open(&d);
	download_agree(&d, -1);
	version = d.c->domain_versions[1];
	download_profile(&d)->domain->sequence = 9;
	download_profile(&d)->domain->changed = true;
	cr_assert(card_domains_write(d.isdps, d.c, &old));
	cr_assert_eq(d.c->domain_versions[1], version + 1);
	download_reload(&d);
	cr_assert_eq(d.c->domain_versions[1], version, "no record names the newer one");
	cr_assert_eq(download_profile(&d)->domain->sequence, 0);
	cr_assert_neq(access(arena_printf(d.a, "%s/%s-1-%u", d.isdps, d.c->eid.text, version + 1), F_OK), 0);
	download_session(&d);
	cr_assert_eq(d.c->domain_versions[1], version + 1);
}
