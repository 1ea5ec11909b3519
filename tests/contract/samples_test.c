/* SPDX-License-Identifier: Apache-2.0 */
/* The sample messages that came with the specification facts; skipped, saying so, where they are absent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/msg/messages.h"
#include "common/soap/envelope.h"
#include "tests/contract/fill.h"
#include "tests/contract/schema.h"

static bool read_sample(struct arena *a, const char *name, struct buf *out)
{
	const char *shared = getenv("RSP_SHARED");
	const char *path = arena_printf(a, "%s/data/messages/%s.xml", shared ? shared : source_path(a, "../shared"), name);
	FILE *f = fopen(path, "r");
	char piece[4096];
	size_t n;

	if (!f) {
		(void)fprintf(stderr, "SKIPPED: no sample %s\n", path);
		return false;
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	(void)fclose(f);
	return true;
}

static const struct bind_message *message_of(const char *root, const struct function **out_f)
{
	const char *name;
	const struct function *f = function_by_root(root, &name);

	*out_f = f ? f : function_by_response_root(root);
	cr_assert_not_null(*out_f, "%s", root);
	return f ? message_request(f->id) : message_response((*out_f)->id);
}

/* Decodes and, when there is a table, validates, re-encodes and compares. NULL: absent or not served yet. */
static const void *take(struct arena *a, const char *name, struct soap_doc **out_doc)
{
	CLEANUP(buf_free) struct buf text = { 0 };
	CLEANUP(buf_free) struct buf why = { 0 };
	const struct bind_message *m;
	const struct function *f;
	struct envelope e = { 0 };
	struct soap_fault fault = { "", "" };
	const char *reason = "";
	void *in;
	result r;

	if (!read_sample(a, name, &text))
		return NULL;
	*out_doc = soap_doc_parse(a, text.data, text.len, &SOAP_LIMITS, &reason);
	cr_assert_not_null(*out_doc, "%s: %s", name, reason);
	cr_assert(envelope_parse(a, *out_doc, &e, &fault), "%s: %s", name, fault.reason);
	cr_assert(envelope_demand(a, &e, &fault), "%s: %s", name, fault.reason);
	m = message_of(soap_name(e.body), &f);
	if (!m) {
		(void)fprintf(stderr, "SKIPPED: %s: %s is not served yet: %s\n", name, f->wire, f->not_served);
		return NULL;
	}
	cr_assert(schema_valid(text.data, text.len, &why), "%s: %s", name, why.data);
	in = arena_alloc(a, m->group->size);
	r = bind_decode(a, m, e.body, NS_RPS_DEFAULT, NULL, in);
	cr_assert(r == OK, "%s: %s", name, r ? r->message : "");
	return in;
}

Test(samples, each_decodes_and_validates_or_is_not_served_yet)
{
	static const char *const names[] = { "01-ES1-RegisterEISRequest",
					     "01b-ES1-RegisterEISResponse",
					     "01c-ES1-RegisterEISRequest-compact",
					     "02-ES4-GetEISRequest",
					     "03-ES4-GetEISResponse",
					     "04-ES4-EnableProfileRequest",
					     "05-ES4-EnableProfileResponse-callback",
					     "06-ES7-HandoverEUICCRequest",
					     "07-ES4-HandleProfileEnabledNotification" };

	for (size_t i = 0; i < LEN(names); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();
		CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;

		(void)take(a, names[i], &d);
	}
}

Test(samples, a_registered_card_is_what_the_sample_says)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
	const struct es1_register_eis_rq *rq = take(a, "01-ES1-RegisterEISRequest", &d);
	const struct eis *eis;
	result r;

	if (!rq)
		return;
	eis = &rq->eis;
	cr_assert_str_eq(rq->base.fci, "es1-0001");
	cr_assert_null(rq->base.validity_s);
	cr_assert_str_eq(eis->info.eid.text, "89049032000500881234567890123492");
	cr_assert(eis->info.capabilities.http_support && !eis->info.capabilities.cattp_support);
	cr_assert_null(eis->info.capabilities.cattp_version);
	cr_assert_eq(eis->info.ecasd.keysets[0].n_certificates, 1);
	cr_assert_eq(eis->n_profiles, 1);
	cr_assert_eq(eis->profiles[0].state, PROFILE_ENABLED);
	cr_assert_eq(eis->profiles[0].pol2.rules[0].action, POL2_DELETE);
	cr_assert_eq(eis->isdr.n_keysets, 2);
	cr_assert_eq(eis->isdr.keysets[0].keys[2].index, 3);
	cr_assert_eq(eis->isdr.keysets[1].keys[0].components[0].type.data[0], 0x85);
	cr_assert_eq(*eis->isdr.keysets[0].counter, 0);
	cr_assert_null(eis->isdr.keysets[1].counter);
	cr_assert_str_eq(eis->properties->items[0].key, "example.lot");
	cr_assert_not_null(eis->info_node);
	cr_assert(!strncmp((const char *)eis->info_octets.data, "<rps:EumSignedInfo xmlns:rps=", 29));
	cr_assert(!strncmp((const char *)eis->signature_octets.data, "<rps:EumSignature xmlns:rps=", 28));
	r = eis_check_registration(a, eis);
	cr_assert(r == OK, "%s", r ? r->message : "");
}

