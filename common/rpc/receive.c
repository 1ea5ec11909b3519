/* SPDX-License-Identifier: Apache-2.0 */
/* The first steps: from bytes to a decoded request of a known function by an allowed caller. Nothing here touches the database. */
#include "common/rpc/run.h"

#include <string.h>
#include <strings.h>

#include "common/base/log.h"

enum {
	NAME_MAX_URL = 64,
	MESSAGE_ID_MAX = 1024, /* it stands in keys of tables */
	FROM_MAX = 2000,       /* it is kept as long as a caller is parked */
};

bool run_parse(struct run *r)
{
	const char *type = http_header(r->http, "Content-Type"), *reason = NULL;
	struct bytes body = http_body(r->http);

	if (strcmp(http_method(r->http), "POST"))
		return r->http_status = 405, false;
	if (!type || (!strcasestr(type, "application/soap+xml") && !strcasestr(type, "text/xml") && !strcasestr(type, "application/xml")))
		return r->http_status = 415, false;
	r->doc = soap_doc_parse(r->rq.arena, body.data, body.len, &SOAP_LIMITS, &reason);
	return r->doc ? true : run_fault(r, "Sender", "%s", reason);
}

/* binding.md a18: the EntityId is a claim; the certificate is the proof. */
static bool from_is_peer(struct run *r)
{
	struct oid from;

	if (!oid_parse(r->envelope.from_entity, &from))
		return run_fault(r, "Sender", "wsa:From: EntityId is not an object identifier");
	if (!oid_equal(&from, &r->rq.caller->oid))
		return run_fault(r, "Sender", "wsa:From: EntityId %s is not the entity of the TLS certificate", from.text);
	return true;
}

bool run_addressing(struct run *r)
{
	if (!envelope_parse(r->rq.arena, r->doc, &r->envelope, &r->fault))
		return false;
	if (!mailbox_asked(r) && !envelope_demand(r->rq.arena, &r->envelope, &r->fault))
		return false;
	if (r->envelope.message_id && strlen(r->envelope.message_id) > MESSAGE_ID_MAX)
		return run_fault(r, "Sender", "wsa:MessageID has more than %d characters", MESSAGE_ID_MAX);
	if (r->envelope.from && strlen(r->envelope.from) > FROM_MAX)
		return run_fault(r, "Sender", "wsa:From has more than %d characters", FROM_MAX);
	return !r->envelope.from_entity || from_is_peer(r);
}

/* GSMA service names (wire.md 3): ES4SmSrService, ES7SmSrProvider -> the interface they start with. */
static bool iface_parse(const char *text, size_t n, enum iface *out)
{
	for (unsigned i = 0; i < IF_COUNT; i++) {
		const char *name = iface_name((enum iface)i);

		if (strlen(name) == n && !strncasecmp(name, text, n)) {
			*out = (enum iface)i;
			return true;
		}
	}
	return false;
}

/* The next path segment; *p moves behind it. Length 0: none. */
static size_t segment(const char **p, const char **out)
{
	size_t n;

	while (**p == '/')
		(*p)++;
	*out = *p;
	n = strcspn(*p, "/");
	*p += n;
	return n;
}

/* /es4, /es4/GetEIS, /esim-messaging/3/ES4/ES4SmSrService. *out_function: "" when the path names none. False: no path of ours. */
static bool path_parse(const char *path, enum iface *out_iface, char out_function[NAME_MAX_URL])
{
	const char *p = path, *s;
	size_t n = segment(&p, &s);
	bool service = n == strlen("esim-messaging") && !strncasecmp(s, "esim-messaging", n);

	out_function[0] = '\0';
	if (service) {
		(void)segment(&p, &s); /* the version */
		n = segment(&p, &s);
	}
	if (!iface_parse(s, n, out_iface))
		return false;
	n = segment(&p, &s);
	if (n >= NAME_MAX_URL)
		return false;
	if (!service) {
		memcpy(out_function, s, n);
		out_function[n] = '\0';
	}
	return *p == '\0' || !strcmp(p, "/");
}

bool path_interface(const char *path, enum iface *out)
{
	char function[NAME_MAX_URL];

	return path_parse(path, out, function);
}

/* A URL that names another interface or function than the body is a Sender fault (functions.md). */
static bool url_agrees(struct run *r)
{
	const char *path = http_path(r->http);
	char name[NAME_MAX_URL];
	enum iface iface;

	if (!strcmp(path, "/"))
		return true;
	if (!path_parse(path, &iface, name))
		return r->http_status = 404, false;
	if (iface != r->rq.fn->iface)
		return run_fault(r, "Sender", "the URL is of %s, the body of %s", iface_name(iface), iface_name(r->rq.fn->iface));
	if (*name && function_by_url(iface_name(iface), name) != r->rq.fn)
		return run_fault(r, "Sender", "the URL names %s, the body %s", name, r->rq.fn->wire);
	return true;
}

const struct function *run_action_function(const struct run *r)
{
	const char *last = r->envelope.action ? strrchr(r->envelope.action, '/') : NULL;
	const struct function *f;
	const char *name;

	f = last ? function_by_root(last + 1, &name) : NULL;
	if (!f && last)
		f = function_by_root(arena_printf(r->rq.arena, "%sRequest", last + 1), &name);
	return f;
}

/* Lenient (wire.md 3.10): only an Action whose last part is the name of another function of ours contradicts. */
static bool action_agrees(struct run *r)
{
	const struct function *f = run_action_function(r);

	if (f && f != r->rq.fn)
		return run_fault(r, "Sender", "wsa:Action names %s, the body %s", f->wire, r->rq.fn->wire);
	return true;
}

