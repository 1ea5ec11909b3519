# SPDX-License-Identifier: Apache-2.0
"""The row of ./rsp bench in which an SM-DP downloads: the operator of bench_cards has it install profiles of 30 kB on the cards of its fleet."""
from . import bench_cards
from .bench_cards import OPERATOR, await_true
from .paths import RspError

SMDP, TYPE = "sm-dp", "download"
PACKAGE, MEMORY = 30000, 40000  # bytes: of the package at least, of the ISD-P
FIRST_ICCID, FIRST_IMSI = "8988400000000000012", "901840000000001"
COMMITS = 25  # a DownloadProfile is weighed as so many durable commits (design.md 12)
VALIDITY_S = 300
EACH = 5  # profiles that a card may get; it has room for more


class Downloads:
    """A stock of the operator's for the cards of a fleet."""

    def __init__(self, fleet):
        self.fleet, self.staging = fleet, fleet.staging
        self.done = 0  # downloads that ended with success
        fleet.introduce(SMDP)
        socket, mno = self.staging.admin_socket(SMDP), self.staging.entities[OPERATOR]["oid"]
        self.staging.ctl.type_add(socket, TYPE, None, mno, MEMORY, pad=PACKAGE)
        self.staging.ctl.stock_make(socket, TYPE, FIRST_ICCID, FIRST_IMSI, EACH * len(fleet.eids), mno, TYPE)

    def command(self, in_flight, *more):
        port = self.staging.instances[SMDP].ports["partner"]
        return self.fleet.command(port, in_flight, "--type", TYPE, "--validity", VALIDITY_S, *more, server=SMDP)

    def ended(self, done):
        """As Fleet.ended: all must have ended well, once each, whole, and everybody must say the same."""
        said = bench_cards.said(done, "DownloadProfile")
        self.done += said["good"]
        left = "select count(*) from outbox where lane <> 'bus'"
        await_true(lambda: self.staging.psql("sm_dp", left) == "0", "the SM-DP's outbox is not empty", bench_cards.ATTACH_S)
        self.fleet.quiet()
        self.compare()
        return said

    def compare(self):
        """Cards, their EIS and the stock."""
        ours, stored = set(self.fleet.eids), set()
        installs = 0
        for card in self.staging.cards.cards():
            if card["eid"] in ours:
                installs += card["installs"]
                stored |= {(card["eid"], p["iccid"]) for p in card["profiles"] if p.get("digest") and p["state"] == "Disabled"}
        known = self._pairs("sm_sr", "select eid, iccid from profile where profile_type = '%s' and state = 1" % TYPE)
        stock = self._pairs("sm_dp", "select eid, iccid from stock where type = '%s' and state = 2" % TYPE)
        if not stored == known == stock or not len(stored) == installs == self.done:
            raise RspError("of %d downloads %d are on cards (%d installations), %d in their EIS, %d in the stock" %
                           (self.done, len(stored), installs, len(known), len(stock)))

    def _pairs(self, database, sql):
        return {tuple(row.split("|")) for row in self.staging.psql(database, sql).split()}
