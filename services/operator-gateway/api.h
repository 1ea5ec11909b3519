/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of the northbound API: pure, so that tests reach them without a process. */
#ifndef OPERATOR_GATEWAY_API_H
#define OPERATOR_GATEWAY_API_H

#include "common/rpc/call.h"
#include "common/sgp02/eis.h"
#include "services/operator-gateway/json.h"

/* An error body: {"error":{"code","message", ...}}; members that are NULL are left out. */
struct api_error {
	const char *code; /* "8.1.1/1.1" of SGP.02, or a word of ours: "unauthorised" */
	const char *message;
	const char *subject_identifier;
	const char *status;     /* "FAILED", "EXPIRED": the other side answered so */
	const char *function;   /* "ES4-GetEIS" */
	const char *message_id; /* wsa:MessageID of our request, for rspctl messages */
	unsigned retry_after_s; /* 0: left out */
};
const char *api_error_json(struct arena *a, const struct api_error *e);

/* What an HTTP caller is told. */
struct api_reply {
	unsigned status;
	const char *body;
};
/* The HTTP status of a function execution status; subject and reason may be "". */
unsigned api_status(enum status status, const char *subject, const char *reason);
/* The answer to GET /v1/euiccs/{eid}, from the outcome of fn: ES4.GetEIS, or ES2.GetEIS. */
void api_eis_reply(struct arena *a, const struct function *fn, const struct eid *eid, const struct call_answer *answer,
		   struct api_reply *out);
/* Who serves our calls of an interface: "SM-DP" or "SM-SR". */
const char *api_server_name(enum iface iface);
/* docs/northbound.md shows the shape. */
json_t *api_eis_json(struct arena *a, const struct eis *eis);
/* Its pol2 (an array) and address (an object). */
json_t *api_pol2_json(const struct pol2 *pol2);
json_t *api_address_json(const struct subscription_address *address);
/* The spellings of a rule's parts, as on the wire. False: name is none of them, or NULL. */
bool api_pol2_action(const char *name, enum pol2_action *out);
bool api_pol2_qualification(const char *name, enum pol2_qualification *out);

#endif
