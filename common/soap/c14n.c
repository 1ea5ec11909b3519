/* SPDX-License-Identifier: Apache-2.0 */
#include <libxml/c14n.h>

#include "common/soap/doc_internal.h"

/* libxml2 asks for each node whether it belongs to the set; namespaces and attributes are asked with their element as parent. */
static int in_subtree(void *root, xmlNodePtr node, xmlNodePtr parent)
{
	const xmlNode *n = node->type == XML_NAMESPACE_DECL || node->type == XML_ATTRIBUTE_NODE ? parent : node;

	for (; n; n = n->parent)
		if (n == root)
			return 1;
	return 0;
}

static struct bytes dump(struct arena *a, xmlDocPtr doc, xmlNode *root, int mode)
{
	xmlOutputBufferPtr out = xmlAllocOutputBuffer(NULL);
	struct bytes octets = { 0 };

	if (!out)
		return octets;
	if (xmlC14NExecute(doc, root ? in_subtree : NULL, root, mode, NULL, 0, out) >= 0 && xmlOutputBufferFlush(out) >= 0) {
		size_t n = xmlOutputBufferGetSize(out);

		octets = (struct bytes){ arena_memdup(a, xmlOutputBufferGetContent(out), n), n };
	}
	(void)xmlOutputBufferClose(out);
	return octets;
}

/* A copy takes the declarations that it uses from its old place. */
static xmlDocPtr detached(xmlNode *n)
{
	xmlDocPtr doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNode *copy = doc ? xmlDocCopyNode(n, doc, 1) : NULL;

	if (doc && !copy) {
		xmlFreeDoc(doc);
		return NULL;
	}
	if (doc)
		xmlDocSetRootElement(doc, copy);
	return doc;
}

struct bytes soap_canonical(struct arena *a, const struct soap_node *n, enum soap_c14n mode)
{
	xmlNode *root = xml_mutable(n);
	struct bytes octets = { 0 };
	xmlDocPtr doc;

	switch (mode) {
	case C14N_INCLUSIVE:
		return dump(a, root->doc, root, XML_C14N_1_0);
	case C14N_EXCLUSIVE:
	case C14N_INCLUSIVE_DETACHED:
		/* Exclusive octets do not depend on the place, and a small document is walked faster than a large one. */
		doc = detached(root);
		if (!doc)
			return octets;
		octets = dump(a, doc, NULL, mode == C14N_EXCLUSIVE ? XML_C14N_EXCLUSIVE_1_0 : XML_C14N_1_0);
		xmlFreeDoc(doc);
		return octets;
	}
	return octets;
}
