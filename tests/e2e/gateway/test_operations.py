# SPDX-License-Identifier: Apache-2.0
"""Orders at the gateway (docs/northbound.md) against an SM-SR that says what the test wants: callbacks, answers on the connection, busy,
silence, notifications, and what survives the process."""
import json
import re
import time

from tests.e2e.base import full
from tests.e2e.helpers import Background
from tests.e2e.ordering import GATEWAY, ICCID, OrderCase
from tests.e2e.smsr import Peer, moved_card
from tests.e2e.soap import new_id


class Callbacks(OrderCase):
    def test_the_request_says_what_was_ordered(self):
        operation = self.ordered(validity_s=60)
        request = self.await_request(operation)
        self.assertEqual((request.name, request.text("Eid"), request.text("Iccid"), request.text("ValidityPeriod")),
                         ("ES4-EnableProfileRequest", self.eid, ICCID, "60"))
        self.assertEqual(request.text("FunctionCallIdentifier"), operation + ".1")
        self.assertEqual(request.transaction, operation + ".1")
        self.assertTrue(request.reply_to.startswith(self.staging.instances[GATEWAY].url() + "/es4"), request.reply_to)

    def test_taken(self):
        operation = self.ordered()
        request = self.await_request(operation)
        self.assertEqual(self.await_state(operation, "accepted")["attempt"], 1)
        self.assertEqual(self.peer.callback(request)[0], 202)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["kind"], found["iccid"], found["smsr"]),
                         ("EXECUTED_SUCCESS", "enable", ICCID, self.peer.oid))
        self.assertNotIn("code", found)

    def test_a_code_comes_through_as_it_is(self):
        operation = self.ordered()
        request = self.await_request(operation)
        self.peer.callback(request, "FAILED", "8.2.1/4.2", "<rps:EuiccResponseData>6985</rps:EuiccResponseData>")
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["message"], found["euicc_response"]),
                         ("FAILED", "8.2.1/4.2", "it happened", "6985"))

    def test_without_relates_to_the_transaction_tells(self):
        operation = self.ordered()
        request = self.await_request(operation)
        self.assertEqual(self.peer.callback(request, relates_to=False, transaction=request.transaction)[0], 202)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")

    def test_neither_is_refused(self):
        operation = self.ordered()
        request = self.await_request(operation)
        self.assertEqual(self.peer.callback(request, relates_to=False)[0], 400)
        for other in (new_id(), operation, operation + ".2", new_id() + ".1"):
            self.assertEqual(self.peer.callback(request, relates_to=False, transaction=other)[0], 400, other)
        self.assertNotEqual(self.operation(operation)["state"], "ended")

    def test_another_entity_answers(self):
        operation = self.ordered()
        request = self.await_request(operation)
        status = self.peer.callback(request, client="sm-sr")[0]
        self.assertEqual(status, 400)
        self.assertNotEqual(self.operation(operation)["state"], "ended")

    def test_another_functions_root(self):
        operation = self.ordered()
        request = self.await_request(operation)
        for root in ("ES4-AuditEISResponse", "ES4-DisableProfileResponse", "ES4-GetEISResponse"):
            with self.subTest(root=root):
                self.assertEqual(self.peer.callback(request, root=root)[0], 400)
        self.assertNotEqual(self.operation(operation)["state"], "ended")

    def test_a_second_one_is_taken_and_ignored(self):
        operation = self.ordered()
        request = self.await_request(operation)
        self.peer.callback(request)
        before = self.ended(operation)
        self.assertEqual(self.peer.callback(request, "FAILED", "8.4/4.2")[0], 202)
        self.assertEqual(self.operation(operation), before)

    def test_it_may_overtake_the_202(self):
        def behaviour(request):
            self.peer.callback(request)
            return 202, None
        self.peer.behaviour = behaviour
        self.assertEqual(self.ended(self.ordered())["status"], "EXECUTED_SUCCESS")

    def test_who_waits_is_answered_at_the_end(self):
        operation = self.ordered()
        request = self.await_request(operation)
        call = Background(self.operation, operation, 60)
        time.sleep(0.3)
        began = time.monotonic()
        self.peer.callback(request)
        self.assertEqual(call.value()["state"], "ended")
        self.assertLess(time.monotonic() - began, 2)

    def test_who_waits_in_vain_hears_how_it_stands(self):
        operation = self.ordered()
        self.await_state(operation, "accepted")
        began = time.monotonic()
        self.assertEqual(self.operation(operation, 1)["state"], "accepted")
        self.assertTrue(0.9 < time.monotonic() - began < 4)


