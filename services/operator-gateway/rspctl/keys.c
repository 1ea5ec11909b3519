/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of ISD-Ps of an SM-DP, on their way to the operator: wrapped, in a file that is its owner's alone. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/operator-gateway/rspctl/rspctl.h"

int cmd_keys_list(struct ctl *c)
{
	static const char *const names[] = { "eid", "isdp", "iccid", "mno", "type", "kvn", "keys", "export", "created_at" };
	static const char *const heads[] = { "EID", "ISD-P", "ICCID", "OPERATOR", "TYPE", "KVN", "KEYS", "EXPORT", "CREATED" };

	return ctl_list_by(c, "/admin/keys", OPT(MNO) | OPT(TYPE) | OPT(EID) | OPT(LIMIT), names, heads, LEN(names));
}

int cmd_keys_exports(struct ctl *c)
{
	static const char *const names[] = { "export",  "mno",          "type",         "keysets", "made_at",
					     "made_by", "confirmed_at", "confirmed_by", "wiped" };
	static const char *const heads[] = { "EXPORT", "OPERATOR", "TYPE", "KEYSETS", "MADE", "BY", "CONFIRMED", "BY", "WIPED" };

	return ctl_list_by(c, "/admin/keys/exports", OPT(LIMIT), names, heads, LEN(names));
}

const char *ctl_user(struct ctl *c)
{
	const struct passwd *user = getpwuid(getuid()); /* we have one thread */

	return user && user->pw_name && *user->pw_name ? arena_strdup(c->arena, user->pw_name)
						       : arena_printf(c->arena, "uid %lld", (long long)getuid());
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static bool write_all(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done < 0 && errno != EINTR)
			return false;
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return fsync(fd) == 0;
}

static int export_call(struct ctl *c, json_t **out)
{
	CLEANUP(json_freep) json_t *body = json_object();

	json_put(body, "mno", c->option[OPT_MNO]);
	json_put(body, "type", c->option[OPT_TYPE]);
	json_put(body, "by", ctl_user(c));
	json_object_set_new(body, "all", json_boolean(c->option[OPT_ALL] != NULL));
	return admin_json(c, "POST", "/admin/keys/export", body, out);
}

/* What the SM-DP says, into the file. */
static int export_save(struct ctl *c, int fd)
{
	CLEANUP(json_freep) json_t *answer = NULL;
	const char *csv;
	int code = export_call(c, &answer);

	if (code != EXIT_OK)
		return code;
	csv = json_string_value(json_object_get(answer, "csv"));
	if (!csv)
		return ctl_fail(c, EXIT_INTERNAL, "/admin/keys/export: no file in the answer; is %s an SM-DP's socket?",
				c->option[OPT_ADMIN]);
	if (!write_all(fd, csv, strlen(csv)))
		return ctl_fail(c, EXIT_INTERNAL, "%s: %s; the SM-DP still has the keys: export them again", c->args[0],
				strerror(errno));
	json_object_del(answer, "csv");
	json_object_set_new(answer, "file", json_string(c->args[0]));
	if (c->json)
		ctl_print_json(answer);
	else
		printf("export %s: %s key sets are in %s; when the operator has them: keys confirm\n",
		       ctl_cell(c->arena, answer, "export"), ctl_cell(c->arena, answer, "keysets"), c->args[0]);
	return EXIT_OK;
}

int cmd_keys_export(struct ctl *c)
{
	CLEANUP(fd_close) int fd = open(c->args[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int code;

	if (fd < 0)
		return ctl_fail(c, EXIT_USAGE, "%s: %s", c->args[0],
				errno == EEXIST ? "is there already: choose another name, or remove it" : strerror(errno));
	code = export_save(c, fd);
	if (code != EXIT_OK)
		(void)unlink(c->args[0]);
	return code;
}

int cmd_keys_confirm(struct ctl *c)
{
	CLEANUP(json_freep) json_t *body = json_pack("{s:s, s:s}", "export", c->args[0], "by", ctl_user(c));
	CLEANUP(json_freep) json_t *answer = NULL;
	int code;

	if (!body)
		return ctl_fail(c, EXIT_USAGE, "keys confirm: EXPORT is the id that keys export said");
	if (!c->option[OPT_YES])
		return ctl_fail(
			c, EXIT_USAGE,
			"keys confirm %s wipes the keys that are to be handed over: --yes says that the operator has read its file",
			c->args[0]);
	code = admin_json(c, "POST", "/admin/keys/confirm", body, &answer);
	if (code != EXIT_OK)
		return code;
	if (c->json)
		ctl_print_json(answer);
	else
		printf("export %s is confirmed: of its %s key sets %s are wiped\n", c->args[0],
		       ctl_cell(c->arena, answer, "keysets"), ctl_cell(c->arena, answer, "wiped"));
	return EXIT_OK;
}
