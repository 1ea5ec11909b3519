/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure engine (design.md 4): starts, moves and ends what commands a card. Everything here works in the open transaction of a
 * struct card_case and returns without having sent anything. */
#ifndef SMSR_PROCEDURES_H
#define SMSR_PROCEDURES_H

#include "common/card/script.h"
#include "services/sm-sr/card_case.h"

/* From a handler: takes eid_busy, makes the procedure row, queues its command (decisions.md C1, C2). The checks were made; busy is checked
 * here: 1.2/4.4. *out: its id. */
struct procedure_start {
	enum procedure_kind kind;
	const struct profile_info *target; /* enable, disable, delete; NULL else */
	const char *iccids;                /* audit */
	bool more;                         /* create, send: a lease follows */
	enum command_kind send;            /* send: one that command_is_sent */
	struct bytes data;                 /* its commands, which have passed the filter */
	unsigned grace_s;                  /* so much longer than its call's validity period it lasts */
};
result procedure_start(struct rq *rq, struct card_case *c, const struct procedure_start *s);

/* One of our own, for which nobody's call waits; nothing runs on the card. The command of a PROC_HANDOVER_STEP is
 * added by who starts it. */
void procedure_start_own(struct card_case *c, const struct procedure_start *s, unsigned validity_s);

/* The one mover: UPDATE ... WHERE state = $old. False: the event cannot happen in this state; logged, nothing queued. */
bool procedure_step(struct card_case *c, enum procedure_event event);

/* What the card said, for the running procedure and for the EIS. Called by the card session within its transaction. */
/* A script's results came for a fetched command (already marked answered). A list that the card has not finished is gone on with at once:
 * then the session has another fetched command, and sends it. */
void procedure_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
/* The same for what an SM-DP sent: COMMAND_SEND, COMMAND_CERTIFICATE, COMMAND_AGREEMENT, COMMAND_PARAMETERS; body: the whole answer. The rest of it is sent next. */
bool command_is_sent(const struct card_command *m);
void procedure_relayed(struct card_case *c, const struct card_command *m, struct bytes body);
/* The card could not take the script: X-Admin-Script-Status other than ok, an answer that is broken or too large. why: for log and message. */
void procedure_unanswerable(struct card_case *c, const struct card_command *m, const char *why);
/* The session that fetched m is gone (new session without resume, or expiry of patience). */
void procedure_lost(struct card_case *c, struct card_command *m);
/* A notification from this card, authenticated. *out_confirm: the session is to confirm it now (decisions.md C9, procedures.md 4.11); its effects on
 * EIS and procedure wait for the answer to the confirmation, which comes as procedure_answered with COMMAND_CONFIRM. The confirmation is made
 * here, fetched by c->session (set before): the last of c->commands. */
void procedure_notified(struct card_case *c, const struct notification *n, bool *out_confirm);

/* The first script for an uncertain card (C3): GET STATUS of all and its resources, fetched by c->session. When the card is uncertain
 * still after its answer, nothing else may be sent in this session. */
struct card_command *procedure_audit_now(struct card_case *c);

/* Before m is sent: what is enabled may be another profile than when it was queued, and POL2 may keep that one. False: its procedure has
 * ended, and m with it. */
bool procedure_may_send(struct card_case *c, const struct card_command *m);

/* At the end of a step: when nothing runs and POL2 wants a profile deleted, that is begun (C1: before anybody else may). */
void procedure_follow_up(struct card_case *c);

/* The sweeper: the running procedure's deadline has passed. EXPIRED 1.6/5.3, or 5.4 when the card took the command (A6). */
void procedure_expire(struct card_case *c);

/* What of it is due at all: a step of an SM-SR change, else the procedure. True: something was. */
bool procedure_overdue(struct card_case *c);

/* procedure_end.c: ends the running procedure and its call; releases eid_busy, writes the audit trail, tells bus and owners. changed: the
 * enabled profile changed from before to now (either NULL: nobody to be told). response_data: raw R-APDU for the caller, empty: none. */
void procedure_end(struct card_case *c, result outcome, struct bytes response_data);
/* Tells owners (HandleProfileDisabled/EnabledNotification) and the bus that the enabled profile is another one; requester is not told (NULL: all are). */
void tell_profile_change(struct card_case *c, const struct profile_info *disabled, const struct profile_info *enabled,
			 const struct oid *requester);

/* Tells the profile's owner and the bus that it was deleted; requester as above. */
void tell_deleted(struct card_case *c, const struct profile_info *deleted, const struct oid *requester);

/* es4_platform_management.c, es4_audit.c, es4_profile_management.c (SGP.02 5.4, 5.5): for ES3, too, where it has the same function. */
extern const struct load es4_profile_load, es4_audit_eis_load, es4_update_policy_rules_load, es4_update_subscription_address_load,
	es3_update_policy_rules_load;
result es4_enable_profile(struct rq *rq, const void *in, void *out);
result es4_disable_profile(struct rq *rq, const void *in, void *out);
result es4_delete_profile(struct rq *rq, const void *in, void *out);
result es4_update_policy_rules(struct rq *rq, const void *in, void *out);
result es3_update_policy_rules(struct rq *rq, const void *in, void *out);
result es4_update_subscription_address(struct rq *rq, const void *in, void *out);
result es4_audit_eis(struct rq *rq, const void *in, void *out);
void es4_procedure_committed(struct rq *rq);

/* es3_download.c (SGP.02 5.4) */
extern const struct load es3_create_isdp_load, es3_send_data_load, es3_profile_download_completed_load,
	es3_update_connectivity_parameters_load;
result es3_create_isdp(struct rq *rq, const void *in, void *out);
result es3_send_data(struct rq *rq, const void *in, void *out);
result es3_profile_download_completed(struct rq *rq, const void *in, void *out);
void es3_profile_download_completed_committed(struct rq *rq);
result es3_update_connectivity_parameters(struct rq *rq, const void *in, void *out);

#endif
