/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/journal_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/random.h"

enum {
	HEADER_SIZE = 4096,
	ALIGN = 16, /* every record and every gap is a multiple: a gap always has room for a filler's head */
	RING_MIN = 64 * 1024,
	MAGIC_RECORD = 0x4C4E524A,
	MAGIC_FILLER = 0x4C4C4946,
};

struct file_header {
	char magic[8];
	uint64_t size, key, sum;
};

/* Head of a record; the filler's is the first 16 octets of it: magic, size, sum. */
struct record {
	uint32_t magic, size; /* size: head, data and padding */
	uint64_t sum;
	uint64_t sequence;
	uint32_t n; /* octets of data */
	uint32_t reserved;
};
enum { FILLER_SIZE = 16 };

static const char file_magic[8] = "RSPJRNL1";

/* Tells whole records from torn ones; the key makes it unknown to who writes texts. By eights: a full ring is read at start. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		uint64_t word = 0;
		size_t step = n < sizeof(word) ? n : sizeof(word);

		memcpy(&word, p, step);
		h = (h ^ word) * 0x9E3779B97F4A7C15u;
		h ^= h >> 29;
		p += step;
		n -= step;
	}
	return h;
}

static uint64_t header_sum(const struct file_header *h)
{
	return mix(mix(mix(1, h->magic, sizeof(h->magic)), &h->size, sizeof(h->size)), &h->key, sizeof(h->key));
}

static uint64_t filler_sum(const struct ring *r, size_t at, uint32_t size)
{
	uint64_t place = at;

	return mix(mix(mix(r->key, "fill", 4), &place, sizeof(place)), &size, sizeof(size));
}

static uint64_t record_sum(const struct ring *r, const struct record *rec, const uint8_t *data)
{
	uint64_t h = mix(mix(r->key, &rec->size, sizeof(rec->size)), &rec->sequence, sizeof(rec->sequence));

	return mix(mix(h, &rec->n, sizeof(rec->n)), data, rec->n);
}

static void fill(struct ring *r, size_t at, size_t size)
{
	struct record rec = { .magic = MAGIC_FILLER, .size = (uint32_t)size };

	rec.sum = filler_sum(r, at, rec.size);
	memcpy(r->base + at, &rec, FILLER_SIZE);
}

/* Reads the head at an offset. False: no record or filler stands there (sizes only; sums are checked when the file is opened). */
static bool head_at(const struct ring *r, size_t at, struct record *out)
{
	size_t room = r->size - at;

	memset(out, 0, sizeof(*out));
	memcpy(out, r->base + at, room < sizeof(*out) ? FILLER_SIZE : sizeof(*out));
	if (out->size < FILLER_SIZE || out->size % ALIGN || out->size > room)
		return false;
	if (out->magic == MAGIC_FILLER)
		return true;
	return out->magic == MAGIC_RECORD && out->size >= sizeof(*out) && out->n <= out->size - sizeof(*out);
}

static bool whole_at(const struct ring *r, size_t at, struct record *out)
{
	if (!head_at(r, at, out))
		return false;
	if (out->magic == MAGIC_FILLER)
		return out->sum == filler_sum(r, at, out->size);
	return out->sum == record_sum(r, out, r->base + at + sizeof(*out));
}

/* The length of a step: past the record at `at`, or one unit on where none is whole. */
static size_t recover_step(const struct ring *r, size_t at, struct record *out, bool *out_whole)
{
	*out_whole = whole_at(r, at, out);
	return *out_whole ? out->size : ALIGN;
}

/* The newest record's end is the head: what a killed process wrote in part has a wrong sum and is left out. */
static void recover_head(struct ring *r)
{
	struct record rec;
	bool whole;

	for (size_t at = 0; at < r->size;) {
		size_t step = recover_step(r, at, &rec, &whole);

		if (whole && rec.magic == MAGIC_RECORD && rec.sequence > r->sequence) {
			r->sequence = rec.sequence;
			r->head = (at + step) % r->size;
		}
		at += step;
	}
}

/* Makes [from, to) walkable: gaps become fillers, and so do records out of order. */
static void recover_span(struct ring *r, size_t from, size_t to, uint64_t *last)
{
	size_t gap = from;
	struct record rec;
	bool whole;

	for (size_t at = from; at < to;) {
		size_t step = recover_step(r, at, &rec, &whole);

		if (at + step > to)
			step = ALIGN; /* a stale record that runs into newer ones */
		else if (whole && rec.magic == MAGIC_RECORD && rec.sequence > *last) {
			if (at > gap)
				fill(r, gap, at - gap);
			*last = rec.sequence;
			gap = at + step;
		}
		at += step;
	}
	if (to > gap)
		fill(r, gap, to - gap);
}

static void recover(struct ring *r)
{
	uint64_t last = 0;

	recover_head(r);
	if (!r->sequence)
		return;
	recover_span(r, r->head, r->size, &last);
	recover_span(r, 0, r->head, &last);
	r->used = r->size;
}

static bool header_good(const struct ring *r)
{
	struct file_header h;

	memcpy(&h, r->map, sizeof(h));
	return !memcmp(h.magic, file_magic, sizeof(h.magic)) && h.size == r->size && h.sum == header_sum(&h);
}

