/* SPDX-License-Identifier: Apache-2.0 */
/* An SM-DP on a real database, without its process, and around it an operator, an SM-SR and a card that answer in the test's own thread. */
#ifndef TESTS_SMDP_FIXTURE_H
#define TESTS_SMDP_FIXTURE_H

#include "services/sm-dp/download.h"
#include "services/sm-dp/statements.h"
#include "tests/unit/services/eum_fixture.h"
#include "tests/unit/services/smdp_card.h"
#include "tests/unit/store/cluster.h"

/* Statements of the tests, behind the SM-DP's. */
enum {
	T_ENTITY = SMDP_STATEMENTS_END,
	T_CALL,
	T_OUTBOX,
	T_OUTBOX_DONE,
	T_DOWNLOAD,
	T_ANSWER,
	T_DEADLINE,
	T_DUE,
	T_CALL_OVER,
	T_CLEANED,
	T_FIND,
	T_STOCK,
	T_KEYSET,
	T_RESET,
	T_END
};

/* A call of the SM-DP, as the SM-SR finds it. */
struct test_call {
	int64_t id;
	const char *ref;
	const struct function *fn;
	const void *in; /* its request struct */
	bool wants_callback;
	struct bytes body;
};
/* An answer; fn says of which struct. */
struct test_answer {
	union {
		struct response_base base;
		struct es4_get_eis_rs eis;
		struct es3_create_isdp_rs created;
		struct es3_send_data_rs sent;
		struct card_rs card;
	};
};

struct shop;
/* What a test has the SM-SR say instead; false: as always. */
typedef bool (*shop_hook)(struct shop *s, const struct test_call *call, struct test_answer *out);

struct shop {
	struct cluster cluster;
	struct fixture f;
	struct arena *a; /* the fixture's */
	struct statement statements[T_END];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct smdp_config config;
	struct smdp smdp;
	struct transport_key transport;
	struct rpc rpc;
	struct entity mno;
	struct oid smsr;
	struct eum_card made;
	struct eis eis; /* what the SM-SR has of the card; signed octets of `made` */
	struct test_card card;
	uint8_t ki[16];
	struct iccid iccid[4]; /* of type small: 0, 1; large: 2, 3 */
	shop_hook hook;
	unsigned orders;
	/* What the SM-SR was asked, "GetEIS CreateISDP+ SendData+ ..."; + : MoreToDo. */
	struct buf asked;
	struct es3_profile_download_completed_rq completed;
};

struct shop *shop_open(void);
void shop_close(struct shop *s);
/* Rows of downloads, calls, outbox are gone, the card and the stock are as new. */
void shop_reset(struct shop *s);
void shop_sync(struct shop *s, const struct rows **rows, size_t n);

/* The operator's order, as the pipeline executes it. */
result shop_order(struct shop *s, const struct es2_download_profile_rq *order);
/* One that must be good: of a type ("small", "large"), for the shop's card. */
void shop_download(struct shop *s, const char *type, bool enable);
/* The next call that waits in the outbox; false: none. */
bool shop_next(struct shop *s, struct test_call *out);
/* What the SM-SR and its card say to it. */
struct test_answer shop_execute(struct shop *s, const struct test_call *call);
/* They say it: on the connection, or by callback. */
void shop_answer(struct shop *s, const struct test_call *call, const struct test_answer *answer);
void shop_callback(struct shop *s, const struct test_call *call, const struct test_answer *answer, enum callback_verdict wanted);
/* One call and its answer; false: none waits. */
bool shop_step(struct shop *s);
/* Until no call waits, or the download is in this state. */
void shop_run(struct shop *s, enum download_state until);
/* The time of something comes: T_DEADLINE, T_DUE, T_CALL_OVER, T_CLEANED; and what is due is done. */
void shop_time(struct shop *s, unsigned statement);
struct test_answer test_refusal(struct shop *s, enum status status, const char *subject, const char *reason);

/* How it stands. */
struct download *shop_now(struct shop *s);
/* The operator's answer as text; NULL: none yet. */
const char *shop_told(struct shop *s);
void shop_told_is(struct shop *s, const char *status, const char *subject, const char *reason);
struct stock_item *shop_stock(struct shop *s, const struct iccid *iccid);
/* How many rows of all tables hold these bytes. */
int64_t shop_find(struct shop *s, const void *data, size_t n);

#endif
