/* SPDX-License-Identifier: Apache-2.0 */
/* Many rows as one parameter: a JSON array of objects, for jsonb_to_recordset. */
#ifndef SMSR_EIS_JSON_H
#define SMSR_EIS_JSON_H

#include <jansson.h>

#include "common/base/arena.h"
#include "common/store/store.h"

/* What is NULL, or left out, becomes null. */
void json_put_text(json_t *o, const char *key, const char *value);
void json_put_int(json_t *o, const char *key, const int64_t *value);
void json_put_hex(struct arena *a, json_t *o, const char *key, const void *data, size_t n);
/* Takes the value over. The text lives in a. */
struct param p_json(struct arena *a, json_t *value);

#endif
