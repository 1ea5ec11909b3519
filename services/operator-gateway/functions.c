/* SPDX-License-Identifier: Apache-2.0 */
/* The operator side of ES2 and ES4. Callbacks and notifications come with the procedures that make them; until then the pipeline
 * answers requests 1.6/3.1 and takes notifications with 202 by their rows of proto/functions.def. */
#include "services/operator-gateway/gateway.h"

const struct served gateway_served[] = {
	{ 0 }, /* C has no empty arrays; not counted */
};
const size_t gateway_n_served = LEN(gateway_served) - 1;
