# SPDX-License-Identifier: Apache-2.0
"""The rows of ./rsp bench in which cards take part: profiles are enabled, back and forth, by an operator that is a load program
(tests/bench/order.c) and takes its own callbacks."""
import contextlib
import json
import os
import socket
import time

from . import demo
from .paths import RspError
from .registry import write_registry

OPERATOR = "operator-a"
# The network shall not be what is measured: cards attach at once. Nobody is sent a second SMS because the machine is slow.
# What is measured is not how soon a card loses patience: when 10,000 answer at the same time, some are kept waiting.
SETTINGS = {"euicc-sim": {"ATTACH_MS": "0", "LOG_LEVEL": "warn", "ANSWER_TIMEOUT_MS": "120000", "RETRIES": "60"},
            "sm-sr": {"CARD_IDLE_S": "600", "CARD_LOST_MS": "600000", "SMS_RETRY_MS": "60000", "TRIGGER_AGAIN_S": "600"}}
COMMITS = 6  # an EnableProfile is weighed as so many durable commits (design.md 12)
VALIDITY_S = 120
ATTACH_S = 600
REGISTER_S = 900


def await_true(condition, what, timeout_s):
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise RspError("after %d s: %s" % (timeout_s, what))
        time.sleep(0.05)


def said(done, function):
    """Of what a run of the load program printed: all must have ended well, once each."""
    found = json.loads(done) if done.strip() else {}
    if not found or found["bad"] or found["repeated"] or found["lost"]:
        raise RspError("not every %s ended well: %s" % (function, found))
    return found


class Fleet:
    """Cards with two profiles each of the operator who will have them enabled."""

    def __init__(self, staging):
        self.staging = staging
        self.eids = []
        self.series = 0
        self.done = 0  # operations that ended with success
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(128)
        self.introduce("sm-sr")

    def introduce(self, server):
        """To the server the load program is the operator: answers and notifications go to it, not to the gateway."""
        folder = os.path.join(self.staging.folder, "registry-bench")
        write_registry(self.staging, folder)
        path = os.path.join(folder, OPERATOR + ".json")
        with open(path) as f:
            record = json.load(f)
        port = self.socket.getsockname()[1]
        record["addresses"] = {name: ["https://127.0.0.1:%d/%s" % (port, name.lower())] for name in ("ES2", "ES4")}
        with open(path, "w") as f:
            json.dump(record, f)
        self.staging.ctl.entity_import(self.staging.admin_socket(server), folder)

    def _order(self, quantity):
        oid = self.staging.entities[OPERATOR]["oid"]
        self.series += 1

        def profile(enabled):
            prefix = "%02d%d" % (self.series, enabled)
            return {"mno": oid, "profile_type": "bench", "iccid_prefix": "89883" + prefix, "imsi_prefix": "902" + prefix,
                    "msisdn_prefix": "8840" + prefix, "enabled": enabled, "memory": 32768}
        return {"name": "bench%d" % self.series, "quantity": quantity, "smsr": self.staging.entities["sm-sr"]["oid"],
                "eid_prefix": "8900199901000003%02d" % self.series, "platform_type": "bench", "platform_version": "1.0.0", "memory": 524288,
                "http_support": True, "profiles": [profile(True), profile(False)]}

    def _count(self, sql):
        return int(self.staging.psql("sm_sr", sql))

    def quiet(self):
        """No card has a session, nothing is left to send."""
        await_true(lambda: self.staging.cards.stats()["open_sessions"] == 0, "cards still have sessions", ATTACH_S)
        await_true(lambda: self._count("select count(*) from outbox where lane <> 'bus'") == 0, "the outbox is not empty", ATTACH_S)

    def grow(self, quantity):
        """So many more cards, made by the EUM, registered, switched on and attached."""
        eids, seconds = demo.make_cards(self.staging, self._order(quantity), REGISTER_S)
        self.eids += eids
        self.staging.load_cards()
        self.staging.cards.power(True)
        await_true(lambda: self._count("select count(distinct eid) from card_notification where type = 1 and confirmed") >= len(self.eids),
                   "not every card's first attach was confirmed", ATTACH_S)
        self.quiet()
        return quantity / seconds

    def _of_ours(self, columns, more):
        """Rows of our cards' profiles; the table may have a million others."""
        sql = "select %s from profile where eid = any (string_to_array('%s', ' ')) %s" % (columns, " ".join(self.eids), more)
        return [row.split("|") for row in self.staging.psql("sm_sr", sql).split("\n")]

    def _cards_file(self):
        rows = self._of_ours("eid, max(iccid) filter (where state <> 2), max(iccid) filter (where state = 2)", "group by eid")
        path = os.path.join(self.staging.private_folder("bench"), "cards")
        with open(path, "w") as f:
            f.writelines(" ".join(row) + "\n" for row in rows)
        return path

    def command(self, port, in_flight, *more, server="sm-sr"):
        """The load program's; what it needs besides is in descriptors()."""
        pki = os.path.join(self.staging.pki, OPERATOR)
        words = [self.staging.program("tests", "bench", "bench-order"), "--cert", os.path.join(pki, "tls-client.pem"),
                 "--key", os.path.join(pki, "tls-client.key"), "--server-cert", os.path.join(pki, "tls-server.pem"),
                 "--server-key", os.path.join(pki, "tls-server.key"), "--ca", os.path.join(self.staging.pki, "tls-ca", "tls-ca.pem"),
                 "--callbacks", self.socket.fileno(), "--caller", self.staging.entities[OPERATOR]["oid"],
                 "--server", self.staging.entities[server]["oid"], "--smsr", self.staging.entities["sm-sr"]["oid"], "--cards", self._cards_file(), "--in-flight", in_flight, "--port", port]
        return [str(word) for word in words + list(more)]

    def descriptors(self):
        return [self.socket.fileno()]

    def ended(self, done):
        """Of what a run of the load program said: all must have ended well, once each, on the cards as in the EIS."""
        found = said(done, "EnableProfile")
        self.done += found["good"]
        self.quiet()
        self.compare()
        return found

    def compare(self):
        ours = set(self.eids)
        known = dict(self._of_ours("eid, iccid", "and state = 2"))
        cards = [card for card in self.staging.cards.cards() if card["eid"] in ours]
        differ = [card["eid"] for card in cards if known[card["eid"]] != card["enabled"]]
        switches = sum(card["switches"] for card in cards)
        if differ or switches != self.done:
            raise RspError("%d cards are not what their EIS says (%s); %d switched for %d operations" %
                           (len(differ), " ".join(differ[:3]), switches, self.done))

    def close(self):
        self.socket.close()


@contextlib.contextmanager
def fleet(staging):
    made = Fleet(staging)
    try:
        yield made
    finally:
        made.close()
