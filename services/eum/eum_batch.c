/* SPDX-License-Identifier: Apache-2.0 */
/* What a card is: identity and keys of the ECASD, keys of the ISD-R, profiles from the factory, and the EIS that says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hex.h"
#include "common/base/random.h"
#include "common/crypto/keys.h"
#include "common/soap/envelope.h"
#include "services/eum/batch.h"

enum {
	EID_COUNTER = 12, /* digits of the individual number */
	ICCID_BODY = 18,
	NUMBER_DIGITS = 15,
	SERIAL_LEN = 8,
	CA_ID_MAX = 16,
	FIRST_ISDP_TAR = 0x000010,
	USEC = 1000000,
};

static const uint8_t TAR_ISDR[3] = { 0x00, 0x00, 0x01 }, TAR_ECASD[3] = { 0x00, 0x00, 0x02 };
static const uint8_t SDIN_ISDR[2] = { 0x00, 0x01 }, SDIN_ECASD[2] = { 0x00, 0x02 };
static const uint8_t USAGE_AGREE[2] = { 0x00, 0x80 };
/* Specifications that our cards follow. */
#define HTTP_VERSION "1.1.2"
#define SECURE_PACKET_VERSION "9.0.0"
#define RSP_VERSION "4.2.0"

/* The five keys: SCP80 for encryption, signature and key encryption; SCP81 for the PSK and its key encryption. */
static const struct {
	int version, index;
	uint8_t type;
} key_plan[EUM_CARD_KEYS] = {
	{ EUM_SCP80_VERSION, 1, KEY_TYPE_AES },     { EUM_SCP80_VERSION, 2, KEY_TYPE_AES }, { EUM_SCP80_VERSION, 3, KEY_TYPE_AES },
	{ EUM_SCP81_VERSION, 1, KEY_TYPE_PSK_TLS }, { EUM_SCP81_VERSION, 2, KEY_TYPE_AES },
};

/* prefix and number with leading zeros, digits in all; NULL: does not fit. */
static char *number_text(struct arena *a, const char *prefix, int64_t number, size_t digits)
{
	size_t n = strlen(prefix);
	char *text = arena_printf(a, "%s%0*lld", prefix, n < digits ? (int)(digits - n) : 0, (long long)number);

	return strlen(text) == digits ? text : NULL;
}

/* One arc of an OID in base 128; false: out is full or not a number. */
static bool arc_add(uint64_t arc, uint8_t *out, size_t *n)
{
	unsigned shift = 63;

	while (shift && !(arc >> shift))
		shift -= 7;
	for (;; shift -= 7) {
		if (*n == CA_ID_MAX)
			return false;
		out[(*n)++] = (uint8_t)((arc >> shift & 0x7F) | (shift ? 0x80 : 0));
		if (!shift)
			return true;
	}
}

static bool oid_content(const char *text, uint8_t *out, size_t *out_n)
{
	uint64_t first = 0;
	size_t n = 0;

	for (unsigned i = 0; *text; i++) {
		char *end;
		uint64_t arc = strtoull(text, &end, 10);

		if (arc >> 62 || (i == 0 && arc > 2) || (i == 1 && first < 2 && arc > 39))
			return false;
		if (i == 0)
			first = arc;
		else if (!arc_add(i == 1 ? first * 40 + arc : arc, out, &n))
			return false;
		text = *end ? end + 1 : end;
	}
	*out_n = n;
	return n > 0;
}

struct bytes eum_ca_id(struct arena *a, const struct oid *oid, const uint8_t key_id[20])
{
	uint8_t out[CA_ID_MAX];
	size_t n;

	if (oid_content(oid->text, out, &n))
		return (struct bytes){ arena_memdup(a, out, n), n };
	return (struct bytes){ arena_memdup(a, key_id, CA_ID_MAX), CA_ID_MAX };
}

