/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to us unasked: answers of calls of ours by callback (A3), and notifications, some of them twice (A7). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/rpc/partner.h"

#define NOTIFICATION_ACTION "http://gsma.com/ES4/PlatformManagement/ES4-HandleProfileEnabledNotification"
#define CALLBACK_ACTION "http://gsma.com/ES4/PlatformManagementCallBack/ES4-EnableProfile"

static struct partner p;
static unsigned ran, committed;
static enum callback_verdict verdict;
static enum code fails; /* 0: no failure */
static char correlation[64];

static result taken(struct rq *rq, const void *in, enum callback_verdict *out)
{
	const struct card_rs *rs = in;

	ran++;
	(void)strncpy(correlation, rq->correlation, sizeof(correlation) - 1);
	cr_expect_eq(rs->base.status.status, STATUS_SUCCESS);
	if (fails)
		return failed(rq->arena, fails, NULL, NULL);
	rq_event(rq, "told", EID, "{}"); /* a write */
	*out = verdict;
	return OK;
}

static void told(struct rq *rq)
{
	committed++;
}

static const struct awaited awaited = { FN_ES4_EnableProfile, NULL, taken, told };

static result notified(struct rq *rq, const void *in, void *out)
{
	const struct profile_notification *n = in;

	ran++;
	cr_expect_str_eq(n->eid.text, EID);
	rq_event(rq, "profile.enabled", EID, "{}");
	return fails ? failed(rq->arena, fails, NULL, NULL) : OK;
}

static const struct served served = { FN_ES4_HandleProfileEnabledNotification, NULL, notified, told };

static void stage(void)
{
	const struct rpc rpc = {
		.self_role = ROLE_OPERATOR, .served = &served, .n_served = 1, .awaited = &awaited, .n_awaited = 1, .replica = "one"
	};

	partner_open(&p, &rpc);
	p.entity.roles = ROLE_SM_SR;
	ran = committed = 0;
	fails = 0;
	verdict = CALLBACK_TAKEN;
}

static void has(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no '%s' in: %s", part, text);
}

static const char *response(const char *status)
{
	return arena_printf(p.arena,
			    "<rps:ES4-EnableProfileResponse><rps:FunctionExecutionStatus><rps:Status>%s</rps:Status>"
			    "</rps:FunctionExecutionStatus></rps:ES4-EnableProfileResponse>",
			    status);
}

static unsigned answer(const char *path, const char *relates_to, const char *status, const char **out_text)
{
	const struct message m = {
		.message_id = "c1", .relates_to = relates_to, .action = CALLBACK_ACTION, .path = path, .body = response(status)
	};

	return partner_ask(&p, &m, out_text);
}

#define OURS "//us/1?TransactionID=ours?MessageDate=2026-01-15T09:30:00Z"

Test(rpc_callback, taken_closed_or_not_ours)
{
	static const char *const paths[] = { "/es4", "/es4/EnableProfile", "/esim-messaging/3/ES4/ES4MnoService", "/" };
	const char *text;

	stage();
	for (unsigned i = 0; i < LEN(paths); i++) {
		cr_expect_eq(answer(paths[i], OURS, "EXECUTED_SUCCESS", &text), 202, "%s: %s", paths[i], text);
		cr_expect_str_eq(correlation, "ours");
		cr_expect_eq(partner_counts(&p).outbox, i + 1);
	}
	cr_expect_eq(committed, LEN(paths));
	/* What RelatesTo does not say, its own MessageID may. */
	cr_expect_eq(answer("/es4", NULL, "EXECUTED_SUCCESS", &text), 202);
	cr_expect_str_eq(correlation, "tx-c1");
	cr_expect_eq(answer("/es4", "//us/1", "EXECUTED_SUCCESS", &text), 202);
	cr_expect_str_eq(correlation, "tx-c1");
	cr_expect_eq(partner_counts(&p).outbox, 6);
	/* Nothing is written for these. */
	verdict = CALLBACK_CLOSED;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 202);
	verdict = CALLBACK_NOT_OURS;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 400);
	has(text, "no open call to you waits for an answer");
	fails = CODE_BUSY;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 500);
	has(text, "Receiver");
	fails = CODE_INTERNAL;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 500);
	cr_expect_eq(partner_counts(&p).outbox, 6);
	cr_expect_eq(committed, 6);
	partner_close(&p);
}

Test(rpc_callback, refused_before_anybody_is_asked)
{
	const char *text;

	stage();
	cr_expect_eq(answer("/es2", OURS, "EXECUTED_SUCCESS", &text), 400);
	has(text, "the URL is of ES2");
	cr_expect_eq(answer("/es4", OURS, "PERHAPS", &text), 400);
	has(text, "Status");
	cr_expect_eq(partner_ask(&p,
				 &(struct message){ .message_id = "c1",
						    .relates_to = OURS,
						    .action = CALLBACK_ACTION,
						    .body = "<rps:ES4-AuditEISResponse/>" },
				 &text),
		     400);
	has(text, "Action names ES4-EnableProfile");
	p.entity.roles = ROLE_OPERATOR;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 400);
	has(text, "is not answered by your role");
	p.entity.roles = ROLE_SM_SR;
	p.rpc.n_awaited = 0;
	cr_expect_eq(answer("/es4", OURS, "EXECUTED_SUCCESS", &text), 400);
	has(text, "no open call to you waits for an answer");
	cr_expect_eq(ran, 0);
	partner_close(&p);
}

static unsigned notify(const char *message_id, const char *eid, const char **out_text)
{
	const struct message m = { .message_id = message_id,
				   .action = NOTIFICATION_ACTION,
				   .body = arena_printf(p.arena,
							"<rps:ES4-HandleProfileEnabledNotification><rps:Eid>%s</rps:Eid>"
							"<rps:Iccid>8933010000000000028</rps:Iccid><rps:CompletionTimestamp>"
							"2026-01-15T09:30:00Z</rps:CompletionTimestamp>"
							"</rps:ES4-HandleProfileEnabledNotification>",
							eid) };

	return partner_ask(&p, &m, out_text);
}

Test(rpc_callback, a_notification_is_taken_once)
{
	char long_id[1200] = "";
	const char *text;

	stage();
	/* Not taken: the sender tries again. */
	fails = CODE_BUSY;
	cr_expect_eq(notify("n1", EID, &text), 500);
	has(text, "Receiver");
	cr_expect_eq(partner_counts(&p).seen, 0);
	cr_expect_eq(partner_counts(&p).outbox, 0);
	fails = 0;
	cr_expect_eq(notify("n1", EID, &text), 202);
	cr_expect_eq(notify("n1", EID, &text), 202);
	cr_expect_eq(ran, 2);
	cr_expect_eq(committed, 1);
	cr_expect_eq(partner_counts(&p).seen, 1);
	cr_expect_eq(partner_counts(&p).calls, 0);
	cr_expect_eq(partner_counts(&p).outbox, 1);
	cr_expect_eq(notify("n2", EID, &text), 202); /* another message */
	cr_expect_eq(partner_counts(&p).seen, 2);
	/* Not to be read, or refused for good: no use in trying again. */
	cr_expect_eq(notify("n3", "89001012012341234012345678901225", &text), 400);
	has(text, "Eid");
	fails = CODE_EID_UNKNOWN;
	cr_expect_eq(notify("n4", EID, &text), 400);
	has(text, "EID unknown");
	cr_expect_eq(partner_counts(&p).seen, 2);
	memset(long_id, 'x', sizeof(long_id) - 1);
	cr_expect_eq(notify(long_id, EID, &text), 400);
	has(text, "MessageID");
	partner_close(&p);
}
