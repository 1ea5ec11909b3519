/* SPDX-License-Identifier: Apache-2.0 */
#include "services/operator-gateway/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct arena *a, const void *data, size_t n)
{
	const uint8_t *in = data;
	char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1), *at = out;

	for (size_t i = 0; i < n; i += 3) {
		unsigned have = n - i > 2 ? 3 : (unsigned)(n - i);
		unsigned group = (unsigned)in[i] << 16 | (have > 1 ? (unsigned)in[i + 1] << 8 : 0) | (have > 2 ? in[i + 2] : 0);

		*at++ = alphabet[group >> 18];
		*at++ = alphabet[group >> 12 & 63];
		*at++ = have > 1 ? alphabet[group >> 6 & 63] : '=';
		*at++ = have > 2 ? alphabet[group & 63] : '=';
	}
	return out;
}

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

bool base64_decode(struct arena *a, const char *text, struct bytes *out)
{
	size_t n = strlen(text), pad = 0, len = 0;
	uint8_t *data;

	if (n % 4)
		return false;
	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	data = arena_alloc(a, n / 4 * 3);
	for (size_t i = 0; i < n; i += 4) {
		size_t have = i + 4 == n ? 4 - pad : 4;
		unsigned group = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = k < have ? digit(text[i + k]) : 0;

			if (d < 0)
				return false;
			group = group << 6 | (unsigned)d;
		}
		if ((have == 2 && group & 0xFFFF) || (have == 3 && group & 0xFF))
			return false;
		data[len++] = (uint8_t)(group >> 16);
		if (have > 2)
			data[len++] = (uint8_t)(group >> 8);
		if (have > 3)
			data[len++] = (uint8_t)group;
	}
	*out = (struct bytes){ data, len };
	return true;
}
