/* SPDX-License-Identifier: Apache-2.0 */
/* What carries the cards: one thread, one epoll loop (loop.h). card.h decides, this moves bytes and time.
 * life.c: power, attach, what comes next; session.c, script.c: a session with the SM-SR; notify.c: the card's own word; sms.c: SMS to a card;
 * smsc.c: ESMEs and SMS from cards; fleet.c: all cards; control.c, control_card.c: the control socket. */
#ifndef EUICC_SIM_SIM_H
#define EUICC_SIM_SIM_H

#include <jansson.h>

#include "common/app/config.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/card/ram_http.h"
#include "common/card/smpp.h"
#include "services/euicc-sim/card.h"
#include "services/euicc-sim/hook.h"
#include "services/euicc-sim/loop.h"

enum { SIM_ERROR = 512, URI_MAX = 255, SMS_WAITING_MAX = 64, SMS_VALID_MS = 3600 * 1000 };
_Static_assert((int)SIM_ERROR >= (int)CARD_ERROR, "errors of batch files are handed on");

struct sim_config {
#define CONFIG(key, type, member, def, text) CONFIG_TYPE_##type member;
#include "services/euicc-sim/config.def"
#undef CONFIG
};

struct fleet;
struct targets;
struct smsc;
struct control;
struct session;
struct sms;
struct sms_parts;
struct late;

/* Shown by GET /admin/stats. */
struct sim_stats {
	uint64_t sessions, sms_in, por_out, notifications, scripts;
};

struct sim {
	const struct sim_config *config;
	struct loop *loop;
	struct hooks *hooks;
	struct fleet *fleet;
	struct targets *targets;
	struct smsc *smsc;
	struct control *control;
	struct sim_stats stats;
	size_t open_sessions;
};

/* Where a trigger sends a card to. */
struct goal {
	char host[46]; /* numeric */
	uint16_t port;
	char uri[URI_MAX + 1];
	uint8_t kvn; /* 0: any */
	unsigned tries;
};

/* A card in our hands. What an idle one does not need is allocated when it does. */
struct holder {
	struct sim *sim;
	struct card *card;
	struct card_file *file;
	const char *smsr;                            /* OID of its SM-SR as its batch says; "": not said */
	size_t place;                                /* in the fleet */
	struct holder *next_of_eid, *next_of_number; /* fleet.c's chains */
	char number[MSISDN_MAX + 1];                 /* as fleet.c knows it: of the enabled profile */
	char smsr_number[SMPP_ADDRESS_MAX + 1];      /* where its own SMS go; "": the default */
	struct timer timer;                          /* what it does next by itself */
	bool pausing;                                /* the timer is a pause before a retry: only a new trigger ends it */
	bool delayed;                                /* hook: its notification was delayed already */
	uint8_t ref;                                 /* of its next concatenated SMS */
	unsigned n_waiting;
	struct sms *waiting;     /* SMS on their way to it, oldest first */
	struct sms_parts *parts; /* of SMS that have not come whole */
	struct late *late;       /* SMS of it that the network has not brought to the SMSC yet (air.c) */
	struct session *session; /* the one that is open */
	struct goal *goal;       /* a session is wanted, once there is none open */
};

/* sim.c: opens what the configuration says. False: error says why; sim_close is due either way. */
bool sim_open(struct sim *sim, char error[SIM_ERROR]);
void sim_close(struct sim *sim);

/* Begins a line of the journal: event and eid. */
void sim_log(struct log_line *l, enum log_level level, const char *event, const struct holder *h);
bool hook_now(struct holder *h, enum hook_kind k, const char **out_argument);

/* fleet.c. */
struct fleet *fleet_new(struct sim *sim);
void fleet_free(struct fleet *f);
/* Takes the batch files that are not known yet; number of new cards. False: error names the first file that is wrong; good ones are
 * taken. */
bool fleet_load(struct fleet *f, size_t *out_new, char error[SIM_ERROR]);
size_t fleet_count(const struct fleet *f);
struct holder *fleet_at(const struct fleet *f, size_t i);
struct holder *fleet_by_eid(const struct fleet *f, const struct eid *eid); /* NULL: none */
struct holder *fleet_by_number(const struct fleet *f, const char *number); /* NULL: none */
/* The enabled profile may be another one now. */
void fleet_number(struct fleet *f, struct holder *h);

