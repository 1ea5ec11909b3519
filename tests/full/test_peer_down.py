# SPDX-License-Identifier: Apache-2.0
"""A gateway that is away for long, then there and silent: others do not notice, and it gets everything in order when it is back; what it
did not take in time are dead letters, which arrive when they are replayed (decisions.md B1)."""
import collections
import concurrent.futures
import json
import threading
import time

from tests.e2e.helpers import Work
from tests.e2e.soap import Answer, enable

QUIET_S = 120
PEER_DOWN_S = 300
SILENT_S = 60
CARDS = 40       # operator-a's own, which it keeps busy
SHARED = 20      # of both operators
ROUNDS = 3       # so often is a shared card enabled there and back while operator-b is away
PERIOD_S = 0.4   # an operation of operator-a begins
WORKERS = 24
WITHIN = 1.5     # of the quiet phase's p99
SLACK_S = 0.1    # below that a difference is the machine's
SUCCESS = "EXECUTED_SUCCESS"
# Enough of everything that operator-b's rows and operator-a's operations meet nowhere but in the outbox.
SETTINGS = {"sm-sr": {"LOG_LEVEL": "warn", "PARK_ENTITY": "200"}, "euicc-sim": {"LOG_LEVEL": "warn", "ATTACH_MS": "100"}}


class PeerCase(Work):
    build = "release"

    def oid(self, name):
        return self.staging.entities[name]["oid"]

    def count(self, sql, database="sm_sr"):
        return int(self.psql(database, "select count(*) from " + sql))

    def made(self, name, quantity, owners):
        """EIDs of cards that attached, each with its ICCIDs in the order of their owners."""
        batch = self.order_batch(self.order_of(name, quantity, owners))
        self.await_registered(batch, quantity, 120)
        self.staging.load_cards()
        eids = self.eids(batch)
        for eid in eids:
            self.staging.cards.power(True, eid)
        attached = "(select distinct eid from card_notification where type = 1 and confirmed and eid in ('%s')) c" % "','".join(eids)
        self.await_true(lambda: self.count(attached) == quantity, "the cards never attach", 120)
        rows = self.psql("sm_sr", "select eid, string_agg(iccid, ' ' order by isdp_aid) from profile where eid in ('%s') group by 1" %
                         "','".join(eids)).split("\n")
        return {eid: iccids.split() for eid, iccids in (row.split("|") for row in rows)}

    # Orders.
    def ordered(self, gateway, eid, what, **body):
        status, answer = self.northbound(gateway, "/v1/euiccs/%s/%s" % (eid, what), "POST", json.dumps(dict({"mode": "callback"}, **body)), timeout=60)
        self.assertEqual(status, 202, answer)
        return answer["operation"]

    def ended(self, gateway, operation, wait_s=60):
        return self.northbound(gateway, "/v1/operations/%s?wait=%d" % (operation, wait_s), timeout=wait_s + 30)[1]

    def enabled_by_gateway(self, gateway, eid, iccid):
        found = self.ended(gateway, self.ordered(gateway, eid, "profiles/%s/enable" % iccid))
        self.assertEqual((found["state"], found.get("status")), ("ended", SUCCESS), found)

    def enabled_directly(self, client, eid, iccid):
        """By a partner on its connection: its gateway has no part in it."""
        text = enable(self.oid(client), self.oid("sm-sr"), eid, iccid, validity=60)
        answer = Answer(self.soap_call("sm-sr", client, "/es4", text, timeout=90))
        self.assertEqual(answer.status, SUCCESS, answer.raw)

    def accepted(self, gateway, eid, iccid, **body):
        """An order that the SM-SR has taken on, for a card that is off: its answer will come by callback."""
        self.staging.cards.power(False, eid)
        operation = self.ordered(gateway, eid, "profiles/%s/enable" % iccid, **body)
        self.await_true(lambda: self.ended(gateway, operation, 0)["state"] == "accepted", "the order is not taken", 30)
        return operation

    # What operator-b has.
    def notified(self, eids):
        """(kind, ICCID, when it happened) by EID, as they came."""
        rows = self.psql("operator_b", "select eid, kind, iccid, completed_at from notification where eid in ('%s') order by id" % "','".join(eids))
        found = collections.defaultdict(list)
        for row in rows.split("\n") if rows else []:
            eid, *note = row.split("|")
            found[eid].append(tuple(note))
        return found

    def waiting(self, more="dead_at is null"):
        return self.count("outbox where lane = 'peer:%s' and %s" % (self.oid("operator-b"), more))


