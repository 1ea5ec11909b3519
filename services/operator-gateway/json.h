/* SPDX-License-Identifier: Apache-2.0 */
/* What jansson lacks for us; for the gateway and rspctl. */
#ifndef OPERATOR_GATEWAY_JSON_H
#define OPERATOR_GATEWAY_JSON_H

#include <jansson.h>

#include "common/base/arena.h"

/* For CLEANUP on a json_t *. */
void json_freep(json_t **j);
/* Compact text of j in a. */
const char *json_text(struct arena *a, const json_t *j);
/* Sets a member; NULL text: leaves it out. */
void json_put(json_t *o, const char *name, const char *text);

#endif
