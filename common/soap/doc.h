/* SPDX-License-Identifier: Apache-2.0 */
/* Hardened XML input: no DTD, no entities, no PI, no network, bounded depth, nodes and attributes (design.md 8, recipes.md 2). */
#ifndef SOAP_DOC_H
#define SOAP_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/arena.h"
#include "common/base/buf.h"

struct soap_doc;  /* owns the parsed document */
struct soap_node; /* an element of a document; valid as long as its document */

struct soap_limits {
	unsigned depth, nodes, attributes; /* attributes: per element */
};
extern const struct soap_limits SOAP_LIMITS; /* depth 32, nodes 20,000, attributes 32 */

/* Parses n bytes. NULL: refused; then *out_reason is a sentence for a Fault ("a DTD is not allowed", "more than 32 levels of elements",
 * "not well-formed XML at line 3: ..."), living in a. Never prints. */
struct soap_doc *soap_doc_parse(struct arena *a, const void *data, size_t n, const struct soap_limits *limits, const char **out_reason);
void soap_doc_free(struct soap_doc *d); /* NULL allowed */
void soap_doc_freep(struct soap_doc **d);
const struct soap_node *soap_doc_root(const struct soap_doc *d);

const char *soap_name(const struct soap_node *n);      /* local name */
const char *soap_namespace(const struct soap_node *n); /* "" when none */
const struct soap_node *soap_first(const struct soap_node *n); /* first child element; NULL: none */
const struct soap_node *soap_next(const struct soap_node *n);  /* next sibling element; NULL: last */
/* Text of an element without child elements, surrounding XML white space dropped; NULL when it has child elements. In a. */
const char *soap_text(struct arena *a, const struct soap_node *n);
/* As soap_text, white space kept. */
const char *soap_text_raw(struct arena *a, const struct soap_node *n);
/* Value of an attribute without namespace; NULL: absent. */
const char *soap_attribute(struct arena *a, const struct soap_node *n, const char *name);
/* Value of a namespaced attribute; NULL: absent. */
const char *soap_attribute_ns(struct arena *a, const struct soap_node *n, const char *ns, const char *name);

enum soap_c14n {
	C14N_EXCLUSIVE,         /* the element, exclusive */
	C14N_INCLUSIVE,         /* the element in its place: inherits the namespace declarations above it */
	C14N_INCLUSIVE_DETACHED /* the element as root of its own document */
};
/* Canonical octets of an element without comments (decisions.md D3); empty on failure. In a. */
struct bytes soap_canonical(struct arena *a, const struct soap_node *n, enum soap_c14n mode);

#endif
