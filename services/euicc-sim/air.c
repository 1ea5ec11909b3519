/* SPDX-License-Identifier: Apache-2.0 */
/* The network between cards and SMSC, where a test makes it bad: it loses, repeats and reorders SMS, both ways, each by its own chance. */
#include <stdlib.h>
#include <string.h>

#include "services/euicc-sim/sim.h"

enum { LATE_MS = 700 }; /* longer than what is sent next is under way */

/* An SMS of a card that comes late. */
struct late {
	struct late *next;
	struct holder *h;
	struct timer timer;
	struct smpp_message message;
	uint8_t data[];
};

static void log_air(const struct holder *h, bool to_card, const char *what)
{
	struct log_line l;

	sim_log(&l, LOG_INFO, "sms_air", h);
	log_str(&l, "way", to_card ? "to the card" : "from the card");
	log_str(&l, "is", what);
	log_end(&l);
}

static bool happens(struct holder *h, bool to_card, enum hook_kind k, const char *what)
{
	bool does = hook_chance(h->sim->hooks, k, &h->card->eid);

	if (does)
		log_air(h, to_card, what);
	return does;
}

static bool takes(struct holder *h, bool to_card, bool *out_twice, int64_t *out_late_ms)
{
	if (happens(h, to_card, HOOK_LOSE_SMS, "lost"))
		return false;
	*out_twice = happens(h, to_card, HOOK_REPEAT_SMS, "twice");
	*out_late_ms = happens(h, to_card, HOOK_REORDER_SMS, "late") ? LATE_MS : 0;
	return true;
}

bool air_takes(struct holder *h, bool *out_twice, int64_t *out_late_ms)
{
	return takes(h, true, out_twice, out_late_ms);
}

static void late_drop(struct late *gone)
{
	struct late **at = &gone->h->late;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	loop_timer_stop(gone->h->sim->loop, &gone->timer);
	free(gone);
}

static void arrived(struct timer *t)
{
	struct late *late = OWNER(t, struct late, timer);

	smsc_queue(late->h->sim->smsc, &late->message);
	late_drop(late);
}

static void send_late(struct holder *h, const struct smpp_message *m, int64_t ms)
{
	struct late *late = calloc(1, sizeof(*late) + m->data.len);

	if (!late)
		abort();
	*late = (struct late){ .next = h->late, .h = h, .timer.due = arrived, .message = *m };
	if (m->data.len)
		memcpy(late->data, m->data.data, m->data.len);
	late->message.data.data = late->data;
	h->late = late;
	loop_timer(h->sim->loop, &late->timer, ms);
}

void air_send(struct holder *h, const struct smpp_message *m)
{
	bool twice = false;
	int64_t late_ms = 0;

	if (!takes(h, false, &twice, &late_ms))
		return;
	if (late_ms)
		send_late(h, m, late_ms);
	else
		smsc_queue(h->sim->smsc, m);
	if (twice)
		smsc_queue(h->sim->smsc, m);
}

void air_free(struct holder *h)
{
	while (h->late)
		late_drop(h->late);
}
