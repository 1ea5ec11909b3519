/* SPDX-License-Identifier: Apache-2.0 */
/* Who may bind at the SMSC, and whose number is which: what cards send goes to the one that has the number. */
#ifndef EUICC_SIM_ACCOUNTS_H
#define EUICC_SIM_ACCOUNTS_H

#include "services/euicc-sim/sim.h"

enum { ACCOUNTS_MAX = 8 };
struct accounts;

/* The one of the settings, which is the first, and those of RSP_SIM_SMPP_ACCOUNTS_FILE. NULL: error says what is wrong with which file. */
struct accounts *accounts_open(const struct sim_config *config, char error[SIM_ERROR]);
void accounts_close(struct accounts *a); /* NULL allowed */
size_t accounts_count(const struct accounts *a);
/* False: nobody has this system id and password. */
bool accounts_bind(const struct accounts *a, const char *system_id, const char *password, size_t *out);
/* Whose the number is; nobody else's is the first's. */
size_t accounts_of_number(const struct accounts *a, const char *number);

#endif
