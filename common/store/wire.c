/* SPDX-License-Identifier: Apache-2.0 */
/* Moving a pipeline over a non-blocking connection, and what an error of libpq says. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/store_internal.h"

void *grown(void *array, size_t *cap, size_t need, size_t size)
{
	size_t more = *cap ? *cap : 16;
	void *p;

	if (need <= *cap)
		return array;
	while (more < need)
		more *= 2;
	p = reallocarray(array, more, size);
	if (!p)
		abort();
	*cap = more;
	return p;
}

void one_line(const char *message, char out[CAUSE_MAX])
{
	size_t n = 0;

	for (const char *p = message ? message : ""; *p && n + 1 < CAUSE_MAX; p++) {
		bool space = *p == '\n' || *p == '\t' || *p == ' ';

		if (space && (n == 0 || out[n - 1] == ' '))
			continue;
		out[n++] = space ? ' ' : *p;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

void outcome_lost(struct outcome *o, const char *cause)
{
	if (!o->failed)
		one_line(cause, o->cause);
	o->failed = true;
	o->lost = true;
}

void outcome_error(struct outcome *o, const char *statement, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
	char text[CAUSE_MAX];

	if (o->failed)
		return;
	o->failed = true;
	/* Never the detail: it repeats row values. */
	one_line(primary ? primary : PQresultErrorMessage(res), text);
	snprintf(o->cause, sizeof(o->cause), "statement %s: %s%s%s", statement, state ? state : "", state ? " " : "", text);
	snprintf(o->sqlstate, sizeof(o->sqlstate), "%s", state ? state : "");
	snprintf(o->constraint, sizeof(o->constraint), "%s", constraint ? constraint : "");
}

bool conn_wait(PGconn *conn, short events, int timeout_ms)
{
	struct pollfd p = { .fd = PQsocket(conn), .events = events };
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

bool conn_flush(PGconn *conn, struct outcome *o)
{
	int left;

	while ((left = PQflush(conn)) > 0) {
		if (!conn_wait(conn, POLLIN | POLLOUT, IO_WAIT_MS)) {
			outcome_lost(o, "the database took no data for 10 s");
			return false;
		}
		/* The server may be unable to read because nobody reads its answers. */
		if (!PQconsumeInput(conn)) {
			outcome_lost(o, PQerrorMessage(conn));
			return false;
		}
	}
	if (left < 0)
		outcome_lost(o, PQerrorMessage(conn));
	return left == 0;
}

PGresult *conn_result(PGconn *conn, struct outcome *o)
{
	while (PQisBusy(conn)) {
		if (!conn_wait(conn, POLLIN, IO_WAIT_MS)) {
			outcome_lost(o, "the database did not answer within 10 s");
			return NULL;
		}
		/* A failure is found in the next result, together with what the server said before it went. */
		if (!PQconsumeInput(conn))
			break;
	}
	return PQgetResult(conn);
}
