/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: profile types. */
#include <string.h>

#include "common/app/json_in.h"
#include "common/auth/registry.h"
#include "common/base/hex.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/smdp.h"
#include "services/sm-dp/type_variables.h"

static void row_write(struct arena *a, struct buf *b, const struct rows *r, size_t i)
{
	(void)a;
	json_out_member(b, "mno", row_text(r, i, 0));
	json_out_member(b, "name", row_text(r, i, 1));
	json_out_member(b, "keys", type_keys_name((enum type_keys)row_int(r, i, 3)));
	json_out_member(b, "rules", row_text(r, i, 5));
	json_out_member(b, "address", type_address_name((unsigned)row_int(r, i, 6)));
	json_out_member(b, "variables", row_text(r, i, 8));
	buf_printf(b, ",\"package\":%lld,\"memory\":%lld,\"available\":%lld", (long long)row_int(r, i, 2),
		   (long long)row_int(r, i, 4), (long long)row_int(r, i, 7));
}

void type_list(struct app *app, struct http_call *call)
{
	(void)app;
	DB_QUEUE0(app_db(call), SMDP_TYPE_LIST);
	admin_list(call, row_write);
}

static void type_write(struct buf *b, const struct profile_type *t)
{
	buf_char(b, '{');
	json_out_member(b, "mno", t->mno.text);
	json_out_member(b, "name", t->name);
	json_out_member(b, "keys", type_keys_name(t->keys));
	json_out_member(b, "rules", t->pol2);
	json_out_member(b, "address", type_address_name(t->address));
	json_out_member(b, "variables", t->variables);
	buf_printf(b, ",\"memory\":%lld,\"package\":\"", (long long)t->memory);
	buf_hex(b, t->package.data, t->package.len);
	buf_str(b, "\"}\n");
}

/* ?mno=&name= */
void type_show(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	const char *mno_text = http_query(call, "mno"), *name = http_query(call, "name");
	struct profile_type *type;
	struct oid mno;

	(void)app;
	if (!mno_text || !oid_parse(mno_text, &mno)) {
		app_error(call, 400, "bad_request", "mno: should be the operator's object identifier");
	} else if (!name || !type_name_ok(name)) {
		app_error(call, 400, "bad_request", "name: should be the name of a profile type");
	} else if (profile_type_load(app_db(call), app_arena(call), &mno, name, &type) != OK) {
		app_error(call, 503, "database", "the database does not answer");
	} else if (!type) {
		app_error(call, 404, "not_found", "operator %s has no profile type %s", mno.text, name);
	} else {
		type_write(&json, type);
		app_json(call, 200, json.data);
	}
}

static const char *text_of(const json_t *body, const char *member, const char *def)
{
	const json_t *value = json_object_get(body, member);

	return json_is_string(value) ? json_string_value(value) : value ? "" : def;
}

/* Hex of the whole package; false: it is none. */
static bool package_take(struct arena *a, const char *hex, struct bytes *out)
{
	size_t n = strlen(hex);
	uint8_t *data = arena_alloc(a, n / 2);

	if (n == 0 || !hex_decode(hex, n, data))
		return false;
	*out = (struct bytes){ data, n / 2 };
	return true;
}

/* What is wrong with the body; NULL: nothing. */
static const char *type_take(struct arena *a, const json_t *body, struct profile_type *out)
{
	struct profile_type t = { .name = text_of(body, "name", ""), .pol2 = text_of(body, "rules", "") };
	struct type_variables variables;
	const char *why = NULL;

	t.memory = json_integer_value(json_object_get(body, "memory"));
	if (!oid_parse(text_of(body, "mno", ""), &t.mno))
		return "mno: should be the operator's object identifier";
	if (!type_keys_parse(text_of(body, "keys", "retain"), &t.keys))
		return "keys: should be retain, hand-over or delete";
	if (!type_address_parse(text_of(body, "address", "both"), &t.address))
		return "address: should be none, imsi, msisdn or both";
	if (!package_take(a, text_of(body, "package", ""), &t.package))
		return "package: should be a profile package (DER) in hex";
	if (!type_variables_parse(a, text_of(body, "variables", ""), &variables, &why))
		return why;
	t.variables = type_variables_text(a, &variables);
	if (!profile_type_check(a, &t, &why))
		return why;
	*out = t;
	return NULL;
}

/* An operator whose profiles we may hold: a customer of ours in the registry (decisions.md D1). */
static result customer_check(const struct app *app, struct db *db, struct arena *a, const struct oid *mno, bool *out)
{
	const struct entity *self;

	TRY(registry_by_oid(db, a, &app->config->entity_oid, &self));
	*out = false;
	for (size_t i = 0; self && i < self->n_customers; i++)
		*out = *out || oid_equal(&self->customers[i], mno);
	return OK;
}

static void added_reply(struct http_call *call, const struct profile_type *t, enum type_added added)
{
	if (added == TYPE_OTHER) {
		app_error(call, 409, "type_exists",
			  "profile type %s of %s exists with other content, and cards may have been made from it: give the new one "
			  "another name",
			  t->name, t->mno.text);
		return;
	}
	if (added == TYPE_ADDED)
		log_msg(LOG_INFO, "type_added", "profile type %s of %s", t->name, t->mno.text);
	app_json(call, 200,
		 arena_printf(app_arena(call), "{\"mno\":\"%s\",\"name\":\"%s\",\"repeated\":%s}\n", t->mno.text, t->name,
			      added == TYPE_SAME ? "true" : "false"));
}

void type_add(struct app *app, struct http_call *call)
{
	CLEANUP(json_body_free) json_t *body = json_body(call);
	struct arena *a = app_arena(call);
	struct db *db = app_db(call);
	enum type_added added = TYPE_ADDED;
	struct profile_type t;
	const char *why;
	bool customer;

	if (!body)
		return;
	why = type_take(a, body, &t);
	if (why)
		app_error(call, 400, "bad_type", "%s", why);
	else if (customer_check(app, db, a, &t.mno, &customer) != OK)
		app_error(call, 503, "database", "the database does not answer");
	else if (!customer)
		app_error(call, 409, "no_customer",
			  "mno: %s is no customer of ours: name it in our own entity's registry file and import that", t.mno.text);
	else if (profile_type_add(db, a, &t, &added) != OK)
		app_error(call, 503, "database", "the database does not answer");
	else
		added_reply(call, &t, added);
}
