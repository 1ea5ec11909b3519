# SPDX-License-Identifier: Apache-2.0
"""ES4.AuditEIS (SGP.02 3.9, 5.5): the card's own list, and an EIS that was wrong."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import AUDITED, FELL_BACK, FIRST_ATTACH, SUCCESS, CardCase
from tests.e2e.soap import NS


def texts(answer, name):
    return [e.text for e in answer.body.iter("{%s}%s" % (NS["rps"], name))]


class Audit(CardCase):
    def test_the_answer(self):
        card = self.card()
        self.assertEqual(card.last_audit(), "")
        answer = self.audit(card)
        self.expect(answer, SUCCESS)
        self.assertEqual(texts(answer, "Iccid"), [card.a])  # operator-b's is not operator-a's business
        self.assertEqual(texts(answer, "State"), ["Enabled"])
        self.assertEqual(texts(answer, "RemainingMemory"), [card.sql("select remaining_memory from eis_state where eid = '{eid}'")])
        self.assertEqual(len(texts(answer, "LastAuditDate")), 1)
        self.assertNotEqual(card.last_audit(), "")
        self.assertEqual((card.scripts(), card.trail()), (["GetStatus"], [FIRST_ATTACH, AUDITED]))
        self.assertEqual(card.now["switches"], 0)

    def test_named_profiles(self):
        card = self.card()
        self.assertEqual(texts(self.audit(card, card.b, client="operator-b"), "Iccid"), [card.b])
        scripts = card.scripts()
        for iccid in (card.a, "89880000000000000013"):
            answer = self.audit(card, iccid, client="operator-b")
            self.expect(answer, ("FAILED", "8.2.1/3.9"))
            self.assertEqual(answer.subject_identifier, iccid)
        self.assertEqual(card.scripts(), scripts)

    @full
    def test_a_card_that_falls_back_says_so(self):
        card = self.card()
        self.succeeds(card)
        self.await_true(card.idle, "the card is not idle")
        self.staging.cards.coverage_lost(card.eid)
        self.await_true(lambda: card.enabled() == card.a, "the EIS does not follow")
        self.await_true(card.idle, "the fall-back is not confirmed")
        self.assertEqual((card.trail()[-1], card.now["switches"]), (FELL_BACK, 2))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [("disabled", card.b)])

    def test_what_a_card_could_not_say_an_audit_finds(self):
        card = self.card()
        self.succeeds(card)
        self.await_true(card.idle, "the card is not idle")
        card.hook("drop-notification", times=0)
        self.staging.cards.coverage_lost(card.eid)
        self.await_true(lambda: card.now["given_up"], "the card does not give up")
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.a))
        answer = self.audit(card)
        self.expect(answer, SUCCESS)
        self.assertEqual((texts(answer, "State"), card.enabled()), (["Enabled"], card.a))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [("disabled", card.b)])
        card.unhook("drop-notification")

    def test_states_that_the_eis_had_wrong(self):
        card = self.card()
        card.sql("update profile set state = 3 - state, fallback = true, allocated_memory = 1 where eid = '{eid}'")
        card.sql("update eis_state set remaining_memory = 1 where eid = '{eid}'")
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual(card.sql("select state, fallback, allocated_memory from profile where eid = '{eid}' order by isdp_aid").split(),
                         ["2|t|4096", "1|f|4096"])
        self.assertEqual(card.sql("select remaining_memory from eis_state where eid = '{eid}'"), str(65536 - 2 * 4096))
