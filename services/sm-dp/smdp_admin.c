/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"
#include "services/sm-dp/connectivity.h"
#include "services/sm-dp/keyset.h"

enum { ROWS = 100, ROWS_MAX = 100000, LIMIT_DIGITS = 6 };

void admin_no_database(struct http_call *call)
{
	app_error(call, 503, "database", "the database does not answer");
}

void admin_no_transport_key(struct http_call *call, const struct oid *mno)
{
	app_error(call, 409, "no_transport_key",
		  "no transport key of %s: put <its OID>_<our OID>.key into RSP_SMDP_TRANSPORT_KEYS and start again", mno->text);
}

void admin_no_keys(struct http_call *call, const char *event, result r)
{
	log_msg(LOG_WARN, event, "%s", r->cause ? r->cause : status_code(r->code)->text);
	if (r->code == CODE_BUSY)
		admin_no_database(call);
	else
		app_error(call, 500, "internal", "the keys cannot be read; nothing has changed; the log says more");
}

void admin_time(struct buf *b, const char *name, const struct rows *r, size_t row, unsigned col)
{
	char text[DATETIME_MAX];

	datetime_format(row_int(r, row, col), text);
	json_out_member(b, name, row_null(r, row, col) ? NULL : text);
}

int64_t admin_limit(const struct http_call *call)
{
	const char *text = http_query(call, "limit");
	long n = text && strlen(text) <= LIMIT_DIGITS && strspn(text, "0123456789") == strlen(text) ? atol(text) : 0;

	return n < 1 ? ROWS : n > ROWS_MAX ? ROWS_MAX : n;
}

void admin_array(struct arena *a, struct buf *b, const struct rows *r, admin_row write)
{
	buf_char(b, '[');
	for (size_t i = 0; i < rows_count(r); i++) {
		buf_str(b, i ? ",\n{" : "{");
		write(a, b, r, i);
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

void admin_list(struct http_call *call, admin_row write)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct arena *a = app_arena(call);
	const struct rows *r;

	if (db_sync(app_db(call), a, &r, 1, NULL) != OK) {
		admin_no_database(call);
		return;
	}
	admin_array(a, &json, r, write);
	buf_char(&json, '\n');
	app_json(call, 200, json.data);
}

const struct route smdp_admin[] = {
	{ "GET", "/admin/types", type_list },
	{ "GET", "/admin/types/show", type_show }, /* ?mno=&name= */
	{ "POST", "/admin/types", type_add },
	{ "GET", "/admin/stock", stock_list }, /* ?mno=&type=&state=&batch=&eid=&limit= */
	{ "GET", "/admin/stock/count", stock_count },
	{ "GET", "/admin/stock/batches", stock_batches },
	{ "GET", "/admin/stock/digest", stock_digest },        /* ?iccid= */
	{ "POST", "/admin/stock/import", stock_import_route }, /* ?mno=&type=&batch=&wrap= */
	{ "POST", "/admin/stock/make", stock_make_route },
	{ "GET", "/admin/stock/export", stock_export_route }, /* ?mno=&batch= */
	{ "POST", "/admin/stock/release", stock_release },
	{ "POST", "/admin/stock/deleted", stock_gone },
	{ "GET", "/admin/downloads", download_list },        /* ?eid=&iccid=&mno=&state=&limit= */
	{ "GET", "/admin/downloads/show", download_show },   /* ?id= */
	{ "GET", "/admin/connectivity", connectivity_list }, /* ?eid=&limit= */
	{ "POST", "/admin/connectivity", connectivity_order_route },
	{ "GET", "/admin/keys", keyset_list }, /* ?mno=&type=&eid=&limit= */
	{ "GET", "/admin/keys/exports", keyset_exports },
	{ "POST", "/admin/keys/export", keyset_export_route },
	{ "POST", "/admin/keys/confirm", keyset_confirm_route },
	{ 0 },
};
