# SPDX-License-Identifier: Apache-2.0
"""Cards that are ordered to move to another SM-SR (docs/northbound.md): one order, two stages, at two SM-SRs that say what the test wants."""
import json
import os

from tests.e2e.base import full
from tests.e2e.ordering import GATEWAY, OrderCase
from tests.e2e.smsr import Peer
from tests.e2e.soap import new_id

BUSY = ("FAILED", "1.2/4.4")
PREPARE, CHANGE = "ES4-PrepareSMSRChangeRequest", "ES4-SMSRChangeRequest"


class ChangeCase(OrderCase):
    """self.peer has the card; it is to go to self.other."""

    def setUp(self):
        super().setUp()
        self.other = Peer(self, "sm-sr")
        self.other.start()
        self.addCleanup(self.other.stop)
        self.other.register(GATEWAY)

    def change(self, **body):
        return self.ordered("smsr-change", **dict({"to": self.other.oid}, **body))

    def await_at(self, peer, operation, number=1):
        self.await_true(lambda: len(peer.of(operation)) >= number, "request %d never came" % number, 20)
        return peer.of(operation)[number - 1]

    def stages(self, operation):
        return [(s["stage"], s["state"], s.get("status"), s.get("code")) for s in self.operation(operation)["stages"]]

    def smsr(self):
        return self.psql("operator_a", "select smsr from euicc where eid = '%s'" % self.eid)

    def refused(self, answer, status, code, *says):
        self.assertEqual((answer[0], answer[1]["error"]["code"]), (status, code), answer)
        for text in says:
            self.assertIn(text, answer[1]["error"]["message"])


