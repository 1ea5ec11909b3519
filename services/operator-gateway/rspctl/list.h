/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of cards (CSV), and orders for each. */
#ifndef RSPCTL_LIST_H
#define RSPCTL_LIST_H

#include "services/operator-gateway/rspctl/rspctl.h"

/* A line: EID[,one thing more]. */
struct list_row {
	unsigned line;
	struct eid eid;
	const char *which; /* NULL: nothing */
};
/* False: error says which line and what it should be. Blank lines, and a first one that begins with "eid", are left out. Lives in a. */
bool list_parse(struct arena *a, const char *text, struct list_row **out, size_t *out_n, char error[256]);
/* The lines of a file, one at least. EXIT_OK, or said. */
int list_read(struct ctl *c, const char *file, struct list_row **out, size_t *out_n);
void list_error(json_t *row, const char *code, const char *message);
/* Into the row of the report: the operation, or why there is none. EXIT_OK, EXIT_REFUSED, or the code that nothing more is to be tried with. */
int list_place(struct ctl *c, const char *path, const json_t *body, json_t *row);

#endif