/* YYYYMMDD, years later; 29 February becomes the 28th. */
static char *date_text(struct arena *a, int64_t wall_us, unsigned years)
{
	char t[DATETIME_MAX];
	char *date;

	datetime_format(wall_us, t);
	date = arena_printf(a, "%04d%.2s%.2s", atoi(t) + (int)years, t + 5, t + 8);
	if (years && !strcmp(date + 4, "0229"))
		date[7] = '8';
	return date;
}

static struct bytes certificate_make(struct arena *a, const struct eum_issuer *issuer, const struct eid *eid,
				     const struct ec_key *key, int64_t now_us)
{
	uint8_t serial[SERIAL_LEN], subject[EID_DIGITS / 2];
	struct gp_cert c = { .ca_id = issuer->ca_id,
			     .key_usage = { USAGE_AGREE, sizeof(USAGE_AGREE) },
			     .effective = date_text(a, now_us, 0),
			     .expires = date_text(a, now_us, issuer->cert_years),
			     .role = GP_ROLE_NONE,
			     .authority = { issuer->key_id, sizeof(issuer->key_id) } };

	random_bytes(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x3F) | 0x40); /* always positive and of full length */
	if (!hex_decode(eid->text, EID_DIGITS, subject))
		return (struct bytes){ 0 };
	c.serial = (struct bytes){ serial, sizeof(serial) };
	c.subject = (struct bytes){ subject, sizeof(subject) };
	ec_key_public(key, c.point);
	return gp_cert_build(a, &c, issuer->key);
}

static struct bytes byte_of(struct arena *a, uint8_t b)
{
	return (struct bytes){ arena_memdup(a, &b, 1), 1 };
}

/* The first eight digits of an EID name its issuer. */
static struct bytes issuer_number(struct arena *a, const struct eid *eid)
{
	uint8_t sin[4];

	return hex_decode(eid->text, 8, sin) ? (struct bytes){ arena_memdup(a, sin, sizeof(sin)), sizeof(sin) }
					     : (struct bytes){ 0 };
}

static void domain_make(struct arena *a, const struct eid *eid, enum sd_role role, struct security_domain *out)
{
	bool isdr = role == SD_ISDR;

	out->aid = isdr ? AID_ISDR : AID_ECASD;
	out->tars = ARENA_NEW(a, struct bytes);
	out->tars[0] = (struct bytes){ isdr ? TAR_ISDR : TAR_ECASD, sizeof(TAR_ISDR) };
	out->n_tars = 1;
	out->sin = issuer_number(a, eid);
	out->sdin = (struct bytes){ isdr ? SDIN_ISDR : SDIN_ECASD, sizeof(SDIN_ISDR) };
	out->role = role;
}

static enum keyset_type *type_of(struct arena *a, enum keyset_type type)
{
	return arena_memdup(a, &type, sizeof(type));
}

static void ecasd_make(struct arena *a, const struct eum_issuer *issuer, const struct eid *eid, struct bytes certificate,
		       struct security_domain *out)
{
	struct keyset *set = ARENA_NEW(a, struct keyset);

	domain_make(a, eid, SD_ECASD, out);
	set->version = EUM_ECASD_VERSION;
	set->type = type_of(a, KEYSET_CA);
	set->certificates = ARENA_NEW(a, struct gp_certificate);
	set->certificates[0] = (struct gp_certificate){ .index = 1, .ca = issuer->oid, .value = certificate };
	set->n_certificates = 1;
	out->keysets = set;
	out->n_keysets = 1;
}

static bool key_row(struct arena *a, const struct secret *transport, const struct eum_card_key *k, struct key *out)
{
	struct key_component *component = ARENA_NEW(a, struct key_component);

	component->type = byte_of(a, k->type);
	if (!transport_wrap(transport, k->key.data, k->key.len, a, &component->value))
		return false;
	*out = (struct key){ .kcv = { arena_memdup(a, k->kcv, sizeof(k->kcv)), sizeof(k->kcv) },
			     .index = k->index,
			     .components = component,
			     .n_components = 1 };
	return true;
}

