/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes as sm-sr and sm-sr-handover write them to each other (proto/events/rq.*.json, handover.json). */
#ifndef SGP02_CODE_TEXT_H
#define SGP02_CODE_TEXT_H

#include "common/sgp02/result.h"

/* The code of "8.7/3.8": subject and reason. otherwise: text is NULL, none, or one that the table does not have (another release speaks). */
enum code code_of_text(const char *text, enum code otherwise);

#endif
