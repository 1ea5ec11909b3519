/* SPDX-License-Identifier: Apache-2.0 */
/* The main of a process that stands alone: it has no partners, database or bus, but is configured, asked and ended as those of app.h. */
#ifndef APP_ALONE_H
#define APP_ALONE_H

#include "common/app/config.h"

struct alone_spec {
	const char *name;                /* "euicc-sim" */
	const char *env_prefix;          /* "RSP_SIM_" */
	const struct config_row *config; /* ends with key NULL */
	size_t config_size;
	size_t log_level;                /* offset of its LOG_LEVEL, a const char * */
	/* What a single row cannot say; number of faults. May be NULL. */
	unsigned (*check)(const void *config, struct buf *errors);
	/* Runs until end_fd can be read: SIGTERM or SIGINT came (a second one kills). 0, or 1 after a start that failed and was told on stderr. */
	int (*run)(const void *config, int end_fd);
};

/* The value is main's: as app_run's. */
int alone_run(const struct alone_spec *spec, int argc, char **argv);

#endif
