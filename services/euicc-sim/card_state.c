/* SPDX-License-Identifier: Apache-2.0 */
/* The state file: a head, then two copies of each card's record. A save writes the older copy, so that a kill leaves the newer one as it
 * was. Nothing is synced to the disk but the new file: a simulator's cards survive its kill, not the machine's. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/secret.h"
#include "services/euicc-sim/card_internal.h"

enum { HEAD = 64, COPIES = 2, CARDS_MAX = 1000000, FORMAT = 1 };

struct head {
	char magic[8];
	uint32_t format, record; /* a program with another record does not read this file */
	uint64_t cards;
};
static const char magic[8] = "RSPCARD";

struct card_file {
	int fd;
	char *folder; /* of the files of ISD-Ps */
	struct card *cards;
	uint64_t *generations; /* of the newer copy */
	size_t n, cap;
};

static bool PRINTF(2, 3) refuse(char error[CARD_ERROR], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(error, CARD_ERROR, fmt, args);
	va_end(args);
	return false;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void *array_new(size_t n, size_t size)
{
	return must(calloc(n ? n : 1, size));
}

void card_file_close(struct card_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	for (size_t i = 0; i < f->n; i++)
		card_free(&f->cards[i]);
	if (f->cards)
		secret_wipe(f->cards, f->cap * sizeof(*f->cards));
	free(f->cards);
	free(f->generations);
	free(f->folder);
	free(f);
}

size_t card_file_count(const struct card_file *f)
{
	return f->n;
}

struct card *card_file_card(struct card_file *f, size_t i)
{
	return &f->cards[i];
}

static void card_file_freep(struct card_file **f)
{
	card_file_close(*f);
}

/* A line and what stream reads it; both held keys. */
struct reader {
	FILE *in;
	char *line;
	size_t cap;
};

static void reader_close(struct reader *r)
{
	if (r->in)
		(void)fclose(r->in);
	if (r->line)
		secret_wipe(r->line, r->cap);
	free(r->line);
}

/* Room for one more; realloc would leave keys behind. */
static struct card *card_place(struct card_file *f)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		struct card *wider = array_new(cap, sizeof(*wider));

		if (f->cards) {
			memcpy(wider, f->cards, f->n * sizeof(*wider));
			secret_wipe(f->cards, f->cap * sizeof(*f->cards));
			free(f->cards);
		}
		f->cards = wider;
		f->cap = cap;
	}
	return &f->cards[f->n];
}

static bool batch_read(struct card_file *f, const char *path, char error[CARD_ERROR])
{
	CLEANUP(reader_close) struct reader r = { .in = fopen(path, "re") };
	char why[CARD_ERROR];
	ssize_t n;

	if (!r.in)
		return refuse(error, "%.120s: %s", path, strerror(errno));
	/* getline grows by realloc: a line that fits at once leaves no copy behind. */
	r.cap = 64 * 1024;
	r.line = must(malloc(r.cap));
	for (; (n = getline(&r.line, &r.cap, r.in)) > 0; f->n++) {
		if (f->n == CARDS_MAX)
			return refuse(error, "%.120s: more than %d cards", path, CARDS_MAX);
		if (!card_import(card_place(f), r.line, (size_t)n, f->n, why))
			return refuse(error, "%.120s: line %zu: %.180s", path, f->n + 1, why);
	}
	if (ferror(r.in))
		return refuse(error, "%.120s: %s", path, strerror(errno));
	return true;
}

static off_t place_of(size_t card, uint64_t generation)
{
	return HEAD + (off_t)(card * COPIES + generation % COPIES) * CARD_RECORD;
}

static void record_forget(uint8_t (*record)[CARD_RECORD])
{
	secret_wipe(*record, CARD_RECORD);
}

static bool record_save(int fd, const struct card *c, size_t i, uint64_t generation)
{
	CLEANUP(record_forget) uint8_t record[CARD_RECORD];

	card_record_write(c, generation, record);
	return card_write_at(fd, record, CARD_RECORD, place_of(i, generation));
}

static struct head head_of(const struct card_file *f)
{
	struct head h = { .format = FORMAT, .record = CARD_RECORD, .cards = f->n };

	memcpy(h.magic, magic, sizeof(magic));
	return h;
}

