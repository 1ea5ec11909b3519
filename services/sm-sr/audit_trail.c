/* SPDX-License-Identifier: Apache-2.0 */
/* What was done to a card, by whom: it travels with the card. */
#include <string.h>

#include "common/base/log.h"
#include "services/sm-sr/eis_json.h"
#include "services/sm-sr/smsr_change.h"

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

/* Columns of SMSR_TRAIL_LOAD. */
enum { AT, OPERATION, REQUESTER, STATUS, SUBJECT, REASON, ISDP, ICCID, IMEI, MEID, SMSR, SUBJECT_ID, MESSAGE };
enum { OPERATION_LEN = 2 };

static struct oid *oid_of(struct arena *a, const struct rows *rows, size_t i, unsigned col)
{
	struct oid *oid = ARENA_NEW(a, struct oid);

	return oid_parse(row_text(rows, i, col), oid) ? oid : NULL;
}

static bool status_from(struct arena *a, const struct rows *rows, size_t i, struct audit_record *r)
{
	if (row_null(rows, i, STATUS))
		return true;
	r->status = ARENA_NEW(a, struct execution_status);
	r->status->status = (enum status)row_int(rows, i, STATUS);
	if (!row_null(rows, i, SUBJECT)) {
		r->status->code = arena_alloc(a, sizeof(*r->status->code));
		r->status->code->subject = row_text_dup(a, rows, i, SUBJECT);
		r->status->code->reason = row_text_dup(a, rows, i, REASON);
		r->status->code->subject_id = row_text_dup(a, rows, i, SUBJECT_ID);
		r->status->code->message = row_text_dup(a, rows, i, MESSAGE);
		if (!r->status->code->reason)
			return false;
	}
	return row_int(rows, i, STATUS) >= 0 && row_int(rows, i, STATUS) <= STATUS_EXPIRED;
}

static bool aid_from(struct arena *a, const struct rows *rows, size_t i, struct audit_record *r)
{
	struct bytes aid = row_bytes(rows, i, ISDP);

	if (row_null(rows, i, ISDP))
		return true;
	if (aid.len < AID_MIN || aid.len > AID_MAX)
		return false;
	r->isdp_aid = ARENA_NEW(a, struct aid);
	memcpy(r->isdp_aid->data, aid.data, aid.len);
	r->isdp_aid->len = (uint8_t)aid.len;
	return true;
}

static bool record_from(struct arena *a, const struct rows *rows, size_t i, struct audit_record *r)
{
	uint8_t *operation = arena_alloc(a, OPERATION_LEN);

	operation[0] = (uint8_t)(row_int(rows, i, OPERATION) >> 8);
	operation[1] = (uint8_t)row_int(rows, i, OPERATION);
	r->operation = (struct bytes){ operation, OPERATION_LEN };
	r->date = row_int(rows, i, AT);
	r->imei = row_bytes_dup(a, rows, i, IMEI);
	r->meid = row_bytes_dup(a, rows, i, MEID);
	if (!row_null(rows, i, REQUESTER) && !(r->requester = oid_of(a, rows, i, REQUESTER)))
		return false;
	if (!row_null(rows, i, ICCID)) {
		r->iccid = ARENA_NEW(a, struct iccid);
		if (!iccid_parse(row_text(rows, i, ICCID), r->iccid))
			return false;
	}
	return (row_null(rows, i, SMSR) || oid_parse(row_text(rows, i, SMSR), &r->smsr)) && status_from(a, rows, i, r) &&
	       aid_from(a, rows, i, r);
}

result audit_trail_from_rows(struct arena *a, const struct eid *eid, const struct oid *self, const struct rows *rows,
			     struct audit_trail **out)
{
	struct audit_trail *trail = ARENA_NEW(a, struct audit_trail);

	trail->n_records = rows_count(rows);
	trail->records = arena_array(a, trail->n_records, sizeof(*trail->records));
	for (size_t i = 0; i < trail->n_records; i++) {
		trail->records[i] = (struct audit_record){ .eid = *eid, .smsr = *self };
		if (!record_from(a, rows, i, &trail->records[i]))
			return internal(a, "audit trail of %s: record %zu is damaged", eid->text, i);
	}
	*out = trail->n_records ? trail : NULL;
	return OK;
}

static json_t *record_json(struct arena *a, const struct audit_record *r)
{
	int64_t operation = r->operation.data[0] << 8 | r->operation.data[1];
	int64_t status = r->status ? (int64_t)r->status->status : 0;
	const struct status_code_data *code = r->status ? r->status->code : NULL;
	json_t *o = json_object();

	json_put_int(o, "at", &r->date);
	json_put_int(o, "operation", &operation);
	json_put_text(o, "smsr", r->smsr.text);
	json_put_text(o, "requester", r->requester ? r->requester->text : NULL);
	json_put_int(o, "status", r->status ? &status : NULL);
	json_put_text(o, "subject", code ? code->subject : NULL);
	json_put_text(o, "reason", code ? code->reason : NULL);
	json_put_text(o, "subject_id", code ? code->subject_id : NULL);
	json_put_text(o, "message", code ? code->message : NULL);
	json_put_text(o, "iccid", r->iccid ? r->iccid->text : NULL);
	if (r->isdp_aid)
		json_put_hex(a, o, "aid", r->isdp_aid->data, r->isdp_aid->len);
	if (r->imei.len)
		json_put_hex(a, o, "imei", r->imei.data, r->imei.len);
	if (r->meid.len)
		json_put_hex(a, o, "meid", r->meid.data, r->meid.len);
	return o;
}

struct param audit_trail_param(struct arena *a, const struct eid *eid, const struct audit_trail *trail)
{
	json_t *all = json_array();

	for (size_t i = 0; trail && i < trail->n_records; i++) {
		const int64_t n = (int64_t)i;
		json_t *o;

		if (!eid_equal(&trail->records[i].eid, eid)) {
			log_msg(LOG_WARN, "adopt_record", "eid %s: record %zu of the audit trail is about another eUICC", eid->text,
				i);
			continue;
		}
		o = record_json(a, &trail->records[i]);
		json_put_int(o, "n", &n);
		(void)json_array_append_new(all, o);
	}
	return p_json(a, all);
}
