/* SPDX-License-Identifier: Apache-2.0 */
/* A remote command script on the card: each command in turn, and its answer (ETSI TS 102 226 5.2). */
#include <stdio.h>

#include "common/base/fault.h"
#include "common/card/script.h"

#include "services/euicc-sim/card_internal.h"
#include "services/euicc-sim/sim.h"

struct run {
	struct script_result results[SCRIPT_COMMANDS_MAX];
	size_t from[SCRIPT_COMMANDS_MAX]; /* of each result in data, which moves while it grows */
	struct buf data;
	size_t n;
	struct card_effects effects;
};

static void run_free(struct run *r)
{
	buf_free(&r->data);
}

static void log_command(const struct holder *h, const struct bytes *apdu, uint16_t sw, const char *why)
{
	struct log_line l;
	char text[8];

	(void)snprintf(text, sizeof(text), "%04X", sw);
	sim_log(&l, LOG_INFO, "card_script", h);
	log_int(&l, "ins", apdu->len > 1 ? apdu->data[1] : -1);
	log_str(&l, "sw", text);
	log_str(&l, "meaning", sw_text(sw));
	log_str(&l, "why", why);
	log_end(&l);
}

/* What a test makes go wrong. An argument says where or which; without one it is the first occasion. */
static bool strikes(void *ctx, enum card_fault fault, size_t element)
{
	struct holder *h = ctx;
	char number[24];

	switch (fault) {
	case CARD_FAULT_NO_ROOM:
		return hook_strikes_at(h->sim->hooks, HOOK_NO_MEMORY, &h->card->eid, "create");
	case CARD_FAULT_FULL:
		return hook_strikes_at(h->sim->hooks, HOOK_NO_MEMORY, &h->card->eid, "install");
	case CARD_FAULT_CHALLENGE:
		return hook_now(h, HOOK_BAD_CHALLENGE, NULL);
	case CARD_FAULT_RECEIPT:
		return hook_now(h, HOOK_BAD_RECEIPT, NULL);
	case CARD_FAULT_MAC:
		return hook_now(h, HOOK_BAD_MAC, NULL);
	case CARD_FAULT_CRYPTOGRAM:
		return hook_strikes_at(h->sim->hooks, HOOK_BAD_ANSWER, &h->card->eid, "cryptogram");
	case CARD_FAULT_RMAC:
		return hook_strikes_at(h->sim->hooks, HOOK_BAD_ANSWER, &h->card->eid, "mac");
	case CARD_FAULT_ELEMENT:
		(void)snprintf(number, sizeof(number), "%zu", element);
		return hook_strikes_at(h->sim->hooks, HOOK_PE_FAIL, &h->card->eid, number);
	}
	return false;
}

static void execute(struct holder *h, const struct script *script, struct run *r)
{
	for (bool stop = false; r->n < script->n && !stop; r->n++) {
		struct script_result *result = &r->results[r->n];

		r->from[r->n] = r->data.len;
		r->effects.why = NULL;
		result->sw = card_execute(h->card, script->apdus[r->n], &r->data, &r->effects);
		result->data.len = r->data.len - r->from[r->n];
		log_command(h, &script->apdus[r->n], result->sw, r->effects.why);
		stop = card_script_stops(result->sw);
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->results[i].data.len)
			r->results[i].data.data = (const uint8_t *)r->data.data + r->from[i];
}

/* A confirmation, a key agreement, a piece of a profile and what a new SM-SR changes have points of their own: there are other scripts
 * before and behind them. */
static const char *kind_of(const struct script *script)
{
	static const char *const changes[] = {
		[ISDR_PUT_KEY] = "put-key", [ISDR_ADDRESSING] = "addressing", [ISDR_FINALISE] = "finalise"
	};
	const char *kind = "script";
	struct isdr_command command;
	struct apdu apdu;

	for (size_t i = 0; i < script->n; i++) {
		if (!apdu_parse(script->apdus[i], &apdu))
			continue;
		if (ka_step_of(&apdu) == KA_STEP_CERTIFICATE || ka_step_of(&apdu) == KA_STEP_REQUEST)
			kind = "store-data";
		else if (isdr_change_of(&apdu) != ISDR_CHANGE_NONE)
			kind = changes[isdr_change_of(&apdu)];
		else if (isdr_command_parse(&apdu, &command) == SW_OK && command.function == ISDR_CONFIRM)
			kind = "confirmation";
	}
	return kind;
}

static void fault_point(const struct holder *h, const char *kind, const char *stage)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "euicc-sim.%s.%s", kind, stage);
	(void)FAULT(name, h->card->eid.text);
}

static void log_unreadable(const struct holder *h, const char *why)
{
	struct log_line l;

	sim_log(&l, LOG_WARN, "card_script", h);
	log_str(&l, "unreadable", why);
	log_end(&l);
}

