/* SPDX-License-Identifier: Apache-2.0 */
#include "common/app/fault_routes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/app/app_internal.h"
#include "common/app/json_in.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/rpc/json_out.h"

/* A line of fault_list: NAME action=A eid=E held=N hits=N. */
static void fault_line(struct buf *b, const char *line)
{
	char point[128], action[16], eid[40];
	unsigned held, hits;

	if (sscanf(line, "%127s action=%15s eid=%39s held=%u hits=%u", point, action, eid, &held, &hits) != 5)
		return;
	if (b->len > 1)
		buf_str(b, ",\n");
	buf_str(b, "{");
	json_out_member(b, "point", point);
	json_out_member(b, "action", action);
	json_out_member(b, "eid", strcmp(eid, "-") ? eid : NULL);
	buf_printf(b, ",\"held\":%u,\"hits\":%u}", held, hits);
}

void fault_route_list(struct http_call *call)
{
	CLEANUP(buf_free) struct buf lines = { 0 };
	CLEANUP(buf_free) struct buf b = { 0 };
	char *save = NULL;

	fault_list(&lines);
	buf_char(&b, '[');
	for (char *line = lines.data ? strtok_r(lines.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		fault_line(&b, line);
	buf_str(&b, "]\n");
	app_json(call, 200, b.data);
}

static bool eid_or_any(const char *text)
{
	return !strcmp(text, "*") || (strlen(text) == EID_DIGITS && strspn(text, "0123456789") == EID_DIGITS);
}

static void answer_armed(struct http_call *call, int rc, const char *point)
{
	switch (rc) {
	case 0:
		app_json(call, 200, "{}\n");
		break;
	case -ENOENT:
		app_error(call, 404, "no_such_point", "there is no fault point %s; GET /admin/faults lists them", point);
		break;
	case -ENOTSUP:
		app_error(call, 501, "no_faults", "this process was built without fault points");
		break;
	default:
		app_error(call, 409, "too_many", "too many fault points are armed; turn some off");
		break;
	}
}

void fault_route_arm(struct http_call *call)
{
	CLEANUP(json_body_free) json_t *j = json_body(call);
	const char *point, *action_text, *eid;
	enum fault_action action;

	if (!j)
		return;
	point = json_string_value(json_object_get(j, "point"));
	action_text = json_string_value(json_object_get(j, "action"));
	eid = json_object_get(j, "eid") ? json_string_value(json_object_get(j, "eid")) : "*";
	if (!point || !action_text || !fault_action_parse(action_text, &action)) {
		app_error(call, 400, "bad_fault", "give point and action (off, pause, kill or drop)");
		return;
	}
	if (!eid || !eid_or_any(eid)) {
		app_error(call, 400, "bad_fault", "eid is 32 digits or *");
		return;
	}
	log_msg(LOG_INFO, "admin", "fault %s %s for %s", point, action_text, eid);
	answer_armed(call, fault_arm(point, action, eid), point);
}

void admin_faults(struct app *app, struct http_call *call)
{
	(void)app;
	fault_route_list(call);
}

void admin_fault_arm(struct app *app, struct http_call *call)
{
	(void)app;
	fault_route_arm(call);
}
