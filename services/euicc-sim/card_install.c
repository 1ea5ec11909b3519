/* SPDX-License-Identifier: Apache-2.0 */
/* A profile package on its way into an ISD-P (procedures.md 3.3 C): read element by element as its pieces come, stored, and made a
 * profile at its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/card/profile_file.h"
#include "services/euicc-sim/card_internal.h"

enum { ELEMENT_MAX = 256 * 1024, ROOM_FIRST = 4096 }; /* ours */
enum { MAJOR_FIRST = 2, MAJOR_LAST = 3, POL1_RULES = POL1_NO_DISABLE | POL1_NO_DELETE | POL1_DELETE_AFTER_DISABLE };
/* EF.MSISDN (3GPP TS 31.102 4.2.26): an alpha identifier of any length, then these. */
enum { NUMBER_TAIL = 14, NUMBER_AT = 2, NUMBER_BYTES = 10, RECORD_LENGTH_AT = 2 };

#define HAS(service) (UINT64_C(1) << SERVICE_##service)
/* What we are: a card that stores whatever has files, keys and parameters, and runs no code of a profile. */
#define SERVICES_HERE                                                                                                          \
	(HAS(USIM) | HAS(ISIM) | HAS(CSIM) | HAS(MILENAGE) | HAS(TUAK128) | HAS(TUAK256) | HAS(CAVE) | HAS(GBA_USIM) |         \
	 HAS(GBA_ISIM) | HAS(MBMS) | HAS(MULTIPLE_USIM) | HAS(MULTIPLE_ISIM) | HAS(MULTIPLE_CSIM) | HAS(USIM_TEST_ALGORITHM) | \
	 HAS(BER_TLV) | HAS(DF_LINK) | HAS(GET_IDENTITY) | HAS(PROFILE_A_X25519) | HAS(PROFILE_B_P256))
#define SERVICES_OF_CODE (HAS(JAVACARD) | HAS(MULTOS))

void card_install_free(struct card_install *in)
{
	if (!in)
		return;
	profile_reader_free(&in->reader);
	secret_free(&in->stored);
	secret_wipe(in, sizeof(*in));
	free(in);
}

static struct card_install *install_new(void)
{
	struct card_install *in = calloc(1, sizeof(*in));

	if (!in)
		abort();
	profile_reader_init(&in->reader, ELEMENT_MAX);
	return in;
}

static bool refuse(struct profile_fault *fault, const char *field, const char *what, enum pe_status status)
{
	fault->field = field;
	fault->what = what;
	fault->status = (uint16_t)status;
	return false;
}

static bool iccid_here(const struct card *c, const struct iccid *iccid)
{
	for (size_t i = 0; i < CARD_PROFILES; i++)
		if (c->profiles[i].aid.len && !strcmp(c->profiles[i].iccid.text, iccid->text))
			return true;
	return false;
}

static bool take_header(const struct card *c, struct card_install *in, const struct profile_element *e, struct profile_fault *fault)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_header h;

	if (!profile_header_decode(a, e, &h, fault))
		return false;
	if (h.major < MAJOR_FIRST || h.major > MAJOR_LAST)
		return refuse(fault, "major-version", "not a version that is supported", PE_STATUS_UNSUPPORTED_PROFILE_VERSION);
	if (h.services & SERVICES_OF_CODE)
		return refuse(fault, "eUICC-Mandatory-services", "this card runs no code", PE_STATUS_RUNTIME_NOT_SUPPORTED);
	if (h.services & ~SERVICES_HERE)
		return refuse(fault, "eUICC-Mandatory-services", "not on this card", PE_STATUS_FEATURE_NOT_SUPPORTED);
	if (h.n_aids)
		return refuse(fault, "eUICC-Mandatory-AIDs", "not on this card", PE_STATUS_LIB_NOT_SUPPORTED);
	if (!profile_header_iccid(&h, &in->iccid))
		return refuse(fault, "iccid", "not an ICCID", PE_STATUS_BAD_VALUES);
	if (iccid_here(c, &in->iccid))
		return refuse(fault, "iccid", "a profile here has it", PE_STATUS_INVALID_PARAMETER);
	in->pol1 = profile_header_pol1(&h) & POL1_RULES;
	return true;
}