/* life.c. */
/* Makes the card's state durable: before anybody hears of it. False: it is not, was logged; nobody may hear of it then. */
bool life_save(struct holder *h);
void life_power(struct holder *h, bool on);
/* Its state cannot be kept: it acts as one without power until it is switched on again. */
void life_dead(struct holder *h);
/* A card of a file that was just read: it goes on when it had power. */
void life_begin(struct holder *h);
void life_coverage_lost(struct holder *h);
void life_triggered(struct holder *h, const struct ram_trigger *t);
/* Does what is due next, unless a session is open or the card pauses. */
void life_go_on(struct holder *h);
/* Again after ms, which only a trigger cuts short. */
void life_pause(struct holder *h, int64_t ms);
void life_attach(struct holder *h, int64_t in_ms);
/* After a script outside of a session, or after a session. */
void life_refresh(struct holder *h);
/* Ends what hangs on the card, without a word to anybody. */
void life_stop(struct holder *h);

/* session.c. */
enum session_kind { SESSION_TRIGGERED, SESSION_NOTIFICATION };
struct session_end {
	enum session_kind kind;
	bool ok;         /* ended by the SM-SR, in order */
	bool refresh;    /* a script asks for it */
	const char *why; /* not ok: for the log */
	const struct goal *goal;
	const char *path; /* of the first request */
};
/* path: with query. False: it does not come about, *out_why (static). */
bool session_open(struct holder *h, enum session_kind kind, const struct goal *goal, const char *path, const char **out_why);
/* The card has no power any more: nothing is sent and nobody is told. */
void session_cut(struct holder *h);
/* life.c: what follows a session; h->session is NULL by then. */
void life_session_ended(struct holder *h, const struct session_end *end);

/* script.c: executes a script for the ISD-R or an ISD-P that the card has, and saves the card. secured: version of the ISD-R's key set that it
 * came under, by SMS or in a session. False: the state is not durable, so that no
 * answer may be sent. */
bool script_run(struct holder *h, uint8_t secured, const struct aid *target, struct bytes body, struct buf *out_answer,
		bool *out_refresh);

/* notify.c. */
void notify_send(struct holder *h);
void notify_ended(struct holder *h, const struct session_end *end);
/* A script has run outside of a session: it may have confirmed. */
void notify_confirmed(struct holder *h);

/* targets.c: where the cards of an SM-SR (OID) go; kept beside the batch files, so that a restart knows. */
struct targets *targets_open(const struct sim_config *config, char error[SIM_ERROR]);
void targets_close(struct targets *t);
/* smsr: {OID: {"host", "port", "uri", "number"}}, number may be left out; added to what is known. False: error says what is wrong; nothing is changed. */
bool targets_take(struct targets *t, json_t *smsr, char error[SIM_ERROR]);
/* Where a card goes without a trigger; port 0: that is not known yet. */
void goal_default(const struct holder *h, struct goal *out);
/* Where its SMS go before it has received one; "": that is not known. */
const char *number_default(const struct holder *h);

/* sms.c. */
void sms_arrive(struct holder *h, const struct smpp_message *m, uint32_t id);
/* The card is attached: what waits is delivered. */
void sms_flush(struct holder *h);
void sms_free(struct holder *h);
/* Cuts a packet into SMS of the card and queues them. */
void sms_from_card(struct holder *h, bool por, struct bytes packet);

/* air.c: what the network does to SMS between card and SMSC. */
/* One to the card: lost (no other output is set then), twice, and how many ms late. */
bool air_takes(struct holder *h, bool *out_twice, int64_t *out_late_ms);
/* One from the card: to the SMSC, if and when it gets there. */
void air_send(struct holder *h, const struct smpp_message *m);
void air_free(struct holder *h);

/* smsc.c. */
struct smsc *smsc_open(struct sim *sim, char error[SIM_ERROR]);
void smsc_close(struct smsc *s);
uint16_t smsc_port(const struct smsc *s);
unsigned smsc_bound(const struct smsc *s);
/* Queues a message to the ESMEs that have its destination's number; it is sent until one has taken it. */
void smsc_queue(struct smsc *s, const struct smpp_message *m);
void smsc_receipt(struct smsc *s, const char *number, const char *to, uint32_t id, const char *state);

/* control.c. */
struct control *control_open(struct sim *sim, char error[SIM_ERROR]);
/* From the moment it is called no request reaches the loop any more. */
void control_close(struct control *c);

#endif
