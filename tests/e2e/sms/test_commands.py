# SPDX-License-Identifier: Apache-2.0
"""Cards that are commanded by SMS alone (ES5 over SCP80): from the gateway's order to its callback, with the card's own word and its
confirmation by SMS; with SMS that are lost, come twice or late; with an SM-SR that dies in between; and cards with HTTPS that open no session."""
import contextlib
import json

from tests.e2e.base import full
from tests.e2e.cards.card_case import AUDITED, CHANGED, ENABLED, FIRST_ATTACH, ROLLED_BACK, SUCCESS, CardCase
from tests.e2e.helpers import Background
from tests.e2e.soap import Answer, envelope, order

DISABLED, DELETED = 0x300, 0x400
SEED = 20620
# Retries soon enough for a test, but behind what a card takes to answer under sanitizers.
SETTINGS = {"sm-sr": {"SMS_RETRY_MS": "1500", "SMS_TRIES": "3", "TRIGGER_AGAIN_S": "1", "SMS_AFTER": "2", "SWEEP_MS": "500", "CARD_GONE_MS": "500",
                      "CARD_NET_MS": "300"},
            "euicc-sim": {"ATTACH_MS": "100", "RETRY_MS": "3000", "RETRIES": "9", "SESSION_RETRY_MS": "300", "SESSION_RETRIES": "3"}}


class SmsCase(CardCase):
    needs = {"settings": SETTINGS}
    batch = 0

    def sms_card(self, https=False):
        """A card of its own, on, its first attach confirmed. https False: it has none."""
        SmsCase.batch += 1
        eid = self.batch_of(self.order_of("sms-command-%d" % SmsCase.batch, 1, http_support=https))[1][0]
        self.staging.load_cards()
        return self.attach(self.card_of(eid))

    def by_gateway(self, card, path, **more):
        """Ordered northbound, answered by callback: the operation as it ended."""
        status, taken = self.northbound("operator-b", "/v1/euiccs/%s/%s" % (card.eid, path), "POST", json.dumps(dict({"mode": "callback"}, **more)))
        self.assertEqual(status, 202, taken)
        return self.end_of(taken["operation"])

    def end_of(self, operation):
        """As it ended, which with lost SMS may take several retries."""
        for _ in range(4):
            status, found = self.northbound("operator-b", "/v1/operations/%s?wait=60" % operation, timeout=90)
            self.assertEqual(status, 200, found)
            if found["state"] == "ended":
                break
        self.assertEqual(found["state"], "ended", found)
        return found

    def does(self, card, path):
        ended = self.by_gateway(card, path)
        self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)

    def change(self, card, function, validity=100):
        text = order(function, self.oid("operator-b"), self.oid("sm-sr"), card.eid, card.b, validity=validity)
        return Answer(self.soap_call("sm-sr", "operator-b", "/es4", text, timeout=validity + 30))

    def sessions(self, card):
        return [row["function"] for row in card.journal()].count("ES5 session")

    def counters_rise(self, card):
        """No counter was used twice, and the card has taken none that was not ours."""
        rows = [int(n) for n in card.sql("select counter from sms_out where eid = '{eid}' order by id").split()]
        self.assertEqual(rows, sorted(set(rows)))
        self.assertLessEqual(max(card.now["counters"].values()), rows[-1])
        self.assertEqual(card.sql("select counter from keyset where eid = '{eid}' and version < 16"), str(rows[-1]))

    def packets_are_the_same(self, card):
        """What was sent again was sent as it was."""
        sent = {}
        for row in card.journal():
            if row["function"] == "ES5 command":
                words = row["text"].split()
                sent.setdefault(words[words.index("counter") + 1], set()).add(words[-1])
        self.assertEqual({counter: len(texts) for counter, texts in sent.items()}, {counter: 1 for counter in sent})
        return sent

    def did(self, card, **counts):
        now = card.now
        self.assertEqual({name: now[name] for name in counts}, counts)


