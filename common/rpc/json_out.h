/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written straight into a buffer, for texts of peers that may hold anything. */
#ifndef RPC_JSON_OUT_H
#define RPC_JSON_OUT_H

#include <stddef.h>

#include "common/base/buf.h"

/* A quoted JSON string. Octets that are not UTF-8 become U+FFFD. */
void json_out(struct buf *b, const void *text, size_t n);
/* NULL becomes null. */
void json_out_text(struct buf *b, const char *text);
/* "name":"value" with a comma before it unless it follows { */
void json_out_member(struct buf *b, const char *name, const char *value);

#endif
