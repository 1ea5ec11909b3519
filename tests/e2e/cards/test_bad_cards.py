# SPDX-License-Identifier: Apache-2.0
"""What a card, or somebody who says to be one, may send: nothing of it harms another card, or is believed twice."""
import time

from tests.e2e.cards.card_case import CHANGED, ENABLED, FIRST_ATTACH, SUCCESS, CardCase
from tests.e2e.cards.psk import FROM, PROTOCOL, first_request, identity, s_client
from tests.e2e.helpers import Background


class BadCards(CardCase):
    def s_client(self, who, key, request):
        return s_client(self.staging, "sm-sr", who, key, request)

    def psk(self, card):
        keys = [key["key"] for key in self.line_of(card)["isdr_keys"] if (key["version"], key["index"]) == (0x40, 1)]
        self.assertEqual(len(keys), 1)
        return keys[0]

    def test_openssl_as_a_card(self):
        card = self.take()
        answer = self.s_client(identity(card.eid), self.psk(card), first_request(card.eid))
        head = answer.split("\r\n\r\n")[0].lower().split("\r\n")
        self.assertEqual(head[0].split()[:2], ["http/1.1", "204"], answer)
        names = {line.split(":")[0] for line in head[1:]}
        self.assertIn("x-admin-protocol: " + PROTOCOL, head)
        self.assertFalse(names & {"date", "content-type"}, head)
        self.assertEqual(card.sql("select count(*) from card_session where eid = '{eid}'"), "0")

    def test_strangers_get_no_answer(self):
        card = self.take()
        request, key = first_request(card.eid), self.psk(card)
        unknown = [identity("89001012012341234012345678901224"), identity(card.eid, kvn=0x41), identity(card.eid, key_id=2), "nobody",
                   identity(card.eid).replace("8900000100", "8900000200")]
        with self.counted("rsp_card_refused_total", len(unknown)), self.counted("rsp_http_psk_unknown_total", len(unknown)):
            for who in unknown:
                with self.subTest(who=who):
                    self.assertEqual(self.s_client(who, key, request), "")
        before = self.metric("sm-sr", "rsp_card_connections_total")
        self.assertEqual(self.s_client(identity(card.eid), "00" * 16, request), "")
        self.assertEqual(self.metric("sm-sr", "rsp_card_connections_total"), before)
        self.assertEqual([row for row in card.journal() if row["function"].startswith("ES5")], [])

    def test_requests_that_are_none(self):
        card, other = self.take(), self.take()
        key = self.psk(card)
        for status, headers in ((403, {"X-Admin-From": FROM % other.eid}),
                                (400, {"X-Admin-From": "me"}), (400, {"X-Admin-Protocol": "2"}),
                                (400, {"X-Admin-Script-Status": "ok"})):
            with self.subTest(headers=headers), self.counted("rsp_card_refused_total"):
                answer = self.s_client(identity(card.eid), key, first_request(card.eid, **headers))
                self.assertEqual(answer.split()[1:2], [str(status)], answer)
        self.assertEqual(other.journal(), [row for row in other.journal() if not row["function"].startswith("ES5")])

    def test_a_card_with_a_wrong_key_comes_again(self):
        card = self.card()
        card.hook("wrong-psk", times=2)
        self.succeeds(card)
        self.assertEqual(card.scripts(), ["EnableProfile"])
        self.assertEqual(len([line for line in self.sim_log(card) if "state=failed" in line and "handshake" in line]), 2)

    def test_a_notification_in_the_name_of_another_card(self):
        card, other = self.take(), self.card()
        before, journal = other.sql("select * from eis_state where eid = '{eid}'"), len(other.journal())
        card.hook("wrong-uri", other.eid)
        with self.counted("rsp_card_refused_total"):
            self.attach(card)
        self.assertEqual((other.notes(), other.trail()), ([(FIRST_ATTACH, True, 1)], [FIRST_ATTACH]))
        self.assertEqual((other.sql("select * from eis_state where eid = '{eid}'"), len(other.journal())), (before, journal))

    def test_a_notification_that_is_repeated(self):
        card = self.card()
        card.hook("duplicate-notification")
        self.succeeds(card)
        self.await_true(lambda: card.notes()[1][2] == 2 and card.idle(), "the notification does not come again")
        self.assertEqual(card.notes(), [(FIRST_ATTACH, True, 1), (CHANGED, True, 2)])
        self.assertEqual([row["function"] for row in card.journal()].count("ES5 confirmation"), 3)
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED])
        self.await_told(card, [("disabled", card.a)], [])
        self.await_events(card, enabled=1, disabled=1, ended=1)

    def test_answers_that_are_none(self):
        """The enable fails and the card is asked what it made of it. It did switch; unconfirmed it goes back, so the answer stays true."""
        for how in ("truncate", "oversize", "garbage"):
            with self.subTest(how=how):
                card = self.card()
                card.hook("corrupt-answer", how)
                answer = self.enable(card)
                self.expect(answer, ("FAILED", "8.4/4.2"))
                self.assertIsNone(answer.text("rps:EuiccResponseData"))
                self.assertEqual(card.scripts(), ["EnableProfile", "GetStatus"])
                self.assertNotEqual(card.last_audit(), "")
                self.await_true(lambda: card.now["switches"] == 2 and card.idle() and card.of_one_mind(), "the card does not go back")
                self.assertEqual((card.enabled(), card.uncertain()), (card.a, False))
                self.assertEqual((card.told("operator-a"), card.told("operator-b")), ([], []))

    def test_a_status_word_that_nobody_knows(self):
        card = self.card()
        card.hook("corrupt-answer", "unknown-sw")
        answer = self.enable(card)
        self.expect(answer, ("FAILED", "8.4/4.2"))
        self.assertEqual(answer.text("rps:EuiccResponseData"), "6F42")
        self.await_true(lambda: card.idle() and card.of_one_mind(), "EIS and card differ")

    def test_a_session_without_end(self):
        card, other = self.card(), self.card()
        card.hook("endless-session")
        call = self.enabling(card)
        self.await_true(lambda: card.now["session"], "no session")
        self.succeeds(other)
        self.expect(call.value(), SUCCESS)  # by a later session
        self.assertEqual((card.now["switches"], other.now["switches"]), (1, 1))
        self.assertLess(len(card.scripts()), 80)
        with open(self.staging.log("sm-sr")) as f:
            self.assertIn("eid %s: its session has no end" % card.eid, f.read())


