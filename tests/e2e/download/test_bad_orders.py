# SPDX-License-Identifier: Apache-2.0
"""Downloads that are refused before anything reaches the card: the order, the stock, the numbers, the memory (procedures.md 3.3, 5.4)."""
import json

from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, SMDP, DownloadCase
from tests.e2e.helpers import Background
from tests.e2e.smsr import Peer
from tests.e2e.soap import Answer, envelope, new_id
from tests.e2e.stock.stock_case import MEMORY, luhn

NOBODY = "1.3.6.1.4.1.99999.4711"
FREE = ("available", False)
EID = "89001012012341234012345678901224"  # of no card here


class BadOrder(DownloadCase):
    def ask(self, eid, more, smsr=None, client=GATEWAY):
        """ES2.DownloadProfile by hand: the answer on the connection."""
        body = ("<rps:ES2-DownloadProfileRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:ValidityPeriod>30"
                "</rps:ValidityPeriod><rps:Eid>%s</rps:Eid><rps:SmSr-id>%s</rps:SmSr-id>%s<rps:EnableProfile>false</rps:EnableProfile>"
                "</rps:ES2-DownloadProfileRequest>" % (new_id(), eid, smsr or self.oid("sm-sr"), more))
        action = "http://gsma.com/ES2/ProfileManagement/ES2-DownloadProfile"
        return Answer(self.soap_call(SMDP, client, "/es2", envelope(self.oid(client), self.oid(SMDP), action, body), timeout=60))

    @staticmethod
    def by(iccid=None, profile_type=None):
        return ("<rps:ProfileType>%s</rps:ProfileType>" % profile_type if profile_type else "") + ("<rps:Iccid>%s</rps:Iccid>" % iccid if iccid else "")

    def failed(self, found, code):
        """An operation of the gateway."""
        self.assertEqual(self.outcome(found), ("FAILED", code), found)

    def untouched(self, card, commands):
        self.assertEqual((card.now["commands"], card.scripts(), card.busy()), (commands, [], False))


class Orders(BadOrder):
    @full
    def test_what_is_not_in_the_stock(self):
        card, row = self.card(), self.row()
        commands = card.now["commands"]
        self.make_type("nothing-of-it")
        unknown = luhn(row.values["ICCID"][:-2] + "9")
        for more, code, subject in ((self.by(profile_type="no-such-type"), "8.2.5/3.9", "no-such-type"),
                                    (self.by(profile_type="nothing-of-it"), "8.2.5/3.7", "nothing-of-it"),
                                    (self.by(iccid=unknown), "8.2.1/3.9", unknown),
                                    (self.by(iccid=row.values["ICCID"], profile_type="no-such-type"), "8.2.5/3.9", "no-such-type"),
                                    (self.by(iccid=row.values["ICCID"], profile_type="nothing-of-it"), "1.6/2.1", "ProfileType"),
                                    (self.by(), "1.6/2.3", "ProfileType")):
            with self.subTest(more=more):
                answer = self.ask(card.eid, more)
                self.expect(answer, ("FAILED", code))
                self.assertEqual(answer.subject_identifier, subject)
        answer = self.ask(card.eid, self.by(iccid=row.values["ICCID"]), client="operator-b")  # operator-a's
        self.expect(answer, ("FAILED", "8.2.1/3.9"))
        self.untouched(card, commands)
        self.assertEqual(self.stock_of(row), FREE + (None,))

    def test_who_is_no_operator(self):
        """The certificate of another role."""
        card, row = self.card(), self.row()
        commands = card.now["commands"]
        for client in ("sm-sr", "eum"):
            with self.subTest(client=client):
                self.expect(self.ask(card.eid, self.by(iccid=row.values["ICCID"]), client=client), ("FAILED", "1.1/1.2"))
        self.untouched(card, commands)
        self.assertEqual(self.stock_of(row), FREE + (None,))

    @full
    def test_who_is_no_sm_sr_tells_nothing(self):
        """ES3 of an SM-DP is for SM-SRs; that of an SM-SR is not for them."""
        row = self.row()
        told = ("<rps:ES3-HandleProfileEnabledNotification><rps:Eid>%s</rps:Eid><rps:Iccid>%s</rps:Iccid><rps:Mno-id>%s</rps:Mno-id>"
                "<rps:CompletionTimestamp>2026-01-15T09:30:00Z</rps:CompletionTimestamp></rps:ES3-HandleProfileEnabledNotification>"
                % (EID, row.values["ICCID"], self.mno))
        for client in ("eum", "operator-a"):
            with self.subTest(client=client):
                text = envelope(self.oid(client), self.oid(SMDP), "http://gsma.com/ES3/PlatformManagement/ES3-HandleProfileEnabledNotification", told)
                answer = Answer(self.soap_call(SMDP, client, "/es3", text))
                self.assertEqual((answer.http, answer.fault[0]), (400, "Sender"), answer.raw)
        self.assertEqual(self.psql("sm_dp", "select count(*) from outbox where eid = '%s'" % EID), "0")
        self.assertEqual(self.psql("operator_a", "select count(*) from notification where eid = '%s'" % EID), "0")
        asked = ("<rps:ES3-GetEISRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid></rps:ES3-GetEISRequest>"
                 % (new_id(), EID))
        for client, code in (("eum", "1.1/1.2"), ("sm-sr", "1.1/1.2"), (SMDP, "8.1.1/1.1")):
            with self.subTest(client=client):
                text = envelope(self.oid(client), self.oid("sm-sr"), "http://gsma.com/ES3/ProfileManagement/ES3-GetEIS", asked)
                self.expect(Answer(self.soap_call("sm-sr", client, "/es3", text)), ("FAILED", code))


