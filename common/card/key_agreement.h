/* SPDX-License-Identifier: Apache-2.0 */
/* Key establishment by ECKA-EG, scenario 3: ES8.EstablishISDPKeySet and ES5.establishISDRKeySet (SGP.02 4.1.3.1, 4.1.1.8;
 * GlobalPlatform Amendment E; card.md 3, procedures.md 4.5). Everything both sides must agree on to the byte is here once: the
 * control reference template A6, what is signed, the shared info, the receipt. Who is who: the SM-DP or the new SM-SR makes a
 * ka_host; an old SM-SR only builds and reads APDUs; the card agrees. */
#ifndef CARD_KEY_AGREEMENT_H
#define CARD_KEY_AGREEMENT_H

#include "common/card/apdu.h"
#include "common/card/card_keys.h"
#include "common/crypto/ec.h"

enum { KA_RECEIPT = 16, KA_DR = 16, KA_CHALLENGE_MIN = 16, KA_CHALLENGE_MAX = 32, KA_NAME_MAX = 32, KA_COUNTER_MAX = 8 };

/* The second byte of 90. */
enum {
	KA_DELETE_KEYS = 0x01, /* existing keys go; means nothing for the ISD-R, whose card must ignore it (procedures.md 4.5) */
	KA_WITH_DR = 0x02,     /* the card adds 16 random bytes to the shared info and says them */
	KA_WITH_HOST_ID = 0x04,
	KA_CERTIFIED = 0x08, /* the certificate was verified before */
};
enum { KA_THREE_KEYS = 0x10, KA_BASE_KEY = 0x5C }; /* 95 */

/* A host id, SIN or SDIN; len 0: none. */
struct ka_name {
	uint8_t data[KA_NAME_MAX];
	uint8_t len;
};
/* What a card is called: 42 and 45 of the security domain (Sin, Sdin of the EIS). Needed with KA_WITH_HOST_ID only. */
struct ka_identity {
	struct ka_name sin, sdin;
};

/* A6. Plain values. */
struct ka_template {
	uint8_t scenario;          /* KA_ bits */
	uint8_t usage;             /* KA_THREE_KEYS, KA_BASE_KEY */
	uint8_t key_type, key_len; /* 88, 10 */
	uint8_t key_id, kvn;
	uint8_t counter[KA_COUNTER_MAX]; /* initial counter, n_counter bytes: 0, 2, 3, 5 or 8 */
	uint8_t n_counter;
	bool has_access; /* 96 */
	uint8_t access;
	struct ka_name sdin, host_id; /* 45, 84: only with KA_WITH_HOST_ID; the host id is then mandatory */
};
/* The recorded session's (card.md 3): 09, three AES keys from key id 01. */
struct ka_template ka_template_isdp(uint8_t kvn);
/* For a further key set of the ISD-R: 08, since nothing may be deleted before the handover is final (procedures.md 4.5). */
struct ka_template ka_template_isdr(uint8_t kvn);
/* Initial counter of SCP80 keys, as the InitialSequenceCounter of ES7 says it: 5 bytes; 0: none is said [GUESS: the sheets show the
 * empty form and that 5 bytes exist]. Old and new SM-SR must write the same bytes, so both use this. False: negative, or above 5
 * bytes. */
bool ka_template_set_counter(struct ka_template *t, int64_t counter);
/* False: longer than KA_NAME_MAX. */
bool ka_name_set(struct ka_name *out, struct bytes v);
/* What a card and we support: AES-128, known usage, lengths, kvn 01..7F, and what the scenario bits ask for is there. */
bool ka_template_ok(const struct ka_template *t);
/* Appends the whole A6 TLV. The template must be ok. */
void ka_template_build(struct buf *out, const struct ka_template *t);

/* How 7F49 holds the point: the two known servers differ (procedures.md 4.5). We emit KA_POINT_FORM; both are read. */
enum ka_point_form { KA_POINT_BARE, KA_POINT_WRAPPED /* B0 point, F0 00 */ };
#define KA_POINT_FORM KA_POINT_BARE /* the recorded session's */

/* The second STORE DATA. */
struct ka_request {
	struct ka_template template;
	enum ka_point_form form;
	uint8_t point[P256_POINT];         /* ePK */
	uint8_t signature[P256_SIGNATURE]; /* r|s */
};
struct ka_answer {
	uint8_t receipt[KA_RECEIPT];
	bool has_dr;
	uint8_t dr[KA_DR];
};

enum ka_verdict {
	KA_GOOD,
	KA_MALFORMED,       /* cannot be read, or a length is wrong */
	KA_BAD_CERTIFICATE, /* not signed by the CI */
	KA_WRONG_ROLE,      /* the certificate is not of an SM-DP (SM-SR) */
	KA_WRONG_USAGE,     /* its key is not for verifying signatures */
	KA_BAD_SIGNATURE,
	KA_BAD_POINT, /* not a point of P-256 */
	KA_BAD_RECEIPT,
	KA_UNSUPPORTED, /* the template, or a host id without an identity */
	KA_WRONG_DR,    /* one that was not asked for, or none */
};
const char *ka_verdict_text(enum ka_verdict v);

