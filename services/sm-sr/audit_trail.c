/* SPDX-License-Identifier: Apache-2.0 */
/* What was done to a card, by whom: it travels with the card. */
#include "services/sm-sr/card_case.h"

static struct param p_bytes_or_null(struct arena *a, const uint8_t *data, size_t n)
{
	return n ? p_bytes(arena_memdup(a, data, n), n) : p_null();
}

void audit_trail_add(struct card_case *c, const struct audit_note *n)
{
	const struct status_code *code = n->has_status && n->outcome ? status_code(n->outcome->code) : NULL;

	DB_QUEUE(c->db, SMSR_AUDIT_TRAIL_ADD, p_text(c->eid.text), p_int(c->a, n->operation),
		 n->requester ? p_text(arena_strdup(c->a, n->requester->text)) : p_null(),
		 n->has_status ? p_int(c->a, n->outcome ? n->outcome->status : STATUS_SUCCESS) : p_null(),
		 code ? p_text(code->subject) : p_null(), code ? p_text(code->reason) : p_null(),
		 n->isdp ? p_bytes_or_null(c->a, n->isdp->data, n->isdp->len) : p_null(),
		 n->iccid ? p_text(arena_strdup(c->a, n->iccid->text)) : p_null(), p_bytes_or_null(c->a, n->imei.data, n->imei.len),
		 p_bytes_or_null(c->a, n->meid.data, n->meid.len));
}
