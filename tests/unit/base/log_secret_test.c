/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/secret.h"

static const char *text_of(struct log_line *l)
{
	l->text[l->len] = '\0';
	return l->text;
}

Test(log, peer_data_cannot_forge_a_line_or_a_key)
{
	struct log_line l;

	log_open("test", LOG_INFO);
	log_begin(&l, LOG_INFO, "call");
	log_str(&l, "plain", "abc-1.2");
	log_str(&l, "blank", "a b");
	log_str(&l, "forged", "x\nlevel=error event=\"y\\\"");
	log_str(&l, "empty", "");
	log_str(&l, "none", NULL);
	log_int(&l, "n", -5);
	cr_assert(strstr(text_of(&l), " role=test event=call plain=abc-1.2 blank=\"a b\" "));
	cr_assert(strstr(l.text, " forged=\"x\\x0alevel=error event=\\\"y\\\\\\\"\" n=-5"), "%s", l.text);
	cr_assert(!strchr(l.text, '\n'));
	cr_assert(!strstr(l.text, "empty") && !strstr(l.text, "none"));
}

Test(log, below_the_level_nothing_is_kept)
{
	struct log_line l;

	log_open("test", LOG_WARN);
	log_begin(&l, LOG_INFO, "call");
	log_str(&l, "key", "value");
	cr_assert_eq(l.len, 0);
	cr_assert(!l.on);
}

Test(log, a_long_line_is_cut_and_says_so)
{
	char value[5000], line[3000] = "";
	int fds[2], old = dup(STDERR_FILENO);
	struct log_line l;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	cr_assert_eq(pipe(fds), 0);
	log_open("test", LOG_INFO);
	log_begin(&l, LOG_INFO, "call");
	log_str(&l, "key", value);
	dup2(fds[1], STDERR_FILENO);
	log_end(&l);
	dup2(old, STDERR_FILENO);
	cr_assert_gt(read(fds[0], line, sizeof(line) - 1), 0);
	cr_assert_leq(strlen(line), sizeof(l.text));
	cr_assert_str_eq(line + strlen(line) - 10, " cut=true\n");
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	cr_assert_eq(chmod(path, mode), 0);
}

Test(secret, file_modes_and_sizes)
{
	char folder[] = "/tmp/secret-test-XXXXXX", path[64];
	struct secret s = { 0 };

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/key", folder);
	cr_assert_eq(secret_read_file(path, 100, &s), -ENOENT);
	write_file(path, "0123456789", 0640);
	cr_assert_eq(secret_read_file(path, 100, &s), -EPERM);
	write_file(path, "0123456789", 0604);
	cr_assert_eq(secret_read_file(path, 100, &s), -EPERM);
	write_file(path, "0123456789", 0600);
	cr_assert_eq(secret_read_file(path, 9, &s), -EFBIG);
	cr_assert_null(s.data, "untouched on failure");
	cr_assert_eq(secret_read_file(path, 10, &s), 0);
	cr_assert_eq(s.len, 10);
	cr_assert_arr_eq(s.data, "0123456789", 10);
	secret_free(&s);
	cr_assert_null(s.data);
	secret_free(&s);
	(void)unlink(path);
	(void)rmdir(folder);
}