class Audits(OrderCase):
    def test_without_an_eis_success_is_none(self):
        operation = self.ordered("audit")
        request = self.await_request(operation)
        self.assertEqual((request.name, request.text("Iccid")), ("ES4-AuditEISRequest", None))
        self.peer.callback(request)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("FAILED", "bad_answer"))

    def test_only_some_profiles(self):
        operation = self.ordered("audit", iccids=[ICCID, "8988000000000000025"])
        request = self.await_request(operation)
        self.assertEqual([e.text for e in request.body.iter("{%s}Iccid" % "http://namespaces.gsma.org/esim-messaging/3")],
                         [ICCID, "8988000000000000025"])


class Connection(OrderCase):
    def test_the_answer_on_the_connection(self):
        self.peer.behaviour = self.peer.answer
        operation = self.ordered(mode="connection")
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertIsNone(self.peer.of(operation)[0].reply_to)

    def test_a_refusal(self):
        self.peer.behaviour = lambda r: self.peer.answer(r, "EXPIRED", "1.6/5.3")
        found = self.ended(self.ordered(mode="connection"))
        self.assertEqual((found["status"], found["code"]), ("EXPIRED", "1.6/5.3"))

    def test_a_fault(self):
        self.peer.behaviour = lambda r: self.peer.fault("Sender", "not today")
        found = self.ended(self.ordered())
        self.assertEqual((found["status"], found["code"]), ("FAILED", "fault"))
        self.assertIn("not today", found["message"])


class Busy(OrderCase):
    def busy_once(self):
        said = []

        def behaviour(request):
            said.append(request)
            return self.peer.answer(request, "FAILED", "1.2/4.4") if len(said) == 1 else self.peer.answer(request)
        self.peer.behaviour = behaviour

    def test_asked_again_with_a_new_fci(self):
        self.busy_once()
        operation = self.ordered(mode="connection")
        waiting = self.await_state(operation, "waiting")
        self.assertEqual(waiting["code"], "1.2/4.4")
        self.assertNotIn("status", waiting)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["attempt"]), ("EXECUTED_SUCCESS", 2))
        self.assertEqual([r.text("FunctionCallIdentifier") for r in self.peer.of(operation)], [operation + ".1", operation + ".2"])

    def test_asked_again_at_once_when_the_card_moves(self):
        self.busy_once()
        operation = self.ordered(mode="connection")
        self.await_state(operation, "waiting")
        began = time.monotonic()
        self.assertEqual(self.peer.notify(GATEWAY, "HandleProfileDisabledNotification", self.eid, ICCID)[0], 202)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertLess(time.monotonic() - began, 3)

    def test_by_callback_as_well(self):
        operation = self.ordered()
        self.peer.callback(self.await_request(operation), "FAILED", "1.2/4.4")
        self.await_state(operation, "waiting")
        self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)
        second = self.await_request(operation, 2)
        self.assertEqual(second.text("FunctionCallIdentifier"), operation + ".2")
        self.peer.callback(second)
        self.assertEqual(self.ended(operation)["attempt"], 2)

    def test_not_when_it_is_to_be_now(self):
        self.busy_once()
        found = self.ended(self.ordered(mode="connection", when="now"))
        self.assertEqual((found["status"], found["code"], found["attempt"]), ("FAILED", "1.2/4.4", 1))

    @full
    def test_until_the_deadline(self):
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "1.2/4.4")
        found = self.ended(self.ordered(mode="connection", validity_s=7))
        self.assertEqual((found["status"], found["code"]), ("FAILED", "1.2/4.4"))


