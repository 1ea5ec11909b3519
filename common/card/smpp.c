/* SPDX-License-Identifier: Apache-2.0 */
/* PDUs to and from bytes. libsmpp34 leaves what it refused in a global, readable dump, passwords included: it is wiped after each
 * call. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h> /* the headers of libsmpp34 want it before them */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <smpp34.h>
#include <smpp34_structs.h>
#include <smpp34_heap.h>

#include "common/base/secret.h"
#include "common/card/smpp_internal.h"

enum { INTERFACE_VERSION = 0x34, ESM_KIND = 0x3C, RECEIPT_ANY = 0x03 };

union body {
	bind_transceiver_t bind;
	bind_transceiver_resp_t bind_resp;
	submit_sm_t sm;
	submit_sm_resp_t sm_resp;
	deliver_sm_resp_t delivered;
};

static const struct {
	uint8_t value;
	const char *name;
} states[] = { { 1, "ENROUTE" }, { 2, "DELIVRD" }, { 3, "EXPIRED" }, { 4, "DELETED" },
	       { 5, "UNDELIV" }, { 6, "ACCEPTD" }, { 7, "UNKNOWN" }, { 8, "REJECTD" } };

uint32_t smpp_get32(const uint8_t *in)
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static void put32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A peer's text ends up in logs and tables: anything but printable ASCII becomes '?'. What is too long is cut. */
static void text_take(const uint8_t *in, size_t max, char *out, size_t size)
{
	size_t n = strnlen((const char *)in, max);

	if (n > size - 1)
		n = size - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = in[i] >= 0x20 && in[i] < 0x7F ? (char)in[i] : '?';
	out[n] = 0;
}

/* The library's arrays are zeroed and not checked by it. */
static void text_put(const char *in, uint8_t *out, size_t size)
{
	memcpy(out, in, strnlen(in, size - 1));
}

/* ---- packing ---- */

static void tlv_link(submit_sm_t *sm, tlv_t *t, uint16_t tag, size_t n)
{
	t->tag = tag;
	t->length = (uint16_t)n;
	t->next = sm->tlv;
	sm->tlv = t;
}

/* tlvs: two, zeroed. */
static void receipt_put(const struct smpp_message *m, submit_sm_t *sm, tlv_t *tlvs)
{
	size_t n = strnlen(m->receipt_id, SMPP_ID_MAX);

	if (!m->is_receipt || n == 0)
		return;
	memcpy(tlvs[0].value.octet, m->receipt_id, n);
	tlv_link(sm, &tlvs[0], TLVID_receipted_message_id, n + 1);
	for (size_t i = 0; i < LEN(states); i++) {
		if (!strcmp(states[i].name, m->receipt_state)) {
			tlvs[1].value.val08 = states[i].value;
			tlv_link(sm, &tlvs[1], TLVID_message_state, 1);
		}
	}
}

static void message_put(const struct smpp_message *m, submit_sm_t *sm, tlv_t *tlvs)
{
	sm->source_addr_ton = m->source_ton;
	sm->source_addr_npi = m->source_npi;
	text_put(m->source, sm->source_addr, sizeof(sm->source_addr));
	sm->dest_addr_ton = m->destination_ton;
	sm->dest_addr_npi = m->destination_npi;
	text_put(m->destination, sm->destination_addr, sizeof(sm->destination_addr));
	sm->esm_class = m->esm_class;
	sm->protocol_id = m->protocol_id;
	sm->registered_delivery = m->receipt_wanted ? SMPP34_DELIVERY_RECEIPT_ON : SMPP34_DELIVERY_RECEIPT_OFF;
	sm->data_coding = m->data_coding;
	text_put(m->validity, sm->validity_period, sizeof(sm->validity_period));
	sm->sm_length = (uint8_t)m->data.len;
	if (m->data.len > 0)
		memcpy(sm->short_message, m->data.data, m->data.len);
	receipt_put(m, sm, tlvs);
}

/* Writes into b what the library packs. False: nothing but the header is to be written. */
static bool body_put(const struct smpp_pdu *p, union body *b, tlv_t *tlvs)
{
	if (p->command & SMPP_RESPONSE && p->status != SMPP_OK)
		return false;
	switch (p->command) {
	case CMD_BIND:
		text_put(p->system_id, b->bind.system_id, sizeof(b->bind.system_id));
		text_put(p->password, b->bind.password, sizeof(b->bind.password));
		text_put(p->system_type, b->bind.system_type, sizeof(b->bind.system_type));
		b->bind.interface_version = INTERFACE_VERSION;
		return true;
	case CMD_BIND | SMPP_RESPONSE:
		text_put(p->system_id, b->bind_resp.system_id, sizeof(b->bind_resp.system_id));
		return true;
	case CMD_SUBMIT:
	case CMD_DELIVER:
		message_put(&p->message, &b->sm, tlvs);
		return true;
	case CMD_SUBMIT | SMPP_RESPONSE:
		text_put(p->message_id, b->sm_resp.message_id, sizeof(b->sm_resp.message_id));
		return true;
	case CMD_DELIVER | SMPP_RESPONSE: /* its message id is there and empty */
		return true;
	default:
		return false;
	}
}