class Load:
    """operator-a's operations, one every PERIOD_S whatever became of the one before; seconds of each."""

    def __init__(self, case, cards):
        self.case, self.cards = case, sorted(cards.items())
        self.turn = 0
        self.free = collections.deque(range(len(self.cards)))
        self.next = [1] * len(self.cards)  # the profile to be enabled: they are enabled there and back
        self.lock = threading.Lock()

    def operate(self, number, audit):
        eid, iccids = self.cards[number]
        began = time.monotonic()
        try:
            if audit:
                found = self.case.ended("operator-a", self.case.ordered("operator-a", eid, "audit"))
                self.case.assertEqual((found["state"], found.get("status")), ("ended", SUCCESS), found)
            else:
                self.case.enabled_by_gateway("operator-a", eid, iccids[self.next[number]])
                self.next[number] ^= 1
            return time.monotonic() - began
        finally:
            with self.lock:
                self.free.append(number)

    def run(self, seconds):
        calls, began = [], time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            while time.monotonic() - began < seconds:
                with self.lock:
                    number = self.free.popleft() if self.free else None
                if number is not None:
                    self.turn += 1
                    calls.append(pool.submit(self.operate, number, self.turn % 4 == 0))
                time.sleep(max(0, began + (len(calls) + 1) * PERIOD_S - time.monotonic()) if number is not None else PERIOD_S)
            return sorted(call.result() for call in calls)


def p99(seconds):
    return seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)]


