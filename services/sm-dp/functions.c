/* SPDX-License-Identifier: Apache-2.0 */
/* What this sm-dp serves; every other row of proto/functions.def is answered 1.6/3.1 by the pipeline. */
#include "services/sm-dp/download.h"

const struct served smdp_served[] = {
	{ FN_ES2_DownloadProfile, &es2_download_profile_load, es2_download_profile, es2_download_profile_committed },
};
const size_t smdp_n_served = LEN(smdp_served);
