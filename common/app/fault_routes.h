/* SPDX-License-Identifier: Apache-2.0 */
/* Placed faults on an admin socket (decisions.md G2): the same of every process, whatever else its socket serves. Any thread. */
#ifndef APP_FAULT_ROUTES_H
#define APP_FAULT_ROUTES_H

#include "common/http/server.h"

/* GET /admin/faults: 200 and an array of {point, action, eid, held, hits}. */
void fault_route_list(struct http_call *call);
/* POST /admin/faults {point, action, eid}: 200, or 400, 404, 409, 501 with what is wrong. */
void fault_route_arm(struct http_call *call);

#endif