/* The script was executed. False: nobody may hear of it. */
static bool keep(struct holder *h, const char *kind, const struct card_effects *effects, bool *out_refresh)
{
	h->card->commands++;
	fault_point(h, kind, "executed");
	if (!life_save(h))
		return false;
	fault_point(h, kind, "saved");
	*out_refresh = *out_refresh || effects->refresh;
	return true;
}

static bool run_isdr(struct holder *h, uint8_t secured, struct bytes body, const struct card_faults *faults, struct buf *out_answer,
		     bool *out_refresh)
{
	CLEANUP(run_free) struct run r = { .effects = { .faults = faults, .secured = secured } };
	const char *why = "", *kind;
	struct script script;

	if (!script_parse(body, &script, &why)) {
		log_unreadable(h, why);
		script_bad_format(out_answer, body.len && body.data[0] == 0xAA ? SCRIPT_DEFINITE : SCRIPT_INDEFINITE);
		return true;
	}
	kind = kind_of(&script);
	fault_point(h, kind, "received");
	execute(h, &script, &r);
	if (!keep(h, kind, &r.effects, out_refresh))
		return false;
	script_answer_build(out_answer, script.form, r.results, r.n);
	return true;
}

/* ---- to an ISD-P ---- */

struct isdp_script {
	enum script_form form;
	struct bytes commands;
	bool is_download; /* it has SCP03t */
};

/* False: not a list of what an ISD-P takes, in one of the two containers. */
static bool isdp_script_parse(struct bytes body, struct isdp_script *out)
{
	struct bytes rest;
	struct tlv t;

	*out = (struct isdp_script){ .form = SCRIPT_INDEFINITE };
	if (body.len >= 4 && body.data[0] == 0xAE && body.data[1] == 0x80) {
		if (body.data[body.len - 1] || body.data[body.len - 2])
			return false;
		out->commands = (struct bytes){ body.data + 2, body.len - 4 };
	} else {
		out->form = SCRIPT_DEFINITE;
		if (!tlv_next(&body, &t) || t.tag != 0xAA || body.len)
			return false;
		out->commands = t.value;
	}
	for (rest = out->commands; rest.len;) {
		if (!tlv_next(&rest, &t) || !card_isdp_knows_tag(t.tag))
			return false;
		out->is_download = out->is_download || t.tag >= 0x84;
	}
	return true;
}

static void log_isdp(const struct holder *h, const struct aid *isdp, size_t n, const char *why)
{
	char text[2 * AID_MAX + 1];
	struct log_line l;

	aid_format(isdp, text);
	sim_log(&l, why ? LOG_WARN : LOG_INFO, "card_isdp_script", h);
	log_str(&l, "aid", text);
	log_int(&l, "commands", (int64_t)n);
	log_str(&l, "why", why);
	log_end(&l);
}

/* How many were executed. */
static void count_add(struct buf *out, uint16_t n)
{
	const uint8_t number[] = { (uint8_t)(n >> 8), (uint8_t)n };

	tlv_add(out, 0x80, n > UINT8_MAX ? number : number + 1, n > UINT8_MAX ? 2 : 1);
}

static bool run_isdp(struct holder *h, const struct aid *isdp, struct bytes body, const struct card_faults *faults,
		     struct buf *out_answer, bool *out_refresh)
{
	struct card_effects effects = { .faults = faults };
	CLEANUP(buf_free) struct buf answers = { 0 };
	CLEANUP(buf_free) struct buf all = { 0 };
	struct isdp_script script;
	const char *kind;
	uint16_t executed = 0; /* a body is shorter than that */
	bool go_on = true;
	struct tlv t;

	if (!isdp_script_parse(body, &script)) {
		log_unreadable(h, "not a list of 22, A2, 84, 85, 86 in AA or AE 80");
		script_bad_format(out_answer, script.form);
		return true;
	}
	kind = script.is_download ? "segment" : "script";
	fault_point(h, kind, "received");
	for (; go_on && tlv_next(&script.commands, &t); executed++)
		go_on = card_isdp_execute(h->card, isdp, &t, &answers, &effects);
	log_isdp(h, isdp, executed, effects.why);
	if (!keep(h, kind, &effects, out_refresh))
		return false;
	if (script.form == SCRIPT_INDEFINITE) {
		buf_add(out_answer, "\xAF\x80", 2);
		buf_add(out_answer, answers.data, answers.len);
		buf_add(out_answer, "\0\0", 2);
		return true;
	}
	count_add(&all, executed);
	buf_add(&all, answers.data, answers.len);
	tlv_add(out_answer, 0xAB, all.data, all.len);
	return true;
}

bool script_run(struct holder *h, uint8_t secured, const struct aid *target, struct bytes body, struct buf *out_answer,
		bool *out_refresh)
{
	const struct card_faults faults = { strikes, h };

	h->sim->stats.scripts++;
	card_key_used(h->card, secured);
	return aid_equal(target, &AID_ISDR) ? run_isdr(h, secured, body, &faults, out_answer, out_refresh)
					    : run_isdp(h, target, body, &faults, out_answer, out_refresh);
}
