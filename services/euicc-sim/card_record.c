/* SPDX-License-Identifier: Apache-2.0 */
/* A card's record: a table says which members are kept, each at its place in host order; a generation and a CRC-32 stand in front.
 * The file stays on the machine that wrote it, beside the batch it belongs to. */
#include <string.h>

#include "common/base/secret.h"
#include "services/euicc-sim/card_internal.h"

enum { AT_CRC = 0, AT_GENERATION = 4, AT_EID = 12, AT_MEMBERS = AT_EID + EID_DIGITS };
/* Of what is in no record: what its line says for good, and what is in files of its own. */
enum { ELSEWHERE = sizeof(((struct card *)0)->ecasd_key) + P256_POINT + CARD_PROFILES * sizeof(struct card_domain *) };
_Static_assert(AT_MEMBERS + sizeof(struct card) - ELSEWHERE <= CARD_RECORD, "a card must fit its record");

struct member {
	size_t offset, size;
	bool is_flag; /* a bool: no other octets than 0 and 1 */
};
#define MEMBER(type, name)                                                           \
	{                                                                            \
		offsetof(struct type, name), sizeof(((struct type *)0)->name), false \
	}
#define FLAG(type, name)                                        \
	{                                                       \
		offsetof(struct type, name), sizeof(bool), true \
	}

static const struct member card_members[] = {
	MEMBER(card, keys),   MEMBER(card, remaining_memory), FLAG(card, powered),    FLAG(card, attached_once),
	MEMBER(card, seq),    MEMBER(card, pending),          MEMBER(card, due),      MEMBER(card, before),
	MEMBER(card, pinned), MEMBER(card, switches),         MEMBER(card, commands),
};
/* refuse_attach is a hook: it ends with the process that armed it. */
static const struct member profile_members[] = {
	MEMBER(card_profile, aid),   MEMBER(card_profile, iccid), MEMBER(card_profile, imsi),   MEMBER(card_profile, msisdn),
	MEMBER(card_profile, state), MEMBER(card_profile, pol1),  FLAG(card_profile, fallback), MEMBER(card_profile, memory),
};

/* They stand behind all else, where a record of before them has zeros. */
static const struct member later_members[] = {
	MEMBER(card, enables), MEMBER(card, disables), MEMBER(card, deletes), MEMBER(card, confirmations),   MEMBER(card, creates),
	MEMBER(card, keysets), MEMBER(card, installs), MEMBER(card, domains), MEMBER(card, domain_versions),
};
/* And behind these. */
static const struct member home_members[] = {
	MEMBER(card, home.address), MEMBER(card, home.port),   MEMBER(card, home.kvn),     MEMBER(card, home.scp80),
	MEMBER(card, home.uri),     MEMBER(card, home.number), MEMBER(card, unused_scp80), MEMBER(card, unused_scp81),
	MEMBER(card, isdr_keysets), MEMBER(card, put_keys),    MEMBER(card, finalises),
};
static const struct member later_profile_members[] = {
	FLAG(card_profile, grows),
};

/* Both directions walk the same way through the octets. */
static size_t put(const void *object, const struct member *members, size_t n, uint8_t *out)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		memcpy(out + at, (const uint8_t *)object + members[i].offset, members[i].size);
		at += members[i].size;
	}
	return at;
}

static bool get(void *object, const struct member *members, size_t n, const uint8_t *in, size_t *at)
{
	for (size_t i = 0; i < n; i++) {
		if (members[i].is_flag && in[*at] > 1)
			return false;
		memcpy((uint8_t *)object + members[i].offset, in + *at, members[i].size);
		*at += members[i].size;
	}
	return true;
}

/* CRC-32 of IEEE 802.3, four bits at a time. */
static uint32_t crc32(const uint8_t *data, size_t n)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
		0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
	};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ nibble[crc & 0xF];
		crc = crc >> 4 ^ nibble[crc & 0xF];
	}
	return ~crc;
}

