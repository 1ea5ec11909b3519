# SPDX-License-Identifier: Apache-2.0
"""Disable, delete, policy and address at the gateway (docs/northbound.md), against an SM-SR that says what the test wants."""
import json

from tests.e2e import soap
from tests.e2e.base import full
from tests.e2e.ordering import GATEWAY, ICCID, OrderCase
from tests.e2e.soap import new_id

AUTO = {"action": "DISABLE", "qualification": "Auto-Delete"}
KEEP = {"action": "DELETE", "qualification": "Not-Allowed"}


def rules_of(request):
    """What its pol2 says; None: there is no such element."""
    pol2 = request.body.find("rps:pol2", soap.NS)
    return None if pol2 is None else [tuple(part.text for part in rule) for rule in pol2]


class Cards(OrderCase):
    def test_disable_and_delete(self):
        for word, name in (("disable", "ES4-DisableProfileRequest"), ("delete", "ES4-DeleteProfileRequest")):
            with self.subTest(word=word):
                operation = self.ordered("profiles/%s/%s" % (ICCID, word), self.new_eid())
                request = self.await_request(operation)
                self.assertEqual((request.name, request.text("Iccid"), request.text("FunctionCallIdentifier")),
                                 (name, ICCID, operation + ".1"))
                self.assertEqual(self.peer.callback(request, root="ES4-EnableProfileResponse")[0], 400)
                self.assertEqual(self.peer.callback(request)[0], 202)
                found = self.ended(operation)
                self.assertEqual((found["kind"], found["status"], found["iccid"]), (word, "EXECUTED_SUCCESS", ICCID))

    def test_what_the_card_said(self):
        operation = self.ordered("profiles/%s/delete" % ICCID)
        self.peer.callback(self.await_request(operation), "FAILED", "8.4/4.2", "<rps:EuiccResponseData>6985</rps:EuiccResponseData>")
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["euicc_response"]), ("FAILED", "8.4/4.2", "6985"))

    def test_a_warning_is_an_end_that_says_why(self):
        operation = self.ordered("profiles/%s/delete" % ICCID)
        self.peer.callback(self.await_request(operation), "EXECUTED_WITHWARNING", "8.2.1/3.9")
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("EXECUTED_WITHWARNING", "8.2.1/3.9"))

    def test_deleted_is_told(self):
        self.assertEqual(self.peer.notify(GATEWAY, "HandleProfileDeletedNotification", self.eid, ICCID)[0], 202)
        rows = self.northbound(GATEWAY, "/v1/notifications?eid=" + self.eid)[1]
        self.assertEqual([(row["kind"], row["iccid"]) for row in rows], [("deleted", ICCID)])


