/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's order interface. ES1 is called, not served. */
#include "services/eum/eum.h"

const struct served eum_served[EUM_SERVED] = {
	{ FN_EUM_CreateBatch, &eum_create_batch_load, eum_create_batch, eum_create_batch_committed },
	SERVE(EUM, GetBatch, &eum_get_batch_load, eum_get_batch),
	SERVE(EUM, UpdateProperties, &eum_update_properties_load, eum_update_properties),
};
