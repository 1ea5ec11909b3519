/* SPDX-License-Identifier: Apache-2.0 */
/* What the card_*.c files share. */
#ifndef EUICC_SIM_CARD_INTERNAL_H
#define EUICC_SIM_CARD_INTERNAL_H

#include <sys/types.h>

#include "common/card/isdr_handover.h"
#include "common/card/key_agreement.h"
#include "common/card/profile_reader.h"
#include "common/card/scp03t.h"
#include "services/euicc-sim/card.h"

/* The holder of the fall-back attribute; CARD_NONE: none. */
uint8_t card_fallback(const struct card *c);
/* Disables what is enabled and enables profile to; the notification of that type is due at the next attach. */
void card_switch(struct card *c, uint8_t to, uint8_t note);
/* Removes a profile and gives its memory back. */
void card_wipe(struct card *c, uint8_t index);
/* The outstanding notification was confirmed: POL1's deletion is done. False: not the outstanding one. out_deleted->len 0: nothing was
 * deleted. */
bool card_confirm(struct card *c, uint16_t seq, struct aid *out_deleted);

/* The place of this ISD-P; CARD_NONE: there is none. */
uint8_t card_place_of(const struct card *c, const struct aid *aid);
bool card_fault_strikes(const struct card_effects *effects, enum card_fault fault, size_t element);

/* ---- card_channel.c: what a reset ends ---- */

/* A package on its way into an ISD-P. */
struct card_install {
	struct profile_reader reader;
	struct secret stored; /* room; its first len bytes are the elements taken, one behind the other */
	size_t len, n;
	struct iccid iccid;
	uint8_t pol1;
	char imsi[IMSI_MAX + 1], msisdn[MSISDN_MAX + 1];
};
struct card_channel {
	uint8_t agreeing; /* the ISD-P that INSTALL [for personalization] named last; CARD_NONE: none, so the ISD-R itself */
	bool has_rc;      /* its SM-DP, or the new SM-SR, was certified and is to sign rc */
	uint8_t rc[KA_CHALLENGE_MIN], signer[P256_POINT];
	uint8_t secured; /* the ISD-P that scp03 is with; CARD_NONE: none */
	struct scp03_session scp03;
	struct card_install *install;
};
/* The card's, made when there is none. */
struct card_channel *card_channel_of(struct card *c);
/* Ends it: whatever was under way is lost. */
void card_channel_close(struct card *c);
/* Ends the secure channel and an installation under way in it. */
void card_channel_unsecure(struct card_channel *ch);
struct card_domain *card_domain_new(void);
void card_domain_free(struct card_domain *d);

/* card_agree.c: the ECASD's, ISD-P's and ISD-R's side of the key agreement; step is not KA_STEP_NONE. The status word. */
uint16_t card_agree(struct card *c, const struct apdu *apdu, enum ka_step step, struct buf *out, struct card_effects *effects);

/* card_isdr.c: a further key set for the ISD-R. SW_OK; SW_CONDITIONS: its version is in use; SW_NO_MEMORY: no place; nothing has changed
 * then. */
uint16_t card_isdr_keys_take(struct card *c, const struct card_keys *k, uint64_t counter, struct card_effects *effects);
/* What a new SM-SR does with them; change is not ISDR_CHANGE_NONE. The status word. */
uint16_t card_isdr_change(struct card *c, const struct apdu *apdu, enum isdr_change change, struct buf *out,
			  struct card_effects *effects);

/* 61, 62, 63, 90, 91 let a script go on. */
bool card_script_stops(uint16_t sw);

/* card_install.c: takes a piece of a package into the ISD-P that the channel is secured with. answer: the EUICCResponse, once there is
 * one, else nothing. False: the installation is over and has failed. */
bool card_install_feed(struct card *c, struct card_channel *ch, struct bytes plain, struct buf *answer,
		       struct card_effects *effects);
void card_install_free(struct card_install *in);

/* card_import.c: a card as personalised, from one line of a batch file; index: its place in the batch. False: out_why names the
 * member. */
bool card_import(struct card *out, const char *line, size_t n, size_t index, char out_why[CARD_ERROR]);

/* card_record.c: what of a card changes, as bytes of a fixed length with a checksum. */
enum { CARD_RECORD = 2560 };
/* Wipes a copy of a card, which holds its keys. */
void card_forget(struct card *c);
void card_record_write(const struct card *c, uint64_t generation, uint8_t out[CARD_RECORD]);
/* False: damaged, never written, or of another card; c (which holds what its line says) is then untouched. */
bool card_record_read(struct card *c, const uint8_t in[CARD_RECORD], uint64_t *out_generation);

/* ---- card_domain_file.c: one file for each ISD-P that has keys, in a folder; never changed, but written anew under its next version,
 * which the card's record then names: so they change together ---- */

/* The versions that a record which could not be written would have named. */
struct card_domains_old {
	uint16_t domains;
	uint32_t versions[CARD_PROFILES];
};
/* Writes what has changed and sets domains and domain_versions; *out_old: as they were. False: errno, nothing is changed. */
bool card_domains_write(const char *folder, struct card *c, struct card_domains_old *out_old);
/* The record names them: what it does not name any more goes. */
void card_domains_written(const char *folder, struct card *c, const struct card_domains_old *old);
void card_domains_restore(struct card *c, const struct card_domains_old *old);
/* Reads what the record names. False: why says which one. */
bool card_domains_read(const char *folder, struct card *c, char why[CARD_ERROR]);
/* All of it, interrupted or not. False: errno. */
bool card_write_at(int fd, const void *data, size_t n, off_t at);
bool card_read_at(int fd, void *out, size_t n, off_t at);

#endif
