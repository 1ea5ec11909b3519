/* SPDX-License-Identifier: Apache-2.0 */
/* All that is known of a card and runs on it, loaded under the lock of its eis_state row in one round trip, and the writes that follow in the
 * second (decisions.md F3). ES4 handlers, card sessions, the sweeper and the SMS worker all work on this one shape. */
#ifndef SMSR_CARD_CASE_H
#define SMSR_CARD_CASE_H

#include "common/base/random.h"
#include "common/card/apdu.h"
#include "common/card/notification.h"
#include "common/sgp02/procedure.h"
#include "services/sm-sr/eis_store.h"
#include "services/sm-sr/smsr.h"

enum command_state { COMMAND_QUEUED, COMMAND_FETCHED, COMMAND_ANSWERED, COMMAND_WITHDRAWN };
/* Numbers stand in rows. */
enum command_kind {
	COMMAND_ENABLE, COMMAND_STATUS, COMMAND_CONFIRM, COMMAND_DISABLE, COMMAND_DELETE,
	COMMAND_CREATE,
	COMMAND_SEND,        /* secured by an SM-DP, to its ISD-P */
	COMMAND_CERTIFICATE, /* INSTALL [for personalization] and STORE DATA 3A01, to the ISD-R */
	COMMAND_AGREEMENT,   /* STORE DATA 3A02, to the ISD-R */
	COMMAND_PARAMETERS,  /* connectivity parameters secured by an SM-DP, to its ISD-P: one script, that may go by SMS */
	COMMAND_ISDR_CERTIFICATE, COMMAND_ISDR_AGREEMENT, /* the same two of another SM-SR, for the ISD-R itself (handover_command.h) */
	COMMAND_PUT_KEY, COMMAND_ADDRESSING, COMMAND_FINALISE,
};

struct card_command {
	int64_t seq;             /* 0: not in the database yet */
	const char *procedure;   /* uuid; NULL: the engine's own */
	enum command_kind kind;
	enum command_state state;
	const char *session;     /* uuid of the session that fetched it; NULL */
	bool by_sms;             /* fetched: that is no session, but a chain of packets (sms_command.c) */
	const char *ticket;      /* which its answer names; NULL: none was given */
	struct aid target;
	struct bytes script;
	/* A confirmation: the notification (E1) whose effects are due, empty: none. GET STATUS: what was listed before. COMMAND_SEND: what
	 * the scripts before it were answered. COMMAND_PUT_KEY: what the answer must be. */
	struct bytes kept;
};

struct procedure {
	const char *id;          /* uuid */
	enum procedure_kind kind;
	enum procedure_state state;
	struct oid caller;
	unsigned caller_roles;
	const struct oid *customers; /* of a caller that is an SM-DP: its operators, as they are now */
	size_t n_customers;
	const char *function, *fci; /* key of its call */
	const char *context_id, *trace;
	struct iccid iccid;      /* "" : none */
	struct aid isdp, before; /* len 0: none */
	const char *iccids;
	int64_t started_at, deadline; /* wall microseconds of the database's clock */
	bool overdue;            /* deadline <= the database's now(), when loaded */
	bool more;               /* its success leaves a lease */
	const char *session;     /* the only one in which its command may go to the card; NULL: any */
};

/* Nobody commands the card, but an SM-DP has more to do (C1). */
struct lease {
	struct oid smdp;
	struct aid isdp;
	const char *certified;   /* the session in which the ECASD took its certificate for this ISD-P; NULL: none */
	bool over;               /* its time has passed */
};

/* How the owner of a profile is told (procedures.md 3.19). */
struct told_by {
	struct oid mno, smdp; /* of the profile; smdp "": loaded in the factory */
	bool direct;          /* it is connected to us */
	struct oid by;        /* else the SM-DP that tells it; "": nobody can */
};

struct card_case {
	/* Who works on it. */
	struct rpc *rpc;
	struct smsr *smsr;
	struct db *db;
	struct arena *a;
	/* What was loaded. */
	struct eid eid;
	bool known;              /* we manage this EID */
	int64_t now;             /* the database's clock, which all replicas share: what is written of this step happened then */
	struct eis eis;          /* kept up to date by the functions below */
	bool uncertain;
	struct aid expired_aid;  /* len 0: none */
	const char *auto_delete; /* ICCIDs that POL2 wants deleted, blank between two; "": none */
	struct procedure *running; /* NULL: none */
	struct handover_step *step; /* of an SM-SR change, for which it runs or which it locks; NULL: none (handover_command.h) */
	const char *busy_holder; /* OID of whose procedure commands the card (eid_busy); NULL: nobody */
	struct lease *lease;     /* NULL: none; while it is not over, busy_holder is its SM-DP */
	const char *lane_replica; /* who holds the SMS lane; "" : nobody */
	struct card_command *commands; /* queued and fetched, by seq */
	size_t n_commands;
	const char *session, *session_replica; /* uuid; NULL: no session */
	bool session_gone;       /* its connection broke */
	const char *parked_replicas; /* where callers of the running procedure are parked, blank between two; "" */
	struct told_by *routes; /* of what was loaded */
	size_t n_routes;
	struct profile_info *gone; /* went from the EIS in this step; their owners are to be told */
	size_t n_gone;
	bool target_known;         /* the SM-SR that a call hands the card to is in the registry (smsr_change.c) */
	bool iccid_taken;          /* the ICCID that a call wants is some profile's (es3_download.c) */
	/* What the work has made due after its commit. */
	bool outbox;             /* outbox rows were added */
	bool ended;              /* a procedure ended: deferred_ring */
	bool queued;             /* a command was queued, or a session need not wait any longer: wake the sessions that wait */
	bool lane;               /* the SMS lane must hear of it before it looks by itself */
};

