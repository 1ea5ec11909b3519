/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/rpc/journal.h"

enum { RING = 64 * 1024, HEADER = 4096 };

static char path[64];
static char error[256];

static void path_new(void)
{
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/journal-test-XXXXXX");
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	(void)close(fd);
}

static void path_gone(void)
{
	(void)unlink(path);
}

TestSuite(journal, .init = path_new, .fini = path_gone);

static struct journal *opened(void)
{
	struct journal *j = journal_open(path, RING, error);

	cr_assert_not_null(j, "%s", error);
	return j;
}

static void put(struct journal *j, const char *eid, const char *id, const char *text, size_t n)
{
	journal_write(j, &(struct journal_entry){ .at = 1700000000000000,
						  .kind = JOURNAL_ANSWER_OUT,
						  .peer = "1.2.3",
						  .eid = eid,
						  .function = "ES4-GetEIS",
						  .message_id = id,
						  .status = 200,
						  .text = text,
						  .n = n });
}

static json_t *entries(struct journal *j, const char *eid, const char *id, unsigned limit)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	json_error_t e;
	json_t *array;

	journal_read(j, eid, id, limit, &b);
	array = json_loadb(b.data, b.len, JSON_ALLOW_NUL, &e);
	cr_assert(json_is_array(array), "%s in %s", e.text, b.data);
	return array;
}

static const char *text_of(json_t *array, size_t i, const char *member)
{
	return json_string_value(json_object_get(json_array_get(array, i), member));
}

Test(journal, wraps_reopens_and_filters)
{
	struct journal *j = opened();
	struct stat st;
	char filler[999], id[32];
	json_t *a;

	memset(filler, 'x', sizeof(filler));
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(id, sizeof(id), "urn:m-%03u", i);
		put(j, i % 2 ? "odd" : "even", id, filler, i % sizeof(filler) * 7 % sizeof(filler));
	}
	for (unsigned round = 0; round < 2; round++) {
		a = entries(j, NULL, NULL, 10000);
		cr_assert_gt(json_array_size(a), 60);
		cr_assert_lt(json_array_size(a), 499); /* the ring went round */
		for (size_t i = 0; i < json_array_size(a); i++) {
			(void)snprintf(id, sizeof(id), "urn:m-%03zu", 500 - json_array_size(a) + i);
			cr_assert_str_eq(text_of(a, i, "message_id"), id);
		}
		json_decref(a);
		a = entries(j, "odd", NULL, 3);
		cr_assert_eq(json_array_size(a), 3);
		cr_assert_str_eq(text_of(a, 0, "message_id"), "urn:m-495");
		cr_assert_str_eq(text_of(a, 2, "message_id"), "urn:m-499");
		json_decref(a);
		a = entries(j, NULL, "m-49", 100);
		cr_assert_eq(json_array_size(a), 10);
		cr_assert_str_eq(text_of(a, 9, "kind"), "answer-out");
		cr_assert_str_eq(text_of(a, 9, "at"), "2023-11-14T22:13:20Z");
		json_decref(a);
		journal_close(j);
		j = opened();
	}
	put(j, "even", "urn:m-500", "new", 3);
	a = entries(j, NULL, NULL, 2);
	cr_assert_str_eq(text_of(a, 0, "message_id"), "urn:m-499");
	cr_assert_str_eq(text_of(a, 1, "text"), "new");
	json_decref(a);
	journal_close(j);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
}

static void overwrite(size_t at, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY);

	cr_assert_eq(pwrite(fd, data, n, (off_t)at), (ssize_t)n);
	(void)close(fd);
}

/* Finds text in the file, behind its header; 0: not there. */
static size_t place_of(const char *text)
{
	static char file[HEADER + RING];
	int fd = open(path, O_RDONLY);
	char *at;

	cr_assert_eq(read(fd, file, sizeof(file)), (ssize_t)sizeof(file));
	(void)close(fd);
	at = memmem(file + HEADER, RING, text, strlen(text));
	return at ? (size_t)(at - file) : 0;
}

Test(journal, leaves_out_torn_and_forged_entries)
{
	struct journal *j = opened();
	char record[512];
	int fd;
	json_t *a;

	put(j, "", "one", "first text", 10);
	put(j, "", "two", "second text", 11);
	put(j, "", "three", "third text", 10);
	journal_close(j);
	overwrite(place_of("third text"), "T", 1); /* as a process killed while it wrote */
	j = opened();
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 2);
	cr_assert_str_eq(text_of(a, 1, "message_id"), "two");
	json_decref(a);
	put(j, "", "four", "fourth text", 11);
	journal_close(j);
	overwrite(place_of("first text"), "F", 1); /* damage before good entries */
	/* A whole record of this file, moved: as a peer's text that holds the octets of one. */
	fd = open(path, O_RDONLY);
	cr_assert_eq(pread(fd, record, sizeof(record), HEADER), (ssize_t)sizeof(record));
	(void)close(fd);
	j = opened();
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 2);
	cr_assert_str_eq(text_of(a, 0, "text"), "second text");
	cr_assert_str_eq(text_of(a, 1, "text"), "fourth text");
	json_decref(a);
	journal_close(j);
	cr_assert_eq(unlink(path), 0);
	j = opened();
	journal_close(j);
	overwrite(HEADER, record, sizeof(record)); /* records of another file are of another key */
	j = opened();
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 0);
	json_decref(a);
	journal_close(j);
}

