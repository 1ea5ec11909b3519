/* SPDX-License-Identifier: Apache-2.0 */
/* Partners in and out of the registry as JSON (decisions.md D5). */
#include <stdlib.h>
#include <string.h>

#include "common/app/app_internal.h"
#include "common/app/json_in.h"
#include "common/base/log.h"
#include "common/crypto/cert.h"
#include "common/rpc/json_out.h"
#include "common/store/statements.h"

enum { CERTIFICATES_MAX = 16, URLS_MAX = 64, CUSTOMERS_MAX = 4096 };

/* ---- out ---- */

static void roles_out(struct buf *b, unsigned roles)
{
	buf_str(b, ",\"roles\":[");
	for (unsigned bit = 1, n = 0; bit <= ROLE_SM_SR; bit <<= 1) {
		if (!(roles & bit))
			continue;
		if (n++)
			buf_char(b, ',');
		json_out_text(b, role_name((enum role)bit));
	}
	buf_char(b, ']');
}

/* Words of a text as a JSON array. */
static void words_out(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, ",\"%s\":[", name);
	for (const char *p = text ? text : ""; *p;) {
		size_t n = strcspn(p, " ");

		json_out(b, p, n);
		p += n;
		if (*p) {
			buf_char(b, ',');
			p++;
		}
	}
	buf_char(b, ']');
}

/* Lines "IFACE URL", sorted by interface: {"ES4":["..."]}. */
static void addresses_out(struct buf *b, const char *lines)
{
	const char *last = "";
	size_t last_n = 0;

	buf_str(b, ",\"addresses\":{");
	for (const char *p = lines ? lines : ""; *p;) {
		size_t line = strcspn(p, "\n"), n = strcspn(p, " ");

		if (n >= line)
			break;
		if (n == last_n && !strncmp(p, last, n)) {
			buf_char(b, ',');
		} else {
			if (last_n)
				buf_str(b, "],");
			json_out(b, p, n);
			buf_str(b, ":[");
		}
		json_out(b, p + n + 1, line - n - 1);
		last = p;
		last_n = n;
		p += line + (p[line] == '\n');
	}
	buf_str(b, last_n ? "]}" : "}");
}

/* Lines "FINGERPRINT SUBJECT". */
static void certificates_out(struct buf *b, const char *lines)
{
	buf_str(b, ",\"certificates\":[");
	for (const char *p = lines ? lines : ""; *p;) {
		size_t line = strcspn(p, "\n"), n = strcspn(p, " ");

		if (n >= line)
			break;
		buf_str(b, "{\"sha256\":");
		json_out(b, p, n);
		buf_str(b, ",\"subject\":");
		json_out(b, p + n + 1, line - n - 1);
		buf_char(b, '}');
		p += line + (p[line] == '\n');
		if (*p)
			buf_char(b, ',');
	}
	buf_char(b, ']');
}

static void entity_out(struct buf *b, const struct rows *rows, size_t i)
{
	buf_char(b, '{');
	json_out_member(b, "oid", row_text(rows, i, 0));
	json_out_member(b, "name", row_text(rows, i, 1));
	roles_out(b, (unsigned)row_int(rows, i, 2));
	json_out_member(b, "dialect", row_text(rows, i, 3));
	words_out(b, "customers", row_text(rows, i, 4));
	addresses_out(b, row_text(rows, i, 5));
	certificates_out(b, row_text(rows, i, 6));
	buf_char(b, '}');
}

void admin_entities(struct app *app, struct http_call *call)
{
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	DB_QUEUE0(db, RPC_ENTITY_LIST);
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK) {
		app_error(call, 503, "database", "the database does not answer");
		return;
	}
	admin_rows(call, rows, entity_out);
}

/* ---- in ---- */

/* Reads a record; the first thing that is wrong is kept as a sentence. */
struct reading {
	struct arena *a;
	const json_t *json;
	struct entity_record *record;
	const char *wrong;
};

/* Text of a member; "" when it is absent and not wanted. NULL: wrong is set. */
static const char *text_in(struct reading *r, const char *name, bool wanted)
{
	const json_t *j = json_object_get(r->json, name);

	if (!j && !wanted)
		return "";
	if (!json_is_string(j)) {
		r->wrong = arena_printf(r->a, "%s must be a text", name);
		return NULL;
	}
	return arena_strdup(r->a, json_string_value(j));
}

/* An array of texts with at most max members; absent counts as empty. NULL: wrong is set, or it is empty (then *out_n is 0). */
static const char **texts_in(struct reading *r, const json_t *j, const char *name, size_t max, size_t *out_n)
{
	const char **texts;

	*out_n = 0;
	if (!j)
		return NULL;
	if (!json_is_array(j) || json_array_size(j) > max) {
		r->wrong = arena_printf(r->a, "%s must be an array of at most %zu texts", name, max);
		return NULL;
	}
	texts = arena_array(r->a, json_array_size(j), sizeof(*texts));
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *text = json_string_value(json_array_get(j, i));

		if (!text) {
			r->wrong = arena_printf(r->a, "%s[%zu] must be a text", name, i);
			return NULL;
		}
		texts[i] = arena_strdup(r->a, text);
	}
	*out_n = json_array_size(j);
	return texts;
}

static void roles_in(struct reading *r)
{
	size_t n;
	const char **names = texts_in(r, json_object_get(r->json, "roles"), "roles", 8, &n);
	enum role role;

	for (size_t i = 0; i < n && !r->wrong; i++) {
		if (role_parse(names[i], &role))
			r->record->roles |= role;
		else
			r->wrong =
				arena_printf(r->a, "roles: '%s' is no role; give eum, operator, m2m-sp, sm-dp or sm-sr", names[i]);
	}
	if (!r->wrong && !r->record->roles)
		r->wrong = "roles must name at least one role";
}

