/* SPDX-License-Identifier: Apache-2.0 */
/* The batch file: what a personalisation line would write into the cards, as JSON lines, for the card simulator. It holds the
 * cards' secret keys by design; hence mode 0600 in a folder of mode 0700, and memory that held it is wiped. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/base/hex.h"
#include "common/crypto/keys.h"
#include "common/rpc/json_out.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

enum { PAGE = 200, FLUSH_AT = 64 * 1024, TEXT_MAX = 256 * 1024, FIELDS_MAX = 5, FIRST_ISDP_TAR = 0x000010 };

const char *batch_file_path(struct arena *a, const struct eum *eum, const char *batch)
{
	return arena_printf(a, "%s/%s.jsonl", eum->config->batch_dir, batch);
}

struct output {
	int fd;
	struct buf text;
};

static void output_close(struct output *o)
{
	if (o->text.data)
		secret_wipe(o->text.data, o->text.cap);
	buf_free(&o->text);
	if (o->fd >= 0)
		(void)close(o->fd);
}

static void page_arena_free(struct arena **a)
{
	arena_free(*a);
}

static bool output_flush(struct output *o)
{
	size_t done = 0;

	while (done < o->text.len) {
		ssize_t n = write(o->fd, o->text.data + done, o->text.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	buf_clear(&o->text);
	return true;
}

static void hex_member(struct buf *b, const char *name, const void *data, size_t n)
{
	buf_printf(b, ",\"%s\":\"", name);
	buf_hex(b, data, n);
	buf_char(b, '"');
}

/* Cuts item at ':' into at most FIELDS_MAX texts; how many. */
static size_t fields_cut(char *item, char *out[FIELDS_MAX])
{
	size_t n = 0;

	for (char *next = item; next && n < FIELDS_MAX; n++) {
		out[n] = strsep(&next, ":");
	}
	return n;
}

/* item: version:index:type:kcv:wrapped */
static bool key_write(struct buf *b, struct arena *a, const struct eum_issuer *issuer, const struct eid *eid, char *item)
{
	CLEANUP(secret_free) struct secret key = { 0 };
	char *f[FIELDS_MAX];
	uint8_t *wrapped;
	size_t n;

	if (fields_cut(item, f) != 5)
		return false;
	n = strlen(f[4]);
	wrapped = arena_alloc(a, n / 2);
	if (!hex_decode(f[4], n, wrapped) ||
	    !kek_unwrap(&issuer->kek, eum_key_aad(a, eid, atoi(f[0]), atoi(f[1])), (struct bytes){ wrapped, n / 2 }, &key))
		return false;
	buf_printf(b, "{\"version\":%d,\"index\":%d,\"type\":\"%02X\"", atoi(f[0]), atoi(f[1]), (unsigned)atoi(f[2]));
	json_out_member(b, "kcv", f[3]);
	hex_member(b, "key", key.data, key.len);
	buf_char(b, '}');
	return true;
}

static bool keys_write(struct buf *b, struct arena *a, const struct eum_issuer *issuer, const struct eid *eid, const char *list)
{
	char *rest = arena_strdup(a, list ? list : ""), *item;

	buf_str(b, ",\"isdr_keys\":[");
	for (size_t i = 0; *rest && (item = strsep(&rest, " ")); i++) {
		if (i)
			buf_char(b, ',');
		if (!key_write(b, a, issuer, eid, item))
			return false;
		if (!rest)
			break;
	}
	buf_char(b, ']');
	return true;
}

static void profile_write(struct buf *b, const struct eum_batch_profile *p, uint32_t tar, const char *iccid, const char *imsi,
			  const char *msisdn)
{
	struct aid aid = aid_isdp(tar);

	buf_char(b, '{');
	json_out_member(b, "iccid", iccid);
	hex_member(b, "aid", aid.data, aid.len);
	json_out_member(b, "state", p->order.enabled ? "Enabled" : "Disabled");
	buf_printf(b, ",\"fallback\":%s,\"memory\":%lld", p->order.enabled ? "true" : "false", (long long)p->order.memory);
	json_out_member(b, "mno", p->order.mno.text);
	json_out_member(b, "profile_type", p->order.profile_type);
	json_out_member(b, "imsi", *imsi ? imsi : NULL);
	json_out_member(b, "msisdn", *msisdn ? msisdn : NULL);
	/* The card guards the bootstrap as the SM-SR does by POL2. */
	buf_str(b, p->order.enabled ? ",\"pol1\":[\"delete-not-allowed\"]}" : ",\"pol1\":[]}");
}

/* list: iccid:imsi:msisdn of each profile in the batch's order. */
static bool profiles_write(struct buf *b, struct arena *a, const struct eum_batch *batch, const char *list)
{
	char *rest = arena_strdup(a, list ? list : "");

	buf_str(b, ",\"profiles\":[");
	for (size_t i = 0; i < batch->n_profiles; i++) {
		char *item = rest ? strsep(&rest, " ") : NULL, *f[FIELDS_MAX];

		if (!item || fields_cut(item, f) != 3)
			return false;
		if (i)
			buf_char(b, ',');
		profile_write(b, &batch->profiles[i], FIRST_ISDP_TAR + (uint32_t)i, f[0], f[1], f[2]);
	}
	buf_char(b, ']');
	return true;
}

