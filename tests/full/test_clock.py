# SPDX-License-Identifier: Apache-2.0
"""Clocks that are wrong and are put right while operations run: one replica of the SM-SR is an hour ahead of the other and of the database,
then behind, then right. Deadlines are the database's, pauses go by clocks that only go forward: nothing ends early, late, twice or never."""
import concurrent.futures
import os
import time

from rsp.demo_cards import CARD_SETTINGS
from rsp.paths import state_dir
from tests.e2e import soap
from tests.e2e.helpers import Background
from tests.full.operations import SUCCESS, Operation, Operations

CARDS, WORKERS, STEP_S = 240, 30, 1.5
STEPS = ("+1h", "-30m", "+0", "+59m", "-1h", "+1h")
FOLDER = state_dir()
LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


def clock_file(name):
    """What a process that runs under the library takes for the difference of its clock; it is read whenever that is asked."""
    return os.path.join(FOLDER, "clock-" + name)


def clock_set(name, difference):
    path = clock_file(name)
    with open(path + ".new", "w") as f:
        f.write(difference + "\n")
    os.replace(path + ".new", path)


def faked(name):
    # The library would take waits by the monotonic clock for waits by the other one.
    return {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": clock_file(name), "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}


class Stepping(Operations):
    """victim: the process whose clock is wrong."""
    steps = (("enable", "operator-b"), ("audit", "operator-a"), ("enable", "operator-a"), ("audit", "operator-b"))

    def setUp(self):
        clock_set(self.victim, STEPS[0])

    def hours(self):
        """Those in the log of that process, as it says them."""
        with open(self.staging.log(self.victim)) as f:
            return {line.split()[0][5:18] for line in f if line.startswith("time=")}

    def step_while(self, running):
        """How often its clock was put forward or back."""
        n = 0
        while running():
            time.sleep(STEP_S)
            n += 1
            clock_set(self.victim, STEPS[n % len(STEPS)])
        return n

    def run_chains(self, name, count):
        cards = self.made(name, count)
        self.prepare()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            futures = [pool.submit(self.chain, card) for card in cards]
            stepped = self.step_while(lambda: not all(f.done() for f in futures))
        for f in futures:
            f.result()
        hours = self.hours()
        print("      stepped %d times; by its log %s ran at %s" % (stepped, self.victim, ", ".join(sorted(hours))), flush=True)
        self.assertGreater(len(hours), 1)
        operations = self.account("clock of " + self.victim, cards)
        self.assertEqual({o.status for o in operations}, {SUCCESS})


class Clock(Stepping):
    victim = "sm-sr-2"
    needs = {"replicas": 2, "balancer": True, "variables": {"sm-sr-2": faked("sm-sr-2")}, "settings": {
        "sm-sr": {"CARD_GONE_MS": "3000", "CARD_LOST_MS": "20000", "TRIGGER_AGAIN_S": "10", "PARK_ENTITY": "500"},
        "operator-gateway": {"LOG_LEVEL": "warn"},
        "euicc-sim": dict(CARD_SETTINGS, LOG_LEVEL="warn", RETRIES="50", SESSION_RETRY_MS="500", SESSION_RETRIES="20")}}

    def times_agree(self):
        """What is stored and told is of the last minutes, by the one clock that counts."""
        recent = "not between clock_timestamp() - interval '20 min' and clock_timestamp()"
        for sql in ("select last_audit from eis_state", "select started_at from procedure", "select ended_at from procedure",
                    "select at from audit_trail"):
            column, table = sql.split()[1], sql.split()[3]
            self.assertEqual(self.psql("sm_sr", "select count(*) from %s where %s %s" % (table, column, recent)), "0", sql)
        for database in ("operator_a", "operator_b"):
            self.assertEqual(self.psql(database, "select count(*) from notification where completed_at " + recent), "0", database)

    def test_the_clock_of_one_replica_steps(self):
        self.run_chains("clock", CARDS)
        self.times_agree()

    def test_a_validity_period_ends_by_the_databases_clock(self):
        """Ordered at either replica, of a card that is off: 1.6/5.3 when its time is over, no sooner and hardly later."""
        card, = self.made("late", 1)
        self.staging.cards.power(False, card.eid)
        self.prepare()
        self.validity_s = 5
        for difference in ("+1h", "-1h"):
            clock_set(self.victim, difference)
            for replica in ("sm-sr", self.victim):
                began = time.monotonic()
                answer = soap.Answer(self.soap_call(replica, "operator-b", "/es4", self.envelope(card, Operation("enable", "operator-b", ""), None)))
                seconds = time.monotonic() - began
                self.assertEqual((answer.status, answer.code), ("EXPIRED", "1.6/5.3"), answer.message)
                self.assertGreater(seconds, self.validity_s - 0.1)
                self.assertLess(seconds, self.validity_s + 3)


class GatewayClock(Stepping):
    """Its operations' deadlines and pauses, too, are the database's."""
    victim = "operator-b"
    needs = {"variables": {"operator-b": faked("operator-b")},
             "settings": {"sm-sr": {"TRIGGER_AGAIN_S": "10", "PARK_ENTITY": "500"}, "euicc-sim": dict(CARD_SETTINGS, LOG_LEVEL="warn")}}
    ways = ("callback", "connection")

    def test_the_clock_of_a_gateway_steps(self):
        self.run_chains("gateway-clock", CARDS // 2)

    def test_its_operations_end_by_the_databases_clock(self):
        """The card is off: EXPIRED after its validity period, however the gateway's own clock jumps meanwhile."""
        card, = self.made("gateway-late", 1)
        self.staging.cards.power(False, card.eid)
        self.prepare()
        self.validity_s = 5
        for way in self.ways:
            operation = Operation("enable", "operator-b", way)
            clock_set(self.victim, "-1h")
            began = time.monotonic()
            call = Background(self.by_gateway, card, operation)
            self.await_true(lambda: self.psql("sm_sr", "select count(*) from eid_busy") == "1", "it does not begin")
            clock_set(self.victim, "+1h")
            (status, code, message), seconds = call.value(), time.monotonic() - began
            self.assertEqual((status, code), ("EXPIRED", "1.6/5.3"), message)
            self.assertLess(seconds, self.validity_s + 5)
