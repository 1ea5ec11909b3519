/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/euiccs/{eid}: asks the SM-SR that manages the card, or an SM-DP that asks it. The caller is parked meanwhile; no thread waits. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/gateway.h"

enum { PARK_SPARE_MS = 5000 };

/* Who may touch the parked call: ours until it is answered; gone() and expired() take it away, but never amid an answer. */
enum hold { PARKED_OPEN, PARKED_ANSWERING, PARKED_CLOSED };

/* One question on its way. Two hold it: the SOAP call until done() ran, the parked connection until it is answered or gone. */
struct question {
	atomic_uint holders;
	atomic_int parked;   /* enum hold */
	struct arena *arena; /* all below */
	/* To be touched only while PARKED_ANSWERING: a process that ends closes listeners before its role, and its client last. */
	struct gateway *gateway;
	struct http_call *call;
	struct eid eid;
	struct oid smsr, smdp; /* smdp: text empty: none between */
	bool learn;            /* asked because of the default */
	const char *user;      /* name of the token */
	int64_t started_us;
	struct call_request rq;
};

static void question_release(struct question *q)
{
	struct arena *a = q->arena;

	if (atomic_fetch_sub(&q->holders, 1) == 1)
		arena_free(a);
}

static bool question_move(struct question *q, int from, int to)
{
	return atomic_compare_exchange_strong(&q->parked, &from, to);
}

static void log_answer(const struct question *q, unsigned status, const char *why)
{
	struct log_line l;

	log_begin(&l, status >= 500 ? LOG_WARN : LOG_INFO, "northbound");
	log_str(&l, "function", q->rq.fn->wire);
	log_str(&l, "user", q->user);
	log_str(&l, "eid", q->eid.text);
	log_str(&l, "smsr", q->smsr.text);
	log_str(&l, "smdp", *q->smdp.text ? q->smdp.text : NULL);
	log_int(&l, "status", status);
	log_int(&l, "ms", (clock_us() - q->started_us) / 1000);
	log_str(&l, "why", why);
	log_end(&l);
}

static void question_done(void *user, struct arena *a, const struct call_answer *answer)
{
	struct question *q = user;
	struct api_reply reply;

	api_eis_reply(a, q->rq.fn, &q->eid, answer, &reply);
	if (question_move(q, PARKED_OPEN, PARKED_ANSWERING)) {
		if (reply.status == 200 && q->learn)
			euicc_learn(q->gateway, &q->eid, &q->smsr);
		if (http_resume(q->call, reply.status, "application/json", reply.body, strlen(reply.body))) {
			log_answer(q, reply.status, answer->outcome == CALL_RESPONSE ? NULL : answer->why);
			question_release(q); /* the connection's hold: neither gone() nor expired() comes after this */
		} else {
			atomic_store(&q->parked, PARKED_OPEN); /* one of them waits for us to get out of its way */
		}
	}
	question_release(q);
}

/* An answer under way lasts microseconds, and this is the rare case that meets one. */
static void question_close(struct question *q)
{
	while (!question_move(q, PARKED_OPEN, PARKED_CLOSED))
		sched_yield();
}

static void question_expired(void *user, struct http_call *call)
{
	static const char body[] = "{\"error\":{\"code\":\"no_answer\",\"message\":\"no answer came in time; try again\"}}";
	struct question *q = user;

	question_close(q);
	if (!http_resume(call, 504, "application/json", body, strlen(body))) {
		atomic_store(&q->parked, PARKED_OPEN); /* gone() comes */
		return;
	}
	log_answer(q, 504, "no answer in time");
	question_release(q);
}

static void question_gone(void *user)
{
	struct question *q = user;

	question_close(q);
	log_answer(q, 0, "the caller hung up, or we end");
	question_release(q);
}

static void encode(struct question *q)
{
	CLEANUP(buf_free) struct buf body = { 0 };
	struct es2_get_eis_rq rq = { .es3.eid = q->eid, .smsr = q->smsr }; /* it begins with what ES4 takes */
	int64_t validity = q->gateway->config->call_s;
	char uuid[UUID_TEXT];

	uuid_new(uuid);
	rq.es3.base.fci = arena_printf(q->arena, "%s.1", uuid);
	rq.es3.base.validity_s = &validity;
	bind_encode(&body, message_request(q->rq.fn->id), &rq, BIND_PLAIN);
	q->rq.body = arena_memdup(q->arena, body.data, body.len);
	q->rq.body_n = body.len;
}

