/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/schema.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlschemas.h>

const char *source_path(struct arena *a, const char *relative)
{
	const char *root = getenv("RSP_SOURCE_ROOT");

	return arena_printf(a, "%s/%s", root ? root : ".", relative);
}

static void on_error(void *ctx, xmlErrorPtr error)
{
	buf_str(ctx, error->message ? error->message : "?");
}

static xmlNodePtr child_named(xmlNodePtr n, const char *name)
{
	for (xmlNodePtr c = n ? n->children : NULL; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && (!name || !strcmp((const char *)c->name, name)))
			return c;
	return NULL;
}

static xmlSchemaPtr load(struct buf *why)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	xmlSchemaParserCtxtPtr parser = xmlSchemaNewParserCtxt(source_path(a, "proto/xsd/rps3.xsd"));
	xmlSchemaPtr schema;

	xmlSchemaSetParserStructuredErrors(parser, on_error, why);
	schema = xmlSchemaParse(parser);
	xmlSchemaFreeParserCtxt(parser);
	return schema;
}

bool schema_valid(const char *message, size_t n, struct buf *why)
{
	xmlDocPtr doc = xmlReadMemory(message, (int)n, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
	xmlNodePtr root = doc ? xmlDocGetRootElement(doc) : NULL, body = child_named(child_named(root, "Body"), NULL);
	xmlSchemaPtr schema = load(why);
	xmlSchemaValidCtxtPtr ctxt = schema ? xmlSchemaNewValidCtxt(schema) : NULL;
	bool valid = false;

	if (ctxt && body) {
		xmlSchemaSetValidStructuredErrors(ctxt, on_error, why);
		valid = xmlSchemaValidateOneElement(ctxt, body) == 0;
	}
	if (!body)
		buf_str(why, "no Body");
	xmlSchemaFreeValidCtxt(ctxt);
	xmlSchemaFree(schema);
	xmlFreeDoc(doc);
	return valid;
}
