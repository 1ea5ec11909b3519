# SPDX-License-Identifier: Apache-2.0
"""10,000 operations on 2,000 cards through three replicas of the SM-SR behind a balancer, while one of them is killed every 5 s: each
operation is executed once, and its caller hears how it ended."""
import collections
import concurrent.futures
import random
import time

from rsp.demo_cards import CARD_SETTINGS
from tests.full.operations import SUCCESS, Operations

CARDS = 2000
WORKERS = 100
KILL_EVERY_S = 5.0
REPLICAS = ("sm-sr", "sm-sr-2", "sm-sr-3")


class Replicas(Operations):
    # Cards come back by themselves when their connection broke; they go on trying longer than a replica needs to start.
    needs = {"replicas": len(REPLICAS), "balancer": True, "settings": {
        "sm-sr": {"LOG_LEVEL": "warn", "CARD_GONE_MS": "5000", "CARD_LOST_MS": "20000", "SMS_RETRY_MS": "3000", "TRIGGER_AGAIN_S": "10",
                  "PARK_ENTITY": "500", "PEER_PAUSE_MS": "200"},
        "operator-gateway": {"LOG_LEVEL": "warn", "NORTHBOUND_THREADS": "4", "PEER_PAUSE_MS": "200"},
        "euicc-sim": dict(CARD_SETTINGS, LOG_LEVEL="warn", RETRY_MS="500", RETRIES="100", SESSION_RETRY_MS="500", SESSION_RETRIES="20")}}
    # The last one deletes a profile that is enabled: it is disabled first.
    steps = (("enable", "operator-b"), ("audit", "operator-a"), ("disable", "operator-b"), ("enable", "operator-b"), ("delete", "operator-b"))

    def kill_until(self, running):
        """One of those that are ready, as long as another is, however long the killed ones take to start again. On this thread: a child
        dies with the thread that started it."""
        chosen, kills, due = random.Random(4), collections.Counter(), time.monotonic()
        while running():
            time.sleep(0.1)
            ready = [name for name in REPLICAS if self.staging.ready(name)]
            if time.monotonic() < due or len(ready) < 2:
                continue
            due += KILL_EVERY_S
            name = chosen.choice(ready)
            self.staging.kill(name)
            self.staging.start_service(name, wait=False)
            kills[name] += 1
        for name in REPLICAS:
            self.await_true(lambda: self.staging.ready(name), "%s does not start again" % name)
        return kills

    def test_a_replica_is_killed_every_five_seconds(self):
        cards = self.made("replicas", CARDS)
        self.prepare()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            futures = [pool.submit(self.chain, card) for card in cards]
            kills = self.kill_until(lambda: not all(f.done() for f in futures))
        for f in futures:
            f.result()
        seconds = time.monotonic() - began
        print("      %.0f s, killed: %s" % (seconds, dict(kills)), flush=True)
        operations = self.account("replicas", cards)
        print("      %.1f operations/s" % (len(operations) / seconds), flush=True)
        self.assertEqual(len(operations), CARDS * len(self.steps))
        self.assertEqual({o.status for o in operations}, {SUCCESS})
        self.assertGreaterEqual(sum(kills.values()), seconds / KILL_EVERY_S / 4, "a slow machine starts them slowly, but not so slowly")
