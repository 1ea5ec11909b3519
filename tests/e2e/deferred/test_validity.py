# SPDX-License-Identifier: Apache-2.0
"""Validity periods (decisions.md A6): those that cannot be, and those that end."""
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.soap import new_id

SHORTEST, LONGEST = 3, 86400


class Validity(DeferredCase):
    def test_out_of_range(self):
        eid, fci = self.card(), new_id()
        for validity, acceptable in ((SHORTEST - 1, SHORTEST), (LONGEST + 1, LONGEST)):
            answer = self.enable(eid, fci=fci, validity=validity)
            self.assertEqual((answer.http, answer.status, answer.code), (200, "FAILED", "1.2.1/3.8"), answer.raw)
            self.assertEqual(answer.text("rps:AcceptableValidityPeriod"), str(acceptable))
        self.assertEqual((self.count("procedure", eid), self.switches(eid)), (0, 0))
        answer = self.enable(eid, fci=fci, validity=LONGEST)
        self.assertEqual((answer.status, answer.text("rps:AcceptableValidityPeriod")), (SUCCESS, None))
        self.assert_switched(eid)

    def test_what_ends_with_the_card_off(self):
        """Both are told at the deadline, not some time later."""
        by_callback, on_connection, partner = self.card_off(), self.card_off(), self.partner()
        accepted, message_id = self.enable_later(by_callback, partner, validity=SHORTEST)
        self.assert_accepted(accepted)
        answer, seconds = self.timed(self.enable, on_connection, validity=SHORTEST)
        self.assertGreaterEqual(seconds, SHORTEST)
        self.assertLess(seconds, SHORTEST + 2)
        for told in (answer, partner.wait(message_id, 2)):
            self.assertEqual((told.status, told.code), ("EXPIRED", "1.6/5.3"))
        for eid in (by_callback, on_connection):
            late = float(self.psql("sm_sr", "select extract(epoch from ended_at - deadline) from procedure where eid = '%s'" % eid))
            self.assertTrue(0 <= late < 1, late)
            self.assertEqual((self.count("eid_busy", eid), self.switches(eid)), (0, 0))
        # Switched on, they are as before: the command was withdrawn.
        for eid in (by_callback, on_connection):
            self.power_on(eid)
        self.await_true(lambda: self.count("card_command", by_callback, "state < 2") == 0, "a command is left")
        self.assertEqual(self.eis_has(by_callback), self.card_has(by_callback))
        self.assertEqual(self.enable(on_connection).status, SUCCESS)
        self.assert_switched(on_connection)
        self.assertEqual(self.switches(by_callback), 0)
