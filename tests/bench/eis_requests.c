/* SPDX-License-Identifier: Apache-2.0 */
/* ES1-RegisterEIS requests of freshly made cards, for load and for tests; and what verifying one of their signatures costs.
 *
 *   eis-requests --pki DIR --count N --out FILE --eid-prefix 18-DIGITS --series DIGITS
 * writes N envelopes, each behind its length (4 bytes, little endian; series keeps the ICCIDs of several runs apart), and prints
 * {"verifies_per_s":...}: xml_verify_eum of one card's signature in a loop of one second on one core.
 *
 * Of the cards that an SM-SR must refuse, all with the right transport key:
 *   --eum NAME     signed by the key and certificate DIR/NAME.{key,pem}, not by DIR/eum/eum (extra/NAME: of rsp-certs --issue --eum)
 *   --ecasd NAME   the eUICC certificate alone is signed by the key of DIR/NAME
 *   --made-ago N   made N years ago; their certificates last 30
 * With --quick or one of these nothing is measured. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/crypto/keys.h"
#include "common/crypto/xmldsig.h"
#include "common/soap/envelope.h"
#include "services/eum/batch.h"

#define EUM_OID "1.3.6.1.4.1.99999.1"
#define SMSR_OID "1.3.6.1.4.1.99999.2"
#define ICCID_BODY "89882197"
#define YEAR_US (INT64_C(366) * 86400 * 1000000)

enum { PEM_MAX = 65536, CERT_YEARS = 30 };

struct order {
	const char *pki, *out, *eid_prefix, *series;
	const char *eum, *ecasd; /* below pki, without extension */
	int64_t count, made_ago;
	bool quick;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "eis-requests: %s\n", what);
	exit(1);
}

static const char *path_in(struct arena *a, const char *pki, const char *name)
{
	return arena_printf(a, "%s/%s", pki, name);
}

static struct secret key_file(const char *path)
{
	struct secret s;

	if (secret_read_file(path, PEM_MAX, &s))
		die(path);
	return s;
}

static struct bytes file_bytes(struct arena *a, const char *path)
{
	uint8_t *data = arena_alloc(a, PEM_MAX);
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		die(path);
	n = fread(data, 1, PEM_MAX, f);
	fclose(f);
	return (struct bytes){ data, n };
}

static struct ec_key *key_open(struct arena *a, const struct order *o, const char *name)
{
	struct secret pem = key_file(path_in(a, o->pki, arena_printf(a, "%s.key", name)));
	struct ec_key *key = ec_key_read(&pem);

	secret_free(&pem);
	if (!key)
		die(name);
	return key;
}

static void issuer_open(struct arena *a, const struct order *o, struct eum_issuer *out)
{
	const char *key = path_in(a, o->pki, arena_printf(a, "%s.key", o->eum));
	const char *cert = path_in(a, o->pki, arena_printf(a, "%s.pem", o->eum));
	struct bytes text = file_bytes(a, cert);
	struct cert_info info;
	char error[256];

	*out = (struct eum_issuer){ .cert_years = CERT_YEARS };
	if (!oid_parse(EUM_OID, &out->oid) || !cert_read(a, text.data, text.len, &info) || !cert_ski(info.der, out->key_id))
		die(cert);
	out->key = key_open(a, o, o->ecasd ? o->ecasd : o->eum);
	out->signer = xml_signer_open(key, cert, error);
	if (!out->signer)
		die(error);
	out->ca_id = eum_ca_id(a, &out->oid, out->key_id);
	out->kek = key_file(path_in(a, o->pki, "eum/kek.key"));
}

static void profile_order(struct eum_batch_profile *p, const char *mno, const char *digits, bool enabled, struct arena *a)
{
	p->order = (struct eum_profile_order){ .profile_type = "bench",
					       .iccid_prefix = arena_printf(a, "%s%s", ICCID_BODY, digits),
					       .imsi_prefix = arena_printf(a, "901%s", digits),
					       .msisdn_prefix = arena_printf(a, "8839%s", digits),
					       .enabled = enabled,
					       .memory = 32768 };
	if (!oid_parse(mno, &p->order.mno))
		die(mno);
}

static void batch_make(struct arena *a, const struct order *o, struct eum_batch *out)
{
	*out = (struct eum_batch){ .id = "bench",
				   .orderer = EUM_OID,
				   .name = "bench",
				   .quantity = o->count,
				   .eid_prefix = o->eid_prefix,
				   .platform_type = "bench",
				   .platform_version = "1.0.0",
				   .memory = 262144,
				   .http_support = true,
				   .n_profiles = 2 };
	if (!oid_parse(SMSR_OID, &out->smsr))
		die(SMSR_OID);
	out->profiles = arena_array(a, 2, sizeof(*out->profiles));
	profile_order(&out->profiles[0], "1.3.6.1.4.1.99999.5", arena_printf(a, "%s1", o->series), true, a);
	profile_order(&out->profiles[1], "1.3.6.1.4.1.99999.6", arena_printf(a, "%s2", o->series), false, a);
}

