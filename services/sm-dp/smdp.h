/* SPDX-License-Identifier: Apache-2.0 */
/* What the sm-dp's files share: its process-wide state. */
#ifndef SMDP_SMDP_H
#define SMDP_SMDP_H

#include "common/app/app.h"
#include "common/app/due.h"
#include "common/crypto/ec.h"
#include "common/crypto/key_file.h"
#include "services/sm-dp/statements.h"

struct smdp_config {
	struct config_common common;
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/sm-dp/config.def"
#undef CONFIG
};

/* One for the process, read-only after its start. */
struct smdp {
	const struct smdp_config *config;
	struct arena *arena; /* what lives as long as the process */
	struct secret kek;
	struct ec_key *key;               /* SK.DP.ECDSA */
	struct bytes certificate;         /* CERT.DP.ECDSA: the 7F21 TLV as it goes to cards */
	struct transport_keys transports; /* by operator */
	struct bytes ci_pem, ci_crl_pem;  /* EUM certificates chain to it */
	struct rpc *rpc;
	struct due *downloads; /* their worker; NULL: none */
};

int smdp_open(struct app *app, void **out_role, char error[KEY_FILE_ERROR]);
void smdp_close(void *role);

extern const struct served smdp_served[]; /* functions.c */
extern const size_t smdp_n_served;
extern const struct relay_role smdp_relay;
extern const struct statement smdp_statements[];
extern const struct migration smdp_migrations[]; /* sql/, embedded by the build */
extern const size_t smdp_migrations_count;
extern const struct route smdp_admin[]; /* smdp_admin.c */

/* For admin routes: 503; a time as a member, null when it is; ?limit=, 100 when absent or none. */
void admin_no_database(struct http_call *call);
void admin_no_transport_key(struct http_call *call, const struct oid *mno);
/* The answer, and a log line, when r is why keys could not be used: 503 for the database, else 500. */
void admin_no_keys(struct http_call *call, const char *event, result r);
void admin_time(struct buf *b, const char *name, const struct rows *r, size_t row, unsigned col);
int64_t admin_limit(const struct http_call *call);
/* Answers with the rows of the one statement that is queued on the call's connection, each as an object whose members write adds. */
typedef void (*admin_row)(struct arena *a, struct buf *b, const struct rows *r, size_t i);
void admin_list(struct http_call *call, admin_row write);
/* The rows as a JSON array. */
void admin_array(struct arena *a, struct buf *b, const struct rows *r, admin_row write);

/* type_admin.c, stock_admin.c, import_admin.c */
void type_list(struct app *app, struct http_call *call);
void type_show(struct app *app, struct http_call *call);
void type_add(struct app *app, struct http_call *call);
void stock_list(struct app *app, struct http_call *call);
void stock_count(struct app *app, struct http_call *call);
void stock_batches(struct app *app, struct http_call *call);
void stock_release(struct app *app, struct http_call *call);
void stock_gone(struct app *app, struct http_call *call);
void stock_import_route(struct app *app, struct http_call *call);
void stock_make_route(struct app *app, struct http_call *call);
void stock_export_route(struct app *app, struct http_call *call);
/* stock_digest.c */
void stock_digest(struct app *app, struct http_call *call);
/* download_admin.c */
void download_list(struct app *app, struct http_call *call);
void download_show(struct app *app, struct http_call *call);

#endif
