/* SPDX-License-Identifier: Apache-2.0 */
/* The last messages of a process as they were on the wire, secrets cut (decisions.md F2): a ring file, 64 MiB by default. */
#ifndef RPC_JOURNAL_H
#define RPC_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

struct journal;

/* Opens or makes the ring (mode 0600, mapped into memory). An unreadable or foreign file is started anew. NULL: error says why. path NULL: no journal. */
struct journal *journal_open(const char *path, size_t size, char error[256]);
void journal_close(struct journal *j);

enum journal_kind {
	JOURNAL_IN, JOURNAL_OUT, JOURNAL_ANSWER_IN, JOURNAL_ANSWER_OUT, /* SOAP */
	JOURNAL_CARD_IN, JOURNAL_CARD_OUT, JOURNAL_SMS_IN, JOURNAL_SMS_OUT, /* ES5: text is what the row's function says, in words and hex */
};
struct journal_entry {
	int64_t at;              /* wall microseconds */
	enum journal_kind kind;
	const char *peer;        /* OID or address */
	const char *eid;         /* "" */
	const char *function;    /* ES4-GetEIS, or "?" */
	const char *message_id;  /* "" */
	unsigned status;         /* HTTP status of an answer; 0 */
	const void *text;
	size_t n;
};
/* Appends; overwrites the oldest. Safe from any thread; j NULL allowed. A single entry over a quarter of the ring is cut. */
void journal_write(struct journal *j, const struct journal_entry *e);
/* Writes a JSON array of the newest `limit` entries that match (eid, message id substring; NULL: any), oldest first. */
void journal_read(struct journal *j, const char *eid, const char *message_id, unsigned limit, struct buf *out_json);
/* Copies text to out with every run of 24 or more hex digits and every base64 run over 200 cut to "***": for messages that could not be decoded. */
void journal_mask(struct buf *out, const void *text, size_t n);

#endif
