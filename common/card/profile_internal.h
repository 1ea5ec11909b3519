/* SPDX-License-Identifier: Apache-2.0 */
/* How profile elements are described: one table per type, walked by the checks, the decoders, the rewriter and the printer alike. */
#ifndef CARD_PROFILE_INTERNAL_H
#define CARD_PROFILE_INTERNAL_H

#include "common/card/profile_package.h"
#include "common/card/tlv_internal.h"

enum pe_type {
	ASN_OCTETS, /* min, max = bytes */
	ASN_NUMBER, /* min, max = value */
	ASN_NULL,
	ASN_OID,
	ASN_TEXT,     /* UTF-8; min, max = bytes */
	ASN_SEQUENCE, /* the rows of sub in their order */
	ASN_LIST,     /* SEQUENCE OF the one row of sub; min, max = how many */
	ASN_CHOICE,   /* one of the rows of sub */
	ASN_CHOICES,  /* SEQUENCE OF CHOICE: any rows of sub, each as often as it likes */
	ASN_FILES,    /* of a template element: header, templateID, then files by their numbers */
};
enum pe_field_flag { FIELD_OPTIONAL = 1 << 0, FIELD_SECRET = 1 << 1 };

struct pe_field {
	const char *name; /* as in the specification; NULL ends a table */
	uint32_t tag;
	enum pe_type type;
	unsigned flags;
	size_t min, max; /* max 0: no limit */
	const struct pe_field *sub;
	const char *const *files; /* ASN_FILES: names from tag number 2; a leading * says that it must be there; NULL ends */
};

/* The description of a kind's contents; PE_UNKNOWN has none: NULL. */
const struct pe_field *pe_describe(enum pe_kind kind);
extern const struct pe_field PE_FILE_FIELDS[]; /* the row of one file: CHOICES */
/* The row of file number i of a template element: false: no such number. */
bool pe_file_field(const struct pe_field *element, uint32_t tag, struct pe_field *out);

/* Sees every TLV: f is its row, NULL when the specification we know has none there. Primitive values once; constructed ones with leaving false
 * before and true behind their contents. */
typedef void (*pe_visitor)(void *data, const struct pe_field *f, const struct tlv *t, unsigned depth, bool leaving);
/* Checks the value of a row, and calls visit (may be NULL) on the way. False: out_fault's field and what. */
bool pe_walk(const struct pe_field *f, struct bytes value, pe_visitor visit, void *data, struct profile_fault *out_fault);

/* tlv_next, and DER: the shortest length, tags below 31 in one byte. NULL: taken; else what is wrong (static). */
const char *der_next(struct bytes *rest, struct tlv *out);
/* A non-negative DER INTEGER of up to 8 bytes. */
bool der_number(struct bytes in, uint64_t *out);
/* Appends a non-negative INTEGER with its sign bit kept clear. */
void der_add_number(struct buf *out, uint32_t tag, uint64_t value);

/* profile_ids.c: files that are created have identifiers that are not reserved and that no other file of their directory has. Of a package whose
 * elements passed their own checks. False: *out_fault. */
bool pe_file_ids_ok(struct arena *a, const struct profile_package *p, struct profile_fault *out_fault);

/* Fills *out_fault and returns false. */
bool pe_refuse(struct profile_fault *out_fault, const struct profile_element *e, const char *field, const char *what,
	       unsigned status);

#endif
