/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rpc/partner.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/rpc/parked.h"
#include "tests/unit/http/raw.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

enum { T_ENTITY = RPC_STATEMENTS, T_ADDRESS, T_OTHER, T_CERT, T_COUNTS, T_OUTBOX, T_REPLY, T_FILL, T_AGE, T_SPOIL, T_END };
static const struct statement own[] = {
	{ "t_entity", "insert into entity (oid, name, roles) values ($1, 'Partner', 2)" },
	{ "t_address", "insert into entity_address (oid, iface, ord, url) values ($1, $2, 0, $3)" },
	{ "t_other", "insert into entity (oid, name, roles, dialect) values ($1, 'Other', $2::int, $3)" },
	{ "t_cert", "insert into entity_cert (fingerprint, oid, spki, subject, not_after) values (convert_to($1, 'UTF8'), $1,"
		    " decode($2, 'base64'), 'other', now() + interval '1 day')" },
	{ "t_counts", "select (select count(*) from call), (select count(answer) from call), (select count(*) from reply),"
		      " (select count(*) from outbox), (select count(*) from seen)" },
	{ "t_outbox", "select concat_ws('|', kind, lane, eid, address, relates_to, transaction_id, context_id,"
		      " extract(epoch from give_up_at - now())::bigint / 1000, shard = abs(hashtext(lane || eid)::bigint) % 16,"
		      " convert_from(payload, 'UTF8')) from outbox order by id desc limit 1" },
	{ "t_reply", "select concat_ws('|', caller, function, fci, eid, mode, message_id, address, replica,"
		     " extract(epoch from until - now())::bigint / 10) from reply limit 1" },
	{ "t_fill", "insert into reply (id, caller, function, fci, mode, message_id, address, until) select gen_random_uuid(), $1,"
		    " 'ES4-EnableProfile', n, 'poll', n, 'x', now() + interval '1 hour' from generate_series(1, $2::int) n" },
	{ "t_age", "update reply set until = now() - interval '1 second'" },
	{ "t_spoil", "update relay set peer = 'nobody' where fci = $1" },
};

static bool peer_accept(void *ctx, const struct http_peer *http_peer, void **out_peer)
{
	struct rpc *rpc = ctx;
	struct arena *a = arena_new();
	struct peer *peer = ARENA_NEW(a, struct peer);

	peer->arena = a;
	peer->entity = rpc->role_state;
	*out_peer = peer;
	return true;
}

static void sync_here(struct partner *p, const struct rows **rows)
{
	cr_assert_eq(db_sync(p->db, p->arena, rows, rows ? 1 : 0, NULL), OK);
}

void partner_open(struct partner *p, const struct rpc *rpc)
{
	static struct statement statements[T_END];
	struct store_spec spec = { .statements = statements, .n_statements = T_END, .migrations = common_migrations };
	char error[512] = "";

	memset(p, 0, sizeof(*p));
	p->cluster = cluster_new();
	spec.conninfo = p->cluster.conninfo;
	spec.n_migrations = common_migrations_count;
	memcpy(statements, rpc_statements, sizeof(rpc_statements));
	memcpy(statements + RPC_STATEMENTS, own, sizeof(own));
	cr_assert_eq(store_open(&spec, 10, &p->store, error), 0, "%s", error);
	p->arena = arena_new();
	p->db = db_open(p->store);
	cr_assert(oid_parse(PARTNER, &p->entity.oid));
	p->entity.roles = ROLE_OPERATOR;
	p->rpc = *rpc;
	p->rpc.role = "sm-sr";
	p->rpc.self_name = "";
	p->rpc.self_url = "https://smsr.example";
	p->rpc.callback_spare_s = 86400;
	p->rpc.store = p->store;
	p->rpc.role_state = &p->entity;
	cr_assert(oid_parse("1.3.6.1.4.1.99999.2", &p->rpc.self));
	DB_QUEUE(p->db, T_ENTITY, p_text(PARTNER));
	sync_here(p, NULL);
	partner_register(p, "ES2", REGISTERED);
	partner_serve(p);
}

void partner_serve(struct partner *p)
{
	struct http_spec spec = { .name = "partner",
				  .bind_address = "127.0.0.1",
				  .threads = 2,
				  .connections = 50,
				  .max_body = 100000,
				  .thread_open = pipeline_thread_open,
				  .thread_close = pipeline_thread_close,
				  .ctx = &p->rpc,
				  .handlers = pipeline_handlers };
	char error[256];

	spec.handlers.peer_accept = peer_accept;
	p->server = http_server_open(&spec, error);
	cr_assert_not_null(p->server, "%s", error);
}

void partner_close(struct partner *p)
{
	http_server_close(p->server, 0);
	parked_close(p->rpc.parked);
	db_close(p->db);
	arena_free(p->arena);
	store_close(p->store);
	cluster_free(&p->cluster);
}

