/* SPDX-License-Identifier: Apache-2.0 */
/* gen-xsd --out DIR writes the schemas, WSDLs and docs/functions.md below DIR; --check DIR says which of them differ;
 * --wsdl INTERFACE ROLE prints what that role answers to ?wsdl. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/arena.h"
#include "common/msg/wsdl.h"
#include "common/sgp02/function.h"
#include "tools/gen_xsd/gen_xsd.h"

struct run {
	const char *dir;
	bool check;
	int wrong; /* files that differ or could not be written */
};

static char *read_all(struct arena *a, const char *path, size_t *out_len)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	(void)fclose(f);
	*out_len = text.len;
	return arena_memdup(a, text.data ? text.data : "", text.len);
}

static size_t first_difference(const char *a, size_t n, const struct buf *b)
{
	size_t at = 0, line = 1;

	while (at < n && at < b->len && a[at] == b->data[at])
		line += a[at++] == '\n';
	return line;
}

static void compare(struct run *r, const char *path, const struct buf *want)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	size_t n = 0;
	char *have = read_all(a, path, &n);

	if (have && n == want->len && !memcmp(have, want->data, n))
		return;
	r->wrong++;
	if (have)
		(void)fprintf(stderr, "%s differs from the tables at line %zu\n", path, first_difference(have, n, want));
	else
		(void)fprintf(stderr, "%s is missing\n", path);
}

static void store(struct run *r, const char *path, const struct buf *text)
{
	FILE *f = fopen(path, "w");
	bool ok = f && fwrite(text->data, 1, text->len, f) == text->len;

	if (f && fclose(f) != 0)
		ok = false;
	if (!ok) {
		r->wrong++;
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	}
}

/* What goes wrong here shows when the file is opened. */
static void make_folders(char *path, size_t from)
{
	for (char *slash = path + from; slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0777);
		*slash = '/';
	}
	(void)mkdir(path, 0777);
}

static void emit(struct run *r, const char *folder, const char *name, const struct buf *text)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	char *path = arena_printf(a, "%s/%s", r->dir, folder);

	if (r->check) {
		compare(r, arena_printf(a, "%s/%s", path, name), text);
		return;
	}
	make_folders(path, strlen(r->dir));
	store(r, arena_printf(a, "%s/%s", path, name), text);
}

static void emit_wsdl(struct run *r, enum iface iface, unsigned roles, bool callback)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf text = { 0 };
	const char *service = wsdl_service(iface, roles);

	if (!service)
		return;
	if (wsdl_write(&text, iface, roles, callback,
		       arena_printf(a, "https://host.example/esim-messaging/3/%s/%s", iface_name(iface), service),
		       "../xsd/rps3.xsd"))
		emit(r, "proto/wsdl", arena_printf(a, "%s%s.wsdl", service, callback ? ".callback" : ""), &text);
}

static bool any_deferred(enum iface iface, unsigned roles)
{
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		const struct function *f = function_by_id(id);

		if (f->iface == iface && (f->providers & roles) && f->mep == MEP_DEFERRED && !f->not_served)
			return true;
	}
	return false;
}

static void emit_all(struct run *r)
{
	static const unsigned sides[] = { ROLE_EUM, ROLE_OPERATOR, ROLE_SM_DP, ROLE_SM_SR };
	CLEANUP(buf_free) struct buf xsd = { 0 };
	CLEANUP(buf_free) struct buf dsig = { 0 };
	CLEANUP(buf_free) struct buf docs = { 0 };

	xsd_write(&xsd, "xmldsig.xsd");
	emit(r, "proto/xsd", "rps3.xsd", &xsd);
	xmldsig_xsd_write(&dsig);
	emit(r, "proto/xsd", "xmldsig.xsd", &dsig);
	functions_md_write(&docs);
	emit(r, "docs", "functions.md", &docs);
	for (enum iface i = 0; i < IF_COUNT; i++) {
		for (size_t s = 0; s < LEN(sides); s++) {
			emit_wsdl(r, i, sides[s], false);
			if (any_deferred(i, sides[s]))
				emit_wsdl(r, i, sides[s], true);
		}
	}
}

/* As at run time: the schemas inside. */
static int print_wsdl(const char *iface, const char *role_text)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	enum role role;

	if (!role_parse(role_text, &role))
		return 2;
	for (enum iface i = 0; i < IF_COUNT; i++) {
		if (strcmp(iface_name(i), iface) != 0 || !wsdl_write(&text, i, role, false, "https://host.example/", NULL))
			continue;
		return fwrite(text.data, 1, text.len, stdout) == text.len ? 0 : 1;
	}
	return 2;
}

int main(int argc, char **argv)
{
	struct run r = { 0 };

	if (argc == 4 && !strcmp(argv[1], "--wsdl"))
		return print_wsdl(argv[2], argv[3]);
	if (argc != 3 || (strcmp(argv[1], "--out") != 0 && strcmp(argv[1], "--check") != 0)) {
		(void)fprintf(stderr, "usage: gen-xsd --out DIR | --check DIR | --wsdl INTERFACE ROLE\n");
		return 2;
	}
	r.check = !strcmp(argv[1], "--check");
	r.dir = argv[2];
	emit_all(&r);
	return r.wrong ? 1 : 0;
}
