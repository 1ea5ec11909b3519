# SPDX-License-Identifier: Apache-2.0
"""What could not be delivered: listed, shown without secrets, replayed, dropped (decisions.md B1, A7)."""
from rsp.ctl import CtlError
from tests.e2e.base import full
from tests.e2e.callback.test_gateways import GatewayCase
from tests.e2e.deferred.deferred_case import SUCCESS
from tests.e2e.soap import new_message_id


class DeadLetters(GatewayCase):
    def dead(self, eid):
        return self.rspctl.outbox(self.admin("sm-sr"), dead=True, eid=eid)

    def await_dead(self, eid, n=1):
        self.await_true(lambda: self.count("outbox", eid, "dead_at is not null") == n, "there are never %d dead letters" % n)
        return self.dead(eid)

    def refused(self):
        """An answer to a gateway that did not ask: (EID, dead letter)."""
        eid = self.card()
        url = self.staging.instances["operator-b"].url() + "/es4"
        self.assert_accepted(self.enable(eid, reply_to=url, message_id=new_message_id(self.oid("operator-b"))))
        return eid, self.await_dead(eid)[0]

    @full
    def test_refused_shown_replayed_and_dropped(self):
        eid, row = self.refused()
        lane = "peer:" + self.oid("operator-b")
        self.assertEqual((row["lane"], row["kind"], row["attempts"]), (lane, "ES4-EnableProfileResponse", 0))
        self.assertRegex(row["error"], "^Sender fault: .*waits for")
        self.assertEqual(self.rspctl.outbox(self.admin("sm-sr"), dead=True, eid=eid, peer=self.oid("operator-a")), [])
        shown = self.rspctl.outbox_show(self.admin("sm-sr"), row["id"])
        self.assertEqual((shown["address"], shown["replayed_at"]), (self.staging.instances["operator-b"].url() + "/es4", None))
        self.assertIn("<rps:Status>%s</rps:Status>" % SUCCESS, shown["body"])
        self.assertIn("<rps:Status>", self.rspctl.text("--admin", self.admin("sm-sr"), "outbox", "show", str(row["id"])))
        self.assertGreaterEqual(self.rspctl.peers(self.admin("sm-sr"))[lane]["dead"], 1)
        self.assertGreaterEqual(self.metric("sm-sr", "rsp_outbox_dead"), 1)
        # Replayed, it is refused again.
        self.assertEqual(self.rspctl.outbox_replay(self.admin("sm-sr"), row["id"]), 1)
        self.await_true(lambda: self.dead(eid) and self.dead(eid)[0]["dead_at"] != row["dead_at"], "it is not tried again")
        self.assertIsNotNone(self.rspctl.outbox_show(self.admin("sm-sr"), row["id"])["replayed_at"])
        self.rspctl.outbox_drop(self.admin("sm-sr"), row["id"])
        for call in (self.rspctl.outbox_show, self.rspctl.outbox_drop, self.rspctl.outbox_replay):
            with self.assertRaises(CtlError) as refused:
                call(self.admin("sm-sr"), row["id"])
            self.assertEqual(refused.exception.code, 4)
        self.assert_switched(eid)

    @full
    def test_replayed_when_the_gateway_is_back(self):
        eid, lane = self.card(), "peer:" + self.oid("operator-a")
        with self.stopped("operator-a"):
            self.assertEqual(self.enable(eid).status, SUCCESS)
            waiting = self.rspctl.outbox(self.admin("sm-sr"), eid=eid, peer=self.oid("operator-a"))
            self.assertEqual([row["kind"] for row in waiting], ["ES4-HandleProfileDisabledNotification"])
            self.await_true(lambda: self.rspctl.peers(self.admin("sm-sr"))[lane]["paused_until"], "it is never paused")
            self.assertEqual(self.metric("sm-sr", "rsp_peer_paused"), 1)
            with self.assertRaises(CtlError) as refused:
                self.rspctl.outbox_replay(self.admin("sm-sr"), waiting[0]["id"])
            self.assertIn("no dead letter", refused.exception.output)
            self.psql("sm_sr", "update outbox set give_up_at = now() where eid = '%s'" % eid)
            self.assertEqual(self.await_dead(eid)[0]["error"], "give-up time reached")
        self.assertEqual(self.told("operator-a", eid), [])
        self.assertEqual(self.rspctl.outbox_replay(self.admin("sm-sr"), peer=self.oid("operator-a")), 1)
        self.assertEqual(self.await_told("operator-a", eid), [("disabled", self.iccid(eid, "operator-a"))])
