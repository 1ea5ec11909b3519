# SPDX-License-Identifier: Apache-2.0
"""Callers that wait on their connections (decisions.md A5): those that hang up, too many of them, the end of the process, another replica,
the bus away."""
import http.client
import time

from tests.e2e.deferred.deferred_case import PARK_ENTITY, SUCCESS, DeferredCase
from tests.e2e.helpers import Background
from tests.e2e.soap import new_id


class Waiting(DeferredCase):
    def hanging(self, eid, **more):
        """A connection whose caller waits."""
        host = self.staging.instances["sm-sr"].url().split("://")[1]
        connection = http.client.HTTPSConnection(host, timeout=30, context=self.tls_context("operator-b"))
        self.addCleanup(connection.close)
        parked = self.parked(eid)
        connection.request("POST", "/es4", body=self.enable_text(eid, **more).encode(), headers={"Content-Type": "application/soap+xml"})
        self.await_parked(eid, parked + 1)
        return connection

    def test_who_hangs_up_is_released_and_the_call_goes_on(self):
        eid, fci = self.card_off(), new_id()
        self.hanging(eid, fci=fci).close()
        self.await_parked(eid, 0)
        self.assertEqual(self.running(eid), 1)
        self.power_on(eid)
        self.await_ended(eid)
        self.assertEqual(self.enable(eid, fci=fci).status, SUCCESS)
        self.assert_switched(eid)

    def test_only_so_many_of_one_partner(self):
        eid, partner, fci = self.card_off(), self.partner(), new_id()
        waiting = [self.hanging(eid, fci=fci) for _ in range(PARK_ENTITY)]
        refused, seconds = self.timed(self.enable, eid, fci=fci)
        self.assertEqual((refused.http, refused.status, refused.code), (200, "FAILED", "1.2/4.4"))
        self.assertLess(seconds, 5)
        # Others have their own places, and a callback needs none.
        busy = self.enable(eid, client="operator-a", iccid=self.iccid(eid, "operator-a"))
        self.assertEqual(busy.code, "1.2/4.4")
        self.assertNotIn("wait on their connections", busy.message or "")
        accepted, message_id = self.enable_later(eid, partner, fci=fci)
        self.assert_accepted(accepted)
        # A place that became free is given again.
        waiting.pop().close()
        self.await_parked(eid, PARK_ENTITY - 1)
        waiting.append(self.hanging(eid, fci=fci))
        self.power_on(eid)
        for connection in waiting:
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            self.assertIn(SUCCESS.encode(), response.read())
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.assert_switched(eid)
        self.assertEqual(self.enable(eid, fci=fci).status, SUCCESS)

    def test_sigterm_lets_them_go_and_the_call_outlives_it(self):
        eid, fci = self.card_off(), new_id()
        waiting = [self.enable_meanwhile(eid, fci=fci) for _ in range(2)]
        self.assertEqual(self.staging.stop_service("sm-sr"), 0)
        self.assertEqual([call.value().http for call in waiting], [503, 503])
        self.assertEqual((self.running(eid), self.parked(eid)), (1, 2))
        self.staging.start_service("sm-sr")
        again = self.enable_meanwhile(eid, fci=fci)
        self.power_on(eid)
        self.assertEqual(again.value().status, SUCCESS)
        self.assert_switched(eid)
        self.await_parked(eid, 0)
        self.assertEqual(self.count("procedure", eid), 1)


class Replicas(DeferredCase):
    """The card's sessions are at replica 1; the callers wait at replica 2."""
    needs = {"replicas": 2}
    batch = 5

    def lag(self, eid):
        """Seconds from the end of the procedure to the answer at its caller."""
        call = Background(lambda: (self.enable(eid, server="sm-sr-2"), time.time()))
        answer, at = call.value()
        self.assertEqual(answer.status, SUCCESS)
        self.assert_switched(eid)
        sessions = "select count(*) from card_command where eid = '%s' and ended_at is not null" % eid
        self.assertGreater(int(self.psql("sm_sr", sessions)), 0)
        return at - float(self.psql("sm_sr", "select extract(epoch from max(ended_at)) from procedure where eid = '%s'" % eid))

    def test_answered_at_once_by_the_bus(self):
        self.assertLess(max(self.lag(self.card()) for _ in range(3)), 1)
        self.assertEqual(self.metric("sm-sr", "rsp_parked_answered_total"), 0)
        self.assertGreaterEqual(self.metric("sm-sr-2", "rsp_parked_answered_total"), 3)

    def test_answered_without_the_bus(self):
        eids = [self.card() for _ in range(2)]
        self.staging.stop_bus()
        try:
            self.assertLess(max(self.lag(eid) for eid in eids), 1.5)
        finally:
            self.staging.start_bus()
