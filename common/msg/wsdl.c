/* SPDX-License-Identifier: Apache-2.0 */
/* One WSDL per interface side, with the names that toolkits of our peers know (wire.md 3). */
#include "common/msg/wsdl.h"

#include <string.h>

#include "common/msg/messages.h"
#include "common/msg/xsd_internal.h"
#include "common/soap/envelope.h"

#define NS_WSDL "http://schemas.xmlsoap.org/wsdl/"
#define NS_WSDL_SOAP12 "http://schemas.xmlsoap.org/wsdl/soap12/"
#define NS_WSAM "http://www.w3.org/2007/05/addressing/metadata"
#define TRANSPORT "http://www.w3.org/2003/05/soap/bindings/HTTP/"

enum { MNO = ROLE_OPERATOR | ROLE_M2M_SP };

/* Callbacks to a side go to the side of the callers. */
static const struct side {
	enum iface iface;
	unsigned roles;
	const char *port_type, *service, *port, *callback_port_type, *callback_port;
} sides[] = {
	{ IF_ES1, ROLE_SM_SR, "ES1SmSr", "ES1SmSrService", "SmSrES1Port", NULL, NULL },
	{ IF_ES2, ROLE_SM_DP, "ES2SmDp", "ES2SmDpService", "SmDpES2Port", "ES2Mno", "MnoES2Port" },
	{ IF_ES2, MNO, "ES2Mno", "ES2MnoService", "MnoES2Port", NULL, NULL },
	{ IF_ES3, ROLE_SM_SR, "ES3SmSr", "ES3SmSrService", "SmSrES3Port", "ES3SmDp", "SmDpES3Port" },
	{ IF_ES3, ROLE_SM_DP, "ES3SmDp", "ES3SmDpService", "SmDpES3Port", NULL, NULL },
	{ IF_ES4, ROLE_SM_SR, "ES4SmSr", "ES4SmSrService", "SmSrES4Port", "ES4Mno", "MnoES4Port" },
	{ IF_ES4, MNO, "ES4Mno", "ES4MnoService", "MnoES4Port", NULL, NULL },
	{ IF_ES4A, ROLE_SM_SR, "ES4ASmSr", "ES4ASmSrService", "SmSrES4APort", NULL, NULL },
	{ IF_ES7, ROLE_SM_SR, "ES7SmSrProvider", "ES7SmSrProviderService", "ES7SmSrProviderPort", "ES7SmSrRequester",
	  "ES7SmSrRequesterPort" },
	{ IF_EUM, ROLE_EUM, "EUMOrder", "EUMOrderService", "EUMOrderPort", NULL, NULL },
};

struct printer {
	struct buf *out;
	const struct side *side;
	bool callback_form;
};

/* How an operation looks: which messages it has under which Actions. */
struct operation {
	const struct function *f;
	bool is_callback; /* carries the answer of f to the caller's side */
	const char *name_suffix;
	const struct bind_message *input, *output; /* output NULL: one-way */
	char input_action[ACTION_MAX], output_action[ACTION_MAX];
};

static const struct side *find_side(enum iface iface, unsigned roles)
{
	for (size_t i = 0; i < LEN(sides); i++)
		if (sides[i].iface == iface && (sides[i].roles & roles))
			return &sides[i];
	return NULL;
}

const char *wsdl_service(enum iface iface, unsigned provider_roles)
{
	const struct side *side = find_side(iface, provider_roles);

	return side ? side->service : NULL;
}

/* False: f does not belong into this port type. */
static bool operation_of(const struct printer *p, const struct function *f, bool callback, struct operation *out)
{
	bool one_way = f->mep == MEP_NOTIFY || (p->callback_form && f->mep == MEP_DEFERRED);

	if (f->iface != p->side->iface || !(f->providers & p->side->roles) || f->not_served)
		return false;
	if (callback && f->mep != MEP_DEFERRED)
		return false;
	*out = (struct operation){ .f = f, .is_callback = callback, .name_suffix = callback ? "Callback" : "" };
	out->input = callback ? message_response(f->id) : message_request(f->id);
	if (callback)
		function_callback_action(f, out->input_action);
	else
		function_request_action(f, out->input_action);
	if (!callback && !one_way) {
		out->output = message_response(f->id);
		function_response_action(f, out->output_action);
	}
	return out->input != NULL;
}

typedef void (*print_operation)(struct printer *p, const struct operation *o);

static void each(struct printer *p, bool callback, print_operation print)
{
	struct operation o;

	for (enum function_id id = 0; id < FN_COUNT; id++)
		if (operation_of(p, function_by_id(id), callback, &o))
			print(p, &o);
}

static unsigned count(const struct printer *p, bool callback)
{
	struct operation o;
	unsigned n = 0;

	for (enum function_id id = 0; id < FN_COUNT; id++)
		n += operation_of(p, function_by_id(id), callback, &o);
	return n;
}

