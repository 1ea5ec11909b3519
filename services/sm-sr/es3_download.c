/* SPDX-License-Identifier: Apache-2.0 */
/* ES3, what a download is made of (SGP.02 5.4; functions.md ES3): an ISD-P is made, the SM-DP sends it keys and profile, and says that it is
 * complete. */
#include <string.h>

#include "common/base/clock.h"
#include "common/card/script.h"
#include "services/sm-sr/card_turn.h"
#include "services/sm-sr/cards.h"
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/es4_card.h"
#include "services/sm-sr/procedure_internal.h"
#include "services/sm-sr/send_filter.h"

enum { TAR_FIRST = 0x10, TAR_LAST = 0xFFFF };

/* What a download sends takes more than SMS carry: a card without sessions cannot have one. */
static result needs_sessions(const struct rq *rq, const struct card_case *c)
{
	if (c->eis.info.capabilities.http_support)
		return OK;
	return failed(rq->arena, CODE_EUICC_UNSUPPORTED, c->eid.text, "the eUICC has no HTTPS (HttpSupport), which this needs");
}

/* Connectivity parameters are short: they go by SMS, if not too long for that. */
static result needs_a_way(const struct rq *rq, const struct card_case *c, struct bytes parameters)
{
	CLEANUP(buf_free) struct buf script = { 0 };

	script_of_tlvs(&script, SCRIPT_INDEFINITE, parameters);
	if (c->eis.info.capabilities.http_support || card_turn_fits_sms(c->smsr, COMMAND_PARAMETERS, script.len))
		return OK;
	return failed(rq->arena, CODE_EUICC_UNSUPPORTED, c->eid.text,
		      "the eUICC has no HTTPS (HttpSupport), and with %zu bytes this is too long for SMS", script.len);
}

/* ---- CreateISDP ---- */

static void create_queue(struct rq *rq, const void *in)
{
	const struct es3_create_isdp_rq *request = in;

	case_queue(rq->db, &request->eid);
	DB_QUEUE(rq->db, SMSR_ICCID_TAKEN, p_text(request->iccid.text));
}

static result create_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es3_create_isdp_rq *request = in;
	struct card_case *c;

	TRY(es4_case_take(rq, &request->eid, rows, facts));
	c = rq->loaded;
	c->iccid_taken = rows_count(rows[CASE_RESULTS]) > 0;
	return OK;
}

const struct load es3_create_isdp_load = { .results = CASE_RESULTS + 1, .queue = create_queue, .take = create_take };

/* The lowest that no profile has, In-Creation included. */
static bool free_aid(const struct card_case *c, struct aid *out)
{
	for (uint32_t tar = TAR_FIRST; tar <= TAR_LAST; tar++) {
		*out = aid_isdp(tar);
		if (!case_profile_of_aid(c, out))
			return true;
	}
	return false;
}

/* Deferred. That the caller is an SM-DP is enough (D1). */
result es3_create_isdp(struct rq *rq, const void *in, void *out)
{
	const struct es3_create_isdp_rq *request = in;
	struct card_case *c = rq->loaded;
	struct profile_info made = { .iccid = request->iccid, .mno = request->mno, .allocated_memory = request->required_memory };

	(void)out;
	TRY(needs_sessions(rq, c));
	TRY(procedure_may_start(rq, c, NULL));
	if (c->iccid_taken)
		return failed(rq->arena, CODE_ICCID_IN_USE, request->iccid.text, NULL);
	if (request->required_memory < 1 || request->required_memory > c->eis.remaining_memory)
		return failed(rq->arena, CODE_EUICC_MEMORY, c->eid.text, "%lld bytes are not between 1 and the %lld that are free",
			      (long long)request->required_memory, (long long)c->eis.remaining_memory);
	if (!free_aid(c, &made.isdp_aid))
		return failed(rq->arena, CODE_EUICC_MEMORY, c->eid.text, "every AID of an ISD-P is used");
	made.smdp = arena_memdup(rq->arena, &rq->caller->oid, sizeof(rq->caller->oid));
	return procedure_start(rq, c,
			       &(const struct procedure_start){ .kind = PROC_CREATE,
								.target = eis_creating(c, &made),
								.more = request->more_to_do && *request->more_to_do });
}

