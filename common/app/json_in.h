/* SPDX-License-Identifier: Apache-2.0 */
/* JSON bodies of routes. */
#ifndef APP_JSON_IN_H
#define APP_JSON_IN_H

#include <jansson.h>

#include "common/app/app.h"

/* Usable as CLEANUP(json_body_free). */
void json_body_free(json_t **j);
/* The body as a JSON object without double members. NULL: the call is answered already, with 400 and what is wrong where. */
json_t *json_body(struct http_call *call);

#endif