void card_record_write(const struct card *c, uint64_t generation, uint8_t out[CARD_RECORD])
{
	size_t at = AT_MEMBERS;
	uint32_t crc;

	memset(out, 0, CARD_RECORD);
	memcpy(out + AT_GENERATION, &generation, sizeof(generation));
	memcpy(out + AT_EID, c->eid.text, EID_DIGITS);
	at += put(c, card_members, LEN(card_members), out + at);
	for (size_t i = 0; i < CARD_PROFILES; i++)
		at += put(&c->profiles[i], profile_members, LEN(profile_members), out + at);
	for (size_t i = 0; i < CARD_COUNTERS; i++) {
		out[at++] = c->counters[i].version;
		memcpy(out + at, &c->counters[i].last, sizeof(c->counters[i].last));
		at += sizeof(c->counters[i].last);
	}
	at += put(c, later_members, LEN(later_members), out + at);
	for (size_t i = 0; i < CARD_PROFILES; i++)
		at += put(&c->profiles[i], later_profile_members, LEN(later_profile_members), out + at);
	at += put(c, home_members, LEN(home_members), out + at);
	crc = crc32(out + AT_GENERATION, CARD_RECORD - AT_GENERATION);
	memcpy(out + AT_CRC, &crc, sizeof(crc));
}

static bool index_ok(const struct card *c, uint8_t i)
{
	return i == CARD_NONE || (i < CARD_PROFILES && c->profiles[i].aid.len);
}

/* The sum may be right and the record still not ours: nothing in it may lead out of an array. */
static bool sound(const struct card *c)
{
	unsigned enabled = 0, fallback = 0;

	for (size_t i = 0; i < CARD_PROFILES; i++) {
		const struct card_profile *p = &c->profiles[i];

		if (p->aid.len > AID_MAX || p->iccid.text[ICCID_MAX] || p->imsi[IMSI_MAX] || p->msisdn[MSISDN_MAX])
			return false;
		if (c->domains >> i & 1 && !p->aid.len)
			return false;
		enabled += p->aid.len && p->state == ISDP_ENABLED;
		fallback += p->aid.len && p->fallback;
	}
	return !c->home.uri[CARD_URI] && !c->home.number[CARD_NUMBER] && enabled <= 1 && fallback <= 1 && index_ok(c, c->before) &&
	       index_ok(c, c->pinned);
}

static bool read_members(struct card *c, const uint8_t in[CARD_RECORD])
{
	size_t at = AT_MEMBERS;

	if (!get(c, card_members, LEN(card_members), in, &at))
		return false;
	for (size_t i = 0; i < CARD_PROFILES; i++)
		if (!get(&c->profiles[i], profile_members, LEN(profile_members), in, &at))
			return false;
	for (size_t i = 0; i < CARD_COUNTERS; i++) {
		c->counters[i].version = in[at++];
		memcpy(&c->counters[i].last, in + at, sizeof(c->counters[i].last));
		at += sizeof(c->counters[i].last);
	}
	if (!get(c, later_members, LEN(later_members), in, &at))
		return false;
	for (size_t i = 0; i < CARD_PROFILES; i++)
		if (!get(&c->profiles[i], later_profile_members, LEN(later_profile_members), in, &at))
			return false;
	return get(c, home_members, LEN(home_members), in, &at) && sound(c);
}

void card_forget(struct card *c)
{
	secret_wipe(c, sizeof(*c));
}

bool card_record_read(struct card *c, const uint8_t in[CARD_RECORD], uint64_t *out_generation)
{
	CLEANUP(card_forget) struct card read = *c;
	uint32_t crc;

	memcpy(&crc, in + AT_CRC, sizeof(crc));
	if (crc != crc32(in + AT_GENERATION, CARD_RECORD - AT_GENERATION) || memcmp(in + AT_EID, c->eid.text, EID_DIGITS) != 0 ||
	    !read_members(&read, in))
		return false;
	card_power(&read, read.powered);
	*c = read;
	memcpy(out_generation, in + AT_GENERATION, sizeof(*out_generation));
	return true;
}
