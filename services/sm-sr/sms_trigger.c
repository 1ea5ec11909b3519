/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/sms_trigger.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/secret.h"
#include "common/card/ram_http.h"
#include "common/card/script.h"
#include "services/sm-sr/isdr_keys.h"

enum { SPI_DIGITS = 4, SPI1_KNOWN = 0x1F, SPI1_CC = 0x02, SPI1_INTEGRITY = 0x03 };

static const uint8_t tar_isdr[SCP80_TAR] = { 0x00, 0x00, 0x01 };

void sms_spi(const struct smsr_config *config, uint8_t out[2])
{
	memset(out, 0, 2);
	if (strlen(config->trigger_spi) == SPI_DIGITS)
		(void)hex_decode(config->trigger_spi, SPI_DIGITS, out);
}

static bool spi_good(const char *text)
{
	uint8_t spi[2];

	return strlen(text) == SPI_DIGITS && hex_decode(text, SPI_DIGITS, spi) && (spi[0] & SPI1_INTEGRITY) == SPI1_CC &&
	       !(spi[0] & ~SPI1_KNOWN);
}

int sms_config_check(const struct smsr_config *config, char error[256])
{
	const char *what = NULL;

	if (!*config->smpp_host)
		return 0;
	if (!spi_good(config->trigger_spi))
		what = "TRIGGER_SPI: four hex digits, the first octet with CC (1639)";
	else if (strcmp(config->trigger_form, "stored") != 0 && strcmp(config->trigger_form, "full") != 0)
		what = "TRIGGER_FORM: stored or full";
	else if (!strcmp(config->trigger_form, "full") && !*config->cards_host)
		what = "CARDS_HOST: a full trigger says where cards find us";
	else if (!config->smpp_port || !*config->smpp_system_id || !*config->smpp_password_file)
		what = "SMPP_PORT, SMPP_SYSTEM_ID and SMPP_PASSWORD_FILE must be set with SMPP_HOST";
	else if (!*config->smpp_source)
		what = "SMPP_SOURCE: the number that cards answer to must be set with SMPP_HOST";
	else if (!config->sms_tries || !config->smpp_window || !config->audit_tries)
		what = "SMS_TRIES, SMPP_WINDOW and AUDIT_TRIES: at least 1";
	else if (strcmp(config->sms_validity, "relative") != 0 && strcmp(config->sms_validity, "none") != 0)
		what = "SMS_VALIDITY: relative or none";
	if (!what)
		return 0;
	(void)snprintf(error, 256, "%s", what);
	return -1;
}

