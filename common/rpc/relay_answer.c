/* SPDX-License-Identifier: Apache-2.0 */
/* What a relayed call's caller is told: the next hop's answer, cut to what the caller may see (D2), or our own. */
#include "common/rpc/answer.h"
#include "common/rpc/relay_internal.h"

#include <string.h>

static struct bytes encode(struct arena *a, const struct relay *r, const struct bind_message *m, void *response)
{
	CLEANUP(buf_free) struct buf out = { 0 };
	struct answer answer = { .message = m, .base = response, .told = true, .received_us = r->received_us };

	answer.base->acceptable_validity_s = NULL; /* it was about the time that the next hop got */
	answer_encode(a, &out, &answer);
	return (struct bytes){ arena_memdup(a, out.data, out.len), out.len };
}

static const struct bind_message *own_response(struct arena *a, const struct relay *r)
{
	const struct bind_message *m = message_response(r->fn->id);

	return m ? m : message_bare_response(a, r->fn);
}

/* The EIS of an answer that may have one; NULL: there is none. */
static struct eis *eis_of(const struct bind_message *m, void *response)
{
	for (const struct bind_field *f = m->group->fields; f->name; f++)
		if (f->type == BIND_GROUP && f->flags == BIND_OPTIONAL && f->size == sizeof(struct eis) && !strcmp(f->name, "Eis"))
			return *(struct eis **)(void *)((char *)response + f->offset);
	return NULL;
}

static bool about_the_card(const struct relay *r, const struct eis *eis)
{
	return !strcmp(eis->info.eid.text, r->eid);
}

static result other_card(struct arena *a)
{
	return failed(a, CODE_INTERNAL, NULL, "the SM-SR answered about another eUICC");
}

struct bytes relay_answer_copy(struct arena *a, const struct relay *r, const void *response)
{
	const struct bind_message *m = own_response(a, r);
	void *copy = arena_memdup(a, response, m->group->size);
	struct eis *eis = eis_of(m, copy);

	if (eis && !about_the_card(r, eis))
		return relay_answer_own(a, r, other_card(a));
	if (eis)
		(void)eis_filter(eis, VIEW_OPERATOR, &r->caller, NULL, 0);
	return encode(a, r, m, copy);
}

struct bytes relay_answer_status(struct arena *a, const struct relay *r, const struct response_base *base)
{
	const struct bind_message *m = own_response(a, r);
	struct response_base *copy = arena_alloc(a, m->group->size);

	copy->status = base->status;
	return encode(a, r, m, copy);
}

struct bytes relay_answer_own(struct arena *a, const struct relay *r, result outcome)
{
	return deferred_encode(a, r->fn, NULL, outcome, false, r->received_us);
}

/* The ICCIDs that a request names, in a list or alone. */
static const struct iccid *named(const struct bind_message *m, const void *in, size_t *out_n)
{
	const struct iccid *one = relay_member(m, in, BIND_ICCID, 0);

	*out_n = one ? 1 : 0;
	for (const struct bind_field *f = m->group->fields; !one && f->name; f++) {
		if (f->type != BIND_ICCID || !(f->flags & BIND_MANY))
			continue;
		memcpy(out_n, (const char *)in + f->count_offset, sizeof(*out_n));
		memcpy(&one, (const char *)in + f->offset, sizeof(one));
	}
	return one;
}

result relay_relation(struct arena *a, const struct relay *r, const void *in, const struct es4_get_eis_rs *rs)
{
	const struct entity caller = { .oid = r->caller };
	struct relation_facts facts = { 0 };
	const struct iccid *iccids;
	size_t n;

	if (!rs->eis)
		return failed(a, CODE_INTERNAL, NULL, "the SM-SR says success but sent no EIS");
	if (!about_the_card(r, rs->eis))
		return other_card(a);
	facts = (struct relation_facts){ .eid_named = true,
					 .eid_known = true,
					 .eid = rs->eis->info.eid,
					 .profiles = rs->eis->profiles,
					 .n_profiles = rs->eis->n_profiles };
	iccids = named(message_request(r->next->id), in, &n);
	if (!n)
		return relation_check(a, r->fn, &caller, &facts);
	for (size_t i = 0; i < n; i++) {
		facts.iccid = &iccids[i];
		TRY(relation_check(a, r->fn, &caller, &facts));
	}
	return OK;
}
