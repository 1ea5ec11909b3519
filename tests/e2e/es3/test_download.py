# SPDX-License-Identifier: Apache-2.0
"""ES3, what a download is made of (SGP.02 3.1, 5.4): what is refused, and never reaches the card."""
from tests.e2e.cards.card_case import FIRST_ATTACH, SUCCESS
from tests.e2e.es3.es3_case import Es3Case
from tests.e2e.helpers import Background
from tests.e2e.stock.stock_case import luhn

ISDR = "A0000005591010FFFFFFFF8900000100"
SEGMENT = "861892D41D5EE541E3283FEA1C37BDC091D4411FED39E079B9D6"
CREATED = 0x100


class Download(Es3Case):
    def create(self, card, iccid, memory=1000, validity=60):
        more = "<rps:Mno-id>%s</rps:Mno-id><rps:RequiredMemory>%d</rps:RequiredMemory>" % (self.oid("operator-b"), memory)
        return self.ask("CreateISDP", card, iccid, more, validity)

    def untouched(self, card, commands):
        self.assertEqual((card.scripts(), card.now["commands"]), ([], commands))

    def test_create_refused(self):
        card = self.card()
        memory, commands = card.sql("select remaining_memory from eis_state where eid = '{eid}'"), card.now["commands"]
        self.expect(self.create(card, card.b), ("FAILED", "8.2.1/3.3"))
        self.expect(self.create(card, self.take().b), ("FAILED", "8.2.1/3.3"))  # on another card
        for wrong in (0, int(memory) + 1):
            self.expect(self.create(card, luhn("8988999000000000001"), wrong), ("FAILED", "8.1/4.8"))
        self.assertEqual(card.sql("select remaining_memory from eis_state where eid = '{eid}'"), memory)
        self.untouched(card, commands)

    def test_what_never_reached_the_card_was_never_there(self):
        card = self.card()
        memory, iccid = card.sql("select remaining_memory from eis_state where eid = '{eid}'"), luhn("8988999000000000002")
        card.power(False)
        self.expect(self.create(card, iccid, validity=3), ("EXPIRED", "1.6/5.3"))
        self.assertEqual(card.sql("select count(*), (select remaining_memory from eis_state where eid = '{eid}') from iccid where iccid = '{iccid}'",
                                  iccid=iccid), "0|" + memory)
        self.assertEqual(card.trail(), [FIRST_ATTACH, CREATED])

    def test_only_what_is_its_own_and_secured_is_sent(self):
        card = self.card()
        self.of_the_sm_dp(card)
        commands, b = card.now["commands"], self.aid(card, card.b)
        enable = "2219" "80E2880015" "3A0312" "4F10" + b
        delete = "2218" "80E4004012" "4F10" + b + "00"
        install = "221B" "80E6200016" "000010" + b + "000000"
        for sd, data, code in ((ISDR, enable, "8.3.1/1.2"), (b, enable, "8.3.1/1.2"), (ISDR, delete, "8.3.1/1.2"), (b, delete, "8.3.1/1.2"),
                               (ISDR, install, "8.3.1/1.2"), (ISDR, SEGMENT, "8.3.1/1.2"), (ISDR, "2209" "80CAFF2100", "8.3.1/1.2"),
                               (self.aid(card, card.a), SEGMENT, "8.3.1/1.2"),                # nobody's
                               (ISDR[:24] + "00FFFE00", SEGMENT, "8.3.1/3.9")):
            with self.subTest(sd=sd, data=data[:20]):
                self.expect(self.send(card, sd, data), ("FAILED", code))
        self.expect(self.send(card, b, SEGMENT, name="EstablishISDPKeySet"), ("FAILED", "8.3.1/1.2"))
        self.expect(self.send(card, b, "220E8050300008B4BBD029BDC3558F00", name="DownloadProfile"), ("FAILED", "8.3.1/1.2"))
        card.sql("update profile set smdp = '1.2.3' where iccid = '{iccid}'", iccid=card.b)
        self.expect(self.send(card, b, SEGMENT), ("FAILED", "8.3.1/1.2"))
        self.untouched(card, commands)

    def sessions(self, card):
        """Of the scripts that it was sent, in their order."""
        return [row["message_id"] for row in card.journal() if row["function"] == "ES5 script"]

    def test_a_session_is_held_for_who_has_more_to_do(self):
        card = self.card()
        self.of_the_sm_dp(card)
        card.power(False)
        call = Background(self.ask, "AuditEIS", card)
        running = "select count(*) from procedure where eid = '{eid}' and ended_at is null"
        self.await_true(lambda: card.sql(running) == "1", "no procedure began")
        # As if it were a SendData that was not the last.
        card.sql("update procedure set more = true, isdp_aid = (select isdp_aid from profile where iccid = '{iccid}') where eid = '{eid}' "
                 "and ended_at is null", iccid=card.b)
        card.power(True)
        self.expect(call.value(), SUCCESS)
        self.expect(self.enable(card), ("FAILED", "1.2/4.4"))  # an operator's, in between
        self.await_true(lambda: card.now["session"], "the card has no session")
        with self.counted("rsp_card_scripts_total"):  # as one that the card came for
            answer = self.send(card, self.aid(card, card.b), SEGMENT)
        self.expect(answer, SUCCESS)  # what the card says is the SM-DP's to judge: this ISD-P has no keys
        self.assertIn(b"EuiccResponseData>9F460102<", answer.raw)
        self.await_true(card.idle, "the session does not end")
        sessions = self.sessions(card)
        self.assertEqual(sessions[0], sessions[1])
        self.assertEqual(card.scripts()[:2], ["GetStatus", "SendData"])
        self.assertFalse(card.busy())
        self.expect(self.enable(card), SUCCESS)

    def test_completed(self):
        card = self.card()
        more = ("<rps:ProfileType>big</rps:ProfileType><rps:SubscriptionAddress><rps:Msisdn>881700000000009</rps:Msisdn></rps:SubscriptionAddress>"
                "<rps:pol2><rps:Rule><rps:Subject>PROFILE</rps:Subject><rps:Action>DELETE</rps:Action>"
                "<rps:Qualification>Not-Allowed</rps:Qualification></rps:Rule></rps:pol2>")
        self.expect(self.ask("ProfileDownloadCompleted", card, card.b, more, 30), ("FAILED", "8.2.1/1.2"))
        self.of_the_sm_dp(card, state=0)
        self.expect(self.ask("ProfileDownloadCompleted", card, card.b, more, 30), SUCCESS)
        look = "select state, profile_type, msisdn, pol2 from profile where iccid = '{iccid}'"
        self.assertEqual(card.sql(look, iccid=card.b), "1|big|881700000000009|\\x000200")

    def test_connectivity_parameters_must_be_secured(self):
        card = self.card()
        commands = card.now["commands"]
        plain = "<rps:ConnectivityParameters>%s</rps:ConnectivityParameters>" % "220E80E28800093A0706A004060291FF"
        self.expect(self.ask("UpdateConnectivityParameters", card, card.b, plain), ("FAILED", "8.3.1/1.2"))
        self.untouched(card, commands)
