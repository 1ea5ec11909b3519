/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator agreed with us about a kind of profile: the template, and what becomes of it on a card. */
#ifndef SMDP_PROFILE_TYPE_H
#define SMDP_PROFILE_TYPE_H

#include "common/sgp02/eis.h"
#include "common/store/store.h"

/* Of an ISD-P's keys after its download. Numbers stand in rows. */
enum type_keys { TYPE_KEYS_RETAIN, TYPE_KEYS_HAND_OVER, TYPE_KEYS_DELETE, TYPE_KEYS };
const char *type_keys_name(enum type_keys k); /* "retain", "hand-over", "delete" */

/* Numbers of its ICCID that ProfileDownloadCompleted tells the SM-SR; bits. */
enum type_address { ADDRESS_NONE = 0, ADDRESS_IMSI = 1, ADDRESS_MSISDN = 2, ADDRESS_BOTH = 3 };
const char *type_address_name(unsigned address); /* "none", "imsi", "msisdn", "both" */

enum { TYPE_NAME_MAX = 64, TYPE_RULES_MAX = 8, TYPE_PACKAGE_MAX = 1024 * 1024 };

struct profile_type {
	struct oid mno;
	const char *name;
	struct bytes package; /* DER */
	enum type_keys keys;
	int64_t memory;   /* bytes: RequiredMemory of ES3.CreateISDP */
	const char *pol2; /* rules with blanks between */
	unsigned address;
	const char *variables; /* type_variables_parse; NULL: "" */
};

/* False: out is untouched. */
bool type_keys_parse(const char *name, enum type_keys *out);
bool type_address_parse(const char *name, unsigned *out);
/* The rules of a type; false: text holds one that is none, one twice, or more than TYPE_RULES_MAX. */
bool type_pol2_parse(struct arena *a, const char *text, struct pol2 *out);
/* A name that types, batches and files share: 1 to 64 of A-Z a-z 0-9 . _ - */
bool type_name_ok(const char *name);
/* Everything but the operator. False: *out_why, in a, names the member and what it should be. The package is read to its last
 * field and personalised once, with values that are nobody's: what a download would meet is said here. */
bool profile_type_check(struct arena *a, const struct profile_type *t, const char **out_why);

/* profile_type_store.c */
/* In a transaction of its own. SAME: it was there with the same content; OTHER: with other content, nothing changed. */
enum type_added { TYPE_ADDED, TYPE_SAME, TYPE_OTHER };
result profile_type_add(struct db *db, struct arena *a, const struct profile_type *t, enum type_added *out);
/* *out NULL: there is none. One round trip. */
result profile_type_load(struct db *db, struct arena *a, const struct oid *mno, const char *name, struct profile_type **out);
/* From the row of SMDP_TYPE_GET, for loads that queue it themselves. INTERNAL: it is of a newer program. */
result profile_type_from(struct arena *a, const struct rows *r, const struct oid *mno, const char *name, struct profile_type **out);

#endif