static void request_write(FILE *f, struct arena *a, const struct eum_card *card)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct es1_register_eis_rq rq = { .eis = card->eis };
	struct envelope e = { .from = "https://127.0.0.1/ES1",
			      .from_entity = EUM_OID,
			      .to = "https://127.0.0.1/es1",
			      .to_entity = SMSR_OID,
			      .action = "http://gsma.com/ES1/eUICCManagement/ES1-RegisterEISRequest" };
	char fci[UUID_TEXT];
	uint32_t n;

	uuid_new(fci);
	rq.base.fci = fci;
	e.message_id = message_id_new(a, EUM_OID, fci, NULL);
	envelope_open(&out, &e, NS_RPS_DEFAULT);
	bind_encode(&out, message_request(FN_ES1_RegisterEIS), &rq, BIND_PLAIN);
	envelope_close(&out);
	n = (uint32_t)out.len;
	if (fwrite(&n, 1, sizeof(n), f) != sizeof(n) || fwrite(out.data, 1, out.len, f) != out.len)
		die("the file cannot be written");
}

static double verify_rate(const struct eum_card *card, struct bytes ci)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	int64_t begun = clock_us(), now = clock_wall_us(), n = 0;

	for (; clock_us() - begun < 1000000; n++) {
		arena_reset(a);
		if (xml_verify_eum(a, &card->eis.info_octets, 1, card->eis.signature_octets, ci, (struct bytes){ 0 }, now)
			    .verdict != SIG_GOOD)
			die("a signature does not verify");
	}
	return (double)n * 1e6 / (double)(clock_us() - begun);
}

static void make(struct arena *keep, const struct order *o)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct secret transport = key_file(path_in(keep, o->pki, "transport/" EUM_OID "_" SMSR_OID ".key"));
	struct bytes ci = file_bytes(keep, path_in(keep, o->pki, "ci/ci.pem"));
	const int64_t made = clock_wall_us() - o->made_ago * YEAR_US;
	struct eum_issuer issuer;
	struct eum_batch batch;
	FILE *f = fopen(o->out, "we");

	if (!f)
		die(o->out);
	issuer_open(keep, o, &issuer);
	batch_make(keep, o, &batch);
	for (int64_t i = 0; i < o->count; i++) {
		struct eum_card card = { 0 };
		const char *why = "";

		arena_reset(a);
		if (!eum_card_make(a, &issuer, &transport, &batch, i, made, &card, &why))
			die(why);
		request_write(f, a, &card);
		if (i == 0 && !o->quick)
			printf("{\"verifies_per_s\":%.1f}\n", verify_rate(&card, ci));
		eum_card_free(&card);
	}
	if (fclose(f))
		die(o->out);
	xml_signer_free(issuer.signer);
	ec_key_free(issuer.key);
	secret_free(&issuer.kek);
	secret_free(&transport);
}

static bool option_take(int c, struct order *o)
{
	switch (c) {
	case 'p':
		return o->pki = optarg, true;
	case 'n':
		return o->count = atoll(optarg), true;
	case 'o':
		return o->out = optarg, true;
	case 'e':
		return o->eid_prefix = optarg, true;
	case 's':
		return o->series = optarg, true;
	case 'u':
		o->eum = optarg;
		break;
	case 'c':
		o->ecasd = optarg;
		break;
	case 'a':
		o->made_ago = atoll(optarg);
		break;
	case 'q':
		break;
	default:
		return false;
	}
	return o->quick = true;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "pki", required_argument, NULL, 'p' },    { "count", required_argument, NULL, 'n' },
		{ "out", required_argument, NULL, 'o' },    { "eid-prefix", required_argument, NULL, 'e' },
		{ "series", required_argument, NULL, 's' }, { "eum", required_argument, NULL, 'u' },
		{ "ecasd", required_argument, NULL, 'c' },  { "made-ago", required_argument, NULL, 'a' },
		{ "quick", no_argument, NULL, 'q' },        { 0 }
	};
	CLEANUP(arena_freep) struct arena *keep = arena_new();
	struct order o = { .eum = "eum/eum" };

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
		if (!option_take(c, &o))
			return 2;
	if (!o.pki || !o.out || !o.eid_prefix || !o.series || o.count < 1) {
		(void)fprintf(stderr, "eis-requests: --pki, --count, --out, --eid-prefix and --series are needed\n");
		return 2;
	}
	if (!xmldsig_open())
		die("xmlsec does not start");
	make(keep, &o);
	xmldsig_close();
	return 0;
}
