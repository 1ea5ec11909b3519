/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of the cards. Keys are shown to nobody. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rpc/json_out.h"
#include "services/euicc-sim/control.h"

enum { CARDS = 100, CARDS_MAX = 1000000, PER_S = 500 };

static const char *phase_name(enum card_phase phase)
{
	switch (phase) {
	case CARD_OFF:
		return "off";
	case CARD_ATTACHING:
		return "attaching";
	case CARD_IDLE:
		return "idle";
	}
	return "unknown";
}

static const char *state_name(uint8_t state)
{
	switch (state) {
	case ISDP_SELECTABLE:
		return "Selectable";
	case ISDP_PERSONALIZED:
		return "Personalized";
	case ISDP_DISABLED:
		return "Disabled";
	case ISDP_ENABLED:
		return "Enabled";
	default:
		return "unknown";
	}
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

/* What a downloaded profile is, so that it can be compared with what was sent. */
static void domain_out(struct buf *b, const struct card_domain *d)
{
	buf_printf(b, ",\"kvn\":%u,\"sequence\":%u,\"elements\":%u,\"bytes\":%llu,\"connectivity\":\"", d->keys.kvn, d->sequence,
		   d->n_elements, (unsigned long long)d->bytes);
	buf_hex(b, d->connectivity, d->n_connectivity);
	buf_str(b, "\",\"digest\":");
	if (!d->n_elements) {
		buf_str(b, "null");
		return;
	}
	buf_char(b, '"');
	buf_hex(b, d->digest, sizeof(d->digest));
	buf_char(b, '"');
}

static void profile_out(struct buf *b, const struct card *c, const struct card_profile *p)
{
	char aid[2 * AID_MAX + 1];

	aid_format(&p->aid, aid);
	buf_char(b, '{');
	json_out_member(b, "iccid", p->iccid.text);
	json_out_member(b, "aid", aid);
	json_out_member(b, "state", state_name(p->state));
	json_out_member(b, "imsi", p->imsi);
	json_out_member(b, "msisdn", p->msisdn);
	buf_printf(b, ",\"fallback\":%s,\"pol1\":%u,\"memory\":%lld,\"stored\":%lld", yes(p->fallback), p->pol1,
		   (long long)p->memory, (long long)card_profile_stored(c, p));
	if (p->domain)
		domain_out(b, p->domain);
	buf_char(b, '}');
}

/* Of SCP80, by key set: the highest that was taken. */
static void counters_out(struct buf *b, const struct card *c)
{
	bool first = true;

	buf_str(b, ",\"counters\":{");
	for (size_t i = 0; i < CARD_COUNTERS; i++) {
		if (!c->counters[i].version)
			continue;
		buf_printf(b, "%s\"%u\":%llu", first ? "" : ",", c->counters[i].version, (unsigned long long)c->counters[i].last);
		first = false;
	}
	buf_char(b, '}');
}

/* Versions of the ISD-R's key sets and how many keys each has: never a key. */
static void keys_out(struct buf *b, const struct card *c)
{
	unsigned n[UINT8_MAX + 1] = { 0 };
	bool first = true;

	for (size_t i = 0; i < CARD_KEYS; i++)
		n[c->keys[i].version]++;
	buf_str(b, ",\"keys\":{");
	for (unsigned version = 1; version < LEN(n); version++) {
		if (!n[version])
			continue;
		buf_printf(b, "%s\"%u\":%u", first ? "" : ",", version, n[version]);
		first = false;
	}
	buf_char(b, '}');
}

/* Where an SM-SR sent it; null: it goes where its batch says. */
static void home_out(struct buf *b, const struct card_home *home)
{
	const struct in_addr address = { .s_addr = htonl(home->address) };
	char host[INET_ADDRSTRLEN];

	if (!home->address && !*home->number) {
		buf_str(b, ",\"home\":null");
		return;
	}
	buf_str(b, ",\"home\":{");
	json_out_member(b, "host", home->address ? inet_ntop(AF_INET, &address, host, sizeof(host)) : NULL);
	json_out_member(b, "uri", home->uri);
	json_out_member(b, "number", home->number);
	buf_printf(b, ",\"port\":%u,\"kvn\":%u}", home->port, home->kvn);
}

static void isdr_out(struct buf *b, const struct card *c)
{
	buf_printf(b, ",\"isdr_keysets\":%llu,\"put_keys\":%llu,\"finalises\":%llu", (unsigned long long)c->isdr_keysets,
		   (unsigned long long)c->put_keys, (unsigned long long)c->finalises);
	keys_out(b, c);
	home_out(b, &c->home);
}

static void card_out(struct buf *b, const struct holder *h)
{
	const struct card *c = h->card;
	uint8_t enabled = card_enabled(c);
	bool first = true;

	buf_char(b, '{');
	json_out_member(b, "eid", c->eid.text);
	json_out_member(b, "phase", phase_name(c->phase));
	json_out_member(b, "enabled", enabled == CARD_NONE ? NULL : c->profiles[enabled].iccid.text);
	json_out_member(b, "smsr", *h->smsr ? h->smsr : NULL);
	buf_printf(b, ",\"powered\":%s,\"http\":%s,\"session\":%s,\"pending\":%u,\"given_up\":%s,\"seq\":%u,\"tries\":%u",
		   yes(c->powered), yes(c->http), yes(h->session != NULL), c->pending, yes(c->given_up), c->seq, c->tries);
	buf_printf(b, ",\"switches\":%llu,\"commands\":%llu,\"enables\":%llu,\"disables\":%llu", (unsigned long long)c->switches,
		   (unsigned long long)c->commands, (unsigned long long)c->enables, (unsigned long long)c->disables);
	buf_printf(b, ",\"creates\":%llu,\"keysets\":%llu,\"installs\":%llu,\"memory\":%lld,\"remaining_memory\":%lld",
		   (unsigned long long)c->creates, (unsigned long long)c->keysets, (unsigned long long)c->installs,
		   (long long)c->memory, (long long)c->remaining_memory);
	counters_out(b, c);
	isdr_out(b, c);
	buf_printf(b, ",\"deletes\":%llu,\"confirmations\":%llu,\"waiting_sms\":%u,\"profiles\":[", (unsigned long long)c->deletes,
		   (unsigned long long)c->confirmations, h->n_waiting);
	for (unsigned i = 0; i < CARD_PROFILES; i++) {
		if (!c->profiles[i].aid.len)
			continue;
		if (!first)
			buf_char(b, ',');
		first = false;
		profile_out(b, c, &c->profiles[i]);
	}
	buf_str(b, "]}");
}

static size_t number(const struct control_job *job, const char *name, size_t def, size_t max)
{
	const char *text = http_query(job->call, name);
	unsigned long v;

	if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return def;
	v = strtoul(text, NULL, 10);
	return v < max ? v : max;
}

/* NULL: answered with what is wrong. */
static struct holder *named_card(struct control_job *job, const char *text)
{
	struct holder *h = NULL;
	struct eid eid;

	if (!text || !eid_parse(text, &eid)) {
		control_fail(job, 400, "bad_eid", "eid should be 32 digits whose check digits hold");
		return NULL;
	}
	h = fleet_by_eid(job->sim->fleet, &eid);
	if (!h)
		control_fail(job, 404, "no_card", "no batch file holds the card %s", eid.text);
	return h;
}

void control_cards(struct control_job *job)
{
	const char *eid = http_query(job->call, "eid");
	size_t n = fleet_count(job->sim->fleet), from = number(job, "from", 0, n), limit = number(job, "limit", CARDS, CARDS_MAX);
	const struct holder *h = eid ? named_card(job, eid) : NULL;

	if (eid && !h)
		return;
	buf_char(&job->out, '[');
	if (h)
		card_out(&job->out, h);
	for (size_t i = from; !h && i < n && i - from < limit; i++) {
		if (i > from)
			buf_str(&job->out, ",\n");
		card_out(&job->out, fleet_at(job->sim->fleet, i));
	}
	buf_char(&job->out, ']');
}

/* eid of the body: one card, or "*" (*out NULL). False: answered. */
static bool which(struct control_job *job, struct holder **out)
{
	const char *text = json_string_value(json_object_get(job->body, "eid"));
	struct holder *h = NULL;

	if (!text || strcmp(text, "*") != 0) {
		h = named_card(job, text);
		if (!h)
			return false;
	}
	*out = h;
	return true;
}

/* Many cards do not get power in one moment: they would all attach, and call, in one. */
static size_t power_all(struct sim *sim, bool on, json_int_t per_s)
{
	size_t n = 0;

	for (size_t i = 0; i < fleet_count(sim->fleet); i++) {
		struct holder *h = fleet_at(sim->fleet, i);

		if (h->card->powered == on)
			continue;
		life_power(h, on);
		if (on && h->card->powered)
			life_attach(h, sim->config->attach_ms + (int64_t)(n * 1000 / (size_t)per_s));
		n++;
	}
	return n;
}

void control_power(struct control_job *job)
{
	const json_t *on = json_object_get(job->body, "on"), *rate = json_object_get(job->body, "per_s");
	json_int_t per_s = rate ? json_integer_value(rate) : PER_S;
	struct holder *h;
	size_t n = 1;

	if (!which(job, &h))
		return;
	if (!json_is_boolean(on) || per_s < 1 || per_s > CARDS_MAX) {
		control_fail(job, 400, "bad_body", "on should be true or false; per_s, when there, from 1 to %d", CARDS_MAX);
		return;
	}
	if (h)
		life_power(h, json_is_true(on));
	else
		n = power_all(job->sim, json_is_true(on), per_s);
	buf_printf(&job->out, "{\"cards\":%zu}", n);
}

void control_coverage(struct control_job *job)
{
	struct holder *h;

	if (!which(job, &h))
		return;
	if (!h)
		control_fail(job, 400, "bad_eid", "coverage is lost by one card at a time");
	else if (h->card->phase != CARD_IDLE)
		control_fail(job, 409, "not_attached", "the card is %s; only an attached one loses coverage",
			     phase_name(h->card->phase));
	else
		life_coverage_lost(h);
	buf_str(&job->out, "{}");
}

static struct card_profile *profile_of(struct card *c, const char *iccid)
{
	for (size_t i = 0; iccid && *iccid && i < CARD_PROFILES; i++)
		if (c->profiles[i].aid.len && !strcmp(c->profiles[i].iccid.text, iccid))
			return &c->profiles[i];
	return NULL;
}

static struct card_profile *enabled_of(struct card *c)
{
	uint8_t place = card_enabled(c);

	return place == CARD_NONE ? NULL : &c->profiles[place];
}

/* The number that the network calls a profile by: a package seldom says it. Without an iccid: the enabled one's. */
void control_number(struct control_job *job)
{
	const char *iccid = json_string_value(json_object_get(job->body, "iccid"));
	const char *msisdn = json_string_value(json_object_get(job->body, "msisdn"));
	struct holder *h = named_card(job, json_string_value(json_object_get(job->body, "eid")));
	bool named = json_object_get(job->body, "iccid") != NULL;
	struct card_profile *p = !h ? NULL : named ? profile_of(h->card, iccid) : enabled_of(h->card);

	if (!h)
		return;
	if (!msisdn || !*msisdn || strlen(msisdn) > MSISDN_MAX || strspn(msisdn, "0123456789") != strlen(msisdn)) {
		control_fail(job, 400, "bad_body", "msisdn should be 1 to %d digits", MSISDN_MAX);
		return;
	}
	if (!p) {
		control_fail(job, 404, "no_profile", "the card has no %s", named ? "profile of this iccid" : "enabled profile");
		return;
	}
	(void)snprintf(p->msisdn, sizeof(p->msisdn), "%s", msisdn);
	if (!life_save(h)) {
		life_dead(h);
		control_fail(job, 500, "not_saved", "the card's state cannot be written");
		return;
	}
	buf_str(&job->out, "{}");
}

static bool named_hook(struct control_job *job, enum hook_kind *out)
{
	const char *name = json_string_value(json_object_get(job->body, "hook"));
	CLEANUP(buf_free) struct buf names = { 0 };

	if (name && hook_parse(name, out))
		return true;
	for (int i = 0; i < HOOK_COUNT; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", hook_name((enum hook_kind)i));
	control_fail(job, 400, "bad_hook", "hook should be one of: %s", names.data);
	return false;
}

void control_hooks(struct control_job *job)
{
	hooks_json(job->sim->hooks, &job->out);
}

void control_hook_arm(struct control_job *job)
{
	const json_t *times = json_object_get(job->body, "times"), *argument = json_object_get(job->body, "argument");
	json_int_t n = times ? json_integer_value(times) : 0;
	enum hook_kind kind;
	struct holder *h;

	if (!named_hook(job, &kind) || !which(job, &h))
		return;
	if ((times && !json_is_integer(times)) || n < 0 || n > CARDS_MAX || (argument && !json_is_string(argument))) {
		control_fail(job, 400, "bad_body", "times should be a number from 0 (until it is cleared) to %d, argument a text",
			     CARDS_MAX);
		return;
	}
	if ((kind == HOOK_LOSE_SMS || kind == HOOK_REPEAT_SMS || kind == HOOK_REORDER_SMS) &&
	    !hook_chance_good(argument ? json_string_value(argument) : "")) {
		control_fail(job, 400, "bad_body", "argument should be PERCENT or PERCENT:SEED");
		return;
	}
	hook_arm(job->sim->hooks, kind, h ? &h->card->eid : NULL, (unsigned)n, argument ? json_string_value(argument) : "");
	hooks_json(job->sim->hooks, &job->out);
}

void control_hook_clear(struct control_job *job)
{
	enum hook_kind kind;
	struct holder *h;

	if (!named_hook(job, &kind) || !which(job, &h))
		return;
	hook_clear(job->sim->hooks, kind, h ? &h->card->eid : NULL);
	hooks_json(job->sim->hooks, &job->out);
}

/* Cards that did not know where to go may do now. */
static void go_on_all(struct sim *sim)
{
	for (size_t i = 0; i < fleet_count(sim->fleet); i++)
		life_go_on(fleet_at(sim->fleet, i));
}

void control_load(struct control_job *job)
{
	json_t *smsr = json_object_get(job->body, "smsr");
	char error[SIM_ERROR] = "";
	size_t n = 0;

	if (smsr && !targets_take(job->sim->targets, smsr, error)) {
		control_fail(job, 400, "bad_smsr", "%s", error);
		return;
	}
	if (!fleet_load(job->sim->fleet, &n, error)) {
		control_fail(job, 422, "bad_batch", "%s", error);
		return;
	}
	if (smsr)
		go_on_all(job->sim);
	buf_printf(&job->out, "{\"new\":%zu,\"cards\":%zu}", n, fleet_count(job->sim->fleet));
}

void control_stats(struct control_job *job)
{
	const struct sim_stats *s = &job->sim->stats;

	buf_printf(&job->out, "{\"cards\":%zu,\"open_sessions\":%zu,\"smpp_bound\":%u", fleet_count(job->sim->fleet),
		   job->sim->open_sessions, smsc_bound(job->sim->smsc));
	buf_printf(&job->out, ",\"sessions\":%llu,\"sms_in\":%llu,\"por_out\":%llu,\"notifications\":%llu,\"scripts\":%llu}",
		   (unsigned long long)s->sessions, (unsigned long long)s->sms_in, (unsigned long long)s->por_out,
		   (unsigned long long)s->notifications, (unsigned long long)s->scripts);
}

void control_health(struct control_job *job)
{
	buf_str(&job->out, "{\"status\":\"ok\"}");
}
