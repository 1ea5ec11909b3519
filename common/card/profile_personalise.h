/* SPDX-License-Identifier: Apache-2.0 */
/* A profile type's package and one subscription's variables -> that subscription's package. By structure: each variable has its fields, and what is
 * in none of them passes through byte for byte. */
#ifndef CARD_PROFILE_PERSONALISE_H
#define CARD_PROFILE_PERSONALISE_H

#include "common/base/secret.h"
#include "common/card/profile_package.h"

/* Digits as ASCII, F padding as FF, as in 3GPP TS 31.101: "1234" -> 31323334FFFFFFFF. */
struct profile_code {
	uint8_t reference; /* as in the package: pinAppl1 1, secondPINAppl1 129, adm1 10; pukAppl1 1, secondPUKAppl1 129 */
	uint8_t value[8];
};
/* Digits (4 to 8) to a code; false: other characters. */
bool profile_code_make(uint8_t reference, const char *digits, struct profile_code *out);

struct profile_key {
	uint8_t version, id;
	struct bytes value; /* 16, 24 or 32 bytes; of the length the type allows (AES 88 all, DES 80 16 and 24, PSK 85 16 to 64) */
};

/* What is not set stays as it is in the template. The caller wipes what it points to. */
struct profile_variables {
	const struct iccid *iccid; /* header and EF.ICCID */
	const char *imsi;          /* 6 to 15 digits: EF.IMSI of the USIM */
	struct bytes ki,
		opc; /* every akaParameter with keys of its own; lengths as its algorithm wants (Milenage, test 16; TUAK 16 or 32, TOPc 32) */
	const struct profile_code *pins, *puks; /* every element that has this reference */
	size_t n_pins, n_puks;
	const struct profile_key *sd_keys; /* of the first securityDomain: the MNO-SD */
	size_t n_sd_keys;
	bool has_pol1;
	uint8_t pol1;              /* header: 1 disable forbidden, 2 delete forbidden, 4 delete when disabled */
	struct bytes connectivity; /* header: contents of connectivityParameters (A0 SMS, A1 CAT_TP, A2 HTTPS) */
};

/* *out (free with secret_free) is the DER. A variable that finds no field (a PIN reference, key or USIM the template does not have), a value of the wrong length, more than
 * one USIM: false with *out_fault naming the element; *out untouched. The outcome passed profile_package_check. p: from profile_package_parse. */
bool profile_personalise(const struct profile_package *p, const struct profile_variables *v, struct secret *out,
			 struct profile_fault *out_fault);

#endif