bool run_addressed_to(struct run *r)
{
	return url_agrees(r) && action_agrees(r);
}

bool run_namespace_agrees(struct run *r)
{
	const char *ns = soap_namespace(r->envelope.body), *own = r->rq.caller->dialect.namespace_uri;

	if (!strcmp(ns, NS_RPS_DEFAULT) || (own && !strcmp(ns, own)) || (!*ns && r->rq.caller->dialect.unqualified))
		return true;
	return run_fault(r, "Sender", "the body's namespace is not %s", NS_RPS_DEFAULT);
}

static const struct served *served_find(const struct rpc *rpc, enum function_id id)
{
	for (size_t i = 0; i < rpc->n_served; i++)
		if (rpc->served[i].id == id)
			return &rpc->served[i];
	return NULL;
}

/* No request: an answer to a call of ours, or nothing that we know. */
static bool root_unknown(struct run *r)
{
	const char *root = soap_name(r->envelope.body);
	const struct function *answered = function_by_response_root(root);

	if (answered)
		return callback_lookup(r, answered);
	return run_fault(r, "Sender", "the body %s is not a function of SGP.02", root);
}

/* A notification has no answer to be refused in: what we do not serve is taken and logged (procedures.md 5.4, DECIDED). */
static bool not_served(struct run *r)
{
	const struct function *f = r->rq.fn;

	if (f->mep == MEP_NOTIFY) {
		log_msg(LOG_INFO, "notification_ignored", "%s from %s: %s", f->wire, r->rq.caller->oid.text,
			f->not_served ? f->not_served : "not served by this role");
		return r->http_status = 202, false;
	}
	return run_refuse(r, failed(r->rq.arena, CODE_UNSUPPORTED, f->wire, "%s", f->not_served ? f->not_served : "not served here"));
}

bool run_lookup(struct run *r)
{
	struct rq *rq = &r->rq;

	if (mailbox_asked(r))
		return mailbox_serve(r);
	rq->fn = function_by_root(soap_name(r->envelope.body), &rq->name_used);
	if (!rq->fn)
		return root_unknown(r);
	if (!run_namespace_agrees(r) || !run_addressed_to(r))
		return false;
	if (!(rq->fn->providers & rq->rpc->self_role))
		return run_fault(r, "Sender", "%s is not a function of this %s", rq->fn->wire, role_name(rq->rpc->self_role));
	if (!(rq->fn->callers & rq->caller->roles) && rq->fn->mep == MEP_NOTIFY)
		return run_fault(r, "Sender", "%s is not for your role", rq->fn->wire);
	r->request = message_request(rq->fn->id);
	r->response = message_response(rq->fn->id);
	if (!(rq->fn->callers & rq->caller->roles))
		return run_refuse(r, failed(rq->arena, CODE_REQUESTER_NOT_ALLOWED, NULL, NULL));
	if (!rate_allow(rq->rpc, &rq->caller->oid))
		return run_refuse(r, failed(rq->arena, CODE_BUSY, NULL, "more than %u calls per second", rq->rpc->rate_per_s));
	r->served = run_fault_point(r, "unserved") ? NULL : served_find(rq->rpc, rq->fn->id);
	if (!r->served || !r->request)
		return not_served(r);
	if (http_body(r->http).len > BODY_PLAIN_MAX && rq->fn->id != FN_ES3_SendData && rq->fn->id != FN_ES2_DownloadProfile)
		return run_fault(r, "Sender", "%s may be %d bytes at most", rq->fn->wire, BODY_PLAIN_MAX);
	return true;
}

/* A6. The base struct stands first in every request. */
static bool validity_accepted(struct run *r)
{
	const struct request_base *base = r->in;
	const struct validity *v = &r->rq.fn->validity;
	int64_t asked = base->validity_s ? *base->validity_s : v->def_s;

	r->rq.validity_s = (uint32_t)asked;
	if (asked >= v->min_s && asked <= v->max_s)
		return true;
	r->acceptable_validity_s = asked < v->min_s ? v->min_s : v->max_s;
	return run_refuse(r, failed(r->rq.arena, CODE_VALIDITY_REFUSED, "ValidityPeriod", "ValidityPeriod: %u to %u seconds", v->min_s,
				    v->max_s));
}

static void digest_input(struct run *r)
{
	struct buf *b = &r->w->scratch;

	buf_clear(b);
	bind_digest_input(b, r->request, r->in);
	sha256(b->data, b->len, r->digest);
	secret_wipe(b->data, b->len);
}

bool run_decode(struct run *r)
{
	struct rq *rq = &r->rq;
	bool notification = rq->fn->mep == MEP_NOTIFY;
	const struct bind_dialect dialect = { .unqualified = rq->caller->dialect.unqualified };
	result outcome;

	if (r->awaited)
		return callback_decode(r);
	r->in = arena_alloc(rq->arena, r->request->group->size);
	outcome = bind_decode(rq->arena, r->request, r->envelope.body, soap_namespace(r->envelope.body), &dialect, r->in);
	if (outcome != OK) {
		r->in = NULL;
		return run_refuse(r, outcome);
	}
	rq->in = r->in;
	message_eid(r->request, r->in, rq->eid);
	if (!notification && !validity_accepted(r))
		return false;
	if (!notification)
		r->fci = ((const struct request_base *)r->in)->fci;
	if (rq->fn->tx != TX_READ)
		digest_input(r);
	run_fault_point(r, "decoded");
	return true;
}
