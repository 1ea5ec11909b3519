/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/sms_store.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/keys.h"
#include "common/sgp02/eis.h"
#include "services/sm-sr/card_case.h"

enum { TOKEN_ATTEMPT_AT = 8, TOKEN_ID_AT = 24 };

void sms_due_queue(struct db *db, struct arena *a, unsigned tries, size_t limit)
{
	DB_QUEUE0(db, SMSR_SMS_POINTLESS);
	DB_QUEUE(db, SMSR_SMS_SILENT, p_int(a, tries), p_int(a, COMMAND_STATUS));
	DB_QUEUE(db, SMSR_SMS_DUE, p_int(a, (int64_t)limit), p_int(a, PROFILE_ENABLED), p_int(a, KEYSET_SCP80),
		 p_int(a, KEY_TYPE_AES), p_int(a, KEY_TYPE_PSK_TLS));
}

size_t sms_due_take(struct arena *a, const struct rows *rows, struct sms_due **out)
{
	size_t n = rows_count(rows), good = 0;
	struct sms_due *all = arena_array(a, n, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		struct sms_due *d = &all[good];

		if (!eid_parse(row_text(rows, i, 0), &d->eid))
			continue;
		d->kvn = (uint8_t)row_int(rows, i, 1);
		d->kic = row_bytes_dup(a, rows, i, 2);
		d->kid = row_bytes_dup(a, rows, i, 3);
		d->msisdn = row_text_dup(a, rows, i, 4);
		d->told = row_text_dup(a, rows, i, 5);
		d->until = row_int(rows, i, 6);
		d->psk_kvn = (uint8_t)row_int(rows, i, 7);
		d->psk_id = (uint8_t)row_int(rows, i, 8);
		d->http = row_bool(rows, i, 9) && d->psk_kvn;
		d->unheard = row_int(rows, i, 10);
		d->uncertain = row_bool(rows, i, 11);
		d->in_session = row_bool(rows, i, 12);
		d->kind = (int)row_int(rows, i, 13);
		d->script_len = (size_t)row_int(rows, i, 14);
		good++;
	}
	*out = all;
	return good;
}

void sms_counter_queue(struct db *db, struct arena *a, const struct sms_due *d)
{
	DB_QUEUE(db, SMSR_SMS_COUNTER, p_text(d->eid.text), p_int(a, d->kvn), p_int(a, (int64_t)SCP80_COUNTER_MAX));
}

bool sms_counter_taken(const struct rows *rows, uint64_t *out)
{
	if (rows_count(rows) == 0)
		return false;
	*out = (uint64_t)row_int(rows, 0, 0);
	return true;
}

void sms_add(struct db *db, struct arena *a, const struct sms_due *d, uint8_t spi2, struct bytes packet, unsigned again_s)
{
	DB_QUEUE(db, SMSR_SMS_ADD, p_text(d->eid.text), p_int(a, SMS_TRIGGER), p_int(a, d->kvn), p_int(a, (int64_t)d->counter),
		 p_int(a, spi2), p_text(d->msisdn), p_bytes(packet.data, packet.len), p_time(a, d->until), p_null());
	DB_QUEUE(db, SMSR_SMS_TRIGGERED, p_text(d->eid.text), p_int(a, again_s));
}

void sms_script_add(struct db *db, struct arena *a, const struct eid *eid, const struct sms_path *path, uint64_t counter,
		    struct bytes packet, int64_t until, const char *session)
{
	DB_QUEUE(db, SMSR_SMS_ADD, p_text(eid->text), p_int(a, SMS_SCRIPT), p_int(a, path->kvn), p_int(a, (int64_t)counter),
		 p_int(a, SPI_POR_SECURED), p_text(path->msisdn), p_bytes(packet.data, packet.len), p_time(a, until),
		 p_text(session));
}

void sms_pause(struct db *db, struct arena *a, const struct eid *eid, const char *why, unsigned again_s, bool anew)
{
	DB_QUEUE(db, SMSR_SMS_PAUSE, p_text(eid->text), p_int(a, again_s), p_text(why), p_bool(anew));
}

void sms_unheard(struct db *db, struct arena *a, const struct eid *eid, uint8_t kvn)
{
	DB_QUEUE(db, SMSR_SMS_UNHEARD, p_text(eid->text), p_int(a, kvn));
}

void sms_unreachable(struct db *db, struct arena *a, const struct sms_due *d, const char *why, unsigned again_s)
{
	DB_QUEUE(db, SMSR_SMS_UNREACHABLE, p_text(d->eid.text), p_int(a, again_s), p_text(why));
}

void sms_sendable_queue(struct db *db, struct arena *a, size_t limit)
{
	DB_QUEUE(db, SMSR_SMS_SENDABLE, p_int(a, (int64_t)limit));
}

/* Packets, by whichever columns a statement has behind id and EID. */
static size_t sms_rows_take(struct arena *a, const struct rows *rows,
			    void (*rest)(struct arena *, const struct rows *, size_t, struct sms_row *), struct sms_row **out)
{
	size_t n = rows_count(rows), good = 0;
	struct sms_row *all = arena_array(a, n, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		if (!eid_parse(row_text(rows, i, 1), &all[good].eid))
			continue;
		all[good].id = row_int(rows, i, 0);
		rest(a, rows, i, &all[good++]);
	}
	*out = all;
	return good;
}

