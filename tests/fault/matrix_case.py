# SPDX-License-Identifier: Apache-2.0
"""What crash matrices share: cards for their cells, strikes dealt over them, and what is seen of each card afterwards."""
import collections
import json
import time

from tests.e2e.helpers import Work
from tests.fault.points import OPERATIONS, strikes
from tests.fault.strike import Strike

TRIES = 3  # of a cell that was not reached
NEEDS = {
    # What dies is the server, not the machine: what it wrote is there, and a restart takes no time for files.
    "database": {"max_connections": "300", "fsync": "off"},
    "settings": {
        "euicc-sim": {"ATTACH_MS": "50", "RETRY_MS": "300", "RETRIES": "200", "SESSION_RETRY_MS": "200", "SESSION_RETRIES": "200"},
        # Threads that are held are many; a card's answer is held longer than it would ever take.
        "sm-sr": {"THREADS": "20", "CARDS_THREADS": "20", "CARD_GONE_MS": "500", "CARD_LOST_MS": "8000", "CARD_NET_MS": "300",
                  "SMS_RETRY_MS": "1000", "SMS_TRIES": "60", "TRIGGER_AGAIN_S": "2", "SWEEP_MS": "500", "PEER_PAUSE_MS": "100"},
        "operator-gateway": {"THREADS": "10", "NORTHBOUND_THREADS": "8", "PEER_PAUSE_MS": "100"},
    },
}
# All that the SM-SR holds of cards, a line of JSON each.
LOOK = """select json_build_object('eid', s.eid, 'uncertain', s.uncertain,
 'profiles', (select json_agg(json_build_array(iccid, state, fallback)) from profile x where x.eid = s.eid),
 'busy', (select count(*) from eid_busy x where x.eid = s.eid),
 'open', (select count(*) from card_command x where x.eid = s.eid and state < 2),
 'sessions', (select count(*) from card_session x where x.eid = s.eid),
 'outbox', (select coalesce(json_agg(json_build_array(lane, kind, attempts, error)), '[]') from outbox x where x.eid = s.eid),
 'replies', (select count(*) from reply x where x.eid = s.eid),
 'procedures', (select coalesce(json_agg(json_build_object('function', function, 'fci', fci, 'state', state, 'code', code)), '[]')
  from procedure x where x.eid = s.eid)) from eis_state s where s.eid in (%s)"""


class Card:
    """a, b: ICCIDs of operator-a's and operator-b's profile. before: what was seen of it when its cell began."""

    def __init__(self, eid, iccids):
        self.eid, (self.a, self.b), self.before = eid, iccids, None