static void customers_in(struct reading *r)
{
	size_t n;
	const char **oids = texts_in(r, json_object_get(r->json, "customers"), "customers", CUSTOMERS_MAX, &n);
	struct oid *out = arena_array(r->a, n, sizeof(*out));

	for (size_t i = 0; i < n && !r->wrong; i++)
		if (!oid_parse(oids[i], &out[i]))
			r->wrong = arena_printf(r->a, "customers: '%s' is not an object identifier", oids[i]);
	r->record->customers = out;
	r->record->n_customers = n;
}

/* One certificate per text: a chain would register its CA as this partner. */
static void certificates_in(struct reading *r)
{
	size_t n;
	const char **pems = texts_in(r, json_object_get(r->json, "certificates"), "certificates", CERTIFICATES_MAX, &n);
	struct bytes *out = arena_array(r->a, n, sizeof(*out));
	struct cert_info found[2];

	for (size_t i = 0; i < n && !r->wrong; i++) {
		size_t count = cert_read_all(r->a, pems[i], strlen(pems[i]), found, LEN(found));

		if (count == 1)
			out[i] = found[0].der;
		else
			r->wrong = arena_printf(r->a, "certificates[%zu] %s", i,
						count ? "holds more than one certificate; give the partner's own alone"
						      : "is no certificate (PEM)");
	}
	r->record->certificates = out;
	r->record->n_certificates = n;
}

static bool iface_parse(const char *text, enum iface *out)
{
	for (unsigned i = 0; i < IF_COUNT; i++) {
		if (!strcmp(text, iface_name((enum iface)i))) {
			*out = (enum iface)i;
			return true;
		}
	}
	return false;
}

/* One URL, or a list of such. */
static void urls_in(struct reading *r, struct entity_url *out, enum iface iface, const char *name, const json_t *list)
{
	const char *one = json_string_value(list);
	size_t n = 1;
	const char **urls = one ? arena_array(r->a, 1, sizeof(*urls)) : texts_in(r, list, name, URLS_MAX, &n);

	if (one)
		urls[0] = arena_strdup(r->a, one);
	if (!r->wrong && r->record->n_urls + n > URLS_MAX)
		r->wrong = arena_printf(r->a, "addresses: more than %d", URLS_MAX);
	for (size_t i = 0; i < n && !r->wrong; i++)
		out[r->record->n_urls++] = (struct entity_url){ .iface = iface, .url = urls[i] };
}

static void addresses_in(struct reading *r)
{
	struct entity_url *out = arena_array(r->a, URLS_MAX, sizeof(*out));
	json_t *addresses = json_object_get(r->json, "addresses"), *list;
	const char *name;
	enum iface iface;

	r->record->urls = out;
	if (addresses && !json_is_object(addresses))
		r->wrong = "addresses must be an object: {\"ES4\":\"https://...\"}";
	json_object_foreach(addresses, name, list) {
		if (r->wrong)
			return;
		if (iface_parse(name, &iface))
			urls_in(r, out, iface, name, list);
		else
			r->wrong = arena_printf(r->a, "addresses: '%s' is no interface", name);
	}
}

/* A member that nobody reads is a spelling mistake. */
static void members_check(struct reading *r)
{
	static const char *const known[] = { "oid", "name", "roles", "dialect", "customers", "certificates", "addresses" };
	json_t *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)r->json, name, value) {
		bool good = false;

		for (unsigned i = 0; i < LEN(known); i++)
			good = good || !strcmp(known[i], name);
		if (!good)
			r->wrong = arena_printf(r->a, "there is no member '%s'", name);
	}
}

static void names_in(struct reading *r)
{
	const char *oid = text_in(r, "oid", true);

	if (r->wrong)
		return;
	if (!oid_parse(oid, &r->record->oid)) {
		r->wrong = arena_printf(r->a, "oid: '%s' is not an object identifier", oid);
		return;
	}
	r->record->name = text_in(r, "name", true);
	if (!r->wrong)
		r->record->dialect = text_in(r, "dialect", false);
}

/* NULL: the record is filled; else what is wrong. */
static const char *record_in(struct arena *a, const json_t *json, struct entity_record *out)
{
	static void (*const parts[])(struct reading *r) = {
		members_check, names_in, roles_in, customers_in, certificates_in, addresses_in,
	};
	struct reading r = { .a = a, .json = json, .record = out };

	for (unsigned i = 0; i < LEN(parts) && !r.wrong; i++)
		parts[i](&r);
	return r.wrong;
}

static void answer_saved(struct http_call *call, result r, const struct entity_record *record)
{
	if (r == OK) {
		log_msg(LOG_INFO, "admin", "entity %s saved with %zu certificates and %zu addresses", record->oid.text,
			record->n_certificates, record->n_urls);
		app_json(call, 200, "{}\n");
	} else if (r->code == CODE_INTERNAL || r->code == CODE_BUSY) {
		log_msg(LOG_ERROR, "admin", "entity %s not saved: %s", record->oid.text, r->cause ? r->cause : "busy");
		app_error(call, 503, "database", "the database does not take it now; try again");
	} else {
		app_error(call, 400, "bad_entity", "%s", r->message ? r->message : status_code(r->code)->text);
	}
}

void admin_entity_save(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *j = json_body(call);
	struct entity_record record = { 0 };
	struct arena *a = app_arena(call);
	const char *wrong;

	if (!j)
		return;
	wrong = record_in(a, j, &record);
	if (wrong)
		app_error(call, 400, "bad_entity", "%s", wrong);
	else
		answer_saved(call, registry_save(app_db(call), a, &record), &record);
}
