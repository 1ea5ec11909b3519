/* SPDX-License-Identifier: Apache-2.0 */
/* Two roles that ask each other: a real nats-server and database, the asker's outbox, and replicas of who is asked. What is executed and what
 * is replied stands in tables. */
#ifndef UNIT_RPC_ASK_STAGE_H
#define UNIT_RPC_ASK_STAGE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "common/rpc/ask.h"
#include "tests/unit/bus/nats_server.h"
#include "tests/unit/store/cluster.h"

#define AWAIT(cond)                                                                 \
	do {                                                                        \
		for (int i_ = 0; i_ < 6000 && !(cond); i_++)                        \
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); \
		cr_assert(cond);                                                    \
	} while (0)

enum ask_test_statement {
	T_EXECUTE = RPC_STATEMENTS,
	T_WHO,
	T_EXECUTED,
	T_FAIL,
	T_REPLY,
	T_REPLIES,
	T_ROW,
	T_LEFT,
	T_COUNT,
	T_END
};

/* One process of the two roles. */
struct side {
	struct stage *stage;
	struct rpc rpc;
	struct store *store;
	struct bus *bus;
	struct outbox *outbox;
	struct ask_server *server;
	atomic_uint served, running, most, trouble, rung;
};

struct stage {
	struct cluster cluster;
	struct nats_server nats;
	char conninfo[160];
	struct side asker, first, second; /* of sm-sr-handover; of sm-sr */
	struct store *store;              /* the test's own look */
	struct db *db;
	struct arena *a;
};

/* False: something is not installed. Not connected yet, and no NATS runs. */
bool stage_open(struct stage *s);
void stage_close(struct stage *s);
void stage_nats_start(struct stage *s);

/* Its store and bus; the role is "sm-sr" but for the asker. */
void side_open(struct stage *s, struct side *side, const char *replica);
void side_serve(struct side *side, unsigned threads);
void side_ask(struct side *side);
void side_close(struct side *side);
/* The same in a process of its own, which serves, or asks, until the point kills it or the caller does. */
pid_t side_fork(struct stage *s, const char *role, const char *point, const char *eid);
/* Ends it, unless it was killed. */
void side_join(pid_t pid);

const char *stage_eid(struct stage *s, unsigned n);
/* Queues a request with this step; more: further members, each with a comma before it. */
void stage_ask(struct stage *s, const char *verb, const char *eid, const char *step, const char *more, int64_t give_up_s);

/* How often this (eid, step) took effect; how often a reply was stored, the newest in *out (NULL: not wanted). */
int64_t stage_executed(struct stage *s, const char *eid, const char *step);
int64_t stage_replies(struct stage *s, const char *eid, const char *step, const char **out);
/* Rows that wait; of one EID: attempts, error, whether it is dead. */
int64_t stage_left(struct stage *s);
const struct rows *stage_row(struct stage *s, const char *eid);

#endif
