/* SPDX-License-Identifier: Apache-2.0 */
/* A nats-server on loopback with tools/nats.conf.in and certificates of its own, for one test. */
#ifndef TESTS_UNIT_BUS_NATS_SERVER_H
#define TESTS_UNIT_BUS_NATS_SERVER_H

#include <nats/nats.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/bus/bus.h"

struct nats_server {
	char dir[64];
	char url[64], url_by_address[64]; /* the certificate holds the name, not the address */
	int port, monitor;
	pid_t pid; /* 0: stopped */
};

bool nats_server_installed(void);
/* Folder, ports and certificates; not started. */
struct nats_server nats_server_new(void);
/* sm_sr: the certificate name that is the sm-sr user. */
void nats_server_start(struct nats_server *s, const char *sm_sr);
void nats_server_stop(struct nats_server *s);
/* A listener on the server's port that takes connections and never says anything; close() ends it. */
int nats_server_silent(const struct nats_server *s);
void nats_server_free(struct nats_server *s);

/* Client credentials of that certificate; the texts live until the next call with the same slot. */
struct bus_spec nats_server_spec(const struct nats_server *s, int slot, const char *cert, const char *role, const char *replica);
/* A plain library connection, to look at things from outside. Any trouble fails the test. */
natsConnection *nats_server_connect(const struct nats_server *s, const char *cert);

#endif
