/* SPDX-License-Identifier: Apache-2.0 */
/* The ISD-R changes hands (procedures.md 3.20 steps 16 to 26, 4.10): a further key set, keys for HTTPS, another address, the end of all keys
 * that are not kept. */
#include <string.h>

#include "common/card/isdr_agreement.h"
#include "common/crypto/keys.h"
#include "services/euicc-sim/card_internal.h"

enum { SCP80_KEYS = 3, SCP80_DEK = 3, SCP81_KEYS = 2, SCP81_DEK = 2 };

static bool is_scp80(uint8_t version)
{
	return version >= SCP80_KVN_FIRST && version <= SCP80_KVN_LAST;
}

static bool is_scp81(uint8_t version)
{
	return version >= SCP81_KVN_FIRST && version <= SCP81_KVN_LAST;
}

/* ---- key sets ---- */

/* The bit of this set among those that nothing was secured with yet. */
static uint16_t *unused_of(struct card *c, uint8_t version, uint16_t *out_bit)
{
	*out_bit = (uint16_t)(1u << (version & 0x0F));
	return is_scp81(version) ? &c->unused_scp81 : &c->unused_scp80;
}

void card_key_used(struct card *c, uint8_t version)
{
	uint16_t bit, *unused = unused_of(c, version, &bit);

	*unused &= (uint16_t)~bit;
}

static bool has_set(const struct card *c, uint8_t version)
{
	for (size_t i = 0; i < CARD_KEYS; i++)
		if (c->keys[i].version == version)
			return true;
	return false;
}

/* The version's place, or a free one; CARD_COUNTERS: none. */
static size_t counter_place(const struct card *c, uint8_t version)
{
	size_t free_place = CARD_COUNTERS;

	for (size_t i = 0; i < CARD_COUNTERS; i++) {
		if (c->counters[i].version == version)
			return i;
		if (!c->counters[i].version && free_place == CARD_COUNTERS)
			free_place = i;
	}
	return free_place;
}

static void set_wipe(struct card *c, uint8_t version)
{
	size_t counter = counter_place(c, version);

	for (size_t i = 0; i < CARD_KEYS; i++)
		if (c->keys[i].version == version)
			secret_wipe(&c->keys[i], sizeof(c->keys[i]));
	if (counter < CARD_COUNTERS && c->counters[counter].version == version)
		memset(&c->counters[counter], 0, sizeof(c->counters[counter]));
	card_key_used(c, version);
	if (c->home.kvn == version)
		c->home.kvn = 0;
	if (c->home.scp80 == version)
		c->home.scp80 = 0;
}

/* May a set of n keys come under this version? One that an attempt left behind, whose answer nobody saw, gives way; one in use does not. */
static uint16_t set_room(struct card *c, uint8_t version, size_t n, struct card_effects *effects)
{
	uint16_t bit, *unused = unused_of(c, version, &bit);
	size_t places = 0;

	if (has_set(c, version) && !(*unused & bit)) {
		effects->why = "the key version is in use";
		return SW_CONDITIONS;
	}
	for (size_t i = 0; i < CARD_KEYS; i++)
		places += !c->keys[i].version || c->keys[i].version == version;
	return places >= n && (!is_scp80(version) || counter_place(c, version) < CARD_COUNTERS) ? SW_OK : SW_NO_MEMORY;
}

static void key_add(struct card *c, uint8_t version, uint8_t index, uint8_t type, const uint8_t value[CARD_KEY_LEN])
{
	for (size_t i = 0; i < CARD_KEYS; i++) {
		if (c->keys[i].version)
			continue;
		c->keys[i] = (struct card_key){ .version = version, .index = index, .type = type };
		memcpy(c->keys[i].value, value, CARD_KEY_LEN);
		return;
	}
}

bool card_by_https(const struct card *c)
{
	size_t i = 0;

	while (i < CARD_KEYS && !(is_scp81(c->keys[i].version) && c->keys[i].type == KEY_TYPE_PSK_TLS))
		i++;
	return c->http && i < CARD_KEYS;
}

static void set_mark(struct card *c, uint8_t version)
{
	uint16_t bit, *unused = unused_of(c, version, &bit);

	*unused |= bit;
}

uint16_t card_isdr_keys_take(struct card *c, const struct card_keys *k, uint64_t counter, struct card_effects *effects)
{
	uint16_t sw = set_room(c, k->kvn, SCP80_KEYS, effects);
	size_t place;

	if (sw != SW_OK)
		return sw;
	set_wipe(c, k->kvn);
	key_add(c, k->kvn, 1, KEY_TYPE_AES, k->enc);
	key_add(c, k->kvn, 2, KEY_TYPE_AES, k->mac);
	key_add(c, k->kvn, SCP80_DEK, KEY_TYPE_AES, k->dek);
	place = counter_place(c, k->kvn);
	c->counters[place].version = k->kvn;
	c->counters[place].last = counter; /* [GUESS] the first command must be above the initial counter */
	set_mark(c, k->kvn);
	c->isdr_keysets++;
	effects->changed = true;
	return SW_OK;
}

