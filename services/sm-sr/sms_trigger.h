/* SPDX-License-Identifier: Apache-2.0 */
/* The SMS that makes a card open a session, and the card's answer to it (procedures.md 4.2, card.md 6). */
#ifndef SMSR_SMS_TRIGGER_H
#define SMSR_SMS_TRIGGER_H

#include "services/sm-sr/sms_store.h"

/* 0; -1: error says which setting is wrong. */
int sms_config_check(const struct smsr_config *config, char error[256]);
void sms_spi(const struct smsr_config *config, uint8_t out[2]);

/* d with its counter. False: why. cards_port: where cards find us, when the trigger says it. */
bool sms_trigger_build(const struct smsr *smsr, const struct sms_due *d, uint16_t cards_port, struct buf *out,
		       const char **out_why);
/* A PoR that answers r. False: it is not opened by its keys. */
bool sms_por_open(const struct smsr *smsr, struct arena *a, const struct sms_row *r, struct bytes packet, struct scp80_por *out);

#endif