/* ---- SendData, UpdateConnectivityParameters ---- */

static void send_queue(struct rq *rq, const void *in)
{
	const struct es3_send_data_rq *request = in;

	case_queue(rq->db, &request->eid);
}

/* Whom the data reaches is the relation's to judge: it is in the data itself, or the lease says it. */
static result send_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es3_send_data_rq *request = in;
	struct aid *isdp = ARENA_NEW(rq->arena, struct aid);
	const struct card_case *c;
	enum send_kind kind;
	const char *why;

	TRY(es4_case_take(rq, &request->eid, rows, facts));
	c = rq->loaded;
	kind = send_filter(&request->sd_aid, request->data, isdp, &why);
	if (kind == SEND_AGREEMENT && c->lease)
		*isdp = c->lease->isdp;
	facts->isdp = kind == SEND_REFUSED || isdp->len == 0 ? NULL : isdp;
	return OK;
}

const struct load es3_send_data_load = { .results = CASE_RESULTS, .queue = send_queue, .take = send_take };

static result wrong_data(struct rq *rq, const char *why)
{
	return failed(rq->arena, CODE_ISDP_NOT_ALLOWED, rq->eid, "%s", why);
}

/* The two aliases are for one half of a download each (functions.md ES3, 3 and 4). */
static bool alias_allows(const char *name, enum send_kind kind)
{
	if (!strcmp(name, "EstablishISDPKeySet"))
		return kind == SEND_CERTIFICATE || kind == SEND_AGREEMENT;
	return strcmp(name, "DownloadProfile") != 0 || kind == SEND_SEGMENTS;
}

/* Only after the certificate, in the session in which the card took it, which is still there. */
static bool certified(const struct card_case *c)
{
	return c->lease && !c->lease->over && c->lease->certified && c->session && !strcmp(c->lease->certified, c->session);
}

/* Deferred: the card's own answer, good or bad, is the answer. */
result es3_send_data(struct rq *rq, const void *in, void *out)
{
	static const enum command_kind kinds[] = { [SEND_SEGMENTS] = COMMAND_SEND,
						   [SEND_SCP03] = COMMAND_SEND,
						   [SEND_CERTIFICATE] = COMMAND_CERTIFICATE,
						   [SEND_AGREEMENT] = COMMAND_AGREEMENT };
	const struct es3_send_data_rq *request = in;
	struct card_case *c = rq->loaded;
	const char *why = NULL;
	struct aid isdp = { .len = 0 };
	enum send_kind kind = send_filter(&request->sd_aid, request->data, &isdp, &why);
	const struct profile_info *target;

	(void)out;
	if (kind == SEND_AGREEMENT && c->lease)
		isdp = c->lease->isdp;
	target = case_profile_of_aid(c, &isdp);
	TRY(needs_sessions(rq, c));
	TRY(procedure_may_start(rq, c, &isdp));
	if (kind == SEND_REFUSED || !target)
		return wrong_data(rq, why ? why : "no ISD-P is being set up");
	if (rq->name_used && !alias_allows(rq->name_used, kind))
		return wrong_data(rq, "this name of SendData is for other commands");
	if (kind == SEND_AGREEMENT && !certified(c))
		return wrong_data(rq, "STORE DATA 3A02 without a 3A01 that the eUICC took in this session");
	return procedure_start(rq, c,
			       &(const struct procedure_start){ .kind = PROC_SEND,
								.target = target,
								.more = request->more_to_do && *request->more_to_do,
								.send = kinds[kind],
								.data = request->data });
}

