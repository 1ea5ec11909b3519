/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to an ISD-P (procedures.md 4.8, card.md 4): the secure channel, in either form, and what is said in it. */
#include <string.h>

#include "services/euicc-sim/card_internal.h"

enum { TAG_C_APDU = 0x22, TAG_C_APDU_OLD = 0xA2, TAG_R_APDU = 0x23 };
enum { CLA_PLAIN = 0x80, CLA_SECURED = 0x04, INS_INITIALIZE = 0x50, INS_AUTHENTICATE = 0x82, INS_STORE_DATA = 0xE2 };
enum { P1_LAST = 0x88, P1_LAST_ANSWERED = 0x89, DGI_CONNECTIVITY = 0x3A07, DGI_HEAD = 3 };
enum { SEQUENCE_BYTES = 3 };                                  /* behind the cryptogram */
enum { CONNECTIVITY_FIRST = 0xA0, CONNECTIVITY_LAST = 0xA2 }; /* SMS, CAT_TP, HTTPS */

bool card_isdp_knows_tag(uint32_t tag)
{
	return tag == TAG_C_APDU || tag == TAG_C_APDU_OLD || (tag >= SCP03T_INITIALIZE && tag <= SCP03T_SEGMENT);
}

/* A new session counts, whether the host then proves itself or not. */
static enum scp03t_reason begin(struct card *c, uint8_t place, const struct scp03_initialize *init, struct card_effects *effects)
{
	struct card_domain *d = c->profiles[place].domain;
	struct card_channel *ch;

	if (!d || (init->kvn && init->kvn != d->keys.kvn))
		return SCP03T_REFERENCE;
	if (d->sequence >= SCP03_SEQUENCE_MAX)
		return SCP03T_SECURITY;
	ch = card_channel_of(c);
	card_channel_unsecure(ch);
	d->sequence++;
	d->changed = true;
	effects->changed = true;
	if (!scp03_begin(&ch->scp03, &d->keys, &c->profiles[place].aid, d->sequence, init->host_challenge))
		return SCP03T_SECURITY;
	ch->secured = place;
	return SCP03T_OK;
}

/* The channel when it is with this ISD-P; NULL: with none, or another one. */
static struct card_channel *channel_with(const struct card *c, uint8_t place)
{
	return c->channel && c->channel->secured == place ? c->channel : NULL;
}

/* ---- SCP03t ---- */

static enum scp03t_reason initialize(struct card *c, uint8_t place, struct bytes value, struct buf *out,
				     struct card_effects *effects)
{
	struct scp03_initialize init;
	enum scp03t_reason reason = scp03t_initialize_parse(value, &init);

	if (reason == SCP03T_OK)
		reason = begin(c, place, &init, effects);
	if (reason == SCP03T_OK)
		scp03t_initialized_build(out, &c->channel->scp03);
	if (reason == SCP03T_OK && card_fault_strikes(effects, CARD_FAULT_CRYPTOGRAM, 0))
		out->data[out->len - SEQUENCE_BYTES - 1] ^= 0x01;
	return reason;
}

static enum scp03t_reason authenticate(struct card *c, uint8_t place, struct bytes value, struct buf *out)
{
	struct card_channel *ch = channel_with(c, place);
	enum scp03t_reason reason = ch ? scp03t_authenticate(&ch->scp03, value) : SCP03T_SECURITY;

	if (reason == SCP03T_OK)
		scp03t_authenticated_build(out);
	return reason;
}

/* *out_go_on: a package that was refused ends the script, though its answer is no error. */
static enum scp03t_reason segment(struct card *c, uint8_t place, struct bytes value, struct buf *out, bool *out_go_on,
				  struct card_effects *effects)
{
	struct card_channel *ch = channel_with(c, place);
	CLEANUP(secret_free) struct secret plain = { 0 };
	CLEANUP(buf_free) struct buf answer = { 0 };
	CLEANUP(buf_free) struct buf altered = { 0 };
	enum scp03t_reason reason;

