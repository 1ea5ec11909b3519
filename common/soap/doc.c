/* SPDX-License-Identifier: Apache-2.0 */
#include "common/soap/doc.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "common/soap/doc_internal.h"

const struct soap_limits SOAP_LIMITS = { .depth = 32, .nodes = 20000, .attributes = 32 };

/* What the hooks count; hangs on the parser context. */
struct guard {
	const struct soap_limits *limits;
	unsigned depth, nodes;
	const char *reason; /* static format, one %u for limit at most */
	unsigned limit;
};

/* libxml2's global tables are made once, before any thread can parse. */
__attribute__((constructor)) static void libxml_start(void)
{
	xmlInitParser();
}

static void stop(xmlParserCtxtPtr ctxt, const char *reason, unsigned limit)
{
	struct guard *g = ctxt->_private;

	if (!g->reason) {
		g->reason = reason;
		g->limit = limit;
	}
	xmlStopParser(ctxt);
}

static void on_subset(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	stop(ctx, "a DTD is not allowed", 0);
}

static void on_pi(void *ctx, const xmlChar *target, const xmlChar *data)
{
	stop(ctx, "a processing instruction is not allowed", 0);
}

static void on_reference(void *ctx, const xmlChar *name)
{
	stop(ctx, "an entity reference is not allowed", 0);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
		     const xmlChar **namespaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	xmlParserCtxtPtr ctxt = ctx;
	struct guard *g = ctxt->_private;
	const struct soap_limits *l = g->limits;

	if (g->reason)
		return; /* stopped already */
	if (++g->depth > l->depth) {
		stop(ctxt, "more than %u levels of elements", l->depth);
		return;
	}
	if (++g->nodes > l->nodes) {
		stop(ctxt, "more than %u elements", l->nodes);
		return;
	}
	if ((unsigned)n_attributes > l->attributes || (unsigned)n_namespaces > l->attributes) {
		stop(ctxt, "more than %u attributes in one element", l->attributes);
		return;
	}
	xmlSAX2StartElementNs(ctx, name, prefix, uri, n_namespaces, namespaces, n_attributes, n_defaulted, attributes);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	xmlParserCtxtPtr ctxt = ctx;
	struct guard *g = ctxt->_private;

	if (g->reason)
		return;
	g->depth--;
	xmlSAX2EndElementNs(ctx, name, prefix, uri);
}

static void hook(xmlParserCtxtPtr ctxt, struct guard *g)
{
	ctxt->_private = g;
	ctxt->sax->internalSubset = on_subset;
	ctxt->sax->externalSubset = on_subset;
	ctxt->sax->processingInstruction = on_pi;
	ctxt->sax->reference = on_reference;
	ctxt->sax->startElementNs = on_start;
	ctxt->sax->endElementNs = on_end;
	ctxt->sax->comment = NULL; /* nobody reads them, canonical forms leave them out */
}

/* The parser's own words, without its line end and without bytes that a log or a Fault could not carry. */
static const char *not_well_formed(struct arena *a, xmlParserCtxtPtr ctxt)
{
	const xmlError *e = xmlCtxtGetLastError(ctxt);
	char *text;

	if (!e || !e->message)
		return "not well-formed XML";
	text = arena_printf(a, "not well-formed XML at line %d: %s", e->line, e->message);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7F)
			*p = p[1] ? '?' : '\0';
	return text;
}

static const char *guard_reason(struct arena *a, const struct guard *g)
{
	char *text = arena_strdup(a, g->reason), *at = strstr(text, "%u");

	return at ? arena_printf(a, "%.*s%u%s", (int)(at - text), text, g->limit, at + 2) : text;
}

static const char *precheck(struct arena *a, struct bytes in, const struct soap_limits *limits, struct bytes *out)
{
	if (in.len == 0)
		return "the message is empty";
	if (in.len > INT32_MAX)
		return "the message is too large";
	if (!scan_utf8(a, in, out))
		return "not well-formed XML: broken UTF-16";
	/* An element may have that many attributes and as many namespace declarations. */
	return scan_refuse(*out, 2 * limits->attributes);
}

