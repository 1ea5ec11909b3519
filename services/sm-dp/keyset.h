/* SPDX-License-Identifier: Apache-2.0 */
/* The SCP03 keys of ISD-Ps that their downloads left, by the option of their profile types, and how they go to the operator (procedures.md 3.3 C). */
#ifndef SMDP_KEYSET_H
#define SMDP_KEYSET_H

#include "common/base/random.h"
#include "common/card/card_keys.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/smdp.h"

enum { KEYSET_KEYS = 3 * AES_KEY, KEYSET_EXPORT_MAX = 100000, KEYSET_BY_MAX = 64 };

/* What binds wrapped keys to their place: they are ENC | MAC | DEK, KEYSET_KEYS bytes. */
const char *keyset_aad(struct arena *a, const char *eid, const struct aid *isdp, unsigned kvn);

/* The AID of an ISD-P, from a column of a row. False: it is none. */
bool keyset_isdp(struct bytes column, struct aid *out);

struct keyset_order {
	struct oid mno;
	const char *type; /* NULL: all */
	bool all;         /* those that the type has retained, too */
	const char *by;
};
enum keyset_end { KEYSET_DONE, KEYSET_NO_KEY /* no transport key of that operator */, KEYSET_NONE, KEYSET_TOO_MANY };
struct keyset_exported {
	enum keyset_end end;
	char id[UUID_TEXT];
	size_t keysets;
};
/* In a transaction of its own, which is committed before anybody sees out: CSV, EID,ICCID,ISD-P,KVN and of key identifiers 01 (ENC), 02 (MAC), 03
 * (DEK) the key, wrapped by RFC 3394 under the operator's transport key, and its KCV; ordered by EID and ISD-P. The keys stay here until
 * keyset_confirm. Anything but KEYSET_DONE: nothing changed. INTERNAL: a row cannot be read with this KEK. */
result keyset_export(const struct smdp *smdp, struct db *db, struct arena *a, const struct keyset_order *order, struct buf *out,
		     struct keyset_exported *done);

struct keyset_confirmed {
	bool repeated; /* it was before: as it was then */
	int64_t keysets, wiped;
};
/* The operator has the keys of an export: of those that are to be handed over nothing is kept. In a transaction of its own. *out_known false: there
 * is no such export. */
result keyset_confirm(struct db *db, struct arena *a, const char *id, const char *by, bool *out_known,
		      struct keyset_confirmed *out);

/* keyset_admin.c */
void keyset_list(struct app *app, struct http_call *call);
void keyset_exports(struct app *app, struct http_call *call);
void keyset_export_route(struct app *app, struct http_call *call);
void keyset_confirm_route(struct app *app, struct http_call *call);

#endif
