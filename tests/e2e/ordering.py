# SPDX-License-Identifier: Apache-2.0
"""Orders at a gateway whose SM-SR is the test's own (smsr.Peer)."""
import itertools
import json

from tests.e2e.helpers import Work
from tests.e2e.smsr import Peer

ICCID = "8988000000000000017"
GATEWAY = "operator-a"


class OrderCase(Work):
    needs = {"services": ("operator-a", "operator-b"), "bus": False}
    numbers = itertools.count(1)

    def setUp(self):
        self.peer = Peer(self)
        self.peer.start()
        self.addCleanup(self.peer.stop)
        self.peer.register(GATEWAY)
        self.eid = self.new_eid()

    def new_eid(self):
        """A card of which the gateway knows that the peer manages it."""
        body = int("890019990300%018d" % next(OrderCase.numbers)) * 100
        eid = str(body + 98 - body % 97)
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", json.dumps({"smsr": self.peer.oid}))[0], 200)
        return eid

    def order(self, what="profiles/%s/enable" % ICCID, eid=None, headers=None, method="POST", token=None, **body):
        return self.northbound(GATEWAY, "/v1/euiccs/%s/%s" % (eid or self.eid, what), method, json.dumps(body) if body else None,
                               token, headers)

    def put(self, what, **body):
        """An order that changes pol2 or subscription-address."""
        return self.order("profiles/%s/%s" % (ICCID, what), method="PUT", **body)

    def ordered(self, *more, **body):
        status, answer = self.order(*more, **body)
        self.assertEqual(status, 202, answer)
        return answer["operation"]

    def operation(self, operation, wait=0):
        status, found = self.northbound(GATEWAY, "/v1/operations/%s?wait=%d" % (operation, wait))
        self.assertEqual(status, 200, found)
        return found

    def await_request(self, operation, number=1, timeout_s=20):
        self.await_true(lambda: len(self.peer.of(operation)) >= number, "request %d never came" % number, timeout_s)
        return self.peer.of(operation)[number - 1]

    def await_state(self, operation, state, timeout_s=20):
        self.await_true(lambda: self.operation(operation)["state"] == state, "never %s" % state, timeout_s)
        return self.operation(operation)

    def ended(self, operation, wait=30):
        found = self.operation(operation, wait)
        self.assertEqual(found["state"], "ended", found)
        return found

    def move_clock(self, operation, seconds):
        """As if it had been ordered earlier."""
        self.psql("operator_a", "update operation set deadline = deadline - interval '{0} s', next_at = next_at - interval '{0} s'"
                  " where id = '{1}'".format(seconds, operation))
