/* SPDX-License-Identifier: Apache-2.0 */
/* What the states call for on ES7, and ask of the domain's sm-sr: an outbox row each, in the transaction that moves the row (decisions.md B1). */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/rpc/json_out.h"
#include "common/sgp02/relay_state.h"
#include "services/sm-sr-handover/handover_in.h"

enum {
	S_US = 1000000,
	MS_US = 1000,
	ADOPT_AGAIN_S = 3600, /* its row asks for ever: this is for one that a person took away */
	OUTCOME_SPARE_S = 60, /* so long behind its time a command's outcome is waited for */
};

const struct function *in_function(enum handover_in_state state)
{
	if (state == HIN_AUTHENTICATING)
		return function_by_id(FN_ES7_AuthenticateSMSR);
	return state == HIN_KEYING ? function_by_id(FN_ES7_CreateAdditionalKeySet) : NULL;
}

const char *in_command(enum handover_in_state state)
{
	static const char *const commands[HANDOVER_IN_STATES] = { [HIN_PUTTING_KEY] = "put_key",
								  [HIN_ADDRESSING] = "addressing",
								  [HIN_FINALISING] = "finalise",
								  [HIN_AUDITING] = "audit" };

	return (unsigned)state < HANDOVER_IN_STATES ? commands[state] : NULL;
}

/* ---- ES7 ---- */

/* The peer names the card as it reads it (procedures.md 5.6a). */
static result authenticate_request(struct in_case *c, const struct request_base *base, const void **out)
{
	struct es7_authenticate_smsr_rq *rq = ARENA_NEW(c->a, struct es7_authenticate_smsr_rq);
	const struct entity *peer;

	TRY(in_flush(c));
	TRY(registry_by_oid(c->db, c->a, &c->h->former, &peer));
	*rq = (struct es7_authenticate_smsr_rq){ .base = *base, .certificate = c->hs->own.certificate };
	if (peer && peer->dialect.es7_eid) {
		rq->eid = &c->h->eid;
	} else {
		rq->eis = ARENA_NEW(c->a, struct eis);
		TRY(eis_text_read(c->a, c->h->eis, rq->eis));
	}
	*out = rq;
	return OK;
}

static result keyset_request(struct in_case *c, const struct request_base *base, const void **out)
{
	struct es7_create_additional_keyset_rq *rq = ARENA_NEW(c->a, struct es7_create_additional_keyset_rq);
	struct isdr_offer offer;

	TRY(in_offer_read(c, &offer));
	*rq = (struct es7_create_additional_keyset_rq){ .base = *base,
							.eid = c->h->eid,
							.kvn = offer.kvn,
							.counter = offer.counter,
							.ecc_length = ES7_ECC_256,
							.scenario = (int8_t)offer.scenario,
							.host_id = offer.host_id,
							.point = offer.point,
							.signature = offer.signature };
	*out = rq;
	return OK;
}

/* Seconds that the call may take of what HandoverEUICC leaves (A6); 0: it is not made. */
static int64_t validity_s(const struct handover_in *h, const struct function *fn)
{
	int64_t s = relay_nested_s((h->deadline - h->now) / MS_US);

	if (s < fn->validity.min_s)
		return 0;
	return s < fn->validity.max_s ? s : fn->validity.max_s;
}

static result call(struct in_case *c, const struct function *fn)
{
	struct handover_in *h = c->h;
	int64_t validity = validity_s(h, fn), again = h->now + in_backoff_us(c);
	const char *ref = handover_ref(c->a, h->id, h->step);
	const struct request_base base = { .fci = ref, .validity_s = arena_memdup(c->a, &validity, sizeof(validity)) };
	struct outbox_message m = { .fn = fn,
				    .kind = OUTBOX_REQUEST,
				    .to = &h->former,
				    .eid = h->eid.text,
				    .ref = ref,
				    .transaction_id = ref,
				    .context_id = h->context_id,
				    .trace = h->trace,
				    .wants_callback = true,
				    .give_up_s = validity };

	h->wait = IN_ASKED;
	h->due_at = again < h->deadline ? again : h->deadline;
	if (!validity) { /* what is left is for the deadline */
		h->due_at = h->deadline;
		return OK;
	}
	TRY(h->state == HIN_AUTHENTICATING ? authenticate_request(c, &base, &m.in) : keyset_request(c, &base, &m.in));
	outbox_send(c->db, c->a, &m);
	return OK;
}

