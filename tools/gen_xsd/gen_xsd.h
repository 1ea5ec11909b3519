/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_GEN_XSD_H
#define TOOLS_GEN_XSD_H

#include "common/base/buf.h"

/* docs/functions.md: every row of functions.def and of status_codes.def. */
void functions_md_write(struct buf *out);

#endif
