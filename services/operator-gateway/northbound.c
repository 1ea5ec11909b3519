/* SPDX-License-Identifier: Apache-2.0 */
/* The northbound API's paths (docs/northbound.md). */
#include <string.h>

#include "services/operator-gateway/gateway.h"

const struct route gateway_northbound[] = {
	{ "GET", "/v1/euiccs/", northbound_eis_get },
	{ "PUT", "/v1/euiccs/", northbound_eis_put },
	{ "POST", "/v1/euiccs/", northbound_order },
	{ "GET", "/v1/operations", northbound_operations },
	{ "GET", "/v1/operations/", northbound_operation },
	{ "GET", "/v1/notifications", northbound_notifications },
	{ 0 },
};

const char *northbound_rest(const struct http_call *call)
{
	for (const struct route *r = gateway_northbound; r->method; r++)
		if (r->path[strlen(r->path) - 1] == '/' && *route_rest(r, call))
			return route_rest(r, call);
	return "";
}