/* Both copies, so that there is an older one from the first save on. */
static bool state_fill(const struct card_file *f, int fd)
{
	const struct head h = head_of(f);

	if (!card_write_at(fd, &h, sizeof(h), 0))
		return false;
	for (size_t i = 0; i < f->n; i++)
		for (uint64_t generation = 0; generation < COPIES; generation++)
			if (!record_save(fd, &f->cards[i], i, generation))
				return false;
	return fsync(fd) == 0;
}

/* Under another name first: a kill amid it leaves no half of a file. link fails where another process was faster. */
static bool state_make(const struct card_file *f, const char *path)
{
	char tmp[4096];
	int fd, n = snprintf(tmp, sizeof(tmp), "%s.%ld", path, (long)getpid());
	bool ok;

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return false;
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = state_fill(f, fd);
	ok = close(fd) == 0 && ok;
	ok = ok && (link(tmp, path) == 0 || errno == EEXIST);
	n = errno;
	(void)unlink(tmp);
	errno = n;
	return ok;
}

/* The newer of the copies that are whole. */
static bool state_read_card(struct card_file *f, size_t i)
{
	CLEANUP(record_forget) uint8_t record[CARD_RECORD];
	bool found = false;

	for (uint64_t copy = 0; copy < COPIES; copy++) {
		struct card c = f->cards[i];
		uint64_t generation;

		if (card_read_at(f->fd, record, CARD_RECORD, place_of(i, copy)) && card_record_read(&c, record, &generation) &&
		    generation % COPIES == copy && (!found || generation > f->generations[i])) {
			f->cards[i] = c;
			f->generations[i] = generation;
			found = true;
		}
		secret_wipe(&c, sizeof(c));
	}
	return found;
}

static bool state_read(struct card_file *f, const char *path, char error[CARD_ERROR])
{
	const struct head expected = head_of(f);
	struct head h;
	struct stat st;

	if (fstat(f->fd, &st) != 0)
		return refuse(error, "%.120s: %s", path, strerror(errno));
	if (!card_read_at(f->fd, &h, sizeof(h), 0) || memcmp(&h, &expected, sizeof(h)) != 0)
		return refuse(error, "%.120s: not the state of this batch, or of another version", path);
	if (st.st_size != place_of(f->n, 0))
		return refuse(error, "%.120s: %lld bytes instead of %lld: it is cut off", path, (long long)st.st_size,
			      (long long)place_of(f->n, 0));
	for (size_t i = 0; i < f->n; i++)
		if (!state_read_card(f, i))
			return refuse(error, "%.120s: card %s: both copies are damaged, or of another card", path,
				      f->cards[i].eid.text);
	for (size_t i = 0; i < f->n; i++)
		if (!card_domains_read(f->folder, &f->cards[i], error))
			return false;
	return true;
}

static bool state_open(struct card_file *f, const char *batch_path, char error[CARD_ERROR])
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s.state", batch_path);

	if (n < 0 || (size_t)n >= sizeof(path))
		return refuse(error, "%.100s...: the name is too long", batch_path);
	if (access(path, F_OK) != 0 && !state_make(f, path))
		return refuse(error, "%.120s: %s", path, strerror(errno));
	f->fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (f->fd < 0)
		return refuse(error, "%.120s: %s", path, strerror(errno));
	if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
		return refuse(error, "%.120s: another simulator has it", path);
	return state_read(f, path, error);
}

struct card_file *card_file_open(const char *batch_path, char error[CARD_ERROR])
{
	CLEANUP(card_file_freep) struct card_file *f = array_new(1, sizeof(*f));
	struct card_file *done = f;

	f->fd = -1;
	if (asprintf(&f->folder, "%s.isdp", batch_path) < 0)
		abort();
	if (!batch_read(f, batch_path, error))
		return NULL;
	f->generations = array_new(f->n, sizeof(*f->generations));
	if (!state_open(f, batch_path, error))
		return NULL;
	f = NULL;
	return done;
}

bool card_file_save(struct card_file *f, const struct card *c)
{
	size_t i = (size_t)(c - f->cards);
	struct card_domains_old old;

	if (!card_domains_write(f->folder, &f->cards[i], &old))
		return false;
	if (!record_save(f->fd, c, i, f->generations[i] + 1)) {
		card_domains_restore(&f->cards[i], &old);
		return false;
	}
	f->generations[i]++;
	card_domains_written(f->folder, &f->cards[i], &old);
	return true;
}
