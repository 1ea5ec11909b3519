# SPDX-License-Identifier: Apache-2.0
"""ES3 where it has the functions of ES4 (SGP.02 3.3, 3.5, 3.7, 5.4): an SM-DP relays for its operator, and what it may not."""
from tests.e2e.cards.card_case import AUDITED, CHANGED, ENABLED, FIRST_ATTACH, SUCCESS
from tests.e2e.es3.es3_case import SMDP, Es3Case
from tests.e2e.soap import Answer, eid_of, new_card

DISABLED, DELETED = 0x300, 0x400
POL2 = "<rps:pol2><rps:Rule><rps:Subject>PROFILE</rps:Subject><rps:Action>%s</rps:Action><rps:Qualification>%s</rps:Qualification></rps:Rule></rps:pol2>"
ICCIDS = "rps:Eis/rps:ProfileInfo/rps:Iccid"


class Relay(Es3Case):
    def test_get_eis(self):
        card = self.card()
        answer = self.ask("GetEIS", card, validity=30)
        self.assertEqual((answer.name, answer.status), ("ES3-GetEISResponse", "EXECUTED_SUCCESS"), answer.raw)
        self.assertEqual(answer.all(ICCIDS), [card.b])
        self.assertIsNotNone(answer.text("rps:Eis/rps:EumSignedInfo/rps:Eid"))
        self.register(SMDP, customers=[self.oid("operator-a"), self.oid("operator-b")])
        self.assertEqual(sorted(self.ask("GetEIS", card, validity=30).all(ICCIDS)), sorted([card.a, card.b]))
        unknown = type("Unknown", (), {"eid": "89001012012341234012345678901224"})
        self.expect(self.ask("GetEIS", unknown, validity=30), ("FAILED", "8.1.1/1.1"))

    def test_a_card_on_which_nothing_is_its_own_is_seen(self):
        text = new_card(self)
        self.assertEqual(Answer(self.soap_call("sm-sr", "eum", "/es1", text)).status, "EXECUTED_SUCCESS")
        self.register(SMDP, customers=[])
        stranger = type("Stranger", (), {"eid": eid_of(text)})
        answer = self.ask("GetEIS", stranger, validity=30)
        self.expect(answer, SUCCESS)
        self.assertEqual(answer.all(ICCIDS), [])
        self.expect(self.ask("AuditEIS", stranger), ("FAILED", "8.1/1.2"))

    def test_enable(self):
        card = self.card()
        answer = self.ask("EnableProfile", card, card.b)
        self.assertEqual((answer.name, answer.status), ("ES3-EnableProfileResponse", "EXECUTED_SUCCESS"), answer.raw)
        self.assertEqual((card.enabled(), card.now["enabled"], card.scripts()), (card.b, card.b, ["EnableProfile"]))
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED])
        self.assertEqual(card.sql("select requester from audit_trail where eid = '{eid}' and operation = 512"), self.oid(SMDP))
        self.await_told(card, [("disabled", card.a)], [])
        self.assertEqual(self.told(card), [])

    def test_disable(self):
        card = self.card()
        self.succeeds(card)
        answer = self.ask("DisableProfile", card, card.b)
        self.assertEqual((answer.name, answer.status), ("ES3-DisableProfileResponse", "EXECUTED_SUCCESS"), answer.raw)
        self.assertEqual((card.enabled(), card.now["enabled"], card.scripts()), (card.a, card.a, ["EnableProfile", "DisableProfile"]))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [])

    def test_delete(self):
        card = self.card()
        self.expect(self.ask("DeleteISDP", card, card.b, name="DeleteProfile"), SUCCESS)
        self.assertEqual((card.scripts(), [p["iccid"] for p in card.now["profiles"]]), (["DeleteProfile"], [card.a]))
        self.assertEqual(card.trail(), [FIRST_ATTACH, DELETED])
        self.await_told(card, [], [])
        self.expect(self.ask("DeleteISDP", card, card.b), ("FAILED", "8.2.1/3.9"))

    def test_what_a_download_left_is_its_sm_dps(self):
        card = self.card()
        memory = int(card.sql("select remaining_memory from eis_state where eid = '{eid}'"))
        card.sql("update profile set state = 0, smdp = '{smdp}' where iccid = '{iccid}'", smdp="1.2.3", iccid=card.b)
        self.assertEqual(self.ask("GetEIS", card, validity=30).all(ICCIDS), [])
        self.expect(self.ask("DeleteISDP", card, card.b), ("FAILED", "8.2.1/1.2"))
        card.sql("update profile set smdp = '{smdp}' where iccid = '{iccid}'", smdp=self.oid(SMDP), iccid=card.b)
        self.assertEqual(self.ask("GetEIS", card, validity=30).all(ICCIDS), [card.b])
        self.expect(self.ask("EnableProfile", card, card.b), ("FAILED", "8.2.1/1.2"))
        self.expect(self.ask("DeleteISDP", card, card.b), SUCCESS)
        self.assertEqual([p["iccid"] for p in card.now["profiles"]], [card.a])
        self.assertGreater(int(card.sql("select remaining_memory from eis_state where eid = '{eid}'")), memory)
        self.await_told(card, [], [])

    def test_audit(self):
        card = self.card()
        answer = self.ask("AuditEIS", card, card.b)
        self.assertEqual((answer.name, answer.status), ("ES3-AuditEISResponse", "EXECUTED_SUCCESS"), answer.raw)
        self.assertEqual((answer.all(ICCIDS), card.scripts(), card.trail()), ([card.b], ["GetStatus"], [FIRST_ATTACH, AUDITED]))
        self.expect(self.ask("AuditEIS", card, card.a), ("FAILED", "8.2.1/3.9"))

    def test_policy_rules(self):
        card = self.card()
        rules = "select pol2 from profile where iccid = '{iccid}'"
        self.expect(self.ask("UpdatePolicyRules", card, card.b, POL2 % ("DELETE", "Not-Allowed"), 30), SUCCESS)
        self.assertEqual(card.sql(rules, iccid=card.b), "\\x000200")
        self.expect(self.ask("DeleteISDP", card, card.b), ("FAILED", "8.2.3/3.8"))
        self.expect(self.ask("UpdatePolicyRules", card, card.b, validity=30), SUCCESS)
        self.assertEqual((card.sql(rules, iccid=card.b), card.scripts()), ("\\x", []))

    def test_subscription_address(self):
        card = self.card()
        more = "<rps:newSubscriptionAddress><rps:Imsi>901700000000002</rps:Imsi><rps:Msisdn>881700000000002</rps:Msisdn></rps:newSubscriptionAddress>"
        self.expect(self.ask("UpdateSubscriptionAddress", card, card.b, more, 30), SUCCESS)
        look = "select imsi, msisdn, (select string_agg(msisdn, ' ') from msisdn where iccid = '{iccid}') from profile where iccid = '{iccid}'"
        self.assertEqual(card.sql(look, iccid=card.b), "901700000000002|881700000000002|881700000000002")

    def test_an_operator_that_is_not_connected_is_told_through_it(self):
        card = self.card()
        self.addCleanup(self.register, "operator-b")
        self.register("operator-b", addresses={})
        self.succeeds(card)
        self.succeeds(card, iccid=card.a, client="operator-a")
        self.await_true(lambda: self.told(card), "the SM-DP is told nothing", 20)
        self.await_true(lambda: card.sql("select count(*) from outbox where eid = '{eid}'") == "0", "something is left in the outbox", 20)
        self.assertEqual(self.told(card), [("ES3-HandleProfileDisabledNotification", card.b, self.oid("operator-b"))])
        self.await_told(card, [("disabled", card.a)], [])

    def test_refusals(self):
        card = self.card()
        commands = card.now["commands"]
        address = "<rps:newSubscriptionAddress/>"
        for function, iccid, more, code in (("EnableProfile", card.a, "", "8.2.1/1.2"),  # another operator's
                                            ("DisableProfile", card.a, "", "8.2.1/1.2"),
                                            ("DeleteISDP", card.a, "", "8.2.1/1.2"),
                                            ("UpdatePolicyRules", card.a, "", "8.2.1/1.2"),
                                            ("UpdateSubscriptionAddress", card.a, address, "8.2.1/1.2"),
                                            ("EnableProfile", "89880000000000000013", "", "8.2.1/3.9"),
                                            ("DisableProfile", card.b, "", "8.2.1/1.2")):        # not enabled
            with self.subTest(function=function, iccid=iccid):
                self.expect(self.ask(function, card, iccid, more, 30), ("FAILED", code))
        answer = Answer(self.soap_call("sm-sr", "operator-b", "/es3", self.text("EnableProfile", card.eid, "<rps:Iccid>%s</rps:Iccid>" % card.b)
                                       .replace("EntityId=" + self.oid(SMDP), "EntityId=" + self.oid("operator-b"))))
        self.expect(answer, ("FAILED", "1.1/1.2"))
        self.assertEqual((card.scripts(), card.now["commands"]), ([], commands))
