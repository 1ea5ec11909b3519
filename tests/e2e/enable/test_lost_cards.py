# SPDX-License-Identifier: Apache-2.0
"""A card that is switched off in the midst of its script (decisions C3): nobody knows what it did, so it is asked before anything else."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import CHANGED, ENABLED, FIRST_ATTACH, NEEDS, SUCCESS, CardCase


class LostCards(CardCase):
    def cut(self, place):
        """(card, call): it lost its power there, and the SM-SR has noticed."""
        card = self.card()
        card.hook("power-cut", place)
        call = self.enabling(card)
        self.await_true(lambda: not card.now["powered"], "the card does not lose its power")
        self.await_true(card.uncertain, "the SM-SR takes the card for well", 20)
        self.assertEqual((card.enabled(), card.scripts()), (card.a, ["EnableProfile"]))
        return card, call

    def ends_well(self, card, call):
        card.power(True)
        self.expect(call.value(), SUCCESS)
        self.await_true(card.idle, "the card is not idle")
        self.assertEqual((card.enabled(), card.now["enabled"], card.now["switches"]), (card.b, card.b, 1))
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED])
        self.await_true(lambda: not card.uncertain(), "the card stays uncertain", 20)
        self.await_told(card, [("disabled", card.a)], [])

    def test_before_the_script(self):
        card, call = self.cut("before-script")
        self.assertEqual(card.now["switches"], 0)
        self.ends_well(card, call)
        self.assertEqual(card.scripts(), ["EnableProfile", "GetStatus", "EnableProfile"])
        self.assertNotEqual(card.last_audit(), "")

    def test_after_the_script(self):
        """The card acted and could not say so: its notification is the answer, nothing is sent twice."""
        card, call = self.cut("after-script")
        self.assertEqual(card.now["switches"], 1)
        self.ends_well(card, call)
        self.assertEqual(card.scripts().count("EnableProfile"), 1)

    def test_after_the_switch(self):
        """The answer was heard; the card attaches later."""
        card = self.card()
        card.hook("power-cut", "after-switch")
        call = self.enabling(card)
        self.await_true(lambda: not card.now["powered"], "the card does not lose its power")
        self.ends_well(card, call)
        self.assertEqual(card.scripts(), ["EnableProfile"])

    def test_it_stays_away(self):
        """Expired with a script unanswered; what it did is found out when it is back, and is not wanted any more."""
        card = self.card()
        card.hook("power-cut", "before-script")
        self.expect(self.enable(card, validity=3), ("EXPIRED", "1.6/5.4"))
        self.assertTrue(card.uncertain())
        card.power(True)
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual((card.scripts(), card.now["switches"]), (["EnableProfile", "GetStatus"], 0))
        self.assertFalse(card.uncertain())
        self.succeeds(card)

    def test_the_connection_breaks_and_is_resumed(self):
        card = self.card()
        card.hook("resume")
        self.succeeds(card)
        self.assertEqual((card.scripts(), card.now["switches"]), (["EnableProfile", "EnableProfile"], 1))
        self.assertIn("resume", [row["text"].strip() for row in card.journal() if row["function"] == "ES5 session"])
        self.assertFalse(card.uncertain())


class LostByUs(CardCase):
    """A process that is killed cannot note that its cards' connections broke; when it is back it does."""
    needs = {"settings": dict(NEEDS["settings"], **{"sm-sr": dict(NEEDS["settings"]["sm-sr"], CARD_LOST_MS="600000")})}

    @full
    def test_the_sm_sr_dies_and_the_card_stays_away(self):
        card = self.card()
        card.hook("hold-answer", times=0)
        self.enabling(card)
        self.await_true(lambda: card.now["switches"] == 1, "the card does not execute its script")
        self.staging.kill("sm-sr")
        card.power(False)
        card.unhook("hold-answer")
        self.staging.start_service("sm-sr")
        self.await_true(card.uncertain, "its script is taken for one that is still executed", 20)
        card.power(True)
        self.await_true(lambda: card.enabled() == card.b and card.idle() and not card.uncertain(), "what it did is not found out")
        self.assertEqual(card.now["switches"], 1)


class LostByAReplica(CardCase):
    """One that dies and does not come back: those that live find out."""
    needs = dict(LostByUs.needs, replicas=2, balancer=True)

    @full
    def test_a_replica_dies_and_the_card_stays_away(self):
        card = self.card()
        card.hook("hold-answer", times=0)
        self.enabling(card)
        self.await_true(lambda: card.now["switches"] == 1, "the card does not execute its script")
        name = {"1": "sm-sr", "2": "sm-sr-2"}[card.sql("select replica from card_session where eid = '{eid}'")]
        self.staging.kill(name)
        try:
            card.power(False)
            card.unhook("hold-answer")
            self.await_true(card.uncertain, "its script is taken for one that is still executed", 60)
            card.power(True)
            self.await_true(lambda: card.enabled() == card.b and card.idle() and not card.uncertain(), "what it did is not found out")
        finally:
            self.staging.start_service(name)
        self.assertEqual(card.now["switches"], 1)