static struct bytes text_bytes(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

void sms_home(const struct smsr *smsr, uint8_t kvn, uint8_t key_id, struct ram_trigger *out)
{
	const struct smsr_config *config = smsr->config;
	struct in_addr address;

	*out = (struct ram_trigger){ .port = sms_cards_port(smsr),
				     .kvn = kvn,
				     .key_id = key_id,
				     .host = text_bytes(config->cards_host),
				     .uri = text_bytes(config->cards_uri) };
	if (inet_pton(AF_INET, config->cards_host, &address) == 1)
		out->address = ntohl(address.s_addr);
}

bool sms_home_told(const struct smsr_config *config)
{
	struct in_addr address;

	return inet_pton(AF_INET, config->cards_host, &address) == 1;
}

uint16_t sms_cards_port(const struct smsr *smsr)
{
	const struct smsr_config *config = smsr->config;

	if (config->cards_public_port)
		return (uint16_t)config->cards_public_port;
	return smsr->cards_port ? smsr->cards_port : (uint16_t)config->cards_port;
}

bool sms_home_number(const struct smsr_config *config, char out[ISDR_NUMBER_MAX + 1])
{
	const char *digits = config->smpp_source + (*config->smpp_source == '+');
	size_t n = strlen(digits);

	if (!n || n + 1 > ISDR_NUMBER_MAX || strspn(digits, "0123456789") != n)
		return false;
	(void)snprintf(out, ISDR_NUMBER_MAX + 1, "+%s", digits); /* our SMS are sent with an international one */
	return true;
}

static void message_build(const struct smsr *smsr, const struct sms_due *d, struct buf *out)
{
	struct ram_trigger t = { .stored = true };

	if (strcmp(smsr->config->trigger_form, "stored") != 0)
		sms_home(smsr, d->psk_kvn, d->psk_id, &t);
	ram_trigger_build(out, &t);
}

/* Both keys of a key set, for one packet. */
struct opened {
	struct secret kic, kid;
};

static void opened_free(struct opened *o)
{
	secret_free(&o->kic);
	secret_free(&o->kid);
}

static bool keys_open(const struct smsr *smsr, const struct eid *eid, uint8_t kvn, struct bytes kic, struct bytes kid,
		      struct opened *out)
{
	return isdr_key_open(smsr, eid, kvn, KIC_INDEX, kic, &out->kic) &&
	       isdr_key_open(smsr, eid, kvn, KID_INDEX, kid, &out->kid) && out->kic.len == AES_KEY && out->kid.len == AES_KEY;
}

/* command: SPI, TAR, counter, data. */
static bool packet_build(const struct smsr *smsr, const struct eid *eid, const struct sms_path *path, struct scp80_command *command,
			 struct buf *out, const char **out_why)
{
	CLEANUP(opened_free) struct opened keys = { 0 };

	if (!keys_open(smsr, eid, path->kvn, path->kic, path->kid, &keys)) {
		*out_why = "its SCP80 keys cannot be opened with this KEK, or are not AES-128";
		return false;
	}
	if (scp80_command_build(&(struct scp80_keys){ path->kvn, keys.kic.data, keys.kid.data }, command, out))
		return true;
	*out_why = "its packet cannot be built";
	return false;
}

bool sms_trigger_build(const struct smsr *smsr, const struct sms_due *d, struct buf *out, const char **out_why)
{
	CLEANUP(buf_free) struct buf message = { 0 };
	struct scp80_command command = { .counter = d->counter };
	uint8_t spi[2];

	message_build(smsr, d, &message);
	sms_spi(smsr->config, spi);
	command.spi1 = spi[0];
	command.spi2 = spi[1];
	memcpy(command.tar, tar_isdr, SCP80_TAR);
	command.data = (struct bytes){ (const uint8_t *)message.data, message.len };
	return packet_build(smsr, &d->eid, &(struct sms_path){ d->kvn, d->kic, d->kid, d->msisdn }, &command, out, out_why);
}

bool sms_script_build(const struct smsr *smsr, const struct eid *eid, const struct sms_path *path, uint64_t counter,
		      const struct card_command *m, struct buf *out, const char **out_why)
{
	/* Whatever TRIGGER_SPI says: a command is executed once, and its answer is nobody else's. */
	struct scp80_command command = { .spi1 = SPI_CC_CIPHER_HIGHER, .spi2 = SPI_POR_SECURED, .counter = counter };
	CLEANUP(buf_free) struct buf data = { 0 };
	struct script parsed;

	if (!script_parse(m->script, &parsed, out_why))
		return false;
	if (!aid_tar(&m->target, command.tar)) {
		*out_why = "its target has no TAR";
		return false;
	}
	script_build(&data, SCRIPT_DEFINITE, parsed.apdus, parsed.n);
	command.data = (struct bytes){ (const uint8_t *)data.data, data.len };
	return packet_build(smsr, eid, path, &command, out, out_why);
}

bool sms_note_open(const struct smsr *smsr, struct arena *a, const struct sms_sender *sender, struct bytes packet,
		   struct notification *out, const char **out_why)
{
	const struct sms_path *path = &sender->path;
	CLEANUP(opened_free) struct opened keys = { 0 };
	struct scp80_command command;

	*out_why = NULL;
	if (!scp80_command_peek(packet, &command) || command.kid >> 4 != path->kvn)
		return false;
	if (!keys_open(smsr, &sender->eid, path->kvn, path->kic, path->kid, &keys) ||
	    scp80_command_open(a, &(struct scp80_keys){ path->kvn, keys.kic.data, keys.kid.data }, packet, &command) != SCP80_GOOD)
		return false;
	if (memcmp(command.tar, tar_isdr, SCP80_TAR) != 0) {
		*out_why = "its TAR is not the ISD-R's";
		return false;
	}
	if (!notification_parse(command.data, out, out_why))
		return false;
	if (eid_equal(&out->eid, &sender->eid))
		return true;
	*out_why = "a notification of another card";
	return false;
}

bool sms_por_open(const struct smsr *smsr, struct arena *a, const struct sms_row *r, struct bytes packet, struct scp80_por *out)
{
	CLEANUP(opened_free) struct opened keys = { 0 };

	return keys_open(smsr, &r->eid, r->kvn, r->kic, r->kid, &keys) &&
	       scp80_por_open(a, &(struct scp80_keys){ r->kvn, keys.kic.data, keys.kid.data }, r->spi2, packet, out) == SCP80_GOOD;
}
