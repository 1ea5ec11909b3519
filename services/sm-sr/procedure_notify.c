/* SPDX-License-Identifier: Apache-2.0 */
/* The card's own word: which notifications are confirmed (decisions.md C9), and what they change once the card answered the
 * confirmation. */
#include "services/sm-sr/procedure_internal.h"

/* It says that the card is through with the running switch's command, whatever came of it. */
static bool ends_command(const struct card_case *c, const struct notification *n)
{
	const struct procedure *p = running_switch(c);

	if (!p || p->state == PROC_QUEUED)
		return false;
	return n->type == NOTE_ROLLED_BACK || n->type == NOTE_FALL_BACK;
}

/* The running switch that this notification answers, else NULL. */
static struct procedure *awaiting(const struct card_case *c, const struct notification *n)
{
	return n->type == NOTE_CHANGE_OK ? running_switch_to(c, &n->aid) : NULL;
}

/* A change that came too late is not confirmed: the card then goes back by itself, and says so with 03. */
static bool too_late(const struct card_case *c, const struct notification *n)
{
	const struct procedure *p = awaiting(c, n);

	if (n->type != NOTE_CHANGE_OK)
		return false;
	/* What was confirmed in time is confirmed again. */
	if (p && p->state == PROC_CONFIRMING)
		return false;
	return p ? p->overdue : c->expired_aid.len && aid_equal(&c->expired_aid, &n->aid);
}

/* Counts it, and leaves its content with the confirmation: unless it is known with this content and had its effects before. */
static void note_save(struct card_case *c, const struct notification *n, bool confirm)
{
	CLEANUP(buf_free) struct buf tlv = { 0 };
	struct bytes kept = { NULL, 0 };

	if (confirm) {
		notification_build(&tlv, n, NOTE_AID_TAG);
		kept = (struct bytes){ arena_memdup(c->a, tlv.data, tlv.len), tlv.len };
	}
	DB_QUEUE(c->db, SMSR_NOTE_SAVE, p_text(c->eid.text), p_int(c->a, n->seq), p_int(c->a, n->type),
		 p_bytes(arena_memdup(c->a, n->aid.data, n->aid.len), n->aid.len),
		 confirm ? p_bytes(kept.data, kept.len) : p_null(), p_int(c->a, COMMAND_CONFIRM));
}

/* A card that notifies again does not answer the confirmation before. */
static void confirm_now(struct card_case *c, const struct notification *n)
{
	CLEANUP(buf_free) struct buf apdu = { 0 };
	CLEANUP(buf_free) struct buf script = { 0 };
	struct bytes one;

	for (size_t i = 0; i < c->n_commands; i++)
		if (c->commands[i].kind == COMMAND_CONFIRM && c->commands[i].state == COMMAND_FETCHED)
			case_command_answered(c, &c->commands[i]);
	isdr_confirm_notification(&apdu, n->seq);
	one = (struct bytes){ (const uint8_t *)apdu.data, apdu.len };
	script_build(&script, SCRIPT_INDEFINITE, &one, 1);
	/* Not of the procedure: what it confirms happened, also when the procedure ends before the answer comes. */
	(void)case_command_now(c, NULL, COMMAND_CONFIRM, c->session, &script);
}

void procedure_notified(struct card_case *c, const struct notification *n, bool *out_confirm)
{
	const struct procedure *p = awaiting(c, n);
	bool confirm = !too_late(c, n);

	card_log(c, LOG_INFO, confirm ? "card_notification" : "card_notification_late", "type %02X, sequence number %u", n->type,
		 n->seq);
	if (confirm) {
		if ((p && procedure_step(c, PEV_NOTIFIED)) || ends_command(c, n))
			commands_done(c, c->running);
		confirm_now(c, n);
	}
	note_save(c, n, confirm);
	*out_confirm = confirm;
}

static void record(struct card_case *c, const struct notification *n)
{
	const struct profile_info *profile = case_profile_of_aid(c, &n->aid);

	audit_trail_add(c, &(const struct audit_note){ .operation = n->type,
						       .isdp = &n->aid,
						       .iccid = profile ? &profile->iccid : NULL,
						       .imei = n->imei,
						       .meid = n->meid });
}

/* The EIS follows the card. */
static void follow(struct card_case *c, const struct aid *aid, bool tell)
{
	const struct profile_info *was = last_told(c), *is;

	if (!eis_enabled_is(c, aid)) {
		card_uncertain(c, "the card names an ISD-P that the EIS does not have");
		return;
	}
	is = case_profile_of_aid(c, aid);
	if (tell && is != was)
		tell_profile_change(c, was, is, NULL);
}

