/* SPDX-License-Identifier: Apache-2.0 */
#include "common/soap/envelope.h"

#include <string.h>
#include <strings.h>

/* State of one header's reading. */
struct reading {
	struct arena *a;
	struct envelope *e;
	struct soap_fault *fault;
};

static bool refuse(struct soap_fault *out, const char *code, const char *reason)
{
	*out = (struct soap_fault){ .code = code, .reason = reason };
	return false;
}

static bool is(const struct soap_node *n, const char *ns, const char *name)
{
	return !strcmp(soap_name(n), name) && !strcmp(soap_namespace(n), ns);
}

static const char *trimmed(struct arena *a, const char *p, size_t n)
{
	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return arena_strndup(a, p, n);
}

/* A parameter that an address or identifier may carry, and where its value goes. */
struct parameter {
	const char *name;
	const char **value;
};

static void take(struct arena *a, const char *p, size_t n, const struct parameter *parameters, size_t n_parameters)
{
	const char *eq = memchr(p, '=', n);
	const char *name, *value;

	if (!eq)
		return;
	name = trimmed(a, p, (size_t)(eq - p));
	value = trimmed(a, eq + 1, n - (size_t)(eq - p) - 1);
	for (size_t i = 0; i < n_parameters; i++)
		if (!strcasecmp(parameters[i].name, name) && !*parameters[i].value && *value)
			*parameters[i].value = value;
}

/* Splits "address?A=1?B=2&C=3" (wire.md 2.2). The first of two equal names counts, unknown ones do not. Returns the address. */
static const char *split(struct arena *a, const char *text, const struct parameter *parameters, size_t n_parameters)
{
	size_t n = strcspn(text, "?&");
	const char *address = trimmed(a, text, n);

	for (const char *p = text + n; *p;) {
		p++;
		n = strcspn(p, "?&");
		take(a, p, n, parameters, n_parameters);
		p += n;
	}
	return address;
}

/* Address of an endpoint reference; NULL: none. */
static const char *address_of(struct arena *a, const struct soap_node *n)
{
	for (const struct soap_node *c = soap_first(n); c; c = soap_next(c))
		if (is(c, NS_WSA, "Address"))
			return soap_text(a, c);
	return NULL;
}

static bool read_from(struct reading *r, const struct soap_node *n)
{
	const struct parameter parameters[] = { { "EntityId", &r->e->from_entity },
						{ "EntityName", &r->e->from_name },
						{ "UserName", &r->e->user_name } };
	const char *text = address_of(r->a, n);

	if (!text)
		return refuse(r->fault, "Sender", "wsa:From has no Address");
	r->e->from = split(r->a, text, parameters, LEN(parameters));
	return true;
}

static bool read_to(struct reading *r, const struct soap_node *n)
{
	const struct parameter parameters[] = { { "EntityId", &r->e->to_entity } };
	const char *text = soap_text(r->a, n);

	if (!text)
		return refuse(r->fault, "Sender", "wsa:To is not a URI");
	r->e->to = split(r->a, text, parameters, LEN(parameters));
	return true;
}

static bool read_message_id(struct reading *r, const struct soap_node *n)
{
	const struct parameter parameters[] = { { "TransactionID", &r->e->transaction_id },
						{ "ContextID", &r->e->context_id },
						{ "MessageDate", &r->e->message_date },
						{ "ProfileType", &r->e->profile_type } };
	const char *text = soap_text(r->a, n);

	if (!text || !*text)
		return refuse(r->fault, "Sender", "wsa:MessageID is not a URI");
	r->e->message_id = text;
	(void)split(r->a, text, parameters, LEN(parameters));
	return true;
}

const char *envelope_transaction_of(struct arena *a, const char *message_id)
{
	const char *transaction_id = NULL;
	const struct parameter parameters[] = { { "TransactionID", &transaction_id } };

	(void)split(a, message_id, parameters, LEN(parameters));
	return transaction_id;
}

static bool read_action(struct reading *r, const struct soap_node *n)
{
	r->e->action = soap_text(r->a, n);
	return r->e->action || refuse(r->fault, "Sender", "wsa:Action is not a URI");
}

static bool read_relates_to(struct reading *r, const struct soap_node *n)
{
	r->e->relates_to = soap_text(r->a, n);
	return r->e->relates_to || refuse(r->fault, "Sender", "wsa:RelatesTo is not a URI");
}

static bool read_reply_to(struct reading *r, const struct soap_node *n)
{
	const char *text = address_of(r->a, n);

	if (!text)
		return refuse(r->fault, "Sender", "wsa:ReplyTo has no Address");
	if (*text && strcasecmp(split(r->a, text, NULL, 0), WSA_ANONYMOUS) != 0)
		r->e->reply_to = text;
	return true;
}

/* Never used by SGP.02, but no reason to fault (binding.md a10). */
static bool read_nothing(struct reading *r, const struct soap_node *n)
{
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct reading *r, const struct soap_node *n);
} wsa_headers[] = {
	{ "From", read_from },
	{ "To", read_to },
	{ "MessageID", read_message_id },
	{ "Action", read_action },
	{ "ReplyTo", read_reply_to },
	{ "RelatesTo", read_relates_to },
	{ "FaultTo", read_nothing },
};

