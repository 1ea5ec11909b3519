/* SPDX-License-Identifier: Apache-2.0 */
/* For the administrator: SM-SR changes of both sides, and what a person decides about one. */
#include "services/sm-sr-handover/handover.h"

const struct route handover_admin[] = {
	{ "GET", "/admin/handovers", handover_list },      /* ?side=&stage=&eid=&limit= */
	{ "GET", "/admin/handovers/show", handover_show }, /* ?id= */
	{ "POST", "/admin/handovers/resolve", handover_out_resolve }, /* {"handover": id, "moved": bool, "by": who says so} */
	{ "POST", "/admin/handovers/skip", handover_in_skip }, /* {"handover": id, "by": who says so}: the card's step it is at */
	{ 0 },
};
