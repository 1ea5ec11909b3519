/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/run.h"

#include <string.h>

/* Depth is that of the tables: EIS -> EumSignedInfo -> Eid. */
static bool group_eid(const struct bind_group *g, const void *in, char out[EID_DIGITS + 1])
{
	for (const struct bind_field *f = g->fields; f->name; f++) {
		const uint8_t *member = (const uint8_t *)in + f->offset;

		if (f->flags & BIND_MANY)
			continue;
		/* Of an AuthenticateSMSR either Eid or Eis is there. */
		if ((f->flags & BIND_OPTIONAL) && (f->type == BIND_EID || f->type == BIND_GROUP))
			member = *(const uint8_t *const *)(const void *)member;
		if (!member)
			continue;
		if (f->type == BIND_EID) {
			memcpy(out, ((const struct eid *)(const void *)member)->text, EID_DIGITS + 1);
			return true;
		}
		if (f->type == BIND_GROUP && group_eid(f->sub, member, out))
			return true;
	}
	return false;
}

void message_eid(const struct bind_message *m, const void *in, char out[EID_DIGITS + 1])
{
	out[0] = '\0';
	(void)group_eid(m->group, in, out);
}
