/* SPDX-License-Identifier: Apache-2.0 */
/* What both sides use. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/sm-sr-handover/handover.h"

enum { STEP_DIGITS = 9 };

const char *handover_ref(struct arena *a, const char *id, int64_t step)
{
	return arena_printf(a, "%s.%lld", id, (long long)step);
}

bool handover_id_ok(const char *id)
{
	if (strlen(id) != HANDOVER_ID)
		return false;
	for (size_t i = 0; i < HANDOVER_ID; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? id[i] != '-' : !id[i] || !strchr("0123456789abcdef", id[i]))
			return false;
	return true;
}

bool handover_ref_parse(struct arena *a, const char *text, const char **out_id, int64_t *out_step)
{
	const char *dot = text ? strrchr(text, '.') : NULL, *id = dot ? arena_strndup(a, text, (size_t)(dot - text)) : "";
	size_t n = dot ? strlen(dot + 1) : 0;

	if (!handover_id_ok(id) || n < 1 || n > STEP_DIGITS || strspn(dot + 1, "0123456789") != n || dot[1] == '0')
		return false;
	*out_id = id;
	*out_step = strtoll(dot + 1, NULL, 10);
	return true;
}

bool handover_code_by_name(const char *name, enum code *out)
{
	for (int c = 0; c < CODE_COUNT; c++)
		if (!strcmp(status_code((enum code)c)->name, name)) {
			*out = (enum code)c;
			return true;
		}
	return false;
}

void handover_stage(struct handovers *h, struct db *db, struct arena *a, const struct handover_told *t)
{
	const struct status_code *code = t->code ? status_code(*t->code) : NULL;
	char at[DATETIME_MAX];

	DB_QUEUE(db, HANDOVER_STAGE_ADD, p_text(t->id), p_int(a, t->side), p_int(a, t->state), p_int(a, t->step),
		 p_text(t->note ? t->note : ""));
	datetime_format(clock_wall_us(), at);
	outbox_event(db, a, arena_printf(a, "handover.%s", t->stage), t->eid, t->trace,
		     arena_printf(a,
				  "{\"eid\":\"%s\",\"handover\":\"%s\",\"side\":\"%s\",\"stage\":\"%s\",\"peer\":\"%s\","
				  "\"operator\":\"%s\",\"code\":\"%s%s%s\",\"smsr\":\"%s\",\"at\":\"%s\"}",
				  t->eid, t->id, t->side == HANDOVER_OUT ? "out" : "in", t->stage, t->peer->text, t->requester->text,
				  code ? code->subject : "", code ? "/" : "", code ? code->reason : "", h->rpc->self.text, at));
}