/* A deliver_sm has the fields of a submit_sm; handled as one it may also bear the times that it should leave empty. */
static uint32_t kind_of(uint32_t command)
{
	return command == CMD_DELIVER ? CMD_SUBMIT : command;
}

static size_t header_pack(const struct smpp_pdu *p, uint8_t *out, size_t size)
{
	if (size < SMPP_HEADER)
		return 0;
	put32(out, SMPP_HEADER);
	put32(out + 4, p->command);
	put32(out + 8, p->status);
	put32(out + 12, p->sequence);
	return SMPP_HEADER;
}

size_t smpp_pack(const struct smpp_pdu *p, uint8_t *out, size_t size)
{
	tlv_t tlvs[2];
	union body b;
	int n = 0, failed;

	if (p->message.data.len > SMPP_DATA_MAX)
		return 0;
	memset(&b, 0, sizeof(b));
	memset(tlvs, 0, sizeof(tlvs));
	if (!body_put(p, &b, tlvs))
		return header_pack(p, out, size);
	b.bind.command_id = p->command;
	b.bind.command_status = p->status;
	b.bind.sequence_number = p->sequence;
	failed = smpp34_pack(kind_of(p->command), out, (int)size, &n, &b);
	secret_wipe(&b, sizeof(b));
	secret_wipe(smpp34_strerror, sizeof(smpp34_strerror));
	return failed || n < SMPP_HEADER || (size_t)n > size ? 0 : (size_t)n;
}

/* ---- unpacking ---- */

/* The value of "id:", "stat:" in the text of a receipt: SMPP 3.4 appendix B, which is only a custom. */
static void receipt_field(struct bytes text, const char *name, char *out, size_t size)
{
	size_t n = strlen(name), end;

	for (size_t at = 0; at + n <= text.len; at++) {
		if (at > 0 && text.data[at - 1] != ' ')
			continue;
		if (strncasecmp((const char *)text.data + at, name, n))
			continue;
		at += n;
		for (end = at; end < text.len && text.data[end] != ' '; end++)
			;
		text_take(text.data + at, end - at, out, size);
		return;
	}
}

static void receipt_tlv(const tlv_t *t, struct smpp_message *m)
{
	if (t->tag == TLVID_receipted_message_id)
		text_take(t->value.octet, t->length < SMPP_ID_MAX ? t->length : SMPP_ID_MAX, m->receipt_id, sizeof(m->receipt_id));
	if (t->tag != TLVID_message_state)
		return;
	for (size_t i = 0; i < LEN(states); i++) {
		if (states[i].value == t->value.val08)
			memcpy(m->receipt_state, states[i].name, strlen(states[i].name) + 1);
	}
}

