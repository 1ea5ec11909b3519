/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-dp/stock_value.h"

#include <assert.h>
#include <string.h>

#include "common/base/random.h"

/* References of 3GPP TS 31.101 (ETSI TS 102 221, 9.5.1) as packages write them; keys of a set are numbered 1 to 3 (GlobalPlatform). */
enum { REF_PIN1 = 1, REF_ADM1 = 10, REF_PIN2 = 129, KEY_ENC = 1, KEY_MAC = 2, KEY_DEK = 3 };
enum { PIN_DRAWN = 4, CODE_FULL = 8, BELOW = 250 };

static const struct stock_slot slots[STOCK_USES] = {
	[USE_KI] = { PLACE_KI, 0 },           [USE_OPC] = { PLACE_OPC, 0 },         [USE_KIC] = { PLACE_SCP80, KEY_ENC },
	[USE_KID] = { PLACE_SCP80, KEY_MAC }, [USE_KIK] = { PLACE_SCP80, KEY_DEK }, [USE_ENC] = { PLACE_SCP03, KEY_ENC },
	[USE_MAC] = { PLACE_SCP03, KEY_MAC }, [USE_DEK] = { PLACE_SCP03, KEY_DEK }, [USE_PIN1] = { PLACE_PIN, REF_PIN1 },
	[USE_PIN2] = { PLACE_PIN, REF_PIN2 }, [USE_PUK1] = { PLACE_PUK, REF_PIN1 }, [USE_PUK2] = { PLACE_PUK, REF_PIN2 },
	[USE_ADM1] = { PLACE_PIN, REF_ADM1 },
};

const struct stock_slot *stock_slot_of(enum stock_use use)
{
	assert(use < STOCK_USES);
	return &slots[use];
}

static bool is_code(enum stock_use use)
{
	return slots[use].place == PLACE_PIN || slots[use].place == PLACE_PUK;
}

static bool digits(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i] < '0' || data[i] > '9')
			return false;
	return true;
}

static bool zeros(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (data[i])
			return false;
	return true;
}

const char *stock_value_why(enum stock_use use, const struct secret *value)
{
	size_t n;

	if (value->len != STOCK_KEY_LEN)
		return "should be 16 bytes";
	if (!is_code(use))
		return NULL;
	n = value->data[0];
	if (n < STOCK_CODE_MIN || n > STOCK_CODE_MAX || !zeros(value->data + 1 + n, STOCK_KEY_LEN - 1 - n))
		return "should be a length of 4 to 8, so many bytes, and zeros up to 16 bytes";
	if (slots[use].place == PLACE_PUK && n != CODE_FULL)
		return "should be 8 digits";
	if (use != USE_ADM1 && !digits(value->data + 1, n))
		return "should be digits (ASCII) behind its length";
	return NULL;
}

void stock_value_code(enum stock_use use, const struct secret *value, struct profile_code *out)
{
	assert(is_code(use) && !stock_value_why(use, value));
	out->reference = slots[use].id;
	memset(out->value, 0xFF, sizeof(out->value));
	memcpy(out->value, value->data + 1, value->data[0]);
}

/* Each of the ten is as likely as the others: what is left above 250 is thrown again. */
static uint8_t digit_draw(void)
{
	uint8_t octet;

	do
		random_bytes(&octet, 1);
	while (octet >= BELOW);
	return (uint8_t)('0' + octet % 10);
}

struct secret stock_value_draw(enum stock_use use)
{
	struct secret value = secret_new(STOCK_KEY_LEN);

	if (!is_code(use)) {
		random_bytes(value.data, value.len);
		return value;
	}
	value.data[0] = slots[use].place == PLACE_PUK || use == USE_ADM1 ? CODE_FULL : PIN_DRAWN;
	if (use == USE_ADM1)
		random_bytes(value.data + 1, CODE_FULL);
	for (size_t i = 0; use != USE_ADM1 && i < value.data[0]; i++)
		value.data[1 + i] = digit_draw();
	return value;
}