static void connectivity_queue(struct rq *rq, const void *in)
{
	const struct es3_update_connectivity_parameters_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result connectivity_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es3_update_connectivity_parameters_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es3_update_connectivity_parameters_load = { .results = CASE_RESULTS,
							      .queue = connectivity_queue,
							      .take = connectivity_take };

/* Deferred. The parameters come as C-APDUs that the SM-DP has secured with the keys of its ISD-P (procedures.md 3.16, 4.8). They are data to an
 * ISD-P like any other: that the profile's operator is a customer does not open another SM-DP's (C4). */
result es3_update_connectivity_parameters(struct rq *rq, const void *in, void *out)
{
	const struct es3_update_connectivity_parameters_rq *request = in;
	struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, &request->iccid);
	const char *why = "the parameters are not secured by SCP03";
	struct aid isdp;

	(void)out;
	TRY(procedure_may_start(rq, c, target ? &target->isdp_aid : NULL));
	if (!target)
		return failed(rq->arena, CODE_ICCID_UNKNOWN, request->iccid.text, NULL);
	if (target->smdp && !oid_equal(target->smdp, &rq->caller->oid))
		return failed(rq->arena, CODE_ISDP_NOT_ALLOWED, request->iccid.text, "another SM-DP created this ISD-P");
	if (send_filter(&target->isdp_aid, request->parameters, &isdp, &why) != SEND_SCP03)
		return wrong_data(rq, why);
	TRY(needs_a_way(rq, c, request->parameters));
	return procedure_start(
		rq, c,
		&(const struct procedure_start){
			.kind = PROC_SEND, .target = target, .send = COMMAND_PARAMETERS, .data = request->parameters });
}

/* ---- ProfileDownloadCompleted ---- */

static void completed_queue(struct rq *rq, const void *in)
{
	const struct es3_profile_download_completed_rq *request = in;

	case_queue(rq->db, &request->eid);
}

static result completed_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es3_profile_download_completed_rq *request = in;

	facts->iccid = &request->iccid;
	return es4_case_take(rq, &request->eid, rows, facts);
}

const struct load es3_profile_download_completed_load = { .results = CASE_RESULTS,
							  .queue = completed_queue,
							  .take = completed_take };

static void completed_event(struct rq *rq, const struct card_case *c, const struct profile_info *p)
{
	char at[DATETIME_MAX];

	datetime_format(c->now, at);
	rq_event(rq, "profile.downloaded", c->eid.text,
		 arena_printf(rq->arena, "{\"eid\":\"%s\",\"iccid\":\"%s\",\"mno\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
			      c->eid.text, p->iccid.text, p->mno.text, rq->rpc->self.text, at));
}

static struct param p_text_or_null(const char *s)
{
	return s ? p_text(s) : p_null();
}

/* Rules that are absent are none: a new profile has none before. An absent address or type stays as it is. */
result es3_profile_download_completed(struct rq *rq, const void *in, void *out)
{
	static const struct pol2 none = { 0 };
	const struct es3_profile_download_completed_rq *request = in;
	struct bytes pol2 = pol2_to_bytes(rq->arena, request->pol2 ? request->pol2 : &none);
	struct card_case *c = rq->loaded;
	const struct profile_info *target = case_profile_of_iccid(c, &request->iccid);

	(void)out;
	TRY(procedure_may_start(rq, c, target ? &target->isdp_aid : NULL));
	if (!target || !target->smdp || !oid_equal(target->smdp, &rq->caller->oid) || target->state != PROFILE_CREATED)
		return failed(rq->arena, CODE_PROFILE_NOT_ALLOWED, request->iccid.text,
			      "the profile is none that this SM-DP is downloading");
	DB_QUEUE(rq->db, SMSR_PROFILE_COMPLETED, p_text(c->eid.text), p_text(request->iccid.text),
		 p_int(rq->arena, PROFILE_DISABLED), p_text_or_null(request->profile_type), p_bytes(pol2.data, pol2.len));
	if (request->address)
		DB_QUEUE(rq->db, SMSR_PROFILE_ADDRESS, p_text(c->eid.text), p_text(request->iccid.text),
			 p_text_or_null(request->address->imsi), p_text_or_null(request->address->msisdn));
	case_lease_end(c);
	completed_event(rq, c, target);
	return OK;
}

/* The session that was kept for more is at its end. */
void es3_profile_download_completed_committed(struct rq *rq)
{
	case_committed(rq->loaded);
}
