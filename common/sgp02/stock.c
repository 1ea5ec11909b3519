/* SPDX-License-Identifier: Apache-2.0 */
#include "common/sgp02/stock.h"

#include <string.h>

#include "common/sgp02/names.h"

enum { ICCID_ISSUER = 6, NUMBER_ISSUER = 5 };

/* 0 is "cannot happen", so states stand one higher in the tables. */
#define TO(state) ((uint8_t)((state) + 1))

static const uint8_t fresh_next[STOCK_STATES][STOCK_EVENTS] = {
	[STOCK_AVAILABLE] = { [STEV_RESERVED] = TO(STOCK_RESERVED) },
	[STOCK_RESERVED] = { [STEV_SENT] = TO(STOCK_RESERVED),
			     [STEV_CLEANED] = TO(STOCK_AVAILABLE),
			     [STEV_UNSURE] = TO(STOCK_QUARANTINED) },
	[STOCK_QUARANTINED] = { [STEV_RELEASED] = TO(STOCK_AVAILABLE) },
};
/* Nothing is installed of which nothing was sent. */
static const uint8_t sent_next[STOCK_STATES][STOCK_EVENTS] = {
	[STOCK_AVAILABLE] = { [STEV_RESERVED] = TO(STOCK_RESERVED) },
	[STOCK_RESERVED] = { [STEV_SENT] = TO(STOCK_RESERVED),
			     [STEV_INSTALLED] = TO(STOCK_INSTALLED),
			     [STEV_CLEANED] = TO(STOCK_QUARANTINED),
			     [STEV_UNSURE] = TO(STOCK_QUARANTINED),
			     [STEV_DELETED] = TO(STOCK_QUARANTINED) },
	[STOCK_INSTALLED] = { [STEV_DELETED] = TO(STOCK_QUARANTINED) },
	[STOCK_QUARANTINED] = { [STEV_RELEASED] = TO(STOCK_AVAILABLE) },
};

static const char *const state_names[STOCK_STATES] = { "available", "reserved", "installed", "quarantined" };
static const char *const event_names[STOCK_EVENTS] = {
	"reserved", "sent", "installed", "cleaned", "unsure", "deleted", "released"
};

enum stock_state stock_next(enum stock_state state, bool sent, enum stock_event event)
{
	uint8_t next;

	if (state >= STOCK_STATES || event >= STOCK_EVENTS)
		return STOCK_STATES;
	next = (sent ? sent_next : fresh_next)[state][event];
	return next ? (enum stock_state)(next - 1) : STOCK_STATES;
}

bool stock_serves(bool sent, const struct eid *bound, const struct eid *eid)
{
	return !sent || (bound && eid_equal(bound, eid));
}

const char *stock_state_name(enum stock_state s)
{
	return s < STOCK_STATES ? state_names[s] : "?";
}

const char *stock_event_name(enum stock_event e)
{
	return e < STOCK_EVENTS ? event_names[e] : "?";
}

enum stock_state stock_state_by_name(const char *name)
{
	return (enum stock_state)name_index(state_names, STOCK_STATES, name);
}

bool stock_iccid_parse(const char *text, struct iccid *out, const char **out_why)
{
	struct iccid iccid, right;
	char body[ICCID_MAX + 1];
	size_t n;

	*out_why = "should be 6 to 20 digits that start with 89";
	if (!iccid_parse(text, &iccid))
		return false;
	n = strlen(iccid.text);
	*out_why = "should be digits alone: leave out the padding F";
	if (strlen(text) != n)
		return false;
	memcpy(body, iccid.text, n - 1);
	body[n - 1] = '\0';
	*out_why = "its last digit should be the Luhn check digit of those before it";
	if (!iccid_complete(body, &right) || !iccid_equal(&iccid, &right))
		return false;
	*out = iccid;
	return true;
}

/* Adds index to the digits behind the first keep; false: a carry is left. */
static bool digits_add(char *text, size_t n, size_t keep, uint64_t index)
{
	for (size_t i = n; i > keep && index; i--) {
		index += (uint64_t)(text[i - 1] - '0');
		text[i - 1] = (char)('0' + index % 10);
		index /= 10;
	}
	return index == 0;
}

bool stock_iccid_at(const struct iccid *first, uint64_t index, struct iccid *out)
{
	size_t n = strlen(first->text);
	char body[ICCID_MAX + 1];

	if (n == 0 || index > UINT64_MAX - 9)
		return false;
	memcpy(body, first->text, n - 1);
	body[n - 1] = '\0';
	return digits_add(body, n - 1, ICCID_ISSUER, index) && iccid_complete(body, out);
}

bool stock_number_at(const char *first, uint64_t index, char out[IMSI_MAX + 1])
{
	char text[IMSI_MAX + 1];
	size_t n = strlen(first);

	if (n > IMSI_MAX || index > UINT64_MAX - 9 || strspn(first, "0123456789") != n)
		return false;
	memcpy(text, first, n + 1);
	if (!digits_add(text, n, NUMBER_ISSUER, index))
		return false;
	memcpy(out, text, n + 1);
	return true;
}
