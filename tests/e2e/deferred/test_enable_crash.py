# SPDX-License-Identifier: Apache-2.0
"""kill -9 of sm-sr at every placed fault on an enable's way: it ends once, the card switched once, the EIS is what the card says, and the
callback arrives, however often with the same words; the other operator is told once."""
from tests.e2e.base import full
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase

REQUESTED = "operation = %d and status is not null" % 0x0200  # the audit trail's record of the call


class EnableCrash(DeferredCase):
    def ends_well(self, point, at_death, when_switched=False):
        """at_death: procedures that run. when_switched: the card is to notify; else it is to fetch its command."""
        eid, partner = self.card(), self.partner()
        if when_switched:
            self.staging.cards.hook("drop-notification", eid)
        else:
            self.rspctl.fault(self.admin("sm-sr"), point, "kill", eid)
        accepted, message_id = self.enable_later(eid, partner)
        self.assert_accepted(accepted)
        if when_switched:
            self.await_true(lambda: self.switches(eid) == 1, "the card never switches")
            self.rspctl.fault(self.admin("sm-sr"), point, "kill", eid)
            self.staging.cards.unhook("drop-notification", eid)
        self.assertEqual(self.staging.await_death("sm-sr"), -9)
        self.assertEqual(self.running(eid), at_death)
        self.staging.start_service("sm-sr")
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.await_true(lambda: self.count("outbox", eid) == 0, "the outbox keeps a row")
        self.assertEqual(len({m.body_text for m in partner.to(message_id)}), 1)
        self.assertEqual((self.count("procedure", eid), self.running(eid), self.count("audit_trail", eid, REQUESTED)), (1, 0, 1))
        self.assertEqual(self.psql("operator_a", "select count(*) from notification where eid = '%s'" % eid), "1")
        self.assert_switched(eid)

    @full
    def test_the_card_fetches_its_command(self):
        for point in ("loaded", "committed"):
            with self.subTest(point=point):
                self.ends_well("sm-sr.card." + point, 1)

    def test_the_card_has_switched(self):
        for point in ("loaded", "committed"):
            with self.subTest(point=point):
                self.ends_well("sm-sr.card." + point, 1, when_switched=True)

    @full
    def test_the_answer_leaves(self):
        for point in ("taken", "delivered"):
            with self.subTest(point=point):
                self.ends_well("sm-sr.outbox." + point, 0)