/* Statements that case_queue adds: the first locks. */
enum { CASE_RESULTS = 7 };
void case_queue(struct db *db, const struct eid *eid);
/* c: who works on it and eid are set, the rest zero. OK, also when the EID is unknown (known false). */
result case_take(struct card_case *c, const struct rows *const rows[CASE_RESULTS]);
/* Bells, after the commit. */
void case_committed(struct card_case *c);

/* Looking. */
struct profile_info *case_enabled(const struct card_case *c);                       /* NULL: none */
struct profile_info *case_fallback(const struct card_case *c);                      /* holder of the attribute; NULL: none */
struct profile_info *case_profile_of_aid(const struct card_case *c, const struct aid *aid); /* NULL: not in the EIS */
struct profile_info *case_profile_of_iccid(const struct card_case *c, const struct iccid *iccid);
/* NULL: the profile is not one of those that were loaded. */
const struct told_by *case_route(const struct card_case *c, const struct profile_info *p);
struct card_command *case_fetched(const struct card_case *c);                       /* the one that the card has; NULL: none */
struct card_command *case_next(const struct card_case *c);                          /* the lowest queued; NULL: none */

/* Writing: each queues its statement in the open transaction and keeps c as it will be. */
/* procedure NULL: the engine's own. Sets trigger_at by C2: a session gets 3 s (config), else now. */
void case_command_add(struct card_case *c, const struct procedure *p, enum command_kind kind, const struct buf *apdus_script);
/* The same to an ISD-P: target. */
void case_command_to(struct card_case *c, const struct procedure *p, enum command_kind kind, const struct aid *target,
		     const struct buf *script);
/* The same, fetched by this session at once (confirmations, GET STATUS of an uncertain card). */
struct card_command *case_command_now(struct card_case *c, const struct procedure *p, enum command_kind kind, const char *session,
				      const struct buf *apdus_script);
void case_command_fetched(struct card_case *c, struct card_command *m, const char *session);
void case_command_answered(struct card_case *c, struct card_command *m);
/* Fetched by a session that is gone: now by this one, or by none (it waits for an audit). */
void case_command_resumed(struct card_case *c, struct card_command *m, const char *session);
void case_command_lost(struct card_case *c, struct card_command *m);
/* Back to the queue: it was fetched, and the card did not execute it. */
void case_command_again(struct card_case *c, struct card_command *m);
/* Everything unfetched of the procedure is withdrawn; what is fetched makes the card uncertain (C3). */
void case_withdraw(struct card_case *c, const struct procedure *p);
void case_session_set(struct card_case *c, const char *session);
void case_session_end(struct card_case *c);
void case_uncertain(struct card_case *c, bool uncertain);
void case_expired_aid(struct card_case *c, const struct aid *aid); /* NULL: none */
/* Ends the running lease, if there is one; the second leaves one after p, which has ended. */
void case_lease_end(struct card_case *c);
void case_lease(struct card_case *c, const struct procedure *p, const char *certified);
/* What the scripts before m were answered. */
void case_command_keep(struct card_case *c, struct card_command *m, struct bytes kept);
void case_auto_delete(struct card_case *c, const char *iccids); /* lives in c->a */

/* eis_update.c: the EIS follows the card. */
/* This ISD-P is the enabled one now, every other one is not. False: it is not in the EIS. Notifications to owners are the caller's. */
bool eis_enabled_is(struct card_case *c, const struct aid *aid);
/* A profile that is being made (In-Creation) joins the EIS, and takes its memory; it leaves again as if it had never been there, unknown to
 * its owner; or it is made. */
const struct profile_info *eis_creating(struct card_case *c, const struct profile_info *p);
void eis_not_created(struct card_case *c, const struct aid *aid);
void eis_created(struct card_case *c, const struct aid *aid);
/* ISD-Ps that the card deleted: they join c->gone. As do those that an audit does not find. */
void eis_deleted(struct card_case *c, const struct aid *aids, size_t n);
/* A complete GET STATUS list, and the resources (free_nvm -1: not said): states, attributes, memory; profiles that the card does not have
 * go; ISD-Ps that the EIS does not know are logged. Sets LastAuditDate. */
void eis_audited(struct card_case *c, const struct isdp_status *list, size_t n, const struct card_resources *resources);

/* audit_trail.c: one record (wire.md 6.7). requester NULL: the card. outcome: result of an operation. */
struct audit_note {
	uint16_t operation;
	const struct oid *requester;
	bool has_status;
	result outcome;
	const struct aid *isdp; /* NULL: none */
	const struct iccid *iccid;
	struct bytes imei, meid;
};
void audit_trail_add(struct card_case *c, const struct audit_note *n);

#endif
