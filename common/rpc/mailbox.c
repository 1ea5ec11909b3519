/* SPDX-License-Identifier: Apache-2.0 */
/* WS-MakeConnection: a caller whom nobody can call fetches the answers that wait under its address, one at a time, the oldest first
 * (decisions.md A2). What is served is gone: who loses it repeats its FunctionCallIdentifier. */
#include "common/rpc/reply_to.h"
#include "common/rpc/run.h"

#include <string.h>

bool mailbox_asked(const struct run *r)
{
	const struct soap_node *body = r->envelope.body;

	return !strcmp(soap_name(body), "MakeConnection") && !strcmp(soap_namespace(body), NS_WSMC);
}

static bool refuse(struct run *r, const char *subcode, const char *why)
{
	(void)run_fault(r, "Sender", "MakeConnection: %s", why);
	r->fault.mc_subcode = subcode;
	return false;
}

/* *out_address: as it is written. False: it selects nothing that we have. */
static bool selection(struct run *r, const char **out_address)
{
	const struct soap_node *child = soap_first(r->envelope.body);
	const char *address;

	if (!child)
		return refuse(r, "MissingSelection", "it has no Address");
	if (strcmp(soap_name(child), "Address") != 0 || strcmp(soap_namespace(child), NS_WSMC) != 0)
		return refuse(r, "UnsupportedSelection", arena_printf(r->rq.arena, "messages are not selected by %s", soap_name(child)));
	if (soap_next(child))
		return refuse(r, "UnsupportedSelection", arena_printf(r->rq.arena, "nothing is selected by %s beside an Address",
								      soap_name(soap_next(child))));
	address = soap_text(r->rq.arena, child);
	if (!address || !*address)
		return refuse(r, "MissingSelection", "its Address is empty");
	if (!reply_to_mailbox(r->rq.arena, address))
		return refuse(r, "UnsupportedSelection", "its Address is not " NS_WSMC "/anonymous?id= and an identifier");
	*out_address = address;
	return true;
}

static bool addressed_to_us(struct run *r)
{
	const struct function *f = run_action_function(r);
	enum iface iface;

	if (strcmp(http_path(r->http), "/") != 0 && !path_interface(http_path(r->http), &iface))
		return r->http_status = 404, false;
	if (f)
		return run_fault(r, "Sender", "wsa:Action names %s, the body MakeConnection", f->wire);
	if (!rate_allow(r->rq.rpc, &r->rq.caller->oid))
		return run_fault(r, "Receiver", "more than %u calls per second", r->rq.rpc->rate_per_s);
	return true;
}

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

/* Columns: RPC_MAILBOX_TAKE. To and Action are those of the answer's own way (binding.md b4). */
static bool serve(struct run *r, const struct rows *rows, const char *address)
{
	struct arena *a = r->rq.arena;
	struct answer_way way = { .namespace_uri = r->rq.caller->dialect.namespace_uri,
				  .to = address,
				  .message_id = row_text_dup(a, rows, 0, 1),
				  .transaction_id = or_null(row_text_dup(a, rows, 0, 2)),
				  .context_id = or_null(row_text_dup(a, rows, 0, 3)),
				  .message_pending = row_bool(rows, 0, 6) ? "true" : "false" };
	const char *eid = row_text(rows, 0, 4), *name;

	way.fn = function_by_root(arena_printf(a, "%sRequest", row_text(rows, 0, 0)), &name);
	if (!way.fn) {
		r->outcome = internal(a, "mailbox: %s is not a function", row_text(rows, 0, 0));
		return run_fault_of_outcome(r);
	}
	if (strlen(eid) < sizeof(r->rq.eid))
		memcpy(r->rq.eid, eid, strlen(eid) + 1);
	r->fetched = answer_wrap(a, &r->w->envelope, r->rq.rpc, &way, row_bytes(rows, 0, 5));
	return false;
}

bool mailbox_serve(struct run *r)
{
	const struct rows *rows;
	const char *address;

	r->mailbox = true;
	if (!addressed_to_us(r) || !selection(r, &address))
		return false;
	DB_QUEUE(r->rq.db, RPC_MAILBOX_TAKE, p_text(r->rq.caller->oid.text), p_text(reply_to_mailbox(r->rq.arena, address)));
	r->outcome = db_sync(r->rq.db, r->rq.arena, &rows, 1, NULL);
	if (r->outcome != OK)
		return run_fault_of_outcome(r);
	if (rows_count(rows) == 0)
		return r->http_status = 202, false;
	return serve(r, rows, address);
}
