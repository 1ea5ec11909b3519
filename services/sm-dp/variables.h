/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a profile one subscription's: an ICCID's numbers and secrets, all of the stock, put into its type's template. */
#ifndef SMDP_VARIABLES_H
#define SMDP_VARIABLES_H

#include "common/card/profile_personalise.h"
#include "common/crypto/cert.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/stock_store.h"

/* On the heap; everything in it is wiped when it is freed. */
struct stock_variables {
	struct profile_variables v; /* points into what follows, and into item and type */
	struct secret secrets[STOCK_USES];
	struct profile_code pins[STOCK_USES], puks[STOCK_USES];
	struct profile_key keys[STOCK_USES];
};
void stock_variables_freep(struct stock_variables **v); /* for CLEANUP; *v NULL is allowed */

/* All variables of an ICCID of the stock: nothing is drawn here, its secrets were drawn or came with its batch when it was imported. item and type
 * (of profile_type_load) must live as long as *out; the caller frees it. One round trip.
 * BUSY: the database; INTERNAL: a secret that does not open with this KEK, or a row of a newer program; *out untouched. */
result profile_variables_load(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
			      const struct profile_type *type, struct stock_variables **out);

/* The package of an ICCID: its type's template with its variables, DER, and the SHA-256 of it. The same item and type give the same bytes, so that
 * a download that was cut off can be made again. The caller frees *out_package (secret_free). One round trip.
 * BUSY, INTERNAL: as profile_variables_load; INTERNAL also when the template does not take them (its cause names element and field, never a
 * value): type add and stock import have checked that. Outputs are untouched then. */
result profile_make(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
		    const struct profile_type *type, struct secret *out_package, uint8_t out_digest[SHA256_LEN]);

#endif
