# SPDX-License-Identifier: Apache-2.0
"""The same orders through the SM-DP (ES2, ES3) and straight to the SM-SR (ES4): the same EIS, the same notifications, the same card, step by
step; and whose orders an SM-DP does not carry (decisions.md D1)."""
import json
import re

from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, SMDP, DownloadCase
from tests.e2e.stock.stock_case import luhn

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
SIGNED = ("signed_info", "signature")  # of the EUM, about this very card


class Side:
    """A card, the profile that its operator got there, and the way its orders take. Numbers of the card's own have names."""

    def __init__(self, case, via):
        self.case, self.via = case, via
        self.card, self.row = case.card(), case.row()
        case.installed(self.card, self.row)
        values = self.row.values
        self.iccid = values["ICCID"]
        self.names = {self.card.eid: "EID", self.card.a: "A", self.card.b: "B", values["ICCID"]: "IT", values["IMSI"]: "IMSI", values["MSISDN"]: "MSISDN"}
        for letter, iccid in (("A", self.card.a), ("B", self.card.b)):
            imsi, msisdn = self.card.sql("select imsi, msisdn from profile where iccid = '{iccid}'", iccid=iccid).split("|")
            self.names.update({imsi: letter + "-IMSI", msisdn: letter + "-MSISDN"})

    def filled(self, word):
        return {"IT": self.iccid, ("IT",): (self.iccid,)}.get(word, word)

    def named(self, text):
        for number, name in self.names.items():
            text = text.replace(number, name)
        return TIME.sub("TIME", text)

    def order(self, function, *more, **rest):
        """(status, code)"""
        words = self.case.staging.gateway_words(GATEWAY)
        known = {"validity_s": 60, "via": self.via} if self.via else {"validity_s": 60}
        found = getattr(self.case.rspctl, function)(words, self.card.eid, *more, **known, **rest)
        return self.case.outcome(self.case.ended(found["operation"]))

    def rows(self, sql):
        return self.named(self.card.sql(sql))

    def seen(self, operator):
        """The EIS at an operator's gateway."""
        eis = self.case.rspctl.eis_get(self.case.staging.gateway_words(operator), self.card.eid)
        return json.loads(self.named(json.dumps({key: value for key, value in eis.items() if key not in SIGNED})))

    def told(self, operator):
        rows = self.case.psql(operator.replace("-", "_"), "select kind, iccid, interface from notification where eid = '%s' order by id" % self.card.eid)
        return sorted(self.named(rows).split())

    def view(self):
        now = self.card.now
        return {
            "profiles": self.rows("select iccid, isdp_aid, mno, fallback, imsi, msisdn, state, smdp, profile_type, allocated_memory, free_memory, pol2"
                                  " from profile where eid = '{eid}' order by isdp_aid").split("\n"),
            "numbers": self.rows("select msisdn, iccid from msisdn where eid = '{eid}' order by 1, 2").split("\n"),
            "state": self.rows("select remaining_memory, last_audit is null, uncertain, auto_delete from eis_state where eid = '{eid}'"),
            "trail": self.rows("select operation, status, subject, reason, isdp_aid, iccid from audit_trail where eid = '{eid}' order by id").split("\n"),
            "eis": {operator: self.seen(operator) for operator in ("operator-a", "operator-b")},
            "told": {operator: self.told(operator) for operator in ("operator-a", "operator-b")},
            "card": [self.named(str(now["enabled"])), self.card.scripts(), [(self.named(p["iccid"]), p["state"]) for p in now["profiles"]],
                     now["switches"], now["remaining_memory"]],
        }

    def settled(self):
        return self.card.idle() and not self.card.busy() and self.card.sql("select count(*) from outbox where eid = '{eid}'") == "0"


