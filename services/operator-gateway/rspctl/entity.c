/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of partners, on the admin socket. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/operator-gateway/rspctl/rspctl.h"

static int is_json(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 5 && e->d_name[0] != '.' && !strcmp(e->d_name + n - 5, ".json");
}

static int import_file(struct ctl *c, const char *file, json_t *done)
{
	char error[512] = "";
	CLEANUP(json_freep) json_t *entity = entity_read(c->arena, file, error);
	CLEANUP(json_freep) json_t *answer = NULL;
	unsigned status;
	struct bytes body;
	int code;

	if (!entity)
		return ctl_fail(c, EXIT_USAGE, "%s", error);
	code = admin_call(c, "POST", "/admin/entities", entity, &status, &body);
	if (code != EXIT_OK)
		return code;
	if (status / 100 != 2)
		return ctl_http_fail(c, file, status, body);
	json_array_append_new(done, json_pack("{s:O, s:s}", "oid", json_object_get(entity, "oid"), "file", file));
	return EXIT_OK;
}

static void print_done(const struct ctl *c, json_t *done)
{
	const json_t *row;
	size_t i;

	if (c->json) {
		ctl_print_json(done);
		return;
	}
	json_array_foreach(done, i, row)
		printf("%s imported from %s\n", ctl_cell(c->arena, row, "oid"), ctl_cell(c->arena, row, "file"));
}

int cmd_entity_import(struct ctl *c)
{
	CLEANUP(json_freep) json_t *done = json_array();
	struct dirent **names = NULL;
	int n = scandir(c->args[0], &names, is_json, alphasort), code = EXIT_OK;

	if (n < 0)
		return ctl_fail(c, EXIT_USAGE, "%s: %s", c->args[0], strerror(errno));
	for (int i = 0; i < n; i++) {
		if (code == EXIT_OK)
			code = import_file(c, arena_printf(c->arena, "%s/%s", c->args[0], names[i]->d_name), done);
		free(names[i]);
	}
	free(names);
	if (n == 0)
		return ctl_fail(c, EXIT_USAGE, "%s: there is no *.json file; rsp-certs makes them", c->args[0]);
	if (code == EXIT_OK)
		print_done(c, done);
	return code;
}

/* A list as one cell: strings joined by blanks, "ES4=url" for objects. */
static const char *joined(struct arena *a, json_t *list)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		buf_printf(&out, "%s%s", out.len ? " " : "", json_string_value(item) ? json_string_value(item) : "?");
	json_object_foreach(list, name, item) buf_printf(&out, "%s%s=%s", out.len ? " " : "", name,
							 json_string_value(item) ? json_string_value(item) : joined(a, item));
	return out.len ? arena_strdup(a, out.data) : "-";
}

int cmd_entity_list(struct ctl *c)
{
	CLEANUP(json_freep) json_t *list = NULL;
	const char **cells;
	unsigned n = 5;
	json_t *row;
	size_t i;
	int code = admin_json(c, "GET", "/admin/entities", NULL, &list);

	if (code != EXIT_OK)
		return code;
	if (c->json) {
		ctl_print_json(list);
		return EXIT_OK;
	}
	cells = arena_array(c->arena, 5 * (json_array_size(list) + 1), sizeof(*cells));
	memcpy(cells, (const char *[]){ "OID", "NAME", "ROLES", "CUSTOMERS", "ADDRESSES" }, 5 * sizeof(*cells));
	json_array_foreach(list, i, row)
	{
		cells[n++] = ctl_cell(c->arena, row, "oid");
		cells[n++] = ctl_cell(c->arena, row, "name");
		cells[n++] = joined(c->arena, json_object_get(row, "roles"));
		cells[n++] = joined(c->arena, json_object_get(row, "customers"));
		cells[n++] = joined(c->arena, json_object_get(row, "addresses"));
	}
	ctl_print_table(cells, 5, n / 5);
	return EXIT_OK;
}