	if (!ch)
		return SCP03T_SECURITY;
	if (c->profiles[place].state != ISDP_PERSONALIZED)
		return SCP03T_REFERENCE;
	if (value.len && card_fault_strikes(effects, CARD_FAULT_MAC, 0)) {
		buf_add(&altered, value.data, value.len);
		altered.data[value.len / 2] ^= 0x01;
		value.data = (const uint8_t *)altered.data;
	}
	reason = scp03t_segment(&ch->scp03, value, &plain);
	if (reason != SCP03T_OK)
		return reason;
	*out_go_on = card_install_feed(c, ch, (struct bytes){ plain.data, plain.len }, &answer, effects);
	if (!scp03t_answer_build(&ch->scp03, (struct bytes){ (const uint8_t *)answer.data, answer.len }, out))
		return SCP03T_SECURITY;
	if (answer.len && card_fault_strikes(effects, CARD_FAULT_RMAC, 0))
		out->data[out->len - 1] ^= 0x01;
	if (!*out_go_on)
		card_channel_unsecure(ch);
	return SCP03T_OK;
}

/* What does not verify ends the channel; a package under way is lost with it. */
static bool secured(struct card *c, uint8_t place, uint8_t tag, struct bytes value, struct buf *out, struct card_effects *effects)
{
	enum scp03t_reason reason;
	bool go_on = true;

	if (tag == SCP03T_INITIALIZE)
		reason = initialize(c, place, value, out, effects);
	else if (tag == SCP03T_AUTHENTICATE)
		reason = authenticate(c, place, value, out);
	else
		reason = segment(c, place, value, out, &go_on, effects);
	if (reason == SCP03T_OK)
		return go_on;
	if (tag != SCP03T_INITIALIZE && channel_with(c, place))
		card_channel_unsecure(c->channel);
	effects->why = scp03t_reason_text((uint8_t)reason);
	scp03t_error_build(out, tag, reason);
	return false;
}

/* ---- C-APDUs ---- */

/* The value of the only data grouping of a STORE DATA, which is of this identifier. */
static bool grouping(const struct apdu *apdu, uint16_t dgi, struct bytes *out)
{
	const uint8_t *p = apdu->data.data;

	if (apdu->data.len < DGI_HEAD || (p[0] << 8 | p[1]) != dgi || p[2] != apdu->data.len - DGI_HEAD)
		return false;
	*out = (struct bytes){ p + DGI_HEAD, apdu->data.len - DGI_HEAD };
	return true;
}

/* A list of A0, A1, A2, each at most once. */
static bool is_connectivity(struct bytes in)
{
	unsigned seen = 0;
	struct tlv t;

	while (in.len) {
		unsigned bit;

		if (!tlv_next(&in, &t) || t.tag < CONNECTIVITY_FIRST || t.tag > CONNECTIVITY_LAST)
			return false;
		bit = 1u << (t.tag - CONNECTIVITY_FIRST);
		if (seen & bit)
			return false;
		seen |= bit;
	}
	return seen != 0;
}

/* ES8.UpdateConnectivityParameters. */
static uint16_t store(struct card *c, uint8_t place, const struct apdu *apdu, struct card_effects *effects)
{
	const struct card_profile *p = &c->profiles[place];
	struct bytes value;

	if (apdu->cla != CLA_PLAIN)
		return SW_BAD_CLA;
	if (apdu->ins != INS_STORE_DATA)
		return SW_BAD_INS;
	if ((apdu->p1 != P1_LAST && apdu->p1 != P1_LAST_ANSWERED) || apdu->p2 != 0)
		return SW_WRONG_P1P2;
	if (!grouping(apdu, DGI_CONNECTIVITY, &value) || !is_connectivity(value))
		return SW_BAD_DATA;
	if (p->state != ISDP_DISABLED && p->state != ISDP_ENABLED)
		return SW_CONDITIONS;
	if (value.len > CARD_CONNECTIVITY)
		return SW_NO_MEMORY;
	memcpy(p->domain->connectivity, value.data, value.len);
	p->domain->n_connectivity = (uint8_t)value.len;
	p->domain->changed = true;
	effects->changed = true;
	return SW_OK;
}