class AtOnce(OrderCase):
    def changed(self, what, **body):
        """(its operation when it has ended, the first request)"""
        status, answer = self.put(what, **body)
        self.assertEqual(status, 202, answer)
        return self.ended(answer["operation"]), self.peer.of(answer["operation"])[0]

    def test_policy(self):
        self.peer.behaviour = self.peer.answer
        found, request = self.changed("pol2", rules=[AUTO, dict(KEEP, subject="PROFILE")])
        self.assertEqual((request.name, request.text("Eid"), request.text("Iccid"), request.reply_to),
                         ("ES4-UpdatePolicyRulesRequest", self.eid, ICCID, None))
        self.assertEqual(rules_of(request), [("PROFILE", "DISABLE", "Auto-Delete"), ("PROFILE", "DELETE", "Not-Allowed")])
        self.assertEqual((found["kind"], found["status"], found["mode"], found["rules"]),
                         ("policy", "EXECUTED_SUCCESS", "connection", [dict(AUTO, subject="PROFILE"), dict(KEEP, subject="PROFILE")]))

    def test_no_rules_are_said(self):
        self.peer.behaviour = self.peer.answer
        found, request = self.changed("pol2", rules=[])
        self.assertEqual((rules_of(request), found["rules"]), ([], []))

    def test_address(self):
        self.peer.behaviour = self.peer.answer
        found, request = self.changed("subscription-address", imsi="262010000000001", msisdn="491700000001")
        address = request.body.find("rps:newSubscriptionAddress", soap.NS)
        self.assertEqual([part.text for part in address], ["262010000000001", "491700000001"])
        self.assertEqual((found["kind"], found["address"]), ("address", {"imsi": "262010000000001", "msisdn": "491700000001"}))
        found, request = self.changed("subscription-address", msisdn="491700000002")
        self.assertEqual([part.text for part in request.body.find("rps:newSubscriptionAddress", soap.NS)], ["491700000002"])

    def test_a_refusal(self):
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "8.2.1/3.9")
        found, _ = self.changed("pol2", rules=[])
        self.assertEqual((found["status"], found["code"], found["attempt"]), ("FAILED", "8.2.1/3.9", 1))

    def test_busy_is_asked_again_when_the_card_moves(self):
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "1.2/4.4")
        operation = self.put("pol2", rules=[KEEP])[1]["operation"]
        self.await_state(operation, "waiting")
        self.peer.behaviour = self.peer.answer
        self.peer.notify(GATEWAY, "HandleProfileDeletedNotification", self.eid, ICCID)
        self.assertEqual(self.ended(operation)["status"], "EXECUTED_SUCCESS")
        self.assertEqual([r.text("FunctionCallIdentifier") for r in self.peer.of(operation)], [operation + ".1", operation + ".2"])
        self.assertEqual(rules_of(self.peer.of(operation)[1]), rules_of(self.peer.of(operation)[0]))

    def test_a_lost_answer_is_fetched_with_the_same_fci(self):
        def lost_once(request):
            if len(self.peer.of(request.text("FunctionCallIdentifier"))) == 1:
                raise ConnectionError("the answer is lost")
            return self.peer.answer(request)
        self.peer.behaviour = lost_once
        found, _ = self.changed("subscription-address", imsi="26201")
        self.assertEqual((found["status"], found["attempt"]), ("EXECUTED_SUCCESS", 1))
        self.assertEqual([r.text("FunctionCallIdentifier") for r in self.peer.of(found["operation"])], [found["operation"] + ".1"] * 2)

    def test_what_is_wrong_is_named(self):
        for what, body, name in (("pol2", {}, "rules"), ("pol2", {"rules": {}}, "rules"), ("pol2", {"rules": [{"action": "DELETE"}]}, "rules[0]"),
                                 ("pol2", {"rules": [KEEP, KEEP]}, "rules[1]"), ("pol2", {"rules": [], "mode": "connection"}, "mode"),
                                 ("pol2", {"rules": [{"action": "DELETE", "qualification": "Auto-Delete"}]}, "rules[0]"),
                                 ("subscription-address", {}, "imsi"), ("subscription-address", {"imsi": "x"}, "imsi"),
                                 ("subscription-address", {"msisdn": "12"}, "msisdn"), ("subscription-address", {"rules": []}, "rules")):
            with self.subTest(what=what, body=body):
                status, answer = self.put(what, **body)
                self.assertEqual((status, answer["error"]["code"]), (400, "invalid_parameter"))
                self.assertIn(name, answer["error"]["message"])
        self.assertEqual(self.put("pol3", rules=[])[0], 404)
        self.assertEqual(self.order("profiles/%s/pol2" % ICCID, rules=[])[0], 404)
        self.assertEqual(self.order("profiles/12/pol2", method="PUT", rules=[])[0], 400)
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "0")

    def test_a_key_is_one_operation(self):
        key = {"Idempotency-Key": new_id()}
        first = self.put("pol2", rules=[KEEP], headers=key)
        self.assertEqual((first, first[0]), (self.put("pol2", rules=[KEEP], headers=key), 202))
        self.assertEqual(self.put("pol2", rules=[AUTO], headers=key)[0], 409)
        self.assertEqual(self.put("subscription-address", imsi="26201", headers=key)[0], 409)

    def test_a_reader_changes_nothing(self):
        reader = self.rspctl.token_create(self.admin(GATEWAY), "r" + new_id(), "reader")["token"]
        for what, body in (("pol2", {"rules": []}), ("subscription-address", {"imsi": "26201"})):
            self.assertEqual(self.put(what, token=reader, **body)[0], 403)

    @full
    def test_an_m2m_sp_has_no_policies(self):
        with self.running_with(GATEWAY, ROLE="m2m-sp"):
            self.peer.register(GATEWAY)
            status, answer = self.put("pol2", rules=[])
            self.assertEqual((status, answer["error"]["code"]), (403, "forbidden"))
            self.assertEqual(self.put("subscription-address", imsi="26201")[0], 202)


class Rspctl(OrderCase):
    def test_all_of_them(self):
        words = self.staging.gateway_words(GATEWAY)
        self.peer.behaviour = self.peer.answer
        for order, more in ((self.rspctl.profile_disable, {"mode": "connection"}), (self.rspctl.profile_delete, {"mode": "connection"}),
                            (self.rspctl.profile_policy, {"rules": ["DISABLE:Auto-Delete"]}), (self.rspctl.profile_policy, {}),
                            (self.rspctl.profile_address, {"imsi": "26201"})):
            done = order(words, self.eid, ICCID, wait_s=30, **more)
            self.assertEqual((done["state"], done["status"]), ("ended", "EXECUTED_SUCCESS"))
        rows = self.rspctl.operations(words, eid=self.eid)
        self.assertEqual([row["kind"] for row in rows], ["address", "policy", "policy", "delete", "disable"])
        self.assertEqual([row["rules"] for row in rows[1:3]], [[], [dict(AUTO, subject="PROFILE")]])
        self.assertRegex(self.rspctl.text(*words, "operation", "show", rows[2]["operation"]), "rule +DISABLE:Auto-Delete")

    def test_what_is_wrong(self):
        words = self.staging.gateway_words(GATEWAY)
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "8.2.3/3.8")
        for code, says, more in ((2, "ACTION:QUALIFICATION", ("policy", self.eid, ICCID, "DISABLE")), (2, "--imsi", ("address", self.eid, ICCID)),
                                 (1, "rules.0.", ("policy", self.eid, ICCID, "DISABLE:Never")), (2, "ICCID", ("delete", self.eid, "12")),
                                 (1, "ES4-DeleteProfile", ("delete", self.eid, ICCID, "--mode", "connection", "--wait", "30"))):
            with self.subTest(more=more):
                got, output = self.rspctl.call(*words, "profile", *more)
                self.assertEqual(got, code, output)
                self.assertRegex(json.dumps(json.loads(output)["error"]), says)
