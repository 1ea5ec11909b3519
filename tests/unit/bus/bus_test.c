/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "nats_server.h"

/* Whoever waited for the bus would wait at least 2 s (a connect) or 5 s (a publish); a busy machine may take long for nothing. */
enum { NO_WAIT_MS = 1500, SOON_MS = 15000 };

#define EID "89001012012341234012345678901224"

static struct bus *opened(const struct bus_spec *spec)
{
	char error[256] = "";
	struct bus *b = bus_open(spec, error);

	cr_assert(b, "%s", error);
	return b;
}

static bool becomes(const struct bus *b, bool connected, int64_t within_ms)
{
	int64_t until = clock_ms() + within_ms;

	while (bus_connected(b) != connected && clock_ms() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	return bus_connected(b) == connected;
}

static bool publish(struct bus *b, const char *id)
{
	return bus_publish(b, "eis.changed", EID, id, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "{}", 2, 5000);
}

static uint64_t stream_messages(natsConnection *nc)
{
	jsStreamInfo *info = NULL;
	jsCtx *js = NULL;
	jsErrCode code = 0;
	uint64_t n;

	cr_assert_eq(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	cr_assert_eq(js_GetStreamInfo(&info, js, "RSP_A", NULL, &code), NATS_OK, "error %d", (int)code);
	cr_assert_eq(info->Config->SubjectsLen, 1);
	cr_assert_str_eq(info->Config->Subjects[0], "ev.a.>");
	cr_assert_eq(info->Config->MaxAge, INT64_C(7) * 24 * 3600 * 1000000000);
	cr_assert_eq(info->Config->Storage, js_FileStorage);
	n = info->State.Msgs;
	jsStreamInfo_Destroy(info);
	jsCtx_Destroy(js);
	return n;
}

static void last_message_is_ours(natsConnection *nc)
{
	const char *value = NULL;
	natsMsg *msg = NULL;
	jsCtx *js = NULL;

	cr_assert_eq(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	cr_assert_eq(js_GetLastMsg(&msg, js, "RSP_A", "ev.a.>", NULL, NULL), NATS_OK);
	cr_assert_str_eq(natsMsg_GetSubject(msg), "ev.a.sm-sr.eis.changed." EID);
	cr_assert_eq(natsMsgHeader_Get(msg, "traceparent", &value), NATS_OK);
	cr_assert_str_eq(value, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	cr_assert_eq(natsMsgHeader_Get(msg, "Nats-Msg-Id", &value), NATS_OK);
	cr_assert_str_eq(value, "id-1");
	cr_assert_eq(memcmp(natsMsg_GetData(msg), "{}", 2), 0);
	natsMsg_Destroy(msg);
	jsCtx_Destroy(js);
}

static void many(struct bus *b, natsConnection *nc)
{
	enum { N = 200, BAD = 7 };
	struct bus_event events[N];
	char ids[N][16];
	bool acked[N];
	uint64_t before = stream_messages(nc);

	for (int i = 0; i < N; i++) {
		snprintf(ids[i], sizeof(ids[i]), "many-%d", i);
		events[i] = (struct bus_event){ "profile.enabled", i == BAD ? "*" : EID, ids[i], NULL, "{}", 2 };
	}
	bus_publish_many(b, events, N, 10000, acked);
	for (int i = 0; i < N; i++)
		cr_assert_eq(acked[i], i != BAD, "event %d", i);
	cr_assert_eq(stream_messages(nc), before + N - 1);
}

/* The stream is looked up again when it does not answer: one event may fail, its repetition does not. */
static void deleted_stream(struct bus *b, natsConnection *nc)
{
	jsCtx *js = NULL;
	bool done = false;

	cr_assert_eq(natsConnection_JetStream(&js, nc, NULL), NATS_OK);
	cr_assert_eq(js_DeleteStream(js, "RSP_A", NULL, NULL), NATS_OK);
	for (int i = 0; i < 3 && !done; i++)
		done = publish(b, "after-deletion");
	cr_assert(done);
	cr_assert_eq(stream_messages(nc), 1);
	jsCtx_Destroy(js);
}

Test(bus_publish, is_acknowledged_by_the_stream)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	nats_server_start(&s, "sm-sr");
	struct bus_spec spec = nats_server_spec(&s, 0, "sm-sr", "sm-sr", "r1");
	struct bus *b = opened(&spec);
	natsConnection *nc = nats_server_connect(&s, "admin");

	cr_assert(becomes(b, true, SOON_MS));
	cr_assert(publish(b, "id-1"));
	last_message_is_ours(nc);
	cr_assert(publish(b, "id-1"), "a repetition is acknowledged");
	cr_assert_eq(stream_messages(nc), 1, "and dropped");
	many(b, nc);
	deleted_stream(b, nc);
	natsConnection_Destroy(nc);
	bus_close(b);
	nats_server_free(&s);
}

/* SM_SR is another certificate first: the library gives up after two refusals, we do not. */
static void refused_then_accepted(struct nats_server *s, struct bus *b)
{
	nats_server_start(s, "somebody-else");
	cr_assert(!becomes(b, true, 1500));
	cr_assert(!publish(b, "refused"));
	nats_server_stop(s);
	nats_server_start(s, "sm-sr");
	cr_assert(becomes(b, true, SOON_MS));
}

Test(bus_open, needs_no_server)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	struct bus_spec spec = nats_server_spec(&s, 0, "sm-sr", "sm-sr", "r1");
	int silent = nats_server_silent(&s); /* takes connections and never answers */
	int64_t began, took;
	struct bus *b = NULL;

	/* A machine that is busy may be slow once; what waits is slow each time. */
	for (int tries = 0; tries == 0 || (took >= NO_WAIT_MS && tries < 3); tries++) {
		bus_close(b);
		began = clock_ms();
		b = opened(&spec);
		cr_assert(!publish(b, "early") && !bus_connected(b));
		bus_wake(b, "r1", "nobody hears");
		took = clock_ms() - began;
	}
	cr_assert(took < NO_WAIT_MS, "nothing waits for the bus");
	close(silent);
	refused_then_accepted(&s, b);
	cr_assert(publish(b, "late"));
	nats_server_stop(&s);
	cr_assert(becomes(b, false, SOON_MS));
	took = NO_WAIT_MS;
	for (int tries = 0; took >= NO_WAIT_MS && tries < 3; tries++) {
		began = clock_ms();
		cr_assert(!publish(b, "gone"));
		took = clock_ms() - began;
	}
	cr_assert(took < NO_WAIT_MS, "nor for one that was there");
	nats_server_start(&s, "sm-sr");
	cr_assert(becomes(b, true, SOON_MS));
	cr_assert(publish(b, "gone"));
	bus_close(b);
	nats_server_free(&s);
}

static atomic_int rings, connects;
static char ring_text[32];

static void on_wake(void *ctx, const char *payload, size_t n)
{
	cr_expect_eq(ctx, &rings);
	if (!n) {
		atomic_fetch_add(&connects, 1);
		return;
	}
	memcpy(ring_text, payload, n < sizeof(ring_text) ? n : sizeof(ring_text) - 1);
	atomic_fetch_add(&rings, 1);
}

static void bell_rings(const struct nats_server *s, struct bus *ringer)
{
	struct bus_spec spec = nats_server_spec(s, 3, "sm-sr", "sm-sr", "r1");
	struct bus *b;

	spec.wake = on_wake;
	spec.ctx = &rings;
	b = opened(&spec);
	cr_assert(becomes(b, true, SOON_MS) && becomes(ringer, true, SOON_MS));
	for (int i = 0; i < 500 && atomic_load(&connects) == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	cr_assert_eq(atomic_load(&connects), 1, "it is said that the bus is there");
	for (int i = 0; i < 500 && atomic_load(&rings) == 0; i++) {
		bus_wake(ringer, "r2", "another one's");
		bus_wake(ringer, "r1", EID);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	cr_assert(atomic_load(&rings) > 0);
	cr_assert_eq(strncmp(ring_text, EID, sizeof(ring_text) - 1), 0);
	bus_close(b);
	b = NULL;
	int heard = atomic_load(&rings);
	bus_wake(ringer, "r1", EID);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	cr_assert_eq(atomic_load(&rings), heard, "silent after close");
}

static bool request_arrives(natsConnection *from, natsSubscription *at, int within_ms)
{
	natsMsg *msg = NULL;
	bool arrived;

	cr_assert_eq(natsConnection_PublishString(from, "rq.a.sm-sr.export", "x"), NATS_OK);
	natsConnection_Flush(from);
	arrived = natsSubscription_NextMsg(&msg, at, within_ms) == NATS_OK;
	natsMsg_Destroy(msg);
	return arrived;
}

/* Roles that are no SM-SR: they can neither ask, nor hear what is asked, nor answer it to who waits. */
static void keeps_out(const struct nats_server *s, const char *role, natsSubscription *at, natsSubscription *inbox)
{
	natsConnection *nc = nats_server_connect(s, role);
	natsSubscription *spy = NULL, *inbox_spy = NULL;
	natsMsg *msg = NULL;

	cr_assert_eq(natsConnection_SubscribeSync(&spy, nc, "rq.a.>"), NATS_OK);
	cr_assert_eq(natsConnection_QueueSubscribeSync(&inbox_spy, nc, "rq.a.sm-sr.>", "sm-sr"), NATS_OK);
	cr_assert_eq(natsConnection_Flush(nc), NATS_OK);
	cr_assert(!request_arrives(nc, at, 300), "%s's user cannot publish rq.*", role);
	cr_assert_eq(natsConnection_PublishString(nc, "_INBOX.sm-sr-handover.x.rq.1", "forged"), NATS_OK);
	cr_assert_eq(natsConnection_Flush(nc), NATS_OK);
	cr_assert_neq(natsSubscription_NextMsg(&msg, inbox, 300), NATS_OK, "nor answer as %s", role);
	cr_assert_neq(natsSubscription_NextMsg(&msg, spy, 50), NATS_OK, "nor hear it as %s", role);
	cr_assert_neq(natsSubscription_NextMsg(&msg, inbox_spy, 50), NATS_OK, "nor take it as %s", role);
	natsSubscription_Destroy(spy);
	natsSubscription_Destroy(inbox_spy);
	natsConnection_Destroy(nc);
}

static void requests_are_for_two(const struct nats_server *s)
{
	static const char *const others[] = { "sm-dp", "eum", "operator-gateway" };
	natsConnection *sm_sr = nats_server_connect(s, "sm-sr"), *handover = nats_server_connect(s, "sm-sr-handover");
	natsSubscription *sub = NULL, *inbox = NULL;

	cr_assert_eq(natsConnection_SubscribeSync(&sub, sm_sr, "rq.a.sm-sr.>"), NATS_OK);
	cr_assert_eq(natsConnection_SubscribeSync(&inbox, handover, "_INBOX.sm-sr-handover.>"), NATS_OK);
	natsConnection_Flush(sm_sr);
	natsConnection_Flush(handover);
	cr_assert(request_arrives(handover, sub, SOON_MS));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		keeps_out(s, others[i], sub, inbox);
		cr_assert(request_arrives(handover, sub, SOON_MS));
	}
	natsSubscription_Destroy(sub);
	natsSubscription_Destroy(inbox);
	natsConnection_Destroy(sm_sr);
	natsConnection_Destroy(handover);
}

Test(bus_identity, is_the_certificate)
{
	if (!nats_server_installed())
		cr_skip_test("nats-server is not installed");
	struct nats_server s = nats_server_new();
	nats_server_start(&s, "sm-sr");
	struct bus_spec specs[] = {
		nats_server_spec(&s, 0, "sm-dp", "sm-dp", "d1"),
		nats_server_spec(&s, 1, "sm-dp", "sm-sr", "d2"), /* says that it is sm-sr */
		nats_server_spec(&s, 2, "sm-sr", "sm-sr", "r3"),
	};
	char other[128];
	struct bus *dp = opened(&specs[0]), *liar = opened(&specs[1]), *by_address, *foreign;

	specs[2].url = s.url_by_address;
	by_address = opened(&specs[2]);
	snprintf(other, sizeof(other), "%s/other.pem", s.dir);
	specs[2].url = s.url;
	specs[2].trust_file = other;
	foreign = opened(&specs[2]);
	cr_assert(becomes(dp, true, SOON_MS) && becomes(liar, true, SOON_MS));
	cr_assert(publish(dp, "dp-1"));
	cr_assert(!bus_publish(liar, "eis.changed", EID, "lie", NULL, "{}", 2, 500));
	requests_are_for_two(&s);
	bell_rings(&s, dp);
	cr_assert(!becomes(by_address, true, 500), "the server's certificate is for another name");
	cr_assert(!becomes(foreign, true, 10), "the server's authority is not trusted");
	bus_close(by_address);
	bus_close(foreign);
	bus_close(liar);
	bus_close(dp);
	nats_server_free(&s);
}

Test(bus_open, refuses_a_wrong_configuration)
{
	const struct bus_spec good = { .url = "", .domain = "a", .role = "sm-sr", .replica = "r1" };
	const struct bus_spec bad[] = {
		{ .domain = "a.b", .role = "sm-sr" },
		{ .domain = "a", .role = "sm sr" },
		{ .domain = "*", .role = "sm-sr" },
		{ .domain = "a", .role = "sm-sr", .replica = "r.>", .wake = on_wake },
		{ .url = "http://localhost", .domain = "a", .role = "sm-sr" },
		{ .url = "tls://localhost:1", .domain = "a", .role = "sm-sr" },
		{ .url = "tls://localhost:1",
		  .domain = "a",
		  .role = "sm-sr",
		  .cert_file = "/nowhere",
		  .key_file = "/nowhere",
		  .trust_file = "/nowhere" },
	};
	char error[256];
	struct bus *b = bus_open(&good, error);

	cr_assert(b && !bus_connected(b) && !publish(b, "x"), "no bus is a bus that is never there");
	bus_wake(b, "r1", "x");
	bus_close(b);
	bus_close(NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		cr_assert_null(bus_open(&bad[i], error));
		cr_assert(error[0], "row %zu says why", i);
	}
}
