/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/crypto/cert.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/statements.h"

/* Of all that was said about it. */
static void digest_of(struct arena *a, const struct profile_type *t, uint8_t out[SHA256_LEN])
{
	const char *more = t->variables && *t->variables ? arena_printf(a, "%s|", t->variables) : "";
	const char *rest = arena_printf(a, "%d|%lld|%s|%u|%s", (int)t->keys, (long long)t->memory, t->pol2, t->address, more);
	const struct bytes pieces[] = { { (const uint8_t *)rest, strlen(rest) }, t->package };

	sha256_pieces(pieces, LEN(pieces), out);
}

result profile_type_add(struct db *db, struct arena *a, const struct profile_type *t, enum type_added *out)
{
	uint8_t digest[SHA256_LEN];
	const struct rows *rows[2];
	struct bytes found;

	digest_of(a, t, digest);
	DB_QUEUE(db, SMDP_TYPE_ADD, p_text(t->mno.text), p_text(t->name), p_bytes(t->package.data, t->package.len),
		 p_bytes(digest, sizeof(digest)), p_int(a, t->keys), p_int(a, t->memory), p_text(t->pol2), p_int(a, t->address),
		 p_text(t->variables ? t->variables : ""));
	DB_QUEUE(db, SMDP_TYPE_GET, p_text(t->mno.text), p_text(t->name));
	TRY(db_sync(db, a, rows, LEN(rows), NULL));
	if (rows_count(rows[1]) == 0)
		return internal(a, "profile type %s is gone again", t->name);
	found = row_bytes(rows[1], 0, 3);
	if (rows_affected(rows[0]) > 0)
		*out = TYPE_ADDED;
	else
		*out = found.len == sizeof(digest) && !memcmp(found.data, digest, sizeof(digest)) ? TYPE_SAME : TYPE_OTHER;
	return OK;
}

result profile_type_load(struct db *db, struct arena *a, const struct oid *mno, const char *name, struct profile_type **out)
{
	const struct rows *r;

	DB_QUEUE(db, SMDP_TYPE_GET, p_text(mno->text), p_text(name));
	TRY(db_sync(db, a, &r, 1, NULL));
	return profile_type_from(a, r, mno, name, out);
}

result profile_type_from(struct arena *a, const struct rows *r, const struct oid *mno, const char *name, struct profile_type **out)
{
	struct profile_type *t;

	*out = NULL;
	if (rows_count(r) == 0)
		return OK;
	t = ARENA_NEW(a, struct profile_type);
	*t = (struct profile_type){ .mno = *mno,
				    .name = row_text_dup(a, r, 0, 1),
				    .package = row_bytes_dup(a, r, 0, 2),
				    .keys = (enum type_keys)row_int(r, 0, 4),
				    .memory = row_int(r, 0, 5),
				    .pol2 = row_text_dup(a, r, 0, 6),
				    .address = (unsigned)row_int(r, 0, 7),
				    .variables = row_text_dup(a, r, 0, 8) };
	if (t->keys >= TYPE_KEYS || t->address > ADDRESS_BOTH)
		return internal(a, "profile type %s of %s: its row is of a newer program", name, mno->text);
	*out = t;
	return OK;
}
