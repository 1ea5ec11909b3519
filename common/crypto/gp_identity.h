/* SPDX-License-Identifier: Apache-2.0 */
/* What an SM-DP or an SM-SR proves to cards who it is with: its key and its certificate of the CI (procedures.md 1.7), read once at the start
 * of a process; a fault is one sentence: which file, what is wrong, how to mend it. */
#ifndef CRYPTO_GP_IDENTITY_H
#define CRYPTO_GP_IDENTITY_H

#include "common/crypto/ec.h"
#include "common/crypto/key_file.h"

struct gp_identity {
	struct ec_key *key;              /* SK.DP.ECDSA, SK.SR.ECDSA */
	struct bytes certificate;        /* CERT.DP.ECDSA, CERT.SR.ECDSA: the 7F21 TLV as it goes to cards */
	struct bytes ci_pem, ci_crl_pem; /* EUM certificates chain to it */
	uint8_t ci_point[P256_POINT];    /* PK.CI.ECDSA */
};
struct gp_identity_files {
	const char *prefix; /* of the configuration keys, for faults: "RSP_SMDP_" */
	uint8_t role;       /* GP_ROLE_SM_DP, GP_ROLE_SM_SR */
	const char *sign_key, *sign_cert, *ci_ca;
	const char *ci_crl; /* "": none */
};
/* Every card would refuse what is refused here: another role's certificate, of another key, of another CI, or expired at now_us. 0, or -1 with
 * error filled; what was opened by then is closed by gp_identity_close. Bytes live in a. */
int gp_identity_open(const struct gp_identity_files *files, struct arena *a, int64_t now_us, struct gp_identity *out,
		     char error[KEY_FILE_ERROR]);
/* Wipes the key; a zeroed struct is allowed. */
void gp_identity_close(struct gp_identity *id);

/* The day of an instant in microseconds since 1970 as certificates for cards say it: YYYYMMDD, which sorts as days do. */
enum { GP_DATE = 8 };
void gp_date(int64_t wall_us, char out[GP_DATE + 1]);

#endif
