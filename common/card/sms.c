/* SPDX-License-Identifier: Apache-2.0 */
#include "common/card/sms.h"

#include <string.h>

enum { IE_CONCAT = 0x00, IE_CONCAT_WIDE = 0x08, CONCAT_LEN = 3, CONCAT_WIDE_LEN = 4 };
/* UDH of a part: alone, the first of several, one behind it. */
enum { UDH_ALONE = 3, UDH_FIRST = 8, UDH_NEXT = 6 };

static size_t parts_of(size_t len)
{
	const size_t first = SMS_USER_DATA - UDH_FIRST, next = SMS_USER_DATA - UDH_NEXT;

	if (len <= SMS_USER_DATA - UDH_ALONE)
		return 1;
	return 1 + (len - first + next - 1) / next;
}

static size_t udh_write(enum sms_kind kind, uint8_t ref, size_t total, size_t number, uint8_t *out)
{
	const uint8_t alone[UDH_ALONE] = { 2, (uint8_t)kind, 0 };
	const uint8_t first[UDH_FIRST] = { 7, (uint8_t)kind, 0, IE_CONCAT, CONCAT_LEN, ref, (uint8_t)total, 1 };
	const uint8_t next[UDH_NEXT] = { 5, IE_CONCAT, CONCAT_LEN, ref, (uint8_t)total, (uint8_t)number };
	const uint8_t *udh = total == 1 ? alone : number == 1 ? first : next;
	size_t n = (size_t)udh[0] + 1;

	memcpy(out, udh, n);
	return n;
}

size_t sms_split(struct arena *a, enum sms_kind kind, struct bytes packet, uint8_t ref, struct bytes **out)
{
	size_t total = parts_of(packet.len), done = 0;
	struct bytes *parts;

	/* Nothing is sent that is neither a command nor an answer; such a packet has no UDH to bear. */
	if (kind == SMS_OTHER || total > SMS_PARTS_MAX)
		return 0;
	parts = arena_array(a, total, sizeof(*parts));
	for (size_t i = 0; i < total; i++) {
		uint8_t *part = arena_alloc(a, SMS_USER_DATA);
		size_t udh = udh_write(kind, ref, total, i + 1, part), n = packet.len - done;

		if (n > SMS_USER_DATA - udh)
			n = SMS_USER_DATA - udh;
		if (n > 0)
			memcpy(part + udh, packet.data + done, n);
		done += n;
		parts[i] = (struct bytes){ part, udh + n };
	}
	*out = parts;
	return total;
}

/* One information element. False: a concatenation that is none. */
static bool element(uint8_t id, const uint8_t *value, size_t n, struct sms_part *p)
{
	switch (id) {
	case SMS_COMMAND:
	case SMS_ANSWER:
		p->kind = id;
		return true;
	case IE_CONCAT:
	case IE_CONCAT_WIDE: /* a reference of two bytes: the low one tells the few packets of a card apart as well */
		if (n != (id == IE_CONCAT ? CONCAT_LEN : CONCAT_WIDE_LEN))
			return false;
		p->ref = value[n - 3];
		p->total = value[n - 2];
		p->number = value[n - 1];
		return p->number >= 1 && p->number <= p->total;
	default:
		return true;
	}
}

bool sms_part_parse(struct bytes user_data, struct sms_part *out)
{
	struct sms_part p = { .kind = SMS_OTHER, .total = 1, .number = 1 };
	const uint8_t *u = user_data.data;
	size_t end, at = 1;

	if (user_data.len == 0 || (size_t)u[0] + 1 > user_data.len)
		return false;
	end = (size_t)u[0] + 1;
	while (at < end) {
		if (end - at < 2 || end - at - 2 < u[at + 1])
			return false;
		if (!element(u[at], u + at + 2, u[at + 1], &p))
			return false;
		at += 2 + (size_t)u[at + 1];
	}
	p.data = (struct bytes){ u + end, user_data.len - end };
	*out = p;
	return true;
}
