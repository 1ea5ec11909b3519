/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration as a table, for people (--help) and for docs/operate.md (--help --markdown). */
#include <string.h>

#include "common/app/app_internal.h"

/* clang-format off */
static const char *const type_names[] = {
	[CONFIG_TEXT] = "text",
	[CONFIG_FILE] = "file",
	[CONFIG_SECRET_FILE] = "file, mode 600",
	[CONFIG_PORT] = "port",
	[CONFIG_NUMBER] = "number",
	[CONFIG_OID] = "OID",
	[CONFIG_BOOL] = "yes or no",
};
/* clang-format on */

static void help_rows(const char *prefix, const struct config_row *rows, struct buf *out)
{
	for (const struct config_row *row = rows; row && row->key; row++) {
		buf_printf(out, "  %s%s (%s, ", prefix, row->key, type_names[row->type]);
		if (!row->def)
			buf_str(out, "must be set");
		else if (!*row->def)
			buf_str(out, "empty");
		else
			buf_printf(out, "default %s", row->def);
		buf_printf(out, ")\n      %s\n", row->text);
	}
}

static void usage(const char *name, struct buf *out)
{
	buf_printf(out,
		   "Usage: %s [--check | --version | --help [--markdown]]\n\n"
		   "Runs until SIGTERM or SIGINT. --check reads the configuration, says what is wrong with it and ends.\n"
		   "Configuration is read from environment variables; an empty one counts as not set:\n\n",
		   name);
}

void config_help(const char *name, const char *prefix, const struct config_row *own, struct buf *out)
{
	usage(name, out);
	if (own && own->key) {
		help_rows(prefix, own, out);
		buf_str(out, "\nAnd those of every process:\n\n");
	}
	help_rows(prefix, config_common_rows, out);
}

/* A table cell: a bar would end it. */
static void cell(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_char(out, '\\');
		buf_char(out, *text);
	}
}

static void markdown_rows(const char *prefix, const struct config_row *rows, struct buf *out)
{
	for (const struct config_row *row = rows; row && row->key; row++) {
		buf_printf(out, "| `%s%s` | %s | ", prefix, row->key, type_names[row->type]);
		if (!row->def) {
			buf_str(out, "must be set");
		} else if (*row->def) {
			buf_char(out, '`');
			cell(out, row->def);
			buf_char(out, '`');
		}
		buf_str(out, " | ");
		cell(out, row->text);
		buf_str(out, " |\n");
	}
}

static void markdown_head(const char *name, struct buf *out)
{
	buf_printf(out, "### %s\n\n| variable | type | default | meaning |\n|---|---|---|---|\n", name);
}

void config_help_markdown(const char *name, const char *prefix, const struct config_row *own, struct buf *out)
{
	markdown_head(name, out);
	markdown_rows(prefix, own, out);
	markdown_rows(prefix, config_common_rows, out);
}

void config_help_own(const char *name, const char *prefix, const struct config_row *own, bool markdown, struct buf *out)
{
	if (markdown) {
		markdown_head(name, out);
		markdown_rows(prefix, own, out);
		return;
	}
	usage(name, out);
	help_rows(prefix, own, out);
}
