/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/services/stock_shop.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/random.h"
#include "common/card/profile_default.h"
#include "services/sm-dp/profile_type.h"

extern const struct migration common_migrations[];
extern const size_t common_migrations_count;

struct bytes shop_package(struct shop *s)
{
	CLEANUP(buf_free) struct buf made = { 0 };

	profile_default_build(&made, 0);
	return (struct bytes){ arena_memdup(s->a, made.data, made.len), made.len };
}

static void type_make(struct shop *s)
{
	const struct bytes package = shop_package(s);
	struct profile_type t = {
		.mno = s->mno, .name = "t", .package = package, .memory = 7, .pol2 = "", .address = ADDRESS_BOTH
	};
	struct profile_type *found;
	enum type_added added;

	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_ADDED);
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_SAME);
	t.memory = 8;
	cr_assert_eq(profile_type_add(s->db, s->a, &t, &added), OK);
	cr_assert_eq(added, TYPE_OTHER);
	cr_assert_eq(profile_type_load(s->db, s->a, &s->mno, "t", &found), OK);
	cr_assert(found && found->memory == 7 && found->package.len == package.len && found->address == ADDRESS_BOTH);
	cr_assert_eq(profile_type_load(s->db, s->a, &s->mno, "u", &found), OK);
	cr_assert_null(found);
}

static const struct statement dump = {
	"dump", "select string_agg(tablename || query_to_xml('select x::text from ' || quote_ident(tablename) || ' x', true, "
		"false, '')::text, '') from pg_tables where schemaname = 'public'"
};

const char *shop_dump(struct shop *s)
{
	const struct rows *r;

	DB_QUEUE0(s->db, SMDP_STATEMENTS_END);
	cr_assert_eq(db_sync(s->db, s->a, &r, 1, NULL), OK);
	return row_text_dup(s->a, r, 0, 0);
}

struct shop *shop_open(void)
{
	struct shop *s = calloc(1, sizeof(*s));
	struct store_spec spec;
	char error[512] = "";

	s->cluster = cluster_new();
	s->a = arena_new();
	spec = (struct store_spec){ .conninfo = s->cluster.conninfo,
				    .statements = s->statements,
				    .n_statements = SMDP_STATEMENTS_END + 1,
				    .migrations = s->migrations };
	memcpy(s->statements, rpc_statements, sizeof(rpc_statements));
	memcpy(s->statements + RPC_STATEMENTS, smdp_statements, SMDP_STATEMENTS * sizeof(*smdp_statements));
	s->statements[SMDP_STATEMENTS_END] = dump;
	for (size_t i = 0; i < common_migrations_count; i++)
		s->migrations[spec.n_migrations++] = common_migrations[i];
	for (size_t i = 0; i < smdp_migrations_count; i++)
		s->migrations[spec.n_migrations++] = smdp_migrations[i];
	cr_assert_eq(store_open(&spec, 10, &s->store, error), 0, "%s", error);
	s->db = db_open(s->store);
	cr_assert(oid_parse("1.3.6.1.4.1.99999.5", &s->mno) && eid_parse(EID, &s->eid) && eid_parse(OTHER, &s->other));
	s->smdp.kek = secret_new(32);
	random_bytes(s->smdp.kek.data, 32);
	s->transport = (struct transport_key){ s->mno, secret_new(16) };
	random_bytes(s->transport.key.data, 16);
	s->smdp.transports = (struct transport_keys){ &s->transport, 1 };
	random_bytes(s->ki, sizeof(s->ki));
	type_make(s);
	return s;
}

void shop_close(struct shop *s)
{
	db_close(s->db);
	store_close(s->store);
	cluster_free(&s->cluster);
	secret_free(&s->smdp.kek);
	secret_free(&s->transport.key);
	arena_free(s->a);
	free(s);
}
