/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "services/certs/certs.h"

/* An SM-DP acts for every operator of the staging. */
static void add_customers(struct buf *b, const struct entity *of)
{
	const char *comma = "";

	for (unsigned i = 0; i < n_entities; i++) {
		if (strcmp(of->role, "sm-dp") != 0 || strcmp(entities[i].role, "operator") != 0)
			continue;
		buf_printf(b, "%s\"%s\"", comma, entities[i].oid);
		comma = ", ";
	}
}

/* Names and OIDs are our own constants: nothing in them needs escaping. */
bool registry_make(const struct order *o, const struct entity *e)
{
	char *path = path_in(o, "registry", arena_printf(o->a, "%s.json", e->name));
	CLEANUP(buf_free) struct buf b = { 0 };

	if (file_exists(path))
		return true;
	if (!folder_make(arena_printf(o->a, "%s/registry", o->out)))
		return false;
	buf_printf(&b,
		   "{\n  \"oid\": \"%s\",\n  \"name\": \"%s\",\n  \"roles\": [\"%s\"],\n"
		   "  \"certificates\": [\"../%s/tls-client.pem\", \"../%s/tls-server.pem\"],\n"
		   "  \"addresses\": {},\n  \"customers\": [",
		   e->oid, e->name, e->role, e->name, e->name);
	add_customers(&b, e);
	buf_str(&b, "],\n  \"dialect\": \"\"\n}\n");
	return file_write(path, b.data, b.len);
}
