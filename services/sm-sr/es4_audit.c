/* SPDX-License-Identifier: Apache-2.0 */
/* ES3 and ES4 AuditEIS (SGP.02 5.4, 5.5): the EIS as the card says it is. */
#include "common/base/buf.h"
#include "services/sm-sr/es4_card.h"
#include "services/sm-sr/procedure_internal.h"

static void queue(struct rq *rq, const void *in)
{
	const struct es4_audit_eis_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es4_audit_eis_rq *request = in;

	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es4_audit_eis_load = { .results = CASE_RESULTS, .queue = queue, .take = take };

/* What the caller may not see is as unknown as what is not there (D2). */
static result check_named(struct rq *rq, const struct card_case *c, const struct es4_audit_eis_rq *request)
{
	enum eis_view view = eis_view_of(rq->fn, rq->caller->roles);

	for (size_t i = 0; i < request->n_iccids; i++) {
		const struct profile_info *p = case_profile_of_iccid(c, &request->iccids[i]);

		if (!p || !eis_profile_visible(p, view, &rq->caller->oid, rq->caller->customers, rq->caller->n_customers))
			return failed(rq->arena, CODE_ICCID_UNKNOWN, request->iccids[i].text, NULL);
	}
	return OK;
}

static const char *iccids_text(struct arena *a, const struct es4_audit_eis_rq *request)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (size_t i = 0; i < request->n_iccids; i++)
		buf_printf(&text, "%s%s", i ? " " : "", request->iccids[i].text);
	return arena_strdup(a, text.data);
}

/* Deferred: the answer is the EIS after the card's own list. That the caller owns something here was checked. */
result es4_audit_eis(struct rq *rq, const void *in, void *out)
{
	const struct es4_audit_eis_rq *request = in;
	struct card_case *c = rq->loaded;

	(void)out;
	TRY(procedure_may_start(rq, c, NULL));
	TRY(check_named(rq, c, request));
	return procedure_start(rq, c,
			       &(const struct procedure_start){ .kind = PROC_AUDIT, .iccids = iccids_text(rq->arena, request) });
}
