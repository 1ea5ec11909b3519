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
	SCRATCH_KEPT = 64 * 1024, /* larger records are rare */
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

/* False: the octets did not all get there. Room was allotted when the file was opened. */
static bool put(const struct ring *r, size_t at, const void *data, size_t n)
{
	return pwrite(r->fd, data, n, (off_t)(HEADER_SIZE + at)) == (ssize_t)n;
}

static void fill(const struct ring *r, size_t at, size_t size)
{
	struct record rec = { .magic = MAGIC_FILLER, .size = (uint32_t)size };

	rec.sum = filler_sum(r, at, rec.size);
	(void)put(r, at, &rec, FILLER_SIZE); /* without it the walk ends here, once */
}

/* Octets of a head at an offset: at the ring's end there may be room for a filler's only. */
static size_t head_room(const struct ring *r, size_t at)
{
	return r->size - at < sizeof(struct record) ? FILLER_SIZE : sizeof(struct record);
}

/* True: a record or filler may stand there (sizes only; sums are checked when the file is opened). */
static bool head_fits(const struct ring *r, size_t at, const struct record *rec)
{
	if (rec->size < FILLER_SIZE || rec->size % ALIGN || rec->size > r->size - at)
		return false;
	if (rec->magic == MAGIC_FILLER)
		return true;
	return rec->magic == MAGIC_RECORD && rec->size >= sizeof(*rec) && rec->n <= rec->size - sizeof(*rec);
}

static bool head_at(const struct ring *r, const uint8_t *base, size_t at, struct record *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out, base + at, head_room(r, at));
	return head_fits(r, at, out);
}

static bool head_read(const struct ring *r, size_t at, struct record *out)
{
	size_t n = head_room(r, at);

	memset(out, 0, sizeof(*out));
	return pread(r->fd, out, n, (off_t)(HEADER_SIZE + at)) == (ssize_t)n && head_fits(r, at, out);
}

static bool whole_at(const struct ring *r, const uint8_t *base, size_t at, struct record *out)
{
	if (!head_at(r, base, at, out))
		return false;
	if (out->magic == MAGIC_FILLER)
		return out->sum == filler_sum(r, at, out->size);
	return out->sum == record_sum(r, out, base + at + sizeof(*out));
}

/* The length of a step: past the record at `at`, or one unit on where none is whole. */
static size_t recover_step(const struct ring *r, const uint8_t *base, size_t at, struct record *out, bool *out_whole)
{
	*out_whole = whole_at(r, base, at, out);
	return *out_whole ? out->size : ALIGN;
}

/* The newest record's end is the head: what a killed process wrote in part has a wrong sum and is left out. */
static void recover_head(struct ring *r, const uint8_t *base)
{
	struct record rec;
	bool whole;

	for (size_t at = 0; at < r->size;) {
		size_t step = recover_step(r, base, at, &rec, &whole);

		if (whole && rec.magic == MAGIC_RECORD && rec.sequence > r->sequence) {
			r->sequence = rec.sequence;
			r->head = (at + step) % r->size;
		}
		at += step;
	}
}