class PeerDown(PeerCase):
    needs = {"settings": SETTINGS}

    def measured(self, what, load, seconds):
        times = load.run(seconds)
        print("      %-34s %4d operations, p50 %6.3f s, p99 %6.3f s" % (what, len(times), times[len(times) // 2], p99(times)), flush=True)
        return p99(times)

    def there_and_back(self, cards, rounds):
        """operator-b's profile by operator-b itself, then operator-a's by its gateway: of that operator-b is to be told."""
        for _ in range(rounds):
            for eid, (a, b) in cards.items():
                self.enabled_directly("operator-b", eid, b)
                self.enabled_by_gateway("operator-a", eid, a)

    def leave_work(self, cards, operations):
        """With operator-b away: its orders end, then it is owed notifications."""
        for eid in operations:
            self.staging.cards.power(True, eid)
        self.await_true(lambda: self.waiting("kind = 'ES4-EnableProfileResponse'") == len(operations), "the orders do not end", 120)
        for eid in operations:
            self.enabled_by_gateway("operator-a", eid, cards[eid][0])
        self.there_and_back(cards, ROUNDS)

    def assert_all_came(self, cards, operations, rounds):
        """Once each, in the order in which it happened; the answer before what came behind it."""
        notes = self.notified(cards)
        ended = dict(row.split("|") for row in self.psql("operator_b", "select id, status from operation").split())
        for eid, (_, b) in cards.items():
            self.assertEqual([note[:2] for note in notes[eid]], [("disabled", b)] * (rounds + (eid in operations)), eid)
            self.assertEqual(sorted(note[2] for note in notes[eid]), [note[2] for note in notes[eid]], eid)
        self.assertEqual({ended[operation] for operation in operations.values()}, {SUCCESS})
        overtaken = "operation o join notification n on n.eid = o.eid where n.received_at < o.ended_at"
        self.assertEqual(self.count(overtaken, "operator_b"), 0)

    def test_others_do_not_notice_and_nothing_is_lost(self):
        own = self.made("own", CARDS, ("operator-a", "operator-a"))
        cards = self.made("shared", SHARED, ("operator-a", "operator-b"))
        load = Load(self, own)
        load.run(10)  # connections are made, statements planned
        quiet = self.measured("quiet", load, QUIET_S)
        operations = {eid: self.accepted("operator-b", eid, cards[eid][1], validity_s=600) for eid in sorted(cards)[:SHARED // 2]}
        with self.stopped("operator-b"):
            self.leave_work(cards, operations)
            waited = self.waiting()
            self.assertEqual(waited, 2 * len(operations) + ROUNDS * SHARED)
            down = self.measured("operator-b is down", load, PEER_DOWN_S)
            self.assertEqual(self.waiting(), waited)
            peer = self.rspctl.peers(self.admin("sm-sr"))["peer:" + self.oid("operator-b")]
            self.assertEqual((peer["waiting"], peer["dead"], bool(peer["paused_until"])), (waited, 0, True))
        began = time.monotonic()
        self.await_true(lambda: self.waiting() == 0, "not all is delivered", 90)
        print("      %-34s %4d messages after %.1f s" % ("delivered when it is back", waited, time.monotonic() - began), flush=True)
        self.assert_all_came(cards, operations, ROUNDS)
        with self.standing_still("operator-b"):
            self.there_and_back(cards, 1)
            silent = self.measured("operator-b is silent", load, SILENT_S)
        self.await_true(lambda: self.waiting() == 0, "not all is delivered", 120)
        self.assert_all_came(cards, operations, ROUNDS + 1)
        self.assertEqual(self.waiting("dead_at is not null"), 0)
        for phase in (down, silent):
            self.assertLessEqual(phase, WITHIN * quiet + SLACK_S)


class GivenUp(PeerCase):
    needs = {"settings": dict(SETTINGS, **{"sm-sr": dict(SETTINGS["sm-sr"], NOTIFY_GIVE_UP_S="15", CALLBACK_SPARE_S="1")})}

    def test_past_give_up_and_replayed(self):
        cards = self.made("given-up", 4, ("operator-a", "operator-b"))
        operations = {eid: self.accepted("operator-b", eid, b, validity_s=30) for eid, (_, b) in cards.items()}
        with self.stopped("operator-b"):
            for eid, (a, _) in cards.items():
                self.staging.cards.power(True, eid)
            self.await_true(lambda: self.waiting("kind = 'ES4-EnableProfileResponse'") == len(cards), "the orders do not end", 60)
            for eid, (a, _) in cards.items():
                self.enabled_by_gateway("operator-a", eid, a)
            self.await_true(lambda: self.waiting("dead_at is not null") == 2 * len(cards), "nothing is given up", 60)
            dead = self.rspctl.outbox(self.admin("sm-sr"), dead=True, peer=self.oid("operator-b"))
            self.assertEqual(collections.Counter((row["kind"], row["error"]) for row in dead),
                             {("ES4-EnableProfileResponse", "give-up time reached"): len(cards),
                              ("ES4-HandleProfileDisabledNotification", "give-up time reached"): len(cards)})
        self.assertEqual(self.notified(cards), {})
        self.assertEqual(self.rspctl.outbox_replay(self.admin("sm-sr"), dead[0]["id"]), 1)
        self.assertEqual(self.rspctl.outbox_replay(self.admin("sm-sr"), peer=self.oid("operator-b")), len(dead) - 1)
        self.await_true(lambda: self.waiting("true") == 0, "what was replayed does not arrive", 30)
        self.assertEqual({eid: [note[:2] for note in notes] for eid, notes in self.notified(cards).items()},
                         {eid: [("disabled", b)] for eid, (_, b) in cards.items()})
        for operation in operations.values():
            found = self.ended("operator-b", operation, 0)
            self.assertEqual((found["state"], found.get("status")), ("ended", SUCCESS), found)
