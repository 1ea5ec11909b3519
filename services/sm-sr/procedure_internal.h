/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the procedure engine: what its files share. */
#ifndef SMSR_PROCEDURE_INTERNAL_H
#define SMSR_PROCEDURE_INTERNAL_H

#include "common/base/log.h"
#include "services/sm-sr/procedures.h"

/* procedure.c */
/* 1.2/4.4 when somebody commands the card, or it is kept for an SM-DP: but that one may go on with the ISD-P that it is kept for (C1). isdp: of
 * the profile that the call is about, NULL: none, or more than one. */
result procedure_may_start(const struct rq *rq, const struct card_case *c, const struct aid *isdp);
/* The running procedure while it has the card change its profile (enable, disable, the first half of a delete), else NULL. */
struct procedure *running_switch(const struct card_case *c);
/* That procedure when it wants this ISD-P enabled, else NULL. */
struct procedure *running_switch_to(const struct card_case *c, const struct aid *enabled);
/* The running procedure while it has a profile deleted, else NULL. */
struct procedure *running_delete(const struct card_case *c);
bool command_is_of(const struct card_command *m, const struct procedure *p);
/* The card did what p wants, however that became known: none of its commands is sent or awaited any more. */
void commands_done(struct card_case *c, const struct procedure *p);
/* The card did not execute it: what it has of p is to be sent again. */
void commands_again(struct card_case *c, const struct procedure *p);
/* As the card said it: data and status word. */
struct bytes raw_answer(struct arena *a, const struct script_result *r);
/* Sets the flag and says why, unless it is set already. */
void card_uncertain(struct card_case *c, const char *why);
void card_log(const struct card_case *c, enum log_level level, const char *event, const char *fmt, ...) PRINTF(4, 5);
/* 8.4/4.2 with the status word's text. */
result card_error(struct card_case *c, const char *command, uint16_t sw);
extern const struct bytes NO_DATA;

/* procedure_end.c: is it one of them? words: blank between two. */
bool text_lists(const char *words, const char *word);
/* Who is not told what p did: who asked for it, or the operator behind the SM-DP that did. */
const struct oid *requester_of(const struct card_case *c, const struct procedure *p);

/* procedure_switch.c */
void switch_command_add(struct card_case *c, const struct procedure *p);
/* Success of p: this ISD-P is enabled. A disable wants any but its own. */
bool switch_wants(const struct procedure *p, const struct aid *enabled);
/* Which one the EIS expects then; NULL: none that it knows. */
const struct aid *switch_goal(const struct card_case *c, const struct procedure *p);
void switch_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
/* POL2 may have changed since it was queued, and so may the enabled profile. */
result switch_allowed(struct card_case *c, const struct procedure *p, const struct profile_info *target);
/* The card answered the confirmation of its 02 for the running switch. */
void switch_succeeded(struct card_case *c, const struct aid *enabled);
/* The card is on another profile than the running switch wants: ends it when it was on its way there. */
void switch_failed(struct card_case *c, enum procedure_event event, const char *why);
/* It expires while its confirmation is not answered. */
void switch_outlived(struct card_case *c);
/* A complete list of an uncertain card says what became of the running switch. */
void switch_audited(struct card_case *c, const struct isdp_status *list, size_t n);
/* The profile that owners were last told is enabled; NULL: none. */
const struct profile_info *last_told(const struct card_case *c);
/* Owners were told of another one while a switch runs: kept with it. */
void switch_told(struct card_case *c, const struct profile_info *enabled);

/* procedure_delete.c */
void delete_command_add(struct card_case *c, const struct procedure *p);
void delete_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
result delete_allowed(struct card_case *c, const struct procedure *p, const struct profile_info *target);
/* The EIS follows the card, profiles may have gone from it: their owners are told, and a procedure that wanted it has succeeded. */
void delete_noticed(struct card_case *c);
/* A complete list of an uncertain card has its profile still: DELETE again. */
void delete_audited(struct card_case *c);
/* disabled is no longer enabled, and that was asked for: POL2 may want it deleted (procedures.md 3.7). */
void auto_delete_due(struct card_case *c, const struct profile_info *disabled);
/* This one is not to be deleted any more. */
void auto_delete_undue(struct card_case *c, const struct iccid *iccid);

/* procedure_create.c */
void create_command_add(struct card_case *c, const struct procedure *p);
void create_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
/* A complete list says which ISD-Ps in creation are there. */
void create_audited(struct card_case *c, const struct isdp_status *list, size_t n);

/* procedure_send.c */
void send_commands_add(struct card_case *c, const struct procedure *p, enum command_kind kind, struct bytes data);
/* Its session is not the one in which it may go: 8.3.1/1.2. */
result send_allowed(const struct card_case *c, const struct procedure *p);
/* EXPIRED 1.6/5.3 or 5.4. */
result expired(struct arena *a, enum code code);
/* procedure_end when the ECASD took a certificate in this session, which the lease remembers. */
void procedure_end_certified(struct card_case *c, result outcome, struct bytes response_data, const char *certified);

/* procedure_audit.c */
/* The engine's own GET STATUS, so that an uncertain card is woken that nothing else would wake. */
void audit_wake(struct card_case *c);
void status_command_add(struct card_case *c, const struct procedure *p);
void status_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);

/* procedure_notify.c */
void confirm_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);

#endif
