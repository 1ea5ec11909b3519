/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/smdp.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/rpc/json_out.h"

enum { ROWS = 100, ROWS_MAX = 100000, LIMIT_DIGITS = 6 };

void admin_no_database(struct http_call *call)
{
	app_error(call, 503, "database", "the database does not answer");
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

const struct route smdp_admin[] = {
	{ "GET", "/admin/types", type_list },
	{ "GET", "/admin/types/show", type_show }, /* ?mno=&name= */
	{ "POST", "/admin/types", type_add },
	{ "GET", "/admin/stock", stock_list }, /* ?mno=&type=&state=&batch=&eid=&limit= */
	{ "GET", "/admin/stock/count", stock_count },
	{ "GET", "/admin/stock/batches", stock_batches },
	{ "GET", "/admin/stock/digest", stock_digest }, /* ?iccid= */
	{ "POST", "/admin/stock/import", stock_import_route }, /* ?mno=&type=&batch=&wrap= */
	{ "POST", "/admin/stock/make", stock_make_route },
	{ "GET", "/admin/stock/export", stock_export_route }, /* ?mno=&batch= */
	{ "POST", "/admin/stock/release", stock_release },
	{ "GET", "/admin/downloads", download_list }, /* ?eid=&iccid=&mno=&state=&id=&limit= */
	{ 0 },
};
