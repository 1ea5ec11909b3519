/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

static const char *log_role = "?";
static atomic_int log_least = LOG_INFO; /* changed at run time by /admin/log-level */

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_open(const char *role, enum log_level level)
{
	log_role = role;
	atomic_store_explicit(&log_least, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *text, enum log_level *out)
{
	for (unsigned i = 0; i < LEN(level_names); i++) {
		if (!strcmp(text, level_names[i])) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static void put(struct log_line *l, char c)
{
	if (l->len < sizeof(l->text) - sizeof(" cut=true\n"))
		l->text[l->len++] = c;
}

static void put_str(struct log_line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

static bool plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || (unsigned char)*s >= 0x7F)
			return false;
	return true;
}

static void put_quoted(struct log_line *l, const char *s)
{
	char hex[8];

	put(l, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			put(l, '\\');
			put(l, *s);
		} else if (c < ' ' || c == 0x7F) {
			(void)snprintf(hex, sizeof(hex), "\\x%02x", c);
			put_str(l, hex);
		} else {
			put(l, *s);
		}
	}
	put(l, '"');
}

void log_str(struct log_line *l, const char *key, const char *value)
{
	if (!l->on || !value || !*value)
		return;
	put(l, ' ');
	put_str(l, key);
	put(l, '=');
	if (plain(value))
		put_str(l, value);
	else
		put_quoted(l, value);
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	log_str(l, key, text);
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
	char when[DATETIME_MAX];

	l->level = level;
	l->on = (int)level >= atomic_load_explicit(&log_least, memory_order_relaxed);
	l->len = 0;
	if (!l->on)
		return;
	datetime_format(clock_wall_us(), when);
	put_str(l, "time=");
	put_str(l, when);
	log_str(l, "level", level_names[level]);
	log_str(l, "role", log_role);
	log_str(l, "event", event);
}

void log_end(struct log_line *l)
{
	if (!l->on)
		return;
	if (l->len >= sizeof(l->text) - sizeof(" cut=true\n")) {
		memcpy(l->text + l->len, " cut=true", 9);
		l->len += 9;
	}
	l->text[l->len++] = '\n';
	if (write(STDERR_FILENO, l->text, l->len) < 0)
		return; /* nowhere left to say it */
}

void log_msg(enum log_level level, const char *event, const char *fmt, ...)
{
	struct log_line l;
	char text[1024];
	va_list args;

	log_begin(&l, level, event);
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_str(&l, "msg", text);
	log_end(&l);
}