Test(journal, starts_foreign_files_anew_and_refuses_what_is_in_use)
{
	struct journal *j, *second;
	json_t *a;

	overwrite(0, "not a journal", 13);
	j = opened();
	put(j, "", "one", "text", 4);
	second = journal_open(path, RING, error);
	cr_assert_null(second);
	cr_assert_not_null(strstr(error, "in use"), "%s", error);
	journal_close(j);
	overwrite(9, "\xff", 1); /* the header */
	j = opened();
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 0);
	json_decref(a);
	put(j, "", "two", "text", 4);
	journal_close(j);
	j = journal_open(path, 2 * RING, error); /* another size */
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 0);
	json_decref(a);
	journal_close(j);
	cr_assert_null(journal_open("/nowhere/journal", RING, error));
	cr_assert_not_null(strstr(error, "/nowhere/journal"), "%s", error);
	cr_assert_null(journal_open(NULL, RING, error));
	journal_write(NULL, &(struct journal_entry){ .at = 1 });
	journal_close(NULL);
}

Test(journal, cuts_big_entries_and_escapes_any_octet)
{
	static char big[RING];
	struct journal *j = opened();
	json_t *a;

	memset(big, 'b', sizeof(big));
	put(j, "", "big", big, sizeof(big));
	put(j, "", "odd", "a\"\\\n\x01\xff\xc3\xa9\0z", 10);
	a = entries(j, NULL, NULL, 10);
	cr_assert_eq(json_array_size(a), 2);
	cr_assert(json_is_true(json_object_get(json_array_get(a, 0), "cut")));
	cr_assert_gt(strlen(text_of(a, 0, "text")), RING / 8);
	cr_assert_lt(strlen(text_of(a, 0, "text")), RING / 4);
	cr_assert(json_is_false(json_object_get(json_array_get(a, 1), "cut")));
	cr_assert_eq(json_string_length(json_object_get(json_array_get(a, 1), "text")), 12);
	cr_assert_eq(memcmp(text_of(a, 1, "text"), "a\"\\\n\x01\xef\xbf\xbd\xc3\xa9\0z", 12), 0);
	json_decref(a);
	journal_close(j);
}

static void *writer(void *arg)
{
	char text[700];

	memset(text, 'w', sizeof(text));
	for (unsigned i = 0; i < 400; i++)
		put(arg, "", "w", text, i);
	return NULL;
}

Test(journal, takes_writers_of_many_threads)
{
	struct journal *j = opened();
	pthread_t threads[4];
	json_t *a;

	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, writer, j), 0);
	json_decref(entries(j, NULL, NULL, 100)); /* meanwhile */
	for (unsigned i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	a = entries(j, "", "w", 10000);
	cr_assert_gt(json_array_size(a), 60);
	for (size_t i = 0; i < json_array_size(a); i++)
		cr_assert_eq(strspn(text_of(a, i, "text"), "w"), strlen(text_of(a, i, "text")));
	json_decref(a);
	journal_close(j);
}

static void masked(const char *text, const char *expected)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	journal_mask(&b, text, strlen(text));
	cr_assert_str_eq(b.data, expected);
}

Test(journal, masks_what_may_be_a_key)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	static char text[1024 * 1024];

	masked("<Eid>plain text, 0123456789abcdef0123456</Eid>", "<Eid>plain text, 0123456789abcdef0123456</Eid>"); /* 23 */
	masked("<k>0123456789abcdef01234567</k>", "<k>***</k>");
	masked("<k>0123456789ABCDEF\r\n   0123456789abcdef</k>", "<k>***</k>");
	masked("xyz0123456789abcdef01234567xyz", "xyz***xyz");
	memset(text, 'Q', 201);
	text[100] = '\n';
	text[201] = '<';
	text[202] = '\0';
	buf_str(&b, text);
	masked(text, text); /* 200 members and a line break */
	memset(text, 'Q', 202);
	text[100] = '\n';
	text[202] = '<';
	text[203] = '\0';
	masked(text, "***<");
	memset(text, '\n', sizeof(text)); /* must not take time that grows with the square */
	buf_clear(&b);
	journal_mask(&b, text, sizeof(text));
	cr_assert_eq(b.len, sizeof(text));
}