class Elsewhere(BadOrder):
    def knows(self, eid, smsr):
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", json.dumps({"smsr": smsr}))[0], 200)

    def order(self, eid, row):
        found = self.rspctl.download(self.words, eid, iccid=row.values["ICCID"], validity_s=30, via=self.via)
        return self.ended(found["operation"])

    def test_an_eid_that_nobody_has(self):
        row = self.row()
        self.knows(EID, self.oid("sm-sr"))
        self.failed(self.order(EID, row), "8.1.1/1.1")
        self.assertEqual(self.stock_of(row)[:2], FREE)

    @full
    def test_a_card_of_another_sm_sr(self):
        """It does not know ours, and ours does not know its."""
        card, row = self.card(), self.row()
        commands = card.now["commands"]
        peer = Peer(self, "sm-sr-b", "ES3")
        peer.start()
        self.addCleanup(peer.stop)
        peer.register(SMDP)
        peer.behaviour = lambda r: peer.answer(r, "FAILED", "8.1.1/1.1")
        answer = self.ask(card.eid, self.by(iccid=row.values["ICCID"]), smsr=peer.oid)
        self.expect(answer, ("FAILED", "8.1.1/1.1"))
        self.assertEqual([r.name for r in peer.requests], ["ES3-GetEISRequest"])
        self.assertEqual(self.stock_of(row)[:2], FREE)
        # An SM-SR that answers without an EIS, and one that nobody knows.
        peer.behaviour = peer.answer
        self.expect(self.ask(card.eid, self.by(iccid=row.values["ICCID"]), smsr=peer.oid), ("FAILED", "1.2/4.2"))
        answer = self.ask(card.eid, self.by(iccid=row.values["ICCID"]), smsr=NOBODY)
        self.expect(answer, ("FAILED", "8.7/3.9"))
        self.assertEqual(answer.subject_identifier, NOBODY)
        self.assertEqual(self.stock_of(row)[:2], FREE)
        self.untouched(card, commands)


