/* SPDX-License-Identifier: Apache-2.0 */
/* ES1: the EUM registers its eUICCs (SGP.02 5.2; procedures.md 3.1). */
#include <string.h>

#include "common/auth/eis_trust.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/isdr_keys.h"
#include "services/sm-sr/smsr_change.h"

/* What RegisterEIS must know before it decides. */
struct register_loaded {
	bool eid_taken;
	const char *iccid_taken; /* NULL: none */
	const char *moved_to;    /* NULL: it was not here before and moved to another SM-SR */
	bool signer_revoked;     /* found by the handler, told after the commit */
};

static const char *iccids_text(struct arena *a, const struct eis *eis)
{
	CLEANUP(buf_free) struct buf text = { 0 };

	buf_str(&text, "");
	for (size_t i = 0; i < eis->n_profiles; i++)
		buf_printf(&text, "%s%s", i ? " " : "", eis->profiles[i].iccid.text);
	return arena_strdup(a, text.data);
}

static void register_queue(struct rq *rq, const void *in)
{
	const struct es1_register_eis_rq *request = in;

	DB_QUEUE(rq->db, SMSR_EIS_TAKEN, p_text(request->eis.info.eid.text), p_text(iccids_text(rq->arena, &request->eis)));
}

static result register_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	struct register_loaded *loaded = ARENA_NEW(rq->arena, struct register_loaded);

	loaded->eid_taken = row_bool(rows[0], 0, 0);
	loaded->iccid_taken = row_text_dup(rq->arena, rows[0], 0, 1);
	loaded->moved_to = row_text_dup(rq->arena, rows[0], 0, 2);
	rq->loaded = loaded;
	return OK;
}

const struct load es1_register_eis_load = { .results = 1, .queue = register_queue, .take = register_take };

static result check_parties(struct rq *rq, const struct eis *eis)
{
	if (!oid_equal(&eis->info.eum, &rq->caller->oid))
		return failed(rq->arena, CODE_REQUESTER_NOT_ALLOWED, eis->info.eum.text, "Eum-id: is not the requester");
	if (!oid_equal(&eis->smsr, &rq->rpc->self))
		return failed(rq->arena, CODE_PARAM_INVALID, "Smsr-id", "Smsr-id: %s is not this SM-SR", eis->smsr.text);
	return OK;
}

static result check_free(struct rq *rq, const struct eis *eis)
{
	const struct register_loaded *loaded = rq->loaded;

	if (loaded->eid_taken)
		return failed(rq->arena, CODE_EID_IN_USE, eis->info.eid.text, NULL);
	if (loaded->iccid_taken)
		return failed(rq->arena, CODE_ICCID_IN_USE, loaded->iccid_taken, NULL);
	return OK;
}

static result check_signature(struct rq *rq, struct eis *eis, struct sig_result *out)
{
	struct register_loaded *loaded = rq->loaded;
	const struct smsr *smsr = rq->role;

	*out = eis_signature_find(rq->arena, eis, smsr->ci_pem, smsr->ci_crl_pem, rq->received_us);
	TRY(eis_signature_check(rq->arena, eis, out));
	loaded->signer_revoked = out->revoked;
	return OK;
}

/* Without it no profile and no handover will ever work on this card. */
static result check_ecasd(struct rq *rq, const struct eis *eis, struct bytes eum_der)
{
	const struct smsr *smsr = rq->role;

	return smsr->config->check_ecasd ? eis_ecasd_check(rq->arena, eis, eum_der, rq->received_us, NULL) : OK;
}

static const char *event_json(struct rq *rq, const struct eid *eid, const struct oid *eum)
{
	char at[DATETIME_MAX];

	datetime_format(rq->received_us, at);
	return arena_printf(rq->arena, "{\"eid\":\"%s\",\"eum\":\"%s\",\"smsr\":\"%s\",\"at\":\"%s\"}", eid->text, eum->text,
			    rq->rpc->self.text, at);
}

result es1_register_eis(struct rq *rq, const void *in, void *out)
{
	const struct es1_register_eis_rq *request = in;
	/* In the arena: what is queued is read when the transaction is sent, after this function. */
	struct eis *eis = arena_memdup(rq->arena, &request->eis, sizeof(*eis));
	struct sig_result signature;
	struct stored_key *keys;
	size_t n_keys;

	(void)out;
	TRY(check_parties(rq, eis));
	TRY(check_free(rq, eis));
	TRY(eis_check_registration(rq->arena, eis));
	TRY(check_signature(rq, eis, &signature));
	TRY(check_ecasd(rq, eis, signature.cert_der));
	TRY(isdr_keys_take(rq, eis, &keys, &n_keys));
	eis_insert(rq->db, rq->arena, eis, &(const struct eis_signer){ signature.cert_der, signature.revoked }, keys, n_keys,
		   false);
	rq_event(rq, "eis.registered", eis->info.eid.text, event_json(rq, &eis->info.eid, &eis->info.eum));
	return OK;
}

/* D4: never refused, but nobody shall overlook it; nor that a card which moved away is registered anew: its EUM says which keys it has. */
void es1_register_eis_committed(struct rq *rq)
{
	const struct register_loaded *loaded = rq->loaded;

	if (loaded->moved_to)
		log_msg(LOG_WARN, "registered_again", "eid %s had moved to SM-SR %s", rq->eid, loaded->moved_to);
	if (!loaded->signer_revoked)
		return;
	metric_add("rsp_eis_signer_revoked_total", "", 1);
	log_msg(LOG_WARN, "signer_revoked", "eid %s: the EUM certificate that signed it is revoked", rq->eid);
}

static void properties_queue(struct rq *rq, const void *in)
{
	const struct es1_update_properties_rq *request = in;

	DB_QUEUE(rq->db, SMSR_EIS_LOCK, p_text(request->eid.text));
	DB_QUEUE(rq->db, SMSR_EIS_EUM, p_text(request->eid.text));
	DB_QUEUE(rq->db, SMSR_EIS_MOVING, p_text(request->eid.text));
}

static result properties_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct es1_update_properties_rq *request = in;

	facts->eid_named = true;
	facts->eid = request->eid;
	facts->eid_known = rows_count(rows[1]) > 0;
	if (facts->eid_known && !oid_parse(row_text(rows[1], 0, 0), &facts->eum))
		return internal(rq->arena, "eis %s: eum is damaged", request->eid.text);
	rq->loaded = row_bool(rows[2], 0, 0) ? rq : NULL; /* locked */
	return OK;
}

const struct load es1_update_properties_load = { .results = 3, .queue = properties_queue, .take = properties_take };

result es1_update_eis_additional_properties(struct rq *rq, const void *in, void *out)
{
	const struct es1_update_properties_rq *request = in;

	(void)out;
	if (rq->loaded)
		return failed(rq->arena, CODE_BUSY, request->eid.text, SMSR_CHANGE_RUNS);
	eis_save_properties(rq->db, rq->arena, &request->eid, &request->properties);
	rq_event(rq, "eis.changed", request->eid.text, event_json(rq, &request->eid, &rq->caller->oid));
	return OK;
}