static void sendable_rest(struct arena *a, const struct rows *rows, size_t i, struct sms_row *r)
{
	r->msisdn = row_text_dup(a, rows, i, 2);
	r->packet = row_bytes_dup(a, rows, i, 3);
	r->attempts = row_int(rows, i, 4);
	r->uncounted = row_int(rows, i, 5);
	r->overdue = row_bool(rows, i, 6);
	r->wanted = row_bool(rows, i, 7);
	r->counter = (uint64_t)row_int(rows, i, 8);
	r->kind = (enum sms_out_kind)row_int(rows, i, 9);
	r->left_ms = row_int(rows, i, 10);
}

size_t sms_sendable_take(struct arena *a, const struct rows *rows, struct sms_row **out)
{
	return sms_rows_take(a, rows, sendable_rest, out);
}

void sms_sending(struct db *db, struct arena *a, const struct sms_row *r, size_t parts, unsigned retry_ms)
{
	DB_QUEUE(db, SMSR_SMS_SENDING, p_int(a, r->id), p_int(a, (int64_t)parts), p_int(a, retry_ms));
}

void sms_end(struct db *db, struct arena *a, int64_t id, enum sms_state state, const char *error)
{
	DB_QUEUE(db, SMSR_SMS_END, p_int(a, id), p_int(a, state), p_text(error));
}

void sms_heard(struct db *db, struct arena *a, const struct sms_row *r, unsigned again_s)
{
	sms_unheard(db, a, &r->eid, r->kvn); /* first: a session that begins has its key set before its commands */
	sms_end(db, a, r->id, SMS_DONE, "");
	DB_QUEUE(db, SMSR_SMS_HEARD, p_text(r->eid.text), p_int(a, again_s), p_int(a, r->id));
}

void sms_candidates_queue(struct db *db, const char *msisdn)
{
	DB_QUEUE(db, SMSR_SMS_CANDIDATES, p_text(msisdn));
}

static void candidate_rest(struct arena *a, const struct rows *rows, size_t i, struct sms_row *r)
{
	struct scp80_command command;

	r->kvn = (uint8_t)row_int(rows, i, 2);
	r->counter = (uint64_t)row_int(rows, i, 3);
	r->spi2 = (uint8_t)row_int(rows, i, 4);
	r->kic = row_bytes_dup(a, rows, i, 5);
	r->kid = row_bytes_dup(a, rows, i, 6);
	r->kind = (enum sms_out_kind)row_int(rows, i, 7);
	r->session = row_text_dup(a, rows, i, 8);
	r->msisdn = row_text_dup(a, rows, i, 9);
	if (scp80_command_peek(row_bytes(rows, i, 10), &command))
		memcpy(r->tar, command.tar, SCP80_TAR);
}

size_t sms_candidates_take(struct arena *a, const struct rows *rows, struct sms_row **out)
{
	return sms_rows_take(a, rows, candidate_rest, out);
}

void sms_senders_queue(struct db *db, struct arena *a, const char *msisdn)
{
	DB_QUEUE(db, SMSR_SMS_SENDERS, p_text(msisdn), p_int(a, KEY_TYPE_AES));
}

size_t sms_senders_take(struct arena *a, const struct rows *rows, const char *msisdn, struct sms_sender **out)
{
	size_t n = rows_count(rows), good = 0;
	struct sms_sender *all = arena_array(a, n, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		struct sms_sender *s = &all[good];

		if (!eid_parse(row_text(rows, i, 0), &s->eid))
			continue;
		s->path = (struct sms_path){ .kvn = (uint8_t)row_int(rows, i, 1),
					     .kic = row_bytes_dup(a, rows, i, 2),
					     .kid = row_bytes_dup(a, rows, i, 3),
					     .msisdn = msisdn };
		good++;
	}
	*out = all;
	return good;
}

uint64_t sms_token_pack(const struct sms_token *t)
{
	return (uint64_t)t->id << TOKEN_ID_AT | ((uint64_t)t->attempt & SMS_TOKEN_ATTEMPTS) << TOKEN_ATTEMPT_AT | t->number;
}

struct sms_token sms_token_unpack(uint64_t token)
{
	return (struct sms_token){ .id = (int64_t)(token >> TOKEN_ID_AT),
				   .attempt = (int64_t)(token >> TOKEN_ATTEMPT_AT & SMS_TOKEN_ATTEMPTS),
				   .number = (uint8_t)token };
}

/* False: no number of this base, or too large to be one that two systems spell differently. */
static bool number_of(const char *id, int base, unsigned long long *out)
{
	if (!*id || id[strspn(id, base == 10 ? "0123456789" : "0123456789abcdef")])
		return false;
	errno = 0;
	*out = strtoull(id, NULL, base);
	return errno == 0;
}

const char *sms_id_forms(struct arena *a, const char *id)
{
	char *own = arena_strdup(a, id + strspn(id, "0"));
	const char *hex = "", *decimal = "";
	unsigned long long n;

	for (char *c = own; *c; c++)
		*c = *c == ' ' ? '_' : (char)tolower((unsigned char)*c); /* a blank would part it */
	if (number_of(own, 10, &n))
		hex = arena_printf(a, " %llx", n);
	if (number_of(own, 16, &n))
		decimal = arena_printf(a, " %llu", n);
	return *own ? arena_printf(a, "%s%s%s", own, hex, decimal) : "";
}
