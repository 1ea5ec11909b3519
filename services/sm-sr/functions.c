/* SPDX-License-Identifier: Apache-2.0 */
/* What this sm-sr serves; every other row of proto/functions.def is answered 1.6/3.1 by the pipeline. */
#include "services/sm-sr/functions.h"

#include "services/sm-sr/smsr.h"

const struct served smsr_served[] = {
	{ FN_ES1_RegisterEIS, &es1_register_eis_load, es1_register_eis, es1_register_eis_committed },
	SERVE(ES1, UpdateEISAdditionalProperties, &es1_update_properties_load, es1_update_eis_additional_properties),
	SERVE(ES4, GetEIS, &es4_get_eis_load, es4_get_eis),
};
const size_t smsr_served_count = LEN(smsr_served);
