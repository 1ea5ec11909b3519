/* SPDX-License-Identifier: Apache-2.0 */
/* Every bind table: filled, written, validated against the checked-in schema, read back, compared. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/msg/messages.h"
#include "common/soap/envelope.h"
#include "tests/contract/fill.h"
#include "tests/contract/schema.h"

static void wrap(struct buf *out, const struct bind_message *m, const void *in)
{
	struct envelope e = { .action = "urn:test" };

	buf_clear(out);
	envelope_open(out, &e, NS_RPS_DEFAULT);
	bind_encode(out, m, in, BIND_PLAIN);
	envelope_close(out);
}

static void *read_back(struct arena *a, const struct bind_message *m, const struct buf *text, struct soap_doc **out_doc)
{
	const char *why = "";
	struct soap_doc *d = soap_doc_parse(a, text->data, text->len, &SOAP_LIMITS, &why);
	struct envelope e = { 0 };
	struct soap_fault f = { "", "" };
	void *out = arena_alloc(a, m->group->size);
	result r;

	cr_assert_not_null(d, "%s: %s", m->root, why);
	cr_assert(envelope_parse(a, d, &e, &f), "%s", f.reason);
	cr_assert_str_eq(soap_name(e.body), m->root);
	r = bind_decode(a, m, e.body, NS_RPS_DEFAULT, NULL, out);
	cr_assert(r == OK, "%s: %s\n%s", m->root, r ? r->message : "", text->data);
	*out_doc = d;
	return out;
}

static void round_trip(const struct bind_message *m, enum fill how, unsigned seed)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(buf_free) struct buf first = { 0 };
	CLEANUP(buf_free) struct buf second = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	CLEANUP(soap_doc_freep) struct soap_doc *d1 = NULL;
	CLEANUP(soap_doc_freep) struct soap_doc *d2 = NULL;
	const void *x = fill_new(a, m->group, how, seed), *y, *z;

	wrap(&first, m, x);
	cr_assert(schema_valid(first.data, first.len, &why), "%s: %s\n%s", m->root, why.data, first.data);
	y = read_back(a, m, &first, &d1);
	cr_assert_null(fill_difference(m->group, x, y), "%s: %s changed", m->root, fill_difference(m->group, x, y));
	wrap(&second, m, y); /* now with kept octets, which are written raw */
	cr_assert(schema_valid(second.data, second.len, &why), "%s: %s", m->root, why.data);
	z = read_back(a, m, &second, &d2);
	cr_assert_null(fill_difference(m->group, x, z), "%s: %s changed", m->root, fill_difference(m->group, x, z));
	buf_clear(&first);
	buf_clear(&second);
	bind_digest_input(&first, m, x);
	bind_digest_input(&second, m, z);
	cr_assert(first.len == second.len && !memcmp(first.data, second.data, first.len), "%s: digests differ", m->root);
}

Test(messages, every_table_survives_the_wire_and_its_schema)
{
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		for (unsigned seed = 0; seed < 3; seed++) {
			if (message_request(id))
				round_trip(message_request(id), seed ? FILL_ALL : FILL_LEAST, seed * 100);
			if (message_response(id))
				round_trip(message_response(id), seed ? FILL_ALL : FILL_LEAST, seed * 100);
		}
	}
}

/* Where an SM-DP sends it, or whom it tells: last in the struct, behind what it relays, though the wire says it earlier (relay_test.c). */
static bool is_routing(const struct bind_group *g, const struct bind_field *f)
{
	for (const struct bind_field *h = g->fields; h->name; h++)
		if (h->offset > f->offset)
			return false;
	return f->type == BIND_OID && (!strcasecmp(f->name, "Smsr-id") || !strcmp(f->name, "Mno-id"));
}

/* Two rows on one member would survive every round trip. */
static void check_members(const struct bind_group *g)
{
	for (const struct bind_field *f = g->fields; f->name; f++) {
		cr_assert_lt(f->offset, g->size, "%s", f->name);
		cr_assert(!(f->flags & BIND_MANY) || f->count_offset == f->offset + sizeof(void *), "%s: its count is another's",
			  f->name);
		for (const struct bind_field *h = g->fields; h < f; h++)
			cr_assert((h->offset < f->offset || is_routing(g, h)) && h->offset != f->offset &&
					  strcmp(h->name, f->name) != 0,
				  "%s and %s share a member or are out of order", h->name, f->name);
		if (f->sub)
			check_members(f->sub);
	}
}

Test(messages, every_row_has_a_member_of_its_own_in_the_order_of_the_struct)
{
	for (enum function_id id = 0; id < FN_COUNT; id++) {
		if (message_request(id))
			check_members(message_request(id)->group);
		if (message_response(id))
			check_members(message_response(id)->group);
	}
}

/* With a table it is that of the function, of which only the base is filled: as rpc/reply.c does. */
Test(messages, a_failure_of_any_function_is_written)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	struct status_code_data code = { "8.1.1", "1.1", "Eid", "unknown" };

	for (enum function_id id = 0; id < FN_COUNT; id++) {
		CLEANUP(buf_free) struct buf b = { 0 };
		CLEANUP(buf_free) struct buf why = { 0 };
		const struct bind_message *table = message_response(id);
		const struct bind_message *m = table ? table : message_bare_response(a, function_by_id(id));
		struct response_base *rs = arena_alloc(a, m->group->size);

		rs->status = (struct execution_status){ STATUS_FAILED, &code };
		wrap(&b, m, rs);
		cr_assert(strstr(b.data, arena_printf(a, "<rps:%sResponse>", function_by_id(id)->wire)));
		cr_assert(!table || schema_valid(b.data, b.len, &why), "%s: %s", m->root, why.data);
	}
}

/* A schema that took anything would make the tests above worthless. */
Test(messages, the_schema_refuses_what_is_wrong)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct bind_message *m = message_request(FN_ES4_GetEIS);
	CLEANUP(buf_free) struct buf b = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	char *eid;

	wrap(&b, m, fill_new(a, m->group, FILL_ALL, 1));
	eid = strstr(b.data, "rps:Eid>");
	cr_assert_not_null(eid);
	eid[8] = 'x';
	cr_assert(!schema_valid(b.data, b.len, &why));
	cr_assert(strstr(why.data, "Eid"), "%s", why.data);
}
