/* SPDX-License-Identifier: Apache-2.0 */
/* An SM-DP's database with one operator and its profile type "t" of the built-in package, for tests. */
#ifndef TEST_STOCK_SHOP_H
#define TEST_STOCK_SHOP_H

#include "services/sm-dp/stock_import.h"
#include "tests/unit/store/cluster.h"

#define EID "89001012012341234012345678901224"
#define OTHER "89049032000500881234567890123492"

struct shop {
	struct cluster cluster;
	struct arena *a;
	struct statement statements[SMDP_STATEMENTS_END + 1];
	struct migration migrations[16];
	struct store *store;
	struct db *db;
	struct smdp smdp;
	struct transport_key transport;
	struct oid mno;
	struct eid eid, other;
	uint8_t ki[16];
};

struct shop *shop_open(void);
void shop_close(struct shop *s);
/* What every table holds, as text, bytea in lower-case hex; in the shop's arena. */
const char *shop_dump(struct shop *s);
/* The built-in package; in the shop's arena. */
struct bytes shop_package(struct shop *s);

#endif
