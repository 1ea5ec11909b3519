/* SPDX-License-Identifier: Apache-2.0 */
/* Relayed calls as rows, and the requests that are made of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rpc/relay_internal.h"

#define REF "relay-"
#define UUID_PLACES "........-....-....-....-............"
enum { ATTEMPT_S = 30 };

const char *relay_fci(struct arena *a, const char *id, unsigned step)
{
	return arena_printf(a, "%s.%u", id, step);
}

const char *relay_ref_format(struct arena *a, const char *id, unsigned step)
{
	return arena_printf(a, REF "%s.%u", id, step);
}

bool relay_ref(const char *text)
{
	return !strncmp(text, REF, sizeof(REF) - 1);
}

/* It becomes a uuid of the database. */
static bool is_uuid(const char *text)
{
	static const char places[] = UUID_PLACES;

	for (size_t i = 0; i < UUID_TEXT - 1; i++)
		if (places[i] == '-' ? text[i] != '-' : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	return true;
}

bool relay_ref_parse(struct arena *a, const char *text, const char **out_id, unsigned *out_step)
{
	const char *id = text + sizeof(REF) - 1, *step = id + UUID_TEXT - 1;

	if (!relay_ref(text) || !is_uuid(id) || step[0] != '.' || (step[1] != '0' + RELAY_ASK && step[1] != '0' + RELAY_CALL) ||
	    step[2])
		return false;
	*out_id = arena_strndup(a, id, UUID_TEXT - 1);
	*out_step = (unsigned)(step[1] - '0');
	return true;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void relay_add(struct db *db, struct arena *a, const struct relay *r, int64_t validity_s)
{
	DB_QUEUE(db, RPC_RELAY_ADD, p_text(r->id), p_text(r->caller.text), p_text(r->fn->wire), p_text(r->claim), p_text(r->eid),
		 p_text(r->iccid), p_text(r->next->wire), p_text(r->peer.text), p_bytes(r->request.data, r->request.len),
		 p_bool(r->by_callback), p_bool(r->fn->tx == TX_READ), p_int(a, r->state), p_time(a, r->received_us),
		 p_text(or_empty(r->context_id)), p_text(or_empty(r->trace)), p_int(a, validity_s));
}

static const struct function *function_named(struct arena *a, const char *wire)
{
	const char *name;

	return function_by_root(arena_printf(a, "%sRequest", wire), &name);
}

result relay_row(struct arena *a, const struct rows *rows, size_t row, struct relay *out)
{
	struct relay r = { .id = row_text_dup(a, rows, row, 0),
			   .fn = function_named(a, row_text(rows, row, 2)),
			   .claim = row_text_dup(a, rows, row, 3),
			   .eid = row_text_dup(a, rows, row, 4),
			   .next = function_named(a, row_text(rows, row, 5)),
			   .request = row_bytes_dup(a, rows, row, 7),
			   .by_callback = row_bool(rows, row, 8),
			   .state = (enum relay_state)row_int(rows, row, 9),
			   .received_us = row_int(rows, row, 10),
			   .context_id = row_text_dup(a, rows, row, 11),
			   .trace = row_text_dup(a, rows, row, 12),
			   .rest_ms = row_int(rows, row, 13) };

	if (!r.fn || !r.next || !message_request(r.next->id) || !oid_parse(row_text(rows, row, 1), &r.caller) ||
	    !oid_parse(row_text(rows, row, 6), &r.peer))
		return internal(a, "relay %s: the row is damaged", r.id);
	*out = r;
	return OK;
}

struct bytes relay_encode(struct arena *a, const struct function *fn, const void *in)
{
	CLEANUP(buf_free) struct buf out = { 0 };

	bind_encode(&out, message_request(fn->id), in, BIND_PLAIN);
	return (struct bytes){ arena_memdup(a, out.data, out.len), out.len };
}

/* Bodies are kept as they go out: their prefix is declared by the envelope. */
result relay_request(struct arena *a, const struct relay *r, void **out)
{
	const struct bind_message *m = message_request(r->next->id);
	const struct bind_dialect dialect = { 0 };
	CLEANUP(soap_doc_freep) struct soap_doc *doc = NULL;
	CLEANUP(buf_free) struct buf xml = { 0 };
	void *in = arena_alloc(a, m->group->size);
	const char *reason = "no element";

	buf_str(&xml, "<x xmlns:rps=\"" NS_RPS_DEFAULT "\">");
	buf_add(&xml, r->request.data, r->request.len);
	buf_str(&xml, "</x>");
	doc = soap_doc_parse(a, xml.data, xml.len, &SOAP_LIMITS, &reason);
	if (!doc || !soap_first(soap_doc_root(doc)))
		return internal(a, "relay %s: its request cannot be read: %s", r->id, reason);
	TRY(bind_decode(a, m, soap_first(soap_doc_root(doc)), NS_RPS_DEFAULT, &dialect, in));
	*out = in;
	return OK;
}

void relay_send(struct db *db, struct arena *a, const struct relay *r, const struct function *fn, unsigned step, void *in,
		int64_t nested_s)
{
	struct request_base *base = in;
	const char *ref = relay_ref_format(a, r->id, step);
	const struct outbox_message m = { .fn = fn,
					  .kind = OUTBOX_REQUEST,
					  .to = &r->peer,
					  .eid = r->eid,
					  .ref = ref,
					  .transaction_id = ref,
					  .context_id = r->context_id,
					  .trace = r->trace,
					  .in = in,
					  .wants_callback = r->by_callback || fn->mep == MEP_DEFERRED,
					  .timeout_s = (unsigned)(nested_s < ATTEMPT_S ? nested_s : ATTEMPT_S),
					  .give_up_s = nested_s };
	int64_t *validity = ARENA_NEW(a, int64_t);

	*validity = nested_s < fn->validity.max_s ? nested_s : fn->validity.max_s;
	base->fci = relay_fci(a, r->id, step);
	base->validity_s = validity;
	outbox_send(db, a, &m);
}

const void *relay_member(const struct bind_message *m, const void *in, enum bind_type type, size_t from)
{
	for (const struct bind_field *f = m->group->fields; f->name; f++)
		if (f->type == type && f->offset >= from && !(f->flags & (BIND_OPTIONAL | BIND_MANY)))
			return (const char *)in + f->offset;
	return NULL;
}

bool relay_next_of(const struct rpc *rpc, enum function_id id, const struct function **out)
{
	for (size_t i = 0; i < rpc->n_served; i++) {
		if (rpc->served[i].id != id || !rpc->served[i].relayed)
			continue;
		*out = function_by_id(rpc->served[i].next);
		return true;
	}
	return false;
}
