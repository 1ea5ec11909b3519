/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/peer.h"

#include <criterion/criterion.h>
#include <string.h>

#include "common/soap/envelope.h"

struct arena *a;
static struct soap_doc *last;

void peer_start(void)
{
	a = arena_new();
	last = NULL;
}

void peer_stop(void)
{
	soap_doc_free(last);
	arena_free(a);
}

static const char *in_body(const char *root, const char *content)
{
	return arena_printf(
		a,
		"<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body><rps:%s xmlns:rps='%s'>%s</rps:%s>"
		"</s:Body></s:Envelope>",
		root, NS_RPS_DEFAULT, content, root);
}

bool valid(const char *root, const char *content)
{
	CLEANUP(buf_free) struct buf why = { 0 };
	const char *text = in_body(root, content);

	return schema_valid(text, strlen(text), &why);
}

result decode(const char *root, const char *content, void *out)
{
	const char *text = in_body(root, content), *why = "", *name;
	const struct function *f = function_by_root(root, &name);
	const struct bind_message *m = f ? message_request(f->id) : message_response(function_by_response_root(root)->id);

	soap_doc_free(last);
	last = soap_doc_parse(a, text, strlen(text), &SOAP_LIMITS, &why);
	cr_assert_not_null(last, "%s: %s", text, why);
	return bind_decode(a, m, soap_first(soap_first(soap_doc_root(last))), NS_RPS_DEFAULT, NULL, out);
}

void take(const char *root, const char *content, void *out)
{
	CLEANUP(buf_free) struct buf why = { 0 };
	const char *text = in_body(root, content);
	result r = decode(root, content, out);

	cr_assert(r == OK, "%s: %s", root, r ? r->message : "");
	cr_assert(schema_valid(text, strlen(text), &why), "%s: %s", root, why.data);
}

void refused(const char *root, const char *content, enum code code, const char *parameter, const char *message)
{
	uint64_t out[256]; /* more than any of them needs */
	result r = decode(root, content, out);

	cr_assert(r != OK, "%s", content);
	cr_assert_eq(r->code, code, "%s", r->message);
	cr_assert_str_eq(r->subject_id, parameter);
	cr_assert_str_eq(r->message, message);
}

const char *written(const struct bind_message *m, const void *in, enum bind_mask mask)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	bind_encode(&b, m, in, mask);
	return arena_strdup(a, b.data);
}