int partner_send(struct partner *p, const struct message *m)
{
	CLEANUP(buf_free) struct buf xml = { 0 };
	CLEANUP(buf_free) struct buf request = { 0 };
	int fd = raw_connect(http_server_port(p->server));

	buf_str(&xml, "<s:Envelope xmlns:s=\"" NS_SOAP12 "\" xmlns:wsa=\"" NS_WSA "\" xmlns:rps=\"" NS_RPS_DEFAULT "\"><s:Header>");
	if (!m->bare)
		buf_printf(&xml,
			   "<wsa:From><wsa:Address>%s?EntityId=%s</wsa:Address></wsa:From>"
			   "<wsa:MessageID>//mno/%s?TransactionID=tx-%s%s%s</wsa:MessageID>",
			   m->from ? m->from : "https://mno.example/es4", m->entity ? m->entity : PARTNER, m->message_id,
			   m->message_id, m->context_id ? "?ContextID=" : "", m->context_id ? m->context_id : "");
	buf_printf(&xml, "<wsa:To>https://smsr.example/es4</wsa:To><wsa:Action>%s</wsa:Action>",
		   m->action ? m->action : "http://gsma.com/ES4/PlatformManagement/ES4-EnableProfile");
	if (m->reply_to)
		buf_printf(&xml, "<wsa:ReplyTo><wsa:Address>%s</wsa:Address></wsa:ReplyTo>", m->reply_to);
	if (m->relates_to)
		buf_printf(&xml, "<wsa:RelatesTo>%s</wsa:RelatesTo>", m->relates_to);
	buf_printf(&xml, "</s:Header><s:Body>%s</s:Body></s:Envelope>", m->body);
	buf_printf(&request, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: %zu\r\n\r\n%s",
		   m->path ? m->path : "/es4", xml.len, xml.data);
	cr_assert_geq(fd, 0);
	raw_send(fd, request.data);
	return fd;
}

/* The whole answer is there: headers, and as many octets behind them as they say. */
static bool complete(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "Content-Length:");

	return end && length && strlen(end + 4) >= strtoul(length + strlen("Content-Length:"), NULL, 10);
}

unsigned partner_read(int fd, const char **out_text)
{
	static char text[32 * 1024];
	unsigned status = 0;
	size_t n = 0;

	text[0] = '\0';
	for (int64_t until = clock_ms() + 20000; clock_ms() < until && !complete(text);) {
		char part[8192];
		int64_t closed = raw_read_until(fd, "", part, sizeof(part), 100);

		if (closed >= 0 && !part[0])
			break;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", part);
	}
	(void)sscanf(text, "HTTP/1.1 %u", &status);
	if (out_text)
		*out_text = text;
	return status;
}

unsigned partner_ask(struct partner *p, const struct message *m, const char **out_text)
{
	int fd = partner_send(p, m);
	unsigned status = partner_read(fd, out_text);

	(void)close(fd);
	return status;
}

const char *enable_request(struct partner *p, const char *fci, const char *iccid, unsigned validity_s)
{
	return arena_printf(p->arena,
			    "<rps:ES4-EnableProfileRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>"
			    "<rps:ValidityPeriod>%u</rps:ValidityPeriod><rps:Eid>" EID "</rps:Eid><rps:Iccid>%s</rps:Iccid>"
			    "</rps:ES4-EnableProfileRequest>",
			    fci, validity_s, iccid);
}

struct counts partner_counts(struct partner *p)
{
	const struct rows *rows;

	DB_QUEUE0(p->db, T_COUNTS);
	sync_here(p, &rows);
	return (struct counts){ row_int(rows, 0, 0), row_int(rows, 0, 1), row_int(rows, 0, 2), row_int(rows, 0, 3),
				row_int(rows, 0, 4) };
}

static const char *first_row(struct partner *p, unsigned statement)
{
	const struct rows *rows;

	DB_QUEUE0(p->db, statement);
	sync_here(p, &rows);
	return rows_count(rows) ? row_text_dup(p->arena, rows, 0, 0) : "";
}

const char *partner_outbox(struct partner *p)
{
	return first_row(p, T_OUTBOX);
}

const char *partner_reply(struct partner *p)
{
	return first_row(p, T_REPLY);
}

void partner_register(struct partner *p, const char *iface, const char *url)
{
	DB_QUEUE(p->db, T_ADDRESS, p_text(PARTNER), p_text(iface), p_text(url));
	sync_here(p, NULL);
}

void partner_entity(struct partner *p, const char *oid, unsigned roles, const char *dialect, const char *iface, const char *url,
		    const char *pin)
{
	DB_QUEUE(p->db, T_OTHER, p_text(oid), p_int(p->arena, roles), p_text(dialect));
	sync_here(p, NULL);
	DB_QUEUE(p->db, T_CERT, p_text(oid), p_text(pin + strlen("sha256//")));
	sync_here(p, NULL);
	DB_QUEUE(p->db, T_ADDRESS, p_text(oid), p_text(iface), p_text(url));
	sync_here(p, NULL);
}

void partner_fill_mailbox(struct partner *p, unsigned n)
{
	DB_QUEUE(p->db, T_FILL, p_text(PARTNER), p_int(p->arena, n));
	sync_here(p, NULL);
}

void partner_age_replies(struct partner *p)
{
	DB_QUEUE0(p->db, T_AGE);
	sync_here(p, NULL);
}

void partner_spoil_relay(struct partner *p, const char *fci)
{
	DB_QUEUE(p->db, T_SPOIL, p_text(fci));
	sync_here(p, NULL);
}

void partner_wait_parked(struct partner *p, unsigned n)
{
	for (int i = 0; i < 500 && http_parked(p->server) != n; i++)
		sleep_ms(10);
	cr_assert_eq(http_parked(p->server), n, "%u parked", http_parked(p->server));
}

const char *partner_end(struct partner *p, const char *fci, result outcome)
{
	const struct deferred_call call = { PARTNER, "ES4-EnableProfile", fci };
	CLEANUP(db_closep) struct db *db = db_open(p->store);
	struct card_rs rs = { .euicc_response_data = { (const uint8_t *)"\x69\xE1", 2 } };
	const struct rows *rows[2];
	const char *replicas;

	db_begin(db);
	deferred_end(db, p->arena, &call,
		     deferred_encode(p->arena, function_by_id(FN_ES4_EnableProfile), &rs, outcome, outcome != OK, clock_wall_us()));
	db_commit(db);
	cr_assert_eq(db_sync(db, p->arena, rows, 2, NULL), OK);
	replicas = row_text_dup(p->arena, rows[1], 0, 0);
	return replicas;
}