static void memory_write(struct buf *b, const struct eum_batch *batch)
{
	int64_t remaining = batch->memory;

	for (size_t i = 0; i < batch->n_profiles; i++)
		remaining -= batch->profiles[i].order.memory;
	buf_printf(b, ",\"memory\":%lld,\"remaining_memory\":%lld", (long long)batch->memory, (long long)remaining);
}

/* One card, one line. How the SM-SR is reached is not known here: whoever runs the cards fills it in. */
static bool card_write(struct buf *b, struct arena *a, const struct eum *eum, const struct eum_batch *batch,
		       const struct rows *rows, size_t i)
{
	CLEANUP(secret_free) struct secret ecasd = { 0 };
	struct bytes certificate = row_bytes(rows, i, 1);
	struct eid eid;

	if (!eid_parse(row_text(rows, i, 0), &eid) ||
	    !kek_unwrap(&eum->issuer.kek, eum_ecasd_aad(a, &eid), row_bytes(rows, i, 2), &ecasd))
		return false;
	buf_char(b, '{');
	json_out_member(b, "eid", eid.text);
	json_out_member(b, "platform_type", batch->platform_type);
	json_out_member(b, "platform_version", batch->platform_version);
	hex_member(b, "ecasd_key", ecasd.data, ecasd.len);
	hex_member(b, "ecasd_certificate", certificate.data, certificate.len);
	hex_member(b, "ci_public_key", eum->issuer.ci_point, sizeof(eum->issuer.ci_point));
	if (!keys_write(b, a, &eum->issuer, &eid, row_text(rows, i, 3)) || !profiles_write(b, a, batch, row_text(rows, i, 4)))
		return false;
	memory_write(b, batch);
	buf_printf(b, ",\"http\":%s", batch->http_support ? "true" : "false");
	buf_str(b, ",\"smsr\":{");
	json_out_member(b, "oid", batch->smsr.text);
	buf_str(b, ",\"smsc\":null,\"number\":null,\"host\":null,\"port\":null,\"uri\":null}}\n");
	return true;
}

static result page_write(struct db *db, struct arena *a, const struct eum *eum, const struct eum_batch *batch, int64_t first,
			 struct output *o)
{
	const struct rows *rows;

	DB_QUEUE(db, EUM_FILE_CARDS, p_text(batch->id), p_int(a, first), p_int(a, PAGE));
	TRY(db_sync(db, a, &rows, 1, NULL));
	for (size_t i = 0; i < rows_count(rows); i++) {
		if (!card_write(&o->text, a, eum, batch, rows, i))
			return internal(a, "batch %s, card %lld: its keys cannot be read with this KEK", batch->id,
					(long long)first + (long long)i);
		if (o->text.len >= FLUSH_AT && !output_flush(o))
			return internal(a, "batch file: %s", strerror(errno));
	}
	if (rows_count(rows) < PAGE && first + (int64_t)rows_count(rows) != batch->quantity)
		return internal(a, "batch %s: only %lld cards have rows", batch->id,
				(long long)first + (long long)rows_count(rows));
	return OK;
}

static result cards_write(struct db *db, struct arena *a, const struct eum *eum, const struct eum_batch *batch, struct output *o)
{
	CLEANUP(page_arena_free) struct arena *page = arena_new();

	for (int64_t first = 0; first < batch->quantity; first += PAGE) {
		result r;

		arena_reset(page);
		r = page_write(db, page, eum, batch, first, o);
		if (r != OK) /* it lives in the page's arena */
			return internal(a, "%s", r->cause ? r->cause : status_code(r->code)->text);
	}
	return output_flush(o) && fsync(o->fd) == 0 ? OK : internal(a, "batch file: %s", strerror(errno));
}

/* A rename survives a power cut only when its folder was synced. */
static bool folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

result batch_file_write(struct db *db, struct arena *a, const struct eum *eum, const struct eum_batch *batch, const char *path)
{
	const char *tmp = arena_printf(a, "%s.tmp", path);
	CLEANUP(output_close) struct output o = { .fd = -1 };

	(void)unlink(tmp); /* a crash's leftover */
	o.fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o.fd < 0)
		return internal(a, "%s: %s", tmp, strerror(errno));
	buf_reserve(&o.text, TEXT_MAX); /* all at once: growing would leave copies behind */
	TRY(cards_write(db, a, eum, batch, &o));
	(void)FAULT("eum.file.written", "*");
	if (rename(tmp, path) != 0)
		return internal(a, "%s: %s", path, strerror(errno));
	return folder_sync(eum->config->batch_dir) ? OK : internal(a, "%s: %s", eum->config->batch_dir, strerror(errno));
}
