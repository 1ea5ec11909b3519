/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/relay_stage.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/contract/fill.h"
#include "tests/unit/http/raw.h"

/* The next hop ------------------------------------------------------------------------------------------------------------- */

/* What stands between two texts; in a. */
static const char *between(struct arena *a, const char *text, const char *before, const char *after)
{
	const char *start = strstr(text, before), *end = start ? strstr(start, after) : NULL;

	return end ? arena_strndup(a, start + strlen(before), (size_t)(end - start) - strlen(before)) : "";
}

static struct hop_answer hop_note(struct stage *s, struct bytes body)
{
	struct hop_answer answer;

	pthread_mutex_lock(&s->lock);
	cr_assert_lt(s->n_seen, SEEN);
	cr_assert_gt(s->n_answers, 0);
	answer = s->answers[s->n_seen < s->n_answers ? s->n_seen : s->n_answers - 1];
	(void)snprintf(s->seen[s->n_seen++], SEEN_TEXT, "%.*s", (int)body.len, (const char *)body.data);
	pthread_mutex_unlock(&s->lock);
	return answer;
}

static void hop_handle(void *ctx, struct http_call *c)
{
	struct stage *s = ctx;
	struct bytes body = http_body(c);
	struct hop_answer answer = hop_note(s, body);
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf xml = { 0 };
	const char *text = arena_strndup(a, (const char *)body.data, body.len);

	if (!answer.body) {
		http_reply(c, answer.status, NULL, NULL, 0);
		return;
	}
	buf_printf(&xml,
		   "<s:Envelope xmlns:s=\"" NS_SOAP12 "\" xmlns:wsa=\"" NS_WSA "\" xmlns:rps=\"" NS_RPS_DEFAULT "\"><s:Header>"
		   "<wsa:From><wsa:Address>https://smsr.example/es3?EntityId=" SMSR "</wsa:Address></wsa:From><wsa:To>x</wsa:To>"
		   "<wsa:MessageID>//hop/1?TransactionID=hop</wsa:MessageID><wsa:Action>x</wsa:Action><wsa:RelatesTo>%s</"
		   "wsa:RelatesTo>"
		   "</s:Header><s:Body>%s</s:Body></s:Envelope>",
		   between(a, text, "<wsa:MessageID>", "</wsa:MessageID>"), answer.body);
	http_reply(c, answer.status, "application/soap+xml", xml.data, xml.len);
}

void hop_answers(struct stage *s, const struct hop_answer *answers, size_t n)
{
	pthread_mutex_lock(&s->lock);
	cr_assert_leq(n, MOVES);
	memcpy(s->answers, answers, n * sizeof(*answers));
	s->n_answers = n;
	s->n_seen = 0;
	pthread_mutex_unlock(&s->lock);
}

