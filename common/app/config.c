/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/app/app_internal.h"

const struct config_row config_common_rows[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct config_common, member), def, text },
#include "common/app/config.def"
#undef CONFIG
	{ NULL },
};

/* What one variable was read as, before it is stored. */
union value {
	const char *text;
	unsigned number;
	struct oid oid;
	bool flag;
};

struct reading {
	const char *prefix;
	char **environ_;
	struct buf *errors;
	unsigned faults;
};

/* Starts the line of a fault: the variable's full name. */
static struct buf *fault(struct reading *r, const struct config_row *row)
{
	r->faults++;
	buf_printf(r->errors, "%s%s: ", r->prefix, row->key);
	return r->errors;
}

/* The variable's value; NULL: not set. An empty value counts as not set, since compose files pass unset ones on as empty. */
static const char *variable(const struct reading *r, const char *key)
{
	size_t n = strlen(r->prefix), k = strlen(key);

	for (char **e = r->environ_; *e; e++)
		if (!strncmp(*e, r->prefix, n) && !strncmp(*e + n, key, k) && (*e)[n + k] == '=')
			return (*e)[n + k + 1] ? *e + n + k + 1 : NULL;
	return NULL;
}

static void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static void check_file(struct reading *r, const struct config_row *row, const char *path)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		buf_printf(fault(r, row), "%s cannot be read: %s; give the path of a file that this user can read\n", path,
			   strerror(errno));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		buf_printf(fault(r, row), "%s is not a file; give the path of a file\n", path);
		return;
	}
	if (row->type == CONFIG_SECRET_FILE && (st.st_mode & (S_IRWXG | S_IRWXO)))
		buf_printf(fault(r, row), "%s has mode %04o, so that others can use the secret; mend it with: chmod 600 %s\n", path,
			   (unsigned)(st.st_mode & 07777), path);
}

/* Decimal digits only: strtoul's signs and blanks are no numbers here. */
static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned long v;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return false;
	v = strtoul(text, NULL, 10);
	if (v > max)
		return false;
	*out = (unsigned)v;
	return true;
}

static void parse_flag(struct reading *r, const struct config_row *row, const char *text, bool *out)
{
	if (!strcmp(text, "yes"))
		*out = true;
	else if (!strcmp(text, "no"))
		*out = false;
	else
		buf_printf(fault(r, row), "'%s' is neither yes nor no\n", text);
}

static void parse(struct reading *r, const struct config_row *row, const char *text, union value *out)
{
	switch (row->type) {
	case CONFIG_TEXT:
		out->text = text;
		break;
	case CONFIG_FILE:
	case CONFIG_SECRET_FILE:
		out->text = text;
		if (*text)
			check_file(r, row, text);
		break;
	case CONFIG_PORT:
		if (!parse_number(text, UINT16_MAX, &out->number))
			buf_printf(fault(r, row), "'%s' is not a port; give a number from 0 to 65535\n", text);
		break;
	case CONFIG_NUMBER:
		if (!parse_number(text, INT_MAX, &out->number))
			buf_printf(fault(r, row), "'%s' is not a number; give one from 0 to %d\n", text, INT_MAX);
		break;
	case CONFIG_OID:
		if (!oid_parse(text, &out->oid))
			buf_printf(fault(r, row),
				   "'%s' is not an object identifier; give digits and single dots, as 1.3.6.1.4.1.99.1\n", text);
		break;
	case CONFIG_BOOL:
		parse_flag(r, row, text, &out->flag);
		break;
	}
}

static void put(void *out, const struct config_row *row, const union value *v)
{
	static const size_t sizes[] = {
		[CONFIG_TEXT] = sizeof(const char *),
		[CONFIG_FILE] = sizeof(const char *),
		[CONFIG_SECRET_FILE] = sizeof(const char *),
		[CONFIG_PORT] = sizeof(unsigned),
		[CONFIG_NUMBER] = sizeof(unsigned),
		[CONFIG_OID] = sizeof(struct oid),
		[CONFIG_BOOL] = sizeof(bool),
	};

	memcpy((char *)out + row->offset, v, sizes[row->type]);
}

/* Reads the rows; out NULL: checks only. */
static void read_rows(struct reading *r, const struct config_row *rows, void *out)
{
	for (const struct config_row *row = rows; row && row->key; row++) {
		const char *text = variable(r, row->key);
		union value v = { 0 };
		unsigned before = r->faults;

		if (!text)
			text = row->def;
		if (!text) {
			buf_printf(fault(r, row), "is not set and has no default; set it: %s\n", row->text);
			continue;
		}
		parse(r, row, text, &v);
		if (out && r->faults == before)
			put(out, row, &v);
	}
}

static bool known(const char *key, size_t n, const struct config_row *rows)
{
	for (const struct config_row *row = rows; row && row->key; row++)
		if (strlen(row->key) == n && !strncmp(row->key, key, n))
			return true;
	return false;
}

/* A variable that nobody reads is a spelling mistake: its owner believes that it works. */
static void refuse_unknown(struct reading *r, const struct config_row *common, const struct config_row *own)
{
	size_t n = strlen(r->prefix);

	for (char **e = r->environ_; *e; e++) {
		const char *key = *e + n;
		size_t len;

		if (strncmp(*e, r->prefix, n))
			continue;
		len = strcspn(key, "=");
		if (known(key, len, common) || known(key, len, own))
			continue;
		r->faults++;
		buf_printf(r->errors, "%.*s: there is no such variable; --help lists them all, remove or rename it\n",
			   (int)(n + len), *e);
	}
}

int config_read(const char *prefix, const struct config_row *own, char **environ_, void *out, struct buf *errors)
{
	struct reading r = { .prefix = prefix, .environ_ = environ_, .errors = errors };
	struct config_common common;

	memset(&common, 0, sizeof(common));
	read_rows(&r, config_common_rows, &common);
	read_rows(&r, own, NULL);
	refuse_unknown(&r, config_common_rows, own);
	if (!r.faults)
		r.faults += config_check(prefix, &common, errors);
	if (r.faults)
		return -1;
	memcpy(out, &common, sizeof(common));
	read_rows(&r, own, out);
	return r.faults ? -1 : 0;
}

int config_read_own(const char *prefix, const struct config_row *own, char **environ_, void *out, struct buf *errors)
{
	struct reading r = { .prefix = prefix, .environ_ = environ_, .errors = errors };

	read_rows(&r, own, NULL);
	refuse_unknown(&r, NULL, own);
	if (r.faults)
		return -1;
	read_rows(&r, own, out);
	return r.faults ? -1 : 0;
}
