/* SPDX-License-Identifier: Apache-2.0 */
/* Orders: a batch of cards, how far it is, a change of one card's additional properties. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/rpc/json_out.h"
#include "common/rpc/rpc.h"
#include "services/eum/eum.h"
#include "services/eum/statements.h"

/* CreateBatch ------------------------------------------------------------------------------------------------------------- */

enum { ORDER_LOCK, ORDER_NAME, ORDER_RANGES, ORDER_SMSR, ORDER_URLS, ORDER_RESULTS };

/* kind:prefix of each range, as EUM_RANGES takes them. */
static const char *ranges_text(struct arena *a, const struct eum_create_batch_rq *in)
{
	struct eum_range *r;
	size_t n = eum_order_ranges(a, in, &r);
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s:%s", text, i ? " " : "", eum_number_names[r[i].kind], r[i].prefix);
	return text;
}

static void create_queue(struct rq *rq, const void *in)
{
	const struct eum_create_batch_rq *order = in;

	DB_QUEUE0(rq->db, EUM_ORDER_LOCK);
	DB_QUEUE(rq->db, EUM_BATCH_NAME_USED, p_text(rq->caller->oid.text), p_text(order->name));
	DB_QUEUE(rq->db, EUM_RANGES, p_text(ranges_text(rq->arena, order)));
	DB_QUEUE(rq->db, RPC_ENTITY_BY_OID, p_text(order->smsr.text));
	DB_QUEUE(rq->db, RPC_ENTITY_URLS, p_text(order->smsr.text), p_text(iface_name(IF_ES1)));
}

static const struct eum_range *ranges_known(struct arena *a, const struct rows *r, size_t *out_n)
{
	struct eum_range *known = arena_array(a, rows_count(r), sizeof(*known));
	size_t n = 0;

	for (size_t i = 0; i < rows_count(r); i++) {
		for (enum eum_number kind = 0; kind < NUMBER_KINDS; kind++) {
			if (!strcmp(row_text(r, i, 0), eum_number_names[kind]))
				known[n++] = (struct eum_range){ kind, row_text_dup(a, r, i, 1), row_int(r, i, 2) };
		}
	}
	*out_n = n;
	return known;
}

static result create_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct eum_create_batch_rq *order = in;
	struct eum_order_facts *found = ARENA_NEW(rq->arena, struct eum_order_facts);
	const struct rows *smsr = rows[ORDER_SMSR];

	found->name_used = rows_count(rows[ORDER_NAME]) > 0;
	found->known = ranges_known(rq->arena, rows[ORDER_RANGES], &found->n_known);
	found->smsr_known = rows_count(smsr) > 0 && (row_int(smsr, 0, 2) & ROLE_SM_SR);
	found->smsr_reachable = rows_count(rows[ORDER_URLS]) > 0;
	found->transport_key = transport_key_of(&((const struct eum *)rq->role)->transport_keys, &order->smsr) != NULL;
	rq->loaded = found;
	return OK;
}

const struct load eum_create_batch_load = { ORDER_RESULTS, create_queue, create_take };

static void created_event(struct rq *rq, const struct eum_batch *b)
{
	CLEANUP(buf_free) struct buf json = { 0 };
	char at[DATETIME_MAX];

	datetime_format(rq->received_us, at);
	buf_char(&json, '{');
	json_out_member(&json, "batch", b->id);
	json_out_member(&json, "name", b->name);
	json_out_member(&json, "orderer", b->orderer);
	json_out_member(&json, "smsr", b->smsr.text);
	buf_printf(&json, ",\"quantity\":%lld", (long long)b->quantity);
	json_out_member(&json, "at", at);
	buf_char(&json, '}');
	rq_event(rq, "eum.batch.created", "", arena_strdup(rq->arena, json.data));
}

/* Takes the numbers and leaves the cards to the maker: the answer does not wait for 100,000 of them. */
result eum_create_batch(struct rq *rq, const void *in, void *out)
{
	struct eum_create_batch_rs *rs = out;
	struct eum_batch *batch = ARENA_NEW(rq->arena, struct eum_batch); /* queued texts live until the commit */
	struct eum_range *ranges;
	char id[UUID_TEXT];
	size_t n;

	TRY(eum_order_check(rq->arena, in, rq->loaded, batch, &ranges, &n));
	uuid_new(id);
	batch->id = arena_strdup(rq->arena, id);
	batch->orderer = rq->caller->oid.text;
	eum_batch_save(rq->db, rq->arena, batch);
	for (size_t i = 0; i < n; i++)
		DB_QUEUE(rq->db, EUM_RANGE_SAVE, p_text(eum_number_names[ranges[i].kind]), p_text(ranges[i].prefix),
			 p_int(rq->arena, ranges[i].first));
	created_event(rq, batch);
	rs->batch = batch->id;
	return OK;
}

