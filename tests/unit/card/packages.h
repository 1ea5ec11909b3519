/* SPDX-License-Identifier: Apache-2.0 */
/* Profile packages for tests: the published ones where their folder is there, and ways to break any. */
#ifndef TESTS_CARD_PACKAGES_H
#define TESTS_CARD_PACKAGES_H

#include "common/card/profile_package.h"

enum { REAL_PACKAGES = 2 };
/* Reads package i of $RSP_SHARED_DATA/profiles, else of ../shared/data/profiles beside the source; skips the test, saying so, where it is not. */
struct bytes real_package(struct arena *a, size_t i);
/* The value notation of package 0, terminated; skips as above. */
const char *real_values(struct arena *a);
/* Parses what must parse. */
struct profile_package parsed(struct arena *a, struct bytes in);
/* The package with element i replaced by these bytes (len 0: left out), and put in front of element i. */
struct bytes with_element(struct arena *a, const struct profile_package *p, size_t i, struct bytes element);
struct bytes with_before(struct arena *a, const struct profile_package *p, size_t i, struct bytes element);
/* A copy with the first appearance of from replaced by to, of the same length; there must be one. */
struct bytes with_bytes(struct arena *a, struct bytes in, struct bytes from, struct bytes to);

#endif
