# SPDX-License-Identifier: Apache-2.0
"""What comes to the gateway twice, too early, too late or in the wrong order; and what it was killed amid of."""
from tests.e2e.base import full
from tests.e2e.ordering import GATEWAY, ICCID, OrderCase
from tests.e2e.soap import new_id

BUSY = ("FAILED", "1.2/4.4")


class Attempts(OrderCase):
    def second_attempt(self):
        """An order whose first request was busy, and whose second was accepted: (operation, its requests)."""
        operation = self.ordered()
        first = self.await_request(operation)
        self.assertEqual(self.peer.callback(first, *BUSY)[0], 202)
        self.await_state(operation, "waiting")
        self.move(operation)
        second = self.await_request(operation, 2)
        self.await_state(operation, "accepted")
        return operation, first, second

    def move(self, operation):
        """The card moves: who waits is asked for again."""
        self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)

    def fcis(self, operation):
        return [r.text("FunctionCallIdentifier") for r in self.peer.of(operation)]

    def test_each_has_its_transaction(self):
        operation, first, second = self.second_attempt()
        self.assertEqual((first.transaction, second.transaction), (operation + ".1", operation + ".2"))

    def test_the_same_call_again_until_its_refusal_is_a_stored_one(self):
        """It may have been executed, its answer lost, and the SM-SR unable to look just now: another call would execute it twice."""
        operation, at = self.ordered(), "2026-01-15T09:30:0%dZ"
        for n, ended in enumerate((at % 1, at % 2, at % 2, at % 3), 1):
            self.assertEqual(self.peer.callback(self.await_request(operation, n), *BUSY, ended=ended)[0], 202)
            self.await_state(operation, "waiting")
            self.move(operation)
        self.peer.callback(self.await_request(operation, 5))
        self.assertEqual((self.ended(operation)["status"], self.operation(operation)["attempt"]), ("EXECUTED_SUCCESS", 2))
        self.assertEqual(self.fcis(operation), [operation + ".1"] * 3 + [operation + ".2"] * 2)

    @full
    def test_an_old_busy_neither_ends_nor_repeats_the_new_one(self):
        operation, first, second = self.second_attempt()
        for relates_to, transaction in ((True, None), (False, first.transaction)):
            self.assertEqual(self.peer.callback(first, *BUSY, relates_to=relates_to, transaction=transaction)[0], 202)
        self.assertEqual((self.operation(operation)["state"], self.operation(operation)["attempt"]), ("accepted", 2))
        self.peer.callback(second)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["attempt"]), ("EXECUTED_SUCCESS", 2))
        self.assertEqual(self.fcis(operation), [operation + ".1", operation + ".2"])

    @full
    def test_an_old_failure_does_not_end_the_new_one(self):
        operation, first, second = self.second_attempt()
        self.assertEqual(self.peer.callback(first, "FAILED", "8.4/4.2")[0], 202)
        self.assertEqual(self.operation(operation)["state"], "accepted")
        self.peer.callback(second)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")

    def test_an_old_success_is_the_end(self):
        operation, first, second = self.second_attempt()
        self.assertEqual(self.peer.callback(first)[0], 202)
        before = self.ended(operation)
        self.assertEqual(before["status"], "EXECUTED_SUCCESS")
        self.assertEqual(self.peer.callback(second, "FAILED", "8.2.1/1.2")[0], 202)
        self.assertEqual(self.operation(operation), before)

    def test_and_a_new_one_that_is_not_sent_yet_never_will_be(self):
        operation = self.ordered()
        first = self.await_request(operation)
        self.peer.callback(first, *BUSY)
        self.await_state(operation, "waiting")
        self.peer.stop()
        self.move(operation)
        self.await_state(operation, "queued")
        self.assertEqual(self.peer.callback(first)[0], 202)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertEqual(self.psql("operator_a", "select count(*) from outbox where eid = '%s'" % self.eid), "0")

    def test_busy_that_overtakes_a_lost_202_is_not_asked_twice(self):
        def behaviour(request):
            if request.text("FunctionCallIdentifier").endswith(".1"):
                self.peer.callback(request, *BUSY)
                raise ConnectionError("the 202 is lost")
            return 202, None
        self.peer.behaviour = behaviour
        operation = self.ordered()
        self.await_state(operation, "waiting")
        self.move(operation)
        self.peer.callback(self.await_request(operation, 2))
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertEqual(self.fcis(operation), [operation + ".1", operation + ".2"])

    def test_busy_twice_is_one_attempt(self):
        operation = self.ordered()
        first = self.await_request(operation)
        for _ in range(3):
            self.assertEqual(self.peer.callback(first, *BUSY)[0], 202)
        self.assertEqual((self.operation(operation)["state"], self.operation(operation)["attempt"]), ("waiting", 1))

    @full
    def test_an_attempt_that_there_never_was(self):
        operation, first, _ = self.second_attempt()
        for other in (operation + ".3", operation + ".0", operation):
            self.assertEqual(self.peer.callback(first, relates_to=False, transaction=other)[0], 400, other)
        self.assertEqual(self.operation(operation)["state"], "accepted")

    @full
    def test_the_first_callback_behind_a_repeat(self):
        operation = self.ordered(validity_s=60)
        self.await_state(operation, "accepted")
        self.move_clock(operation, 125)
        first, second = self.await_request(operation), self.await_request(operation, 2)
        self.assertEqual(first.transaction, second.transaction)
        self.assertEqual(self.peer.callback(first, *BUSY)[0], 202)  # it may still run there
        self.assertNotEqual(self.operation(operation)["state"], "ended")
        self.assertEqual(self.peer.callback(first)[0], 202)
        before = self.ended(operation)
        self.assertEqual(self.peer.callback(second, "FAILED", "8.4/4.2")[0], 202)
        self.assertEqual((before["status"], self.operation(operation)), ("EXECUTED_SUCCESS", before))


