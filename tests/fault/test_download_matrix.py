# SPDX-License-Identifier: Apache-2.0
"""The crash matrix of downloads: held at every placed fault on its way, while one of those it needs dies. It completes or is cleaned up,
never half, never twice, and every ICCID of the stock is somewhere once."""
import collections
import hashlib
import os
import random
import re

from rsp.paths import ROOT
from tests.e2e.base import full
from tests.e2e.download.package import personalised
from tests.e2e.stock.stock_case import StockCase
from tests.fault.download_points import POINTS, VICTIMS, cells, strikes
from tests.fault.download_strike import AVAILABLE, INSTALLED, QUARANTINED, DownloadStrike
from tests.fault.matrix_case import NEEDS, MatrixCase

SAMPLE = 3
STOCK_STATES = (AVAILABLE, "reserved", INSTALLED, QUARANTINED)
SPARE = 4  # ICCIDs, for those that were not reached
# Placed faults of downloads that no way of the matrix passes, and why.
LEFT_OUT = {
    r"sm-dp\.download\.(keep|keep_expired)\..*": "a profile whose own POL1 forbids that a failed download is deleted",
    r"sm-dp\.download\.cleanup\..*": "a card on which an older download was given up",
    r"sm-dp\.download\.(?!create_isdp)[a-z_]+\.(due|committed)": "an SM-SR that is busy or silent in just this state: as in create_isdp",
    r"sm-dp\.download\.delete_expired\.answered": "as delete.answered",
    r"sm-(dp|sr)\.ES[0-9].*\.unserved": "no crash",
    r"sm-sr\.card\.(decided|committed)": "the same place as those of what a POST does",
    r"sm-sr\.card\.(notified|confirmed)\..*": "of a switch of profiles: the other matrix",
    r"sm-sr\.sms\.command\..*": "a card that is commanded by SMS has no download",
}
LOOK_DP = """select json_build_object('eid', d.eid, 'iccid', d.iccid, 'state', d.state, 'step', d.step, 'ended', d.ended_at is not null, 'told', d.told,
 'message', d.message, 'stock', json_build_array(s.iccid, s.state, s.sent, s.eid), 'outbox', (select count(*) from outbox x where x.eid = d.eid))
 from download d join stock s on s.iccid = d.iccid where d.eid in (%s) order by d.started_at"""
LOOK_GATEWAY = """select json_build_object('eid', eid, 'id', id, 'state', state, 'attempt', attempt, 'outcome', concat_ws('|', status, subject, reason))
 from operation where eid in (%s)"""