/* Marked for us: mustUnderstand true, and no role that is somebody else's. */
static bool must_understand(struct arena *a, const struct soap_node *n)
{
	const char *flag = soap_attribute_ns(a, n, NS_SOAP12, "mustUnderstand");
	const char *role = soap_attribute_ns(a, n, NS_SOAP12, "role");

	if (!flag || (strcmp(flag, "1") != 0 && strcmp(flag, "true") != 0))
		return false;
	return !role || !*role || !strcmp(role, NS_SOAP12 "/role/next") || !strcmp(role, NS_SOAP12 "/role/ultimateReceiver");
}

static bool read_header(struct reading *r, const struct soap_node *header)
{
	unsigned seen = 0;

	for (const struct soap_node *n = soap_first(header); n; n = soap_next(n)) {
		bool known = false;

		for (size_t i = 0; i < LEN(wsa_headers) && !known; i++) {
			if (!is(n, NS_WSA, wsa_headers[i].name))
				continue;
			if (seen & 1u << i)
				return refuse(r->fault, "Sender", arena_printf(r->a, "wsa:%s is there twice", wsa_headers[i].name));
			seen |= 1u << i;
			known = true;
			if (!wsa_headers[i].read(r, n))
				return false;
		}
		if (!known && must_understand(r->a, n))
			return refuse(r->fault, "MustUnderstand",
				      arena_printf(r->a, "the header %s is not understood", soap_name(n)));
	}
	return true;
}

static bool read_body(struct reading *r, const struct soap_node *body)
{
	r->e->body = soap_first(body);
	if (!r->e->body)
		return refuse(r->fault, "Sender", "the Body is empty");
	if (soap_next(r->e->body))
		return refuse(r->fault, "Sender", "the Body has more than one child");
	return true;
}

bool envelope_parse(struct arena *a, const struct soap_doc *d, struct envelope *out, struct soap_fault *out_fault)
{
	const struct soap_node *root = soap_doc_root(d), *n;
	struct envelope e = { 0 };
	struct reading r = { a, &e, out_fault };

	if (strcmp(soap_name(root), "Envelope") != 0)
		return refuse(out_fault, "Sender", "not a SOAP envelope");
	if (strcmp(soap_namespace(root), NS_SOAP12) != 0)
		return refuse(out_fault, "VersionMismatch", "SOAP 1.2 is needed");
	n = soap_first(root);
	if (n && is(n, NS_SOAP12, "Header")) {
		if (!read_header(&r, n))
			return false;
		n = soap_next(n);
	}
	if (!n || !is(n, NS_SOAP12, "Body"))
		return refuse(out_fault, "Sender", "the envelope has no Body");
	if (soap_next(n))
		return refuse(out_fault, "Sender", "something stands behind the Body");
	if (!read_body(&r, n))
		return false;
	*out = e;
	return true;
}

bool envelope_demand(struct arena *a, const struct envelope *e, struct soap_fault *out_fault)
{
	const struct {
		const char *value, *name;
	} needed[] = { { e->from, "wsa:From" },
		       { e->from_entity, "EntityId of wsa:From" },
		       { e->to, "wsa:To" },
		       { e->message_id, "wsa:MessageID" },
		       { e->action, "wsa:Action" } };

	for (size_t i = 0; i < LEN(needed); i++)
		if (!needed[i].value || !*needed[i].value)
			return refuse(out_fault, "Sender", arena_printf(a, "%s is missing", needed[i].name));
	return true;
}

/* "soap:Sender" -> "Sender": the prefix is the writer's choice. */
static const char *fault_code(struct arena *a, const struct soap_node *code)
{
	for (const struct soap_node *c = soap_first(code); c; c = soap_next(c)) {
		const char *text = is(c, NS_SOAP12, "Value") ? soap_text(a, c) : NULL;
		const char *colon = text ? strrchr(text, ':') : NULL;

		if (text)
			return colon ? colon + 1 : text;
	}
	return "Receiver";
}

static const char *fault_reason(struct arena *a, const struct soap_node *reason)
{
	for (const struct soap_node *c = soap_first(reason); c; c = soap_next(c)) {
		const char *text = is(c, NS_SOAP12, "Text") ? soap_text(a, c) : NULL;

		if (text)
			return text;
	}
	return "";
}

bool envelope_is_fault(struct arena *a, const struct envelope *e, struct soap_fault *out_fault)
{
	struct soap_fault f = { .code = "Receiver", .reason = "" };

	if (!e->body || !is(e->body, NS_SOAP12, "Fault"))
		return false;
	for (const struct soap_node *c = soap_first(e->body); c; c = soap_next(c)) {
		if (is(c, NS_SOAP12, "Code"))
			f.code = fault_code(a, c);
		else if (is(c, NS_SOAP12, "Reason"))
			f.reason = fault_reason(a, c);
	}
	*out_fault = f;
	return true;
}
