/* SPDX-License-Identifier: Apache-2.0 */
/* Which card a request is about, whatever its shape. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/rpc/run.h"

#define EID "89049032000500881234567890123492"

static void check(enum function_id id, const void *in, const char *expected)
{
	char eid[EID_DIGITS + 1] = "?";

	message_eid(message_request(id), in, eid);
	cr_expect_str_eq(eid, expected, "%s", function_by_id(id)->wire);
}

Test(message_eid, is_found_where_the_message_has_it)
{
	struct es4_get_eis_rq get = { 0 };
	struct es7_handover_euicc_rq handover = { 0 };
	struct es7_authenticate_smsr_rq authenticate = { 0 };
	struct eum_get_batch_rq batch = { .batch = "b" };
	struct eid eid;

	cr_assert(eid_parse(EID, &eid));
	get.eid = handover.eis.info.eid = eid;
	check(FN_ES4_GetEIS, &get, EID);
	check(FN_ES7_HandoverEUICC, &handover, EID);
	check(FN_ES7_AuthenticateSMSR, &authenticate, "");
	authenticate.eid = &eid;
	check(FN_ES7_AuthenticateSMSR, &authenticate, EID);
	authenticate.eid = NULL;
	authenticate.eis = &handover.eis;
	check(FN_ES7_AuthenticateSMSR, &authenticate, EID);
	check(FN_EUM_GetBatch, &batch, "");
}
