/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys and certificates a staging has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/random.h"
#include "services/certs/certs.h"

enum { KEK_LEN = 32, TRANSPORT_LEN = 16, GP_SERIAL = 8, SKI_LEN = 20, OID_BYTES_MAX = 16 };

const struct entity entities[] = {
	{ "eum", "1.3.6.1.4.1.99999.1", "eum", 0 },
	{ "sm-sr", "1.3.6.1.4.1.99999.2", "sm-sr", 'a' },
	{ "sm-sr-b", "1.3.6.1.4.1.99999.3", "sm-sr", 'b' },
	{ "sm-dp", "1.3.6.1.4.1.99999.4", "sm-dp", 0 },
	{ "operator-a", "1.3.6.1.4.1.99999.5", "operator", 0 },
	{ "operator-b", "1.3.6.1.4.1.99999.6", "operator", 0 },
	{ "m2m-sp", "1.3.6.1.4.1.99999.7", "m2m-sp", 0 },
};
const unsigned n_entities = LEN(entities);

struct cas {
	struct issuer ci, tls;
};

static void cas_free(struct cas *c)
{
	issuer_free(&c->ci);
	issuer_free(&c->tls);
}

static struct pki_cert end_cert(const struct order *o, const char *cn, const char *alt_names)
{
	return (struct pki_cert){
		.kind = PKI_END,
		.cn = cn,
		.alt_names = alt_names,
		.not_before = o->now_us - DAY_US, /* hosts whose clocks are a little behind */
		.not_after = o->now_us + o->days * DAY_US,
	};
}

static bool tls_make(const struct order *o, const char *name, const struct issuer *ca)
{
	/* *.NAME.internal: what stands in front of an entity or beside it, where each process has a name of its own (docker-compose.yml). */
	char *names = arena_printf(o->a, "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:%s,DNS:*.%s.internal", name, name);
	struct pki_cert c = end_cert(o, name, names);

	c.server = true;
	return pair_make(o, name, "tls-server", &c, ca, NULL);
}

/* In folder; name: whom it names. */
static bool client_make(const struct order *o, const char *folder, const char *base, const char *name, const struct issuer *ca)
{
	struct pki_cert c = end_cert(o, name, arena_printf(o->a, "DNS:%s", name));

	c.client = true;
	return pair_make(o, folder, base, &c, ca, NULL);
}

/* An SM-SR's second process has a user of its own on the bus of its domain: sm-sr-handover, or sm-sr-handover-b. */
static bool handover_make(const struct order *o, const struct entity *e, const struct issuer *ca)
{
	const char *name = arena_printf(o->a, "sm-sr-handover%s", e->name + strlen(e->role));

	return strcmp(e->role, "sm-sr") != 0 || client_make(o, e->name, "nats-handover", name, ca);
}

static bool kek_make(const struct order *o, const struct entity *e)
{
	return file_random(path_in(o, e->name, "kek.key"), KEK_LEN);
}

/* DER content of a dotted OID: what a GP certificate names its subject by. 0: more than 16 bytes. */
static size_t oid_bytes(const char *text, uint8_t out[OID_BYTES_MAX])
{
	char *end;
	unsigned long first = strtoul(text, &end, 10);
	size_t n = 0;

	for (bool second = true; *end == '.'; second = false) {
		unsigned long arc = strtoul(end + 1, &end, 10) + (second ? 40 * first : 0);
		unsigned groups = 1;

		for (unsigned long rest = arc >> 7; rest; rest >>= 7)
			groups++;
		if (n + groups > OID_BYTES_MAX)
			return 0;
		while (groups-- > 0)
			out[n++] = (uint8_t)((arc >> (7 * groups) & 0x7f) | (groups ? 0x80 : 0));
	}
	return n;
}

static void gp_date(int64_t us, char out[9])
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(out, 9, "%Y%m%d", &tm);
}

