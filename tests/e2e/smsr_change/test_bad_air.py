# SPDX-License-Identifier: Apache-2.0
"""A card with SMS alone, of whose messages 5 % are lost, 5 % come twice and 5 % late, both ways and by seed: it is enabled, disabled, audited,
moves to another SM-SR and has a profile deleted there. Each operation ends well and happened once, and no counter of any key set comes twice."""
import os
import random
import re

from tests.e2e.base import full
from tests.e2e.cards.card_case import ENABLED
from tests.e2e.sms.test_commands import SETTINGS, SmsCase
from tests.e2e.smsr_change.change_case import A, B, ChangeCase

CARDS, PERCENT = 4, 5
ORDERS = 4              # of one move
KIC_AT = 5  # in a packet: its high nibble is the version of the key set


class BadAir(SmsCase, ChangeCase):
    needs = dict(ChangeCase.needs, settings=dict(SETTINGS, **{"sm-sr-handover": {"RETRY_MS": "1000"}}))

    failed = 0  # moves whose order had to be repeated

    def sent(self, card, smsr):
        """Packets of commands by version of the key set: (counter, what was sent), in the order of their first time."""
        card.home, home = smsr, card.home
        packets = {}
        for row in card.journal():
            if row["function"] != "ES5 command":
                continue
            words = row["text"].split()
            packet = (int(words[words.index("counter") + 1]), words[-1])
            rows = packets.setdefault(bytes.fromhex(words[-1])[KIC_AT] >> 4, [])
            if packet not in rows:
                rows.append(packet)
        card.home = home
        return packets

    def executed_by_set(self, card):
        rows = {}
        for line in self.sim_log(card):
            found = re.search(r" is=script kvn=(\d+) counter=(\d+)", line)
            if found:
                rows.setdefault(int(found.group(1)), []).append(int(found.group(2)))
        return rows

    def no_counter_comes_twice(self, card):
        """By what both SM-SRs sent: the same counter is the same bytes. And by what the card executed."""
        at_a, at_b = self.sent(card, A), self.sent(card, B)
        self.assertEqual((len(at_a), len(at_b), set(at_a) & set(at_b)), (1, 1, set()))
        counters = {version: [counter for counter, _ in packets] for version, packets in {**at_a, **at_b}.items()}
        executed = self.executed_by_set(card)
        self.assertEqual(set(executed), set(counters))
        for version, rows in counters.items():
            self.assertEqual(rows, sorted(set(rows)))
            self.assertEqual(executed[version], sorted(set(executed[version])))
            self.assertLessEqual(set(executed[version]), set(rows))
        own, = at_b
        self.assertEqual(card.sql("select version, counter from keyset where eid = '{eid}'"), "%d|%d" % (own, counters[own][-1]))
        self.assertEqual({int(version) for version in card.now["counters"]}, {own})
        return sum(map(len, counters.values()))

    def changes(self, card, times):
        """With its profile enabled and disabled so many times by now."""
        self.does(card, "profiles/%s/enable" % card.b)
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.b))
        self.does(card, "audit")
        self.does(card, "profiles/%s/disable" % card.b)
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
        self.did(card, enables=times, disables=times, switches=2 * times)

    def moves_in_the_end(self, card):
        """When the proof of the key request itself was lost, nobody has the receipt: that order failed, the card stayed, and the next one goes."""
        before = card.views()
        for _ in range(ORDERS):
            found = self.ended(self.order_change(card, B), wait_s=200)
            if found["status"] == "EXECUTED_SUCCESS":
                break
            self.assertEqual(found["status"], "FAILED", self.story(card, found))
            self.await_true(lambda: not card.busy(), "it is still locked", 20)
            self.assertEqual((card.known_at(A), card.known_at(B), card.views()), (True, False, before))
            self.failed += 1
        self.assertEqual(found["status"], "EXECUTED_SUCCESS", self.story(card, found))
        card.home = B

    def whole_life(self, card):
        self.changes(card, 1)
        before, trail = card.views(), card.whole_trail()
        self.moves_in_the_end(card)
        self.moved(card, before, trail, A, B)
        self.changes(card, 2)
        self.does(card, "profiles/%s/delete" % card.b)
        self.did(card, enables=2, disables=2, deletes=1)
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a])
        self.await_true(lambda: not card.uncertain(), "it stays uncertain")
        self.assertEqual(card.trail().count(ENABLED), 2)
        self.assertEqual([card.told_of_change(operator) for operator in ("operator-a", "operator-b")], [[self.oid(B)]] * 2)

    @full
    def test_a_whole_life(self):
        """RSP_SEED repeats what happened to the messages."""
        seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 29))
        print("      RSP_SEED=%d" % seed, flush=True)
        struck = packets = 0
        for at in range(CARDS):
            with self.subTest(at=at):
                card = self.card_at(A, http_support=False)
                self.bad_air(card, seed + 3 * at, PERCENT)
                self.whole_life(card)
                for hook in ("lose-sms", "repeat-sms", "reorder-sms"):
                    card.unhook(hook)
                self.await_true(card.idle, "the card is not idle")
                packets += self.no_counter_comes_twice(card)
                struck += self.struck(card)
        print("      %d cards, %d packets, %d SMS lost, repeated or late, %d moves ordered again" % (CARDS, packets, struck, self.failed),
              flush=True)
        self.assertGreater(struck, 0)
