# SPDX-License-Identifier: Apache-2.0
"""Cards that are commanded by SMS alone (ES5 over SCP80): from the gateway's order to its callback, with the card's own word and its
confirmation by SMS; with SMS that are lost, come twice or late; with an SM-SR that dies in between, or its other replica takes over; and cards with
HTTPS that open no session."""
import contextlib
import json
import os
import random
import re

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

    def sms_card(self, https=False, **more):
        """A card of its own, on, its first attach confirmed. https False: it has none."""
        return self.sms_cards(1, https, **more)[0]

    def sms_cards(self, n, https=False, **more):
        SmsCase.batch += 1
        eids = self.batch_of(self.order_of("sms-command-%d" % SmsCase.batch, n, http_support=https, **more))[1]
        self.staging.load_cards()
        return [self.attach(card) for card in [self.card_of(eid) for eid in eids]]

    def by_gateway(self, card, path, **more):
        """Ordered northbound, answered by callback: the operation as it ended."""
        return self.end_of(self.ordered(card, path, **more))

    def ordered(self, card, path, **more):
        status, taken = self.northbound("operator-b", "/v1/euiccs/%s/%s" % (card.eid, path), "POST", json.dumps(dict({"mode": "callback"}, **more)))
        self.assertEqual(status, 202, taken)
        return taken["operation"]

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
        executed = self.executed(card)
        self.assertEqual(executed, sorted(set(executed)))
        self.assertLessEqual(set(executed), set(rows))
        self.assertEqual(card.sql("select counter from keyset where eid = '{eid}' and version < 16"), str(rows[-1]))

    def executed(self, card):
        """The counters of the packets whose scripts the card has executed, by its own log, one behind the other."""
        return [int(re.search(r" counter=(\d+)", line).group(1)) for line in self.sim_log(card) if " is=script " in line]

    def packets_are_the_same(self, card):
        """What was sent again was sent as it was."""
        sent = {}
        for row in card.journal():
            if row["function"] == "ES5 command":
                words = row["text"].split()
                sent.setdefault(words[words.index("counter") + 1], set()).add(words[-1])
        self.assertEqual({counter: len(texts) for counter, texts in sent.items()}, {counter: 1 for counter in sent})
        return sent

    def bad_air(self, card, seed, percent):
        for number, hook in enumerate(("lose-sms", "repeat-sms", "reorder-sms")):
            card.hook(hook, "%d:%d" % (percent, seed + number), times=0)

    def struck(self, card):
        return sum('event=sms_air' in line or ' sms_air' in line for line in self.sim_log(card))

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
        self.expect(self.parameters(card, 4), ("FAILED", "8.1/3.1"))
        self.assertEqual((card.now["commands"], card.busy()), (1, False))  # the confirmation of its first attach
        # What is short enough goes; that this ISD-P has no keys is the card's answer.
        self.expect(self.parameters(card, 1), SUCCESS)
        self.assertEqual((card.scripts(), self.sessions(card)), (["UpdateConnectivityParameters"], 0))
        self.counters_rise(card)

    def parameters(self, card, n):
        """UpdateConnectivityParameters (ES3) with so many commands of 119 bytes, secured by SCP03 as far as the SM-SR can see."""
        body = ("<rps:ES3-UpdateConnectivityParametersRequest><rps:FunctionCallIdentifier>%d</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid>"
                "<rps:Iccid>%s</rps:Iccid><rps:ConnectivityParameters>%s</rps:ConnectivityParameters></rps:ES3-UpdateConnectivityParametersRequest>"
                % (n, card.eid, card.b, ("2275" "84E2880070" + "5A" * 112) * n))
        text = envelope(self.oid("sm-dp"), self.oid("sm-sr"), "http://gsma.com/ES3/PlatformManagement/ES3-UpdateConnectivityParameters", body)
        return Answer(self.soap_call("sm-sr", "sm-dp", "/es3", text, timeout=90))

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


