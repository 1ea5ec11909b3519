/* SPDX-License-Identifier: Apache-2.0 */
/* Profile packages decoded for people: of a file, without any process, and of an SM-DP's profile type. */
#include <stdio.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/secret.h"
#include "common/card/profile_show.h"
#include "common/card/tlv.h"
#include "services/operator-gateway/rspctl/rspctl.h"

/* Where in the package the element begins that a fault names; its end: where one should begin. */
static size_t offset_of(struct bytes package, size_t index)
{
	struct bytes rest = package;
	struct tlv t;

	for (size_t i = 0; i < index && tlv_next(&rest, &t); i++)
		;
	return package.len - rest.len;
}

static int package_fail(const struct ctl *c, const char *what, struct bytes package, const struct profile_fault *f)
{
	return ctl_fail(c, EXIT_USAGE, "%s: offset %zu: %s", what, offset_of(package, f->index), profile_fault_text(c->arena, f));
}

static unsigned flags_of(const struct ctl *c)
{
	return (c->option[OPT_SECRETS] ? PROFILE_SHOW_SECRETS : 0) | (c->option[OPT_WHOLE] ? PROFILE_SHOW_WHOLE : 0);
}

static json_t *element_json(const struct profile_package *p, const struct profile_element *e)
{
	json_t *j = json_pack("{s:s, s:b, s:I, s:I}", "name", e->name, "mandated", e->mandated, "offset",
			      (json_int_t)(e->whole.data - p->whole.data), "bytes", (json_int_t)e->whole.len);

	if (e->identification != PE_NO_IDENTIFICATION)
		json_object_set_new(j, "identification", json_integer(e->identification));
	return j;
}

/* The members of a package. */
static void package_json(json_t *out, const struct profile_package *p, const char *text)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n; i++)
		json_array_append_new(list, element_json(p, &p->elements[i]));
	json_object_set_new(out, "elements", list);
	json_object_set_new(out, "text", json_string(text));
}

/* Prints what can be read of it, then says what is wrong. answer: what --json has besides. */
static int package_print(const struct ctl *c, const char *what, struct bytes package, json_t *answer)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	struct profile_package p;
	struct profile_fault fault;
	bool good;

	if (!profile_package_parse(c->arena, package, &p, &fault))
		return package_fail(c, what, package, &fault);
	good = profile_package_check(&p, &fault);
	buf_str(&text, "");
	profile_show(&text, &p, flags_of(c));
	if (!c->json) {
		(void)fwrite(text.data, 1, text.len, stdout);
	} else if (good) {
		package_json(answer, &p, text.data);
		ctl_print_json(answer);
	}
	secret_wipe(text.data, text.len);
	return good ? EXIT_OK : package_fail(c, what, package, &fault);
}

int cmd_package_show(struct ctl *c)
{
	CLEANUP(json_freep) json_t *answer = json_object();
	struct bytes package = { 0 };
	int code = file_read(c, c->args[0], PROFILE_PACKAGE_MAX, &package);

	if (code == EXIT_OK)
		code = package_print(c, c->args[0], package, answer);
	return code;
}

static void head_print(const struct ctl *c, const json_t *type)
{
	static const char *const names[] = { "name", "mno", "memory", "keys", "address", "rules", "variables" };

	if (c->json)
		return;
	for (size_t i = 0; i < LEN(names); i++)
		printf("%s: %s\n", names[i], ctl_cell(c->arena, type, names[i]));
}

int cmd_type_show(struct ctl *c)
{
	CLEANUP(json_freep) json_t *type = NULL;
	CLEANUP(buf_free) struct buf path = { 0 };
	const char *hex;
	uint8_t *data;
	size_t n;
	int code;

	buf_str(&path, "/admin/types/show");
	ctl_query(&path, "mno", c->option[OPT_MNO]);
	ctl_query(&path, "name", c->args[0]);
	code = admin_json(c, "GET", path.data, NULL, &type);
	if (code != EXIT_OK)
		return code;
	hex = json_string_value(json_object_get(type, "package"));
	n = hex ? strlen(hex) : 0;
	data = arena_alloc(c->arena, n / 2 + 1);
	if (n == 0 || !hex_decode(hex, n, data))
		return ctl_fail(c, EXIT_INTERNAL, "/admin/types/show: no package in the answer; is %s an SM-DP's socket?",
				c->option[OPT_ADMIN]);
	json_object_del(type, "package");
	head_print(c, type);
	return package_print(c, c->args[0], (struct bytes){ data, n / 2 }, type);
}
