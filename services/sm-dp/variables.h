/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a profile one subscription's: an ICCID's numbers and secrets, all of the stock, put into its type's template. */
#ifndef SMDP_VARIABLES_H
#define SMDP_VARIABLES_H

#include "common/card/profile_personalise.h"
#include "common/crypto/cert.h"
#include "services/sm-dp/profile_type.h"
#include "services/sm-dp/stock_store.h"
#include "services/sm-dp/stock_value.h"
#include "services/sm-dp/type_variables.h"

/* On the heap; everything in it is wiped when it is freed. */
struct stock_variables {
	struct profile_variables v; /* points into what follows, and into item and type */
	struct secret secrets[STOCK_USES];
	struct profile_code pins[STOCK_USES], puks[STOCK_USES];
	struct profile_key keys[STOCK_USES];
};
struct stock_variables *stock_variables_new(void);
void stock_variables_freep(struct stock_variables **v); /* for CLEANUP; *v NULL is allowed */

/* The package of an ICCID: its type's template with its variables, DER, and the SHA-256 of it. The same item and type give the same
 * bytes, so that a download that was cut off can be made again: its secrets were drawn, or came with its batch, when it was imported.
 * The caller frees *out_package (secret_free). One round trip.
 * BUSY: the database; INTERNAL: a secret that does not open with this KEK, a row of a newer program, and when the template does not
 * take them (its cause names element and field, never a value): type add and stock import have checked that. Outputs are untouched
 * then. */
result profile_make(struct db *db, struct arena *a, const struct secret *kek, const struct stock_item *item,
		    const struct profile_type *type, struct secret *out_package, uint8_t out_digest[SHA256_LEN]);

/* type_template.c */
/* The versions of the MNO-SD's key sets that variables fill; 0: it has none. SCP80 has 01 to 0F (ETSI TS 102 225), SCP03 30 to 3F (GlobalPlatform
 * Amendment D); of several the lowest. False: *out_fault. */
struct sd_versions {
	uint8_t scp80, scp03;
};
bool sd_versions_find(struct arena *a, const struct profile_package *p, struct sd_versions *out, struct profile_fault *out_fault);
/* Has secrets[use], which is well, go to its place of the package. False: *out_fault, there is no such key set. */
bool stock_variables_put(struct stock_variables *v, enum stock_use use, const struct sd_versions *sd,
			 struct profile_fault *out_fault);

/* Does the template take a secret for this use? Tried by personalising it, so that it is true of the download, too. False: *out_fault. */
bool type_place_of(struct arena *a, const struct profile_package *p, enum stock_use use, struct profile_fault *out_fault);
/* The template is whole, takes numbers and keys of a subscription (ICCID, IMSI, Ki, OPc) and all that does not stay as it has it. False:
 * *out_why, in a, names element, field and what. */
bool type_template_check(struct arena *a, struct bytes package, const struct type_variables *v, const char **out_why);

#endif
