/* SPDX-License-Identifier: Apache-2.0 */
/* One SOAP call of the order interface, over mutual TLS. */
#include <stdio.h>
#include <string.h>

#include "common/base/random.h"
#include "common/http/client.h"
#include "common/soap/envelope.h"
#include "services/operator-gateway/rspctl/rspctl.h"

enum { TIMEOUT_MS = 60 * 1000, SOAP_MAX = 1024 * 1024 };

static void client_close(struct http_client **client)
{
	http_client_close(*client, 0);
}

/* https://host:port gets the path of the function; an URL with a path is taken as it is. */
static const char *url_of(struct ctl *c, const struct function *fn)
{
	const char *base = c->option[OPT_ORDER], *scheme = strstr(base, "://");
	const char *path = scheme ? strchr(scheme + 3, '/') : NULL;

	if (path && path[1])
		return base;
	return arena_printf(c->arena, "%.*s/eum/%s", path ? (int)(path - base) : (int)strlen(base), base, fn->name);
}

static void compose(struct ctl *c, const struct function *fn, const void *in, const char *url, const char *message_id,
		    struct buf *out)
{
	char action[ACTION_MAX];
	const struct envelope e = {
		.from = WSA_ANONYMOUS, /* nobody can call us */
		.from_entity = c->option[OPT_FROM],
		.from_name = "rspctl",
		.to = url,
		.message_id = message_id,
		.action = function_request_action(fn, action),
	};

	envelope_open(out, &e, NS_RPS_DEFAULT);
	bind_encode(out, message_request(fn->id), in, BIND_PLAIN);
	envelope_close(out);
}

static int send_message(struct ctl *c, const char *url, const struct buf *message, struct http_answer *out)
{
	const struct http_client_spec spec = {
		.cert_file = c->option[OPT_CERT],
		.key_file = c->option[OPT_KEY],
		.trust_file = c->option[OPT_CA],
	};
	const struct http_outgoing rq = {
		.method = "POST",
		.url = url,
		.content_type = "application/soap+xml; charset=utf-8",
		.body = message->data,
		.n = message->len,
		.timeout_ms = TIMEOUT_MS,
		.max_answer = SOAP_MAX,
	};
	char error[256] = "";
	CLEANUP(client_close) struct http_client *client = http_client_open(&spec, error);

	if (!client)
		return ctl_fail(c, EXIT_USAGE, "%s", error);
	http_client_call(client, c->arena, &rq, out);
	if (out->error == HTTP_TOO_LARGE)
		return ctl_fail(c, EXIT_INTERNAL, "%s: the answer is larger than %d bytes", url, SOAP_MAX);
	if (out->error == HTTP_BROKEN)
		return ctl_fail(c, EXIT_UNREACHABLE, "%s: no answer: %s; is --cert known there, for --from %s?", url,
				out->reason ? out->reason : "the connection broke", c->option[OPT_FROM]);
	if (out->error != HTTP_ANSWERED)
		return ctl_fail(c, EXIT_UNREACHABLE, "%s: %s: %s", url, http_error_name(out->error),
				out->reason ? out->reason : "no reason given");
	return EXIT_OK;
}

static int decode(struct ctl *c, const struct function *fn, const struct envelope *e, const void **out)
{
	const struct bind_message *m = message_response(fn->id);
	const struct bind_dialect dialect = { 0 };
	struct response_base *base;
	result r;

	if (!m || function_by_response_root(soap_name(e->body)) != fn)
		return ctl_fail(c, EXIT_INTERNAL, "%s: the answer is a %s", fn->wire, soap_name(e->body));
	base = arena_alloc(c->arena, m->group->size);
	r = bind_decode(c->arena, m, e->body, soap_namespace(e->body), &dialect, base);
	if (r != OK)
		return ctl_fail(c, EXIT_INTERNAL, "%s: the answer is wrong: %s", fn->wire, r->message ? r->message : "?");
	if (base->status.status == STATUS_FAILED || base->status.status == STATUS_EXPIRED)
		return ctl_status_fail(c, fn->wire, &base->status);
	*out = base;
	return EXIT_OK;
}

static int read_answer(struct ctl *c, const struct function *fn, const char *message_id, const struct http_answer *answer,
		       const void **out)
{
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	struct envelope e = { 0 };
	struct soap_fault fault = { 0 };
	const char *why = "";

	if (!answer->body.len)
		return ctl_http_fail(c, fn->wire, answer->status, answer->body);
	doc = soap_doc_parse(c->arena, answer->body.data, answer->body.len, &SOAP_LIMITS, &why);
	if (!doc && answer->status >= 400)
		return ctl_http_fail(c, fn->wire, answer->status, answer->body);
	if (!doc || !envelope_parse(c->arena, doc, &e, &fault))
		return ctl_fail(c, EXIT_INTERNAL, "%s: HTTP %u with what is not SOAP: %s", fn->wire, answer->status,
				doc ? fault.reason : why);
	if (envelope_is_fault(c->arena, &e, &fault))
		return ctl_fail(c, EXIT_REFUSED, "%s: SOAP Fault %s: %s", fn->wire, fault.code, fault.reason);
	if (e.relates_to && strcmp(e.relates_to, message_id))
		return ctl_fail(c, EXIT_INTERNAL, "%s: the answer is to another message", fn->wire);
	return decode(c, fn, &e, out);
}

int soap_call(struct ctl *c, const struct function *fn, const void *in, const void **out_response)
{
	CLEANUP(buf_free) struct buf message = { 0 };
	const char *url = url_of(c, fn), *message_id;
	char transaction[UUID_TEXT];
	struct http_answer answer;
	struct oid from;
	int code;

	if (!oid_parse(c->option[OPT_FROM], &from))
		return ctl_fail(c, EXIT_USAGE, "--from %s: should be our OID, like 1.3.6.1.4.1.99999.1", c->option[OPT_FROM]);
	uuid_new(transaction);
	message_id = message_id_new(c->arena, from.text, transaction, NULL);
	compose(c, fn, in, url, message_id, &message);
	code = send_message(c, url, &message, &answer);
	return code == EXIT_OK ? read_answer(c, fn, message_id, &answer, out_response) : code;
}
