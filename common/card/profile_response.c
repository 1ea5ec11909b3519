/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/profile_response.h"

#include <string.h>

#include "common/card/profile_internal.h"

enum { TAG_RESPONSE = 0x30, TAG_STATUSES = 0xA0, TAG_STATUS = 0x30, TAG_ABORTED = 0x81, TAG_MESSAGE = 0x82 };
enum { STATUS_MAX = 0xFFFF, ADDITIONAL_MAX = 255, OFFSET_MAX = 0x7FFFFFFF };

static const char *const status_texts[] = {
	[PE_STATUS_OK] = "ok",
	[PE_STATUS_NOT_SUPPORTED] = "pe-not-supported",
	[PE_STATUS_MEMORY_FAILURE] = "memory-failure",
	[PE_STATUS_BAD_VALUES] = "bad-values",
	[PE_STATUS_NOT_ENOUGH_MEMORY] = "not-enough-memory",
	[PE_STATUS_INVALID_REQUEST_FORMAT] = "invalid-request-format",
	[PE_STATUS_INVALID_PARAMETER] = "invalid-parameter",
	[PE_STATUS_RUNTIME_NOT_SUPPORTED] = "runtime-not-supported",
	[PE_STATUS_LIB_NOT_SUPPORTED] = "lib-not-supported",
	[PE_STATUS_TEMPLATE_NOT_SUPPORTED] = "template-not-supported",
	[PE_STATUS_FEATURE_NOT_SUPPORTED] = "feature-not-supported",
	[PE_STATUS_PIN_CODE_MISSING] = "pin-code-missing",
	[PE_STATUS_UNSUPPORTED_PROFILE_VERSION] = "unsupported-profile-version",
};

struct status_wire {
	struct bytes status, identification, additional, offset;
};
static const struct tlv_field status_rows[] = {
	{ TLV_ROW(0x80, TLV_BYTES, 0, struct status_wire, status) },
	{ TLV_ROW(0x81, TLV_BYTES, TLV_OPTIONAL, struct status_wire, identification) },
	{ TLV_ROW(0x82, TLV_BYTES, TLV_OPTIONAL, struct status_wire, additional) },
	{ TLV_ROW(0x83, TLV_BYTES, TLV_OPTIONAL, struct status_wire, offset) },
	{ 0 },
};
static const struct tlv_group status_group = { sizeof(struct status_wire), status_rows };
struct statuses_wire {
	struct status_wire *items;
	size_t n;
};
static const struct tlv_field statuses_rows[] = {
	{ TLV_ROW(TAG_STATUS, TLV_GROUP, TLV_MANY | TLV_OPTIONAL, struct statuses_wire, items),
	  .count_offset = offsetof(struct statuses_wire, n), .size = sizeof(struct status_wire), .sub = &status_group },
	{ 0 },
};
static const struct tlv_group statuses_group = { sizeof(struct statuses_wire), statuses_rows };
struct response_wire {
	struct statuses_wire statuses;
	bool aborted;
	struct bytes message;
};
static const struct tlv_field response_rows[] = {
	{ TLV_ROW_GROUP(TAG_STATUSES, 0, struct response_wire, statuses, &statuses_group) },
	{ TLV_ROW(TAG_ABORTED, TLV_FLAG, 0, struct response_wire, aborted) },
	{ TLV_ROW(TAG_MESSAGE, TLV_BYTES, TLV_OPTIONAL, struct response_wire, message) },
	{ 0 },
};
static const struct tlv_group response_group = { sizeof(struct response_wire), response_rows };

static void add_status(struct buf *out, const struct pe_status_entry *s)
{
	size_t at = out->len;

	der_add_number(out, 0x80, s->status);
	if (s->identification >= 0)
		der_add_number(out, 0x81, (uint64_t)s->identification);
	if (s->additional >= 0)
		der_add_number(out, 0x82, (uint64_t)s->additional);
	if (s->offset >= 0)
		der_add_number(out, 0x83, (uint64_t)s->offset);
	tlv_wrap(out, at, TAG_STATUS);
}

void euicc_response_build(struct buf *out, const struct euicc_response *r)
{
	size_t at = out->len;

	for (size_t i = 0; i < r->n; i++)
		add_status(out, &r->statuses[i]);
	tlv_wrap(out, at, TAG_STATUSES);
	if (r->aborted)
		tlv_add(out, TAG_ABORTED, NULL, 0);
	if (r->message.data)
		tlv_add(out, TAG_MESSAGE, r->message.data, r->message.len);
	tlv_wrap(out, at, TAG_RESPONSE);
}