static bool is_enabled(const struct card_case *c, const struct aid *aid)
{
	const struct profile_info *enabled = case_enabled(c);

	return enabled && aid_equal(&enabled->isdp_aid, aid);
}

/* The awaited one ends the switch with success, also when that was called for while this was confirmed (C3). */
static void changed(struct card_case *c, const struct notification *n)
{
	const struct profile_info *was = last_told(c);
	struct procedure *p = awaiting(c, n);

	if (p && (p->state == PROC_CONFIRMING || procedure_step(c, PEV_NOTIFIED))) {
		commands_done(c, p);
		switch_succeeded(c, &n->aid);
		return;
	}
	if (c->expired_aid.len) /* it was confirmed in time, or the card has gone elsewhere */
		case_expired_aid(c, NULL);
	if (is_enabled(c, &n->aid))
		return;
	follow(c, &n->aid, true);
	if (was && is_enabled(c, &n->aid) &&
	    !aid_equal(&was->isdp_aid, &n->aid)) /* what was asked for too long ago has come about */
		auto_delete_due(c, was);
	switch_failed(c, PEV_OTHER_PROFILE, "the eUICC enabled another profile instead");
}

static void rolled_back(struct card_case *c, const struct notification *n)
{
	/* Of what expired nobody was told; what an audit told is taken back. */
	bool tell = !c->expired_aid.len;

	if (c->expired_aid.len)
		case_expired_aid(c, NULL);
	follow(c, &n->aid, tell);
	switch_failed(c, PEV_ROLLED_BACK, "the eUICC could not attach with the profile and went back to the one before");
}

static void fell_back(struct card_case *c, const struct notification *n)
{
	if (c->expired_aid.len)
		case_expired_aid(c, NULL);
	follow(c, &n->aid, true);
	switch_failed(c, PEV_OTHER_PROFILE, "the eUICC lost its connection and fell back to another profile");
}

/* Nothing changed by it: when the EIS says otherwise, it was wrong. In the midst of a change the card is asked. */
static void attached(struct card_case *c, const struct notification *n)
{
	const struct procedure *p = running_switch(c);

	if (is_enabled(c, &n->aid))
		return;
	if (p && p->state != PROC_QUEUED)
		card_uncertain(c, "the card attached with a profile that the EIS has as disabled");
	else
		follow(c, &n->aid, true);
}

static void effects(struct card_case *c, const struct notification *n)
{
	record(c, n);
	switch (n->type) {
	case NOTE_CHANGE_OK:
		changed(c, n);
		return;
	case NOTE_ROLLED_BACK:
		rolled_back(c, n);
		return;
	case NOTE_FALL_BACK:
		fell_back(c, n);
		return;
	case NOTE_FIRST_ATTACH:
		attached(c, n);
		return;
	default:
		card_uncertain(c, "a notification of a type that is not known here");
		return;
	}
}

/* The audit showed the change, and the card knows nothing to confirm: the answer to an earlier confirmation was lost. */
static bool was_confirmed(const struct card_case *c)
{
	const struct procedure *p = running_switch(c);
	const struct profile_info *is = case_enabled(c);

	return p && p->state == PROC_CONFIRMING && is && switch_wants(p, &is->isdp_aid);
}

void confirm_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer)
{
	const struct script_result *r = &answer->results[0];
	struct notification n;
	struct aid *deleted;
	const char *why;
	size_t n_deleted;

	/* Of what was confirmed before it may know nothing any more: an SMS that came twice. */
	if (r->sw != SW_OK && !(r->sw == SW_NOT_FOUND && (!m->kept.len || was_confirmed(c)))) {
		/* The procedure goes on until the card notifies again, or expires. */
		card_log(c, LOG_WARN, "confirmation_refused", "answered %04X: %s", r->sw, sw_text(r->sw));
		card_uncertain(c, "a confirmation was refused");
		return;
	}
	if (m->kept.len && notification_parse(m->kept, &n, &why)) {
		DB_QUEUE(c->db, SMSR_NOTE_CONFIRMED, p_text(c->eid.text), p_int(c->a, n.seq));
		effects(c, &n);
	}
	/* Last: it may be the profile that was told of just now. */
	if (!isdr_confirmed_parse(c->a, r->data, &deleted, &n_deleted))
		card_uncertain(c, "the answer to a confirmation is broken");
	else if (n_deleted)
		eis_deleted(c, deleted, n_deleted);
	delete_noticed(c);
}
