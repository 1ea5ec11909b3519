/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator as one object: all but arguments and signals. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/euicc-sim/sim.h"

static void file_closep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static bool ports_write(const struct sim *sim, const char *path)
{
	CLEANUP(file_closep) FILE *f = fopen(path, "we");

	return f && fprintf(f, "{\"smpp\":%u}\n", (unsigned)smsc_port(sim->smsc)) > 0 && fflush(f) == 0;
}

/* Whole or not at all: who waits for it reads it the moment it is there. */
static bool port_file_write(const struct sim *sim, char error[SIM_ERROR])
{
	CLEANUP(buf_free) struct buf other = { 0 };

	if (!*sim->config->port_file)
		return true;
	buf_printf(&other, "%s.new", sim->config->port_file);
	if (ports_write(sim, other.data) && rename(other.data, sim->config->port_file) == 0)
		return true;
	(void)snprintf(error, SIM_ERROR, "%s cannot be written: %s (RSP_SIM_PORT_FILE)", sim->config->port_file, strerror(errno));
	(void)unlink(other.data);
	return false;
}

bool sim_open(struct sim *sim, char error[SIM_ERROR])
{
	size_t n;

	sim->loop = loop_new();
	if (!sim->loop) {
		(void)snprintf(error, SIM_ERROR, "epoll: %s", strerror(errno));
		return false;
	}
	sim->hooks = hooks_new();
	sim->targets = targets_open(sim->config, error);
	if (!sim->targets)
		return false;
	sim->fleet = fleet_new(sim);
	if (!fleet_load(sim->fleet, &n, error))
		return false;
	sim->smsc = smsc_open(sim, error);
	if (!sim->smsc)
		return false;
	if (*sim->config->control_socket) {
		sim->control = control_open(sim, error);
		if (!sim->control)
			return false;
	}
	return port_file_write(sim, error);
}

void sim_close(struct sim *sim)
{
	if (*sim->config->port_file)
		(void)unlink(sim->config->port_file);
	control_close(sim->control);
	fleet_free(sim->fleet);
	smsc_close(sim->smsc);
	targets_close(sim->targets);
	hooks_free(sim->hooks);
	loop_free(sim->loop);
}
