# SPDX-License-Identifier: Apache-2.0
"""An operator's order on ES4 between two SendData of a download (decisions.md C1): it is told busy, or waits at its gateway; the download goes on in
its session as if nobody had asked."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, DownloadCase
from tests.e2e.helpers import Background
from tests.e2e.soap import Answer, order

BUSY = ("FAILED", "1.2/4.4")
POINTS = tuple("sm-dp.download.%s.called" % state for state in ("key_certificate", "key_request", "install"))


class Between(DownloadCase):
    def hold(self, card):
        """The next download to the card will stand between each two of its calls for it."""
        for point in POINTS:
            self.rspctl.fault(self.socket, point, "pause", card.eid)
            self.addCleanup(self.rspctl.fault, self.socket, point, "off", card.eid)

    def standing(self, point):
        self.await_true(lambda: any(f["point"] == point and f["held"] for f in self.rspctl.fault_list(self.socket)), "nothing came to " + point)

    def go_on(self, point, card):
        self.rspctl.fault(self.socket, point, "off", card.eid)

    def sessions(self, card):
        return {row["message_id"] for row in card.journal() if row["function"] == "ES5 script"}

    def ordered(self, function, card, iccid, client):
        text = order(function, self.oid(client), self.oid("sm-sr"), card.eid, iccid, validity=30)
        return Answer(self.soap_call("sm-sr", client, "/es4", text, timeout=60))

    def state(self, card):
        return (card.now["commands"], card.scripts(), card.enabled(), card.sql("select * from eid_busy where eid = '{eid}'"),
                card.sql("select iccid, state from profile where eid = '{eid}' order by 1"))

    def test_whoever_asks_is_told_busy(self):
        card, row = self.card(), self.row()
        self.hold(card)
        call = Background(self.download, card, row)
        for number, point in enumerate(POINTS):
            self.standing(point)
            before = self.state(card)
            self.expect(self.enable(card), BUSY)
            self.expect(self.enable(card, iccid=card.a, client=GATEWAY), BUSY)
            self.expect(self.enable(card, iccid=row.values["ICCID"], client=GATEWAY), BUSY)  # what is on its way
            self.expect(self.audit(card), BUSY)
            for function, iccid, client in (("DisableProfile", card.a, GATEWAY), ("DeleteProfile", card.b, "operator-b")):
                self.expect(self.ordered(function, card, iccid, client), BUSY)
            self.assertEqual(self.state(card), before)
            self.assertEqual(card.scripts(), ["CreateISDP", "EstablishISDPKeySet1", "EstablishISDPKeySet2"][:number + 1])
            self.go_on(point, card)
        self.assertEqual(self.outcome(call.value(90)), SUCCESS)
        self.whole(card, row)
        self.number(card, row)
        self.assertEqual((len(self.sessions(card)), card.now["switches"], card.now["installs"]), (1, 0, 1))
        self.assertEqual((card.told(GATEWAY), card.told("operator-b")), ([], []))
        self.await_true(card.idle, "the session does not end")
        self.succeeds(card)

    @full
    def test_what_waits_at_a_gateway_follows(self):
        """The gateway asks again until the card is free; the download does not notice."""
        card, row = self.card(), self.row()
        self.hold(card)
        call = Background(self.download, card, row)
        words = self.staging.gateway_words("operator-b")
        self.standing(POINTS[0])
        operation = self.rspctl.profile_enable(words, card.eid, card.b, validity_s=120, when="next-event")["operation"]
        self.await_true(lambda: self.rspctl.operation(words, operation)["state"] == "waiting", "it does not wait")
        before = self.state(card)
        for point in POINTS:
            self.go_on(point, card)
        self.assertEqual(self.outcome(call.value(90)), SUCCESS)
        self.assertEqual(before[2], card.a)
        found = self.rspctl.operation(words, operation, 90)
        self.assertEqual((found["state"], found["status"]), ("ended", "EXECUTED_SUCCESS"), found)
        self.number(card, row)
        self.whole(card, row)
        self.assertEqual(card.scripts(), ["CreateISDP", "EstablishISDPKeySet1", "EstablishISDPKeySet2", "SendData", "EnableProfile"])
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.b))