/* A file's content; nothing when the element does not have the file. */
static void file_content(struct arena *a, const struct profile_element *e, const char *name, struct profile_file *f,
			 struct buf *out)
{
	struct profile_fault fault = { 0 };

	if (!profile_file_find(a, e, name, f, &fault) || !profile_file_content(out, f))
		buf_clear(out);
}

static void take_imsi(struct card_install *in, const struct profile_element *e)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf content = { 0 };
	struct profile_file f;

	file_content(a, e, "ef-imsi", &f, &content);
	(void)profile_imsi_text((struct bytes){ (const uint8_t *)content.data, content.len }, in->imsi);
}

/* The number in the first record. */
static void take_msisdn(struct card_install *in, const struct profile_element *e)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf content = { 0 };
	struct profile_file f = { 0 };
	const uint8_t *tail, *d;
	size_t record, n = 0;

	file_content(a, e, "ef-msisdn", &f, &content);
	d = f.fcp.descriptor.data;
	record = f.fcp.descriptor.len == 4 ? (size_t)d[RECORD_LENGTH_AT] << 8 | d[RECORD_LENGTH_AT + 1] : content.len;
	if (record < NUMBER_TAIL || record > content.len)
		return;
	tail = (const uint8_t *)content.data + record - NUMBER_TAIL;
	if (tail[0] < 2 || tail[0] > NUMBER_BYTES + 1)
		return;
	for (size_t i = 0; i < 2 * (size_t)(tail[0] - 1) && n < MSISDN_MAX; i++) {
		uint8_t digit = i % 2 ? tail[NUMBER_AT + i / 2] >> 4 : tail[NUMBER_AT + i / 2] & 0xF;

		if (digit > 9)
			break;
		in->msisdn[n++] = (char)('0' + digit);
	}
	in->msisdn[n] = '\0';
}

/* Memory for so many more bytes: of the quota, or of the card. */
static bool charge(struct card *c, struct card_profile *p, const struct card_install *in, size_t n)
{
	if (!p->grows)
		return in->len + n <= (uint64_t)p->memory;
	if ((int64_t)n > c->remaining_memory)
		return false;
	p->memory += (int64_t)n;
	c->remaining_memory -= (int64_t)n;
	return true;
}

/* Wiped where it was when it moves. */
static void keep(struct card_install *in, struct bytes element)
{
	size_t room = in->stored.len ? in->stored.len : ROOM_FIRST;
	struct secret wider;

	while (room < in->len + element.len)
		room *= 2;
	if (room != in->stored.len) {
		wider = secret_new(room);
		if (in->len)
			memcpy(wider.data, in->stored.data, in->len);
		secret_free(&in->stored);
		in->stored = wider;
	}
	memcpy(in->stored.data + in->len, element.data, element.len);
	in->len += element.len;
}

static bool take_element(struct card *c, struct card_channel *ch, const struct profile_element *e, struct profile_fault *fault,
			 const struct card_effects *effects)
{
	struct card_install *in = ch->install;

	*fault = (struct profile_fault){ .index = in->n, .element = e->name, .identification = e->identification };
	if (e->kind == PE_UNKNOWN && e->mandated)
		return refuse(fault, NULL, "mandated, and not known", PE_STATUS_NOT_SUPPORTED);
	if (e->kind == PE_HEADER && !take_header(c, in, e, fault))
		return false;
	if (e->kind == PE_USIM || e->kind == PE_IOT)
		take_imsi(in, e);
	if (e->kind == PE_OPT_USIM)
		take_msisdn(in, e);
	if (card_fault_strikes(effects, CARD_FAULT_ELEMENT, in->n + 1))
		return refuse(fault, NULL, "a test makes it fail", PE_STATUS_MEMORY_FAILURE);
	if (card_fault_strikes(effects, CARD_FAULT_FULL, 0) || !charge(c, &c->profiles[ch->secured], in, e->whole.len))
		return refuse(fault, NULL, "no memory left", PE_STATUS_NOT_ENOUGH_MEMORY);
	keep(in, e->whole);
	in->n++;
	return true;
}