class Silence(OrderCase):
    def test_down_then_up(self):
        self.peer.stop()
        operation = self.ordered()
        time.sleep(1)
        self.assertEqual(self.operation(operation)["state"], "queued")
        self.peer.start()
        self.await_request(operation)

    @full
    def test_down_until_the_deadline(self):
        self.peer.stop()
        found = self.ended(self.ordered(validity_s=3))
        self.assertEqual((found["status"], found["code"]), ("NO_ANSWER", "no_answer"))

    def test_a_callback_that_never_comes_is_fetched_with_the_same_fci(self):
        operation = self.ordered(validity_s=60)
        self.await_state(operation, "accepted")
        self.move_clock(operation, 125)
        second = self.await_request(operation, 2)
        self.assertEqual(second.text("FunctionCallIdentifier"), operation + ".1")
        self.assertEqual(self.await_state(operation, "repeated")["attempt"], 1)
        self.peer.callback(second, "FAILED", "8.4/4.2")
        self.assertEqual(self.ended(operation)["code"], "8.4/4.2")

    @full
    def test_and_then_given_up(self):
        operation = self.ordered(validity_s=60)
        self.await_state(operation, "accepted")
        self.move_clock(operation, 125)
        self.await_request(operation, 2)
        self.await_state(operation, "repeated")
        self.move_clock(operation, 1000)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("NO_ANSWER", "no_answer"))


class Kills(OrderCase):
    def kill_at(self, point):
        self.rspctl.fault(self.admin(GATEWAY), point, "kill", self.eid)
        try:
            self.ordered()
        except OSError:
            pass  # it sent the order, and died, before it answered who gave it
        self.staging.await_death(GATEWAY)
        self.staging.start_service(GATEWAY)
        self.peer.register(GATEWAY)
        operation = self.northbound(GATEWAY, "/v1/operations?eid=" + self.eid)[1][0]["operation"]
        request = self.await_request(operation, timeout_s=30)
        self.assertEqual(request.text("FunctionCallIdentifier"), operation + ".1")
        self.assertEqual(self.peer.callback(request)[0], 202)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        return operation

    def test_killed_before_it_is_sent(self):
        self.assertEqual(len(self.peer.of(self.kill_at("operator-gateway.outbox.taken"))), 1)

    def test_killed_before_the_202_is_noted(self):
        operation = self.kill_at("operator-gateway.outbox.delivered")
        self.await_request(operation, 2)
        self.assertEqual(len({r.text("FunctionCallIdentifier") for r in self.peer.of(operation)}), 1)


