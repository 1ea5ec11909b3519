/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/script.h"

#include <limits.h>
#include <string.h>

#include "common/card/tlv_internal.h"

enum {
	TAG_COMMANDS = 0xAA,
	TAG_COMMANDS_INDEFINITE = 0xAE,
	TAG_ANSWER = 0xAB,
	TAG_ANSWER_INDEFINITE = 0xAF,
	TAG_C_APDU = 0x22,
	TAG_C_APDU_OLD = 0xA2,
	TAG_R_APDU = 0x23,
	TAG_EXECUTED = 0x80,
	TAG_IMMEDIATE_ACTION = 0x81,
	TAG_CHAINING = 0x83,
	TAG_BAD_FORMAT = 0x90,
	UNKNOWN_TAG = 0x01, /* a value of 90 */
};

static bool refuse(const char **out_why, const char *why)
{
	*out_why = why;
	return false;
}

static size_t begin(struct buf *out, enum script_form form, uint8_t indefinite_tag)
{
	const uint8_t head[] = { indefinite_tag, 0x80 };
	size_t at = out->len;

	if (form == SCRIPT_INDEFINITE)
		buf_add(out, head, sizeof(head));
	return at;
}

static void end(struct buf *out, enum script_form form, size_t at, uint32_t definite_tag)
{
	if (form == SCRIPT_INDEFINITE)
		buf_add(out, "\0\0", 2);
	else
		tlv_wrap(out, at, definite_tag);
}

void script_build(struct buf *out, enum script_form form, const struct bytes *apdus, size_t n)
{
	size_t at = begin(out, form, TAG_COMMANDS_INDEFINITE);

	for (size_t i = 0; i < n; i++)
		tlv_add(out, TAG_C_APDU, apdus[i].data, apdus[i].len);
	end(out, form, at, TAG_COMMANDS);
}

void script_of_tlvs(struct buf *out, enum script_form form, struct bytes tlvs)
{
	size_t at = begin(out, form, TAG_COMMANDS_INDEFINITE);

	buf_add(out, tlvs.data, tlvs.len);
	end(out, form, at, TAG_COMMANDS);
}

/* A container that is read TLV by TLV; rest is what is still to come in it. */
struct container {
	enum script_form form;
	struct bytes rest;
	bool broken;
};

static bool container_open(struct bytes in, uint32_t definite_tag, uint8_t indefinite_tag, struct container *out)
{
	struct tlv t;

	if (in.len >= 2 && in.data[0] == indefinite_tag && in.data[1] == 0x80) {
		*out = (struct container){ SCRIPT_INDEFINITE, { in.data + 2, in.len - 2 }, false };
		return true;
	}
	if (!tlv_next(&in, &t) || t.tag != definite_tag || in.len)
		return false;
	*out = (struct container){ SCRIPT_DEFINITE, t.value, false };
	return true;
}

/* False: at the end, or broken: cut off, or bytes behind the end. */
static bool container_next(struct container *c, struct tlv *out)
{
	if (c->form == SCRIPT_DEFINITE && c->rest.len == 0)
		return false;
	if (c->form == SCRIPT_INDEFINITE && c->rest.len >= 2 && c->rest.data[0] == 0 && c->rest.data[1] == 0) {
		c->broken = c->rest.len != 2;
		return false;
	}
	c->broken = !tlv_next(&c->rest, out);
	return !c->broken;
}

static bool is_c_apdu(uint32_t tag)
{
	return tag == TAG_C_APDU || tag == TAG_C_APDU_OLD;
}

bool script_parse(struct bytes in, struct script *out, const char **out_why)
{
	struct container c, count;
	struct tlv t;
	size_t n = 0;

	if (!container_open(in, TAG_COMMANDS, TAG_COMMANDS_INDEFINITE, &c))
		return refuse(out_why, "not AA or AE 80, cut off, or bytes behind it");
	/* Judged before out is written: it is large, and untouched when the script is wrong. */
	for (count = c; container_next(&count, &t); n++) {
		if (!is_c_apdu(t.tag))
			return refuse(out_why, "a tag other than 22 and A2 in a command script");
		if (n == SCRIPT_COMMANDS_MAX)
			return refuse(out_why, "too many commands in one script");
	}
	if (count.broken)
		return refuse(out_why, "a command script is cut off or goes on behind its end");
	out->form = c.form;
	for (out->n = 0; container_next(&c, &t);)
		out->apdus[out->n++] = t.value;
	return true;
}