class DownloadMatrixCase(MatrixCase, StockCase):
    needs = {"services": ("sm-sr", "eum", "operator-a", "operator-b", "sm-dp"), "database": NEEDS["database"],
             "settings": dict(NEEDS["settings"], **{"sm-dp": {"THREADS": "24", "BACKOFF_MS": "300", "PEER_PAUSE_MS": "100"}})}
    striking, deal = DownloadStrike, staticmethod(strikes)
    heads = StockCase.heads + ("MSISDN",)
    type_name = "plain"
    found = {}     # victim: [cells, completed, cleaned up, half, twice]
    iccids = {}    # all of the stock, by ICCID

    # The stock.
    def make(self, n):
        rows = StockCase.rows(self, n + SPARE)
        for row in rows:
            row.values["MSISDN"] = "881" + row.values["IMSI"][3:]
        self.take("matrix-%s" % rows[0].values["ICCID"], self.csv(rows), self.type_name)
        self.iccids.update((row.values["ICCID"], row) for row in rows)
        return super().make(n)

    def rows(self, *words):
        return MatrixCase.rows(self, *words)

    def digest(self, iccid):
        package = self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = '%s'" % self.type_name)
        return hashlib.sha256(personalised(bytes.fromhex(package), self.iccids[iccid])).hexdigest().upper()

    def number(self, card):
        """The network calls a profile that was enabled by its number: it may have to be woken."""
        for profile in card["profiles"]:
            if profile["state"] == "Enabled" and profile["iccid"] in self.iccids and not profile["msisdn"]:
                self.staging.cards._ask("POST", "/admin/cards/number", {"eid": card["eid"], "iccid": profile["iccid"],
                                                                        "msisdn": self.iccids[profile["iccid"]].values["MSISDN"]})

    # Looking.
    def look(self, eids):
        quoted, seen = ",".join("'%s'" % eid for eid in eids), super().look(eids)
        for eid in eids:
            seen[eid].update(orders=[], downloads=[], stock=None, sm_dp_outbox=0)
        for row in self.rows("operator_a", LOOK_GATEWAY % quoted):
            seen[row.pop("eid")]["orders"].append(row)
        for row in self.rows("sm_dp", LOOK_DP % quoted):
            now = seen[row.pop("eid")]
            iccid, state, sent, eid = row.pop("stock")
            now.update(stock=[iccid, STOCK_STATES[state], sent, eid], sm_dp_outbox=row.pop("outbox"))
            now["downloads"].append(row)
        return seen

    def eis_memory(self, eid):
        return int(self.psql("sm_sr", "select remaining_memory from eis_state where eid = '%s'" % eid))

    # Strikes.
    def run_cells(self, victim, chosen, cards=()):
        try:
            super().run_cells(victim, chosen, cards)
        finally:
            self.balance()

    def count(self, work):
        row = self.found.setdefault(work.cell.victim, [0] * 5)
        kinds = {kind for kind, _ in work.wrong}
        well, executed = work.reached and not kinds, getattr(work, "outcome", "").startswith("EXECUTED")
        for i, counts in enumerate((work.reached, well and executed, well and not executed, "half" in kinds, "twice" in kinds)):
            row[i] += counts
        return "%s (%s): %s" % (work.name, work.card.eid, "; ".join(what for _, what in work.wrong)) if work.wrong else ""

    def balance(self):
        """Every ICCID is free, installed on the one card that the stock says, or quarantined."""
        stock = {iccid: (STOCK_STATES[int(state)], eid) for iccid, state, eid in (
            row.split("|") for row in self.psql("sm_dp", "select iccid, state, coalesce(eid, '') from stock").split())}
        self.assertEqual(set(stock), set(self.iccids))
        counts = collections.Counter(state for state, _ in stock.values())
        print("      stock: %d, of which %s" % (len(stock), ", ".join("%s %d" % item for item in sorted(counts.items()))), flush=True)
        self.assertEqual(counts[AVAILABLE] + counts[INSTALLED] + counts[QUARANTINED], len(stock))
        on_cards = collections.defaultdict(list)
        for card in self.staging.cards.cards():
            for profile in card["profiles"]:
                if profile["iccid"] in stock:
                    on_cards[profile["iccid"]].append(card["eid"])
        self.assertEqual(dict(on_cards), {iccid: [eid] for iccid, (state, eid) in stock.items() if state == INSTALLED})

    @classmethod
    def table(cls):
        print("      %-8s %6s %9s %10s %6s %6s" % ("victim", "cells", "completed", "cleaned up", "half", "twice"))
        for victim, row in sorted(cls.found.items()):
            print("      %-8s %6d %9d %10d %6d %6d" % (victim, *row))
        total = [sum(column) for column in zip(*cls.found.values())]
        print("downloads: %d cells, completed %d, cleaned up %d, half %d, twice %d" % tuple(total), flush=True)

    @classmethod
    def tearDownClass(cls):
        if cls.found:
            cls.table()
        cls.found.clear()


class DownloadMatrix(DownloadMatrixCase):
    def test_every_point_is_in_it(self):
        with open(os.path.join(ROOT, "common", "base", "fault_points.def")) as f:
            rows = re.findall(r'^FAULT_POINT\("([^"]+)"', f.read(), re.M)
        own = re.compile(r"sm-dp\.(download|parked|outbox|ES2-DownloadProfile|ES3)|sm-sr\.(ES3|card|outbox|sms)|euicc-sim\.(script|store-data|segment)|"
                         r"operator-gateway\.(ES2-DownloadProfile|order|outbox)")
        known = {point.name for point in POINTS}
        self.assertLessEqual(known, set(rows))
        self.assertEqual([name for name in rows if own.match(name) and name not in known and not any(re.fullmatch(p, name) for p in LEFT_OUT)], [])

    @full
    def test_sm_dp(self):
        self.run_cells("sm-dp", cells(["sm-dp"]))

    @full
    def test_sm_sr(self):
        self.run_cells("sm-sr", cells(["sm-sr"]))

    @full
    def test_gateway(self):
        self.run_cells("gateway", cells(["gateway"]))

    @full
    def test_card(self):
        self.run_cells("card", cells(["card"]))


class DownloadSample(DownloadMatrixCase):
    """A few of the cells, others each time: RSP_SEED repeats a choice. One victim: its strikes take the time. A staging of its own and a
    restart take too long for the quick run; `./rsp test -k DownloadSample` is the quick look at a change."""

    @full
    def test_sample(self):
        seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 32))
        print("      RSP_SEED=%d" % seed, flush=True)
        chance = random.Random(seed)
        victim = chance.choice(VICTIMS)
        self.run_cells(victim, chance.sample([cell for cell in cells([victim]) if not cell.point.way], SAMPLE))
