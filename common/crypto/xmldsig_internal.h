/* SPDX-License-Identifier: Apache-2.0 */
/* libxml between the two halves of xmldsig.h. */
#ifndef CRYPTO_XMLDSIG_INTERNAL_H
#define CRYPTO_XMLDSIG_INTERNAL_H

#include <libxml/tree.h>
#include <libxml/xmlerror.h>
#include <string.h>

#include "common/crypto/xmldsig.h"

#define DS_NS "http://www.w3.org/2000/09/xmldsig#"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define INC_C14N "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define ECDSA_SHA256 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
#define SHA256_URI "http://www.w3.org/2001/04/xmlenc#sha256"

/* libxml's handler is per thread and others use it too: taken for the length of a call, then given back. */
struct xml_handler {
	xmlStructuredErrorFunc fn;
	void *user;
};
struct xml_handler xmldsig_quiet_begin(void);
void xmldsig_quiet_end(const struct xml_handler *old);
#define QUIET_SCOPE CLEANUP(xmldsig_quiet_end) const struct xml_handler quiet_ __attribute__((unused)) = xmldsig_quiet_begin()

/* NULL: not XML, too large, or with a document type. */
xmlDoc *xmldsig_parse(struct bytes xml);

static inline void doc_freep(xmlDoc **p)
{
	xmlFreeDoc(*p);
}

static inline bool named(const xmlNode *n, const char *name)
{
	return n && n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

#endif
