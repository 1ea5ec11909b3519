/* SPDX-License-Identifier: Apache-2.0 */
/* What supervisors ask: is it alive, may it have traffic, how is it doing. */
#include <string.h>

#include "common/app/app_internal.h"
#include "common/base/metrics.h"
#include "common/store/statements.h"

#define PEER "peer:" /* lanes of the outbox that are partners; the other one is the bus */
enum { PEERS_MAX = 200 };

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void healthz(struct app *app, struct http_call *call)
{
	http_reply(call, 200, "text/plain", "ok\n", 3);
}

/* The bus does not count: events wait in the outbox, and SOAP goes on (decisions.md B2). */
static void readyz(struct app *app, struct http_call *call)
{
	struct process *p = (struct process *)app;
	CLEANUP(buf_free) struct buf b = { 0 };
	bool listening = atomic_load(&p->listening), draining = app->draining;
	bool database = listening && !draining && store_ping(app_db(call));
	bool ready = listening && database && !draining;

	buf_printf(&b, "{\"ready\":%s,\"listening\":%s,\"draining\":%s,", yes(ready), yes(listening), yes(draining));
	if (listening && !draining)
		buf_printf(&b, "\"database\":%s,", yes(database));
	buf_printf(&b, "\"bus_configured\":%s,\"bus\":%s}\n", yes(app->rpc.bus), yes(app->rpc.bus && bus_connected(app->rpc.bus)));
	app_json(call, ready ? 200 : 503, b.data);
}

static void gauge(struct buf *b, const char *name, const char *labels, int64_t value)
{
	buf_printf(b, "# TYPE %s gauge\n%s%s %lld\n", name, name, labels, (long long)value);
}

/* One series per partner that has rows: of our registry, so that nobody outside makes labels. */
static void peer_gauges(struct buf *b, const char *name, const struct rows *rows, unsigned col)
{
	unsigned n = 0;

	buf_printf(b, "# TYPE %s gauge\n", name);
	for (size_t i = 0; i < rows_count(rows) && n < PEERS_MAX; i++) {
		const char *lane = row_text(rows, i, 0);

		if (strncmp(lane, PEER, strlen(PEER)) != 0)
			continue;
		buf_printf(b, "%s{peer=\"%s\"} %lld\n", name, lane + strlen(PEER), (long long)row_int(rows, i, col));
		n++;
	}
}

/* Left out when the database is away: an old number would be a lie. */
static void outbox_gauges(struct http_call *call, struct buf *b)
{
	int64_t waiting = 0, bus = 0, dead = 0, oldest = 0;
	struct db *db = app_db(call);
	const struct rows *rows = NULL;

	DB_QUEUE0(db, RPC_OUTBOX_STATS);
	if (db_sync(db, app_arena(call), &rows, 1, NULL) != OK)
		return;
	for (size_t i = 0; i < rows_count(rows); i++) {
		waiting += row_int(rows, i, 1);
		bus += strncmp(row_text(rows, i, 0), PEER, strlen(PEER)) != 0 ? row_int(rows, i, 1) : 0;
		dead += row_int(rows, i, 2);
		oldest = row_int(rows, i, 3) > oldest ? row_int(rows, i, 3) : oldest;
	}
	gauge(b, "rsp_outbox_rows", "", waiting);
	gauge(b, "rsp_outbox_bus_rows", "", bus);
	gauge(b, "rsp_outbox_dead", "", dead);
	gauge(b, "rsp_outbox_oldest_seconds", "", oldest);
	peer_gauges(b, "rsp_outbox_peer_rows", rows, 1);
	peer_gauges(b, "rsp_outbox_peer_dead", rows, 2);
	peer_gauges(b, "rsp_outbox_peer_oldest_seconds", rows, 3);
}

/* What this process has paused; others do so by themselves. */
static void pause_gauges(const struct app *app, struct http_call *call, struct buf *b)
{
	struct outbox_pause *pauses;
	size_t n = outbox_pauses(app->rpc.outbox, app_arena(call), &pauses);

	buf_str(b, "# TYPE rsp_peer_paused gauge\n");
	for (size_t i = 0; i < n; i++)
		if (!strncmp(pauses[i].lane, PEER, strlen(PEER)))
			buf_printf(b, "rsp_peer_paused{peer=\"%s\"} 1\n", pauses[i].lane + strlen(PEER));
}

static void parked_gauges(struct process *p, struct buf *b)
{
	const struct app *app = &p->app;

	buf_str(b, "# TYPE rsp_http_parked gauge\n");
	pthread_mutex_lock(&p->lock);
	if (app->partner)
		buf_printf(b, "rsp_http_parked{listener=\"partner\"} %u\n", http_parked(app->partner));
	if (app->northbound)
		buf_printf(b, "rsp_http_parked{listener=\"northbound\"} %u\n", http_parked(app->northbound));
	if (app->extra)
		buf_printf(b, "rsp_http_parked{listener=\"%s\"} %u\n", app->spec->extra_name, http_parked(app->extra));
	pthread_mutex_unlock(&p->lock);
}

static void metrics(struct app *app, struct http_call *call)
{
	CLEANUP(buf_free) struct buf b = { 0 };

	metrics_write(&b);
	buf_printf(&b, "# TYPE rsp_build_info gauge\nrsp_build_info{role=\"%s\",version=\"%s\"} 1\n", app->spec->name, app_version);
	if (app->rpc.bus)
		gauge(&b, "rsp_bus_connected", "", bus_connected(app->rpc.bus));
	outbox_gauges(call, &b);
	pause_gauges(app, call, &b);
	parked_gauges((struct process *)app, &b);
	http_reply(call, 200, "text/plain; version=0.0.4; charset=utf-8", b.data, b.len);
}

static const struct route routes[] = {
	{ "GET", "/healthz", healthz },
	{ "GET", "/readyz", readyz },
	{ "GET", "/metrics", metrics },
	{ NULL },
};

void management_handle(void *ctx, struct http_call *call)
{
	const struct route *const table = routes;

	route_call(ctx, call, &table, 1);
}
