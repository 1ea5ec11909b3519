/* SPDX-License-Identifier: Apache-2.0 */
#include "services/euicc-sim/hook.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Armed rows, oldest first. One for a card wins over one for every card. */
struct hook {
	struct hook *next;
	enum hook_kind kind;
	bool every;
	struct eid eid;
	unsigned times; /* 0: until cleared */
	char *argument;
	unsigned percent; /* by chance (hook_chance) */
	uint64_t drawn;
};

struct hooks {
	struct hook *first;
	struct buf struck; /* the argument handed out last: its row may be gone */
};

static const char *const names[HOOK_COUNT] = {
	[HOOK_REFUSE_ATTACH] = "refuse-attach",
	[HOOK_DROP_SMS] = "drop-sms",
	[HOOK_DUPLICATE_SMS] = "duplicate-sms",
	[HOOK_DELAY_SMS] = "delay-sms",
	[HOOK_DROP_POR] = "drop-por",
	[HOOK_DROP_RECEIPT] = "drop-receipt",
	[HOOK_LOSE_SMS] = "lose-sms",
	[HOOK_REPEAT_SMS] = "repeat-sms",
	[HOOK_REORDER_SMS] = "reorder-sms",
	[HOOK_NO_SESSIONS] = "no-sessions",
	[HOOK_DROP_NOTIFICATION] = "drop-notification",
	[HOOK_DELAY_NOTIFICATION] = "delay-notification",
	[HOOK_DUPLICATE_NOTIFICATION] = "duplicate-notification",
	[HOOK_HOLD_ANSWER] = "hold-answer",
	[HOOK_CORRUPT_ANSWER] = "corrupt-answer",
	[HOOK_WRONG_URI] = "wrong-uri",
	[HOOK_WRONG_PSK] = "wrong-psk",
	[HOOK_POWER_CUT] = "power-cut",
	[HOOK_IGNORE_SMS] = "ignore-sms",
	[HOOK_ENDLESS_SESSION] = "endless-session",
	[HOOK_RESUME] = "resume",
	[HOOK_NO_MEMORY] = "no-memory",
	[HOOK_BAD_CHALLENGE] = "bad-challenge",
	[HOOK_BAD_RECEIPT] = "bad-receipt",
	[HOOK_BAD_MAC] = "bad-mac",
	[HOOK_BAD_ANSWER] = "bad-answer",
	[HOOK_PE_FAIL] = "pe-fail",
	[HOOK_TRACE] = "trace",
};

const char *hook_name(enum hook_kind k)
{
	return names[k];
}

bool hook_parse(const char *name, enum hook_kind *out)
{
	for (unsigned i = 0; i < HOOK_COUNT; i++)
		if (!strcmp(name, names[i])) {
			*out = (enum hook_kind)i;
			return true;
		}
	return false;
}

/* As base does: without memory the process ends, its cards' state is on disk. */
static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct hooks *hooks_new(void)
{
	return must(calloc(1, sizeof(struct hooks)));
}

/* Takes the row out that at points to. */
static void drop(struct hook **at)
{
	struct hook *gone = *at;

	*at = gone->next;
	free(gone->argument);
	free(gone);
}

void hooks_free(struct hooks *h)
{
	if (!h)
		return;
	while (h->first)
		drop(&h->first);
	buf_free(&h->struck);
	free(h);
}

/* Armed for exactly this: eid NULL is every card. */
static bool armed_for(const struct hook *row, enum hook_kind k, const struct eid *eid)
{
	return row->kind == k && row->every == !eid && (!eid || eid_equal(&row->eid, eid));
}

bool hook_chance_good(const char *argument)
{
	size_t percent = strspn(argument, "0123456789"), seed = 0;

	if (argument[percent] == ':')
		seed = strspn(argument + percent + 1, "0123456789");
	return percent > 0 && percent <= 3 && strtoul(argument, NULL, 10) <= 100 && seed <= 9 &&
	       (argument[percent] == '\0' || (argument[percent] == ':' && seed > 0 && argument[percent + 1 + seed] == '\0'));
}

/* Good ones only. */
static void chance_read(const char *argument, unsigned *out_percent, uint64_t *out_seed)
{
	const char *colon = strchr(argument, ':');

	*out_percent = (unsigned)strtoul(argument, NULL, 10);
	*out_seed = colon ? strtoull(colon + 1, NULL, 10) : 0;
}

/* splitmix64: a few bits of it are all that is asked for. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

void hook_arm(struct hooks *h, enum hook_kind k, const struct eid *eid, unsigned times, const char *argument)
{
	struct hook **at = &h->first, *row;

	while (*at)
		if (armed_for(*at, k, eid) && (k != HOOK_REFUSE_ATTACH || !strcmp((*at)->argument, argument)))
			drop(at);
		else
			at = &(*at)->next;
	row = must(calloc(1, sizeof(*row)));
	row->kind = k;
	row->every = !eid;
	if (eid)
		row->eid = *eid;
	row->times = times;
	row->argument = must(strdup(argument));
	if (hook_chance_good(argument))
		chance_read(argument, &row->percent, &row->drawn);
	*at = row;
}

void hook_clear(struct hooks *h, enum hook_kind k, const struct eid *eid)
{
	struct hook **at = &h->first;

	while (*at)
		if (armed_for(*at, k, eid))
			drop(at);
		else
			at = &(*at)->next;
}

/* argument NULL: any. */
static struct hook **find(struct hooks *h, enum hook_kind k, const struct eid *eid, const char *argument)
{
	struct hook **every = NULL;

	for (struct hook **at = &h->first; *at; at = &(*at)->next) {
		const struct hook *row = *at;

		if (argument && *row->argument && strcmp(row->argument, argument) != 0)
			continue;
		if (armed_for(row, k, eid))
			return at;
		if (!every && armed_for(row, k, NULL))
			every = at;
	}
	return every;
}

static bool strike(struct hooks *h, struct hook **at)
{
	if (!at)
		return false;
	buf_clear(&h->struck);
	buf_add(&h->struck, (*at)->argument, strlen((*at)->argument));
	if ((*at)->times && !--(*at)->times)
		drop(at);
	return true;
}

bool hook_strikes(struct hooks *h, enum hook_kind k, const struct eid *eid, const char **out_argument)
{
	if (!strike(h, find(h, k, eid, NULL)))
		return false;
	if (out_argument)
		*out_argument = h->struck.len ? h->struck.data : "";
	return true;
}

bool hook_strikes_at(struct hooks *h, enum hook_kind k, const struct eid *eid, const char *argument)
{
	return strike(h, find(h, k, eid, argument));
}

bool hook_chance(struct hooks *h, enum hook_kind k, const struct eid *eid)
{
	struct hook **at = find(h, k, eid, NULL);

	return at && draw(&(*at)->drawn) % 100 < (*at)->percent && strike(h, at);
}

static void text_free(char **text)
{
	free(*text);
}

void hooks_json(const struct hooks *h, struct buf *out)
{
	json_t *list = must(json_array());
	CLEANUP(text_free) char *text = NULL;

	for (const struct hook *row = h->first; row; row = row->next) {
		json_t *o = must(json_object());

		json_object_set_new(o, "hook", json_string(names[row->kind]));
		json_object_set_new(o, "eid", row->every ? json_null() : json_string(row->eid.text));
		json_object_set_new(o, "times", json_integer(row->times));
		json_object_set_new(o, "argument", json_string(row->argument));
		json_array_append_new(list, o);
	}
	text = must(json_dumps(list, JSON_COMPACT));
	json_decref(list);
	buf_str(out, text);
}
