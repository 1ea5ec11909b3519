/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/smdp.h"

const struct route smdp_admin[] = {
	{ "GET", "/admin/types", type_list },
	{ "POST", "/admin/types", type_add },
	{ "GET", "/admin/stock", stock_list }, /* ?mno=&type=&state=&batch=&eid=&limit= */
	{ "GET", "/admin/stock/count", stock_count },
	{ "GET", "/admin/stock/batches", stock_batches },
	{ "POST", "/admin/stock/import", stock_import_route }, /* ?mno=&type=&batch=&wrap= */
	{ "POST", "/admin/stock/make", stock_make_route },
	{ "GET", "/admin/stock/export", stock_export_route }, /* ?mno=&batch= */
	{ "POST", "/admin/stock/release", stock_release },
	{ 0 },
};
