/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator, an SM-SR of cards' needs and an ESME, all but the SM-SR's listener on the test's thread: libsmpp34 allows one. */
#ifndef TESTS_SIM_FIXTURE_H
#define TESTS_SIM_FIXTURE_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/http/server.h"
#include "services/euicc-sim/sim.h"

enum { SIM_CARDS = 2, NOTES_MAX = 32 };

/* What the SM-SR of the test does and saw. */
struct fake_smsr {
	struct http_server *server;
	pthread_mutex_t lock;
	bool confirms[8];         /* notifications of this type */
	struct buf script;        /* C-APDU to send in the next triggered session; empty: none */
	const char *target;       /* X-Admin-Targeted-Application of it; NULL: the ISD-R */
	char status[40];          /* X-Admin-Script-Status of the newest answer */
	uint8_t notes[NOTES_MAX]; /* types, in the order they came */
	unsigned n_notes, n_answers, n_chunked;
	uint16_t last_sw; /* of the newest answer's last result */
};

struct fake_esme {
	struct smpp_session *session;
	unsigned n_por, n_receipts, n_answered;
	uint32_t status;          /* of the newest submit_sm_resp */
	char id[SMPP_ID_MAX + 1]; /* its message id */
	char receipt_id[SMPP_ID_MAX + 1], receipt_state[8];
	struct buf packet; /* of the newest PoR or SMS of a card, behind the UDH */
	char from[SMPP_ADDRESS_MAX + 1];
	const char *number; /* whose it is: all that comes must be for it */
};

struct sim_test {
	char folder[64];
	struct sim_config config;
	struct sim sim;
	struct fake_smsr smsr;
	struct fake_esme esme, other;
	uint64_t counter;
};

/* http: what the cards can. Change config, then sim_test_start. */
void sim_test_make(struct sim_test *t, bool http);
void sim_test_start(struct sim_test *t);
/* As a restart of the process: what is not in files is gone. */
void sim_test_restart(struct sim_test *t);
void sim_test_end(struct sim_test *t);
/* Runs the loop until it holds. False: it does not within 10 s. */
bool sim_test_until(struct sim_test *t, bool (*holds)(struct sim_test *t));
/* Runs it for a while. */
void sim_test_for(struct sim_test *t, int64_t ms);
struct holder *sim_test_card(struct sim_test *t, size_t i);
/* Binds the ESME and waits for it. */
void sim_test_bind(struct sim_test *t, const char *password);
/* The same of the other ESME, whose number that is. */
void sim_test_bind_other(struct sim_test *t, const char *system_id, const char *password, const char *number);
/* Has an ESME send one SMS from its number; the card may make of it what it likes. */
void sim_test_sms(struct fake_esme *e, const char *to);
/* A file beside the batches, mode 0600, with this text. */
void sim_test_file(const struct sim_test *t, const char *name, const char *text, char path[128]);
/* Secures data with card 0's keys and the next counter and submits it, in as many SMS as it takes, the last one first. */
void sim_test_submit(struct sim_test *t, const char *number, struct bytes data);
void sim_test_trigger(struct sim_test *t);
/* What the newest PoR says. */
bool sim_test_por(struct sim_test *t, struct arena *a, struct scp80_por *out);

#endif