/* The DEK of the set that secures the command; NULL: it has none. */
static const uint8_t *dek_of(const struct card *c, uint8_t version)
{
	const struct card_key *k = card_key_of(c, version, is_scp81(version) ? SCP81_DEK : SCP80_DEK);

	return k && k->type == KEY_TYPE_AES ? k->value : NULL;
}

static uint16_t put_key(struct card *c, const struct apdu *apdu, struct buf *out, struct card_effects *effects)
{
	CLEANUP(scp81_keys_wipe) struct scp81_keys k = { 0 };
	const uint8_t *dek = dek_of(c, effects->secured);
	uint16_t sw;

	if (!dek) {
		effects->why = "not secured by a key set with a DEK";
		return SW_CONDITIONS;
	}
	sw = isdr_put_key_parse(apdu, dek, &k);
	if (sw == SW_OK)
		sw = set_room(c, k.kvn, SCP81_KEYS, effects);
	if (sw != SW_OK)
		return sw;
	if (!isdr_put_key_answer_build(out, &k))
		return SW_MEMORY_FAILURE;
	set_wipe(c, k.kvn);
	key_add(c, k.kvn, 1, KEY_TYPE_PSK_TLS, k.psk);
	key_add(c, k.kvn, SCP81_DEK, KEY_TYPE_AES, k.dek);
	set_mark(c, k.kvn);
	c->put_keys++;
	effects->changed = true;
	return SW_OK;
}

/* ---- addresses ---- */

/* What is not said stays. False: it cannot be followed. */
static bool home_https(struct card_home *home, const struct ram_trigger *t)
{
	if (t->kvn && !is_scp81(t->kvn))
		return false;
	if (t->uri.len && (t->uri.data[0] != '/' || t->uri.len > CARD_URI || memchr(t->uri.data, 0, t->uri.len)))
		return false;
	if (t->address)
		home->address = t->address;
	if (t->port)
		home->port = t->port;
	if (t->kvn)
		home->kvn = t->kvn;
	if (t->uri.len) {
		memset(home->uri, 0, sizeof(home->uri));
		memcpy(home->uri, t->uri.data, t->uri.len);
	}
	return home->address && home->port;
}

static uint16_t addressing(struct card *c, const struct apdu *apdu, struct card_effects *effects)
{
	struct card_home home = c->home;
	struct isdr_addressing p;
	uint16_t sw = isdr_addressing_parse(apdu, &p);
	const char *digits = p.number;

	if (sw != SW_OK)
		return sw;
	if (p.has_http && !home_https(&home, &p.http))
		return SW_BAD_DATA;
	if (*p.number) {
		digits += *digits == '+';
		memset(home.number, 0, sizeof(home.number));
		memcpy(home.number, digits, strlen(digits));
	}
	home.scp80 = is_scp80(effects->secured) ? effects->secured : 0;
	c->home = home;
	effects->changed = true;
	return SW_OK;
}

/* ---- the end of the old keys ---- */

static bool all_listed_are_there(const struct card *c, const struct isdr_kept *kept, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!has_set(c, kept[i].kvn))
			return false;
	return true;
}

/* Versions without a key left lose their counters as well. */
static void keep_only(struct card *c, const struct isdr_kept *kept, size_t n)
{
	for (size_t i = 0; i < CARD_KEYS; i++) {
		uint8_t version = c->keys[i].version;

		if (!version || isdr_kept_has(kept, n, version, c->keys[i].index))
			continue;
		secret_wipe(&c->keys[i], sizeof(c->keys[i]));
		if (!has_set(c, version))
			set_wipe(c, version);
	}
}

static uint16_t finalise(struct card *c, const struct apdu *apdu, struct card_effects *effects)
{
	struct isdr_kept kept[ISDR_KEPT_MAX];
	size_t n;
	uint16_t sw = isdr_finalise_parse(apdu, kept, &n);

	if (sw != SW_OK)
		return sw;
	if (!all_listed_are_there(c, kept, n))
		return SW_NOT_FOUND;
	/* Whoever takes the card over proves it by his own keys. */
	if (!effects->secured || !isdr_kept_has(kept, n, effects->secured, 1)) {
		effects->why = "not secured by a key set that is kept";
		return SW_CONDITIONS;
	}
	keep_only(c, kept, n);
	c->finalises++;
	effects->changed = true;
	return SW_OK;
}

uint16_t card_isdr_change(struct card *c, const struct apdu *apdu, enum isdr_change change, struct buf *out,
			  struct card_effects *effects)
{
	switch (change) {
	case ISDR_PUT_KEY:
		return put_key(c, apdu, out, effects);
	case ISDR_ADDRESSING:
		return addressing(c, apdu, effects);
	case ISDR_FINALISE:
		return finalise(c, apdu, effects);
	case ISDR_CHANGE_NONE:
		break;
	}
	return SW_BAD_INS;
}