class Change(ChangeCase):
    def test_first_the_one_then_the_other(self):
        operation = self.change(validity_s=600)
        request = self.await_at(self.other, operation)
        self.assertEqual((request.name, request.text("Eid"), request.text("CurrentSMSRid"), request.text("FunctionCallIdentifier")),
                         (PREPARE, self.eid, self.peer.oid, operation + ".1"))
        self.assertLessEqual(int(request.text("ValidityPeriod")), 600)
        self.assertEqual(self.peer.of(operation), [])
        self.assertEqual(self.other.callback(request)[0], 202)
        second = self.await_at(self.peer, operation)
        self.assertEqual((second.name, second.text("Eid"), second.text("Target-Smsr-id"), second.text("FunctionCallIdentifier")),
                         (CHANGE, self.eid, self.other.oid, operation + ".2"))
        self.assertIn("ContextID=%s" % operation, second.message_id)
        self.assertEqual(self.smsr(), self.peer.oid)
        self.assertEqual(self.peer.callback(second, ended="2026-01-15T09:30:00Z")[0], 202)
        found = self.ended(operation)
        self.assertEqual((found["kind"], found["status"], found["to"], found["smsr"], found["stage"], found["dry_run"]),
                         ("smsr-change", "EXECUTED_SUCCESS", self.other.oid, self.peer.oid, "change", False))
        self.assertEqual([s for s in self.stages(operation) if s[1] != "accepted"],
                         [("prepare", "queued", None, None), ("prepare", "ended", "EXECUTED_SUCCESS", None), ("change", "queued", None, None),
                          ("change", "ended", "EXECUTED_SUCCESS", None)])
        self.assertEqual(self.smsr(), self.other.oid)
        # What comes twice changes nothing, of either stage.
        self.assertEqual((self.other.callback(request)[0], self.peer.callback(second, "FAILED", "8.1/4.2")[0]), (202, 202))
        self.assertEqual(self.operation(operation), found)
        # The next order is the new one's.
        self.assertEqual(self.await_at(self.other, self.ordered()).name, "ES4-EnableProfileRequest")

    def test_answers_on_the_connection(self):
        self.other.behaviour = self.other.answer
        self.peer.behaviour = lambda r: self.peer.answer(r, "EXECUTED_WITHWARNING", "8.1/4.2")
        found = self.ended(self.change(mode="connection"))
        self.assertEqual((found["status"], found["code"], found["attempt"]), ("EXECUTED_WITHWARNING", "8.1/4.2", 2))
        self.assertEqual(self.smsr(), self.other.oid)

    def test_a_dry_run_asks_the_other_alone(self):
        operation = self.change(dry_run=True)
        request = self.await_at(self.other, operation)
        self.assertLessEqual(int(request.text("ValidityPeriod")), 720)
        self.other.callback(request)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["stage"], found["dry_run"]), ("EXECUTED_SUCCESS", "prepare", True))
        self.assertEqual((self.peer.of(operation), self.smsr()), ([], self.peer.oid))

    def test_who_is_not_prepared_ends_it(self):
        operation = self.change()
        self.other.callback(self.await_at(self.other, operation), "FAILED", "8.7/1.2")
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["stage"]), ("FAILED", "8.7/1.2", "prepare"))
        self.assertEqual((self.peer.of(operation), self.smsr()), ([], self.peer.oid))

    def test_a_change_that_failed_leaves_the_card(self):
        self.other.behaviour = self.other.answer
        for status, code in (("FAILED", "8.7/4.2"), ("EXPIRED", "1.6/5.3")):
            with self.subTest(status=status):
                operation = self.change()
                self.peer.callback(self.await_at(self.peer, operation), status, code)
                found = self.ended(operation)
                self.assertEqual((found["status"], found["code"], self.smsr()), (status, code, self.peer.oid))

    @full
    def test_busy_in_each_stage(self):
        operation = self.change()
        self.other.callback(self.await_at(self.other, operation), *BUSY)
        self.await_state(operation, "waiting")
        again = self.await_at(self.other, operation, 2)
        self.assertEqual((again.name, again.text("FunctionCallIdentifier")), (PREPARE, operation + ".2"))
        self.other.callback(again)
        self.peer.callback(self.await_at(self.peer, operation), *BUSY)
        self.await_state(operation, "waiting")
        again = self.await_at(self.peer, operation, 2)
        self.assertEqual((again.name, again.text("FunctionCallIdentifier")), (CHANGE, operation + ".4"))
        # Late words about what is over: the first stage cannot lead on twice.
        self.assertEqual(self.other.callback(self.other.of(operation)[0])[0], 202)
        self.peer.callback(again)
        self.assertEqual(self.ended(operation)["attempt"], 4)
        self.assertEqual(len(self.peer.of(operation)), 2)

    def test_a_callback_of_the_first_stage_that_never_comes(self):
        operation = self.change()
        self.await_state(operation, "accepted")
        self.psql("operator_a", "update operation set next_at = now() where id = '%s'" % operation)
        second = self.await_at(self.other, operation, 2)
        self.assertEqual((second.name, second.text("FunctionCallIdentifier")), (PREPARE, operation + ".1"))
        self.other.callback(second)
        self.peer.callback(self.await_at(self.peer, operation))
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")

    def test_killed_between_the_stages(self):
        operation = self.change()
        request = self.await_at(self.other, operation)
        self.rspctl.fault(self.admin(GATEWAY), "operator-gateway.outbox.taken", "kill", self.eid)
        try:
            self.assertEqual(self.other.callback(request)[0], 202)
        except OSError:
            pass  # it has taken the answer, and died before its 202 left
        self.staging.await_death(GATEWAY)
        self.staging.start_service(GATEWAY)
        self.peer.callback(self.await_at(self.peer, operation))
        self.assertEqual((self.ended(operation)["status"], len(self.peer.of(operation))), ("EXECUTED_SUCCESS", 1))

    def test_no_time_is_left_for_the_change(self):
        operation = self.change(validity_s=60)
        request = self.await_at(self.other, operation)
        self.move_clock(operation, 40)
        self.other.callback(request)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["stage"]), ("EXPIRED", "1.6/5.3", "prepare"))
        self.assertEqual(self.peer.of(operation), [])

    def test_each_stage_is_answered_by_its_own_sm_sr(self):
        operation = self.change()
        first = self.await_at(self.other, operation)
        self.assertEqual(self.other.callback(first, client="sm-sr-b")[0], 400)
        self.assertEqual(self.other.callback(first, root="ES4-SMSRChangeResponse")[0], 400)
        self.other.callback(first)
        second = self.await_at(self.peer, operation)
        self.assertEqual(self.peer.callback(second, client="sm-sr")[0], 400)
        self.assertEqual(self.peer.callback(second, root="ES4-PrepareSMSRChangeResponse")[0], 400)
        self.peer.callback(second)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")

    def test_what_is_wrong_is_named(self):
        for body, status, code, says in (({"to": "x"}, 400, "invalid_parameter", "to: the OID"), ({"to": "1.2.3.4"}, 502, "smsr_unknown", "1.2.3.4"),
                                         ({"to": self.peer.oid}, 409, "conflict", "already"), ({"smdp": "sm-dp"}, 400, "invalid_parameter", "smdp"),
                                         ({"validity_s": 29}, 400, "invalid_parameter", "validity_s: 30 to 172800"),
                                         ({"dry_run": "yes"}, 400, "invalid_parameter", "dry_run")):
            with self.subTest(body=body):
                self.refused(self.order("smsr-change", **dict({"to": self.other.oid}, **body)), status, code, says)
        self.assertEqual(self.order("smsr-change", method="PUT", to=self.other.oid)[0], 404)
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "0")

    def test_a_key_is_one_operation(self):
        key = {"Idempotency-Key": new_id()}
        first = self.change(headers=key)
        self.assertEqual(self.change(headers=key), first)
        self.assertEqual(self.order("smsr-change", headers=key, to=self.other.oid, dry_run=True)[0], 409)