class Notifications(OrderCase):
    def listed(self):
        return self.northbound(GATEWAY, "/v1/notifications?eid=" + self.eid)[1]

    def test_stored_and_shown(self):
        self.assertEqual(self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)[0], 202)
        self.assertEqual(self.peer.notify(GATEWAY, "HandleProfileDisabledNotification", self.eid, ICCID)[0], 202)
        rows = self.listed()
        self.assertEqual([row["kind"] for row in rows], ["disabled", "enabled"])
        self.assertEqual((rows[0]["eid"], rows[0]["iccid"], rows[0]["smsr"], rows[0]["completed"]),
                         (self.eid, ICCID, self.peer.oid, "2026-01-15T09:30:00Z"))

    def smsr_of(self, eid):
        return self.psql("operator_a", "select smsr from euicc where eid = '%s'" % eid)

    def test_a_card_moved_to_another_sm_sr(self):
        eid, eis = moved_card(self, self.peer.oid)
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", '{"smsr":"%s"}' % self.staging.entities["sm-sr"]["oid"])[0], 200)
        self.assertEqual(self.peer.notify_change(GATEWAY, eis)[0], 202)
        row, = self.northbound(GATEWAY, "/v1/notifications?eid=" + eid)[1]
        self.assertEqual((row["kind"], row["smsr"], row["new_smsr"], row["completed"]),
                         ("smsr_changed", self.peer.oid, self.peer.oid, "2026-01-15T09:30:00Z"))
        self.assertNotIn("iccid", row)
        self.assertEqual(row["iccids"], re.findall("<rps:Iccid>([^<]*)", eis))
        self.assertEqual(self.smsr_of(eid), self.peer.oid)
        self.await_request(self.ordered(eid=eid))

    def test_only_the_new_sm_sr_moves_a_card(self):
        other = self.staging.entities["sm-sr"]["oid"]
        eid, eis = moved_card(self, other)
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", '{"smsr":"%s"}' % self.peer.oid)[0], 200)
        self.assertEqual(self.peer.notify_change(GATEWAY, eis)[0], 202)
        self.assertEqual(self.smsr_of(eid), self.peer.oid)
        self.assertEqual(self.northbound(GATEWAY, "/v1/notifications?eid=" + eid)[1][0]["new_smsr"], other)

    def test_old_news_and_repeated_ones_change_nothing(self):
        eid, eis = moved_card(self, self.peer.oid)
        other, message = self.staging.entities["sm-sr"]["oid"], "//%s/%s" % (self.peer.oid, new_id())
        self.assertEqual(self.peer.notify_change(GATEWAY, eis, "2026-01-15T09:30:01Z", message)[0], 202)
        self.psql("operator_a", "update euicc set smsr = '%s', moved_at = '2026-01-15T09:31:00Z' where eid = '%s'" % (other, eid))
        self.assertEqual(self.peer.notify_change(GATEWAY, eis, "2026-01-15T09:30:01Z", message)[0], 202)
        self.assertEqual(self.peer.notify_change(GATEWAY, eis, "2026-01-15T09:30:59Z")[0], 202)
        self.assertEqual(self.smsr_of(eid), other)
        self.assertEqual(len(self.northbound(GATEWAY, "/v1/notifications?eid=" + eid)[1]), 2)
        self.assertEqual(self.peer.notify_change(GATEWAY, eis, "2026-01-15T09:32:00Z")[0], 202)
        self.assertEqual(self.smsr_of(eid), self.peer.oid)

    def test_who_waits_for_the_old_sm_sr_asks_the_new_one(self):
        new = Peer(self, "sm-sr")
        new.start()
        self.addCleanup(new.stop)
        new.register(GATEWAY)
        eid, eis = moved_card(self, new.oid)
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", '{"smsr":"%s"}' % self.peer.oid)[0], 200)
        operation = self.ordered(eid=eid)
        self.peer.callback(self.await_request(operation), "FAILED", "1.2/4.4")
        self.await_state(operation, "waiting")
        self.assertEqual(new.notify_change(GATEWAY, eis)[0], 202)
        self.await_true(lambda: new.of(operation), "the new SM-SR is never asked", 20)
        self.assertEqual(new.of(operation)[0].text("FunctionCallIdentifier"), operation + ".2")
        new.callback(new.of(operation)[0])
        self.assertEqual(self.ended(operation)["smsr"], new.oid)

    def test_twice_is_once(self):
        message = "//%s/%s" % (self.peer.oid, new_id())
        for _ in range(2):
            self.assertEqual(self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID, message)[0], 202)
        self.assertEqual(len(self.listed()), 1)

    def test_the_limit_holds(self):
        for _ in range(3):
            self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)
        self.assertEqual(len(self.northbound(GATEWAY, "/v1/notifications?limit=2")[1]), 2)


