/* SPDX-License-Identifier: Apache-2.0 */
/* One table per message: the codec in both directions, the validator (decisions.md A8) and the source of XSD and WSDL. */
#ifndef MSG_BIND_H
#define MSG_BIND_H

#include "common/sgp02/call.h"
#include "common/sgp02/function.h"
#include "common/soap/doc.h"
#include "common/soap/writer.h"

enum bind_type {
	BIND_STRING,   /* const char *; facets: min, max = length in characters */
	BIND_PATTERN,  /* const char *; pattern row names one of the simple types with a checker (version, msisdn, imsi) */
	BIND_EID, BIND_ICCID, BIND_AID, BIND_OID, /* the structs of sgp02/ids.h */
	BIND_HEX,      /* struct bytes; facets: min, max = length in bytes */
	BIND_INT,      /* int64_t; facets: min, max = value */
	BIND_BOOL,     /* bool; 1/0/true/false */
	BIND_TIME,     /* int64_t microseconds since 1970 from xs:dateTime */
	BIND_ENUM,     /* int-sized enum; names of the values in `names` */
	BIND_GROUP,    /* a nested struct, rows in `sub` */
	BIND_OCTETS,   /* struct bytes: an element kept canonical and written raw (EumSignature; D3) */
};

enum bind_flag {
	BIND_OPTIONAL = 1 << 0, /* 0..1: the member is a pointer (NULL = absent), except strings (NULL) and BIND_HEX (data NULL) */
	BIND_MANY = 1 << 1,     /* the member is a pointer, followed by size_t count (see BIND_LIST); occurs min_occurs..max_occurs */
	BIND_ATTR = 1 << 2,     /* an attribute, not a child element */
	BIND_SECRET = 1 << 3,   /* cut in the journal */
	BIND_CHOICE = 1 << 4,   /* neighbouring rows with this flag may come mixed in any order (Key | Certificate) */
	BIND_SIGNED = 1 << 5,   /* a group whose canonical octets are kept beside it (EumSignedInfo) and written raw when present */
	BIND_FORCED = 1 << 6,   /* BIND_AID, BIND_HEX: the schema demands it of failures, too (wire.md 10). Length 0 is "nothing to say":
				 * written as the schema takes it (an AID as 0000000000), read from that, from empty and from absent */
};

struct bind_field {
	const char *name;       /* wire spelling: what is written */
	const char *alias;      /* further spellings accepted, space-separated; NULL: none */
	enum bind_type type;
	unsigned flags;
	size_t offset;          /* of the member */
	size_t count_offset;    /* BIND_MANY: of its size_t; BIND_SIGNED: of its struct bytes */
	size_t node_offset;     /* BIND_SIGNED: of a const void * that the decoder sets to the element's node; 0: none */
	size_t size;            /* of one item (groups, lists, optional pointers) */
	int64_t min, max;       /* facets */
	unsigned min_occurs, max_occurs; /* BIND_MANY; max 0 = unbounded */
	const char *xsd_type;   /* name of the simple type in the XSD ("EIDType", "xs:dateTime") */
	const char *const *names; /* BIND_ENUM: NULL-terminated */
	const struct bind_group *sub;
};

struct bind_group {
	const char *xsd_type;   /* named complex type ("EISType"), or NULL: anonymous */
	size_t size;            /* of the struct */
	const struct bind_field *fields; /* ends with name == NULL */
};

/* A global element. */
struct bind_message {
	const char *root;       /* "ES4-GetEISRequest" */
	enum bind_base { BASE_REQUEST, BASE_RESPONSE, BASE_NOTIFICATION } base; /* whose fields come first */
	const struct bind_group *group; /* all fields, base included; its struct starts with struct request_base or response_base */
};

/* Per-peer leniency (wire.md 10). */
struct bind_dialect {
	bool unqualified;       /* children without namespace are taken too */
};

/* Decodes the element node (a body root of the right name) into out (group->size bytes, zeroed here); everything it points to lives
 * in a. OK, or 1.6/2.2 / 1.6/2.1 whose message names the parameter and what was wrong ("Eid: wrong check digits"), the parameter's
 * name also as SubjectIdentifier. Unknown trailing children are ignored; unknown children before known ones are 1.6/2.1. ns: the
 * namespace that children must have. */
result bind_decode(struct arena *a, const struct bind_message *m, const struct soap_node *node, const char *ns,
		   const struct bind_dialect *dialect, void *out);

enum bind_mask { BIND_PLAIN, BIND_MASKED }; /* MASKED: SECRET values become empty or "*": for the journal */
/* Writes <rps:root>...</rps:root>. Octets are written raw. Never fails: what does not fit the table is our bug and asserts. */
void bind_encode(struct buf *out, const struct bind_message *m, const void *in, enum bind_mask mask);
/* Writes one group as element name (EIS building: the EumSignedInfo before it is signed, compact, declaring ns as prefix rps itself). */
void bind_encode_group(struct buf *out, const char *name, const char *ns, const struct bind_group *g, const void *in);

/* SHA-less canonical form of a decoded request for the idempotency digest (A1): all fields but ValidityPeriod and FunctionCallIdentifier,
 * unambiguous, independent of prefixes and white space. SECRET fields included (the caller only digests it). */
void bind_digest_input(struct buf *out, const struct bind_message *m, const void *in);
/* True when any row of m is SECRET. */
bool bind_has_secret(const struct bind_message *m);

#endif
