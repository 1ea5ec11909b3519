/* SPDX-License-Identifier: Apache-2.0 */
/* One logfmt line to stderr per event. Keys, ciphertext, PSKs and profiles never go through here. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* A line under construction; lives on the stack. */
struct log_line {
	enum log_level level;
	bool on;
	unsigned len;
	char text[2048]; /* longer lines are cut; the end is then marked cut=true */
};

/* Process-wide: role is the process's name on each line (not copied), level the least that is written. */
void log_open(const char *role, enum log_level level);
bool log_level_parse(const char *text, enum log_level *out);

void log_begin(struct log_line *l, enum log_level level, const char *event);
/* NULL or empty values are left out. Values are quoted and escaped when needed: peer data cannot forge a line. */
void log_str(struct log_line *l, const char *key, const char *value);
void log_int(struct log_line *l, const char *key, int64_t value);
void log_end(struct log_line *l);

/* The short form: one event and one free sentence (msg=...). */
void log_msg(enum log_level level, const char *event, const char *fmt, ...) PRINTF(3, 4);

#endif