class Watching(ChangeCase):
    def watch(self, operation, seen, wait=30):
        return self.northbound(GATEWAY, "/v1/operations/%s?wait=%d&seen=%d" % (operation, wait, seen), timeout=wait + 20)[1]

    def test_a_stage_is_told_when_it_comes(self):
        operation = self.change()
        request = self.await_at(self.other, operation)
        seen = self.await_state(operation, "accepted")["stages"][-1]["number"]
        self.other.callback(request)
        found = self.watch(operation, seen)
        self.assertGreater(found["stages"][-1]["number"], seen)
        self.assertNotEqual(found["state"], "ended")
        self.assertEqual(self.watch(operation, 999999, wait=1)["state"], self.operation(operation)["state"])
        self.peer.callback(self.await_at(self.peer, operation))
        self.ended(operation)


class Rspctl(ChangeCase):
    def words(self):
        return self.staging.gateway_words(GATEWAY)

    def file(self, text):
        path = os.path.join(self.staging.private_folder("orders"), "changes.csv")
        with open(path, "w") as f:
            f.write(text)
        return path

    def good(self):
        for peer in (self.other, self.peer):
            peer.behaviour = peer.answer

    def test_start(self):
        self.good()
        shown = self.rspctl.text(*self.words(), "smsr-change", "start", self.eid, "--to", self.other.oid, "--mode", "connection", "--wait", "30")
        self.assertRegex(shown, r"(?s)operation [-0-9a-f]+\n.* prepare +queued +attempt 1\n.* prepare +ended +attempt 1 +EXECUTED_SUCCESS\n"
                         r".* change +queued +attempt 2\n.* change +ended +attempt 2 +EXECUTED_SUCCESS\n")
        found = self.rspctl.smsr_change(self.words(), self.new_eid(), self.other.oid, dry_run=True, mode="connection", wait_s=30)
        self.assertEqual((found["status"], found["stage"]), ("EXECUTED_SUCCESS", "prepare"))

    def test_start_that_is_refused(self):
        self.other.behaviour = lambda r: self.other.answer(r, "FAILED", "8.7/1.2")
        words = [*self.words(), "smsr-change", "start", self.eid, "--to", self.other.oid, "--mode", "connection", "--wait", "30"]
        code, output = self.rspctl.call(*words)
        self.assertEqual((code, json.loads(output)["error"]["code"]), (1, "8.7/1.2"), output)

    def test_bulk(self):
        def behaviour(request):
            return self.peer.answer(request, *(("FAILED", "8.7/4.2") if request.text("Eid") == bad else ()))
        self.other.behaviour = self.other.answer
        self.peer.behaviour = behaviour
        eids = [self.eid] + [self.new_eid() for _ in range(6)]
        bad = eids[3]
        path = self.file("eid,target\n" + "".join("%s%s\n" % (eid, "," + self.other.oid if i % 2 else "") for i, eid in enumerate(eids)))
        words = [*self.words(), "smsr-change", "bulk", path, "--mode", "connection", "--parallel", "2"]
        code, output = self.rspctl.call(*words, "--to", self.other.oid)
        self.assertEqual(code, 1, output)
        rows = json.loads(output[output.index("["):])
        self.assertEqual([(r["line"], r["eid"], r["to"], r["status"], r.get("code")) for r in rows],
                         [(i + 2, eid, self.other.oid) + (("FAILED", "8.7/4.2") if eid == bad else ("EXECUTED_SUCCESS", None))
                          for i, eid in enumerate(eids)])
        code, output = self.rspctl.call(*words)
        self.assertEqual((code, "to which SM-SR" in output), (2, True), output)

    def test_bulk_for_people(self):
        self.good()
        eids = [self.eid, self.new_eid()]
        words = [*self.words(), "smsr-change", "bulk", self.file("\n".join(eids)), "--to", self.other.oid, "--mode", "connection"]
        shown = self.rspctl.text(*words, "--dry-run")
        for eid in eids:
            self.assertRegex(shown, r"%s +%s +[-0-9a-f]{36} +EXECUTED_SUCCESS" % (eid, self.other.oid))
        self.assertTrue(shown.endswith("2 of 2 could move\n"), shown)
        self.assertTrue(self.rspctl.text(*words).endswith("2 of 2 moved\n"))

    def test_bulk_goes_on_after_a_refusal(self):
        self.good()
        gone = self.new_eid()
        self.psql("operator_a", "update euicc set smsr = '%s' where eid = '%s'" % (self.other.oid, gone))
        code, output = self.rspctl.call(*self.words(), "smsr-change", "bulk", self.file("%s\n%s\n" % (gone, self.eid)), "--to", self.other.oid,
                                        "--mode", "connection")
        rows = json.loads(output[output.index("["):])
        self.assertEqual((code, [(r["status"], r.get("error")) for r in rows]),
                         (1, [("NOT_ORDERED", "conflict"), ("EXECUTED_SUCCESS", None)]), output)
