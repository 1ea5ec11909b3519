/* SPDX-License-Identifier: Apache-2.0 */
/* Placed faults (decisions.md G2): a named point in the code that a test arms for one EID. Compiled in only with the
 * build option `faults`; in a release build FAULT() is nothing and arming answers -ENOTSUP. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#include "common/base/buf.h"

enum fault_action { FAULT_OFF, FAULT_PAUSE, FAULT_KILL, FAULT_DROP };

/* point must be registered by a FAULT_POINT row of base/fault_points.def, so that a typing error is refused. eid: 32 digits or "*".
 * PAUSE holds the thread there until the point is armed OFF; KILL is SIGKILL to the own process; DROP makes FAULT() true once.
 * 0; -ENOENT: no such point; -ENOTSUP: built without faults; -ENOSPC: 256 are armed. */
int fault_arm(const char *point, enum fault_action action, const char *eid);
bool fault_action_parse(const char *text, enum fault_action *out);
/* One line per point: name, action, eid, threads held there now, times hit. */
void fault_list(struct buf *out);

#ifdef RSP_FAULTS
/* True: the caller behaves as if what the point's name says had been lost. */
bool fault_hit(const char *point, const char *eid);
#define FAULT(point, eid) fault_hit((point), (eid))
#else
#define FAULT(point, eid) ((void)(eid), false)
#endif

#endif
