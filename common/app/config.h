/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration from environment variables only; one table gives parser, defaults, --help and docs (style.md 15). */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/sgp02/ids.h"

enum config_type {
	CONFIG_TEXT,   /* const char * */
	CONFIG_FILE,   /* const char *: must be readable when set */
	CONFIG_SECRET_FILE, /* const char *: must be readable and closed to group and others when set */
	CONFIG_PORT,   /* unsigned, 0..65535 */
	CONFIG_NUMBER, /* unsigned */
	CONFIG_OID,    /* struct oid */
	CONFIG_BOOL,   /* bool: yes/no */
};

/* Tables of rows end with key NULL; own may be NULL. A role's struct begins with `struct config_common common;`. */
struct config_row {
	const char *key;      /* without prefix: ENTITY_OID */
	enum config_type type;
	size_t offset;
	const char *def;      /* default; NULL: must be set */
	const char *text;     /* one line for --help and docs/operate.md */
};

/* Rows that every process has: common/app/config.def. */
struct config_common {
#define CONFIG_TYPE_TEXT const char *
#define CONFIG_TYPE_FILE const char *
#define CONFIG_TYPE_SECRET_FILE const char *
#define CONFIG_TYPE_PORT unsigned
#define CONFIG_TYPE_NUMBER unsigned
#define CONFIG_TYPE_OID struct oid
#define CONFIG_TYPE_BOOL bool
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "common/app/config.def"
#undef CONFIG
};

/* Reads the environment into out (a struct that begins with config_common). 0; -1: errors says, one line per fault, which variable,
 * what is wrong with it and what it should be; unknown variables with the prefix are faults. Strings point into environ_. */
int config_read(const char *prefix, const struct config_row *own, char **environ_, void *out, struct buf *errors);
/* The same for a process that is none of the suite's roles (no partners, no database): its own rows alone; out need not begin with config_common. */
int config_read_own(const char *prefix, const struct config_row *own, char **environ_, void *out, struct buf *errors);
void config_help(const char *name, const char *prefix, const struct config_row *own, struct buf *out);
/* The same rows as a Markdown table, for docs/operate.md. */
void config_help_markdown(const char *name, const char *prefix, const struct config_row *own, struct buf *out);
/* Without the rows of every process. */
void config_help_own(const char *name, const char *prefix, const struct config_row *own, bool markdown, struct buf *out);

#endif
