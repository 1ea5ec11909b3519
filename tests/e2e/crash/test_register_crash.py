# SPDX-License-Identifier: Apache-2.0
"""kill -9 of sm-sr at every placed fault of RegisterEIS, and of either outbox: registered once or not at all, the EUM's repetition ends
it, the event arrives exactly once. NATS away: SOAP goes on, events arrive later."""
from tests.e2e.base import full
from tests.e2e.helpers import Work
from tests.e2e.nats import Nats
from tests.e2e.soap import Answer, eid_of, register_requests

POINTS = ("decoded", "begun", "handled", "committed")
WHOLE, NOTHING = "1|2|1", "0|0|0"


class CrashCase(Work):
    number = 5000

    def request(self):
        CrashCase.number += 1
        return register_requests(self, 1, CrashCase.number)[0]

    def register(self, request):
        return Answer(self.soap_call("sm-sr", "eum", "/es1", request))

    def registered(self, eid):
        """What the SM-SR's database holds of a card: nothing, or all of it."""
        return self.psql("sm_sr", "select (select count(*) from eis where eid = '{0}'), (select count(*) from profile where eid = '{0}'),"
                         " (select count(*) from eis_state where eid = '{0}')".format(eid))

    def event_count(self, eid):
        with Nats(self.staging.bus.url, self.pki("sm-sr", "nats.pem"), self.pki("sm-sr", "nats.key"), self.pki("tls-ca", "tls-ca.pem"),
                  "sm-sr") as n:
            return n.count("RSP_A", "ev.a.sm-sr.eis.registered." + eid)

    def await_event(self, eid):
        """The event is there, nothing is left to be sent, and it is there once."""
        self.await_true(lambda: self.event_count(eid) > 0, "no event of " + eid)
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox where eid = '%s'" % eid) == "0", "the outbox keeps a row")
        self.assertEqual(self.event_count(eid), 1)


class Crash(CrashCase):
    def ends_well(self, process, point, at_death):
        """A card is ordered and the process dies on the card's way: in the end it is registered, once, and the EUM knows."""
        order = self.order_of(point.replace(".", "-"), 1)
        eid = self.eid_of_order(order)
        self.rspctl.fault(self.admin(process), point, "kill", eid)
        batch = self.order_batch(order)
        self.assertEqual(self.staging.await_death(process), -9)
        self.assertEqual(self.registered(eid), at_death)
        self.staging.start_service(process)
        self.await_registered(batch, 1)
        self.assertEqual(self.eids(batch), [eid])
        self.assertEqual(self.registered(eid), WHOLE)
        self.assertEqual(self.psql("eum", "select count(*) from outbox where eid = '%s' and lane <> 'bus'" % eid), "0")
        self.await_event(eid)

    @full
    def test_sm_sr_at_every_point_of_the_call(self):
        for point in POINTS:
            with self.subTest(point=point):
                self.ends_well("sm-sr", "sm-sr.ES1-RegisterEIS." + point, WHOLE if point == "committed" else NOTHING)

    @full
    def test_sm_sr_in_its_outbox(self):
        for point in ("taken", "delivered"):
            with self.subTest(point=point):
                self.ends_well("sm-sr", "sm-sr.outbox." + point, WHOLE)

    @full
    def test_eum_in_its_outbox(self):
        for point in ("taken", "delivered"):
            with self.subTest(point=point):
                self.ends_well("eum", "eum.outbox." + point, WHOLE if point == "delivered" else NOTHING)


class BusAway(CrashCase):
    @full
    def test_soap_goes_on_and_events_arrive_later(self):
        self.staging.stop_bus()
        requests = [self.request() for _ in range(2)]
        self.assertEqual(self.register(requests[0]).status, "EXECUTED_SUCCESS")
        # A process starts without it, too.
        self.assertEqual(self.staging.stop_service("sm-sr"), 0)
        self.staging.start_service("sm-sr")
        self.assertEqual(self.register(requests[1]).status, "EXECUTED_SUCCESS")
        self.assertEqual(self.metric("sm-sr", "rsp_bus_connected"), 0)
        waiting = "select count(*) from outbox where lane = 'bus' and eid in ('%s')" % "','".join(eid_of(r) for r in requests)
        self.assertEqual(self.psql("sm_sr", waiting), "2")
        self.staging.start_bus()
        for request in requests:
            self.await_event(eid_of(request))