static bool read_result(struct script_answer *a, struct bytes v, const char **out_why)
{
	if (a->n == SCRIPT_COMMANDS_MAX)
		return refuse(out_why, "too many answers in one script");
	if (v.len < 2)
		return refuse(out_why, "23: shorter than its status word");
	a->results[a->n++] =
		(struct script_result){ { v.data, v.len - 2 }, (uint16_t)(v.data[v.len - 2] << 8 | v.data[v.len - 1]) };
	return true;
}

static bool read_executed(struct script_answer *a, struct bytes v, const char **out_why)
{
	int64_t n;

	if (a->executed >= 0)
		return refuse(out_why, "80: comes twice");
	if (!tlv_number(v, &n) || n > INT_MAX)
		return refuse(out_why, "80: not a number of commands");
	a->executed = (int)n;
	return true;
}

static bool read_part(struct script_answer *a, const struct tlv *t, const char **out_why)
{
	switch (t->tag) {
	case TAG_R_APDU:
		return read_result(a, t->value, out_why);
	case TAG_EXECUTED:
		return read_executed(a, t->value, out_why);
	case TAG_BAD_FORMAT:
		if (a->bad_format)
			return refuse(out_why, "90: comes twice");
		a->bad_format = true;
		return true;
	case TAG_IMMEDIATE_ACTION:
	case TAG_CHAINING:
		return true;
	default:
		return refuse(out_why, "an unknown tag in a script's answer");
	}
}

bool script_answer_parse(struct bytes in, struct script_answer *out, const char **out_why)
{
	struct script_answer a = { .executed = -1 };
	struct container c;
	struct tlv t;

	if (!container_open(in, TAG_ANSWER, TAG_ANSWER_INDEFINITE, &c))
		return refuse(out_why, "not AB or AF 80, cut off, or bytes behind it");
	while (container_next(&c, &t))
		if (!read_part(&a, &t, out_why))
			return false;
	if (c.broken)
		return refuse(out_why, "a script's answer is cut off or goes on behind its end");
	*out = a;
	return true;
}

bool script_answer_content(struct bytes in, struct bytes *out, const char **out_why)
{
	struct bytes first, last;
	struct container c;
	struct tlv t;

	if (!container_open(in, TAG_ANSWER, TAG_ANSWER_INDEFINITE, &c))
		return refuse(out_why, "not AB or AF 80, cut off, or bytes behind it");
	for (first = last = c.rest; container_next(&c, &t); last = c.rest) {
		if (t.tag == TAG_BAD_FORMAT)
			return refuse(out_why, "the eUICC could not read the script");
		if (t.tag == TAG_EXECUTED && last.data == first.data)
			first = c.rest;
	}
	if (c.broken)
		return refuse(out_why, "a script's answer is cut off or goes on behind its end");
	*out = (struct bytes){ first.data, first.len - last.len };
	return true;
}

void script_answer_build(struct buf *out, enum script_form form, const struct script_result *results, size_t n)
{
	size_t at = begin(out, form, TAG_ANSWER_INDEFINITE);

	if (form == SCRIPT_DEFINITE)
		tlv_add_number(out, TAG_EXECUTED, n, 1);
	for (size_t i = 0; i < n; i++) {
		const uint8_t sw[] = { (uint8_t)(results[i].sw >> 8), (uint8_t)results[i].sw };

		tlv_add_head(out, TAG_R_APDU, results[i].data.len + sizeof(sw));
		buf_add(out, results[i].data.data, results[i].data.len);
		buf_add(out, sw, sizeof(sw));
	}
	end(out, form, at, TAG_ANSWER);
}

void script_bad_format(struct buf *out, enum script_form form)
{
	size_t at = begin(out, form, TAG_ANSWER_INDEFINITE);

	if (form == SCRIPT_DEFINITE)
		tlv_add_number(out, TAG_EXECUTED, 0, 1);
	tlv_add_number(out, TAG_BAD_FORMAT, UNKNOWN_TAG, 1);
	end(out, form, at, TAG_ANSWER);
}
