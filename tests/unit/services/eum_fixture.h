/* SPDX-License-Identifier: Apache-2.0 */
/* An EUM with keys of its own, and an order it can fulfil. */
#ifndef TESTS_EUM_FIXTURE_H
#define TESTS_EUM_FIXTURE_H

#include "services/eum/batch.h"

struct fixture {
	struct arena *a;
	struct eum_issuer issuer;
	struct secret transport;
	struct ec_key *ci_key;
	struct bytes ci_pem;
	uint8_t eum_point[P256_POINT];
	struct eum_create_batch_rq order;
	struct eum_order_facts facts; /* under which the order is good */
};

struct fixture fixture_make(void);
void fixture_drop(struct fixture *f);
struct oid oid_of(const char *text);

#endif
