/* SPDX-License-Identifier: Apache-2.0 */
/* What every request and answer starts with (wire.md 4). Message structs embed these as their first member. */
#ifndef SGP02_CALL_H
#define SGP02_CALL_H

#include "common/sgp02/eis.h"

struct request_base {
	const char *fci;    /* FunctionCallIdentifier, 1..256 characters */
	int64_t *validity_s; /* NULL: the function's default */
};

struct response_base {
	int64_t *processing_start, *processing_end; /* microseconds since 1970 */
	int64_t *acceptable_validity_s; /* only with 1.2.1/3.8 */
	struct execution_status status;
};

#endif
