/* SPDX-License-Identifier: Apache-2.0 */
/* A remote command script on the card: each command in turn, and its answer (ETSI TS 102 226 5.2). */
#include <stdio.h>

#include "common/base/fault.h"
#include "common/card/script.h"

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

/* 61, 62, 63, 90, 91 let a script go on. */
static bool is_error(uint16_t sw)
{
	unsigned high = sw >> 8;

	return !(high >= 0x61 && high <= 0x63) && high != 0x90 && high != 0x91;
}

static void log_command(const struct holder *h, const struct bytes *apdu, uint16_t sw)
{
	struct log_line l;
	char text[8];

	(void)snprintf(text, sizeof(text), "%04X", sw);
	sim_log(&l, LOG_INFO, "card_script", h);
	log_int(&l, "ins", apdu->len > 1 ? apdu->data[1] : -1);
	log_str(&l, "sw", text);
	log_str(&l, "meaning", sw_text(sw));
	log_end(&l);
}

static void execute(struct holder *h, const struct script *script, struct run *r)
{
	for (bool stop = false; r->n < script->n && !stop; r->n++) {
		struct script_result *result = &r->results[r->n];

		r->from[r->n] = r->data.len;
		result->sw = card_execute(h->card, script->apdus[r->n], &r->data, &r->effects);
		result->data.len = r->data.len - r->from[r->n];
		log_command(h, &script->apdus[r->n], result->sw);
		stop = is_error(result->sw);
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->results[i].data.len)
			r->results[i].data.data = (const uint8_t *)r->data.data + r->from[i];
}

/* Confirmations have points of their own: a card gets one after another script. */
static void fault_point(const struct holder *h, const struct script *script, const char *stage)
{
	struct isdr_command command;
	bool confirms = false;
	struct apdu apdu;
	char name[48];

	for (size_t i = 0; i < script->n; i++)
		confirms = confirms || (apdu_parse(script->apdus[i], &apdu) && isdr_command_parse(&apdu, &command) == SW_OK &&
					command.function == ISDR_CONFIRM);
	(void)snprintf(name, sizeof(name), "euicc-sim.%s.%s", confirms ? "confirmation" : "script", stage);
	(void)FAULT(name, h->card->eid.text);
}

bool script_run(struct holder *h, struct bytes body, struct buf *out_answer, bool *out_refresh)
{
	CLEANUP(run_free) struct run r = { .n = 0 };
	const char *why = "";
	struct script script;
	struct log_line l;

	h->sim->stats.scripts++;
	if (!script_parse(body, &script, &why)) {
		sim_log(&l, LOG_WARN, "card_script", h);
		log_str(&l, "unreadable", why);
		log_end(&l);
		script_bad_format(out_answer, body.len && body.data[0] == 0xAA ? SCRIPT_DEFINITE : SCRIPT_INDEFINITE);
		return true;
	}
	fault_point(h, &script, "received");
	execute(h, &script, &r);
	h->card->commands++;
	fault_point(h, &script, "executed");
	if (!life_save(h))
		return false;
	fault_point(h, &script, "saved");
	*out_refresh = *out_refresh || r.effects.refresh;
	script_answer_build(out_answer, script.form, r.results, r.n);
	return true;
}
