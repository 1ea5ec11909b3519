/* SPDX-License-Identifier: Apache-2.0 */
/* Private to soap: what stands before the parser, and the cast between our opaque node and libxml2's. */
#ifndef SOAP_DOC_INTERNAL_H
#define SOAP_DOC_INTERNAL_H

#include <libxml/tree.h>

#include "common/soap/doc.h"

/* A soap_node is libxml2's node under another name; nobody writes through it. */
static inline const xmlNode *xml_of(const struct soap_node *n)
{
	return (const xmlNode *)n;
}

static inline const struct soap_node *soap_of(const xmlNode *n)
{
	return (const struct soap_node *)n;
}

/* libxml2's prototypes lack const where it only reads. */
static inline xmlNode *xml_mutable(const struct soap_node *n)
{
	union {
		const struct soap_node *in;
		xmlNode *out;
	} u = { n };

	return u.out;
}

/* UTF-16 (by its mark or its first '<') becomes UTF-8 in a, all else stays: what follows sees one encoding.
 * False: broken UTF-16. */
bool scan_utf8(struct arena *a, struct bytes in, struct bytes *out);
/* Before the parser, whose check for double attributes is quadratic: no NUL, no markup with more than max quoted values.
 * NULL: fine; else the reason (static). */
const char *scan_refuse(struct bytes in, unsigned max);

#endif