/* Old records, if any, have sums of another key from now on. */
static void start_anew(struct ring *r)
{
	struct file_header h = { .size = r->size };

	memcpy(h.magic, file_magic, sizeof(h.magic));
	random_bytes(&h.key, sizeof(h.key));
	h.sum = header_sum(&h);
	memcpy(r->map, &h, sizeof(h));
}

static int refuse(const char *path, const char *what, int rc, char error[256])
{
	(void)snprintf(error, 256, "journal %s: %s: %s", path, what, strerror(rc));
	return -1;
}

static void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* A descriptor of a file of the right size that no other process holds, or -1. *out_old: it had this size before. */
static int file_open(const char *path, size_t size, bool *out_old, char error[256])
{
	CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(path, "cannot be opened for writing", errno, error);
	if (!S_ISREG(st.st_mode))
		return refuse(path, "is not a file", EINVAL, error);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return refuse(path, "is in use by another process", errno, error);
	if (fchmod(fd, 0600) < 0)
		return refuse(path, "mode cannot be set to 0600", errno, error);
	*out_old = (size_t)st.st_size == size;
	if (!*out_old && (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size) < 0))
		return refuse(path, "size cannot be set", errno, error);
	rc = posix_fallocate(fd, 0, (off_t)size); /* a write to a mapped hole of a full disk would kill us */
	if (rc)
		return refuse(path, "no room on the disk; free some or make the journal smaller", rc, error);
	rc = fd;
	fd = -1;
	return rc;
}

int ring_open(const char *path, size_t size, struct ring *out, char error[256])
{
	struct ring r = { .fd = -1 };
	struct file_header h;
	bool old = false;

	if (size < RING_MIN)
		size = RING_MIN;
	r.size = (size + HEADER_SIZE - 1) / HEADER_SIZE * HEADER_SIZE;
	r.map_size = r.size + HEADER_SIZE;
	r.fd = file_open(path, r.map_size, &old, error);
	if (r.fd < 0)
		return -1;
	r.map = mmap(NULL, r.map_size, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
	if (r.map == MAP_FAILED) {
		closep(&r.fd);
		return refuse(path, "cannot be mapped", errno, error);
	}
	r.base = r.map + HEADER_SIZE;
	old = old && header_good(&r);
	if (!old)
		start_anew(&r);
	memcpy(&h, r.map, sizeof(h));
	r.key = h.key;
	if (old) {
		recover(&r);
		/* Read once, needed again when somebody asks: the file's pages are not this process's memory. */
		(void)madvise(r.map, r.map_size, MADV_DONTNEED);
	}
	*out = r;
	return 0;
}

void ring_close(struct ring *r)
{
	(void)munmap(r->map, r->map_size);
	(void)close(r->fd);
}

size_t ring_record_max(const struct ring *r)
{
	return r->size / 4 - sizeof(struct record);
}

/* Forgets the oldest records until n octets are free behind head. */
static void make_room(struct ring *r, size_t n)
{
	while (r->size - r->used < n) {
		struct record rec;

		if (!head_at(r, (r->head + r->size - r->used) % r->size, &rec)) {
			r->used = 0; /* somebody else wrote into the file: start over */
			return;
		}
		r->used -= rec.size < r->used ? rec.size : r->used;
	}
}

void ring_append(struct ring *r, const struct bytes *pieces, size_t n_pieces)
{
	struct record rec = { .magic = MAGIC_RECORD };
	size_t n = 0, at, need;

	for (size_t i = 0; i < n_pieces; i++)
		n += pieces[i].len;
	need = (sizeof(rec) + n + ALIGN - 1) / ALIGN * ALIGN;
	if (r->size - r->head < need) {
		size_t rest = r->size - r->head;

		make_room(r, rest);
		fill(r, r->head, rest);
		r->used += rest;
		r->head = 0;
	}
	make_room(r, need);
	at = r->head + sizeof(rec);
	for (size_t i = 0; i < n_pieces; i++) {
		if (pieces[i].len)
			memcpy(r->base + at, pieces[i].data, pieces[i].len);
		at += pieces[i].len;
	}
	rec.size = (uint32_t)need;
	rec.n = (uint32_t)n;
	rec.sequence = ++r->sequence;
	rec.sum = record_sum(r, &rec, r->base + r->head + sizeof(rec));
	memcpy(r->base + r->head, &rec, sizeof(rec)); /* last: until now nothing here counts as a record */
	r->used += need;
	r->head = (r->head + need) % r->size;
}

struct ring_walk ring_walk(const struct ring *r)
{
	return (struct ring_walk){ .at = (r->head + r->size - r->used) % r->size, .left = r->used };
}

bool ring_next(const struct ring *r, struct ring_walk *walk, struct bytes *out)
{
	struct record rec;

	while (walk->left > 0) {
		size_t at = walk->at;

		if (!head_at(r, at, &rec) || rec.size > walk->left)
			return false;
		walk->left -= rec.size;
		walk->at = (at + rec.size) % r->size;
		if (rec.magic != MAGIC_RECORD)
			continue;
		*out = (struct bytes){ r->base + at + sizeof(rec), rec.n };
		return true;
	}
	return false;
}