class Commands(SmsCase):
    def test_enable_disable_delete_audit(self):
        card = self.sms_card()
        self.assertEqual((card.now["http"], card.scripts()), (False, []))
        self.does(card, "profiles/%s/enable" % card.b)
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.b))
        self.assertEqual(card.notes()[-1], (CHANGED, True, 1))
        self.does(card, "profiles/%s/disable" % card.b)
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
        self.does(card, "audit")
        self.assertNotEqual(card.last_audit(), "")
        self.does(card, "profiles/%s/delete" % card.b)
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a])
        self.did(card, enables=1, disables=1, deletes=1, confirmations=3, commands=7, switches=2)
        self.assertEqual(card.scripts(), ["EnableProfile", "DisableProfile", "GetStatus", "DeleteProfile"])
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED, CHANGED, DISABLED, AUDITED, DELETED])
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [])
        self.assertEqual((self.sessions(card), card.uncertain()), (0, False))
        self.counters_rise(card)
        self.packets_are_the_same(card)

    def test_delete_of_an_enabled_profile_and_what_pol2_wants(self):
        card = self.sms_card()
        self.does(card, "profiles/%s/enable" % card.b)
        self.does(card, "profiles/%s/delete" % card.b)
        self.did(card, disables=1, deletes=1)
        self.assertEqual(card.scripts(), ["EnableProfile", "DisableProfile", "DeleteProfile"])
        self.assertEqual(self.change(card, "EnableProfile").code, "8.2.1/3.9")

    def test_the_card_says_no(self):
        card = self.sms_card()
        card.hook("refuse-attach", card.b, times=0)
        self.expect(self.enable(card, validity=100), ("FAILED", "8.2.1/4.2"))
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
        self.assertEqual([note[:2] for note in card.notes()], [(FIRST_ATTACH, True), (ROLLED_BACK, True)])
        card.unhook("refuse-attach")
        self.await_true(card.idle, "the card is not idle")
        self.does(card, "profiles/%s/enable" % card.b)

    def test_downloads_need_https(self):
        card = self.sms_card()
        create = ("<rps:ES3-CreateISDPRequest><rps:FunctionCallIdentifier>x</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid>"
                  "<rps:Iccid>89880000000000000013</rps:Iccid><rps:Mno-id>%s</rps:Mno-id><rps:RequiredMemory>1000</rps:RequiredMemory>"
                  "<rps:MoreToDo>false</rps:MoreToDo></rps:ES3-CreateISDPRequest>" % (card.eid, self.oid("operator-a")))
        text = envelope(self.oid("sm-dp"), self.oid("sm-sr"), "http://gsma.com/ES3/ProfileManagement/ES3-CreateISDP", create)
        answer = Answer(self.soap_call("sm-sr", "sm-dp", "/es3", text))
        self.assertEqual((answer.status, answer.code), ("FAILED", "8.1/3.1"), answer.raw)
        self.assertEqual((card.now["commands"], card.busy()), (1, False))  # the confirmation of its first attach

    def test_the_proof_is_lost(self):
        """The card has done it, and drops what is sent again: its list tells (C3)."""
        card = self.sms_card()
        for function, path, counts in (("audit", "audit", {}), ("delete", "profiles/%s/delete" % card.b, {"deletes": 1})):
            with self.subTest(function=function):
                card.hook("drop-por", times=1)
                self.does(card, path)
                self.did(card, **counts)
        self.assertEqual(card.scripts(), ["GetStatus", "GetStatus", "DeleteProfile", "GetStatus"])
        self.assertFalse(card.uncertain())
        self.counters_rise(card)

    def test_the_proof_of_the_confirmation_is_lost(self):
        card = self.sms_card()
        card.hook("drop-por", times=2)  # of the command: the notification is the better answer
        self.does(card, "profiles/%s/enable" % card.b)
        self.did(card, enables=1, switches=1)
        self.assertEqual((card.enabled(), card.uncertain()), (card.b, False))
        self.counters_rise(card)

    def test_a_card_that_is_off(self):
        """Nothing comes, the validity period ends it; what the card did then an audit tells, and an answer that is too late counts for nothing."""
        card = self.sms_card()
        card.power(False)
        self.expect(self.enable(card, validity=4), ("EXPIRED", "1.6/5.4"))
        card.power(True)
        self.await_true(lambda: not card.uncertain() and card.idle() and card.of_one_mind(), "the card is not audited")
        self.assertEqual(card.enabled(), card.a)
        self.does(card, "profiles/%s/enable" % card.b)

    def test_a_number_that_the_smsc_does_not_know(self):
        """What never left was not executed: it is not uncertain, and goes when there is a way."""
        card = self.sms_card()
        number = card.sql("select msisdn from profile where eid = '{eid}' and state = 2")
        card.sql("update profile set msisdn = '999999' where eid = '{eid}' and state = 2")
        call = self.enabling(card, validity=60)
        self.await_true(lambda: "does not know the number" in card.sql("select trigger_error from card_command where eid = '{eid}' and state = 0"),
                        "it is not said")
        self.assertFalse(card.uncertain())
        card.sql("update profile set msisdn = '%s' where eid = '{eid}' and state = 2" % number)
        self.expect(call.value(), SUCCESS)
        self.assertEqual(card.scripts()[-1], "EnableProfile")
        self.did(card, enables=1)


