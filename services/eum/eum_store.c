/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to structs, cards to rows. */
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

const struct statement eum_statements[EUM_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/eum/statements.def"
#undef STATEMENT
};

void eum_batch_from_row(struct arena *a, const struct rows *r, size_t row, struct eum_batch *out)
{
	struct eum_batch b = { .id = row_text_dup(a, r, row, 0),
			       .orderer = row_text_dup(a, r, row, 1),
			       .name = row_text_dup(a, r, row, 2),
			       .quantity = row_int(r, row, 4),
			       .made = row_int(r, row, 5),
			       .eid_prefix = row_text_dup(a, r, row, 6),
			       .eid_first = row_int(r, row, 7),
			       .platform_type = row_text_dup(a, r, row, 8),
			       .platform_version = row_text_dup(a, r, row, 9),
			       .memory = row_int(r, row, 10),
			       .http_support = row_bool(r, row, 11) };

	if (oid_parse(row_text(r, row, 3), &b.smsr)) /* we wrote it: it parses */
		*out = b;
}

static struct eum_batch_profile *profiles_from(struct arena *a, const struct rows *r)
{
	struct eum_batch_profile *p = arena_array(a, rows_count(r), sizeof(*p));

	for (size_t i = 0; i < rows_count(r); i++) {
		if (!oid_parse(row_text(r, i, 0), &p[i].order.mno))
			continue;
		p[i].order.profile_type = row_text_dup(a, r, i, 1);
		p[i].order.enabled = row_bool(r, i, 2);
		p[i].order.memory = row_int(r, i, 3);
		p[i].order.iccid_prefix = row_text_dup(a, r, i, 4);
		p[i].iccid_first = row_int(r, i, 5);
		p[i].order.imsi_prefix = row_text_dup(a, r, i, 6);
		p[i].imsi_first = row_int(r, i, 7);
		p[i].order.msisdn_prefix = row_text_dup(a, r, i, 8);
		p[i].msisdn_first = row_int(r, i, 9);
	}
	return p;
}

static struct properties *properties_from(struct arena *a, const struct rows *r)
{
	struct properties *p = ARENA_NEW(a, struct properties);

	if (rows_count(r) == 0)
		return NULL;
	p->n_items = rows_count(r);
	p->items = arena_array(a, p->n_items, sizeof(*p->items));
	for (size_t i = 0; i < p->n_items; i++)
		p->items[i] = (struct property){ row_text_dup(a, r, i, 0), row_text_dup(a, r, i, 1) };
	return p;
}

result eum_batch_load_rest(struct db *db, struct arena *a, struct eum_batch *out)
{
	const struct rows *rows[2];

	DB_QUEUE(db, EUM_BATCH_PROFILES, p_text(out->id));
	DB_QUEUE(db, EUM_BATCH_PROPERTIES, p_text(out->id));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	out->profiles = profiles_from(a, rows[0]);
	out->n_profiles = rows_count(rows[0]);
	out->properties = properties_from(a, rows[1]);
	return OK;
}

const char *eum_key_aad(struct arena *a, const struct eid *eid, int version, int index)
{
	return arena_printf(a, "%s|%d|%d", eid->text, version, index);
}

const char *eum_ecasd_aad(struct arena *a, const struct eid *eid)
{
	return arena_printf(a, "%s|%d|ecka", eid->text, EUM_ECASD_VERSION);
}

/* One more item of a list with blanks between; list NULL: the first. */
static const char *listed(struct arena *a, const char *list, const char *item)
{
	return list ? arena_printf(a, "%s %s", list, item) : item;
}

static void keys_save(struct db *db, struct arena *a, const struct eum_issuer *issuer, const struct eum_card *card)
{
	const char *versions = NULL, *indexes = NULL, *types = NULL, *kcvs = NULL, *wrapped = NULL;

	for (size_t i = 0; i < card->n_keys; i++) {
		const struct eum_card_key *k = &card->keys[i];
		struct bytes w;

		kek_wrap(&issuer->kek, eum_key_aad(a, &card->eid, k->version, k->index), k->key.data, k->key.len, a, &w);
		versions = listed(a, versions, arena_printf(a, "%d", k->version));
		indexes = listed(a, indexes, arena_printf(a, "%d", k->index));
		types = listed(a, types, arena_printf(a, "%d", k->type));
		kcvs = listed(a, kcvs, hex_text(a, k->kcv, sizeof(k->kcv)));
		wrapped = listed(a, wrapped, hex_text(a, w.data, w.len));
	}
	DB_QUEUE(db, EUM_CARD_KEYS_ADD, p_text(card->eid.text), p_text(versions), p_text(indexes), p_text(types), p_text(kcvs),
		 p_text(wrapped));
}

void eum_card_save(struct db *db, struct arena *a, const struct eum_issuer *issuer, const struct eum_batch *batch, int64_t index,
		   const char *fci, const struct eum_card *card)
{
	const struct eis *eis = &card->eis;
	struct bytes ecasd;

	kek_wrap(&issuer->kek, eum_ecasd_aad(a, &card->eid), card->ecasd.data, card->ecasd.len, a, &ecasd);
	DB_QUEUE(db, EUM_CARD_ADD, p_text(card->eid.text), p_text(batch->id), p_int(a, index), p_text(fci),
		 p_bytes(card->certificate.data, card->certificate.len), p_bytes(ecasd.data, ecasd.len),
		 p_bytes(eis->info_octets.data, eis->info_octets.len),
		 p_bytes(eis->signature_octets.data, eis->signature_octets.len));
	keys_save(db, a, issuer, card);
	for (size_t i = 0; i < eis->n_profiles; i++) {
		const struct profile_info *p = &eis->profiles[i];

		DB_QUEUE(db, EUM_CARD_PROFILE_ADD, p_text(p->iccid.text), p_text(card->eid.text), p_int(a, (int64_t)i),
			 p_text(p->address.imsi), p_text(p->address.msisdn));
	}
}

void eum_batch_save(struct db *db, struct arena *a, const struct eum_batch *b)
{
	DB_QUEUE(db, EUM_BATCH_ADD, p_text(b->id), p_text(b->orderer), p_text(b->name), p_text(b->smsr.text), p_int(a, b->quantity),
		 p_text(b->eid_prefix), p_int(a, b->eid_first), p_text(b->platform_type), p_text(b->platform_version),
		 p_int(a, b->memory), p_bool(b->http_support));
	for (size_t i = 0; i < b->n_profiles; i++) {
		const struct eum_batch_profile *p = &b->profiles[i];

		DB_QUEUE(db, EUM_BATCH_PROFILE_ADD, p_text(b->id), p_int(a, (int64_t)i), p_text(p->order.mno.text),
			 p_text(p->order.profile_type), p_bool(p->order.enabled), p_int(a, p->order.memory),
			 p_text(p->order.iccid_prefix), p_int(a, p->iccid_first), p_text(p->order.imsi_prefix),
			 p_int(a, p->imsi_first), p_text(p->order.msisdn_prefix), p_int(a, p->msisdn_first));
	}
	for (size_t i = 0; b->properties && i < b->properties->n_items; i++)
		DB_QUEUE(db, EUM_BATCH_PROPERTY_ADD, p_text(b->id), p_int(a, (int64_t)i), p_text(b->properties->items[i].key),
			 p_text(b->properties->items[i].value));
}