class Numbers(BadOrder):
    """One ICCID is on one card, once."""

    @full
    def test_ordered_twice(self):
        card, other, row, second = self.card(), self.card(), self.row(), self.row()
        commands, iccid = other.now["commands"], row.values["ICCID"]
        # It waits for its card, in nobody's transaction: who only finds a row locked is told busy.
        card.power(False)
        call = Background(self.download, card, row)
        self.await_true(lambda: card.sql("select count(*) from card_command where eid = '{eid}' and state = 0") == "1", "no ISD-P is ordered")
        answer = self.ask(other.eid, self.by(iccid=iccid))
        self.expect(answer, ("FAILED", "8.2.1/3.3"))
        self.assertEqual(answer.subject_identifier, iccid)
        self.expect(self.ask(card.eid, self.by(iccid=second.values["ICCID"])), ("FAILED", "1.2/4.4"))  # one download per card
        card.power(True)
        self.assertEqual(self.stock_of(second)[:2], FREE)
        self.assertEqual(self.outcome(call.value(90)), SUCCESS)
        self.number(card, row)
        for where in (card, other):
            self.expect(self.ask(where.eid, self.by(iccid=iccid)), ("FAILED", "8.2.1/3.3"))
        self.untouched(other, commands)
        self.whole(card, row)
        self.assertEqual(card.now["installs"], 1)

    @full
    def test_what_the_stock_forgot_the_eis_knows(self):
        """A stock that was restored from a copy: the card has the profile, another card may not get it."""
        card, other, row = self.card(), self.card(), self.row()
        self.installed(card, row)
        commands, scripts, others = card.now["commands"], card.scripts(), other.now["commands"]
        memory = self.memory(other)
        self.psql("sm_dp", "update stock set state = 0, sent = false, eid = null where iccid = '%s'" % row.values["ICCID"])
        self.failed(self.download(card, row), "8.2.1/3.3")                       # by the EIS of the card
        self.assertEqual((card.now["commands"], card.scripts()), (commands, scripts))
        self.assertEqual(self.stock_of(row)[:2], FREE)
        self.failed(self.download(other, row), "8.2.1/3.3")                      # by the SM-SR, which has it on another card
        self.untouched(other, others)
        self.nothing_left(other, row, memory, FREE)
        self.assertEqual(self.on_card(card, row)["digest"], self.digest(row))
        self.psql("sm_dp", "update stock set state = 2, sent = true, eid = '%s' where iccid = '%s'" % (card.eid, row.values["ICCID"]))

    @full
    def test_what_the_eis_has_wrong_the_card_knows(self):
        """Its own header names an ICCID that the card has: the new ISD-P goes again, the old one stays."""
        _, (eid,) = self.batch_of(self.order_of("room-for-two", 1, memory=2 * 65536))
        self.staging.load_cards()
        card, row = self.attach(self.card_of(eid)), self.row()
        self.installed(card, row)
        memory, wrong = self.memory(card), luhn(row.values["ICCID"][:-2] + "8")
        rename = "update {table} set iccid = '%s' where iccid = '%s'"
        for table in ("profile", "iccid", "msisdn"):
            self.psql("sm_sr", rename.format(table=table) % (wrong, row.values["ICCID"]))
        self.psql("sm_dp", "update stock set state = 0 where iccid = '%s'" % row.values["ICCID"])
        found = self.download(card, row)
        self.failed(found, "8.4/4.2")
        self.assertEqual(self.in_eis(card, row), "")
        for table in ("profile", "iccid", "msisdn"):
            self.psql("sm_sr", rename.format(table=table) % (row.values["ICCID"], wrong))
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a, card.b, row.values["ICCID"]])
        self.assertEqual((self.on_card(card, row)["digest"], self.memory(card)), (self.digest(row), memory))
        self.assertEqual(self.stock_of(row), ("quarantined", True, card.eid))
        self.psql("sm_dp", "update stock set state = 2 where iccid = '%s'" % row.values["ICCID"])


class Memory(BadOrder):
    @full
    def test_more_than_the_eis_says(self):
        card, row = self.card(), self.row()
        commands, memory = card.now["commands"], self.memory(card)
        card.sql("update eis_state set remaining_memory = {less} where eid = '{eid}'", less=MEMORY - 1)
        found = self.download(card, row)
        self.failed(found, "8.1/4.8")
        self.untouched(card, commands)
        self.assertEqual(self.stock_of(row)[:2], FREE)
        card.sql("update eis_state set remaining_memory = {right} where eid = '{eid}'", right=memory[0])
        self.installed(card, row)

    @full
    def test_more_than_the_card_has(self):
        """The EIS is wrong; the card itself has no room for a second one, and says 6A84."""
        card, first, row = self.card(), self.row(), self.row()
        self.installed(card, first)
        left = self.memory(card)[1]
        self.assertLess(left, MEMORY)
        card.sql("update eis_state set remaining_memory = {wrong} where eid = '{eid}'", wrong=MEMORY)
        found = self.download(card, row)
        self.failed(found, "8.1/4.8")
        self.assertIn("6A84", found["message"])
        self.assertEqual((self.on_card(card, row), self.in_eis(card, row), card.now["creates"]), (None, "", 1))
        self.assertEqual(self.memory(card), (MEMORY, left))
        self.assertEqual(self.stock_of(row)[:2], FREE)
        self.assertEqual(card.sql("select count(*) from iccid where iccid = '{iccid}'", iccid=row.values["ICCID"]), "0")
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual(*self.memory(card))
        self.whole(card, first)
