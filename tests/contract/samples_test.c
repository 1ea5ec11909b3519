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