/* decisions.md D3: what was signed leaves as it came. */
Test(samples, signed_octets_leave_as_they_came)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
	CLEANUP(buf_free) struct buf b = { 0 };
	const struct es4_get_eis_rs *rs = take(a, "03-ES4-GetEISResponse", &d);

	if (!rs)
		return;
	bind_encode(&b, message_response(FN_ES4_GetEIS), rs, BIND_PLAIN);
	cr_assert_not_null(memmem(b.data, b.len, rs->eis->info_octets.data, rs->eis->info_octets.len));
	cr_assert_not_null(memmem(b.data, b.len, rs->eis->signature_octets.data, rs->eis->signature_octets.len));
}

Test(samples, a_handed_card_travels_with_its_audit_trail_and_without_keys)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
	const struct es7_handover_euicc_rq *rq = take(a, "06-ES7-HandoverEUICCRequest", &d);
	CLEANUP(buf_free) struct buf b = { 0 };

	if (!rq)
		return;
	cr_assert_eq(*rq->base.validity_s, 3600);
	cr_assert_str_eq(rq->eis.info.eid.text, "89049032000500881234567890123492");
	cr_assert(rq->eis.audit_trail && rq->eis.audit_trail->n_records > 0);
	for (size_t i = 0; i < rq->eis.isdr.n_keysets; i++)
		cr_assert_eq(rq->eis.isdr.keysets[i].n_keys, 0);
	bind_encode(&b, message_request(FN_ES7_HandoverEUICC), rq, BIND_PLAIN);
	cr_assert_not_null(memmem(b.data, b.len, rq->eis.info_octets.data, rq->eis.info_octets.len));
}

static struct bytes text_of(struct arena *a, const struct eis *eis)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	eis_text_write(a, &b, eis);
	return (struct bytes){ arena_memdup(a, b.data, b.len), b.len };
}

static bool same(struct bytes one, struct bytes two)
{
	return one.len && one.len == two.len && !memcmp(one.data, two.data, one.len);
}

/* Read and written again it is the same, as it goes over the bus and lies in rows. */
static void check_text(struct arena *a, struct bytes text, struct eis *out)
{
	result r = eis_text_read(a, text, out);

	cr_assert(r == OK, "%s", r ? r->message : "");
	cr_assert_null(out->info_node, "its document is gone");
	cr_assert(same(text_of(a, out), text));
}

/* And what was signed stays as it came. */
Test(samples, an_eis_outside_of_messages_is_the_same_again)
{
	static const char *const names[] = { "01-ES1-RegisterEISRequest", "01c-ES1-RegisterEISRequest-compact" };

	for (size_t i = 0; i < LEN(names); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();
		CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
		const struct es1_register_eis_rq *rq = take(a, names[i], &d);
		struct eis read;

		if (!rq)
			return;
		check_text(a, text_of(a, &rq->eis), &read);
		cr_assert(same(read.info_octets, rq->eis.info_octets), "%s", names[i]);
		cr_assert(same(read.signature_octets, rq->eis.signature_octets), "%s", names[i]);
		cr_assert(!strcmp(read.info.eid.text, rq->eis.info.eid.text) && read.n_profiles == rq->eis.n_profiles);
	}
}

Test(samples, an_eis_with_all_that_it_may_have_is_the_same_again)
{
	for (unsigned seed = 0; seed < 20; seed++) {
		CLEANUP(arena_freep) struct arena *a = arena_new();
		const struct es7_handover_euicc_rq *rq =
			fill_new(a, message_request(FN_ES7_HandoverEUICC)->group, seed % 2 ? FILL_LEAST : FILL_ALL, seed);
		struct eis first, read;

		cr_assert(eis_text_read(a, text_of(a, &rq->eis), &first) == OK);
		check_text(a, text_of(a, &first), &read); /* what fill makes is not canonical, what was read is */
		cr_assert(!strcmp(read.info.eid.text, rq->eis.info.eid.text) && read.n_profiles == rq->eis.n_profiles);
		cr_assert(read.isdr.n_keysets == rq->eis.isdr.n_keysets && !read.audit_trail == !rq->eis.audit_trail);
	}
}