static void print_message(struct printer *p, const struct bind_message *m)
{
	buf_printf(p->out,
		   "  <wsdl:message name=\"%sMessage\">\n"
		   "    <wsdl:part name=\"parameters\" element=\"rps:%s\"/>\n"
		   "  </wsdl:message>\n",
		   m->root, m->root);
}

/* Callbacks repeat the answers of their functions only when those have no output. */
static void print_messages(struct printer *p, const struct operation *o)
{
	print_message(p, o->input);
	if (o->output)
		print_message(p, o->output);
}

static void print_abstract(struct printer *p, const struct operation *o)
{
	buf_printf(p->out, "    <wsdl:operation name=\"%s%s\">\n", o->f->wire, o->name_suffix);
	buf_printf(p->out, "      <wsdl:input message=\"rps:%sMessage\" wsam:Action=\"%s\"/>\n", o->input->root, o->input_action);
	if (o->output)
		buf_printf(p->out, "      <wsdl:output message=\"rps:%sMessage\" wsam:Action=\"%s\"/>\n", o->output->root,
			   o->output_action);
	buf_str(p->out, "    </wsdl:operation>\n");
}

static void print_concrete(struct printer *p, const struct operation *o)
{
	buf_printf(p->out, "    <wsdl:operation name=\"%s%s\">\n      <soap12:operation style=\"document\"/>\n", o->f->wire,
		   o->name_suffix);
	buf_str(p->out, "      <wsdl:input><soap12:body use=\"literal\"/></wsdl:input>\n");
	if (o->output)
		buf_str(p->out, "      <wsdl:output><soap12:body use=\"literal\"/></wsdl:output>\n");
	buf_str(p->out, "    </wsdl:operation>\n");
}

static void print_port_type(struct printer *p, const char *name, bool callback)
{
	buf_printf(p->out, "  <wsdl:portType name=\"%s\">\n", name);
	each(p, callback, print_abstract);
	buf_str(p->out, "  </wsdl:portType>\n");
}

static void print_binding(struct printer *p, const char *port_type, bool callback)
{
	buf_printf(p->out,
		   "  <wsdl:binding name=\"%sServiceBinding\" type=\"rps:%s\">\n"
		   "    <soap12:binding style=\"document\" transport=\"" TRANSPORT "\"/>\n",
		   port_type, port_type);
	each(p, callback, print_concrete);
	buf_str(p->out, "  </wsdl:binding>\n");
}

static void print_service(struct printer *p, const char *port_type, const char *port, const char *address)
{
	buf_printf(p->out,
		   "  <wsdl:service name=\"%sService\">\n"
		   "    <wsdl:port name=\"%s\" binding=\"rps:%sServiceBinding\">\n"
		   "      <soap12:address location=\"",
		   port_type, port, port_type);
	xml_escape(p->out, address);
	buf_str(p->out, "\"/>\n    </wsdl:port>\n  </wsdl:service>\n");
}

static void print_types(struct buf *out, const char *xsd_location)
{
	buf_str(out, "  <wsdl:types>\n");
	if (xsd_location) {
		buf_str(out, "<xs:schema xmlns:xs=\"" NS_XS "\" targetNamespace=\"" NS_RPS_DEFAULT
			     "\" elementFormDefault=\"qualified\">\n"
			     "  <xs:include schemaLocation=\"");
		xml_escape(out, xsd_location);
		buf_str(out, "\"/>\n</xs:schema>\n");
	} else {
		xmldsig_body(out);
		xsd_body(out, NULL);
	}
	buf_str(out, "  </wsdl:types>\n");
}

bool wsdl_write(struct buf *out, enum iface iface, unsigned provider_roles, bool callback_form, const char *address,
		const char *xsd_location)
{
	struct printer p = { out, find_side(iface, provider_roles), callback_form };
	bool callbacks;

	if (!p.side || !count(&p, false))
		return false;
	callbacks = callback_form && p.side->callback_port && count(&p, true);
	buf_str(out, XML_DECLARATION GENERATED);
	buf_printf(out,
		   "<wsdl:definitions name=\"%s\" targetNamespace=\"" NS_RPS_DEFAULT "\"\n"
		   "    xmlns:wsdl=\"" NS_WSDL "\" xmlns:soap12=\"" NS_WSDL_SOAP12 "\"\n"
		   "    xmlns:wsam=\"" NS_WSAM "\" xmlns:rps=\"" NS_RPS_DEFAULT "\">\n",
		   p.side->service);
	print_types(out, xsd_location);
	each(&p, false, print_messages);
	if (callbacks)
		each(&p, true, print_messages);
	print_port_type(&p, p.side->port_type, false);
	if (callbacks)
		print_port_type(&p, p.side->callback_port_type, true);
	print_binding(&p, p.side->port_type, false);
	if (callbacks)
		print_binding(&p, p.side->callback_port_type, true);
	print_service(&p, p.side->port_type, p.side->port, address);
	if (callbacks)
		print_service(&p, p.side->callback_port_type, p.side->callback_port, "https://caller.example/callback");
	buf_str(out, "</wsdl:definitions>\n");
	return true;
}
