# SPDX-License-Identifier: Apache-2.0
"""Cards woken by SMS: lost and repeated messages, proofs of receipt, counters, a process that dies between packet and SMSC, the lane in
another replica. The cards are the simulator's."""
from tests.e2e.base import full
from tests.e2e.helpers import Background, Work
from tests.e2e.soap import Answer, audit

DONE, FAILED = "3", "4"
FAST = {"SMS_RETRY_MS": "400", "TRIGGER_AGAIN_S": "3", "SMS_TRIES": "3"}


class Cards(Work):
    def card(self, name):
        """A new card, switched on, its first attach confirmed: EID."""
        order = self.order_of(name, 1)
        _, eids = self.batch_of(order)
        self.staging.load_cards()
        self.staging.cards.power(True, eids[0])
        known = "select count(*) from card_notification where eid = '%s' and type = 1 and confirmed" % eids[0]
        self.await_true(lambda: self.psql("sm_sr", known) == "1", "the first attach is not confirmed")
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from card_session where eid = '%s'" % eids[0]) == "0", "the session stays")
        return eids[0]

    def audit(self, eid, server="sm-sr", validity=40):
        """An order for the card on an open connection: it is answered when the card was woken and has answered."""
        oid = self.staging.entities["operator-a"]["oid"]
        smsr = self.staging.entities["sm-sr"]["oid"]
        return Background(self.soap_call, server, "operator-a", "/es4", audit(oid, smsr, eid, validity=validity), timeout=validity + 10)

    def succeeds(self, answer):
        self.assertEqual(Answer(answer.value()).status, "EXECUTED_SUCCESS")

    def rows(self, eid, what="state || ':' || attempts"):
        text = self.psql("sm_sr", "select %s from sms_out where eid = '%s' order by id" % (what, eid))
        return text.split("\n") if text else []

    def counters(self, eid):
        return [int(n) for n in self.rows(eid, "counter")]

    def ends(self, eid, states):
        self.await_true(lambda: [r.split(":")[0] for r in self.rows(eid)] == states, "sms_out of %s: %s, not %s" % (eid, self.rows(eid), states))