class Sms(CardCase):
    """SMS that are lost, doubled or late: the card takes each counter once."""

    def taken(self, card):
        """Triggers that the card took, and those that it refused."""
        rows = [line for line in self.sim_log(card) if "event=card_sms" in line]
        return len([r for r in rows if "is=trigger" in r]), [r for r in rows if "is=refused" in r]

    def succeeds_with(self, hook, argument="", refused=0):
        card = self.card()
        card.hook(hook, argument)
        self.succeeds(card)
        self.await_true(lambda: card.sql("select count(*) from sms_out where eid = '{eid}' and state < 3") == "0", "an SMS is left", 20)
        sent, different = card.sql("select count(*), count(distinct counter) from sms_out where eid = '{eid}'").split("|")
        taken, no = self.taken(card)
        self.assertEqual((sent, taken), (different, int(sent)))
        self.assertEqual(len(no), refused, no)
        self.assertEqual((card.scripts(), card.now["switches"]), (["EnableProfile"], 1))
        return card

    def attempts(self, card):
        return int(card.sql("select sum(attempts) from sms_out where eid = '{eid}'"))

    def test_lost(self):
        self.assertGreater(self.attempts(self.succeeds_with("drop-sms")), 1)

    def test_doubled(self):
        self.succeeds_with("duplicate-sms", refused=1)

    def test_late(self):
        began = time.monotonic()
        self.succeeds_with("delay-sms", "500")
        self.assertGreater(time.monotonic() - began, 0.5)

    def test_the_receipt_of_the_card_is_lost(self):
        """The session says as well that it came."""
        self.succeeds_with("drop-por")

    def test_a_counter_that_is_too_low(self):
        """A restored database: the card stays silent until its counters are raised."""
        card = self.card()
        self.succeeds(card)
        self.await_true(card.idle, "the card is not idle")
        version = card.sql("select min(version) from keyset where eid = '{eid}' and version between 1 and 15")
        card.sql("update keyset set counter = 0 where eid = '{eid}' and version = {version}", version=version)
        call = Background(self.enable, card, iccid=card.a, client="operator-a")
        self.await_true(lambda: "4" in card.sql("select state from sms_out where eid = '{eid}'").split(), "the SMS does not fail")
        self.assertIn("counter not higher", self.taken(card)[1][0])
        self.assertEqual(card.now["switches"], 1)
        self.assertEqual(self.rspctl.call("--admin", self.admin("sm-sr"), "keys", "bump", card.eid, "100")[0], 0)
        self.expect(call.value(), SUCCESS)
        self.assertEqual((card.enabled(), card.now["switches"]), (card.a, 2))
