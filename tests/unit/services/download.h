/* SPDX-License-Identifier: Apache-2.0 */
/* An SM-DP of a test, who speaks to one card of the simulator without anybody between them. */
#ifndef TESTS_DOWNLOAD_H
#define TESTS_DOWNLOAD_H

#include "common/card/isdp_commands.h"
#include "common/card/profile_default.h"
#include "common/card/profile_personalise.h"
#include "common/card/scp03t.h"
#include "services/euicc-sim/card_internal.h"

enum { DOWNLOAD_MEMORY = 1000000, BOOT_MEMORY = 65536, FAULTS = CARD_FAULT_ELEMENT + 1 };
#define BOOT_ICCID "89882010000000000003"

struct download {
	struct arena *a;
	char folder[64], batch[128], isdps[160];
	struct card_file *file;
	struct card *c;
	struct ec_key *ci, *dp;
	uint8_t ecasd[P256_POINT];
	struct bytes cert; /* of the SM-DP */
	struct aid isdp;
	struct ka_host host;
	struct card_keys keys;
	struct scp03_session s;
	uint32_t sequence;           /* of the newest session */
	size_t faults[FAULTS];       /* how often each strikes from now on */
	size_t element;              /* CARD_FAULT_ELEMENT: at which one */
	struct buf out;              /* of the newest answer: data, or TLVs */
	struct card_effects effects; /* of the newest command */
	uint8_t secured;             /* the key version that secures the next ones */
};

/* One card with a bootstrap profile, in a batch file of its own. */
void download_open(struct download *d);
void download_close(
	struct download *d); /* usable as CLEANUP; folders must be empty then: nothing is left behind of ISD-Ps deleted */
/* The process that ran the card was killed: what was not saved is gone. */
void download_reload(struct download *d);
void download_save(struct download *d);

/* A certificate of this role by that CI. */
struct bytes download_cert(struct download *d, const struct ec_key *ci, uint8_t role);
uint16_t download_execute(struct download *d, const struct buf *capdu);
uint16_t download_create(struct download *d, int64_t quota);
uint16_t download_install(struct download *d);
uint16_t download_certificate(struct download *d, struct bytes cert);
/* Signs what came by the last answer. */
uint16_t download_request(struct download *d, const struct ka_template *t);
/* The receipt holds. */
enum ka_verdict download_finish(struct download *d);
/* All of it, until there are keys. */
void download_agree(struct download *d, int64_t quota);

/* Runs command TLVs as one script; true: to its end. */
bool download_run(struct download *d, struct bytes commands);
/* 84 and 85 in one script. */
void download_session(struct download *d);
/* The package in pieces of so many bytes, one script each, until there is an EUICCResponse, which is returned (lists in d->a); it must come,
 * with its R-MAC. */
struct euicc_response download_package(struct download *d, struct bytes package, size_t piece);
/* One segment's answer as the card gave it: d->out. */
bool download_segment(struct download *d, struct bytes plain);
/* Everything from creation to the profile. */
void download_all(struct download *d, int64_t quota, struct bytes package);

/* The built-in package for this ICCID, at least so many bytes long. */
struct bytes download_default(struct download *d, const char *iccid, uint8_t pol1, size_t bytes);
struct card_profile *download_profile(struct download *d);
uint16_t download_platform(struct download *d, void (*build)(struct buf *out, const struct aid *isdp));

#endif
