# SPDX-License-Identifier: Apache-2.0
"""One strike: cards of several cells are held at their points, the victim dies once, everything goes on, and each cell is judged."""
import json
import signal
import time

from rsp.cards import UnixConnection
from tests.e2e.helpers import Background
from tests.fault.points import COUNTERS
from tests.fault.witness import VALIDITY_S, Polling, Waiting

HELD_S = 8       # a cell that is not held so long after another was is not reached: a connection was dealt to a thread that another cell holds
SETTLED_S = 60
EXPIRES_S = 3
CUT = ("cut", "dark")  # by a hook
WITNESSED = ("sm-sr", "postgres")
STATES = {"Disabled": 1, "Enabled": 2}


class Work:
    """One cell under way: a card and what was ordered of it."""

    def __init__(self, cell, card):
        self.cell, self.card, self.point = cell, card, cell.point.name.format(function=cell.operation.function)
        self.reached = False
        self.order = self.witness = None
        self.operation = None  # its id at the gateway
        self.wrong = []        # (lost or twice, what)

    @property
    def name(self):
        return "%s, %s at %s" % (self.cell.victim, self.cell.operation.name, self.point)


class Strike:
    """case: a test case with a staging. cards: one per cell, attached and quiet."""
    held_s, settled_s = HELD_S, SETTLED_S

    def __init__(self, case, victim, cells, cards):
        self.case, self.staging, self.victim = case, case.staging, victim
        self.work = [Work(cell, card) for cell, card in zip(cells, cards)]

    # Faults, over the sockets themselves: a process per question would take longer than what it asks about.
    def socket(self, process):
        return self.staging.cards.socket if process == "euicc-sim" else self.staging.admin_socket(process)

    def ask(self, process, method, body=None):
        connection = UnixConnection(self.socket(process), 10)
        try:
            connection.request(method, "/admin/faults", None if body is None else json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            data = json.loads(response.read())
            self.case.assertEqual(response.status, 200, data)
            return data
        finally:
            connection.close()

    def whose(self, work):
        return work.card.eid

    def arm(self, work, action):
        try:
            self.ask(work.cell.point.at, "POST", {"point": work.point, "action": action, "eid": self.whose(work)})
        except OSError:
            self.case.assertEqual(action, "off")  # the process is dead, and its faults with it

    def held(self, works):
        """Whether as many are held as should be, point by point."""
        there = {}
        for process in {w.cell.point.at for w in works}:
            there.update({(process, row["point"]): row["held"] for row in self.ask(process, "GET")})
        for work in works:
            same = [w for w in works if (w.cell.point.at, w.point) == (work.cell.point.at, work.point)]
            work.reached = there[work.cell.point.at, work.point] >= len(same)
        return all(w.reached for w in works)

    # The course of things.
    def rank(self, work):
        return work.cell.point.rank

    def run(self):
        began = time.monotonic()
        for work in self.work:
            self.prepare(work)  # a cell that is held may stop the simulator for all that come behind it
        for rank in sorted({self.rank(w) for w in self.work}):
            self.hold([w for w in self.work if self.rank(w) == rank])
        held = time.monotonic()
        self.strike()
        self.settle()
        for work in self.work:
            self.judge_witness(work)
        print("      %-8s %2d cells, held after %4.1f s, all well after %4.1f s: %s" % (
            self.victim, len(self.work), held - began, time.monotonic() - began,
            ", ".join("%s@%s%s" % (w.cell.operation.name, w.point, "" if w.reached else " (not reached)") for w in self.work)), flush=True)
        return self.work

    def hold(self, works):
        for work in works:
            self.arm(work, "pause")
            work.order = Background(self.place, work)
        until, reached = time.monotonic() + self.held_s, 0
        while not self.held(works) and time.monotonic() < until:
            if sum(work.reached for work in works) > reached:  # they come, one behind the other
                until, reached = time.monotonic() + self.held_s, sum(work.reached for work in works)
            time.sleep(0.03)
        for number, work in enumerate(works):
            if self.victim in WITNESSED and self.taken(work):
                work.operation = work.order.value()
                work.witness = (Waiting, Polling)[number % 2](self.case, work, SETTLED_S)

    def taken(self, work):
        """The SM-SR has the gateway's call: before that a witness would be who made it."""
        point = work.cell.point
        return work.reached and point.pool not in ("partner", "northbound") and point.at != "operator-b" and not point.way

    def prepare(self, work):
        if work.cell.point.way == "cut":
            self.staging.cards.hook("power-cut", work.card.eid, 1, "before-script")
        elif work.cell.point.way == "off":
            self.staging.cards.power(False, work.card.eid)

    def place(self, work):
        """Orders it at the gateway; as often as it takes, under one key."""
        cell, body = work.cell, {"validity_s": EXPIRES_S if work.cell.point.way == "off" else VALIDITY_S}
        if cell.point.mode:
            body["mode"] = cell.point.mode
        path = "/v1/euiccs/%s/%s" % (work.card.eid, cell.operation.order.format(a=work.card.a, b=work.card.b))
        return self.case.place("operator-b", path, body, "%s-%s" % (work.card.eid, cell.operation.name))

    def release(self):
        for work in self.work:
            self.arm(work, "off")

    def strike(self):
        getattr(self, "strike_" + self.victim.replace("-", "_"))()
        for work in self.work:
            if work.cell.point.way in CUT:
                self.staging.cards.unhook("power-cut", work.card.eid)  # of one that was not reached: it would be cut for good
            if work.cell.point.way:
                self.staging.cards.power(True, work.card.eid)

    def strike_sm_sr(self):
        self.staging.kill("sm-sr")
        self.release()
        self.staging.start_service("sm-sr")

    def strike_card(self):
        """Those that a card of its own thread is held for die with the whole simulator."""
        if any(w.cell.point.at == "euicc-sim" for w in self.work):
            self.staging.cards.kill()
            self.release()
            self.staging.cards.start()
            return
        for work in self.work:
            self.staging.cards.power(False, work.card.eid)
        self.release()
        for work in self.work:
            self.staging.cards.power(True, work.card.eid)

    def strike_gateway(self):
        for gateway in ("operator-a", "operator-b"):
            self.staging.kill(gateway)
        self.release()
        self.staging.start_services(("operator-a", "operator-b"))

    def strike_postgres(self):
        self.staging.cluster.child.kill(signal.SIGQUIT)
        self.release()
        self.staging.cluster.start(self.staging.supervisor)

    def strike_nats(self):
        self.staging.bus.child.kill()
        self.release()
        self.staging.start_bus()

    # Verdicts.
    def settle(self):
        until = time.monotonic() + self.settled_s
        for work in self.work:
            work.operation = work.order.value(self.settled_s)
        while True:
            seen = self.case.look([w.card.eid for w in self.work])
            for work in self.work:
                work.wrong = list(self.judge(work, seen[work.card.eid]))
            if not any(work.wrong for work in self.work) or time.monotonic() > until:
                return
            # What happened too often does not become better by waiting.
            if all(kind == "twice" for work in self.work for kind, _ in work.wrong):
                return
            time.sleep(0.1)

    def outcome(self, work):
        """Nothing else is allowed: there is time enough for every repetition. A card without power cannot be reached: 1.6/5.3 at the end of
        the validity period."""
        return "EXPIRED|1.6|5.3" if work.cell.point.way == "off" else "EXECUTED_SUCCESS||"

    def judge(self, work, now):
        """(lost or twice, what is wrong), of all that is seen of a card. A change that expired did not happen."""
        operation, card = work.cell.operation, now["card"]
        done = work.cell.point.way != "off"
        before = work.card.before
        ours = [o for o in now["operations"] if o["id"] == work.operation]
        if [(o["state"], o["outcome"]) for o in ours] != [("ended", self.outcome(work))]:
            yield "lost", "the gateway has %s" % now["operations"]
        for counter in COUNTERS:
            wanted, is_now = operation.counts.get(counter, 0) if done else 0, card[counter] - before[counter]
            if is_now != wanted:
                yield "lost" if is_now < wanted else "twice", "%s: %d instead of %d" % (counter, is_now, wanted)
        yield from self.judge_profiles(work, now, done)
        calls = [p for p in now["procedures"] if p["function"] == operation.function and p["fci"].startswith(work.operation)]
        if len(calls) != 1:
            yield "twice" if len(calls) > 1 else "lost", "the SM-SR has the procedures %s" % now["procedures"]
        for what in ("busy", "open", "uncertain", "sessions", "outbox", "replies"):
            if now[what]:
                yield "lost", "the SM-SR keeps %s: %s" % (what, now[what])
        if card["pending"] or card["session"] or card["phase"] != "idle":
            yield "lost", "the card is %(phase)s, pending %(pending)d, session %(session)s" % card
        told = before["told"] + (operation.told if done else [])
        for kind, profile in set(told) | set(now["told"]):
            more = now["told"].count((kind, profile)) - told.count((kind, profile))
            if more:
                yield "twice" if more > 0 else "lost", "operator-a heard %d times too often that %s was %s" % (more, profile, kind)

    def judge_profiles(self, work, now, done):
        operation, names = work.cell.operation, {work.card.a: "a", work.card.b: "b"}
        card = sorted((names[p["iccid"]], STATES[p["state"]], p["fallback"]) for p in now["card"]["profiles"])
        eis = sorted((names[iccid], state, fallback) for iccid, state, fallback in now["profiles"])
        if card != eis:
            yield "lost", "the card has %s, the EIS %s" % (card, eis)
        enabled, left = (operation.enabled, operation.left) if done else (work.card.before["enabled"], "ab")
        if card != sorted((p, 2 if p == enabled else 1, p == "a") for p in left):
            yield "lost", "the card has %s" % card

    def judge_witness(self, work):
        if work.witness is None:
            return
        answer = work.witness.thread.value(SETTLED_S)
        if answer is None or "%s|%s" % (answer.status, (answer.code or "/").replace("/", "|")) != self.outcome(work):
            work.wrong.append(("lost", "who asked by %s heard %s after %d tries"
                               % (work.witness.way, None if answer is None else (answer.status, answer.code), work.witness.tries)))

