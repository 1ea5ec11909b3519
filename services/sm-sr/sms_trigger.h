/* SPDX-License-Identifier: Apache-2.0 */
/* The SMS that makes a card open a session, and the card's answer to it (procedures.md 4.2, card.md 6). */
#ifndef SMSR_SMS_TRIGGER_H
#define SMSR_SMS_TRIGGER_H

#include "common/card/isdr_handover.h"
#include "common/card/notification.h"
#include "services/sm-sr/card_case.h"
#include "services/sm-sr/sms_store.h"

/* 0; -1: error says which setting is wrong. */
int sms_config_check(const struct smsr_config *config, char error[256]);
void sms_spi(const struct smsr_config *config, uint8_t out[2]);

/* Where cards find us, and by which key. */
void sms_home(const struct smsr *smsr, uint8_t kvn, uint8_t key_id, struct ram_trigger *out);
/* A card can be told for good where our listener is: UpdateSMSRAddressingParameters has an IPv4 address, and cards resolve no names. */
bool sms_home_told(const struct smsr_config *config);
uint16_t sms_cards_port(const struct smsr *smsr);
/* Our number as cards are told it. False: there is none that is made of digits; out untouched. */
bool sms_home_number(const struct smsr_config *config, char out[ISDR_NUMBER_MAX + 1]);

/* d with its counter. False: why. */
bool sms_trigger_build(const struct smsr *smsr, const struct sms_due *d, struct buf *out, const char **out_why);
/* A script for the ISD-R or an ISD-P, as the card takes it by SMS: of definite length (procedures.md 4.2); secured by the ISD-R's keys, for
 * either. False: why. */
bool sms_script_build(const struct smsr *smsr, const struct eid *eid, const struct sms_path *path, uint64_t counter,
		      const struct card_command *m, struct buf *out, const char **out_why);
/* The notification in a packet that this card sent. False: *out_why; NULL: it is not secured by these keys. It points into a. */
bool sms_note_open(const struct smsr *smsr, struct arena *a, const struct sms_sender *sender, struct bytes packet,
		   struct notification *out, const char **out_why);
/* A PoR that answers r. False: it is not opened by its keys. */
bool sms_por_open(const struct smsr *smsr, struct arena *a, const struct sms_row *r, struct bytes packet, struct scp80_por *out);

#endif
