/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/download.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/hex.h"
#include "common/base/random.h"

static struct bytes view(const struct buf *b)
{
	return (struct bytes){ (const uint8_t *)b->data, b->len };
}

static void file_open(struct download *d)
{
	char error[CARD_ERROR] = "?";

	d->file = card_file_open(d->batch, error);
	cr_assert_not_null(d->file, "%s", error);
	cr_assert_eq(card_file_count(d->file), 1);
	d->c = card_file_card(d->file, 0);
}

static void batch_write(struct download *d, const struct ec_key *ecasd)
{
	CLEANUP(secret_free) struct secret scalar = ec_key_scalar(ecasd);
	struct aid boot = aid_isdp(0x10);
	uint8_t ci[P256_POINT];
	struct eid eid;
	FILE *f = fopen(d->batch, "w");

	cr_assert_not_null(f);
	cr_assert(eid_complete("890010120123412340123456789012", &eid));
	ec_key_public(d->ci, ci);
	cr_assert_gt(
		fprintf(f,
			"{\"eid\":\"%s\",\"ecasd_key\":\"%s\",\"ci_public_key\":\"%s\",\"isdr_keys\":[],\"profiles\":[{\"iccid\":"
			"\"" BOOT_ICCID
			"\",\"aid\":\"%s\",\"state\":\"Enabled\",\"fallback\":true,\"memory\":%d,\"imsi\":null,\"msisdn\":\"491\","
			"\"pol1\":[]}],\"memory\":%d,\"remaining_memory\":%d,\"http\":true}\n",
			eid.text, hex_text(d->a, scalar.data, scalar.len), hex_text(d->a, ci, sizeof(ci)),
			hex_text(d->a, boot.data, boot.len), BOOT_MEMORY, DOWNLOAD_MEMORY, DOWNLOAD_MEMORY - BOOT_MEMORY),
		0);
	cr_assert_eq(fclose(f), 0);
}

void download_open(struct download *d)
{
	CLEANUP(ec_key_freep) struct ec_key *ecasd = ec_key_new();

	*d = (struct download){ .a = arena_new(), .ci = ec_key_new(), .dp = ec_key_new(), .isdp = aid_isdp(0x13) };
	(void)snprintf(d->folder, sizeof(d->folder), "/tmp/download-XXXXXX");
	cr_assert_not_null(mkdtemp(d->folder));
	(void)snprintf(d->batch, sizeof(d->batch), "%s/1.jsonl", d->folder);
	(void)snprintf(d->isdps, sizeof(d->isdps), "%s.isdp", d->batch);
	ec_key_public(ecasd, d->ecasd);
	batch_write(d, ecasd);
	d->cert = download_cert(d, d->ci, GP_ROLE_SM_DP);
	file_open(d);
	card_power(d->c, true);
	cr_assert(card_attached(d->c, true));
	download_save(d);
}

/* Deletes what is still there, so that no file may be left. */
static void empty(struct download *d)
{
	for (uint8_t i = 1; i < CARD_PROFILES; i++)
		if (d->c->profiles[i].aid.len)
			card_wipe(d->c, i);
	download_save(d);
}

void download_close(struct download *d)
{
	empty(d);
	card_file_close(d->file);
	ec_key_free(d->ci);
	ec_key_free(d->dp);
	buf_free(&d->out);
	ka_host_wipe(&d->host);
	(void)rmdir(d->isdps);
	(void)unlink(d->batch);
	(void)unlink(arena_printf(d->a, "%s.state", d->batch));
	cr_assert_eq(rmdir(d->folder), 0, "a file was left behind");
	arena_free(d->a);
}

void download_reload(struct download *d)
{
	card_file_close(d->file);
	file_open(d);
	(void)card_attached(d->c, true);
}

void download_save(struct download *d)
{
	cr_assert(card_file_save(d->file, d->c));
}

struct bytes download_cert(struct download *d, const struct ec_key *ci, uint8_t role)
{
	static const uint8_t serial[] = { 1, 2, 3 }, id[] = { 0x2A, 4 }, usage[] = { 0x88 };
	struct gp_cert cert = { .serial = { serial, sizeof(serial) },
				.ca_id = { id, sizeof(id) },
				.subject = { id, sizeof(id) },
				.key_usage = { usage, sizeof(usage) },
				.expires = "20200101", /* long past: cards have no clock */
				.role = role };
	struct bytes made;

	ec_key_public(d->dp, cert.point);
	made = gp_cert_build(d->a, &cert, ci);
	cr_assert_gt(made.len, 0);
	return made;
}

static bool strikes(void *ctx, enum card_fault fault, size_t element)
{
	struct download *d = ctx;

	if (!d->faults[fault] || (fault == CARD_FAULT_ELEMENT && element != d->element))
		return false;
	d->faults[fault]--;
	return true;
}

static const struct card_faults *faults_of(struct download *d)
{
	struct card_faults *f = arena_alloc(d->a, sizeof(*f));

	*f = (struct card_faults){ strikes, d };
	return f;
}

uint16_t download_execute(struct download *d, const struct buf *capdu)
{
	uint16_t sw;

	buf_clear(&d->out);
	d->effects = (struct card_effects){ .faults = faults_of(d), .secured = d->secured };
	sw = card_execute(d->c, view(capdu), &d->out, &d->effects);
	if (d->effects.changed)
		download_save(d);
	return sw;
}

uint16_t download_create(struct download *d, int64_t quota)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	isdr_create_isdp(&capdu, &d->isdp, quota);
	return download_execute(d, &capdu);
}

uint16_t download_install(struct download *d)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	ka_install_build(&capdu, &d->isdp);
	return download_execute(d, &capdu);
}

