/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters on their way in, binary columns on their way out. */
#include <endian.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/store/store_internal.h"

/* PostgreSQL counts microseconds from 2000-01-01T00:00:00Z. */
#define PG_EPOCH_US INT64_C(946684800000000)

/* Object identifiers of built-in types; they never change. */
enum { OID_BOOL = 16, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TIMESTAMP = 1114, OID_TIMESTAMPTZ = 1184, OID_JSONB = 3802 };

struct param p_text(const char *s)
{
	return (struct param){ .data = s };
}

struct param p_bytes(const void *data, size_t n)
{
	/* A length that the protocol cannot carry is refused by db_queue, which can report it. */
	return (struct param){ .data = data, .len = n > INT_MAX ? -1 : (int)n, .binary = 1 };
}

struct param p_int(struct arena *a, int64_t v)
{
	enum { INT_TEXT = 24 };
	char *text = arena_alloc(a, INT_TEXT);

	snprintf(text, INT_TEXT, "%" PRId64, v);
	return (struct param){ .data = text };
}

struct param p_bool(bool v)
{
	return (struct param){ .data = v ? "t" : "f" };
}

struct param p_time(struct arena *a, int64_t wall_us)
{
	int64_t us;
	uint64_t wire;

	if (__builtin_sub_overflow(wall_us, PG_EPOCH_US, &us))
		us = INT64_MIN; /* -infinity: before any time */
	wire = htobe64((uint64_t)us);
	return (struct param){ .data = arena_memdup(a, &wire, sizeof(wire)), .len = sizeof(wire), .binary = 1 };
}

struct param p_null(void)
{
	return (struct param){ 0 };
}

size_t rows_count(const struct rows *r)
{
	return (size_t)PQntuples(r->pg);
}

int64_t rows_affected(const struct rows *r)
{
	const char *text = PQcmdTuples(r->pg);

	return *text ? strtoll(text, NULL, 10) : 0;
}

bool row_null(const struct rows *r, size_t row, unsigned col)
{
	if (row >= rows_count(r) || col >= (unsigned)PQnfields(r->pg))
		return true;
	return PQgetisnull(r->pg, (int)row, (int)col) != 0;
}

struct bytes row_bytes(const struct rows *r, size_t row, unsigned col)
{
	struct bytes b = { 0 };

	if (row_null(r, row, col))
		return b;
	b.data = (const uint8_t *)PQgetvalue(r->pg, (int)row, (int)col);
	b.len = (size_t)PQgetlength(r->pg, (int)row, (int)col);
	if (PQftype(r->pg, (int)col) == OID_JSONB && b.len > 0) { /* a version byte leads the text */
		b.data++;
		b.len--;
	}
	return b;
}

const char *row_text(const struct rows *r, size_t row, unsigned col)
{
	return (const char *)row_bytes(r, row, col).data; /* libpq puts a NUL behind every value */
}

static int64_t time_of(const uint8_t *wire)
{
	uint64_t raw;
	int64_t us;

	memcpy(&raw, wire, sizeof(raw));
	us = (int64_t)be64toh(raw);
	if (us == INT64_MIN || us == INT64_MAX || __builtin_add_overflow(us, PG_EPOCH_US, &us))
		return us > 0 ? INT64_MAX : INT64_MIN; /* infinity stays infinitely far away */
	return us;
}

int64_t row_int(const struct rows *r, size_t row, unsigned col)
{
	struct bytes b = row_bytes(r, row, col);
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	if (!b.data)
		return 0;
	switch (PQftype(r->pg, (int)col)) {
	case OID_BOOL:
		return b.data[0] != 0;
	case OID_INT2:
		memcpy(&v16, b.data, sizeof(v16));
		return (int16_t)be16toh(v16);
	case OID_INT4:
		memcpy(&v32, b.data, sizeof(v32));
		return (int32_t)be32toh(v32);
	case OID_INT8:
		memcpy(&v64, b.data, sizeof(v64));
		return (int64_t)be64toh(v64);
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		return time_of(b.data);
	default:
		/* sum(bigint) is numeric: cast it in the statement. */
		log_msg(LOG_ERROR, "store.column_type", "column %s has type %u, which is not an integer", PQfname(r->pg, (int)col),
			PQftype(r->pg, (int)col));
		return 0;
	}
}

bool row_bool(const struct rows *r, size_t row, unsigned col)
{
	return row_int(r, row, col) != 0;
}

const char *row_text_dup(struct arena *a, const struct rows *r, size_t row, unsigned col)
{
	struct bytes b = row_bytes(r, row, col);

	return b.data ? arena_strndup(a, (const char *)b.data, b.len) : NULL;
}

struct bytes row_bytes_dup(struct arena *a, const struct rows *r, size_t row, unsigned col)
{
	struct bytes b = row_bytes(r, row, col);

	if (b.data)
		b.data = arena_memdup(a, b.data, b.len);
	return b;
}
