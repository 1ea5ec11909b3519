/* SPDX-License-Identifier: Apache-2.0 */
/* Secured packets as a card takes them (procedures.md 4.2): what does not prove whose it is, or is old, is met with silence. */
#include <string.h>

#include "services/euicc-sim/card_internal.h"

enum { KIC_INDEX = 1, KID_INDEX = 2, SCP80_FIRST = 0x01, SCP80_LAST = 0x0F, TYPE_AES = 0x88 };
enum { SPI2_POR = 0x03, SPI2_POR_ON_ERROR = 0x02 };

static const uint8_t tar_isdr[SCP80_TAR] = { 0x00, 0x00, 0x01 };
static const uint8_t tar_ram_http[SCP80_TAR] = { 0xB2, 0x01, 0x00 }; /* the admin agent: some servers send the trigger there */

static bool keys_of(const struct card *c, uint8_t version, struct scp80_keys *out)
{
	const struct card_key *kic = card_key_of(c, version, KIC_INDEX), *kid = card_key_of(c, version, KID_INDEX);

	if (version < SCP80_FIRST || version > SCP80_LAST || !kic || !kid || kic->type != TYPE_AES || kid->type != TYPE_AES)
		return false;
	*out = (struct scp80_keys){ version, kic->value, kid->value };
	return true;
}

bool card_sms_target(struct card *c, const struct scp80_command *command, struct aid *out)
{
	const uint8_t *tar = command->tar;

	*out = AID_ISDR;
	if (!memcmp(tar, tar_isdr, SCP80_TAR) || !memcmp(tar, tar_ram_http, SCP80_TAR))
		return true;
	*out = aid_isdp((uint32_t)tar[0] << 16 | (uint32_t)tar[1] << 8 | tar[2]);
	return card_profile_of(c, out) != NULL;
}

/* True: higher than all before; it is taken. */
static bool counter_take(struct card *c, uint8_t version, uint64_t counter)
{
	size_t at = CARD_COUNTERS;

	for (size_t i = 0; i < CARD_COUNTERS; i++) {
		if (c->counters[i].version == version) {
			at = i;
			break;
		}
		if (!c->counters[i].version && at == CARD_COUNTERS)
			at = i;
	}
	if (at == CARD_COUNTERS || counter <= c->counters[at].last)
		return false;
	c->counters[at].version = version;
	c->counters[at].last = counter;
	card_key_used(c, version);
	return true;
}

static bool por_add(const struct scp80_keys *keys, const struct scp80_command *command, uint8_t status, struct bytes data,
		    struct buf *out)
{
	unsigned wanted = command->spi2 & SPI2_POR;
	struct scp80_por por = { .counter = command->counter, .status = status, .data = data };

	if (wanted != SPI_POR_PLAIN && (wanted != SPI2_POR_ON_ERROR || status == POR_OK))
		return false;
	memcpy(por.tar, command->tar, SCP80_TAR);
	return scp80_por_build(keys, command->spi2, &por, out);
}

static bool silent(const char **out_why, const char *why)
{
	*out_why = why;
	return false;
}

static const char *verdict_text(enum scp80_verdict verdict)
{
	switch (verdict) {
	case SCP80_BAD_CC:
		return "wrong CC";
	case SCP80_MALFORMED:
		return "malformed packet";
	case SCP80_UNSUPPORTED:
		return "SPI or algorithm not supported";
	case SCP80_GOOD:
		break;
	}
	return "good";
}

bool card_sms(struct card *c, struct arena *a, struct bytes packet, struct scp80_command *out, struct buf *out_por,
	      const char **out_why)
{
	struct scp80_command command;
	enum scp80_verdict verdict;
	struct scp80_keys keys;
	struct aid target;

	if (!scp80_command_peek(packet, &command))
		return silent(out_why, "not a command packet");
	/* Less would let anybody who heard one SMS send it again, or read the next. */
	if (command.spi1 != SPI_CC_CIPHER_HIGHER)
		return silent(out_why, "security level too low");
	if (command.kic >> 4 != command.kid >> 4 || !keys_of(c, command.kid >> 4, &keys))
		return silent(out_why, "no such key set");
	verdict = scp80_command_open(a, &keys, packet, &command);
	if (verdict != SCP80_GOOD)
		return silent(out_why, verdict_text(verdict));
	if (!counter_take(c, keys.kvn, command.counter))
		return silent(out_why, "counter not higher than the last one");
	if (!card_sms_target(c, &command, &target)) {
		(void)por_add(&keys, &command, POR_TAR_UNKNOWN, (struct bytes){ 0 }, out_por);
		return silent(out_why, "unknown TAR");
	}
	(void)por_add(&keys, &command, POR_OK, (struct bytes){ 0 }, out_por);
	*out = command;
	return true;
}

bool card_sms_answer(const struct card *c, const struct scp80_command *command, struct bytes answer, struct buf *out_por)
{
	struct scp80_keys keys;

	return keys_of(c, command->kid >> 4, &keys) && por_add(&keys, command, POR_OK, answer, out_por);
}

bool card_sms_notification(const struct card *c, struct bytes e1, struct buf *out)
{
	struct scp80_command command = { .spi1 = SPI_CC_ONLY, .spi2 = SPI_POR_NONE, .data = e1 };
	struct scp80_keys keys;
	uint8_t version = keys_of(c, c->home.scp80, &keys) ? c->home.scp80 : SCP80_FIRST;

	while (version <= SCP80_LAST && !keys_of(c, version, &keys))
		version++;
	if (version > SCP80_LAST)
		return false;
	memcpy(command.tar, tar_isdr, SCP80_TAR);
	return scp80_command_build(&keys, &command, out);
}
