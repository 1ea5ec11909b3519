/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the operator gateway share. */
#ifndef OPERATOR_GATEWAY_GATEWAY_H
#define OPERATOR_GATEWAY_GATEWAY_H

#include <stdatomic.h>

#include "common/app/app.h"
#include "common/app/worker.h"

struct gateway_config {
	struct config_common common; /* first: app_run reads it there */
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/operator-gateway/config.def"
#undef CONFIG
};

/* What a statement selects for operation_row. */
#define OPERATION_COLUMNS                                                                                                    \
	"id::text, eid, kind, iccid, iccids, smsr, mode, patient, state, attempt, created_at, deadline, next_at, ended_at, " \
	"status,"                                                                                                            \
	" subject, reason, subject_id, message, euicc_response, eis, user_name, trace, change, clock_timestamp(), refusals," \
	" busy_at, smdp, answer_iccid, stage, stage_attempt, stages"
enum gateway_statement {
	GW_BEFORE_FIRST = RPC_STATEMENTS - 1,
#define STATEMENT(name, sql) name,
#include "services/operator-gateway/statements.def"
#undef STATEMENT
	GW_END
};
enum { GW_STATEMENTS = GW_END - RPC_STATEMENTS };

/* An EID whose SM-SR answered for the first time; waits for a thread that has a database connection. */
struct learned {
	struct learned *next;
	struct eid eid;
	struct oid smsr;
};

struct gateway {
	const struct gateway_config *config;
	struct oid default_smsr; /* text empty: none */
	_Atomic(struct learned *) learned;
	atomic_uint n_learned;
	struct worker *writer; /* writes what was learned; its connection: */
	struct db *writer_db;
	struct rpc *rpc;
	struct waits *waits; /* callers that wait for operations, and the operations' worker */
};

/* notification.c, the embedded sql/, gateway_store.c */
extern const struct served gateway_served[];
extern const size_t gateway_n_served;
extern const struct migration gateway_migrations[];
extern const size_t gateway_migrations_count;
extern const struct statement gateway_statements[GW_STATEMENTS];

/* gateway_store.c: rows of the gateway. All may be used on any thread that owns db. */
enum api_role { API_NONE, API_READER, API_OPERATOR }; /* each may do what those before it may */
bool api_role_parse(const char *text, enum api_role *out);

struct api_user {
	const char *name; /* NULL: no such token */
	enum api_role role;
};
result token_find(struct db *db, struct arena *a, const uint8_t sha256[32], struct api_user *out);
/* *out_made false: the name is taken. */
result token_add(struct db *db, struct arena *a, const char *name, const char *role, const uint8_t sha256[32], bool *out_made);
result token_delete(struct db *db, struct arena *a, const char *name, bool *out_gone);
/* JSON text: [{"name","role","created"}]. */
result token_list(struct db *db, struct arena *a, const char **out_json);
/* *out_known false: no row. *out_smdp: text empty: none is set. */
result euicc_find(struct db *db, struct arena *a, const struct eid *eid, struct oid *out_smsr, struct oid *out_smdp,
		  bool *out_known);
/* smdp NULL: it stays; text empty: none. */
result euicc_set(struct db *db, struct arena *a, const struct eid *eid, const struct oid *smsr, const struct oid *smdp);
/* The OIDs of the first two entities of that name, which are not unique. */
result entity_named(struct db *db, struct arena *a, const char *name, struct oid out[2], size_t *out_n);
/* Has the writer keep that smsr manages eid; from any thread, never waits. Forgets beyond 1024 in wait: they are learned again. */
void euicc_learn(struct gateway *g, const struct eid *eid, const struct oid *smsr);
/* Writes what was learned. A failure loses it, which costs nothing but the default's next use. db NULL: only forgets. */
void euicc_flush(struct gateway *g, struct db *db);

/* operation_wait.c: callers of GET /v1/operations/{id}?wait= that are parked until it ends, and the worker that does what is due. */
struct waits *waits_new(void);
void waits_free(struct waits *w); /* all callers are answered; NULL allowed */
/* Parks the call of an operation that had not ended. seen: it is answered when there is a stage of a higher number, too. */
void waits_park(struct waits *w, struct http_call *call, const char *id, unsigned wait_s, unsigned seen);
/* Something happened, or is about to be committed, to this operation (NULL: to none that is known): has the worker look. Any thread. */
void waits_ring(struct waits *w, const char *id);
void waits_start(struct waits *w, struct app *app);
void waits_stop(struct waits *w);

/* northbound_auth.c */
extern const struct route gateway_admin[];
/* True: the caller's token has at least this role; *out_name is its name. False: the call is answered (401, 403, 503). */
bool northbound_allow(struct http_call *call, enum api_role least, const char **out_name);

/* What we are may call fn. False: the call is answered (403). */
bool northbound_may(struct app *app, struct http_call *call, const struct function *fn);
/* "the database does not answer", logged. */
void northbound_db_failed(struct http_call *call, result failure);

/* northbound_route.c: whom something about a card is asked of. */
struct card_route {
	struct oid smsr;
	bool learn;               /* nothing was known of the EID: the default */
	struct oid smdp;          /* text empty: straight to the SM-SR */
	const struct entity *to;  /* the one of the two that is asked; NULL before northbound_reach */
	struct endpoint endpoint; /* its ES4 or ES2 */
};
/* said: the SM-DP that the caller named, by OID or name; "": straight to the SM-SR; NULL: what is set for the card, else the default. False:
 * the call is answered. */
bool northbound_route(struct http_call *call, const struct gateway *g, struct arena *a, const struct eid *eid, const char *said,
		      struct card_route *out);
/* What the registry says of whom is asked: to and endpoint. False: the call is answered. */
bool northbound_reach(struct http_call *call, struct arena *a, struct card_route *route);
/* The SM-DP that a caller named. False: the call is answered. */
bool northbound_smdp(struct http_call *call, struct arena *a, const char *said, const struct entity **out);

/* northbound_eis.c */
void northbound_eis_get(struct app *app, struct http_call *call);
void northbound_eis_put(struct app *app, struct http_call *call);

/* northbound_operation.c */
void northbound_order(struct app *app, struct http_call *call);
void northbound_operation(struct app *app, struct http_call *call);
void northbound_operations(struct app *app, struct http_call *call);
void northbound_notifications(struct app *app, struct http_call *call);

/* northbound.c: all routes, and what follows a route's path that ends with '/'. */
extern const struct route gateway_northbound[];
const char *northbound_rest(const struct http_call *call);

#endif