/* Makes [from, to) walkable: gaps become fillers, and so do records out of order. */
static void recover_span(const struct ring *r, const uint8_t *base, size_t from, size_t to, uint64_t *last)
{
	size_t gap = from;
	struct record rec;
	bool whole;

	for (size_t at = from; at < to;) {
		size_t step = recover_step(r, base, at, &rec, &whole);

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

static void recover(struct ring *r, const uint8_t *base)
{
	uint64_t last = 0;

	recover_head(r, base);
	if (!r->sequence)
		return;
	recover_span(r, base, r->head, r->size, &last);
	recover_span(r, base, 0, r->head, &last);
	r->used = r->size;
}

static bool header_good(const struct ring *r, struct file_header *out)
{
	return pread(r->fd, out, sizeof(*out), 0) == (ssize_t)sizeof(*out) && !memcmp(out->magic, file_magic, sizeof(out->magic)) &&
	       out->size == r->size && out->sum == header_sum(out);
}

/* Old records, if any, have sums of another key from now on. */
static bool start_anew(struct ring *r)
{
	struct file_header h = { .size = r->size };

	memcpy(h.magic, file_magic, sizeof(h.magic));
	random_bytes(&h.key, sizeof(h.key));
	h.sum = header_sum(&h);
	r->key = h.key;
	return pwrite(r->fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h);
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
	rc = posix_fallocate(fd, 0, (off_t)size); /* a full disk is found out now, not in the middle of a call */
	if (rc)
		return refuse(path, "no room on the disk; free some or make the journal smaller", rc, error);
	rc = fd;
	fd = -1;
	return rc;
}

/* The whole file, NULL: not to be had. */
static const uint8_t *map(const struct ring *r)
{
	void *p = mmap(NULL, HEADER_SIZE + r->size, PROT_READ, MAP_SHARED, r->fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(const struct ring *r, const uint8_t *map)
{
	union {
		const uint8_t *c;
		void *v;
	} p = { .c = map };

	if (map)
		(void)munmap(p.v, HEADER_SIZE + r->size);
}

/* Takes over what an earlier process left, when it is ours; else an empty ring. */
static bool take_over(struct ring *r, bool old)
{
	const uint8_t *octets;
	struct file_header h;

	if (!old || !header_good(r, &h))
		return start_anew(r);
	octets = map(r);
	if (!octets)
		return false;
	r->key = h.key;
	recover(r, octets + HEADER_SIZE);
	unmap(r, octets);
	return true;
}

int ring_open(const char *path, size_t size, struct ring *out, char error[256])
{
	struct ring r = { .fd = -1 };
	bool old = false;

	if (size < RING_MIN)
		size = RING_MIN;
	r.size = (size + HEADER_SIZE - 1) / HEADER_SIZE * HEADER_SIZE;
	r.fd = file_open(path, HEADER_SIZE + r.size, &old, error);
	if (r.fd < 0)
		return -1;
	if (!take_over(&r, old)) {
		int rc = errno;

		closep(&r.fd);
		return refuse(path, "cannot be read or written", rc, error);
	}
	*out = r;
	return 0;
}

void ring_close(struct ring *r)
{
	buf_free(&r->scratch);
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

		if (!head_read(r, (r->head + r->size - r->used) % r->size, &rec)) {
			r->used = 0; /* somebody else wrote into the file: start over */
			return;
		}
		r->used -= rec.size < r->used ? rec.size : r->used;
	}
}

/* Head, pieces and padding into r->scratch. */
static void record_build(struct ring *r, const struct bytes *pieces, size_t n_pieces)
{
	static const uint8_t padding[ALIGN];
	struct record rec = { .magic = MAGIC_RECORD, .sequence = r->sequence + 1 };

	buf_clear(&r->scratch);
	buf_add(&r->scratch, &rec, sizeof(rec));
	for (size_t i = 0; i < n_pieces; i++)
		buf_add(&r->scratch, pieces[i].data, pieces[i].len);
	rec.n = (uint32_t)(r->scratch.len - sizeof(rec));
	buf_add(&r->scratch, padding, (ALIGN - r->scratch.len % ALIGN) % ALIGN);
	rec.size = (uint32_t)r->scratch.len;
	rec.sum = record_sum(r, &rec, (const uint8_t *)r->scratch.data + sizeof(rec));
	memcpy(r->scratch.data, &rec, sizeof(rec));
}

void ring_append(struct ring *r, const struct bytes *pieces, size_t n_pieces)
{
	size_t need;

	record_build(r, pieces, n_pieces);
	need = r->scratch.len;
	if (r->size - r->head < need) {
		size_t rest = r->size - r->head;

		make_room(r, rest);
		fill(r, r->head, rest);
		r->used += rest;
		r->head = 0;
	}
	make_room(r, need);
	/* Cut short it has a wrong sum, and is overwritten by the next. */
	if (put(r, r->head, r->scratch.data, need)) {
		r->sequence++;
		r->used += need;
		r->head = (r->head + need) % r->size;
	}
	if (r->scratch.cap > SCRATCH_KEPT)
		buf_free(&r->scratch);
}

void ring_walk_begin(const struct ring *r, struct ring_walk *walk)
{
	*walk = (struct ring_walk){ .map = map(r), .at = (r->head + r->size - r->used) % r->size, .left = r->used };
	if (walk->map)
		walk->base = walk->map + HEADER_SIZE;
}

bool ring_walk_next(const struct ring *r, struct ring_walk *walk, struct bytes *out)
{
	struct record rec;

	while (walk->map && walk->left > 0) {
		size_t at = walk->at;

		if (!head_at(r, walk->base, at, &rec) || rec.size > walk->left)
			return false;
		walk->left -= rec.size;
		walk->at = (at + rec.size) % r->size;
		if (rec.magic != MAGIC_RECORD)
			continue;
		*out = (struct bytes){ walk->base + at + sizeof(rec), rec.n };
		return true;
	}
	return false;
}

void ring_walk_end(const struct ring *r, struct ring_walk *walk)
{
	unmap(r, walk->map);
	*walk = (struct ring_walk){ 0 };
}
