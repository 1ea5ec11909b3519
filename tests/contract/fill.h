/* SPDX-License-Identifier: Apache-2.0 */
/* Structs made and compared by their bind table, so that a new row is tested without a new line here. */
#ifndef TESTS_CONTRACT_FILL_H
#define TESTS_CONTRACT_FILL_H

#include "common/msg/bind.h"

enum fill { FILL_ALL, FILL_LEAST };

/* A struct of g with every row filled (lists with three items where they may), or with what is mandatory only. Values
 * differ by seed. */
void *fill_new(struct arena *a, const struct bind_group *g, enum fill how, unsigned seed);
/* NULL: equal in all rows; else the name of the first row that differs. Kept octets of signed groups are not compared. */
const char *fill_difference(const struct bind_group *g, const void *one, const void *two);

#endif
