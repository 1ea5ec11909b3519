/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 of RFC 4648 section 4, for octets in JSON. */
#ifndef OPERATOR_GATEWAY_BASE64_H
#define OPERATOR_GATEWAY_BASE64_H

#include <stdbool.h>

#include "common/base/arena.h"

char *base64_encode(struct arena *a, const void *data, size_t n);
/* False: another alphabet, wrong padding, or bits beyond the end. */
bool base64_decode(struct arena *a, const char *text, struct bytes *out);

#endif