/* Whom and what to ask into q; false: the call is answered. */
static bool find_route(struct app *app, struct http_call *call, struct question *q)
{
	struct card_route s;

	if (!northbound_route(call, q->gateway, q->arena, &q->eid, http_query(call, "smdp"), &s))
		return false;
	q->smsr = s.smsr;
	q->smdp = s.smdp;
	q->learn = s.learn;
	q->rq.fn = function_by_id(*s.smdp.text ? FN_ES2_GetEIS : FN_ES4_GetEIS);
	if (!northbound_may(app, call, q->rq.fn) || !northbound_reach(call, q->arena, &s))
		return false;
	q->rq.to = s.to;
	q->rq.endpoint = s.endpoint;
	return true;
}

static struct question *question_new(struct app *app, struct http_call *call, const struct eid *eid, const char *user)
{
	struct arena *a = arena_new();
	struct question *q = ARENA_NEW(a, struct question);

	atomic_init(&q->holders, 1);
	q->arena = a;
	q->gateway = app->rpc.role_state;
	q->call = call;
	q->eid = *eid;
	q->user = arena_strdup(a, user);
	q->started_us = http_started_us(call);
	q->rq.eid = q->eid.text;
	q->rq.trace = rpc_trace(a, call);
	q->rq.timeout_ms = q->gateway->config->call_s * 1000;
	return q;
}

static void euicc_get(struct app *app, struct http_call *call, const struct eid *eid, const char *user)
{
	static const struct http_parked_hooks hooks = { question_expired, question_gone };
	struct question *q = question_new(app, call, eid, user);

	if (!find_route(app, call, q)) {
		question_release(q);
		return;
	}
	encode(q);
	atomic_store(&q->holders, 2);
	http_park(call, clock_ms() + q->rq.timeout_ms * (int64_t)q->rq.endpoint.n + PARK_SPARE_MS, &hooks, q);
	call_start(&app->rpc, &q->rq, question_done, q);
}

/* The optional "smdp": OID or name, null: none. *out NULL: nothing is said. False: the call is answered. */
static bool put_smdp(struct http_call *call, const json_t *body, const struct oid **out)
{
	static const struct oid none = { "" };
	const json_t *value = json_object_get(body, "smdp");
	const char *text = json_string_value(value);
	const struct entity *found = NULL;

	*out = json_is_null(value) ? &none : NULL;
	if (!value || json_is_null(value))
		return true;
	if (!text || !*text) {
		app_error(call, 400, "invalid_parameter", "smdp: OID or name of an SM-DP of the registry, or null");
		return false;
	}
	if (!northbound_smdp(call, app_arena(call), text, &found))
		return false;
	*out = &found->oid;
	return true;
}

/* {"smsr":OID}: for cards that the default SM-SR does not manage; "smdp": by whom their orders go. */
static void euicc_put(struct http_call *call, const struct eid *eid)
{
	struct bytes in = http_body(call);
	CLEANUP(json_freep) json_t *body = json_loadb((const char *)in.data, in.len, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(body, "smsr"));
	const struct entity *entity = NULL;
	const struct oid *smdp = NULL;
	struct oid smsr;
	result r;

	if (!text || !oid_parse(text, &smsr)) {
		app_error(call, 400, "invalid_parameter", "smsr: an OID like 1.3.6.1.4.1.99999.1 in {\"smsr\":\"...\"}");
		return;
	}
	r = registry_by_oid(app_db(call), app_arena(call), &smsr, &entity);
	if (r == OK && (!entity || !(entity->roles & ROLE_SM_SR))) {
		app_error(call, 400, "invalid_parameter", "smsr: the registry has no SM-SR %s: rspctl entity list", smsr.text);
		return;
	}
	if (r == OK && !put_smdp(call, body, &smdp))
		return;
	if (r == OK)
		r = euicc_set(app_db(call), app_arena(call), eid, &smsr, smdp);
	if (r != OK)
		northbound_db_failed(call, r);
	else
		app_json(call, 200, "{}");
}

/* The {eid} of the path; false: the call is answered. */
static bool path_eid(struct http_call *call, struct eid *out)
{
	const char *rest = northbound_rest(call);

	if (strchr(rest, '/'))
		app_error(call, 404, "not_found", "there is nothing to be read below /v1/euiccs/{eid}");
	else if (!eid_parse(rest, out))
		app_error(call, 400, "invalid_parameter", "eid: 32 decimal digits whose check digits hold (MOD 97 is 1)");
	else
		return true;
	return false;
}

void northbound_eis_get(struct app *app, struct http_call *call)
{
	struct eid eid;
	const char *user;

	if (northbound_allow(call, API_READER, &user) && path_eid(call, &eid))
		euicc_get(app, call, &eid, user);
}

void northbound_eis_put(struct app *app, struct http_call *call)
{
	struct eid eid;
	const char *user;

	if (strchr(northbound_rest(call), '/')) /* of one of its profiles */
		northbound_order(app, call);
	else if (northbound_allow(call, API_OPERATOR, &user) && path_eid(call, &eid))
		euicc_put(call, &eid);
}