/* Key sets as the plan groups them, each key wrapped for the SM-SR. */
static bool isdr_make(struct arena *a, const struct secret *transport, const struct eum_card *card, struct security_domain *out)
{
	domain_make(a, &card->eid, SD_ISDR, out);
	out->keysets = arena_array(a, card->n_keys, sizeof(*out->keysets));
	for (size_t i = 0; i < card->n_keys; i++) {
		const struct eum_card_key *k = &card->keys[i];
		struct keyset *set;

		if (i == 0 || card->keys[i - 1].version != k->version) {
			set = &out->keysets[out->n_keysets++];
			set->version = k->version;
			set->type = type_of(a, k->version == EUM_SCP80_VERSION ? KEYSET_SCP80 : KEYSET_SCP81);
			if (k->version == EUM_SCP80_VERSION)
				set->counter = ARENA_NEW(a, int64_t);
			set->keys = arena_array(a, card->n_keys, sizeof(*set->keys));
		}
		set = &out->keysets[out->n_keysets - 1];
		if (!key_row(a, transport, k, &set->keys[set->n_keys++]))
			return false;
	}
	return true;
}

static bool keys_make(struct eum_card *card, bool http)
{
	for (size_t i = 0; i < EUM_CARD_KEYS; i++) {
		struct eum_card_key *k = &card->keys[i];

		if (key_plan[i].version == EUM_SCP81_VERSION && !http)
			continue;
		k->version = key_plan[i].version;
		k->index = key_plan[i].index;
		k->type = key_plan[i].type;
		k->key = secret_new(EUM_KEY_LEN);
		card->n_keys++;
		random_bytes(k->key.data, k->key.len);
		if (!key_kcv(k->type, k->key.data, k->key.len, k->kcv))
			return false;
	}
	return true;
}

/* The bootstrap keeps the card reachable: enabled, fall-back, never deleted. */
static bool profile_make(struct arena *a, const struct eum_batch_profile *p, int64_t index, uint32_t tar, struct profile_info *out)
{
	static const struct pol2_rule keep = { POL2_PROFILE, POL2_DELETE, POL2_NOT_ALLOWED };
	const char *body = number_text(a, p->order.iccid_prefix, p->iccid_first + index, ICCID_BODY);

	if (!body || !iccid_complete(body, &out->iccid))
		return false;
	if (p->order.imsi_prefix) {
		out->address.imsi = number_text(a, p->order.imsi_prefix, p->imsi_first + index, NUMBER_DIGITS);
		if (!out->address.imsi)
			return false;
	}
	if (p->order.msisdn_prefix) {
		out->address.msisdn = number_text(a, p->order.msisdn_prefix, p->msisdn_first + index, NUMBER_DIGITS);
		if (!out->address.msisdn)
			return false;
	}
	out->isdp_aid = aid_isdp(tar);
	out->mno = p->order.mno;
	out->fallback = p->order.enabled;
	out->state = p->order.enabled ? PROFILE_ENABLED : PROFILE_DISABLED;
	out->profile_type = p->order.profile_type;
	out->allocated_memory = p->order.memory;
	if (p->order.enabled) {
		out->pol2.rules = arena_memdup(a, &keep, sizeof(keep));
		out->pol2.n_rules = 1;
	}
	return true;
}

static bool profiles_make(struct arena *a, const struct eum_batch *batch, int64_t index, struct eis *eis)
{
	eis->profiles = arena_array(a, batch->n_profiles, sizeof(*eis->profiles));
	eis->n_profiles = batch->n_profiles;
	eis->available_memory = batch->memory;
	eis->remaining_memory = batch->memory;
	for (size_t i = 0; i < batch->n_profiles; i++) {
		if (!profile_make(a, &batch->profiles[i], index, FIRST_ISDP_TAR + (uint32_t)i, &eis->profiles[i]))
			return false;
		eis->remaining_memory -= eis->profiles[i].allocated_memory;
	}
	return true;
}