class Long(SmsCase):
    """An answer that does not go into one SMS. Such a command: tests/e2e/download/test_words.py."""

    def test_a_list_of_many_profiles(self):
        card = self.sms_card(owners=("operator-a", "operator-b") * 4)
        iccids = card.sql("select iccid from profile where eid = '{eid}' order by isdp_aid").split()
        self.assertEqual(len(iccids), 8)
        for hook, argument in ((None, ""), ("repeat-sms", "100:1"), ("reorder-sms", "50:1")):
            with self.subTest(hook=hook):
                if hook:
                    card.hook(hook, argument, times=0)
                before = self.answers(card)
                self.expect(self.audit(card, validity=100), SUCCESS)
                if hook:
                    card.unhook(hook)
                self.await_true(card.idle, "the card is not idle")
                self.assertGreater(max(map(len, self.answers(card)[len(before):])), 134, "it goes into one SMS")
                self.assertEqual(card.sql("select count(*) from sms_out where eid = '{eid}' and state < 3"), "0")
        # All parts of whole packets are gone; of a repeated one a copy may wait for its end.
        self.assertFalse(card.uncertain())
        self.counters_rise(card)
        self.packets_are_the_same(card)

    def test_the_same_in_a_session(self):
        card = self.sms_card(https=True, owners=("operator-a", "operator-b") * 4)
        self.expect(self.audit(card, validity=100), SUCCESS)
        self.assertEqual(card.scripts(), ["GetStatus"] * 3)  # what is asked behind a list that goes on ends it: all of it again, alone
        self.assertNotEqual(card.last_audit(), "")

    def answers(self, card):
        """Those that somebody waited for: what else comes may be an SM-DP's, and the journal shows nothing of it."""
        return [bytes.fromhex(row["text"].split()[-1]) for row in card.journal() if row["function"] == "ES5 answer" and row["text"]]


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

    @full
    def test_five_percent(self):
        card = self.sms_card()
        self.bad_air(card, SEED, 5)
        self.series(card, 2)
        self.assertGreater(self.struck(card), 0)

    @full
    def test_five_percent_of_many(self):
        """52 operations on four cards; others each time: RSP_SEED repeats them."""
        seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 29))
        print("      RSP_SEED=%d" % seed, flush=True)
        struck, operations = 0, 0
        for at in range(4):
            with self.subTest(at=at):
                card = self.sms_card()
                self.bad_air(card, seed + 3 * at, 5)
                self.series(card, 4)
                struck += self.struck(card)
                operations += int(card.sql("select count(*) from procedure where eid = '{eid}' and status = 0"))
        print("      %d operations, %d SMS lost, repeated or late" % (operations, struck), flush=True)
        self.assertEqual(operations, 4 * 13)
        self.assertGreater(struck, 0)

    @full
    def test_a_fifth(self):
        card = self.sms_card()
        self.bad_air(card, SEED + 9, 20)
        self.series(card, 2)


class Replicas(SmsCase):
    needs = dict(SmsCase.needs, replicas=2)
    names = {"1": "sm-sr", "2": "sm-sr-2"}

    def holder(self):
        return self.psql("sm_sr", "select replica from sms_lane")

    @full
    def test_the_holder_of_the_lane_dies_with_commands_in_flight(self):
        """The other goes on from the tables: with the same bytes, and the card executes once."""
        cards = self.sms_cards(6)
        first = self.holder()
        for card in cards:
            card.hook("delay-sms", "2500")  # the command is at the SMSC, its answer is not
        operations = [self.ordered(card, "profiles/%s/enable" % card.b) for card in cards]
        mine = ",".join("'%s'" % card.eid for card in cards)
        in_flight = ("select count(*) from sms_out o where eid in (%s) and state between 1 and 2 and session is not null and exists "
                     "(select from sms_part p where p.sms = o.id and p.status = 0)" % mine)
        self.await_true(lambda: self.psql("sm_sr", in_flight) == str(len(cards)), "not all are in flight")
        self.staging.kill(self.names[first])
        self.await_true(lambda: self.holder() not in ("", first), "nobody takes the lane")
        self.staging.start_service(self.names[first])
        for operation in operations:
            ended = self.end_of(operation)
            self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)
        self.assertNotEqual(self.holder(), first)
        for card in cards:
            self.did(card, enables=1, switches=1)
            self.assertEqual((card.enabled(), card.trail().count(ENABLED)), (card.b, 1))
            self.await_told(card, [("disabled", card.a)], [])
            self.counters_rise(card)
            self.packets_are_the_same(card)


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
                    operation = self.ordered(card, "profiles/%s/enable" % card.b)
                ended = self.end_of(operation)
                self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)
                self.did(card, enables=1, switches=1)
                self.assertEqual((card.enabled(), card.trail().count(ENABLED)), (card.b, 1))
                self.counters_rise(card)
                self.packets_are_the_same(card)
                card.power(False)

    @full
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