class Kills(OrderCase):
    """Killed at every point of its own: nothing is lost, nothing happens twice."""

    def arm(self, point):
        self.rspctl.fault(self.admin(GATEWAY), "operator-gateway." + point, "kill", self.eid)

    def back(self):
        self.staging.await_death(GATEWAY)
        self.staging.start_service(GATEWAY)
        self.peer.register(GATEWAY)

    def killed(self, point, call):
        """The caller hears nothing."""
        self.arm(point)
        with self.assertRaises(OSError):
            call()
        self.back()

    @full
    def test_the_order_whose_202_was_lost(self):
        key = {"Idempotency-Key": new_id()}
        self.killed("order.committed", lambda: self.order(headers=key))
        operation = self.ordered(headers=key)
        self.peer.callback(self.await_request(operation))
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertEqual(len(self.peer.of(operation)), 1)
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "1")

    def callback_killed(self, what, function):
        for stage in ("begun", "handled", "committed"):
            with self.subTest(function=function, stage=stage):
                self.eid = self.new_eid()
                operation = self.ordered(what)
                request = self.await_request(operation)
                self.await_state(operation, "accepted")
                self.killed("ES4-%s.%s" % (function, stage), lambda: self.peer.callback(request, "FAILED", "8.4/4.2"))
                self.assertEqual(self.operation(operation)["state"], "ended" if stage == "committed" else "accepted")
                self.assertEqual(self.peer.callback(request, "FAILED", "8.4/4.2")[0], 202)
                self.assertEqual(self.ended(operation)["code"], "8.4/4.2")
                self.assertEqual(len(self.peer.of(operation)), 1)

    @full
    def test_amid_a_callback(self):
        for what, function in (("profiles/%s/enable" % ICCID, "EnableProfile"), ("profiles/%s/disable" % ICCID, "DisableProfile"),
                               ("profiles/%s/delete" % ICCID, "DeleteProfile"), ("audit", "AuditEIS")):
            self.callback_killed(what, function)

    @full
    def test_amid_a_notification(self):
        for kind in ("Enabled", "Disabled", "Deleted"):
            for stage in ("begun", "handled", "committed"):
                with self.subTest(kind=kind, stage=stage):
                    self.eid, name = self.new_eid(), "HandleProfile%sNotification" % kind
                    message = "//%s/%s" % (self.peer.oid, new_id())
                    self.killed("ES4-%s.%s" % (name, stage), lambda: self.peer.notify(GATEWAY, name, self.eid, ICCID, message))
                    self.assertEqual(self.peer.notify(GATEWAY, name, self.eid, ICCID, message)[0], 202)
                    rows = self.northbound(GATEWAY, "/v1/notifications?eid=" + self.eid)[1]
                    self.assertEqual([row["kind"] for row in rows], [kind.lower()])

    @full
    def test_amid_what_is_due(self):
        for stage in ("stepped", "committed"):
            with self.subTest(stage=stage):
                self.eid = self.new_eid()
                operation = self.ordered()
                self.peer.callback(self.await_request(operation), "FAILED", "1.2/4.4")
                self.arm("due." + stage)
                self.await_gone(operation)
                self.peer.callback(self.await_request(operation, 2, 30))
                found = self.ended(operation)
                self.assertEqual((found["status"], found["attempt"], len(self.peer.of(operation))), ("EXECUTED_SUCCESS", 2, 2))

    def await_gone(self, operation):
        try:
            self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)
        except OSError:
            pass  # its 202 may come or not: the worker is fast
        self.back()

    @full
    def test_amid_an_answer_on_the_connection(self):
        self.peer.behaviour = self.peer.answer
        self.arm("outbox.delivered")
        operation = self.put("pol2", rules=[])[1]["operation"]
        self.back()
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertEqual({r.text("FunctionCallIdentifier") for r in self.peer.of(operation)}, {operation + ".1"})
