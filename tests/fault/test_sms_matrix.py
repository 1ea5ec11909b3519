# SPDX-License-Identifier: Apache-2.0
"""The crash matrix of cards without HTTPS: every operation, held at every placed fault of its way by SMS, while one of the processes it needs
dies. It ends once and well, the card executes once what was ordered, and no counter is used twice."""
import os
import random

from tests.e2e.base import full
from tests.fault.matrix_case import NEEDS, MatrixCase
from tests.fault.points import VICTIMS, Point, cells, strikes
from tests.fault.strike import Strike

ORDERED = ("enable", "disable", "delete", "audit")
SWITCHES = ("enable", "disable")
SAMPLE = 3
# There what is held is the same whatever was ordered: each point once, with an operation by chance.
ASIDE = ("gateway", "nats")
COUNTERS = """select json_build_object('eid', k.eid, 'counter', k.counter, 'sent',
 (select coalesce(json_agg(counter order by id), '[]') from sms_out o where o.eid = k.eid and o.kvn = k.version)) from keyset k
 where k.version < 16 and k.eid in (%s)"""


def points():
    """The card's come first: while the simulator stands still a packet may be built beside it, but nothing is answered."""
    for stage in ("received", "executed", "saved"):
        yield Point("euicc-sim.script." + stage, "euicc-sim", 0, "sim", operations=ORDERED)
        yield Point("euicc-sim.confirmation." + stage, "euicc-sim", 0, "sim", operations=SWITCHES)
    for stage in ("due", "sent"):
        yield Point("euicc-sim.notification." + stage, "euicc-sim", 0, "sim", operations=SWITCHES)
    for stage in ("decided", "committed"):
        yield Point("sm-sr.sms.command.due." + stage, "sm-sr", 1, "sms", operations=ORDERED)
        yield Point("sm-sr.sms.command.answer." + stage, "sm-sr", 1, "sms", operations=ORDERED)
        yield Point("sm-sr.sms.command.note." + stage, "sm-sr", 1, "sms", operations=SWITCHES)
        yield Point("sm-sr.sms.command.lost." + stage, "sm-sr", 1, "sms", operations=ORDERED, way="unproved")


POINTS = tuple(points())


def fits(strike, cell):
    """One that the lane's thread is held for, and one beside it that the simulator's is, if the first needs no answer of a card."""
    together = [c.point for c in strike] + [cell.point]
    return len({p.stops for p in together}) == len(together) and all(".due." in p.name or p.stops == "sim" for p in together)


class SmsStrike(Strike):
    def prepare(self, work):
        """Its proof of receipt is lost; of a switch, whose notification is the better answer, that of the confirmation, too."""
        if work.cell.point.way == "unproved":
            self.staging.cards.hook("drop-por", work.card.eid, 2 if work.cell.operation.name in SWITCHES else 1)

    def strike(self):
        super().strike()
        for work in self.work:
            if work.cell.point.way:
                self.staging.cards.unhook("drop-por", work.card.eid)

    def judge(self, work, now):
        yield from super().judge(work, now)
        sent, taken = now["sent"], now["card"]["counters"].values()
        if sent != sorted(set(sent)) or now["counter"] != max(sent):
            yield "twice", "counters were %s, the next is behind %d" % (sent, now["counter"])
        if max(taken) > max(sent):
            yield "twice", "the card has taken %s, sent were %s" % (list(taken), sent)


class SmsMatrixCase(MatrixCase):
    needs = dict(NEEDS, settings=dict(NEEDS["settings"], **{
        # Three times the same bytes and then the audit: soon, but behind what a card takes to answer under sanitizers.
        "sm-sr": dict(NEEDS["settings"]["sm-sr"], SMS_RETRY_MS="1000", SMS_TRIES="3", TRIGGER_AGAIN_S="1"),
        "euicc-sim": dict(NEEDS["settings"]["euicc-sim"], RETRY_MS="1500")}))
    striking, deal = SmsStrike, staticmethod(lambda chosen: strikes(chosen, fits))
    batch_more = {"http_support": False}
    found = {}

    def look(self, eids):
        seen = super().look(eids)
        for row in self.rows("sm_sr", COUNTERS % ",".join("'%s'" % eid for eid in eids)):
            seen[row["eid"]].update(counter=row["counter"], sent=row["sent"])
        return seen

    @classmethod
    def tearDownClass(cls):
        if cls.found:
            cls.table()
        cls.found.clear()


def chance():
    seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 32))
    print("      RSP_SEED=%d" % seed, flush=True)
    return random.Random(seed)


class SmsMatrix(SmsMatrixCase):
    def run_victim(self, victim):
        chosen = cells([victim], ORDERED, POINTS)
        if victim in ASIDE:
            some = chance()
            chosen = [some.choice([cell for cell in chosen if cell.point is point]) for point in POINTS]
        self.run_cells(victim, chosen)

    @full
    def test_sm_sr(self):
        self.run_victim("sm-sr")

    @full
    def test_card(self):
        self.run_victim("card")

    @full
    def test_gateway(self):
        self.run_victim("gateway")

    @full
    def test_postgres(self):
        self.run_victim("postgres")

    @full
    def test_nats(self):
        self.run_victim("nats")


class SmsSample(SmsMatrixCase):
    """`./rsp test -k SmsSample` is the quick look at a change: of one victim a few cells."""

    @full
    def test_sample(self):
        some = chance()
        victim = some.choice(VICTIMS)
        self.run_cells(victim, some.sample(cells([victim], ORDERED, POINTS), SAMPLE))
