/* SPDX-License-Identifier: Apache-2.0 */
#include "services/operator-gateway/gateway.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "services/operator-gateway/api.h"
#include "services/operator-gateway/operation.h"

enum { LEARNED_MAX = 1024 };

const struct statement gateway_statements[GW_STATEMENTS] = {
#define STATEMENT(name, sql) { #name, sql },
#include "services/operator-gateway/statements.def"
#undef STATEMENT
};

bool api_role_parse(const char *text, enum api_role *out)
{
	if (text && !strcmp(text, "reader"))
		*out = API_READER;
	else if (text && !strcmp(text, "operator"))
		*out = API_OPERATOR;
	else
		return false;
	return true;
}

result token_find(struct db *db, struct arena *a, const uint8_t sha256[32], struct api_user *out)
{
	const struct rows *rows;
	struct api_user user = { 0 };

	DB_QUEUE(db, GW_TOKEN_FIND, p_bytes(sha256, 32));
	TRY(db_sync(db, a, &rows, 1, NULL));
	if (rows_count(rows) > 0) {
		user.name = row_text_dup(a, rows, 0, 0);
		if (!api_role_parse(row_text(rows, 0, 1), &user.role))
			return internal(a, "api_token %s has an unknown role", user.name);
	}
	*out = user;
	return OK;
}

result token_add(struct db *db, struct arena *a, const char *name, const char *role, const uint8_t sha256[32], bool *out_made)
{
	const struct rows *rows;

	DB_QUEUE(db, GW_TOKEN_ADD, p_text(name), p_text(role), p_bytes(sha256, 32));
	TRY(db_sync(db, a, &rows, 1, NULL));
	*out_made = rows_affected(rows) == 1;
	return OK;
}

result token_delete(struct db *db, struct arena *a, const char *name, bool *out_gone)
{
	const struct rows *rows;

	DB_QUEUE(db, GW_TOKEN_DELETE, p_text(name));
	TRY(db_sync(db, a, &rows, 1, NULL));
	*out_gone = rows_affected(rows) == 1;
	return OK;
}

result token_list(struct db *db, struct arena *a, const char **out_json)
{
	CLEANUP(json_freep) json_t *list = json_array();
	const struct rows *rows;
	char made[DATETIME_MAX];

	DB_QUEUE0(db, GW_TOKEN_LIST);
	TRY(db_sync(db, a, &rows, 1, NULL));
	for (size_t i = 0; i < rows_count(rows); i++) {
		datetime_format(row_int(rows, i, 2), made);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", row_text(rows, i, 0), "role", row_text(rows, i, 1),
						      "created", made));
	}
	*out_json = json_text(a, list);
	return OK;
}

result euicc_find(struct db *db, struct arena *a, const struct eid *eid, struct oid *out_smsr, struct oid *out_smdp,
		  bool *out_known)
{
	const struct rows *rows;
	struct oid smsr = { "" }, smdp = { "" };
	bool known;

	DB_QUEUE(db, GW_EUICC_FIND, p_text(eid->text));
	TRY(db_sync(db, a, &rows, 1, NULL));
	known = rows_count(rows) > 0;
	if (known && !oid_parse(row_text(rows, 0, 0), &smsr))
		return internal(a, "euicc %s names an SM-SR that is no OID", eid->text);
	if (known && *row_text(rows, 0, 1) && !oid_parse(row_text(rows, 0, 1), &smdp))
		return internal(a, "euicc %s names an SM-DP that is no OID", eid->text);
	if (known)
		*out_smsr = smsr;
	*out_smdp = smdp;
	*out_known = known;
	return OK;
}

result euicc_set(struct db *db, struct arena *a, const struct eid *eid, const struct oid *smsr, const struct oid *smdp)
{
	result failure;

	db_begin(db);
	DB_QUEUE(db, GW_EUICC_SET, p_text(eid->text), p_text(smsr->text));
	if (smdp)
		DB_QUEUE(db, GW_EUICC_SET_SMDP, p_text(eid->text), p_text(smdp->text));
	db_commit(db);
	failure = db_sync(db, a, NULL, 0, NULL);
	if (failure != OK)
		db_rollback(db);
	return failure;
}

_Static_assert(ROLE_SM_DP == 8, "a number in GW_ENTITY_NAMED");

result entity_named(struct db *db, struct arena *a, const char *name, struct oid out[2], size_t *out_n)
{
	const struct rows *rows;
	size_t n;

	DB_QUEUE(db, GW_ENTITY_NAMED, p_text(name));
	TRY(db_sync(db, a, &rows, 1, NULL));
	n = rows_count(rows);
	for (size_t i = 0; i < n; i++)
		if (!oid_parse(row_text(rows, i, 0), &out[i]))
			return internal(a, "entity %s has no OID", name);
	*out_n = n;
	return OK;
}

void euicc_learn(struct gateway *g, const struct eid *eid, const struct oid *smsr)
{
	struct learned *l;

	if (atomic_fetch_add(&g->n_learned, 1) >= LEARNED_MAX) {
		atomic_fetch_sub(&g->n_learned, 1);
		return;
	}
	l = malloc(sizeof(*l));
	if (!l)
		abort();
	l->eid = *eid;
	l->smsr = *smsr;
	l->next = atomic_load(&g->learned);
	while (!atomic_compare_exchange_weak(&g->learned, &l->next, l))
		;
}

void euicc_flush(struct gateway *g, struct db *db)
{
	/* Taken as a whole, so a row that is pushed meanwhile is never freed under its owner. */
	struct learned *l = atomic_exchange(&g->learned, NULL), *next;
	CLEANUP(arena_freep) struct arena *a = NULL;
	CLEANUP(buf_free) struct buf lines = { 0 };
	result failure;

	if (!l)
		return;
	for (; l; l = next) {
		next = l->next;
		buf_printf(&lines, "%s%s %s", lines.len ? "\n" : "", l->eid.text, l->smsr.text);
		free(l);
		atomic_fetch_sub(&g->n_learned, 1);
	}
	if (!db)
		return;
	a = arena_new();
	DB_QUEUE(db, GW_EUICC_LEARN, p_text(lines.data));
	failure = db_sync(db, a, NULL, 0, NULL);
	if (failure != OK)
		log_msg(LOG_WARN, "euicc.learn", "not written, will be learned again: %s",
			failure->cause ? failure->cause : status_code(failure->code)->text);
}
