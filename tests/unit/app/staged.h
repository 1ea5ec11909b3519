/* SPDX-License-Identifier: Apache-2.0 */
/* A process of a tiny role, run for real: certificates, database, listeners, signals. */
#ifndef TESTS_UNIT_APP_STAGED_H
#define TESTS_UNIT_APP_STAGED_H

#include <stdint.h>

#include "common/app/app.h"
#include "tests/unit/http/pki.h"
#include "tests/unit/store/cluster.h"

struct staged {
	struct cluster cluster;
	struct pki pki;
	char dir[32]; /* socket, port file, journal, standard error */
	char variables[24][192];
	unsigned n_variables;
	pid_t pid;                                /* 0: not running */
	uint16_t partner, management, northbound, extra; /* after staged_wait; 0: none */
};

void staged_open(struct staged *s);
void staged_close(struct staged *s);
/* A variable, without prefix; replaces an earlier one. */
void staged_set(struct staged *s, const char *key, const char *value);
/* Starts the process in a child with these arguments (after the name, ending with NULL). */
void staged_start(struct staged *s, const struct app_spec *spec, const char *const *args);
/* Until the port file is there. */
void staged_wait(struct staged *s);
/* Sends the signal (0: none) and waits for the end. The exit code; 128 + signal when a signal ended it. */
int staged_end(struct staged *s, int signal_number);
/* What the process wrote to standard error; NUL-terminated, static. */
const char *staged_words(struct staged *s);
char *staged_path(struct staged *s, const char *name);

/* One call; path and body as text; the answer's body (static) and status. socket_path NULL: 127.0.0.1:port. */
const char *ask(const char *socket_path, uint16_t port, const char *method, const char *path, const char *body,
		unsigned *out_status);

#endif
