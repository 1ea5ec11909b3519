/* SPDX-License-Identifier: Apache-2.0 */
#include "services/sm-sr/card_post.h"

#include <string.h>
#include <strings.h>

#include "common/base/hex.h"

enum { NOTE_MAX = 255 };

static void bad(struct card_post *out, enum post_kind kind, const char *why)
{
	*out = (struct card_post){ .kind = kind, .bad = why };
}

static void read_notification(struct arena *a, const char *hex, const struct eid *eid, struct card_post *out)
{
	size_t n = strlen(hex);
	uint8_t *tlv = arena_alloc(a, n / 2);
	const char *why = NULL;

	if (n > 2 * NOTE_MAX || !hex_decode(hex, n, tlv))
		bad(out, POST_BAD, "msg is no notification in hex");
	else if (!notification_parse((struct bytes){ tlv, n / 2 }, &out->note, &why))
		bad(out, POST_BAD, why);
	else if (!eid_equal(&out->note.eid, eid))
		bad(out, POST_FORBIDDEN, "a notification of another card");
	else
		out->kind = POST_NOTIFICATION;
}

/* The first thing wrong with who it says it is; NULL: nothing. */
static const char *identity_fault(const struct card_headers *h, const struct eid *eid, enum post_kind *out_kind)
{
	struct eid from;
	struct aid agent;

	*out_kind = POST_BAD;
	if (!h->protocol || strcasecmp(h->protocol, RAM_PROTOCOL))
		return "X-Admin-Protocol is not " RAM_PROTOCOL;
	if (!h->from)
		return NULL;
	if (!ram_from_parse(h->from, &from, &agent))
		return "X-Admin-From names no eUICC";
	*out_kind = POST_FORBIDDEN;
	return eid_equal(&from, eid) ? NULL : "X-Admin-From names another card";
}

void card_post_read(struct arena *a, const struct card_headers *h, const struct eid *eid, struct card_post *out)
{
	enum post_kind kind;
	const char *fault = identity_fault(h, eid, &kind);

	*out = (struct card_post){ .kind = POST_FIRST, .body = h->body, .ticket = h->ticket,
				   .resume = h->resume && !strcasecmp(h->resume, "true") };
	if (fault) {
		bad(out, kind, fault);
	} else if (h->msg) {
		read_notification(a, h->msg, eid, out);
	} else if (h->status) {
		out->status = ram_status_parse(h->status);
		out->kind = out->status == RAM_OK ? POST_ANSWER : POST_UNABLE;
		if (out->kind == POST_ANSWER && !ram_is_response(h->content_type ? h->content_type : ""))
			bad(out, POST_BAD, "Content-Type is not " RAM_RESPONSE);
	} else if (h->body.len) {
		bad(out, POST_BAD, "a body without X-Admin-Script-Status");
	}
}
