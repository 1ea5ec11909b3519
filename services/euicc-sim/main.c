/* SPDX-License-Identifier: Apache-2.0 */
/* euicc-sim: the cards of the EUM's batches, and the SMSC that reaches them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/app/alone.h"
#include "services/euicc-sim/sim.h"

static const struct config_row rows[] = {
#define CONFIG(key, type, member, def, text) { key, CONFIG_##type, offsetof(struct sim_config, member), def, text },
#include "services/euicc-sim/config.def"
#undef CONFIG
	{ 0 },
};

static unsigned check(const void *config, struct buf *errors)
{
	const struct sim_config *c = config;
	struct in6_addr any;
	unsigned faults = 0;

	if (strcmp(c->receipt_ids, "dec") != 0 && strcmp(c->receipt_ids, "hex") != 0 && strcmp(c->receipt_ids, "same") != 0) {
		buf_printf(errors, "RSP_SIM_RECEIPT_IDS: '%s' is no spelling; give dec, hex or same\n", c->receipt_ids);
		faults++;
	}
	if (inet_pton(AF_INET, c->smsr_host, &any) != 1 && inet_pton(AF_INET6, c->smsr_host, &any) != 1) {
		buf_printf(errors, "RSP_SIM_SMSR_HOST: '%s' is no address; give a numeric one, since cards ask no name server\n",
			   c->smsr_host);
		faults++;
	}
	if (c->smsr_uri[0] != '/' || strlen(c->smsr_uri) > URI_MAX) {
		buf_printf(errors, "RSP_SIM_SMSR_URI: should begin with / and have at most %d characters\n", URI_MAX);
		faults++;
	}
	if (strlen(c->smsr_number) > SMPP_ADDRESS_MAX) {
		buf_printf(errors, "RSP_SIM_SMSR_NUMBER: has more than %d characters\n", SMPP_ADDRESS_MAX);
		faults++;
	}
	return faults;
}

struct ending {
	struct watch watch;
	struct loop *loop;
};

static void end_now(struct watch *w, uint32_t events)
{
	(void)events;
	loop_end(OWNER(w, struct ending, watch)->loop);
}

/* Cards keep their state at each step: there is nothing to drain. */
static int run_loop(struct sim *sim, int end_fd)
{
	struct ending ending = { .watch.ready = end_now, .loop = sim->loop };
	int rc = -EIO;

	if (loop_watch(sim->loop, &ending.watch, end_fd, EPOLLIN)) {
		log_msg(LOG_INFO, "ready", "%zu cards, SMPP port %u", fleet_count(sim->fleet), (unsigned)smsc_port(sim->smsc));
		rc = loop_run(sim->loop);
	}
	if (rc < 0)
		log_msg(LOG_ERROR, "ended", "the loop failed: %s", strerror(-rc));
	else
		log_msg(LOG_INFO, "ended", "a signal came");
	return rc < 0 ? 1 : 0;
}

static int run(const void *config, int end_fd)
{
	struct sim sim = { .config = config };
	char error[SIM_ERROR] = "";
	int rc = 1;

	if (sim_open(&sim, error))
		rc = run_loop(&sim, end_fd);
	else
		(void)fprintf(stderr, "euicc-sim: cannot start: %s\n", error);
	sim_close(&sim);
	return rc;
}

int main(int argc, char **argv)
{
	const struct alone_spec spec = { .name = "euicc-sim",
					 .env_prefix = "RSP_SIM_",
					 .config = rows,
					 .config_size = sizeof(struct sim_config),
					 .log_level = offsetof(struct sim_config, log_level),
					 .check = check,
					 .run = run };

	return alone_run(&spec, argc, argv);
}