class Same(DownloadCase):
    def both(self, name, outcome, function, *more, **rest):
        """The step on both sides; what both then look like. "IT": the profile."""
        answers, views = [], []
        for side in self.sides:
            answers.append(side.order(function, *[side.filled(word) for word in more], **rest))
        for side in self.sides:
            self.await_true(side.settled, "%s: something is under way" % name, 30)
            views.append(side.view())
        self.assertEqual(answers, [outcome, outcome], name)
        self.assertEqual(views[1], views[0], name)
        return views[0]

    @full
    def test_step_by_step(self):
        self.sides = (Side(self, None), Side(self, self.via))
        begun = self.both("audit", SUCCESS, "eis_audit")
        self.assertEqual([row.split("|")[0] for row in begun["profiles"]], ["A", "B", "IT"])
        enabled = self.both("enable", SUCCESS, "profile_enable", "IT")
        self.assertEqual((enabled["card"][0], enabled["told"]), ("IT", {"operator-a": [], "operator-b": []}))
        self.both("enable again", ("FAILED", "8.2.1/1.2"), "profile_enable", "IT")
        self.both("no disabling", SUCCESS, "profile_policy", "IT", ("DISABLE:Not-Allowed",))
        self.both("disable, forbidden", ("FAILED", "8.2.3/3.8"), "profile_disable", "IT")
        self.both("no deleting", SUCCESS, "profile_policy", "IT", ("DELETE:Not-Allowed",))
        disabled = self.both("disable", SUCCESS, "profile_disable", "IT")
        self.assertEqual(disabled["card"][0], "A")
        self.both("delete, forbidden", ("FAILED", "8.2.3/3.8"), "profile_delete", "IT")
        moved = self.both("address", SUCCESS, "profile_address", "IT", msisdn="881700000000042")
        self.assertIn("881700000000042|IT", moved["numbers"])
        self.both("no rules", SUCCESS, "profile_policy", "IT")
        self.both("audit of one", SUCCESS, "eis_audit", ("IT",))
        gone = self.both("delete", SUCCESS, "profile_delete", "IT")
        self.assertEqual(len(gone["profiles"]), 2)
        self.both("enable what is gone", ("FAILED", "8.2.1/3.9"), "profile_enable", "IT")
        # They did not take the same way.
        asked = [side.card.sql("select distinct requester from audit_trail where eid = '{eid}' and operation = 512") for side in self.sides]
        self.assertEqual(asked, [self.mno, self.oid(SMDP)])


class Owners(DownloadCase):
    """Relayed is what an operator orders for its own profile: by the SM-DP's stock, else by a fresh EIS."""
    ORDERS = (("profile_enable",), ("profile_disable",), ("profile_delete",), ("profile_policy", ("DISABLE:Not-Allowed",)), ("profile_address",))

    def relayed(self, operator, card, iccid, function, *more):
        words = self.staging.gateway_words(operator)
        rest = {"msisdn": "881700000000043"} if function == "profile_address" else {}
        return self.ended(getattr(self.rspctl, function)(words, card.eid, iccid, *more, validity_s=30, via=self.via, **rest)["operation"], words=words)

    def traces(self, card):
        return (card.now["commands"], card.now["profiles"], card.scripts(), card.trail(),
                card.sql("select (select count(*) from procedure where eid = '{eid}'), (select count(*) from card_command where eid = '{eid}'),"
                         " (select string_agg(iccid || encode(pol2, 'hex') || coalesce(msisdn, ''), ' ' order by iccid) from profile where eid = '{eid}')"))

    def refused(self, operator, card, iccid, code):
        before = self.traces(card)
        for function, *more in self.ORDERS:
            with self.subTest(operator=operator, function=function):
                found = self.relayed(operator, card, iccid, function, *more)
                self.assertEqual(self.outcome(found), ("FAILED", code), found)
        self.assertEqual(self.traces(card), before)

    def audit(self, operator, card, *iccids):
        words = self.staging.gateway_words(operator)
        return self.ended(self.rspctl.eis_audit(words, card.eid, iccids, validity_s=30, via=self.via)["operation"], words=words)

    def test_a_profile_in_the_stock_of_another(self):
        card, row = self.card(), self.row()
        self.installed(card, row)
        self.refused("operator-b", card, row.values["ICCID"], "8.2.1/1.2")
        before = self.traces(card)
        found = self.audit("operator-b", card, row.values["ICCID"])
        self.assertEqual(self.outcome(found), ("FAILED", "8.2.1/1.2"), found)
        self.assertEqual(self.traces(card), before)
        self.whole(card, row)

    @full
    def test_a_profile_of_another_by_a_fresh_eis(self):
        card = self.card()
        self.refused("operator-b", card, card.a, "8.2.1/1.2")
        self.refused("operator-a", card, card.b, "8.2.1/1.2")
        self.refused("operator-a", card, luhn("898899970000000000"), "8.2.1/3.9")
        # Its owner now: nothing is remembered.
        move = "update profile set mno = '{mno}' where eid = '{eid}' and iccid = '{iccid}'"
        card.sql(move, mno=self.oid("operator-b"), iccid=card.a)
        found = self.relayed("operator-b", card, card.a, "profile_policy")
        self.assertEqual(self.outcome(found), SUCCESS, found)
        self.refused("operator-a", card, card.a, "8.2.1/1.2")
        card.sql(move, mno=self.oid("operator-a"), iccid=card.a)
        found = self.relayed("operator-a", card, card.a, "profile_policy")
        self.assertEqual(self.outcome(found), SUCCESS, found)
