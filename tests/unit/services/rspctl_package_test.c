/* SPDX-License-Identifier: Apache-2.0 */
/* rspctl package show: what it prints of a file, and how it says what is wrong with one. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/card/profile_default.h"
#include "services/operator-gateway/rspctl/rspctl.h"

static const char ZEROS[] = "00000000000000000000000000000000";

static void file_write(const char *path, const char *data, size_t n)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fwrite(data, 1, n, f) == n && !fclose(f));
}

/* Shows n bytes of the built-in package, octet at changed; its exit code, what was printed in the arena. */
static int show(struct ctl *c, const struct buf *made, size_t n, size_t at, const char **out)
{
	char path[] = "/tmp/rspctl-XXXXXX", said[16384] = "";
	CLEANUP(buf_free) struct buf copy = { 0 };
	const char *args[] = { path };
	int code, fd = mkstemp(path), saved = dup(STDOUT_FILENO);
	FILE *f = tmpfile();

	cr_assert(fd >= 0 && saved >= 0 && f);
	close(fd);
	buf_add(&copy, made->data, n);
	if (at < n)
		copy.data[at] = (char)(copy.data[at] ^ 0xFF);
	file_write(path, copy.data, n);
	c->args = args;
	c->n_args = 1;
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	code = cmd_package_show(c);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	fclose(f);
	unlink(path);
	*out = arena_strdup(c->arena, said);
	return code;
}

Test(rspctl_package, a_file_is_decoded_and_its_keys_stay_hidden)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf made = { 0 };
	struct ctl c = { .arena = a };
	const char *said;

	profile_default_build(&made, 0);
	cr_assert_eq(show(&c, &made, made.len, SIZE_MAX, &said), EXIT_OK);
	cr_expect(strstr(said, "1 header") && strstr(said, "akaParameter") && strstr(said, "(16 bytes hidden)"), "%s", said);
	cr_expect_null(strstr(said, ZEROS), "a key is shown");
	c.option[OPT_SECRETS] = "yes";
	cr_assert_eq(show(&c, &made, made.len, SIZE_MAX, &said), EXIT_OK);
	cr_expect(strstr(said, ZEROS) && !strstr(said, "hidden"), "%s", said);
	c.json = true;
	cr_assert_eq(show(&c, &made, made.len, SIZE_MAX, &said), EXIT_OK);
	cr_expect(strstr(said, "\"offset\": 0") && strstr(said, "\"elements\""), "%s", said);
}

Test(rspctl_package, what_is_wrong_is_told_by_offset_element_and_field)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf made = { 0 };
	struct ctl c = { .arena = a, .json = true };
	const char *said, *mf;

	profile_default_build(&made, 0);
	cr_assert_eq(show(&c, &made, made.len - 1, SIZE_MAX, &said), EXIT_USAGE);
	cr_expect(strstr(said, "cut off") && strstr(said, "\"exit\": 2"), "%s", said);
	/* The template of the MF: no longer one that the header lists. */
	mf = memmem(made.data, made.len, "\x81\x06\x67\x81\x0F\x01\x02\x01", 8);
	cr_assert_not_null(mf);
	cr_assert_eq(show(&c, &made, made.len, (size_t)(mf - made.data) + 5, &said), EXIT_USAGE);
	cr_expect(strstr(said, "offset ") && strstr(said, "element 2, mf (identification 1), templateID"), "%s", said);
	cr_assert_eq(show(&c, &made, 0, SIZE_MAX, &said), EXIT_USAGE);
	cr_expect(strstr(said, "empty"), "%s", said);
}
