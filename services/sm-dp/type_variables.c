/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/type_variables.h"

#include <string.h>

#include "common/base/hex.h"
#include "common/sgp02/names.h"

enum { POL1_MAX = 7, CONNECTIVITY_MAX = 1024 };

static const char *const source_names[VARIABLE_SOURCES] = { "template", "random", "batch" };

/* Names that are several uses at once; the others are those of stock_use_name. */
static const struct {
	const char *name;
	enum stock_use first, last;
} groups[] = { { "scp80", USE_KIC, USE_KIK }, { "scp03", USE_ENC, USE_DEK } };

struct reading {
	struct arena *a;
	struct type_variables v;
	bool said[STOCK_USES], said_pol1;
	const char *why;
};

static bool bad(struct reading *r, const char *name, const char *what)
{
	r->why = arena_printf(r->a, "variables: %.40s: %s", name, what);
	return false;
}

static bool take_pol1(struct reading *r, const char *name, const char *value)
{
	if (r->said_pol1)
		return bad(r, name, "is named twice");
	if (strlen(value) != 1 || value[0] < '0' || value[0] > '0' + POL1_MAX)
		return bad(r, name, "should be 0 to 7: 1 disabling not allowed, 2 deletion not allowed, 4 deletion once disabled");
	r->v.pol1 = (uint8_t)(value[0] - '0');
	r->v.has_pol1 = r->said_pol1 = true;
	return true;
}

static bool take_connectivity(struct reading *r, const char *name, const char *value)
{
	size_t n = strlen(value);
	uint8_t *data;

	if (r->v.connectivity.data)
		return bad(r, name, "is named twice");
	if (n < 2 || n > 2 * CONNECTIVITY_MAX)
		return bad(r, name, "should be 1 to 1024 bytes in hex: the contents of connectivityParameters");
	data = arena_alloc(r->a, n / 2);
	if (!hex_decode(value, n, data))
		return bad(r, name, "should be in hex: the contents of connectivityParameters");
	r->v.connectivity = (struct bytes){ data, n / 2 };
	return true;
}

static bool range_of(const char *name, enum stock_use *first, enum stock_use *last)
{
	for (size_t i = 0; i < LEN(groups); i++) {
		if (!strcmp(groups[i].name, name)) {
			*first = groups[i].first;
			*last = groups[i].last;
			return true;
		}
	}
	for (unsigned use = USE_KIC; use < STOCK_USES; use++) {
		if (!strcmp(stock_use_name(use), name)) {
			*first = *last = (enum stock_use)use;
			return true;
		}
	}
	return false;
}

static bool take_secret(struct reading *r, const char *name, const char *value)
{
	enum stock_use first, last;
	unsigned source = name_index(source_names, VARIABLE_SOURCES, value);

	if (!range_of(name, &first, &last))
		return bad(r, name,
			   "no such variable; there are kic kid kik (scp80), enc mac dek (scp03), pin1 pin2 puk1 puk2 adm1, pol1, "
			   "connectivity");
	if (source == VARIABLE_SOURCES)
		return bad(r, name, "should be template, random or batch");
	for (unsigned use = first; use <= last; use++) {
		if (r->said[use])
			return bad(r, name, "is named twice");
		r->said[use] = true;
		r->v.source[use] = (enum variable_source)source;
	}
	return true;
}

static bool take_word(struct reading *r, const char *word)
{
	const char *equals = strchr(word, '='), *name;

	if (!equals)
		return bad(r, word, "should be NAME=SOURCE");
	name = arena_strndup(r->a, word, (size_t)(equals - word));
	if (!strcmp(name, "pol1"))
		return take_pol1(r, name, equals + 1);
	if (!strcmp(name, "connectivity"))
		return take_connectivity(r, name, equals + 1);
	return take_secret(r, name, equals + 1);
}

bool type_variables_parse(struct arena *a, const char *text, struct type_variables *out, const char **out_why)
{
	static const char blanks[] = " \t\r\n";
	struct reading r = { .a = a };

	r.v.source[USE_KI] = r.v.source[USE_OPC] = SOURCE_BATCH;
	text = text ? text : "";
	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t n = strcspn(text, blanks);

		if (!take_word(&r, arena_strndup(a, text, n))) {
			*out_why = r.why;
			return false;
		}
		text += n;
	}
	*out = r.v;
	return true;
}

static void add(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s%s=%s", out->len ? " " : "", name, value);
}

const char *type_variables_text(struct arena *a, const struct type_variables *v)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	for (unsigned use = USE_KIC; use < STOCK_USES; use++)
		if (v->source[use] != SOURCE_TEMPLATE)
			add(&out, stock_use_name(use), source_names[v->source[use]]);
	if (v->has_pol1)
		add(&out, "pol1", arena_printf(a, "%u", v->pol1));
	if (v->connectivity.data)
		add(&out, "connectivity", hex_text(a, v->connectivity.data, v->connectivity.len));
	return out.len ? arena_strndup(a, out.data, out.len) : "";
}