void in_withdraw(struct in_case *c)
{
	const struct handover_in *h = c->h;

	if (in_function(h->state))
		outbox_withdraw(c->db, c->a, &h->former, h->eid.text, handover_ref(c->a, h->id, h->step));
}

/* ---- the sm-sr ---- */

static void ask_begin(const struct in_case *c, struct buf *json, const char *step)
{
	buf_char(json, '{');
	json_out_member(json, "handover", c->h->id);
	json_out_member(json, "step", step);
	json_out_member(json, "eid", c->h->eid.text);
}

static void ask(struct in_case *c, const char *verb, struct buf *json, int64_t give_up_s)
{
	const struct handover_in *h = c->h;
	const struct ask q = { .role = "sm-sr",
			       .verb = verb,
			       .eid = h->eid.text,
			       .ref = handover_ref(c->a, h->id, h->step),
			       .trace = h->trace,
			       .json = arena_strdup(c->a, json->data),
			       .give_up_s = give_up_s };

	outbox_ask(c->db, c->a, &q);
}

static result adopt(struct in_case *c)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	struct handover_in *h = c->h;

	ask_begin(c, &json, "adopt");
	json_out_member(&json, "former", h->former.text);
	json_out_member(&json, "operator", h->requester.text);
	json_out_member(&json, "context_id", h->context_id);
	buf_str(&json, ",\"eis\":");
	json_out(&json, h->eis.data, h->eis.len);
	buf_printf(&json, ",\"kvn\":%u,\"counter\":%lld,\"keys\":%.*s}", h->kvn, (long long)h->counter, (int)h->secret.len,
		   (const char *)h->secret.data);
	ask(c, "adopt", &json, 0);
	h->wait = IN_ASKED;
	h->due_at = h->now + (int64_t)ADOPT_AGAIN_S * S_US;
	return OK;
}

static result command(struct in_case *c, const char *name)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	int64_t step_s = c->hs->config->card_step_s;
	struct handover_in *h = c->h;
	char until[DATETIME_MAX];

	datetime_format(h->now + step_s * S_US, until);
	ask_begin(c, &json, arena_printf(c->a, "%lld", (long long)h->step));
	json_out_member(&json, "command", name);
	if (h->state != HIN_AUDITING)
		buf_printf(&json, ",\"secured\":%u", h->kvn);
	if (h->state == HIN_PUTTING_KEY)
		buf_printf(&json, ",\"kvn\":%u", h->psk_kvn);
	if (h->state == HIN_FINALISING && h->psk_kvn)
		buf_printf(&json, ",\"keep\":[%u,%u]", h->kvn, h->psk_kvn);
	else if (h->state == HIN_FINALISING)
		buf_printf(&json, ",\"keep\":[%u]", h->kvn);
	json_out_member(&json, "until", until);
	buf_char(&json, '}');
	ask(c, "command", &json, step_s);
	h->wait = IN_ASKED;
	h->due_at = h->now + (step_s + OUTCOME_SPARE_S) * S_US;
	return OK;
}

result in_act(struct in_case *c)
{
	const enum handover_in_state state = c->h->state;
	const char *name = in_command(state);

	if (in_function(state))
		TRY(call(c, in_function(state)));
	else if (state == HIN_ADOPTING)
		TRY(adopt(c));
	else if (name)
		TRY(command(c, name));
	(void)FAULT(arena_printf(c->a, "sm-sr-handover.in.%s.called", handover_in_state_name(state)), c->h->eid.text);
	return OK;
}