uint16_t download_certificate(struct download *d, struct bytes cert)
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	cr_assert(ka_certificate_build(&capdu, cert));
	return download_execute(d, &capdu);
}

uint16_t download_request(struct download *d, const struct ka_template *t)
{
	static const uint8_t none[KA_CHALLENGE_MIN];
	CLEANUP(buf_free) struct buf capdu = { 0 };
	struct bytes rc = { none, sizeof(none) };

	(void)ka_challenge_parse(view(&d->out), &rc);
	cr_assert(ka_host_start(&d->host, t));
	cr_assert(ka_host_request(&d->host, rc, d->dp, &capdu));
	return download_execute(d, &capdu);
}

enum ka_verdict download_finish(struct download *d)
{
	struct ka_identity identity = { { { 0x89, 0x00, 0x10, 0x12 }, 4 }, { { 0, 2 }, 2 } };
	struct ka_answer answer;

	cr_assert(ka_answer_parse(view(&d->out), &answer));
	return ka_host_finish(&d->host, d->ecasd, &identity, &answer, &d->keys);
}

void download_agree(struct download *d, int64_t quota)
{
	const struct ka_template t = ka_template_isdp(0x30);

	cr_assert_eq(download_create(d, quota), SW_OK);
	cr_assert(isdr_created_parse(view(&d->out)));
	cr_assert_eq(download_install(d), SW_OK);
	cr_assert_eq(download_certificate(d, d->cert), SW_OK);
	cr_assert_eq(download_request(d, &t), SW_OK);
	cr_assert_eq(download_finish(d), KA_GOOD);
	d->sequence = 0;
}

bool download_run(struct download *d, struct bytes commands)
{
	bool go_on = true;
	struct tlv t;

	buf_clear(&d->out);
	d->effects = (struct card_effects){ .faults = faults_of(d) };
	while (go_on && commands.len) {
		cr_assert(tlv_next(&commands, &t));
		go_on = card_isdp_execute(d->c, &d->isdp, &t, &d->out, &d->effects);
	}
	if (d->effects.changed)
		download_save(d);
	return go_on;
}

void download_session(struct download *d)
{
	CLEANUP(buf_free) struct buf script = { 0 };
	uint8_t challenge[SCP03_CHALLENGE], reason = 0;
	struct scp03_initialized answer;
	struct bytes rest, first, second;
	struct tlv t;

	random_bytes(challenge, sizeof(challenge));
	cr_assert(scp03_begin(&d->s, &d->keys, &d->isdp, ++d->sequence, challenge));
	scp03t_initialize_build(&script, &d->s);
	cr_assert(scp03t_authenticate_build(&d->s, &script));
	cr_assert(download_run(d, view(&script)));
	rest = first = view(&d->out);
	cr_assert(tlv_next(&rest, &t));
	first.len -= rest.len;
	second = rest;
	cr_assert_eq(scp03t_initialized_open(&d->s, first, &answer, &reason), SCP03_GOOD);
	cr_assert_eq(scp03t_authenticated_open(&d->s, second, &reason), SCP03_GOOD);
}

bool download_segment(struct download *d, struct bytes plain)
{
	CLEANUP(buf_free) struct buf script = { 0 };

	cr_assert(scp03t_segment_build(&d->s, plain, &script));
	return download_run(d, view(&script));
}

struct euicc_response download_package(struct download *d, struct bytes package, size_t piece)
{
	struct euicc_response r = { 0 };
	struct bytes answer = { 0 };
	const char *why = "";
	uint8_t reason = 0;

	while (package.len && !answer.len) {
		size_t n = package.len < piece ? package.len : piece;

		(void)download_segment(d, (struct bytes){ package.data, n });
		cr_assert_eq(scp03t_segment_open(d->a, &d->s, NULL, view(&d->out), &answer, &reason), SCP03_GOOD, "reason %u",
			     reason);
		package = (struct bytes){ package.data + n, package.len - n };
	}
	cr_assert_gt(answer.len, 0, "the card says nothing of the package");
	cr_assert(euicc_response_parse(d->a, answer, &r, &why), "%s", why);
	if (euicc_response_ok(&r))
		cr_assert_eq(package.len, 0);
	return r;
}

void download_all(struct download *d, int64_t quota, struct bytes package)
{
	struct euicc_response r;

	download_agree(d, quota);
	download_session(d);
	r = download_package(d, package, SCP03T_PLAIN_MAX);
	cr_assert(euicc_response_ok(&r), "%s", euicc_response_explain(d->a, &r, NULL));
}

struct bytes download_default(struct download *d, const char *iccid, uint8_t pol1, size_t bytes)
{
	CLEANUP(secret_free) struct secret made = { 0 };
	CLEANUP(buf_free) struct buf type = { 0 };
	struct profile_fault fault = { 0 };
	struct profile_package p;
	struct iccid parsed;
	struct profile_variables v = { .iccid = &parsed, .imsi = "001019876543210", .has_pol1 = true, .pol1 = pol1 };

	cr_assert(iccid_parse(iccid, &parsed));
	profile_default_build(&type, bytes);
	cr_assert(profile_package_parse(d->a, view(&type), &p, &fault), "%s", profile_fault_text(d->a, &fault));
	cr_assert(profile_personalise(&p, &v, &made, &fault), "%s", profile_fault_text(d->a, &fault));
	return (struct bytes){ arena_memdup(d->a, made.data, made.len), made.len };
}

struct card_profile *download_profile(struct download *d)
{
	return card_profile_of(d->c, &d->isdp);
}

uint16_t download_platform(struct download *d, void (*build)(struct buf *out, const struct aid *isdp))
{
	CLEANUP(buf_free) struct buf capdu = { 0 };

	build(&capdu, &d->isdp);
	return download_execute(d, &capdu);
}
