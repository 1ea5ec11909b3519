# SPDX-License-Identifier: Apache-2.0
"""The crash matrix of SM-SR changes: held at every placed fault on its way, while one of those it needs dies. It ends: one SM-SR has the
card, the operator that ordered it knows it, and the owners of its profiles are told once if it has moved."""
import os
import random

from rsp import roles
from rsp.link import Link
from tests.e2e.base import full
from tests.e2e.smsr_change.change_case import DATABASES, GATEWAY, HANDOVERS
from tests.fault.matrix_case import NEEDS, MatrixCase
from tests.fault.move_points import VICTIMS, cells, strikes
from tests.fault.move_strike import MoveStrike
from tests.fault.strike import STATES

SAMPLE = 8
OPERATORS = ("operator-a", "operator-b")
KINDS = ("lost", "twice", "none", "both")
LOOK_SMSR = """select json_build_object('eid', e.eid,
 'known', (select count(*) from eis x where x.eid = e.eid),
 'uncertain', (select bool_or(uncertain) from eis_state x where x.eid = e.eid),
 'profiles', (select coalesce(json_agg(json_build_array(iccid, state, fallback)), '[]') from profile x where x.eid = e.eid),
 'keys', (select coalesce(json_agg(distinct version), '[]') from keyset_key x where x.eid = e.eid),
 'busy', (select count(*) from eid_busy x where x.eid = e.eid),
 'open', (select count(*) from card_command x where x.eid = e.eid and state < 2),
 'sessions', (select count(*) from card_session x where x.eid = e.eid),
 'outbox', (select coalesce(json_agg(json_build_array(lane, kind, attempts, error)), '[]') from outbox x where x.eid = e.eid),
 'replies', (select count(*) from reply x where x.eid = e.eid)) from unnest(array[%s]) e(eid)"""
# A command whose time was over while something was held is a dead letter; another was made in its place.
LOOK_HANDOVER = """select json_build_object('eid', e.eid,
 'open_handovers', (select count(*) from handover_out x where x.eid = e.eid and ended_at is null)
  + (select count(*) from handover_in x where x.eid = e.eid and ended_at is null),
 'outbox', (select coalesce(json_agg(json_build_array(lane, kind, attempts, error)), '[]') from outbox x where (x.eid = e.eid
  or x.eid in (select id::text from handover_out h where h.eid = e.eid)) and not (kind = 'command' and dead_at is not null))) from unnest(array[%s]) e(eid)"""
LOOK_ORDERS = """select json_build_object('eid', eid, 'id', id, 'state', state, 'attempt', attempt, 'status', status, 'subject', subject, 'reason', reason)
 from operation where eid in (%s)"""
LOOK_TOLD = "select json_build_object('eid', eid) from notification where kind = 'smsr_changed' and eid in (%s)"


class MoveMatrixCase(MatrixCase):
    # Few threads: each has a database connection, which a restart opens.
    needs = {"services": roles.TWO_DOMAINS, "database": NEEDS["database"],
             "settings": dict(NEEDS["settings"], **{
                 "sm-sr": dict(NEEDS["settings"]["sm-sr"], THREADS="8", CARDS_THREADS="6"),
                 "operator-gateway": dict(NEEDS["settings"]["operator-gateway"], THREADS="6", NORTHBOUND_THREADS="8"),
                 "sm-sr-handover": {"THREADS": "8", "WORKERS": "12", "RETRY_MS": "500", "CARD_STEP_S": "60", "PEER_PAUSE_MS": "100"}})}
    striking, deal = MoveStrike, staticmethod(strikes)
    found = {}  # victim: [cells, moved, given back, lost, twice, none, both]

    def oid(self, entity):
        return self.staging.entities[entity]["oid"]

    def look(self, eids):
        quoted = ",".join("'%s'" % eid for eid in eids)
        seen = {eid: {"orders": [], "told": dict.fromkeys(OPERATORS, 0)} for eid in eids}
        for smsr, database in DATABASES.items():
            for row in self.rows(database, LOOK_SMSR % quoted):
                seen[row["eid"]][smsr] = row
            for row in self.rows(HANDOVERS[smsr].replace("-", "_"), LOOK_HANDOVER % quoted):
                mine = seen[row["eid"]][smsr]
                mine.update(open_handovers=row["open_handovers"], outbox=mine["outbox"] + row["outbox"])
        for row in self.rows(GATEWAY.replace("-", "_"), LOOK_ORDERS % quoted):
            seen[row.pop("eid")]["orders"].append(row)
        for operator in OPERATORS:
            for row in self.rows(operator.replace("-", "_"), LOOK_TOLD % quoted):
                seen[row["eid"]]["told"][operator] += 1
        for eid in eids:
            seen[eid]["card"] = self.staging.cards.card(eid)
        return seen

    def make_for(self, chosen):
        made = self.make(len(chosen))
        self.await_true(lambda: self.quiet(made), "cards have no rest", 60)
        for card in made:
            now = self.staging.cards.card(card.eid)
            card.before = {"versions": {int(version) for version in now["keys"]},
                           "listed": sorted((p["iccid"], STATES[p["state"]], p["fallback"]) for p in now["profiles"])}
        return dict(zip(chosen, made))

    def count(self, work):
        row = self.found.setdefault(work.cell.victim, [0] * (3 + len(KINDS)))
        kinds = {kind for kind, _ in work.wrong}
        well = work.reached and not kinds
        for i, counts in enumerate((work.reached, well and work.moved, well and not work.moved, *(kind in kinds for kind in KINDS))):
            row[i] += counts
        return "%s (%s): %s" % (work.name, work.card.eid, "; ".join(what for _, what in work.wrong)) if work.wrong else ""

    @classmethod
    def table(cls):
        heads = ("cells", "moved", "given back", *KINDS)
        print("      %-16s %s" % ("victim", " ".join("%10s" % head for head in heads)))
        for victim, row in sorted(cls.found.items()):
            print("      %-16s %s" % (victim, " ".join("%10d" % n for n in row)))
        total = [sum(column) for column in zip(*cls.found.values())]
        print("moves: " + ", ".join("%s %d" % pair for pair in zip(heads, total)), flush=True)

    @classmethod
    def tearDownClass(cls):
        if cls.found:
            cls.table()
        cls.found.clear()


class MoveMatrix(MoveMatrixCase):
    @full
    def test_sm_sr_1(self):
        self.run_cells("sm-sr", cells(["sm-sr"]))

    @full
    def test_handover_1(self):
        self.run_cells("sm-sr-handover", cells(["sm-sr-handover"]))

    @full
    def test_sm_sr_2(self):
        self.run_cells("sm-sr-b", cells(["sm-sr-b"]))

    @full
    def test_handover_2(self):
        self.run_cells("sm-sr-handover-b", cells(["sm-sr-handover-b"]))

    @full
    def test_card(self):
        self.run_cells("card", cells(["card"]))


class LinkMatrix(MoveMatrixCase):
    """The cable between the two handover services is cut, and mended."""
    needs = dict(MoveMatrixCase.needs, link=True)

    @full
    def test_link(self):
        missing = Link.why_not()
        if missing:
            self.skipTest(missing)
        self.run_cells("link", cells(["link"]))


class MoveSample(MoveMatrixCase):
    """A few of the cells of one victim: `./rsp test full -k MoveSample` is the quick look at a change. RSP_SEED repeats a choice."""

    @full
    def test_sample(self):
        seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 32))
        print("      RSP_SEED=%d" % seed, flush=True)
        chance = random.Random(seed)
        victim = chance.choice(VICTIMS)
        self.run_cells(victim, chance.sample(cells([victim]), SAMPLE))