static void info_make(struct arena *a, const struct eum_issuer *issuer, const struct eum_batch *batch, const struct eum_card *card,
		      int64_t now_us, struct eum_signed_info *out)
{
	out->eid = card->eid;
	out->eum = issuer->oid;
	out->production_date = now_us - now_us % USEC;
	out->platform_type = batch->platform_type;
	out->platform_version = batch->platform_version;
	out->isdp_loadfile_aid = AID_ISDP_LOADFILE;
	out->isdp_module_aid = AID_ISDP_MODULE;
	out->capabilities = (struct euicc_capabilities){ .http_support = batch->http_support,
							 .http_version = batch->http_support ? HTTP_VERSION : NULL,
							 .secure_packet_version = SECURE_PACKET_VERSION,
							 .remote_provisioning_version = RSP_VERSION };
	ecasd_make(a, issuer, &card->eid, card->certificate, &out->ecasd);
}

/* The row of a group's table by element name. */
static const struct bind_field *field_find(const struct bind_group *g, const char *name)
{
	const struct bind_field *f = g->fields;

	while (f->name && strcmp(f->name, name) != 0)
		f++;
	return f->name ? f : NULL;
}

/* EumSignedInfo as ES1 carries it: one table for building, sending and checking. */
static const struct bind_group *info_group(void)
{
	const struct bind_message *m = message_request(FN_ES1_RegisterEIS);
	const struct bind_field *eis = m ? field_find(m->group, "Eis") : NULL;
	const struct bind_field *info = eis ? field_find(eis->sub, "EumSignedInfo") : NULL;

	return info ? info->sub : NULL;
}

static bool eis_sign(struct arena *a, const struct eum_issuer *issuer, struct eis *eis)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	const struct bind_group *g = info_group();

	if (!g)
		return false;
	bind_encode_group(&text, "EumSignedInfo", NS_RPS_DEFAULT, g, &eis->info);
	return xml_sign_eum(issuer->signer, a, (struct bytes){ (const uint8_t *)text.data, text.len }, &eis->info_octets,
			    &eis->signature_octets);
}

static const char *card_build(struct arena *a, const struct eum_issuer *issuer, const struct secret *transport,
			      const struct eum_batch *batch, int64_t index, int64_t now_us, struct eum_card *card)
{
	CLEANUP(ec_key_freep) struct ec_key *ecasd = ec_key_new();
	const char *body = number_text(a, batch->eid_prefix, batch->eid_first + index, strlen(batch->eid_prefix) + EID_COUNTER);

	if (!body || strlen(body) != EID_DIGITS - 2 || !eid_complete(body, &card->eid))
		return "no EID is left in the batch's range";
	if (!ecasd)
		return "no ECASD key pair";
	card->ecasd = ec_key_scalar(ecasd);
	card->certificate = certificate_make(a, issuer, &card->eid, ecasd, now_us);
	if (card->certificate.len == 0)
		return "no eUICC certificate";
	if (!keys_make(card, batch->http_support))
		return "no key check value";
	if (!profiles_make(a, batch, index, &card->eis))
		return "no number is left for a profile";
	card->eis.smsr = batch->smsr;
	card->eis.properties = batch->properties;
	if (!isdr_make(a, transport, card, &card->eis.isdr))
		return "the transport key is not usable";
	info_make(a, issuer, batch, card, now_us, &card->eis.info);
	return eis_sign(a, issuer, &card->eis) ? NULL : "no EUM signature";
}

bool eum_card_make(struct arena *a, const struct eum_issuer *issuer, const struct secret *transport, const struct eum_batch *batch,
		   int64_t index, int64_t now_us, struct eum_card *out, const char **out_why)
{
	struct eum_card card = { 0 };
	const char *why = card_build(a, issuer, transport, batch, index, now_us, &card);

	if (why) {
		eum_card_free(&card);
		*out_why = why;
		return false;
	}
	*out = card;
	return true;
}

void eum_card_free(struct eum_card *card)
{
	secret_free(&card->ecasd);
	for (size_t i = 0; i < card->n_keys; i++)
		secret_free(&card->keys[i].key);
}
