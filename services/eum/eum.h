/* SPDX-License-Identifier: Apache-2.0 */
/* The EUM's process-wide object and the parts of this service. */
#ifndef EUM_EUM_H
#define EUM_EUM_H

#include <stdatomic.h>

#include "common/app/app.h"
#include "common/app/worker.h"
#include "common/crypto/ec.h"
#include "common/crypto/key_file.h"
#include "common/crypto/xmldsig.h"
#include "services/eum/batch.h"

struct eum_config {
	struct config_common common;
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/eum/config.def"
#undef CONFIG
};

struct eum {
	const struct eum_config *config;
	struct eum_issuer issuer;
	struct transport_keys transport_keys; /* by SM-SR */
	struct arena *arena;               /* what lives as long as the process */
	_Atomic(struct eum_maker *) maker; /* from ready to stop */
};

/* Reads keys, certificates and folders; -1: error says what, where and how to mend. */
int eum_open(const struct eum_config *config, struct eum **out, char error[256]);
void eum_close(struct eum *eum);

extern const struct migration eum_migrations[]; /* sql/, embedded by the build */
extern const size_t eum_migrations_count;
extern const struct served eum_served[]; /* functions.c */
enum { EUM_SERVED = 3 };

/* eum_orders.c */
extern const struct load eum_create_batch_load, eum_get_batch_load, eum_update_properties_load;
result eum_create_batch(struct rq *rq, const void *in, void *out);
result eum_get_batch(struct rq *rq, const void *in, void *out);
result eum_update_properties(struct rq *rq, const void *in, void *out);
void eum_create_batch_committed(struct rq *rq);

extern const struct route eum_admin[]; /* eum_admin.c */

/* eum_es1.c */
/* Queues an ES1 request to the SM-SR that knows the card. ref: the card's EID, or the id of the change. */
struct eum_submission {
	enum function_id fn;
	const struct oid *smsr;
	bool by_callback; /* it answers 202 and calls us (dialect s_callback) */
	const char *eid, *ref;
	const void *in;   /* the request struct */
};
void eum_submit(struct db *db, struct arena *a, const struct eum_submission *s);
extern const struct awaited eum_awaited[];
enum { EUM_AWAITED = 2 };
bool eum_answered(void *role, struct db *db, struct arena *a, const struct outbox_answer *answer);

/* eum_maker.c */
struct eum_maker *eum_maker_open(struct app *app, struct eum *eum);
void eum_maker_ring(struct eum_maker *m);  /* NULL allowed */
void eum_maker_close(struct eum_maker *m); /* NULL allowed */

/* eum_store.c: rows to structs, cards to rows */
extern const struct statement eum_statements[];
void eum_batch_from_row(struct arena *a, const struct rows *r, size_t row, struct eum_batch *out);
/* Loads profiles and properties of out->id; one round trip. */
result eum_batch_load_rest(struct db *db, struct arena *a, struct eum_batch *out);
/* Queues the card's rows; its keys leave only under the KEK. */
void eum_card_save(struct db *db, struct arena *a, const struct eum_issuer *issuer, const struct eum_batch *batch, int64_t index,
		   const char *fci, const struct eum_card *card);

/* Queues an order's rows. */
void eum_batch_save(struct db *db, struct arena *a, const struct eum_batch *batch);
/* What binds a wrapped key to its place. */
const char *eum_key_aad(struct arena *a, const struct eid *eid, int version, int index);
const char *eum_ecasd_aad(struct arena *a, const struct eid *eid);

/* batch_file.c */
/* <dir>/<batch>.jsonl */
const char *batch_file_path(struct arena *a, const struct eum *eum, const char *batch);
/* Writes the whole file of a batch whose cards are all made: temporary file, fsync, rename. OK, or INTERNAL with the cause. */
result batch_file_write(struct db *db, struct arena *a, const struct eum *eum, const struct eum_batch *batch, const char *path);

#endif