class Wake(Cards):
    needs = {"settings": {"sm-sr": FAST, "euicc-sim": {"ATTACH_MS": "50", "RECEIPT_IDS": "dec"}}}

    def test_trigger_proof_and_session(self):
        eid = self.card("wake-plain")
        self.succeeds(self.audit(eid))
        self.ends(eid, [DONE])
        self.assertEqual(self.rows(eid), ["3:1"])
        first = self.counters(eid)[0]
        self.assertEqual(self.psql("sm_sr", "select counter from keyset where eid = '%s' and version < 16" % eid), str(first))
        self.assertEqual(self.psql("sm_sr", "select receipt from sms_part p join sms_out o on o.id = p.sms where eid = '%s'" % eid), "DELIVRD")
        journal = [m["function"] for m in self.rspctl.messages(self.admin("sm-sr"), eid=eid, limit=50)]
        for step in ("ES5 trigger", "ES5 PoR", "ES5 receipt", "ES5 session"):
            self.assertIn(step, journal)
        self.succeeds(self.audit(eid))
        self.assertEqual(self.counters(eid), [first, first + 1])

    def test_a_lost_sms_is_sent_again_as_it_was(self):
        eid = self.card("wake-lost")
        self.staging.cards.hook("drop-sms", eid, times=2)
        self.succeeds(self.audit(eid))
        self.ends(eid, [DONE])
        self.assertEqual(self.rows(eid), ["3:3"])

    def test_a_repeated_sms_does_no_harm(self):
        eid = self.card("wake-twice")
        self.staging.cards.hook("duplicate-sms", eid, times=1)
        self.succeeds(self.audit(eid))
        self.ends(eid, [DONE])

    def test_without_its_proof_the_session_is_enough(self):
        eid = self.card("wake-no-por")
        self.staging.cards.hook("drop-por", eid, times=9)
        self.succeeds(self.audit(eid))
        self.ends(eid, [DONE])
        self.assertEqual(self.rows(eid), ["3:1"])
        self.staging.cards.call("DELETE", "/admin/cards/hook", {"hook": "drop-por", "eid": eid})

    @full
    def test_no_session_in_spite_of_the_proof(self):
        eid = self.card("wake-ignored")
        self.staging.cards.hook("ignore-sms", eid, times=1)
        self.succeeds(self.audit(eid))
        self.ends(eid, [DONE, DONE])
        first, second = self.counters(eid)
        self.assertEqual(second, first + 1)

    def test_counters_behind_the_cards(self):
        """After a restore the card drops what we send, unseen, until somebody raises the counters."""
        eid = self.card("wake-restore")
        for _ in range(2):
            self.succeeds(self.audit(eid))
        self.psql("sm_sr", "update keyset set counter = 0 where eid = '%s' and version < 16" % eid)
        answer = self.audit(eid)
        self.await_true(lambda: self.rows(eid)[2:3] == [FAILED + ":3"], "the packet with an old counter does not fail: %s" % self.rows(eid))
        made = self.rspctl._answer("--admin", self.admin("sm-sr"), "keys", "bump", eid, "1000")
        self.assertEqual(made, {"keysets": 1})
        self.succeeds(answer)
        self.assertGreater(self.counters(eid)[-1], 1000)
        shown = self.rspctl._answer("--admin", self.admin("sm-sr"), "sms", "--eid", eid)
        self.assertEqual([row["counter"] for row in shown], self.counters(eid))
        self.assertNotIn("packet", shown[0])
        self.assertEqual(shown[-1]["state"], "done")
        self.assertEqual(self.rspctl.call("--admin", self.admin("sm-sr"), "keys", "bump", eid, "x")[0], 2)
        self.assertEqual(self.rspctl.call("--admin", self.admin("sm-sr"), "keys", "bump", "123", "1")[0], 1)

    @full
    def test_a_card_without_a_number_is_said_once(self):
        eid = self.card("wake-nobody")
        number = self.psql("sm_sr", "select msisdn from profile where eid = '%s' and state = 2" % eid)
        self.psql("sm_sr", "update profile set msisdn = null where eid = '%s' and state = 2" % eid)
        before = self.metric("sm-sr", "rsp_sms_total")
        answer = self.audit(eid)
        waits = "select trigger_error from card_command where eid = '%s' and state = 0" % eid
        self.await_true(lambda: "no enabled profile" in self.psql("sm_sr", waits), "it is not said")
        self.assertEqual(self.rows(eid), [])
        self.psql("sm_sr", "update profile set msisdn = '%s' where eid = '%s' and state = 2" % (number, eid))
        self.succeeds(answer)
        self.assertGreater(self.metric("sm-sr", "rsp_sms_total"), before)

    @full
    def test_dies_between_packet_and_smsc(self):
        """What was built is sent by the next process, not built again."""
        for point in ("sm-sr.sms.built", "sm-sr.sms.sent"):
            with self.subTest(point=point):
                eid = self.card("wake-" + point.rsplit(".", 1)[1])
                self.rspctl.fault(self.admin("sm-sr"), point, "kill", eid)
                answer = self.audit(eid)
                self.assertEqual(self.staging.await_death("sm-sr"), -9)
                self.assertRaises(OSError, answer.value)
                self.assertEqual(len(self.rows(eid)), 1)
                self.staging.start_service("sm-sr")
                self.await_true(lambda: self.psql("sm_sr", "select count(*) from procedure where eid = '%s' and status = 0" % eid) == "1",
                                "the audit never ends")
                self.ends(eid, [DONE])


class Lane(Cards):
    needs = {"replicas": 2, "settings": {"sm-sr": FAST, "euicc-sim": {"ATTACH_MS": "50"}}}

    def holder(self):
        return self.psql("sm_sr", "select replica from sms_lane")

    @full
    def test_moves_when_its_holder_dies(self):
        eid = self.card("lane-moves")
        name = {"1": "sm-sr", "2": "sm-sr-2"}
        first = self.holder()
        other = "2" if first == "1" else "1"
        self.succeeds(self.audit(eid, name[first]))
        self.succeeds(self.audit(eid, name[other]))  # the other replica rings its bell
        self.assertEqual(sum(self.metric(n, "rsp_sms_bound") for n in name.values()), 1)
        self.staging.kill(name[first])
        self.await_true(lambda: self.holder() == other, "nobody takes the lane")
        answer = self.audit(eid, name[other])
        self.await_true(lambda: len(self.rows(eid)) == 3, "the other replica wakes nobody")
        self.staging.start_service(name[first])
        self.succeeds(answer)  # the card's way leads to the first replica
        self.assertEqual(self.holder(), other)
