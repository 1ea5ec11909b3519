# SPDX-License-Identifier: Apache-2.0
"""Cards of end-to-end tests: each test takes fresh ones, orders as a partner does, and leaves EIS and card of one mind and every other card
as it was."""
import contextlib
import json
import os

from tests.e2e.helpers import Background, Work
from tests.e2e.nats import Nats
from tests.e2e.soap import Answer, audit, enable

BATCH = 24
STATES = {"Disabled": "1", "Enabled": "2"}
# What would take minutes in the field. SMS_RETRY_MS stays above what sanitizers make of a card's answer.
NEEDS = {"settings": {
    "euicc-sim": {"ATTACH_MS": "100", "RETRY_MS": "300", "RETRIES": "4", "SESSION_RETRY_MS": "300", "SESSION_RETRIES": "3"},
    "sm-sr": {"CARD_GONE_MS": "500", "CARD_LOST_MS": "4000", "CARD_NET_MS": "300", "SMS_RETRY_MS": "1000", "SMS_TRIES": "3",
              "TRIGGER_AGAIN_S": "2", "SWEEP_MS": "500"},
}}
SUCCESS = ("EXECUTED_SUCCESS", None)
FIRST_ATTACH, CHANGED, ROLLED_BACK, FELL_BACK, ENABLED, AUDITED = 0x01, 0x02, 0x03, 0x05, 0x200, 0x500


class Card:
    """One card: what the SM-SR holds of it, and the card itself. a, b: the ICCIDs of operator-a's and operator-b's (first) profile."""

    def __init__(self, case, eid):
        self.case, self.eid = case, eid
        self.a, self.b = self.sql("select iccid from profile where eid = '{eid}' order by isdp_aid").split()[:2]

    def sql(self, text, **values):
        return self.case.psql("sm_sr", text.format(eid=self.eid, **values))

    # The card.
    @property
    def now(self):
        return self.case.staging.cards.card(self.eid)

    def hook(self, hook, argument="", times=1):
        self.case.staging.cards.hook(hook, self.eid, times, argument)

    def unhook(self, hook):
        self.case.staging.cards.unhook(hook, self.eid)

    def power(self, on):
        self.case.staging.cards.power(on, self.eid)

    def idle(self):
        """It has nothing to say and no session."""
        now = self.now
        return now["phase"] == "idle" and not now["session"] and now["pending"] == 0

    # What the SM-SR holds.
    def enabled(self):
        return self.sql("select iccid from profile where eid = '{eid}' and state = 2")

    def trail(self):
        """The operations on record."""
        return [int(row) for row in self.sql("select operation from audit_trail where eid = '{eid}' order by id").split()]

    def uncertain(self):
        return self.sql("select uncertain from eis_state where eid = '{eid}'") == "t"

    def last_audit(self):
        return self.sql("select last_audit from eis_state where eid = '{eid}'")

    def notes(self):
        """(type, confirmed, times) by sequence number."""
        rows = self.sql("select type, confirmed, times from card_notification where eid = '{eid}' order by seq").split()
        return [(int(kind), confirmed == "t", int(times)) for kind, confirmed, times in (row.split("|") for row in rows)]

    def journal(self):
        return self.case.rspctl.messages(self.case.admin("sm-sr"), eid=self.eid, limit=400)

    def scripts(self):
        """The scripts that it was sent, by name; confirmations are none of them."""
        return [row["text"].split()[0] for row in self.journal() if row["function"] == "ES5 script"]

    def told(self, operator):
        """What an operator's gateway was told of it: (kind, ICCID)."""
        database = operator.replace("-", "_")
        rows = self.case.psql(database, "select kind, iccid from notification where eid = '%s' order by id" % self.eid)
        return [tuple(row.split("|")) for row in rows.split()]

    # Both.
    def of_one_mind(self):
        rows = self.sql("select iccid, state from profile where eid = '{eid}' order by 1").split()
        return rows == sorted("%s|%s" % (p["iccid"], STATES[p["state"]]) for p in self.now["profiles"])

    def busy(self):
        return self.sql("select count(*) from eid_busy where eid = '{eid}'") != "0"