/* An optional number: -1 when absent. */
static bool number(struct bytes in, uint64_t max, int64_t *out)
{
	uint64_t n;

	*out = -1;
	if (!in.data)
		return true;
	if (!der_number(in, &n) || n > max)
		return false;
	*out = (int64_t)n;
	return true;
}

static bool take_status(const struct status_wire *w, struct pe_status_entry *out)
{
	int64_t status, identification, additional, offset;

	if (!number(w->status, STATUS_MAX, &status) || !number(w->identification, PE_IDENTIFICATION_MAX, &identification) ||
	    !number(w->additional, ADDITIONAL_MAX, &additional) || !number(w->offset, OFFSET_MAX, &offset))
		return false;
	*out = (struct pe_status_entry){ (uint16_t)status, (int32_t)identification, (int32_t)additional, offset };
	return true;
}

static bool refuse(const char **out_why, const char *why)
{
	*out_why = why;
	return false;
}

bool euicc_response_parse(struct arena *a, struct bytes in, struct euicc_response *out, const char **out_why)
{
	struct tlv_fault fault = { 0 };
	struct euicc_response r = { 0 };
	struct response_wire w;
	struct tlv t;

	if (!tlv_next(&in, &t) || t.tag != TAG_RESPONSE || in.len)
		return refuse(out_why, "not one EUICCResponse: cut off, another tag, or bytes behind it");
	if (!tlv_decode_fault(a, &response_group, t.value, &w, &fault))
		return refuse(out_why, "EUICCResponse without its peStatus list, or with a field that cannot be read");
	if (w.statuses.n > EUICC_RESPONSE_STATUSES_MAX)
		return refuse(out_why, "EUICCResponse with too many statuses");
	r.statuses = arena_array(a, w.statuses.n, sizeof(*r.statuses));
	r.n = w.statuses.n;
	for (size_t i = 0; i < r.n; i++)
		if (!take_status(&w.statuses.items[i], &r.statuses[i]))
			return refuse(out_why, "EUICCResponse with a PEStatus whose numbers cannot be read");
	r.aborted = w.aborted;
	r.message = w.message;
	if (r.message.len > EUICC_RESPONSE_MESSAGE_MAX)
		r.message.len = EUICC_RESPONSE_MESSAGE_MAX;
	*out = r;
	return true;
}

const struct pe_status_entry *euicc_response_failure(const struct euicc_response *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->statuses[i].status != PE_STATUS_OK)
			return &r->statuses[i];
	return NULL;
}

bool euicc_response_ok(const struct euicc_response *r)
{
	return !r->aborted && r->n > 0 && !euicc_response_failure(r);
}

const char *pe_status_text(unsigned status)
{
	if (status < LEN(status_texts) && status_texts[status])
		return status_texts[status];
	if (status >> 12 == 0x6 || status >> 12 == 0x9)
		return "status word";
	return status >= 0xA000 ? "of the card's own" : "reserved";
}

static void explain_element(struct buf *out, int32_t identification, const struct profile_package *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (p->elements[i].identification != identification)
			continue;
		buf_printf(out, "element %zu of %zu, %s (identification %d), ", i + 1, p->n, p->elements[i].name,
			   (int)identification);
		return;
	}
	buf_printf(out, "identification %d, ", (int)identification);
}

static void explain_message(struct buf *out, struct bytes message)
{
	buf_str(out, "; the card says \"");
	for (size_t i = 0; i < message.len; i++) {
		char c = (char)message.data[i];

		buf_char(out, c >= ' ' && c < 0x7F && c != '"' ? c : '?');
	}
	buf_char(out, '"');
}

const char *euicc_response_explain(struct arena *a, const struct euicc_response *r, const struct profile_package *p)
{
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct pe_status_entry *s = euicc_response_failure(r);

	if (s && s->identification >= 0)
		explain_element(&b, s->identification, p);
	if (s)
		buf_printf(&b, "%s (%u)", pe_status_text(s->status), s->status);
	else
		buf_str(&b, r->n ? "all elements ok" : "no status");
	if (s && s->additional >= 0)
		buf_printf(&b, ", additional information %d", (int)s->additional);
	if (s && s->offset >= 0)
		buf_printf(&b, ", at byte %lld", (long long)s->offset);
	if (r->aborted)
		buf_str(&b, ", installation aborted");
	if (r->message.len)
		explain_message(&b, r->message);
	return arena_strndup(a, b.data, b.len);
}