/* The rules between elements: only now is all of it here. */
static bool whole_ok(const struct card_install *in, struct profile_fault *fault)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct profile_package p;

	return profile_package_parse(a, (struct bytes){ in->stored.data, in->len }, &p, fault) && profile_package_check(&p, fault);
}

static void become_profile(struct card *c, struct card_channel *ch)
{
	struct card_profile *p = &c->profiles[ch->secured];
	struct card_install *in = ch->install;
	struct card_domain *d = p->domain;

	p->iccid = in->iccid;
	memcpy(p->imsi, in->imsi, sizeof(p->imsi));
	/* Most packages do not say their number; the network knows it, and is told (control.c). Until then the IMSI is it. */
	(void)snprintf(p->msisdn, sizeof(p->msisdn), "%s", *in->msisdn ? in->msisdn : in->imsi);
	p->pol1 = in->pol1;
	p->state = ISDP_DISABLED;
	sha256(in->stored.data, in->len, d->digest);
	d->n_elements = (uint32_t)in->n;
	d->bytes = in->len;
	d->elements = secret_new(in->len);
	memcpy(d->elements.data, in->stored.data, in->len);
	d->changed = true;
	c->installs++;
	card_install_free(in);
	ch->install = NULL;
}

static bool answer_failed(struct buf *answer, const struct profile_fault *fault, struct card_effects *effects)
{
	struct pe_status_entry status = { fault->status, fault->identification, -1, -1 };
	const char *what = fault->what ? fault->what : "refused";
	struct euicc_response r = { &status, 1, true, { (const uint8_t *)what, strlen(what) } };

	if (r.message.len > EUICC_RESPONSE_MESSAGE_MAX)
		r.message.len = EUICC_RESPONSE_MESSAGE_MAX;
	euicc_response_build(answer, &r);
	effects->why = what;
	return false;
}

/* What was begun in a channel that is gone does not go on. */
static bool answer_spoilt(struct buf *answer, struct card_effects *effects)
{
	const struct profile_fault fault = { .identification = PE_NO_IDENTIFICATION,
					     .what = "an installation was interrupted: delete the ISD-P",
					     .status = PE_STATUS_INVALID_REQUEST_FORMAT };

	return answer_failed(answer, &fault, effects);
}

static bool done(struct card *c, struct card_channel *ch, struct buf *answer, struct card_effects *effects)
{
	struct profile_fault fault = { .identification = PE_NO_IDENTIFICATION };
	struct pe_status_entry status = { PE_STATUS_OK, -1, -1, -1 };

	if (!whole_ok(ch->install, &fault))
		return answer_failed(answer, &fault, effects);
	become_profile(c, ch);
	euicc_response_build(answer, &(struct euicc_response){ .statuses = &status, .n = 1 });
	return true;
}

bool card_install_feed(struct card *c, struct card_channel *ch, struct bytes plain, struct buf *answer,
		       struct card_effects *effects)
{
	struct card_domain *d = c->profiles[ch->secured].domain;
	struct profile_element e;
	struct profile_fault fault;

	if (!ch->install && d->begun)
		return answer_spoilt(answer, effects);
	if (!ch->install) {
		ch->install = install_new();
		d->begun = true;
		d->changed = true;
	}
	effects->changed = true;
	profile_reader_feed(&ch->install->reader, plain);
	for (;;) {
		switch (profile_reader_next(&ch->install->reader, &e)) {
		case PROFILE_READER_ELEMENT:
			if (!take_element(c, ch, &e, &fault, effects))
				return answer_failed(answer, &fault, effects);
			break;
		case PROFILE_READER_MORE:
			return true;
		case PROFILE_READER_END:
			return done(c, ch, answer, effects);
		case PROFILE_READER_BROKEN:
			return answer_failed(answer, &ch->install->reader.fault, effects);
		}
	}
}