void eum_create_batch_committed(struct rq *rq)
{
	struct eum *eum = rq->role;

	eum_maker_ring(atomic_load(&eum->maker));
}

/* GetBatch ---------------------------------------------------------------------------------------------------------------- */

static void get_queue(struct rq *rq, const void *in)
{
	const struct eum_get_batch_rq *get = in;

	DB_QUEUE(rq->db, EUM_BATCH_STATUS, p_text(rq->caller->oid.text), p_text(get->batch));
}

static result get_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct rows *r = rows[0];
	struct eum_batch_info *info;

	if (rows_count(r) == 0)
		return OK; /* another's batch looks like none */
	info = ARENA_NEW(rq->arena, struct eum_batch_info);
	info->batch = row_text_dup(rq->arena, r, 0, 0);
	info->name = row_text_dup(rq->arena, r, 0, 1);
	info->quantity = row_int(r, 0, 2);
	info->made = row_int(r, 0, 3);
	info->submitted = info->made; /* a card and its registration are one commit */
	if (row_bool(r, 0, 4))
		info->file = batch_file_path(rq->arena, rq->role, info->batch);
	info->registered = row_int(r, 0, 5);
	info->refused = row_int(r, 0, 6);
	facts->orderer = rq->caller->oid;
	rq->loaded = info;
	return OK;
}

const struct load eum_get_batch_load = { 1, get_queue, get_take };

result eum_get_batch(struct rq *rq, const void *in, void *out)
{
	struct eum_get_batch_rs *rs = out;

	if (!rq->loaded)
		return failed(rq->arena, CODE_PARAM_INVALID, "Batch", "Batch: unknown batch");
	rs->info = rq->loaded;
	return OK;
}

/* UpdateProperties -------------------------------------------------------------------------------------------------------- */

struct card_order {
	struct oid smsr;
	bool refused, by_callback;
};

static void update_queue(struct rq *rq, const void *in)
{
	const struct eum_update_properties_rq *update = in;

	DB_QUEUE(rq->db, EUM_CARD_ORDER, p_text(update->eid.text));
}

static result update_take(struct rq *rq, const void *in, const struct rows *const *rows, struct relation_facts *facts)
{
	const struct eum_update_properties_rq *update = in;
	struct card_order *order = ARENA_NEW(rq->arena, struct card_order);
	const struct rows *r = rows[0];
	struct dialect dialect = { 0 };
	const char *bad;

	facts->eid_named = true;
	facts->eid = update->eid;
	if (rows_count(r) == 0)
		return OK;
	if (!oid_parse(row_text(r, 0, 0), &facts->orderer) || !oid_parse(row_text(r, 0, 1), &order->smsr))
		return internal(rq->arena, "batch of card %s: a stored OID is none", update->eid.text);
	if (!row_null(r, 0, 3) && !dialect_parse(rq->arena, row_text(r, 0, 3), &dialect, &bad))
		return internal(rq->arena, "entity %s: dialect %s is not known", order->smsr.text, bad);
	facts->eid_known = true;
	order->by_callback = dialect.s_callback;
	order->refused = !strcmp(row_text(r, 0, 2), "refused");
	rq->loaded = order;
	return OK;
}

const struct load eum_update_properties_load = { 1, update_queue, update_take };

/* Behind the card's registration in the same lane and order; answered by the SM-SR in its own time. */
result eum_update_properties(struct rq *rq, const void *in, void *out)
{
	const struct eum_update_properties_rq *update = in;
	const struct card_order *order = rq->loaded;
	struct es1_update_properties_rq call = { .eid = update->eid, .properties = update->properties };
	struct eum_submission s = { .fn = FN_ES1_UpdateEISAdditionalProperties, .eid = update->eid.text, .in = &call };
	char id[UUID_TEXT];

	if (!order)
		return failed(rq->arena, CODE_EID_UNKNOWN, update->eid.text, NULL);
	if (order->refused)
		return failed(rq->arena, CODE_EID_UNKNOWN, update->eid.text, "the SM-SR refused this eUICC");
	uuid_new(id);
	call.base.fci = arena_printf(rq->arena, "%s.1", id);
	s.ref = arena_strdup(rq->arena, id);
	s.smsr = &order->smsr;
	s.by_callback = order->by_callback;
	DB_QUEUE(rq->db, EUM_UPDATE_ADD, p_text(s.ref), p_text(update->eid.text));
	eum_submit(rq->db, rq->arena, &s);
	rq->outbox = true;
	return OK;
}
