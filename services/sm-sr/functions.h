/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SMSR_FUNCTIONS_H
#define SMSR_FUNCTIONS_H

#include "common/rpc/rq.h"

extern const struct served smsr_served[];
extern const size_t smsr_served_count;

#endif
