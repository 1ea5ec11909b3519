/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the procedure engine: what its files share. */
#ifndef SMSR_PROCEDURE_INTERNAL_H
#define SMSR_PROCEDURE_INTERNAL_H

#include "common/base/log.h"
#include "services/sm-sr/procedures.h"

/* procedure.c */
/* 1.2/4.4 when somebody commands the card. */
result procedure_may_start(struct arena *a, const struct card_case *c);
/* The running procedure when it enables a profile, else NULL. */
struct procedure *running_enable(const struct card_case *c);
/* That procedure when it enables this ISD-P, else NULL. */
struct procedure *running_enable_of(const struct card_case *c, const struct aid *isdp);
bool command_is_of(const struct card_command *m, const struct procedure *p);
/* The card did what p wants, however that became known: none of its commands is sent or awaited any more. */
void commands_done(struct card_case *c, const struct procedure *p);
/* Sets the flag and says why, unless it is set already. */
void card_uncertain(struct card_case *c, const char *why);
void card_log(const struct card_case *c, enum log_level level, const char *event, const char *fmt, ...) PRINTF(4, 5);
/* 8.4/4.2 with the status word's text. */
result card_error(struct card_case *c, const char *command, uint16_t sw);
extern const struct bytes NO_DATA;

/* procedure_enable.c */
void enable_command_add(struct card_case *c, const struct procedure *p);
void enable_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);
/* The card answered the confirmation of its 02 for the running enable. */
void enable_succeeded(struct card_case *c);
/* The card is on another profile than the running enable wants: ends it when it was on its way there. */
void enable_failed(struct card_case *c, enum procedure_event event, const char *why);
/* It expires while its confirmation is not answered. */
void enable_outlived(struct card_case *c);
/* A complete list of an uncertain card says what became of the running enable. */
void enable_audited(struct card_case *c, const struct isdp_status *list, size_t n);
/* The profile that owners were last told is enabled; NULL: none. */
const struct profile_info *last_told(const struct card_case *c);
/* Owners were told of another one while an enable runs: kept with it. */
void enable_told(struct card_case *c, const struct profile_info *enabled);

/* procedure_audit.c */
/* The engine's own GET STATUS, so that an uncertain card is woken that nothing else would wake. */
void audit_wake(struct card_case *c);
void status_command_add(struct card_case *c, const struct procedure *p);
void status_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);

/* procedure_notify.c */
void confirm_answered(struct card_case *c, const struct card_command *m, const struct script_answer *answer);

#endif