size_t hop_seen(struct stage *s, const char *text, const char **out)
{
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_seen; i++) {
		if (!strstr(s->seen[i], text))
			continue;
		n++;
		if (out)
			*out = arena_strdup(s->p.arena, s->seen[i]);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

const char *hop_wait(struct stage *s, const char *text, size_t n)
{
	const char *seen = "";

	for (int i = 0; i < 1000 && hop_seen(s, text, NULL) < n; i++)
		sleep_ms(10);
	cr_assert_eq(hop_seen(s, text, &seen), n, "%s", text);
	return seen;
}

/* The stage ---------------------------------------------------------------------------------------------------------------- */

static struct stage *the_stage;

/* One statement whose first column is the owner: ICCID is the partner's, all others are nobody's. */
static void owner_queue(struct rq *rq, const struct iccid *iccid)
{
	if (!strncmp(iccid->text, ICCID, strlen(ICCID)))
		DB_QUEUE(rq->db, RPC_ENTITY_BY_OID, p_text(PARTNER));
	else
		DB_QUEUE0(rq->db, RPC_NOTHING);
}

static void ended(void *role, struct db *db, struct arena *a, const struct relay_end *end)
{
	struct stage *s = the_stage;
	const struct es4_profile_rq *request = end->request;

	outbox_event(db, a, "relay.ended", end->eid, "", "{}"); /* a write of the role's, in the same transaction */
	pthread_mutex_lock(&s->lock);
	s->ended++;
	(void)snprintf(s->ended_as, sizeof(s->ended_as), "%s %s %s %s %s", end->fn->wire, end->next->wire, end->caller.text,
		       request->eid.text, end->base ? status_name(end->base->status.status) : "-");
	pthread_mutex_unlock(&s->lock);
}

/* What is under way with message n4 is not believed. */
static bool told(struct rq *rq, const void *in)
{
	const struct es3_profile_notification *n = in;

	/* A write of the role's, in the same transaction: one more row that partner_counts sees. */
	DB_QUEUE(rq->db, RPC_SEEN_CLAIM, p_text("told"), p_text(rq->envelope->message_id), p_bytes("", 0));
	(void)snprintf(the_stage->told_of, sizeof(the_stage->told_of), "%s %s %s %s", rq->fn->wire, n->es2.eid.text,
		       n->es2.iccid.text, n->mno.text);
	return !strstr(rq->envelope->message_id, "n4");
}

static const struct relay_role role = { .owner_queue = owner_queue, .ended = ended, .told = told };
static const struct served served[] = {
	RELAY(ES2, GetEIS, ES3, GetEIS),
	RELAY(ES2, UpdatePolicyRules, ES3, UpdatePolicyRules),
	RELAY(ES2, UpdateSubscriptionAddress, ES3, UpdateSubscriptionAddress),
	RELAY(ES2, EnableProfile, ES3, EnableProfile),
	RELAY(ES2, DeleteProfile, ES3, DeleteISDP),
	RELAY(ES2, AuditEIS, ES3, AuditEIS),
	RELAY(ES3, HandleProfileEnabledNotification, ES2, HandleProfileEnabledNotification),
	RELAY(ES3, HandleProfilePOL2UpdatedNotification, ES2, HandleProfilePOL2UpdatedNotification),
};

static void net_open(struct stage *s)
{
	struct http_spec spec = { .name = "hop",
				  .security = HTTP_MUTUAL_TLS,
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 50,
				  .max_body = 100000,
				  .ctx = s,
				  .handlers.handle = hop_handle };
	char error[256];

	pki_open(&s->pki);
	spec.trust_file = pki_path(&s->pki, "ca.pem");
	spec.cert_file = pki_path(&s->pki, "server.pem");
	spec.key_file = pki_path(&s->pki, "server.key");
	s->hop = http_server_open(&spec, error);
	cr_assert(s->hop, "%s", error);
}

static void peers_add(struct stage *s)
{
	const char *url = arena_printf(s->p.arena, "https://127.0.0.1:%u/es3", http_server_port(s->hop));
	char pin[64];

	pki_pin(&s->pki, "server.pem", pin);
	partner_entity(&s->p, SMSR, ROLE_SM_SR, "", "ES3", url, pin);
	partner_entity(&s->p, SHY_SMSR, ROLE_SM_SR, "s_callback=yes", "ES3", url, pin);
	partner_entity(&s->p, NO_SMSR, ROLE_SM_SR, "", "ES3", "https://127.0.0.1:1/es3", pin);
	partner_entity(&s->p, OTHER_MNO, ROLE_OPERATOR, "", "ES2", url, pin);
}

void stage_start(struct stage *s)
{
	struct http_client_spec client = { .connections_per_host = 8, .connect_ms = 20000 };
	const struct outbox_spec spec = { .rpc = &s->p.rpc, .workers = 1 };
	char error[256];

	client.trust_file = pki_path(&s->pki, "ca.pem");
	client.cert_file = pki_path(&s->pki, "good.pem");
	client.key_file = pki_path(&s->pki, "good.key");
	s->p.rpc.client = http_client_open(&client, error);
	cr_assert(s->p.rpc.client, "%s", error);
	s->p.rpc.parked = parked_open(&s->p.rpc, 10, 10, 900);
	s->p.rpc.outbox = outbox_open(&spec);
	if (!s->p.server)
		partner_serve(&s->p);
}

void stage_stop(struct stage *s)
{
	http_server_close(s->p.server, 0);
	s->p.server = NULL;
	outbox_close(s->p.rpc.outbox);
	s->p.rpc.outbox = NULL;
	parked_close(s->p.rpc.parked);
	s->p.rpc.parked = NULL;
	http_client_close(s->p.rpc.client, 0);
	s->p.rpc.client = NULL;
}

struct stage *stage_open(void)
{
	const struct rpc rpc = { .self_role = ROLE_SM_DP,
				 .served = served,
				 .n_served = LEN(served),
				 .relay = &role,
				 .replica = "one",
				 .peer_pause_ms = 100,
				 .notify_give_up_s = 3600 };
	struct stage *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	the_stage = s;
	(void)pthread_mutex_init(&s->lock, NULL);
	partner_open(&s->p, &rpc);
	s->p.rpc.role = "sm-dp";
	net_open(s);
	peers_add(s);
	stage_start(s);
	return s;
}

void stage_close(struct stage *s)
{
	stage_stop(s);
	partner_close(&s->p);
	http_server_close(s->hop, 0);
	pki_close(&s->pki);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void stage_caller(struct stage *s, const char *oid, unsigned roles)
{
	cr_assert(oid_parse(oid, &s->p.entity.oid));
	s->p.entity.roles = roles;
}

void outbox_empty(struct stage *s)
{
	for (int i = 0; i < 500 && partner_counts(&s->p).outbox; i++)
		sleep_ms(10);
	cr_assert_eq(partner_counts(&s->p).outbox, 0, "%s", partner_outbox(&s->p));
}

/* Messages ----------------------------------------------------------------------------------------------------------------- */

const char *response(struct stage *s, const char *name, const char *status, const char *rest)
{
	return arena_printf(s->p.arena,
			    "<rps:%sResponse><rps:FunctionExecutionStatus>%s</rps:FunctionExecutionStatus>%s</rps:%sResponse>",
			    name, status, rest, name);
}

const char *eis_response(struct stage *s, const char *name, const char *eid, const char *mno, const char *iccid, const char *mno2,
			 const char *iccid2)
{
	const struct bind_message m = { name, BASE_RESPONSE, message_response(FN_ES3_GetEIS)->group };
	struct es4_get_eis_rs *rs = fill_new(s->p.arena, m.group, FILL_ALL, 1);
	CLEANUP(buf_free) struct buf xml = { 0 };

	rs->base.status = (struct execution_status){ .status = STATUS_SUCCESS };
	rs->base.acceptable_validity_s = NULL;
	cr_assert(eid_parse(eid, &rs->eis->info.eid));
	rs->eis->info_octets = (struct bytes){ 0 };
	rs->eis->audit_trail = NULL;
	rs->eis->n_profiles = iccid2 ? 2 : 1;
	cr_assert(oid_parse(mno, &rs->eis->profiles[0].mno) && iccid_parse(iccid, &rs->eis->profiles[0].iccid));
	cr_assert(!iccid2 || (oid_parse(mno2, &rs->eis->profiles[1].mno) && iccid_parse(iccid2, &rs->eis->profiles[1].iccid)));
	bind_encode(&xml, &m, rs, BIND_PLAIN);
	return arena_strdup(s->p.arena, xml.data);
}

const char *es2_request(struct stage *s, const char *name, const char *fci, unsigned validity_s, const char *smsr,
			const char *iccid, const char *extra)
{
	struct arena *a = s->p.arena;
	bool iccid_first = !strcmp(name, "DeleteProfile") || !strcmp(name, "UpdatePolicyRules");
	const char *profile = iccid ? arena_printf(a, "<rps:Iccid>%s</rps:Iccid>", iccid) : "";
	const char *where = arena_printf(a, "<rps:Smsr-id>%s</rps:Smsr-id>", smsr);

	return arena_printf(a,
			    "<rps:ES2-%sRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>"
			    "<rps:ValidityPeriod>%u</rps:ValidityPeriod><rps:Eid>" EID "</rps:Eid>%s%s%s</rps:ES2-%sRequest>",
			    name, fci, validity_s, iccid_first ? profile : where, iccid_first ? where : profile, extra, name);
}

unsigned es2_ask(struct stage *s, const char *message_id, const char *reply_to, const char *body, const char **out_text)
{
	const struct message m = {
		.message_id = message_id, .context_id = "ctx-7", .reply_to = reply_to, .action = "x", .path = "/es2", .body = body
	};

	return partner_ask(&s->p, &m, out_text);
}

void has(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no '%s' in: %s", part, text);
}

void has_not(const char *text, const char *part)
{
	cr_expect_not(strstr(text, part), "'%s' in: %s", part, text);
}
