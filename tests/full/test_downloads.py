# SPDX-License-Identifier: Apache-2.0
"""Profiles of 30 kB ordered for 200 cards at once, at a gateway, by their type alone: each card gets one of the stock, whole and once, and
gateway, SM-DP, SM-SR and card tell the same of it."""
import collections
import concurrent.futures
import hashlib
import json
import time

from tests.e2e.download.download_case import GATEWAY, HEADS, LARGE, SMDP, DownloadCase
from tests.e2e.download.package import personalised
from tests.e2e.stock.stock_case import MEMORY, StockCase

CARDS, SPARE = 200, 10  # SPARE: subscriptions that nobody takes
TYPE = "large"
END_S = 300


class ManyDownloads(DownloadCase):
    build = "release"
    # Times are as they are outside of tests; the logs of a thousand calls are not kept.
    needs = {"services": ("sm-sr", "eum", "operator-a", "sm-dp"),
             "settings": {name: {"LOG_LEVEL": "warn"} for name in ("sm-sr", "sm-dp", "operator-gateway", "euicc-sim")}}

    def made(self):
        """EIDs of cards that attached."""
        batch, eids = self.batch_of(self.order_of("downloads", CARDS))
        self.staging.load_cards()
        self.staging.cards.power(True)
        attached = "select count(distinct eid) from card_notification where type = 1 and confirmed"
        self.await_true(lambda: int(self.psql("sm_sr", attached)) == CARDS, "not every card attaches", 120)
        self.await_true(lambda: self.staging.cards.stats()["open_sessions"] == 0, "sessions are left")
        return eids

    def stocked(self):
        """The subscriptions by ICCID."""
        rows = self.rows(CARDS + SPARE)
        for row in rows:
            row.values["MSISDN"] = "881" + row.values["IMSI"][3:]
        StockCase.take(self, "downloads", self.csv(rows, heads=HEADS), TYPE)
        return {row.values["ICCID"]: row for row in rows}

    def template(self):
        package = bytes.fromhex(self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = '%s'" % TYPE))
        self.assertTrue(LARGE <= len(package) < LARGE + 1024, len(package))
        return package

    def order_one(self, eid):
        body = json.dumps({"profile_type": TYPE, "smdp": self.via})
        return self.northbound(GATEWAY, "/v1/euiccs/%s/profiles/download" % eid, "POST", body, timeout=120)[0]

    def order_all(self, eids):
        """All at once; seconds until all have ended."""
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(eids)) as pool:
            self.assertEqual(collections.Counter(pool.map(self.order_one, eids)), {202: len(eids)})
        ordered = time.monotonic() - began
        ended = "select count(*) from operation where state = 'ended'"
        self.await_true(lambda: int(self.psql("operator_a", ended)) == len(eids), "not every download ends", END_S)
        seconds = time.monotonic() - began
        took = "select extract(epoch from ended_at - created_at) from operation order by 1"
        times = [float(row) for row in self.psql("operator_a", took).split()]
        print("      %d downloads of %d bytes: ordered in %.1f s, all ended after %.1f s: %.1f per second; p50 %.2f s, p99 %.2f s" %
              (len(eids), LARGE, ordered, seconds, len(eids) / seconds, times[len(times) // 2], times[len(times) * 99 // 100]), flush=True)

    def told(self, eids):
        """What the gateway's operations ended with: {EID: ICCID}."""
        rows = [row.split("|") for row in self.psql("operator_a", "select eid, answer_iccid, status from operation").split()]
        self.assertEqual(collections.Counter(row[2] for row in rows), {"EXECUTED_SUCCESS": len(eids)})
        told = {eid: iccid for eid, iccid, _ in rows}
        self.assertEqual(sorted(told), sorted(eids))
        self.assertEqual(len(set(told.values())), len(eids))
        return told

    def on_cards(self, told, rows, template):
        for card in self.staging.cards.cards():
            iccid = told[card["eid"]]
            profile, = [p for p in card["profiles"] if p["iccid"] == iccid]
            package = personalised(template, rows[iccid])
            self.assertEqual((profile["state"], profile["imsi"], profile["digest"]),
                             ("Disabled", rows[iccid].values["IMSI"], hashlib.sha256(package).hexdigest().upper()))
            self.assertEqual((card["creates"], card["keysets"], card["installs"], len(card["profiles"])), (1, 1, 1, 3))

    def in_books(self, told, rows, before):
        """EIS and stock. before: bytes that each card had left."""
        known = "select eid, iccid, state, mno, smdp, imsi, msisdn from profile where profile_type = '%s'" % TYPE
        self.assertEqual(sorted(self.psql("sm_sr", known).split()), sorted(
            "|".join((eid, iccid, "1", self.mno, self.oid(SMDP), rows[iccid].values["IMSI"], rows[iccid].values["MSISDN"]))
            for eid, iccid in told.items()))
        self.assertEqual(self.memory_left(), before - MEMORY)
        stock = {row["iccid"]: (row["state"], row["eid"]) for row in self.rspctl.stock_list(self.socket, limit=len(rows), batch="downloads")}
        holders = {iccid: ("installed", eid) for eid, iccid in told.items()}
        self.assertEqual(stock, {iccid: holders.get(iccid, ("available", None)) for iccid in rows})
        for database, left in (("sm_dp", "download where ended_at is null"), ("sm_dp", "outbox where lane <> 'bus'"), ("sm_sr", "eid_busy"),
                               ("sm_sr", "card_command where state < 2"), ("sm_sr", "procedure where ended_at is null"),
                               ("sm_sr", "eis_state where uncertain")):
            self.await_true(lambda d=database, q=left: self.psql(d, "select count(*) from " + q) == "0", left + " is not empty")

    def memory_left(self):
        """Of each card the same."""
        return int(self.psql("sm_sr", "select distinct remaining_memory from eis_state"))

    def test_two_hundred_at_once(self):
        eids, rows = self.made(), self.stocked()
        before, template = self.memory_left(), self.template()
        self.order_all(eids)
        told = self.told(eids)
        self.on_cards(told, rows, template)
        self.in_books(told, rows, before)