static uint16_t initialize_apdu(struct card *c, uint8_t place, const struct apdu *apdu, struct buf *out,
				struct card_effects *effects)
{
	struct scp03_initialize init;
	enum scp03t_reason reason;
	uint16_t sw = scp03_initialize_parse(apdu, &init);

	if (sw != SW_OK)
		return sw;
	reason = begin(c, place, &init, effects);
	if (reason != SCP03T_OK)
		return reason == SCP03T_REFERENCE ? SW_NOT_FOUND : SW_SECURITY;
	scp03_initialized_build(out, &c->channel->scp03);
	return SW_OK;
}

/* A secured command; its answer is secured too. */
static uint16_t unwrap(struct card *c, uint8_t place, const struct apdu *apdu, struct buf *out, struct card_effects *effects)
{
	CLEANUP(secret_free) struct secret data = { 0 };
	struct apdu plain;
	uint16_t sw = scp03_unwrap(&c->channel->scp03, apdu, &plain, &data);

	if (sw != SW_OK)
		return sw;
	sw = store(c, place, &plain, effects);
	if (sw == SW_OK && !scp03_answer_build(&c->channel->scp03, (struct bytes){ NULL, 0 }, sw, out))
		return SW_MEMORY_FAILURE;
	return sw;
}

static uint16_t execute(struct card *c, uint8_t place, struct bytes capdu, struct buf *out, struct card_effects *effects)
{
	struct card_channel *ch = channel_with(c, place);
	struct apdu apdu;
	uint16_t sw;

	if (!apdu_parse(capdu, &apdu))
		return SW_WRONG_LENGTH;
	if (apdu.cla == CLA_PLAIN && apdu.ins == INS_INITIALIZE)
		return initialize_apdu(c, place, &apdu, out, effects);
	if (!(apdu.cla & CLA_SECURED) || !ch)
		return SW_SECURITY; /* nothing is done for who has not proved himself */
	if (apdu.ins == INS_AUTHENTICATE)
		sw = scp03_authenticate(&ch->scp03, &apdu);
	else
		sw = unwrap(c, place, &apdu, out, effects);
	if (ch->scp03.state == SCP03_CLOSED)
		card_channel_unsecure(ch);
	return sw;
}

/* 61, 62, 63, 90, 91 let a script go on. */
bool card_script_stops(uint16_t sw)
{
	unsigned high = sw >> 8;

	return !(high >= 0x61 && high <= 0x63) && high != 0x90 && high != 0x91;
}

static void answer_add(struct buf *out, const struct buf *data, uint16_t sw)
{
	const uint8_t word[] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	tlv_add_head(out, TAG_R_APDU, data->len + sizeof(word));
	buf_add(out, data->data, data->len);
	buf_add(out, word, sizeof(word));
}

/* Some servers put SCP03t into a 22. An 84 could be a secured command's class: it is taken for SCP03t when it is one to its last octet. */
static bool is_wrapped(struct bytes value, struct tlv *out)
{
	return tlv_next(&value, out) && value.len == 0 && out->tag >= SCP03T_INITIALIZE && out->tag <= SCP03T_SEGMENT;
}

bool card_isdp_execute(struct card *c, const struct aid *isdp, const struct tlv *command, struct buf *out,
		       struct card_effects *effects)
{
	uint8_t place = card_place_of(c, isdp);
	CLEANUP(buf_free) struct buf data = { 0 };
	struct tlv inner;
	uint16_t sw;
	bool go_on;

	if (command->tag >= SCP03T_INITIALIZE && command->tag <= SCP03T_SEGMENT)
		return secured(c, place, (uint8_t)command->tag, command->value, out, effects);
	if (is_wrapped(command->value, &inner)) {
		go_on = secured(c, place, (uint8_t)inner.tag, inner.value, &data, effects);
		answer_add(out, &data, SW_OK);
		return go_on;
	}
	sw = execute(c, place, command->value, &data, effects);
	if (sw != SW_OK)
		effects->why = sw_text(sw);
	answer_add(out, &data, sw);
	return !card_script_stops(sw);
}
