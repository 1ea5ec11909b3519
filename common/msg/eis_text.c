/* SPDX-License-Identifier: Apache-2.0 */
/* The EIS outside of messages. */
#include <string.h>

#include "common/msg/bind_internal.h"
#include "common/msg/messages.h"
#include "common/soap/envelope.h"

static const struct bind_message eis_element = { "Eis", BASE_NOTIFICATION, &eis_group };

void eis_text_write(struct arena *a, struct buf *out, const struct eis *eis)
{
	const char *why, *ns = NS_RPS_DEFAULT;
	CLEANUP(soap_doc_freep) struct soap_doc *info =
		soap_doc_parse(a, eis->info_octets.data, eis->info_octets.len, &SOAP_LIMITS, &why);

	if (info && *soap_namespace(soap_doc_root(info)))
		ns = arena_strdup(a, soap_namespace(soap_doc_root(info)));
	bind_encode_group(out, eis_element.root, ns, &eis_group, eis);
}

/* As a JSON string, at most (common/rpc/json_out.h). */
static size_t quoted_length(const struct buf *text)
{
	enum { CONTROL = 5 }; /* octets more: \u0009 */
	size_t n = text->len;

	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		n += c < 0x20 || c == 0x7F ? CONTROL : c == '"' || c == '\\';
	}
	return n;
}

/* Without the `cut` oldest of these records. */
static bool fits_without(struct arena *a, struct buf *out, struct eis *eis, const struct audit_trail *whole, size_t cut)
{
	struct audit_trail *rest = ARENA_NEW(a, struct audit_trail);

	if (cut) {
		*rest = (struct audit_trail){ whole->records + cut, whole->n_records - cut };
		eis->audit_trail = rest->n_records ? rest : NULL;
	}
	buf_clear(out);
	eis_text_write(a, out, eis);
	return quoted_length(out) <= EIS_TEXT_MAX;
}

bool eis_text_write_cut(struct arena *a, struct buf *out, struct eis *eis, size_t *out_cut)
{
	const struct audit_trail *whole = eis->audit_trail;
	size_t least = 0, most = whole ? whole->n_records : 0;

	*out_cut = 0;
	if (fits_without(a, out, eis, whole, 0))
		return true;
	while (least < most) {
		size_t half = least + (most - least) / 2;

		if (fits_without(a, out, eis, whole, half))
			most = half;
		else
			least = half + 1;
	}
	*out_cut = least;
	if (fits_without(a, out, eis, whole, least))
		return true;
	buf_clear(out);
	return false;
}

/* As they were written: canonical already, each in a document of its own. */
static void octets_keep(struct arena *a, struct eis *eis)
{
	const struct soap_node *info = eis->info_node, *signature = info ? soap_next(info) : NULL;

	if (signature) {
		eis->info_octets = soap_canonical(a, info, C14N_INCLUSIVE_DETACHED);
		eis->signature_octets = soap_canonical(a, signature, C14N_INCLUSIVE_DETACHED);
	}
	eis->info_node = NULL;
}

result eis_text_read(struct arena *a, struct bytes text, struct eis *out)
{
	const struct bind_dialect dialect = { 0 };
	const char *why = NULL;
	CLEANUP(soap_doc_freep) struct soap_doc *doc = soap_doc_parse(a, text.data, text.len, &SOAP_LIMITS, &why);
	const struct soap_node *root = doc ? soap_doc_root(doc) : NULL;

	memset(out, 0, sizeof(*out));
	if (!root || strcmp(soap_name(root), eis_element.root) != 0)
		return failed(a, CODE_PARAM_INVALID, "Eis", "Eis: %s", why ? why : "another element");
	TRY(bind_decode(a, &eis_element, root, soap_namespace(root), &dialect, out));
	octets_keep(a, out);
	return OK;
}