Test(samples, what_is_no_eis_is_refused)
{
	CLEANUP(arena_freep) struct arena *a = arena_new();
	const struct es7_handover_euicc_rq *rq = fill_new(a, message_request(FN_ES7_HandoverEUICC)->group, FILL_ALL, 1);
	static const char *const bad[] = {
		"", "x", "<Eis/>", "<rps:Eis/>", "<Other xmlns=\"" NS_RPS_DEFAULT "\"/>", "<Eis xmlns=\"" NS_RPS_DEFAULT "\"/>"
	};
	const struct bytes text = text_of(a, &rq->eis);
	struct eis eis;

	for (size_t i = 0; i < LEN(bad); i++) {
		result r = eis_text_read(a, (struct bytes){ (const uint8_t *)bad[i], strlen(bad[i]) }, &eis);

		cr_assert(r != OK && r->status == STATUS_FAILED, "row %zu", i);
	}
	for (size_t n = 0; n < text.len; n += 97)
		cr_assert_neq(eis_text_read(a, (struct bytes){ text.data, n }, &eis), OK, "cut after %zu octets", n);
}

/* What another SM-SR wrote into an audit trail must not keep a card from ever moving again. */
Test(samples, an_eis_that_is_too_long_goes_without_its_older_records)
{
	enum { RECORDS = 41, LONG = 64 * 1024 };
	CLEANUP(arena_freep) struct arena *a = arena_new();
	CLEANUP(soap_doc_freep) struct soap_doc *d = NULL;
	const struct es7_handover_euicc_rq *rq = take(a, "06-ES7-HandoverEUICCRequest", &d);
	struct audit_record *records = arena_array(a, RECORDS, sizeof(*records));
	struct audit_trail trail = { records, RECORDS };
	struct properties many = { 0 };
	struct eis eis = rq->eis, read;
	CLEANUP(buf_free) struct buf b = { 0 };
	char *words = arena_alloc(a, LONG);
	size_t cut;

	cr_assert(eis_text_write_cut(a, &b, &eis, &cut) && !cut);
	cr_assert(same((struct bytes){ (const uint8_t *)b.data, b.len }, text_of(a, &rq->eis)));
	memset(words, '\'', LONG - 1);
	for (size_t i = 0; i < RECORDS; i++) {
		struct status_code_data *code = ARENA_NEW(a, struct status_code_data);
		struct execution_status *status = ARENA_NEW(a, struct execution_status);

		*code = (struct status_code_data){ .subject = "8.1", .reason = "3.3", .message = words };
		*status = (struct execution_status){ .status = STATUS_FAILED, .code = code };
		records[i] = rq->eis.audit_trail->records[0];
		records[i].status = status;
		records[i].date = (int64_t)i * 1000000;
	}
	eis.audit_trail = &trail;
	cr_assert(eis_text_write_cut(a, &b, &eis, &cut));
	cr_assert(b.len <= EIS_TEXT_MAX && cut + eis.audit_trail->n_records == RECORDS, "%zu", b.len);
	check_text(a, (struct bytes){ (const uint8_t *)b.data, b.len }, &read);
	cr_assert(read.audit_trail->n_records > 1 && read.audit_trail->records[0].date == (int64_t)cut * 1000000,
		  "the newest stay");
	/* Each of these is two octets as JSON. */
	memset(words, '\\', LONG - 1);
	trail = (struct audit_trail){ records, RECORDS - 28 };
	eis.audit_trail = &trail;
	cr_assert(eis_text_write_cut(a, &b, &eis, &cut) && cut == 7 && b.len > 6 * LONG);
	/* Nothing else can be left out. */
	many.items = arena_array(a, RECORDS, sizeof(struct property));
	many.n_items = RECORDS;
	eis.properties = &many;
	for (size_t i = 0; i < RECORDS; i++)
		many.items[i] = (struct property){ arena_printf(a, "example.%zu", i), words };
	cr_assert_not(eis_text_write_cut(a, &b, &eis, &cut));
	cr_assert_eq(b.len, 0);
}
