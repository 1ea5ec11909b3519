/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_SCHEMA_H
#define TESTS_CONTRACT_SCHEMA_H

#include <stdbool.h>

#include "common/base/buf.h"

/* Validates the child of the Body of a whole message against proto/xsd/rps3.xsd. False: why holds what libxml2 says. */
bool schema_valid(const char *message, size_t n, struct buf *why);
/* <source root>/relative, in a. */
const char *source_path(struct arena *a, const char *relative);

#endif
