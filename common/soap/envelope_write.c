/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/soap/envelope.h"

/* address?Name=value?Name=value, what is NULL left out (binding.md a5: '?' between parameters). */
static const char *with_parameters(struct buf *tmp, const char *address, const char *const pairs[][2], size_t n)
{
	buf_clear(tmp);
	buf_str(tmp, address);
	for (size_t i = 0; i < n; i++)
		if (pairs[i][1])
			buf_printf(tmp, "?%s=%s", pairs[i][0], pairs[i][1]);
	return tmp->data;
}

static void endpoint(struct xml_writer *w, const char *name, const char *address)
{
	xw_open(w, name);
	xw_text(w, "Address", address);
	xw_close(w, name);
}

static void start(struct buf *out, const char *rps_ns)
{
	buf_str(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"" NS_SOAP12 "\" xmlns:wsa=\"" NS_WSA "\"");
	if (rps_ns) {
		buf_str(out, " xmlns:rps=\"");
		xml_escape(out, rps_ns);
		buf_char(out, '"');
	}
	buf_str(out, "><soap:Header>");
}

static void pending(struct buf *out, const char *value)
{
	struct xml_writer w = { out, "wsmc" };

	xw_start(&w, "MessagePending");
	xw_attr(&w, "xmlns:wsmc", NS_WSMC);
	xw_attr(&w, "pending", value);
	xw_end(&w, 1);
}

void envelope_open(struct buf *out, const struct envelope *e, const char *rps_ns)
{
	CLEANUP(buf_free) struct buf tmp = { 0 };
	struct xml_writer w = { out, "wsa" };
	const char *const from[][2] = { { "EntityId", e->from_entity },
					{ "EntityName", e->from_name },
					{ "UserName", e->user_name } };
	const char *const to[][2] = { { "EntityId", e->to_entity } };

	start(out, rps_ns);
	if (e->from)
		endpoint(&w, "From", with_parameters(&tmp, e->from, from, LEN(from)));
	if (e->to)
		xw_text(&w, "To", with_parameters(&tmp, e->to, to, LEN(to)));
	if (e->message_id)
		xw_text(&w, "MessageID", e->message_id);
	if (e->action)
		xw_text(&w, "Action", e->action);
	if (e->relates_to)
		xw_text(&w, "RelatesTo", e->relates_to);
	if (e->reply_to)
		endpoint(&w, "ReplyTo", e->reply_to);
	if (e->message_pending)
		pending(out, e->message_pending);
	buf_str(out, "</soap:Header><soap:Body>");
}

void envelope_close(struct buf *out)
{
	buf_str(out, "</soap:Body></soap:Envelope>\n");
}

void envelope_fault(struct buf *out, const struct soap_fault *fault, const char *relates_to)
{
	struct xml_writer wsa = { out, "wsa" }, soap = { out, "soap" };

	start(out, NULL);
	xw_text(&wsa, "Action", fault->mc_subcode ? NS_WSMC "/fault" : NS_WSA "/fault");
	if (relates_to)
		xw_text(&wsa, "RelatesTo", relates_to);
	buf_str(out, "</soap:Header><soap:Body><soap:Fault><soap:Code><soap:Value>soap:");
	xml_escape(out, fault->code);
	buf_str(out, "</soap:Value>");
	if (fault->mc_subcode) {
		buf_str(out, "<soap:Subcode><soap:Value xmlns:wsmc=\"" NS_WSMC "\">wsmc:");
		xml_escape(out, fault->mc_subcode);
		buf_str(out, "</soap:Value></soap:Subcode>");
	}
	buf_str(out, "</soap:Code><soap:Reason>");
	xw_start(&soap, "Text");
	xw_attr(&soap, "xml:lang", "en");
	xw_end(&soap, 0);
	xml_escape(out, fault->reason);
	buf_str(out, "</soap:Text></soap:Reason></soap:Fault>");
	envelope_close(out);
}

const char *message_id_new(struct arena *a, const char *domain, const char *transaction_id, const char *context_id)
{
	char id[UUID_TEXT], transaction[UUID_TEXT], now[DATETIME_MAX];

	uuid_new(id);
	if (!transaction_id)
		uuid_new(transaction);
	datetime_format(clock_wall_us(), now);
	return arena_printf(a, "//%s/%s?TransactionID=%s%s%s?MessageDate=%s", domain, id,
			    transaction_id ? transaction_id : transaction, context_id ? "?ContextID=" : "",
			    context_id ? context_id : "", now);
}
