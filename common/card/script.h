/* SPDX-License-Identifier: Apache-2.0 */
/* Expanded remote command scripts and their answers (ETSI TS 102 226 5.2; card.md 5, procedures.md 4.2). */
#ifndef CARD_SCRIPT_H
#define CARD_SCRIPT_H

#include <stdbool.h>

#include "common/base/buf.h"

enum { SCRIPT_COMMANDS_MAX = 64 };

enum script_form {
	SCRIPT_DEFINITE,   /* AA L {22 L C-APDU}*, answered by AB L {80 n}{23 ...}* */
	SCRIPT_INDEFINITE, /* AE 80 ... 00 00, answered by AF 80 ... 00 00 without a count */
};

/* Appends a script of n C-APDUs. */
void script_build(struct buf *out, enum script_form form, const struct bytes *apdus, size_t n);

/* The same of TLVs that are complete already: C-APDUs in 22, SCP03t commands. */
void script_of_tlvs(struct buf *out, enum script_form form, struct bytes tlvs);

struct script {
	enum script_form form;
	struct bytes apdus[SCRIPT_COMMANDS_MAX]; /* point into what was read; tags 22 and A2 are taken */
	size_t n;
};
/* False: *out_why; more than SCRIPT_COMMANDS_MAX commands, an unknown tag, cut off, bytes behind the end. */
bool script_parse(struct bytes in, struct script *out, const char **out_why);

struct script_result {
	struct bytes data; /* without SW */
	uint16_t sw;
};
struct script_answer {
	struct script_result results[SCRIPT_COMMANDS_MAX];
	size_t n;
	int executed;    /* 80; -1: not said */
	bool bad_format; /* 90: the card could not read the script */
};
/* Either form. False: *out_why. An R-APDU shorter than its SW is wrong; immediate-action and chaining TLVs (81, 83) are skipped. */
bool script_answer_parse(struct bytes in, struct script_answer *out, const char **out_why);
/* For who relays it: the answer TLVs as they are, without container and count; points into in. False: *out_why; 90 too, the card could not
 * read the script. */
bool script_answer_content(struct bytes in, struct bytes *out, const char **out_why);
void script_answer_build(struct buf *out, enum script_form form, const struct script_result *results, size_t n);
/* The answer to a script that cannot be read. */
void script_bad_format(struct buf *out, enum script_form form);

#endif