struct soap_doc *soap_doc_parse(struct arena *a, const void *data, size_t n, const struct soap_limits *limits,
				const char **out_reason)
{
	struct guard g = { .limits = limits };
	struct bytes text = { 0 };
	const char *reason = precheck(a, (struct bytes){ data, n }, limits, &text);
	xmlParserCtxtPtr ctxt;
	xmlDocPtr doc;

	if (reason) {
		*out_reason = reason;
		return NULL;
	}
	ctxt = xmlNewParserCtxt();
	if (!ctxt)
		abort();
	hook(ctxt, &g);
	/* The encoding is decided by scan_utf8: a declaration cannot turn the bytes that were scanned into others. */
	doc = xmlCtxtReadMemory(ctxt, (const char *)text.data, (int)text.len, NULL, "UTF-8",
				XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	if (g.reason || !doc || !ctxt->wellFormed || !ctxt->nsWellFormed) {
		*out_reason = g.reason ? guard_reason(a, &g) : not_well_formed(a, ctxt);
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctxt);
	return (struct soap_doc *)doc;
}

void soap_doc_free(struct soap_doc *d)
{
	xmlFreeDoc((xmlDocPtr)d);
}

void soap_doc_freep(struct soap_doc **d)
{
	soap_doc_free(*d);
	*d = NULL;
}

static const xmlNode *element_from(const xmlNode *n)
{
	while (n && n->type != XML_ELEMENT_NODE)
		n = n->next;
	return n;
}

const struct soap_node *soap_doc_root(const struct soap_doc *d)
{
	return soap_of(element_from(((const xmlDoc *)d)->children));
}

const char *soap_name(const struct soap_node *n)
{
	return (const char *)xml_of(n)->name;
}

const char *soap_namespace(const struct soap_node *n)
{
	const xmlNs *ns = xml_of(n)->ns;

	return ns && ns->href ? (const char *)ns->href : "";
}

const struct soap_node *soap_first(const struct soap_node *n)
{
	return soap_of(element_from(xml_of(n)->children));
}

const struct soap_node *soap_next(const struct soap_node *n)
{
	return soap_of(element_from(xml_of(n)->next));
}

/* Takes over libxml2's string. */
static char *adopt(struct arena *a, xmlChar *text)
{
	char *copy = arena_strdup(a, text ? (const char *)text : "");

	xmlFree(text);
	return copy;
}

const char *soap_text_raw(struct arena *a, const struct soap_node *n)
{
	const xmlNode *child = xml_of(n)->children;

	if (soap_first(n))
		return NULL;
	if (child && !child->next && child->type == XML_TEXT_NODE && child->content)
		return arena_strdup(a, (const char *)child->content); /* nearly always: spares a buffer */
	return adopt(a, xmlNodeGetContent(xml_of(n)));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *soap_text(struct arena *a, const struct soap_node *n)
{
	const char *raw = soap_text_raw(a, n);
	size_t len;

	if (!raw)
		return NULL;
	while (is_space(*raw))
		raw++;
	len = strlen(raw);
	if (len == 0 || !is_space(raw[len - 1]))
		return raw;
	while (len > 0 && is_space(raw[len - 1]))
		len--;
	return arena_strndup(a, raw, len);
}

const char *soap_attribute(struct arena *a, const struct soap_node *n, const char *name)
{
	xmlChar *text = xmlGetNoNsProp(xml_of(n), (const xmlChar *)name);

	return text ? adopt(a, text) : NULL;
}

const char *soap_attribute_ns(struct arena *a, const struct soap_node *n, const char *ns, const char *name)
{
	xmlChar *text = xmlGetNsProp(xml_of(n), (const xmlChar *)name, (const xmlChar *)ns);

	return text ? adopt(a, text) : NULL;
}