class Orders(OrderCase):
    def test_a_key_is_one_operation(self):
        key = {"Idempotency-Key": new_id()}
        first = self.ordered(headers=key)
        self.assertEqual(self.ordered(headers=key), first)
        self.assertEqual(self.order(headers=key, validity_s=61)[0], 409)
        self.assertEqual(self.order("audit", headers=key)[0], 409)
        self.await_request(first)
        self.assertNotEqual(self.ordered(), first)
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "2")

    def test_a_key_belongs_to_its_token(self):
        key = {"Idempotency-Key": new_id()}
        other = self.rspctl.token_create(self.admin(GATEWAY), "t" + new_id(), "operator")["token"]
        status, answer = self.northbound(GATEWAY, "/v1/euiccs/%s/audit" % self.eid, "POST", headers=key, token=other)
        self.assertEqual(status, 202)
        self.assertNotEqual(self.ordered(headers=key), answer["operation"])

    def test_what_is_wrong_is_named(self):
        for body, name in (({"validity_s": 2}, "validity_s"), ({"validity_s": "60"}, "validity_s"), ({"mode": "x"}, "mode"),
                           ({"when": "later"}, "when"), ({"iccids": [ICCID]}, "iccids"), ({"colour": 1}, "colour")):
            status, answer = self.order(**body)
            self.assertEqual((status, answer["error"]["code"]), (400, "invalid_parameter"), body)
            self.assertIn(name, answer["error"]["message"])
        for what in ("profiles/12/enable", "profiles/%s/disabled" % ICCID, "profiles/enable", "x"):
            self.assertIn(self.order(what)[0], (400, 404))
        self.assertEqual(self.order(eid="1" * 32)[0], 400)
        self.assertEqual(self.order(headers={"Idempotency-Key": "a b"})[0], 400)
        self.assertEqual(self.error(GATEWAY, "/v1/operations/12"), (404, "not_found"))
        self.assertEqual(self.error(GATEWAY, "/v1/operations?state=x"), (400, "invalid_parameter"))
        self.assertEqual(self.error(GATEWAY, "/v1/operations?limit=x"), (400, "invalid_parameter"))

    def test_a_reader_looks_and_orders_nothing(self):
        reader = self.rspctl.token_create(self.admin(GATEWAY), "r" + new_id(), "reader")["token"]
        path = "/v1/euiccs/%s/audit" % self.eid
        self.assertEqual(self.error(GATEWAY, path, method="POST", token=reader), (403, "forbidden"))
        operation = self.ordered()
        self.assertEqual(self.northbound(GATEWAY, "/v1/operations/" + operation, token=reader)[0], 200)
        self.assertEqual(self.northbound(GATEWAY, "/v1/notifications", token=reader)[0], 200)

    def test_listed_newest_first(self):
        made = [self.ordered() for _ in range(2)]
        rows = self.northbound(GATEWAY, "/v1/operations?eid=" + self.eid)[1]
        self.assertEqual([row["operation"] for row in rows], made[::-1])
        self.assertEqual(len(self.northbound(GATEWAY, "/v1/operations?limit=1&eid=" + self.eid)[1]), 1)
        self.assertEqual(self.northbound(GATEWAY, "/v1/operations?state=ended&eid=" + self.eid)[1], [])

    def test_rspctl(self):
        words = self.staging.gateway_words(GATEWAY)
        self.peer.behaviour = self.peer.answer
        done = self.rspctl.profile_enable(words, self.eid, ICCID, mode="connection", validity_s=60, wait_s=30)
        self.assertEqual((done["state"], done["status"]), ("ended", "EXECUTED_SUCCESS"))
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "8.2.1/3.9")
        code, output = self.rspctl.call(*words, "profile", "enable", self.eid, ICCID, "--mode", "connection", "--wait", "30")
        self.assertEqual((code, json.loads(output)["error"]["code"]), (4, "8.2.1/3.9"))
        failed = self.rspctl.profile_enable(words, self.eid, ICCID, mode="connection", when="now")["operation"]
        self.assertEqual(self.rspctl.operation(words, failed, wait_s=30)["status"], "FAILED")
        self.assertEqual(len(self.rspctl.operations(words, eid=self.eid, state="ended")), 3)
        self.assertEqual(self.rspctl.notifications(words, eid=self.eid), [])
        self.assertIn(failed, self.rspctl.text(*words, "operation", "show", failed))
