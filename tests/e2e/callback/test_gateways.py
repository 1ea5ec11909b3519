# SPDX-License-Identifier: Apache-2.0
"""What leaves the SM-SR of its own accord meets real gateways (decisions.md A2, A5, A7): callbacks and notifications, also to those that
are down when the card switches."""
from tests.e2e.base import full
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase


class GatewayCase(DeferredCase):
    def told(self, gateway, eid):
        """(kind, ICCID) of the notifications of a card, as the gateway's tenants see them."""
        return [(n["kind"], n["iccid"]) for n in self.rspctl.notifications(self.staging.gateway_words(gateway), eid=eid)]

    def await_told(self, gateway, eid):
        self.await_true(lambda: self.told(gateway, eid), "%s is never told" % gateway)
        self.await_sent(eid)
        return self.told(gateway, eid)

    def await_sent(self, eid):
        self.await_true(lambda: self.count("outbox", eid) == 0, "the outbox keeps a row")


class Notifications(GatewayCase):
    def test_the_other_owner_is_told_and_the_requester_is_not(self):
        eid = self.card()
        self.assertEqual(self.enable(eid).status, SUCCESS)
        self.assertEqual(self.await_told("operator-a", eid), [("disabled", self.iccid(eid, "operator-a"))])
        self.assertEqual(self.told("operator-b", eid), [])
        # And back: now it is the other way round.
        self.assertEqual(self.enable(eid, client="operator-a").status, SUCCESS)
        self.assertEqual(self.await_told("operator-b", eid), [("disabled", self.iccid(eid, "operator-b"))])
        self.assertEqual(len(self.told("operator-a", eid)), 1)
        self.assert_switched(eid, "operator-a", 2)

    @full
    def test_to_a_gateway_that_is_down_when_the_card_switches(self):
        eid, waits = self.card(), "lane = 'peer:%s' and kind = 'ES4-HandleProfileDisabledNotification'" % self.oid("operator-a")
        with self.stopped("operator-a"):
            answer, seconds = self.timed(self.enable, eid)
            self.assertEqual(answer.status, SUCCESS)
            self.assertLess(seconds, 15)
            self.assertEqual(self.count("outbox", eid, waits), 1)
        self.assertEqual(self.await_told("operator-a", eid), [("disabled", self.iccid(eid, "operator-a"))])
        self.assert_switched(eid)


class Operations(GatewayCase):
    def order(self, eid, mode):
        return self.rspctl.profile_enable(self.staging.gateway_words("operator-b"), eid, self.iccid(eid), mode=mode)["operation"]

    def assert_ended_well(self, operation, eid):
        found = self.rspctl.operation(self.staging.gateway_words("operator-b"), operation, wait_s=40)
        self.assertEqual((found["state"], found["status"], found["attempt"]), ("ended", SUCCESS, 1))
        self.assert_switched(eid)
        self.assertEqual(self.count("procedure", eid), 1)
        self.await_sent(eid)

    def test_the_answer_comes_either_way(self):
        for mode in ("callback", "connection"):
            with self.subTest(mode=mode):
                eid = self.card()
                self.assert_ended_well(self.order(eid, mode), eid)

    def test_a_callback_waits_for_its_gateway(self):
        eid = self.card_off()
        operation = self.order(eid, "callback")
        self.await_true(lambda: self.running(eid) == 1, "the order never arrives")
        with self.stopped("operator-b"):
            self.power_on(eid)
            self.await_ended(eid)
            self.assertEqual(self.count("outbox", eid, "kind = 'ES4-EnableProfileResponse'"), 1)
        self.assert_ended_well(operation, eid)

    @full
    def test_a_gateway_that_waits_on_its_connection_asks_again_after_503(self):
        eid = self.card_off()
        operation = self.order(eid, "connection")
        self.await_parked(eid)
        self.restart("sm-sr")
        self.power_on(eid)
        self.assert_ended_well(operation, eid)