static void receipt_take(const tlv_t *tlvs, struct smpp_message *m)
{
	const tlv_t *t;

	if ((m->esm_class & ESM_KIND) != SMPP_ESM_RECEIPT)
		return;
	m->is_receipt = true;
	smpp34_tlv_for_each(t, tlvs) receipt_tlv(t, m);
	if (!*m->receipt_id)
		receipt_field(m->data, "id:", m->receipt_id, sizeof(m->receipt_id));
	if (!*m->receipt_state)
		receipt_field(m->data, "stat:", m->receipt_state, sizeof(m->receipt_state));
	for (char *c = m->receipt_state; *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

static void payload_take(const submit_sm_t *sm, struct smpp_pdu *out)
{
	const uint8_t *data = sm->short_message;
	size_t n = sm->sm_length;
	const tlv_t *t;

	if (n > sizeof(sm->short_message))
		n = sizeof(sm->short_message);
	smpp34_tlv_for_each(t, sm->tlv)
	{
		if (t->tag == TLVID_message_payload) {
			data = t->value.octet;
			n = t->length < SMPP_PAYLOAD_MAX ? t->length : SMPP_PAYLOAD_MAX;
		}
	}
	memcpy(out->payload, data, n);
	out->message.data = (struct bytes){ out->payload, n };
}

static void message_take(const submit_sm_t *sm, struct smpp_pdu *out)
{
	struct smpp_message *m = &out->message;

	m->source_ton = sm->source_addr_ton;
	m->source_npi = sm->source_addr_npi;
	text_take(sm->source_addr, sizeof(sm->source_addr), m->source, sizeof(m->source));
	m->destination_ton = sm->dest_addr_ton;
	m->destination_npi = sm->dest_addr_npi;
	text_take(sm->destination_addr, sizeof(sm->destination_addr), m->destination, sizeof(m->destination));
	m->esm_class = sm->esm_class;
	m->protocol_id = sm->protocol_id;
	m->data_coding = sm->data_coding;
	text_take(sm->validity_period, SMPP_TIME, m->validity, sizeof(m->validity));
	m->receipt_wanted = (sm->registered_delivery & RECEIPT_ANY) != 0;
	payload_take(sm, out);
	receipt_take(sm->tlv, m);
}

static void body_take(const union body *b, struct smpp_pdu *out)
{
	switch (out->command) {
	case CMD_BIND:
		text_take(b->bind.system_id, sizeof(b->bind.system_id), out->system_id, sizeof(out->system_id));
		text_take(b->bind.password, sizeof(b->bind.password), out->password, sizeof(out->password));
		text_take(b->bind.system_type, sizeof(b->bind.system_type), out->system_type, sizeof(out->system_type));
		break;
	case CMD_BIND | SMPP_RESPONSE:
		text_take(b->bind_resp.system_id, sizeof(b->bind_resp.system_id), out->system_id, sizeof(out->system_id));
		break;
	case CMD_SUBMIT | SMPP_RESPONSE:
		text_take(b->sm_resp.message_id, sizeof(b->sm_resp.message_id), out->message_id, sizeof(out->message_id));
		break;
	default:
		message_take(&b->sm, out);
	}
}

/* Of all others the header says everything, and a stranger body (a deliver_sm_resp with an id) harms nobody. */
static bool has_body(uint32_t command, uint32_t status)
{
	switch (command) {
	case CMD_BIND:
	case CMD_SUBMIT:
	case CMD_DELIVER:
		return true;
	case CMD_BIND | SMPP_RESPONSE:
	case CMD_SUBMIT | SMPP_RESPONSE:
		return status == SMPP_OK;
	default:
		return false;
	}
}

/* The library loses the TLV at which it refuses a PDU: a peer could eat our memory. So all that it allocates dies with the call. */
static struct arena *unpacking;

static void *library_malloc(size_t n)
{
	return arena_alloc(unpacking, n);
}

/* It never calls this; should it once, it has no memory. */
static void *library_realloc(void *old, size_t n)
{
	return NULL;
}

static void library_free(void *old)
{
}

static void library_memory(void)
{
	static const struct smpp34_memory_functions functions = { library_malloc, library_realloc, library_free };

	if (unpacking)
		return;
	unpacking = arena_new();
	smpp34_set_memory_functions(&functions);
}

bool smpp_unpack(struct bytes frame, struct smpp_pdu *out)
{
	union body b;
	bool good;

	memset(out, 0, sizeof(*out));
	out->command = smpp_get32(frame.data + 4);
	out->status = smpp_get32(frame.data + 8);
	out->sequence = smpp_get32(frame.data + 12);
	if (!has_body(out->command, out->status))
		return true;
	memset(&b, 0, sizeof(b));
	library_memory();
	good = smpp34_unpack(kind_of(out->command), &b, frame.data, (int)frame.len) == 0;
	if (good)
		body_take(&b, out);
	arena_reset(unpacking);
	secret_wipe(&b, sizeof(b));
	secret_wipe(smpp34_strerror, sizeof(smpp34_strerror));
	return good;
}

/* ---- validity periods ---- */

enum { SECOND_MS = 1000, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, MONTH_DAYS = 30, YEAR_DAYS = 365, TIME_DIGITS = 12 };

void smpp_validity_format(int64_t ms, char out[SMPP_TIME + 1])
{
	int64_t most = (int64_t)MONTH_DAYS * DAY_S, s = ms / SECOND_MS;

	s = s < 1 ? 1 : s > most ? most : s;
	(void)snprintf(out, SMPP_TIME + 1, "0000%02u%02u%02u%02u000R", (unsigned)(s / DAY_S), (unsigned)(s % DAY_S / HOUR_S),
		       (unsigned)(s % HOUR_S / MINUTE_S), (unsigned)(s % MINUTE_S));
}

int64_t smpp_validity_ms(const char *validity)
{
	static const int64_t units_s[] = { (int64_t)YEAR_DAYS * DAY_S, (int64_t)MONTH_DAYS * DAY_S, DAY_S, HOUR_S, MINUTE_S, 1 };
	int64_t s = 0;

	if (!*validity)
		return 0;
	if (strlen(validity) != SMPP_TIME || strspn(validity, "0123456789") != SMPP_TIME - 1 ||
	    strcmp(validity + TIME_DIGITS, "000R") != 0)
		return -1;
	for (size_t i = 0; i < LEN(units_s); i++)
		s += units_s[i] * ((validity[2 * i] - '0') * 10 + validity[2 * i + 1] - '0');
	return s * SECOND_MS;
}

/* ---- message ids ---- */

static const char *no_zeros(const char *id)
{
	return id + strspn(id, "0");
}

/* False: not such a number, or too large to be one that two systems write differently. */
static bool number_of(const char *id, int base, uint64_t *out)
{
	const char *digits = base == 10 ? "0123456789" : "0123456789abcdefABCDEF";

	if (!*id || id[strspn(id, digits)])
		return false;
	errno = 0;
	*out = strtoull(id, NULL, base);
	return errno == 0;
}

static bool decimal_is_hex(const char *decimal, const char *hex)
{
	uint64_t a, b;

	return number_of(decimal, 10, &a) && number_of(hex, 16, &b) && a == b;
}

bool smpp_id_equal(const char *a, const char *b)
{
	if (!*a || !*b)
		return false;
	return !strcasecmp(no_zeros(a), no_zeros(b)) || decimal_is_hex(a, b) || decimal_is_hex(b, a);
}
