# SPDX-License-Identifier: Apache-2.0
"""A hundred cards that move to another SM-SR at the same time, on the release build, while others of their SM-SR are enabled and disabled."""
import collections
import concurrent.futures
import json
import threading
import time
import uuid

from rsp import roles
from rsp.demo_cards import CARD_SETTINGS
from tests.e2e.helpers import Background
from tests.e2e.smsr_change.change_case import A, B, DATABASES, KEPT
from tests.full.operations import COUNTS, SUCCESS, Operations

MOVERS, STAYERS, WORKERS, MANY = 100, 20, 16, 40
OWNERS = ("operator-a", "operator-b")
RULE = [{"action": "DELETE", "qualification": "Not-Allowed"}]
PROFILES = "select eid, iccid, isdp_aid, mno, fallback, state, pol2, imsi, msisdn, smdp, allocated_memory from profile where %s order by 1, 2"
TRAIL = ("select eid, operation, requester, status, subject, reason, encode(isdp_aid, 'hex'), iccid, date_trunc('milliseconds', at)"
         " from audit_trail where %s order by eid, id")


class Moves(Operations):
    needs = {"services": roles.TWO_DOMAINS, "settings": {
        "sm-sr": {"LOG_LEVEL": "warn", "CARD_GONE_MS": "5000", "CARD_LOST_MS": "20000", "SMS_RETRY_MS": "3000", "TRIGGER_AGAIN_S": "10"},
        "operator-gateway": {"LOG_LEVEL": "warn", "NORTHBOUND_THREADS": "8"},
        "euicc-sim": dict(CARD_SETTINGS, LOG_LEVEL="warn", RETRY_MS="500", RETRIES="100", SESSION_RETRY_MS="500", SESSION_RETRIES="20")}}
    steps = (("enable", "operator-b"), ("disable", "operator-b"))
    validity_s = 300

    # Everybody at once.
    def each(self, function, cards, workers=WORKERS):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return dict(zip([card.eid for card in cards], pool.map(function, cards)))

    def order_and_wait(self, owner, method, path, body):
        status, answer = self.gateway_call(owner, method, path, json.dumps(body), {"Idempotency-Key": uuid.uuid4().hex})
        self.assertEqual(status, 202, answer)
        while True:
            found = self.gateway_call(owner, "GET", "/v1/operations/%s?wait=60" % answer["operation"])[1]
            if found["state"] == "ended":
                return found

    def history(self, card):
        """A rule, and something in its audit trail; every other one stays with operator-b's profile."""
        found = self.order_and_wait("operator-b", "PUT", "/v1/euiccs/%s/profiles/%s/pol2" % (card.eid, card.iccids["operator-b"]), {"rules": RULE})
        self.assertEqual(found["status"], SUCCESS, found)
        for step in range(1 + card.number % 2):
            self.operate(card, step)

    def move(self, card):
        """(how it ended, seconds)"""
        began = time.monotonic()
        found = self.order_and_wait("operator-a", "POST", "/v1/euiccs/%s/smsr-change" % card.eid,
                                    {"to": self.staging.entities[B]["oid"], "mode": "callback"})
        return (found["status"], found.get("code"), found.get("message")), time.monotonic() - began

    def manage(self, card):
        """By whoever has it now: the other profile and back."""
        enabled = card.enabled == "operator-b"
        for kind in ("disable", "enable") if enabled else ("enable", "disable"):
            found = self.order_and_wait("operator-b", "POST", "/v1/euiccs/%s/profiles/%s/%s" % (card.eid, card.iccids["operator-b"], kind),
                                        {"mode": "callback", "validity_s": self.validity_s})
            self.assertEqual((found["status"], found["smsr"]), (SUCCESS, self.staging.entities[B]["oid"]), found)
            card.follow(kind, "operator-b")

    # What there is of them.
    def view(self, card):
        """What both operators read of it."""
        seen = []
        for owner in OWNERS:
            status, eis = self.gateway_call(owner, "GET", "/v1/euiccs/" + card.eid)
            self.assertEqual(status, 200, eis)
            seen.append({name: eis.get(name) for name in KEPT})
        return seen

    def rows(self, smsr, sql, cards):
        """By EID."""
        found = collections.defaultdict(list)
        for row in self.psql(DATABASES[smsr], sql % ("eid in ('%s')" % "','".join(card.eid for card in cards))).split("\n"):
            if row:
                found[row.split("|")[0]].append(row)
        return found

    def told(self, operator, cards):
        """Of a change, by EID: how often."""
        sql = "select eid, count(*) from notification where kind = 'smsr_changed' and eid in ('%s') group by 1"
        rows = self.psql(operator.replace("-", "_"), sql % "','".join(card.eid for card in cards)).split()
        return {eid: int(n) for eid, n in (row.split("|") for row in rows)}

    def keys(self):
        return {card["eid"]: set(card["keys"]) for card in self.staging.cards.cards()}

    # The story.
    def stay(self, cards, over):
        """They are enabled and disabled until all others have moved."""
        def until_over(card):
            while not over.is_set():
                self.chain(card)
        self.each(until_over, cards, len(cards))

    def figures(self, ends, seconds):
        times = sorted(s for _, s in ends.values())
        print("      %d cards moved in %.1f s, %.1f a second; p50 %.2f s, p99 %.2f s, longest %.2f s" %
              (len(times), seconds, len(times) / seconds, times[len(times) // 2], times[len(times) * 99 // 100], times[-1]), flush=True)

    def all_moved(self, movers, before):
        """Each is where it shall be, and as it was."""
        self.assertEqual((len(self.rows(A, "select eid from eis where %s", movers)), len(self.rows(B, "select eid from eis where %s", movers))),
                         (0, len(movers)))
        for owner in OWNERS:
            self.await_true(lambda owner=owner: len(self.told(owner, movers)) == len(movers), "%s is not told of all" % owner)
            self.assertEqual(set(self.told(owner, movers).values()), {1})
        self.assertEqual(self.rows(B, PROFILES, movers), before["profiles"])
        trails = self.rows(B, TRAIL, movers)
        self.assertEqual({eid: rows[:len(before["trails"][eid])] for eid, rows in trails.items()}, before["trails"])
        self.assertEqual(self.each(self.view, movers), before["views"])
        owned = ("select count(*) from handover_in where state = 8 and eid in ('%s')" % "','".join(card.eid for card in movers))
        self.await_true(lambda: self.psql("sm_sr_handover_b", owned) == str(len(movers)), "not all are finished")
        keys = self.keys()
        for card in movers:
            self.assertFalse(keys[card.eid] & before["keys"][card.eid], "%s has keys of its old SM-SR" % card.eid)

    def did(self, cards):
        """What callers were told and what cards did is one."""
        held = {c["eid"]: c for c in self.staging.cards.cards()}
        for card in cards:
            c = held[card.eid]
            self.assertEqual(({name: c[name] for name in COUNTS}, c["enabled"]), (card.told, card.iccids[card.enabled]), card.eid)

    def test_a_hundred_cards(self):
        self.prepare()
        movers, stayers = self.made("movers", MOVERS), self.made("stayers", STAYERS)
        self.each(self.history, movers)
        before = {"views": self.each(self.view, movers), "profiles": self.rows(A, PROFILES, movers), "trails": self.rows(A, TRAIL, movers),
                  "keys": self.keys()}
        over = threading.Event()
        staying = Background(self.stay, stayers, over)
        began = time.monotonic()
        try:
            ends = self.each(self.move, movers, MOVERS)
        finally:
            seconds = time.monotonic() - began
            over.set()
        staying.value(self.validity_s + 60)
        self.figures(ends, seconds)
        self.assertEqual(collections.Counter(end for end, _ in ends.values()), {(SUCCESS, None, None): MOVERS})
        self.all_moved(movers, before)
        self.did(movers)
        self.each(self.manage, movers)
        self.did(movers)
        self.assertEqual(self.rows(A, "select eid from eis where %s", stayers).keys(), {card.eid for card in stayers})
        operations = self.account("beside them", stayers)
        self.assertEqual({o.status for o in operations}, {SUCCESS})
        self.assertGreater(len(operations), MANY)