class CardCase(Work):
    needs = NEEDS
    stock = {}  # by staging: EIDs that no test had yet
    databases = ("sm_sr",)  # of the SM-SRs that may have cards

    def setUp(self):
        self.cards, self.others = [], None

    def tearDown(self):
        try:
            for card in self.cards:
                self.await_true(card.of_one_mind, "EIS and card %s differ" % card.eid, 20)
                self.await_true(lambda: not card.busy(), "eid_busy of %s is left" % card.eid, 20)
            if self.others is not None:
                self.assertEqual(self.rest(), self.others)
        finally:
            super().tearDown()
            for card in self.cards:
                card.power(False)  # not seen by the tests that follow

    def rest(self):
        """All cards that are not the test's, as they are, in the simulator and in the EIS."""
        mine = {card.eid for card in self.cards}
        cards = {c["eid"]: (c["enabled"], c["switches"], c["commands"], c["seq"]) for c in self.staging.cards.cards() if c["eid"] not in mine}
        rows = [row for database in self.databases for row in self.psql(database, "select eid, iccid, state, pol2 from profile order by 1, 2").split("\n")]
        return cards, [row for row in rows if row and row.split("|")[0] not in mine]

    # Cards.
    def batch_folder(self):
        return self.staging.private_folder("batches")

    def take(self):
        """A card that is off."""
        key = (self.staging.name, self.staging.folder)
        if not CardCase.stock.get(key):
            CardCase.stock[key] = self.batch_of(self.order_of("cards-%d" % (Work.series + 1), BATCH))[1]
            self.staging.load_cards()
        return self.adopt(Card(self, CardCase.stock[key].pop(0)))

    def adopt(self, card):
        self.cards.append(card)
        self.others = self.rest()
        return card

    def attach(self, card):
        """It gets power and its first attach is confirmed."""
        card.power(True)
        self.await_true(lambda: card.notes() == [(FIRST_ATTACH, True, 1)] and card.idle(), "the first attach is not confirmed")
        return card

    def card(self):
        return self.attach(self.take())

    def card_of(self, eid):
        """A card of the test's own batch."""
        return self.adopt(Card(self, eid))

    def rewrite_batch(self, batch, old, new):
        """Its cards are made otherwise than the EUM says; before they are loaded."""
        path = os.path.join(self.batch_folder(), batch + ".jsonl")
        with open(path) as f:
            text = f.read()
        self.assertIn(old, text)
        with open(path, "w") as f:
            f.write(text.replace(old, new))

    def line_of(self, card):
        """What the batch file says of it, keys and all."""
        for name in os.listdir(self.batch_folder()):
            if name.endswith(".jsonl"):
                with open(os.path.join(self.batch_folder(), name)) as f:
                    for line in f:
                        if card.eid in line:
                            return json.loads(line)
        self.fail("no batch file has " + card.eid)

    def sim_log(self, card):
        """What the simulator wrote of it."""
        with open(self.staging.log("euicc-sim")) as f:
            return [line for line in f if card.eid in line]

    # Orders.
    def oid(self, name):
        return self.staging.entities[name]["oid"]

    def enable(self, card, iccid=None, client="operator-b", validity=60):
        """ES4.EnableProfile, answered on the open connection."""
        envelope = enable(self.oid(client), self.oid("sm-sr"), card.eid, iccid or card.b, validity=validity)
        return Answer(self.soap_call("sm-sr", client, "/es4", envelope, timeout=validity + 30))

    def enabling(self, card, **more):
        """The same meanwhile; the SM-SR has taken it on when this returns."""
        before = card.sql("select count(*) from procedure where eid = '{eid}'")
        call = Background(self.enable, card, **more)
        self.await_true(lambda: card.sql("select count(*) from procedure where eid = '{eid}'") != before, "no procedure began")
        return call

    def audit(self, card, *iccids, client="operator-a", validity=60):
        envelope = audit(self.oid(client), self.oid("sm-sr"), card.eid, iccids, validity=validity)
        return Answer(self.soap_call("sm-sr", client, "/es4", envelope, timeout=validity + 30))

    def expect(self, answer, outcome):
        self.assertEqual((answer.status, answer.code), outcome, answer.raw)

    def succeeds(self, card, **more):
        self.expect(self.enable(card, **more), SUCCESS)
        self.assertEqual(card.enabled(), more.get("iccid") or card.b)

    def refused(self, card, outcome, **more):
        """The SM-SR says no by itself: nothing reached the card, nothing changed."""
        before = card.now
        scripts = card.scripts()
        self.expect(self.enable(card, **more), ("FAILED", outcome))
        after = card.now
        for what in ("commands", "switches", "enabled"):
            self.assertEqual(after[what], before[what], what)
        self.assertEqual(card.scripts(), scripts)
        self.assertEqual(card.enabled(), before["enabled"])

    # What is seen elsewhere.
    def event_count(self, event, eid):
        with Nats(self.staging.bus.url, self.pki("sm-sr", "nats.pem"), self.pki("sm-sr", "nats.key"), self.pki("tls-ca", "tls-ca.pem"),
                  "sm-sr") as n:
            return n.count("RSP_A", "ev.a.sm-sr.%s.%s" % (event, eid))

    def await_events(self, card, **counts):
        """enabled=1: profile.enabled came once; ended: procedure.ended."""
        names = {"enabled": "profile.enabled", "disabled": "profile.disabled", "ended": "procedure.ended"}
        self.await_true(lambda: card.sql("select count(*) from outbox where eid = '{eid}' and lane = 'bus'") == "0", "events are left", 20)
        self.assertEqual({name: self.event_count(names[name], card.eid) for name in counts}, counts)

    def await_told(self, card, a, b):
        """In the end operator-a and operator-b were told exactly this."""
        self.await_true(lambda: len(card.told("operator-a")) >= len(a) and len(card.told("operator-b")) >= len(b), "operators are not told", 20)
        self.await_true(lambda: card.sql("select count(*) from outbox where eid = '{eid}'") == "0", "something is left in the outbox", 20)
        self.assertEqual((card.told("operator-a"), card.told("operator-b")), (a, b))

    def counted(self, metric, more=1):
        return self.counted_at("sm-sr", metric, more)

    @contextlib.contextmanager
    def counted_at(self, smsr, metric, more=1):
        before = self.metric(smsr, metric)
        yield
        self.await_true(lambda: self.metric(smsr, metric) >= before + more, metric + " did not count", 10)
