# SPDX-License-Identifier: Apache-2.0
"""2,000 cards in their sessions at once, on one SM-SR of the release build: what a session costs, and that nothing is lost among them."""
import collections
import concurrent.futures
import json
import time

from tests.e2e.helpers import Work

CARDS = 2000
WORKERS = 200


class ManyCards(Work):
    build = "release"
    # Orders wait for cards that answer when they are let go; no card shall be sent an SMS again meanwhile.
    needs = {"settings": {"sm-sr": {"CARD_LOST_MS": "600000", "CARD_IDLE_S": "600", "SMS_RETRY_MS": "60000", "TRIGGER_AGAIN_S": "600",
                                    "LOG_LEVEL": "warn"},
                          "euicc-sim": {"LOG_LEVEL": "warn", "ANSWER_TIMEOUT_MS": "120000"}}}

    def count(self, sql, database="sm_sr"):
        return int(self.psql(database, sql))

    def await_count(self, sql, what, timeout_s, database="sm_sr"):
        began = time.monotonic()
        self.await_true(lambda: self.count(sql, database) >= CARDS, what, timeout_s)
        print("      %-44s %6.1f s" % (what, time.monotonic() - began), flush=True)

    def memory(self):
        return self.staging.memory()["sm-sr"]

    def made(self):
        """2,000 cards that attached."""
        batch = self.order_batch(self.order_of("many", CARDS))
        self.await_registered(batch, CARDS, 120)
        self.staging.load_cards()
        self.staging.cards.power(True)
        self.await_count("select count(distinct eid) from card_notification where type = 1 and confirmed", "first attaches confirmed", 120)
        self.await_true(lambda: self.staging.cards.stats()["open_sessions"] == 0, "sessions are left")

    def order_all(self):
        """By callback, through the gateway."""
        targets = [row.split("|") for row in self.psql("sm_sr", "select eid, iccid from profile where state = 1 order by 1").split()]
        self.assertEqual(len(targets), CARDS)

        def enable(target):
            return self.northbound("operator-b", "/v1/euiccs/%s/profiles/%s/enable" % tuple(target), "POST", json.dumps({"mode": "callback"}),
                                   timeout=120)[0]
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            self.assertEqual(collections.Counter(pool.map(enable, targets)), {202: CARDS})
        print("      %-44s %6.1f s" % ("enables ordered", time.monotonic() - began), flush=True)
        return targets

    def hold(self):
        """Every card has executed its script in a session of its own and keeps the answer to itself."""
        before = self.memory()
        self.staging.cards.hook("hold-answer")
        targets = self.order_all()
        self.await_count("select count(*) from card_command c join card_session s on s.eid = c.eid and s.id = c.session where c.state = 1",
                         "sessions open, each with its script", 150)
        self.assertEqual((self.count("select count(*) from card_session"), self.staging.cards.stats()["open_sessions"]), (CARDS, CARDS))
        held = self.memory()
        print("      sm-sr: PSS %d KiB, with %d sessions %d KiB: %.1f KiB each" % (before, CARDS, held, (held - before) / CARDS), flush=True)
        return targets

    def test_two_thousand_sessions_at_once(self):
        self.made()
        targets = dict(self.hold())
        self.staging.cards.unhook("hold-answer")
        self.await_count("select count(*) from operation where state = 'ended'", "operations ended", 150, "operator_b")
        self.assertEqual(self.psql("operator_b", "select status, count(*) from operation group by 1"), "EXECUTED_SUCCESS|%d" % CARDS)
        said = dict(row.split("|") for row in self.psql("sm_sr", "select eid, iccid from profile where state = 2").split())
        cards = {card["eid"]: card for card in self.staging.cards.cards()}
        self.assertEqual(said, targets)
        self.assertEqual({eid: card["enabled"] for eid, card in cards.items()}, targets)
        self.assertEqual({card["switches"] for card in cards.values()}, {1})
        for table in ("eid_busy", "card_command where state < 2", "eis_state where uncertain"):
            self.assertEqual(self.count("select count(*) from " + table), 0, table)