class MatrixCase(Work):
    """striking: what a strike is. found: {(operation, victim): [cells, lost, twice]}, of one class and those it is made of."""
    needs = NEEDS
    striking, deal = Strike, staticmethod(strikes)
    batch_more = {}  # of what its cards are
    found = collections.OrderedDict()

    # Looking.
    def rows(self, database, sql):
        return [json.loads(line) for line in self.psql(database, sql).split("\n") if line]

    def look(self, eids):
        """{EID: all that is known of it, anywhere}."""
        quoted = ",".join("'%s'" % eid for eid in eids)
        seen = {row["eid"]: dict(row, operations=[], told=[]) for row in self.rows("sm_sr", LOOK % quoted)}
        for row in self.rows("operator_b", "select json_build_object('eid', eid, 'id', id, 'kind', kind, 'state', state, 'attempt', attempt,"
                             " 'outcome', concat_ws('|', status, subject, reason)) from operation where eid in (%s)" % quoted):
            seen[row.pop("eid")]["operations"].append(row)
        for row in self.rows("operator_a", "select json_build_object('eid', eid, 'kind', kind, 'iccid', iccid) from notification"
                             " where eid in (%s) order by id" % quoted):
            seen[row["eid"]]["told"].append((row["kind"], "a" if row["iccid"] == MatrixCase.known[row["eid"]].a else "b"))
        for eid in eids:
            seen[eid]["card"] = self.staging.cards.card(eid)
        return seen

    # Cards.
    known = {}

    def make(self, n):
        """So many cards that have attached and said so."""
        batch, eids = self.batch_of(self.order_of("matrix-%d" % (Work.series + 1), n, **self.batch_more))
        self.staging.load_cards()
        for eid in eids:
            self.staging.cards.power(True, eid)
        self.await_true(lambda: self.attached(set(eids)), "the cards never attach", 180)
        iccids = collections.defaultdict(list)
        for row in self.psql("sm_sr", "select eid, iccid from profile order by eid, isdp_aid").split():
            iccids[row.split("|")[0]].append(row.split("|")[1])
        made = [Card(eid, iccids[eid]) for eid in eids]
        MatrixCase.known.update((card.eid, card) for card in made)
        return made

    def attached(self, eids):
        """By the cards' own word: of a confirmation whose answer was lost the SM-SR is not sure."""
        return all(card["seq"] and not card["pending"] and card["phase"] == "idle" for card in self.staging.cards.cards() if card["eid"] in eids)

    def make_for(self, chosen):
        """{cell: Card}, each in the state that its operation wants, quiet."""
        made = self.make(len(chosen))
        early = [(card, OPERATIONS[cell.operation.before]) for cell, card in zip(chosen, made) if cell.operation.before]
        for card, operation in early:
            self.place("operator-b", "/v1/euiccs/%s/%s" % (card.eid, operation.order.format(a=card.a, b=card.b)), {}, card.eid + "-before")
        ended = "select count(*) from operation where state = 'ended' and status = 'EXECUTED_SUCCESS' and eid in (%s)"
        ended %= ",".join("'%s'" % card.eid for card, _ in early) or "''"
        self.await_true(lambda: int(self.psql("operator_b", ended)) == len(early), "cards are not prepared", 180)
        self.await_true(lambda: self.quiet(made), "cards have no rest", 60)
        seen = self.look([card.eid for card in made])
        for card in made:
            now = seen[card.eid]
            card.before = dict(now["card"], told=now["told"], enabled="a" if now["card"]["enabled"] == card.a else "b")
        return dict(zip(chosen, made))

    def quiet(self, cards):
        quoted = ",".join("'%s'" % card.eid for card in cards)
        busy = ("card_command where state < 2 and", "card_session where", "outbox where", "eid_busy where")
        left = " + ".join("(select count(*) from %s eid in (%s))" % (table, quoted) for table in busy)
        mine = {card.eid for card in cards}
        return self.psql("sm_sr", "select " + left) == "0" and all(
            card["phase"] == "idle" and not card["pending"] and not card["session"] for card in self.staging.cards.cards() if card["eid"] in mine)

    # Orders.
    def place(self, gateway, path, body, key):
        """The operation's id; a gateway that dies meanwhile is asked again, under the same key."""
        until = time.monotonic() + 60
        while True:
            try:
                status, answer = self.northbound(gateway, path, "POST", json.dumps(body), headers={"Idempotency-Key": key}, timeout=20)
            except (OSError, ValueError) as e:
                status, answer = None, e
            if status == 202:
                return answer["operation"]
            self.assertIn(status, (None, 503), answer)
            self.assertLess(time.monotonic(), until, "the gateway takes no order: %s" % answer)
            time.sleep(0.1)

    # Strikes.
    def run_cells(self, victim, chosen, cards=()):
        """Each is held at its point when the victim dies; those that were not, again with another card. cards: {cell: Card} of the first
        round, when they are made already."""
        wrong, made = [], dict(cards)
        for _ in range(TRIES):
            dealt = self.deal(chosen)
            made = made or self.make_for(chosen)
            chosen = []
            for strike in dealt:
                works = self.striking(self, victim, strike, [made.pop(cell) for cell in strike]).run()
                chosen += [w.cell for w in works if not w.reached]
                wrong += [self.count(work) for work in works]
            if not chosen:
                break
        wrong += ["%s, %s: %s was never reached" % (victim, cell.operation.name, cell.point.name) for cell in chosen]
        self.assertEqual([w for w in wrong if w], [])

    def count(self, work):
        """Into the table; what is wrong with it."""
        row = self.found.setdefault((work.cell.operation.name, work.cell.victim), [0, 0, 0])
        kinds = {kind for kind, _ in work.wrong}
        row[0] += work.reached
        row[1] += "lost" in kinds
        row[2] += "twice" in kinds
        return "%s (%s): %s" % (work.name, work.card.eid, "; ".join(what for _, what in work.wrong)) if work.wrong else ""

    @classmethod
    def table(cls):
        print("      %-10s %-10s %6s %6s %6s" % ("operation", "victim", "cells", "lost", "twice"))
        for (operation, victim), row in sorted(cls.found.items()):
            print("      %-10s %-10s %6d %6d %6d" % (operation, victim, *row))
        print("matrix: %d cells, lost %d, twice %d" % tuple(sum(row[i] for row in cls.found.values()) for i in range(3)), flush=True)
