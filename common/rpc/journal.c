/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/journal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/journal_ring.h"
#include "common/rpc/json_out.h"

enum { FIELDS = 4, FIELD_MAX = 512, LIMIT_MAX = 10000 };

struct journal {
	pthread_mutex_t lock;
	struct ring ring;
};

/* What a record begins with; then the fields and the text, each behind the other. */
struct entry_head {
	int64_t at;
	uint32_t kind, status, cut;
	uint32_t field_n[FIELDS]; /* peer, eid, function, message id */
	uint32_t text_n;
};

struct entry {
	struct entry_head head;
	struct bytes field[FIELDS], text;
};
enum { PEER, EID, FUNCTION, MESSAGE_ID };

static const char *const kind_names[] = {
	[JOURNAL_IN] = "in",
	[JOURNAL_OUT] = "out",
	[JOURNAL_ANSWER_IN] = "answer-in",
	[JOURNAL_ANSWER_OUT] = "answer-out",
	[JOURNAL_CARD_IN] = "card-in",
	[JOURNAL_CARD_OUT] = "card-out",
	[JOURNAL_SMS_IN] = "sms-in",
	[JOURNAL_SMS_OUT] = "sms-out",
};

struct journal *journal_open(const char *path, size_t size, char error[256])
{
	struct journal *j;

	error[0] = '\0';
	if (!path)
		return NULL;
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	if (ring_open(path, size, &j->ring, error) < 0) {
		free(j);
		return NULL;
	}
	(void)pthread_mutex_init(&j->lock, NULL);
	return j;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	ring_close(&j->ring);
	(void)pthread_mutex_destroy(&j->lock);
	free(j);
}

static struct bytes field(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, text ? strnlen(text, FIELD_MAX) : 0 };
}

void journal_write(struct journal *j, const struct journal_entry *e)
{
	struct bytes pieces[1 + FIELDS + 1] = { [1] = field(e->peer), field(e->eid), field(e->function), field(e->message_id) };
	struct entry_head head = { .at = e->at, .kind = e->kind, .status = e->status };
	size_t room, n = e->n;

	if (!j)
		return;
	room = ring_record_max(&j->ring) - sizeof(head);
	for (unsigned i = 0; i < FIELDS; i++) {
		head.field_n[i] = (uint32_t)pieces[1 + i].len;
		room -= pieces[1 + i].len;
	}
	if (n > room) {
		n = room;
		head.cut = 1;
	}
	head.text_n = (uint32_t)n;
	pieces[0] = (struct bytes){ (const uint8_t *)&head, sizeof(head) };
	pieces[1 + FIELDS] = (struct bytes){ e->text, n };
	pthread_mutex_lock(&j->lock);
	ring_append(&j->ring, pieces, LEN(pieces));
	pthread_mutex_unlock(&j->lock);
}

/* False: not an entry of ours; then it is left out. */
static bool entry_read(struct bytes record, struct entry *out)
{
	size_t at = sizeof(out->head);

	if (record.len < at)
		return false;
	memcpy(&out->head, record.data, at);
	for (unsigned i = 0; i < FIELDS; i++) {
		if (out->head.field_n[i] > record.len - at)
			return false;
		out->field[i] = (struct bytes){ record.data + at, out->head.field_n[i] };
		at += out->head.field_n[i];
	}
	if (out->head.text_n > record.len - at || out->head.kind >= LEN(kind_names))
		return false;
	out->text = (struct bytes){ record.data + at, out->head.text_n };
	return true;
}

static bool matches(const struct entry *e, const char *eid, const char *message_id)
{
	const struct bytes *id = &e->field[MESSAGE_ID];

	if (eid && (e->field[EID].len != strlen(eid) || memcmp(e->field[EID].data, eid, strlen(eid))))
		return false;
	return !message_id || memmem(id->data, id->len, message_id, strlen(message_id));
}

static void entry_write(const struct entry *e, struct buf *out)
{
	static const char *const names[FIELDS] = { "peer", "eid", "function", "message_id" };
	char when[DATETIME_MAX];

	datetime_format(e->head.at, when);
	buf_str(out, "{");
	json_out_member(out, "at", when);
	json_out_member(out, "kind", kind_names[e->head.kind]);
	for (unsigned i = 0; i < FIELDS; i++) {
		buf_printf(out, ",\"%s\":", names[i]);
		json_out(out, e->field[i].data, e->field[i].len);
	}
	buf_printf(out, ",\"status\":%u,\"cut\":%s,\"text\":", e->head.status, e->head.cut ? "true" : "false");
	json_out(out, e->text.data, e->text.len);
	buf_char(out, '}');
}

/* Lock held. How many entries match. */
static size_t count(const struct journal *j, const char *eid, const char *message_id)
{
	struct ring_walk walk;
	struct bytes record;
	struct entry e;
	size_t n = 0;

	ring_walk_begin(&j->ring, &walk);
	while (ring_walk_next(&j->ring, &walk, &record))
		n += entry_read(record, &e) && matches(&e, eid, message_id);
	ring_walk_end(&j->ring, &walk);
	return n;
}

/* Lock held. Writes the matching entries but the first `skip`. */
static void write_matches(const struct journal *j, const char *eid, const char *message_id, size_t skip, struct buf *out)
{
	struct ring_walk walk;
	struct bytes record;
	struct entry e;
	bool first = true;

	ring_walk_begin(&j->ring, &walk);
	while (ring_walk_next(&j->ring, &walk, &record)) {
		if (!entry_read(record, &e) || !matches(&e, eid, message_id))
			continue;
		if (skip > 0) {
			skip--;
			continue;
		}
		if (!first)
			buf_str(out, ",\n");
		first = false;
		entry_write(&e, out);
	}
	ring_walk_end(&j->ring, &walk);
}

void journal_read(struct journal *j, const char *eid, const char *message_id, unsigned limit, struct buf *out_json)
{
	buf_char(out_json, '[');
	if (j) {
		size_t n;

		pthread_mutex_lock(&j->lock);
		n = count(j, eid, message_id);
		if (limit > LIMIT_MAX)
			limit = LIMIT_MAX;
		write_matches(j, eid, message_id, n > limit ? n - limit : 0, out_json);
		pthread_mutex_unlock(&j->lock);
	}
	buf_char(out_json, ']');
}