/* ---- APDUs (C-APDUs without tag 22; data of answers without SW) ---- */

/* 80 E6 20 00, INSTALL [for personalization]. */
void ka_install_build(struct buf *out, const struct aid *isdp);
/* 80 E2 09 00, DGI 3A01. cert: the 7F21 TLV. False: empty, or it does not fit an APDU of 255 bytes. */
bool ka_certificate_build(struct buf *out, struct bytes cert);
/* 80 E2 89 01, DGI 3A02. False: the template is not ok. */
bool ka_request_build(struct buf *out, const struct ka_request *r);
/* Does its signature hold over what ka_request_build writes, and RC? False as well: the template is not ok, or RC is not 16 or 32 bytes. */
bool ka_request_verify(const struct ka_request *r, struct bytes rc, const uint8_t signer_point[P256_POINT]);
/* 85 10|20 RC. */
void ka_challenge_build(struct buf *out, struct bytes rc);
bool ka_challenge_parse(struct bytes data, struct bytes *out_rc);
/* [85 10 DR] 86 10 receipt; read in either order. False: anything else. */
void ka_answer_build(struct buf *out, const struct ka_answer *a);
bool ka_answer_parse(struct bytes data, struct ka_answer *out);

/* Which of the three an APDU claims to be, by header and DGI, and nothing about whether it is well made: for who relays
 * (decisions.md C4). */
enum ka_step { KA_STEP_NONE, KA_STEP_INSTALL, KA_STEP_CERTIFICATE, KA_STEP_REQUEST };
enum ka_step ka_step_of(const struct apdu *c);
/* Strict readers. SW_OK, else the status word to answer, out untouched. Bytes point into the APDU. */
uint16_t ka_install_parse(const struct apdu *c, struct aid *out_isdp);
uint16_t ka_certificate_parse(const struct apdu *c, struct bytes *out_cert);
struct ka_received {
	struct ka_request request;
	struct bytes a6;          /* the TLV as it came: what the receipt is over */
	struct bytes signed_part; /* 3A02 ... 7F49 */
};
uint16_t ka_request_parse(const struct apdu *c, struct ka_received *out);

/* ---- Off card ---- */

/* From the first to the second answer. Plain values, esk is a secret: whoever stores it encrypts it. */
struct ka_host {
	struct ka_template template;
	enum ka_point_form form;
	uint8_t esk[P256_SCALAR];
	uint8_t epk[P256_POINT];
};
/* A new ephemeral key pair; or the given one. False: the template is not ok. */
bool ka_host_start(struct ka_host *h, const struct ka_template *t);
bool ka_host_start_with(struct ka_host *h, const struct ka_template *t, const struct ec_key *ephemeral);
/* Over 3A02 L A6 | 7F49 L ePK | 0085 L RC, by SK.DP.ECDSA or SK.SR.ECDSA. False: RC is not 16..32 bytes, or the library failed. */
bool ka_host_sign(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, uint8_t out[P256_SIGNATURE]);
/* Signs and builds the second STORE DATA; false as above, nothing appended. */
bool ka_host_request(const struct ka_host *h, struct bytes rc, const struct ec_key *signer, struct buf *out);
/* Derives and compares the receipt: only the ECASD that has the private key can have made it. identity: NULL without
 * KA_WITH_HOST_ID. out is untouched unless KA_GOOD. */
enum ka_verdict ka_host_finish(const struct ka_host *h, const uint8_t ecasd_point[P256_POINT], const struct ka_identity *identity,
			       const struct ka_answer *answer, struct card_keys *out);
void ka_host_wipe(struct ka_host *h);

/* ---- On card ---- */

/* The certificate of the first STORE DATA against PK.CI.ECDSA; role: GP_ROLE_SM_DP for an ISD-P, GP_ROLE_SM_SR for the ISD-R. Dates
 * are not checked: a card has no clock. Its point in out. */
enum ka_verdict ka_certificate_check(struct bytes cert, const uint8_t ci_point[P256_POINT], uint8_t role, uint8_t out[P256_POINT]);
/* Verifies the signature over r and rc, makes DR when asked, derives the keys and the answer. The caller uses up rc whatever the
 * verdict is. out_* are untouched unless KA_GOOD. */
enum ka_verdict ka_card_agree(const struct ka_received *r, struct bytes rc, const uint8_t signer_point[P256_POINT],
			      const struct ec_key *sk_ecasd, const struct ka_identity *identity, struct card_keys *out_keys,
			      struct ka_answer *out_answer);

#endif
