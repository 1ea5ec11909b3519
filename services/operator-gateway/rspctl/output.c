/* SPDX-License-Identifier: Apache-2.0 */
/* What people and programs read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

static const char *const code_names[] = { "ok", "refused", "usage", "unreachable", "not_found", "internal" };

/* error: {"code","message",...}; given away. */
static int say_error(const struct ctl *c, enum exit_code code, json_t *error)
{
	CLEANUP(json_freep) json_t *whole = NULL;
	const char *id = json_string_value(json_object_get(error, "message_id"));

	if (c->json) {
		whole = json_pack("{s:o, s:i}", "error", error, "exit", code);
		ctl_print_json(whole);
		return code;
	}
	fprintf(stderr, "rspctl: %s", json_string_value(json_object_get(error, "message")));
	if (id)
		fprintf(stderr, " (message %s)", id);
	fputc('\n', stderr);
	json_decref(error);
	return code;
}

int ctl_fail(const struct ctl *c, enum exit_code code, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = arena_vprintf(c->arena, fmt, args);
	va_end(args);
	return say_error(c, code, json_pack("{s:s, s:s+}", "code", code_names[code], "message", text, ""));
}

static enum exit_code code_of(unsigned status, const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));

	if (status == 404)
		return EXIT_NOT_FOUND;
	if (json_object_get(error, "status") || (status >= 400 && status < 500))
		return EXIT_REFUSED;
	if (code && !strcmp(code, "unreachable"))
		return EXIT_UNREACHABLE;
	return EXIT_INTERNAL;
}

int ctl_http_fail(const struct ctl *c, const char *what, unsigned status, struct bytes body)
{
	CLEANUP(json_freep) json_t *answer = json_loadb((const char *)body.data, body.len, 0, NULL);
	const json_t *theirs = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(theirs, "code"));
	const char *message = json_string_value(json_object_get(theirs, "message"));
	enum exit_code exit_code = code_of(status, theirs);
	json_t *error = theirs ? json_deep_copy(theirs) : json_object();

	if (!code)
		json_object_set_new(error, "code", json_string(code_names[exit_code]));
	json_object_set_new(error, "message",
			    json_sprintf("%s: HTTP %u%s%s%s%s", what, status, code ? " " : "", code ? code : "",
					 message ? ": " : "", message ? message : ""));
	return say_error(c, exit_code, error);
}

int ctl_status_fail(const struct ctl *c, const char *function, const struct execution_status *status)
{
	static const struct status_code_data none = { "?", "?", NULL, NULL };
	const struct status_code_data *code = status->code ? status->code : &none;
	const char *message = code->message ? code->message : "no message was given";
	/* Many messages begin with what they are about. */
	bool named = !code->subject_id || !strncmp(message, code->subject_id, strlen(code->subject_id));
	enum exit_code exit_code = EXIT_REFUSED;
	json_t *error = json_object();

	/* "does not exist" in the code list of SGP.02: reasons 1.1 of an identifier and 3.9 of anything. */
	if (!strcmp(code->reason, "3.9") || (!strcmp(code->subject, "8.1.1") && !strcmp(code->reason, "1.1")))
		exit_code = EXIT_NOT_FOUND;
	json_object_set_new(error, "code", json_sprintf("%s/%s", code->subject, code->reason));
	json_object_set_new(error, "message",
			    json_sprintf("%s: %s %s/%s: %s%s%s", function, status_name(status->status), code->subject, code->reason,
					 named ? "" : code->subject_id, named ? "" : ": ", message));
	json_object_set_new(error, "status", json_string(status_name(status->status)));
	json_object_set_new(error, "function", json_string(function));
	if (code->subject_id)
		json_object_set_new(error, "subject_identifier", json_string(code->subject_id));
	return say_error(c, exit_code, error);
}

void ctl_print_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
}

void ctl_print_table(const char *const *cells, unsigned columns, unsigned rows)
{
	for (unsigned r = 0; r < rows; r++) {
		for (unsigned k = 0; k < columns; k++) {
			size_t width = 0;

			for (unsigned i = 0; i < rows; i++)
				width = strlen(cells[i * columns + k]) > width ? strlen(cells[i * columns + k]) : width;
			if (k + 1 == columns)
				printf("%s", cells[r * columns + k]);
			else
				printf("%-*s  ", (int)width, cells[r * columns + k]);
		}
		putchar('\n');
	}
}

const char *ctl_cell(struct arena *a, const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);
	const char *text = json_string_value(v);

	if (json_is_integer(v))
		return arena_printf(a, "%lld", (long long)json_integer_value(v));
	if (json_is_boolean(v))
		return json_is_true(v) ? "yes" : "no";
	return text && *text ? text : "-";
}

void url_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
			buf_char(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}
