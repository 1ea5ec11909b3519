/* SPDX-License-Identifier: Apache-2.0 */
/* What control.c and control_card.c share. */
#ifndef EUICC_SIM_CONTROL_H
#define EUICC_SIM_CONTROL_H

#include "common/app/json_in.h"
#include "services/euicc-sim/sim.h"

struct control_route;

/* One request: made by a thread of the listener, which waits; filled by the loop's thread. */
struct control_job {
	struct sim *sim;
	const struct control_route *route;
	const struct http_call *call;
	const json_t *body; /* NULL: none */
	int done_fd;
	unsigned status;
	const char *code;   /* NULL: out is the answer */
	char message[SIM_ERROR];
	struct buf out;     /* JSON */
};
struct control_route {
	const char *method, *path;
	bool has_body;
	void (*handle)(struct control_job *job);
};

void control_fail(struct control_job *job, unsigned status, const char *code, const char *fmt, ...) PRINTF(4, 5);

/* control_card.c */
void control_cards(struct control_job *job);
void control_power(struct control_job *job);
void control_hooks(struct control_job *job);
void control_hook_arm(struct control_job *job);
void control_hook_clear(struct control_job *job);
void control_coverage(struct control_job *job);
void control_number(struct control_job *job);
void control_load(struct control_job *job);
void control_stats(struct control_job *job);
void control_health(struct control_job *job);

#endif
