# SPDX-License-Identifier: Apache-2.0
"""kill -9 of sm-sr at every placed fault of RegisterEIS, and of its outbox: registered once or not at all, the repetition ends it, the
event arrives exactly once. NATS away: SOAP goes on, events arrive later."""
import json
import os
import time

from tests.e2e.base import Case
from tests.e2e.nats import Nats
from tests.e2e.soap import Answer, eid_of, register_requests

POINTS = ("decoded", "begun", "handled", "committed")
SERIES = 5000


class CrashCase(Case):
    number = SERIES

    def request(self):
        CrashCase.number += 1
        return register_requests(self, 1, CrashCase.number)[0]

    def register(self, request):
        return Answer(self.soap_call("sm-sr", "eum", "/es1", request))

    def registered(self, eid):
        return self.psql("sm_sr", "select (select count(*) from eis where eid = '{0}'), (select count(*) from profile where eid = '{0}')".format(eid))

    def await_true(self, condition, what, timeout_s=60):
        until = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.05)

    def nats(self):
        return Nats(self.staging.bus.url, self.pki("sm-sr", "nats.pem"), self.pki("sm-sr", "nats.key"), self.pki("tls-ca", "tls-ca.pem"))

    def event_count(self, eid):
        with self.nats() as n:
            return n.count("RSP_A", "ev.a.sm-sr.eis.registered." + eid)

    def await_event(self, eid):
        self.await_true(lambda: self.event_count(eid) > 0, "no event of " + eid)
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox where eid = '%s'" % eid) == "0", "the outbox keeps a row")
        self.assertEqual(self.event_count(eid), 1)


class Register(CrashCase):
    def test_killed_at_every_point_of_the_call(self):
        for point in POINTS:
            with self.subTest(point=point):
                request = self.request()
                eid = eid_of(request)
                self.rspctl.fault(self.admin("sm-sr"), "sm-sr.ES1-RegisterEIS." + point, "kill", eid)
                with self.assertRaises(OSError):
                    self.register(request)
                self.staging.await_death("sm-sr")
                self.assertEqual(self.registered(eid), "1|2" if point == "committed" else "0|0")
                self.staging.start_service("sm-sr")
                self.assertEqual(self.register(request).status, "EXECUTED_SUCCESS")
                self.assertEqual(self.registered(eid), "1|2")
                self.await_event(eid)

    def test_killed_in_the_outbox(self):
        for point in ("taken", "delivered"):
            with self.subTest(point=point):
                request = self.request()
                eid = eid_of(request)
                self.rspctl.fault(self.admin("sm-sr"), "sm-sr.outbox." + point, "kill", eid)
                try:
                    self.register(request)
                except OSError:
                    pass  # killed before the answer was out
                self.staging.await_death("sm-sr")
                self.staging.start_service("sm-sr")
                self.assertEqual(self.register(request).status, "EXECUTED_SUCCESS")
                self.assertEqual(self.registered(eid), "1|2")
                self.await_event(eid)


class EumRetries(CrashCase):
    def order_batch(self, name, quantity, number):
        def profile(owner, enabled, digit):
            return {"mno": self.staging.entities[owner]["oid"], "profile_type": "t", "iccid_prefix": "89883%s%d" % (digit, number),
                    "imsi_prefix": "9016%s%d" % (digit, number), "msisdn_prefix": "8838%s%d" % (digit, number), "enabled": enabled, "memory": 4096}
        path = os.path.join(self.staging.private_folder("orders"), name)
        with open(path, "w") as f:
            json.dump({"name": name, "quantity": quantity, "smsr": self.staging.entities["sm-sr"]["oid"], "eid_prefix": "8900199901000055%02d" % number,
                       "platform_type": "t", "platform_version": "1.0.0", "memory": 65536, "http_support": True,
                       "profiles": [profile("operator-a", True, "1"), profile("operator-b", False, "2")]}, f)
        self.rspctl.batch_create(self.order(), path)

    def await_batch(self, name, quantity):
        self.await_true(lambda: self.rspctl.batch_status(self.order(), name)["registered"] == quantity, "the batch never ends", 120)
        info = self.rspctl.batch_status(self.order(), name)
        self.assertEqual((info["registered"], info["refused"]), (quantity, 0))
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis where eid like '8900199901000055%'"), str(self.expected))

    expected = 0

    def test_its_retry_ends_what_a_crash_left(self):
        for number, point in enumerate(POINTS):
            with self.subTest(point=point):
                name = "crash-" + point
                self.rspctl.fault(self.admin("sm-sr"), "sm-sr.ES1-RegisterEIS." + point, "kill", "*")
                self.order_batch(name, 3, number)
                self.staging.await_death("sm-sr")
                self.staging.start_service("sm-sr")
                EumRetries.expected += 3
                self.await_batch(name, 3)

    def test_the_eum_killed_in_its_outbox(self):
        for number, point in enumerate(("taken", "delivered"), 10):
            with self.subTest(point=point):
                name = "eum-" + point
                self.rspctl.fault(self.admin("eum"), "eum.outbox." + point, "kill", "*")
                self.order_batch(name, 3, number)
                self.staging.await_death("eum")
                self.staging.start_service("eum")
                EumRetries.expected += 3
                self.await_batch(name, 3)


class BusAway(CrashCase):
    def test_soap_goes_on_and_events_arrive_later(self):
        self.staging.stop_bus()
        requests = [self.request() for _ in range(3)]
        for request in requests:
            self.assertEqual(self.register(request).status, "EXECUTED_SUCCESS")
        self.assertEqual(self.psql("sm_sr", "select count(*) from outbox where lane = 'bus'"), "3")
        self.staging.start_bus()
        for request in requests:
            self.await_event(eid_of(request))
