# SPDX-License-Identifier: Apache-2.0
"""SM-SR2 dies right after the receipt, and SM-SR1's time goes by (decisions.md E1): only SM-SR2 knows whose the card is. It stays locked until
SM-SR2 is back and says so, or a person does."""
from tests.e2e.base import full
from tests.e2e.smsr_change.change_case import A, B, BUSY, DATABASES, HANDOVERS, ChangeCase
from tests.e2e.soap import Answer, get_eis

BACK_S = 70      # until a partner that was away so long is called again
VALIDITY_S = 45  # of the whole order: ES4.SMSRChange has 30 s at the least
IN_DOUBT = ("EXPIRED", "1.6/5.4")  # it was tried, and what became of it is not known
# Behind the commit point, nothing done yet; and before it: the receipt holds, but nobody will remember it.
COMMITTED, UNCOMMITTED = "sm-sr-handover.ask.adopt.taken", "sm-sr-handover.in.keying.decided"


class Doubt(ChangeCase):
    needs = dict(ChangeCase.needs, settings=dict(ChangeCase.needs["settings"], **{
        "sm-sr-handover": {"RETRY_MS": "500", "PEER_PAUSE_MS": "200"}}))

    def tearDown(self):
        try:
            if not self.staging.instances[HANDOVERS[B]].child.alive():
                self.staging.start_service(HANDOVERS[B])
        finally:
            super().tearDown()

    def changes(self, side, card):
        """Its SM-SR changes at a domain's handover service, the newest first."""
        return self.rspctl.smsr_changes(self.admin(HANDOVERS[side]), card.eid)

    def stage(self, side, card):
        return self.changes(side, card)[0]["stage"]

    def await_stage(self, side, card, *stages):
        self.await_true(lambda: self.stage(side, card) in stages, "it never is %s at %s" % (" or ".join(stages), side), BACK_S)

    def doubtful(self, point):
        """A card that went so far; SM-SR2 is dead, and the operator was told that his time is over."""
        card = self.card_at(A)
        self.is_managed(card)
        card.before, card.trail_before, card.old_keys = card.views(), card.whole_trail(), card.key_versions()
        self.rspctl.fault(self.admin(HANDOVERS[B]), point, "kill", card.eid)
        operation = self.order_change(card, B, validity_s=VALIDITY_S)
        self.assertEqual(self.staging.await_death(HANDOVERS[B], VALIDITY_S), -9)
        self.assertEqual(self.stage(A, card), "answered")
        self.resolve_too_early(card)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["stage"]), (*IN_DOUBT, "change"), self.story(card, found))
        self.assertEqual(self.stage(A, card), "doubt")
        self.locked(card)
        return card

    def locked(self, card):
        """At SM-SR1: it may be read and not commanded, and neither it nor its card changes."""
        commands = card.now["commands"]
        self.assertEqual((card.known_at(A), card.known_at(B)), (True, False))
        self.expect(self.enable(card, validity=5), BUSY)
        answer = self.change_alone(card, B)
        self.assertEqual((answer.status, answer.code), BUSY, answer.raw)
        text = get_eis(self.oid("operator-a"), self.oid(A), card.eid)
        answer = Answer(self.soap_call(A, "operator-a", "/es4", text))
        self.assertEqual((answer.status, answer.text("rps:Eis/rps:EumSignedInfo/rps:Eid")), ("EXECUTED_SUCCESS", card.eid), answer.raw)
        self.assertEqual(card.views(), card.before)
        self.assertEqual((card.whole_trail(), card.now["commands"]), (card.trail_before, commands))
        self.assertEqual([card.told_of_change(operator) for operator in ("operator-a", "operator-b")], [[], []])
        self.assertTrue(card.busy())

    def resolve(self, card, word):
        return self.rspctl.smsr_change_resolve(self.admin(HANDOVERS[A]), self.changes(A, card)[0]["id"], word)

    def resolve_too_early(self, card):
        code, output = self.rspctl.call("--admin", self.admin(HANDOVERS[A]), "smsr-change", "resolve", self.changes(A, card)[0]["id"], "kept", "--yes")
        self.assertNotEqual(code, 0, output)
        self.assertIn("not_in_doubt", output)
        self.assertEqual(self.stage(A, card), "answered")

    def is_at_b(self, card):
        """SM-SR1 has none of it, SM-SR2 all, and its own keys alone; each owner was told once."""
        card.home = B
        self.moved(card, card.before, card.trail_before, A, B)
        self.await_stage(B, card, "owned")
        self.assertFalse(set(card.old_keys) & set(card.key_versions()), "keys of the old SM-SR are left")
        self.is_managed(card)
        self.assertEqual([card.told_of_change(operator) for operator in ("operator-a", "operator-b")], [[self.oid(B)]] * 2)

    def is_at_a(self, card):
        """With the keys it had, which the card still obeys; SM-SR2 knows nothing of it."""
        self.await_true(lambda: not card.busy(), "it is still locked", 20)
        self.assertEqual((card.known_at(A), card.known_at(B)), (True, False))
        self.assertEqual(card.views(), card.before)
        self.assertLessEqual(set(card.old_keys), set(card.key_versions()))
        self.is_managed(card)
        self.assertEqual(card.whole_trail()[:len(card.trail_before)], card.trail_before)
        self.assertEqual([card.told_of_change(operator) for operator in ("operator-a", "operator-b")], [[], []])

    def moves_after_all(self, card):
        """What is left on the card of the attempt that came to nothing is in nobody's way."""
        card.before, card.trail_before = card.views(), card.whole_trail()
        self.moves(card, B)
        self.is_at_b(card)

    @full
    def test_it_comes_back(self):
        card = self.doubtful(COMMITTED)
        self.assertEqual(self.psql("sm_sr_handover_b", "select state from handover_in where eid = '%s'" % card.eid), "3")
        self.staging.start_service(HANDOVERS[B])
        self.await_stage(A, card, "moved")
        self.is_at_b(card)

    @full
    def test_it_comes_back_and_remembers_no_receipt(self):
        """Then it may give the attempt up, or take the receipt that comes again: but both SM-SRs say the same."""
        card = self.doubtful(UNCOMMITTED)
        self.staging.start_service(HANDOVERS[B])
        self.await_stage(A, card, "moved", "kept")
        self.await_stage(B, card, "owned", "failed")
        ends = self.stage(A, card), self.stage(B, card)
        print("      %s at SM-SR1, %s at SM-SR2" % ends, flush=True)
        self.assertIn(ends, (("moved", "owned"), ("kept", "failed")))
        if ends[0] == "moved":
            self.is_at_b(card)
        else:
            self.is_at_a(card)
            self.moves_after_all(card)

    @full
    def test_it_is_gone_and_a_person_keeps_the_card(self):
        card = self.doubtful(COMMITTED)
        self.assertEqual(self.resolve(card, "kept")["stage"], "unlocking")
        self.await_stage(A, card, "kept")
        self.is_at_a(card)
        # Who comes in its place knows nothing of the card.
        self.psql("sm_sr_handover_b", "delete from outbox where eid = '{0}'; delete from handover_in where eid = '{0}'".format(card.eid))
        self.staging.start_service(HANDOVERS[B])
        self.moves_after_all(card)

    @full
    def test_it_is_back_when_a_person_has_kept_the_card(self):
        """A receipt that it did not keep gets no second chance."""
        card = self.doubtful(UNCOMMITTED)
        self.resolve(card, "kept")
        self.await_stage(A, card, "kept")
        self.is_at_a(card)
        self.staging.start_service(HANDOVERS[B])
        self.await_stage(B, card, "failed")
        waits = "select count(*) from outbox where eid = '%s' and dead_at is null" % card.eid
        self.await_true(lambda: self.psql("sm_sr_handover", waits) == "0", "the receipt is not sent again", BACK_S)
        self.assertEqual(self.stage(B, card), "failed")
        self.is_at_a(card)
        self.moves_after_all(card)

    @full
    def test_it_is_gone_and_a_person_gives_the_card_away(self):
        card = self.doubtful(COMMITTED)
        self.assertEqual(self.resolve(card, "moved")["stage"], "dropping")
        self.await_stage(A, card, "moved")
        self.assertEqual([card.known_at(smsr) for smsr in DATABASES], [False, False])
        self.expect(self.enable(card, validity=5), ("FAILED", "8.1.1/1.1"))
        code, output = self.rspctl.call("--admin", self.admin(HANDOVERS[A]), "smsr-change", "resolve", self.changes(A, card)[0]["id"], "kept", "--yes")
        self.assertNotEqual(code, 0, output)
        # SM-SR2, when it is there again after all, has what it needs.
        self.staging.start_service(HANDOVERS[B])
        self.is_at_b(card)