class Alternatives(SmsCase):
    def test_a_card_with_https_that_opens_no_sessions(self):
        card = self.sms_card(https=True)
        self.expect(self.audit(card, validity=100), SUCCESS)
        sessions = self.sessions(card)
        self.assertGreater(sessions, 0)
        card.hook("no-sessions", times=0)
        self.does(card, "profiles/%s/enable" % card.b)
        self.assertEqual(card.notes()[-1], (CHANGED, True, 1))
        self.assertEqual(self.sessions(card), sessions)
        self.assertGreaterEqual(int(card.sql("select unheard from keyset where eid = '{eid}' and version < 16")), 2)
        before = len([row for row in card.journal() if row["function"] == "ES5 trigger"])
        self.does(card, "profiles/%s/disable" % card.b)  # it is known by now
        self.assertEqual(len([row for row in card.journal() if row["function"] == "ES5 trigger"]), before)
        # It comes by itself, with its notification: from then on sessions are what it gets.
        card.unhook("no-sessions")
        self.does(card, "profiles/%s/enable" % card.b)
        self.assertEqual(self.sessions(card), sessions)
        self.assertEqual(card.sql("select unheard from keyset where eid = '{eid}' and version < 16"), "0")
        self.does(card, "audit")
        self.assertGreater(self.sessions(card), sessions)
        self.did(card, enables=2, disables=1)
        self.counters_rise(card)

    def test_two_notifications_at_once_and_old_ones(self):
        """A copy of what was confirmed, which anybody may send, changes nothing."""
        card = self.sms_card()
        card.hook("repeat-sms", "100:1", times=0)
        self.does(card, "profiles/%s/enable" % card.b)
        card.unhook("repeat-sms")
        self.await_true(card.idle, "the card is not idle")
        self.did(card, enables=1, switches=1, confirmations=2)
        self.assertFalse(card.uncertain())
        self.assertEqual([kind for kind, confirmed, _ in card.notes() if confirmed], [FIRST_ATTACH, CHANGED])
        self.await_told(card, [("disabled", card.a)], [])
        self.counters_rise(card)


class Losses(SmsCase):
    """Messages lost, repeated and reordered at 5 %, both ways, by seed: each operation ends well, and happened once."""
    rounds = 3

    def series(self, card, rounds):
        for at in range(rounds):
            self.does(card, "profiles/%s/enable" % card.b)
            self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.b))
            self.does(card, "audit")
            self.does(card, "profiles/%s/disable" % card.b)
            self.assertEqual((card.enabled(), card.now["enabled"]), (card.a, card.a))
            self.did(card, enables=at + 1, disables=at + 1, switches=2 * at + 2)
        self.does(card, "profiles/%s/delete" % card.b)
        self.did(card, enables=rounds, disables=rounds, deletes=1)
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a])
        self.await_true(lambda: not card.uncertain(), "it stays uncertain")
        self.assertEqual(card.trail().count(ENABLED), rounds)
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)] * rounds, [])
        self.counters_rise(card)
        self.packets_are_the_same(card)

    def bad_air(self, card, seed, percent):
        for number, hook in enumerate(("lose-sms", "repeat-sms", "reorder-sms")):
            card.hook(hook, "%d:%d" % (percent, seed + number), times=0)

    def struck(self, card):
        return sum('event=sms_air' in line or ' sms_air' in line for line in self.sim_log(card))

    def test_five_percent(self):
        card = self.sms_card()
        self.bad_air(card, SEED, 5)
        self.series(card, 2)
        self.assertGreater(self.struck(card), 0)

    @full
    def test_five_percent_of_many(self):
        for seed in range(SEED, SEED + 4):
            with self.subTest(seed=seed):
                card = self.sms_card()
                self.bad_air(card, seed, 5)
                self.series(card, 4)

    @full
    def test_a_fifth(self):
        card = self.sms_card()
        self.bad_air(card, SEED + 9, 20)
        self.series(card, 2)


class Deaths(SmsCase):
    """sm-sr dies with something of it in its hands: the next one goes on."""

    @contextlib.contextmanager
    def death(self, point, card):
        self.rspctl.fault(self.admin("sm-sr"), point, "kill", card.eid)
        yield
        self.assertEqual(self.staging.await_death("sm-sr"), -9)
        self.staging.start_service("sm-sr")

    def dies(self, points):
        for point in points:
            with self.subTest(point=point):
                card = self.sms_card()
                with self.death(point, card):
                    status, taken = self.northbound("operator-b", "/v1/euiccs/%s/profiles/%s/enable" % (card.eid, card.b), "POST",
                                                    json.dumps({"mode": "callback"}))
                    self.assertEqual(status, 202, taken)
                ended = self.end_of(taken["operation"])
                self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)
                self.did(card, enables=1, switches=1)
                self.assertEqual((card.enabled(), card.trail().count(ENABLED)), (card.b, 1))
                self.counters_rise(card)
                self.packets_are_the_same(card)
                card.power(False)

    def test_with_a_packet_built(self):
        self.dies(["sm-sr.sms.command.due.committed"])

    @full
    def test_at_every_other_step(self):
        self.dies(["sm-sr.sms.command.due.decided", "sm-sr.sms.sent", "sm-sr.sms.answered", "sm-sr.sms.command.answer.decided",
                   "sm-sr.sms.command.answer.committed", "sm-sr.sms.command.note.decided", "sm-sr.sms.command.note.committed"])

    @full
    def test_when_the_proof_does_not_come(self):
        for stage in ("decided", "committed"):
            with self.subTest(stage=stage):
                card = self.sms_card()
                card.hook("drop-por", times=1)
                with self.death("sm-sr.sms.command.lost." + stage, card):
                    call = Background(self.by_gateway, card, "profiles/%s/delete" % card.b)
                self.assertEqual(call.value(200)["status"], "EXECUTED_SUCCESS")
                self.did(card, deletes=1)
                self.counters_rise(card)
