# SPDX-License-Identifier: Apache-2.0
"""ES4.EnableProfile from the order to the card's own word (SGP.02 3.2, 4.1.1.1): success, roll-back, too late, refusals, busy."""
import json

from tests.e2e.cards.card_case import CHANGED, ENABLED, FIRST_ATTACH, ROLLED_BACK, SUCCESS, CardCase

TAKEN = 2  # enum procedure_state: the card said 9000
STEPS = ("ES5 trigger", "ES5 session", "ES5 script", "ES5 answer", "ES5 notification", "ES5 confirmation", "ES5 answer")


class Enable(CardCase):
    def test_success(self):
        card = self.card()
        self.succeeds(card)
        self.assertEqual(card.now["switches"], 1)
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED])
        self.assertEqual(card.sql("select requester, status, subject, iccid from audit_trail where eid = '{eid}' and operation = 512"),
                         "%s|0||%s" % (self.oid("operator-b"), card.b))
        self.assertEqual((card.last_audit(), card.uncertain()), ("", False))
        self.await_told(card, [("disabled", card.a)], [])
        self.await_events(card, enabled=1, disabled=1, ended=1)

    def order_of_steps(self, card, steps):
        """Each step stands in the journal behind the one before; where the last one stands."""
        rows = card.journal()
        names = [row["function"] for row in rows]
        at = names.index("ES4-EnableProfile")
        for step in steps:
            self.assertIn(step, names[at + 1:], "%s is not behind what goes before it: %s" % (step, names))
            at = names.index(step, at + 1)
        return rows[at:]

    def test_the_journal_of_an_answer_by_callback(self):
        card = self.card()
        status, answer = self.northbound("operator-b", "/v1/euiccs/%s/profiles/%s/enable" % (card.eid, card.b), "POST",
                                         json.dumps({"mode": "callback"}))
        self.assertEqual(status, 202, answer)
        status, ended = self.northbound("operator-b", "/v1/operations/%s?wait=30" % answer["operation"], timeout=60)
        self.assertEqual((status, ended["status"]), (200, "EXECUTED_SUCCESS"), ended)
        self.order_of_steps(card, STEPS + ("ES4-EnableProfileResponse",))
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED])

    def test_the_network_refuses_the_new_profile(self):
        card = self.card()
        card.hook("refuse-attach", card.b, times=0)
        self.expect(self.enable(card), ("FAILED", "8.2.1/4.2"))
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
        self.assertEqual((card.now["switches"], card.trail()), (2, [FIRST_ATTACH, ROLLED_BACK, ENABLED]))
        self.assertEqual(card.sql("select status, subject, reason from audit_trail where eid = '{eid}' and operation = 512"), "2|8.2.1|4.2")
        self.assertEqual((card.told("operator-a"), card.told("operator-b")), ([], []))
        # Once it takes it, the same order is good.
        card.unhook("refuse-attach")
        self.await_true(card.idle, "the card is not idle")
        self.succeeds(card)

    def test_a_notification_that_is_too_late_is_not_confirmed(self):
        card = self.card()
        card.hook("delay-notification", "10000")
        call = self.enabling(card)
        taken = "select count(*) from procedure where eid = '{eid}' and state = %d" % TAKEN
        self.await_true(lambda: card.sql(taken) == "1", "the card does not take it on")
        # However slow the machine is: only now the deadline passes.
        card.sql("update procedure set deadline = now() where eid = '{eid}' and ended_at is null")
        self.expect(call.value(), ("EXPIRED", "1.6/5.4"))
        self.assertEqual(card.notes(), [(FIRST_ATTACH, True, 1)])  # its word is still to come
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.b))
        self.await_true(lambda: card.now["switches"] == 2 and card.idle(), "the card does not go back")
        notes = card.notes()
        self.assertEqual([(kind, confirmed) for kind, confirmed, _ in notes], [(FIRST_ATTACH, True), (CHANGED, False), (ROLLED_BACK, True)])
        self.assertGreater(notes[1][2], 1)
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
        self.assertEqual(card.trail(), [FIRST_ATTACH, ENABLED, ROLLED_BACK])
        self.assertEqual((card.told("operator-a"), card.told("operator-b")), ([], []))
        self.succeeds(card)

    def test_a_late_notification_answers_a_newer_enable(self):
        card = self.card()
        card.hook("delay-notification", "5000")
        self.expect(self.enable(card, validity=3), ("EXPIRED", "1.6/5.4"))
        self.succeeds(card)
        self.assertEqual((card.now["switches"], card.scripts()), (1, ["EnableProfile"]))
        self.assertEqual(card.trail(), [FIRST_ATTACH, ENABLED, CHANGED, ENABLED])
        self.await_told(card, [("disabled", card.a)], [])

    def test_a_card_that_is_off(self):
        card = self.card()
        card.power(False)
        self.expect(self.enable(card, validity=3), ("EXPIRED", "1.6/5.3"))
        card.power(True)
        self.await_true(card.idle, "the card is not idle")
        self.assertEqual((card.now["switches"], card.scripts(), card.uncertain()), (0, [], False))

    def test_pol2_refuses(self):
        card = self.card()
        card.sql("update profile set pol2 = '\\x000100' where eid = '{eid}' and iccid = '{iccid}'", iccid=card.a)
        self.refused(card, "8.2.3/3.8")
        card.sql("update profile set pol2 = '' where eid = '{eid}' and iccid = '{iccid}'", iccid=card.a)
        card.sql("update profile set pol2 = '\\x000000' where eid = '{eid}' and iccid = '{iccid}'", iccid=card.b)
        self.refused(card, "8.2.3/3.8")
        card.sql("update profile set pol2 = '' where eid = '{eid}' and iccid = '{iccid}'", iccid=card.b)
        self.succeeds(card)

    def test_pol1_refuses(self):
        card = self.card_whose_profile_stays()
        self.expect(self.enable(card), ("FAILED", "8.2.2/3.8"))
        self.assertEqual((card.enabled(), card.now["switches"], card.scripts()), (card.a, 0, ["EnableProfile"]))
        self.assertEqual(card.trail(), [FIRST_ATTACH, ENABLED])
        self.assertFalse(card.uncertain())

    def card_whose_profile_stays(self):
        """POL1 is on the card alone; the EUM gives it to no enabled profile."""
        batch, eids = self.batch_of(self.order_of("pol1", 1))
        self.rewrite_batch(batch, '"pol1":["delete-not-allowed"]', '"pol1":["delete-not-allowed","disable-not-allowed"]')
        self.staging.load_cards()
        return self.attach(self.card_of(eids[0]))

    def test_busy(self):
        card = self.card()
        card.power(False)
        first = self.enabling(card)
        self.expect(self.enable(card), ("FAILED", "1.2/4.4"))
        self.expect(self.audit(card), ("FAILED", "1.2/4.4"))
        card.power(True)
        self.expect(first.value(), SUCCESS)
        self.assertEqual((card.now["switches"], card.scripts()), (1, ["EnableProfile"]))

    def test_what_cannot_be_enabled(self):
        card, other = self.card(), self.take()
        self.refused(card, "8.2.1/1.2", iccid=card.a, client="operator-a")  # it is enabled
        self.refused(card, "8.2.1/1.2", iccid=card.b, client="operator-a")  # somebody else's
        self.refused(card, "8.2.1/3.9", iccid="89880000000000000013")
        self.refused(card, "8.2.1/3.9", iccid=other.b)