/* CERT.DP.ECDSA or CERT.SR.ECDSA: what the card checks with the CI's key. */
static bool gp_make(const struct order *o, const struct entity *e, const char *file, uint8_t role, const struct issuer *subject,
		    const struct issuer *ci)
{
	char *path = path_in(o, e->name, file), from[9], until[9];
	uint8_t serial[GP_SERIAL], ski[SKI_LEN], oid[OID_BYTES_MAX];
	struct gp_cert c = {
		.serial = { serial, sizeof(serial) },
		.ca_id = { (const uint8_t *)"m2m-rsp CI", strlen("m2m-rsp CI") },
		.subject = { oid, oid_bytes(e->oid, oid) },
		.key_usage = { (const uint8_t *)"\x88", 1 },
		.effective = from,
		.expires = until,
		.role = role,
		.authority = { ski, sizeof(ski) },
	};
	struct bytes tlv;

	if (file_exists(path))
		return true;
	if (!cert_ski(ci->der, ski))
		return complain("has no SubjectKeyIdentifier", path_in(o, "ci", "ci.pem"), "remove the ci folder to make a new CI");
	random_bytes(serial, sizeof(serial));
	gp_date(o->now_us - DAY_US, from);
	gp_date(o->now_us + o->days * DAY_US, until);
	ec_key_public(subject->key, c.point);
	tlv = gp_cert_build(o->a, &c, ci->key);
	return tlv.len ? file_write(path, tlv.data, tlv.len) : complain("cannot be built", path, "check --days");
}

static bool rsp_cert_make(const struct order *o, const struct entity *e, const char *base, const char *gp_file, uint8_t role,
			  const struct issuer *ci)
{
	struct pki_cert c = end_cert(o, e->name, arena_printf(o->a, "RID:%s", e->oid));
	CLEANUP(issuer_free) struct issuer own = { 0 };

	return pair_make(o, e->name, base, &c, ci, &own) && gp_make(o, e, gp_file, role, &own, ci);
}

static bool transport_make(const struct order *o, const struct entity *giver, const struct entity *taker)
{
	char *file = arena_printf(o->a, "%s_%s.key", giver->oid, taker->oid);

	return folder_make(arena_printf(o->a, "%s/transport", o->out)) && file_random(path_in(o, "transport", file), TRANSPORT_LEN);
}

/* One with every entity that hands it keys: EUMs to an SM-SR, operators to an SM-DP. */
static bool transports_make(const struct order *o, const char *giver_role, const struct entity *taker)
{
	for (unsigned i = 0; i < n_entities; i++)
		if (strcmp(entities[i].role, giver_role) == 0 && !transport_make(o, &entities[i], taker))
			return false;
	return true;
}

static bool role_make(const struct order *o, const struct entity *e, const struct issuer *ci)
{
	struct pki_cert eum = end_cert(o, e->name, arena_printf(o->a, "RID:%s", e->oid));

	if (strcmp(e->role, "eum") == 0) {
		eum.kind = PKI_SUB_CA;
		return pair_make(o, e->name, "eum", &eum, ci, NULL) && kek_make(o, e);
	}
	if (strcmp(e->role, "sm-dp") == 0)
		return rsp_cert_make(o, e, "dp", "cert.dp.gp", GP_ROLE_SM_DP, ci) && kek_make(o, e) &&
		       transports_make(o, "operator", e);
	if (strcmp(e->role, "sm-sr") == 0)
		return rsp_cert_make(o, e, "sr", "cert.sr.gp", GP_ROLE_SM_SR, ci) && kek_make(o, e) && transports_make(o, "eum", e);
	return true;
}

static bool entity_make(const struct order *o, const struct entity *e, const struct cas *cas)
{
	return tls_make(o, e->name, &cas->tls) && client_make(o, e->name, "tls-client", e->name, &cas->tls) &&
	       client_make(o, e->name, "nats", e->name, &cas->tls) && handover_make(o, e, &cas->tls) && role_make(o, e, &cas->ci) &&
	       registry_make(o, e);
}

static bool wanted(const struct order *o, const struct entity *e)
{
	if (o->only && strcmp(o->only, e->name) != 0)
		return false;
	return !o->domain || !e->domain || o->domain[0] == e->domain;
}

bool staging_make(const struct order *o)
{
	CLEANUP(cas_free) struct cas cas = { 0 };

	if (!ca_make(o, "ci", "ci", "CI", &cas.ci) || !ca_make(o, "tls-ca", "tls-ca", "TLS CA", &cas.tls))
		return false;
	for (unsigned i = 0; i < n_entities; i++) {
		if (wanted(o, &entities[i]) && !entity_make(o, &entities[i], &cas))
			return false;
	}
	return (o->only && strcmp(o->only, "nats-server") != 0) || tls_make(o, "nats-server", &cas.tls);
}
