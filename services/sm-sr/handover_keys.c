/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/handover_keys.h"

#include <string.h>

#include "common/base/random.h"
#include "common/card/isdr_agreement.h"
#include "common/crypto/keys.h"
#include "common/sgp02/eis.h"
#include "services/sm-sr/isdr_keys.h"

enum { AT_VERSION, AT_STAGE, AT_INDEX, AT_TYPE, AT_WRAPPED };
enum { KIC = 1, SCP80_DEK = 3, PSK = 1, SCP81_DEK = 2 };

void held_keys_queue(struct db *db, const struct eid *eid)
{
	DB_QUEUE(db, SMSR_KEYS_HELD, p_text(eid->text));
}

void held_keys_take(struct arena *a, const struct rows *rows, struct held_keys *out)
{
	out->n = rows_count(rows);
	out->all = arena_array(a, out->n, sizeof(*out->all));
	for (size_t i = 0; i < out->n; i++)
		out->all[i] = (struct held_key){ .version = (uint8_t)row_int(rows, i, AT_VERSION),
						 .stage = (enum keyset_stage)row_int(rows, i, AT_STAGE),
						 .index = (uint8_t)row_int(rows, i, AT_INDEX),
						 .type = (uint8_t)row_int(rows, i, AT_TYPE),
						 .wrapped = row_bytes_dup(a, rows, i, AT_WRAPPED) };
}

bool held_keys_lists(const struct held_keys *h, uint8_t version)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->all[i].version == version)
			return true;
	return false;
}

const struct held_key *held_key_of(const struct held_keys *h, uint8_t version, uint8_t index)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->all[i].version == version && h->all[i].index == index && index)
			return &h->all[i];
	return NULL;
}

uint8_t held_keys_sms(const struct held_keys *h)
{
	for (uint8_t v = SCP80_KVN_FIRST; v <= SCP80_KVN_LAST; v++)
		if (held_key_of(h, v, KIC))
			return v;
	return 0;
}

uint8_t held_keys_https(const struct held_keys *h)
{
	for (uint8_t v = SCP81_KVN_LAST; v >= SCP81_KVN_FIRST; v--) {
		const struct held_key *k = held_key_of(h, v, PSK);

		if (k && k->type == KEY_TYPE_PSK_TLS && k->stage != KEYSET_MADE)
			return v;
	}
	return 0;
}

static bool key_open(const struct smsr *smsr, const struct eid *eid, const struct held_key *k, uint8_t out[AES_KEY])
{
	CLEANUP(secret_free) struct secret opened = { 0 };
	bool good = k && isdr_key_open(smsr, eid, k->version, k->index, k->wrapped, &opened) && opened.len == AES_KEY;

	if (good)
		memcpy(out, opened.data, AES_KEY);
	return good;
}

bool scp81_keys_open(const struct smsr *smsr, const struct eid *eid, const struct held_keys *h, uint8_t version,
		     struct scp81_keys *out)
{
	out->kvn = version;
	return key_open(smsr, eid, held_key_of(h, version, PSK), out->psk) &&
	       key_open(smsr, eid, held_key_of(h, version, SCP81_DEK), out->dek);
}

bool scp80_dek_open(const struct smsr *smsr, const struct eid *eid, const struct held_keys *h, uint8_t version, struct secret *out)
{
	const struct held_key *k = held_key_of(h, version, SCP80_DEK);

	*out = secret_new(AES_KEY);
	return k && k->type == KEY_TYPE_AES && key_open(smsr, eid, k, out->data);
}

bool scp81_keys_make(const struct smsr *smsr, struct db *db, struct arena *a, const struct eid *eid, uint8_t version,
		     struct scp81_keys *out)
{
	struct stored_key psk, dek;

	out->kvn = version;
	random_bytes(out->psk, sizeof(out->psk));
	random_bytes(out->dek, sizeof(out->dek));
	if (!isdr_key_store(smsr, a, eid, &(const struct isdr_key){ version, PSK, KEY_TYPE_PSK_TLS, out->psk, AES_KEY }, &psk) ||
	    !isdr_key_store(smsr, a, eid, &(const struct isdr_key){ version, SCP81_DEK, KEY_TYPE_AES, out->dek, AES_KEY }, &dek))
		return false;
	DB_QUEUE(db, SMSR_KEYSET_MADE, p_text(eid->text), p_int(a, version), p_int(a, KEYSET_SCP81), p_int(a, KEYSET_MADE),
		 p_int(a, psk.type), p_bytes(arena_memdup(a, psk.kcv, sizeof(psk.kcv)), sizeof(psk.kcv)),
		 p_bytes(psk.wrapped.data, psk.wrapped.len), p_int(a, dek.type),
		 p_bytes(arena_memdup(a, dek.kcv, sizeof(dek.kcv)), sizeof(dek.kcv)), p_bytes(dek.wrapped.data, dek.wrapped.len));
	return true;
}

static void stage_set(struct db *db, struct arena *a, const struct eid *eid, uint8_t version, enum keyset_stage from,
		      enum keyset_stage to)
{
	DB_QUEUE(db, SMSR_KEYSET_STAGE, p_text(eid->text), p_int(a, version), p_int(a, from), p_int(a, to));
}

void keyset_taken(struct db *db, struct arena *a, const struct eid *eid, uint8_t version)
{
	stage_set(db, a, eid, version, KEYSET_MADE, KEYSET_TAKEN);
}

void keyset_in_use(struct db *db, struct arena *a, const struct eid *eid, uint8_t version)
{
	stage_set(db, a, eid, version, KEYSET_TAKEN, KEYSET_IN_USE);
}

void keyset_refused(struct db *db, struct arena *a, const struct eid *eid, uint8_t version)
{
	DB_QUEUE(db, SMSR_KEYSET_REFUSED, p_text(eid->text), p_int(a, version), p_int(a, KEYSET_MADE));
}

void keysets_kept(struct db *db, const struct eid *eid, const char *keep)
{
	DB_QUEUE(db, SMSR_KEYSETS_KEPT, p_text(eid->text), p_text(keep));
}
