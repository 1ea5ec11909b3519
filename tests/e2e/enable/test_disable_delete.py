# SPDX-License-Identifier: Apache-2.0
"""ES4 DisableProfile and DeleteProfile, what POL1 and POL2 delete by themselves, and the two functions that need no card (SGP.02 3.4 to 3.7,
3.11, 3.22)."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import CHANGED, ENABLED, FELL_BACK, FIRST_ATTACH, SUCCESS, CardCase
from tests.e2e.helpers import Background
from tests.e2e.soap import Answer, order

DISABLED, DELETED = 0x300, 0x400
RULE = "<rps:Rule><rps:Subject>PROFILE</rps:Subject><rps:Action>%s</rps:Action><rps:Qualification>%s</rps:Qualification></rps:Rule>"


class DisableDelete(CardCase):
    def ask(self, function, card, iccid=None, client="operator-b", more="", validity=60, group="PlatformManagement"):
        envelope = order(function, self.oid(client), self.oid("sm-sr"), card.eid, iccid or card.b, more, validity=validity, group=group)
        return Answer(self.soap_call("sm-sr", client, "/es4", envelope, timeout=validity + 30))

    def policy(self, card, iccid, client, *rules):
        more = "<rps:pol2>%s</rps:pol2>" % "".join(RULE % rule for rule in rules)
        return self.ask("UpdatePolicyRules", card, iccid, client, more, 30, "ProfileManagement")

    def enabled_card(self):
        card = self.card()
        self.succeeds(card)
        return card

    def iccids(self, card):
        return [p["iccid"] for p in card.now["profiles"]]

    def test_disable(self):
        card = self.enabled_card()
        self.expect(self.ask("DisableProfile", card), SUCCESS)
        self.assertEqual((card.enabled(), card.now["enabled"], card.now["switches"]), (card.a, card.a, 2))
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED, CHANGED, DISABLED])
        self.assertEqual(card.scripts(), ["EnableProfile", "DisableProfile"])
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [])

    def test_delete_disabled_and_enabled(self):
        card, other = self.card(), self.enabled_card()
        self.expect(self.ask("DeleteProfile", card), SUCCESS)
        self.assertEqual((self.iccids(card), card.scripts()), ([card.a], ["DeleteProfile"]))
        self.assertEqual(card.trail(), [FIRST_ATTACH, DELETED])
        self.await_told(card, [], [])
        self.expect(self.ask("DeleteProfile", other), SUCCESS)
        self.assertEqual((self.iccids(other), other.scripts()), ([other.a], ["EnableProfile", "DisableProfile", "DeleteProfile"]))
        memory = other.sql("select remaining_memory from eis_state where eid = '{eid}'")
        self.expect(self.audit(other), SUCCESS)
        self.assertEqual(other.sql("select remaining_memory from eis_state where eid = '{eid}'"), memory)  # the card counts like the EIS
        self.expect(self.ask("DeleteProfile", other), ("FAILED", "8.2.1/3.9"))

    def test_pol2_deletes_afterwards(self):
        card = self.enabled_card()
        self.expect(self.policy(card, card.b, "operator-b", ("DISABLE", "Auto-Delete")), SUCCESS)
        self.expect(self.ask("DisableProfile", card), SUCCESS)
        self.await_true(lambda: self.iccids(card) == [card.a] and not card.busy(), "POL2 deletes nothing")
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED, CHANGED, DISABLED, DELETED])
        self.assertEqual(card.sql("select requester from audit_trail where eid = '{eid}' and operation = 1024"), self.oid("sm-sr"))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [("deleted", card.b)])

    @full
    def test_pol1_deletes_in_the_confirmation(self):
        batch, eids = self.batch_of(self.order_of("pol1-delete", 1))
        self.rewrite_batch(batch, '"pol1":[]', '"pol1":["delete-after-disable"]')
        self.staging.load_cards()
        card = self.attach(self.card_of(eids[0]))
        self.succeeds(card)
        self.expect(self.ask("DisableProfile", card), SUCCESS)
        self.assertEqual((self.iccids(card), card.scripts()), ([card.a], ["EnableProfile", "DisableProfile"]))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [("deleted", card.b)])

    @full
    def test_a_card_that_loses_power_after_it_deleted(self):
        card = self.card()
        card.hook("power-cut", "after-script")
        call = self.meanwhile(card, "DeleteProfile")
        self.await_true(lambda: card.now["phase"] == "off", "the card keeps its power")
        card.power(True)
        self.expect(call.value(), SUCCESS)
        self.assertEqual((self.iccids(card), card.scripts()), ([card.a], ["DeleteProfile", "GetStatus"]))

    def meanwhile(self, card, function):
        return Background(self.ask, function, card)

    @full
    def test_the_network_refuses_the_fall_back_profile(self):
        card = self.enabled_card()
        card.hook("refuse-attach", card.a, times=0)
        self.expect(self.ask("DisableProfile", card), ("FAILED", "8.2.1/4.2"))
        self.assertEqual((card.enabled(), card.now["enabled"]), (card.b, card.b))
        card.unhook("refuse-attach")
        self.await_true(card.idle, "the card is not idle")
        self.expect(self.ask("DisableProfile", card), SUCCESS)

    @full
    def test_falling_back_deletes_nothing(self):
        card = self.enabled_card()
        self.expect(self.policy(card, card.b, "operator-b", ("DISABLE", "Auto-Delete")), SUCCESS)
        self.staging.cards.coverage_lost(card.eid)
        self.await_true(lambda: card.enabled() == card.a and card.idle(), "the card does not fall back")
        self.assertEqual(card.trail(), [FIRST_ATTACH, CHANGED, ENABLED, FELL_BACK])
        self.assertEqual(sorted(self.iccids(card)), sorted([card.a, card.b]))
        self.await_told(card, [("disabled", card.a), ("enabled", card.a)], [("disabled", card.b)])

    def test_refusals(self):
        card = self.card()
        commands = card.now["commands"]
        for function, iccid, client, code in (("DisableProfile", card.b, "operator-b", "8.2.1/1.2"),   # not enabled
                                              ("DisableProfile", card.a, "operator-a", "8.2.1/1.2"),   # the fall-back profile
                                              ("DeleteProfile", card.a, "operator-a", "8.2.1/1.2"),
                                              ("DeleteProfile", card.b, "operator-a", "8.2.1/1.2"),    # somebody else's
                                              ("DeleteProfile", "89880000000000000013", "operator-a", "8.2.1/3.9")):
            self.expect(self.ask(function, card, iccid, client), ("FAILED", code))
        self.expect(self.policy(card, card.b, "operator-a"), ("FAILED", "8.2.1/1.2"))
        self.expect(self.policy(card, card.b, "operator-b", ("DELETE", "Not-Allowed")), SUCCESS)
        self.expect(self.ask("DeleteProfile", card), ("FAILED", "8.2.3/3.8"))
        self.expect(self.policy(card, card.b, "operator-b"), SUCCESS)
        self.assertEqual(card.sql("select pol2 from profile where eid = '{eid}' and iccid = '{iccid}'", iccid=card.b), "\\x")
        self.assertEqual((card.scripts(), card.now["commands"]), ([], commands))

    def test_subscription_address(self):
        card = self.card()
        address = "<rps:newSubscriptionAddress>%s</rps:newSubscriptionAddress>"
        group = "ProfileManagement"
        more = address % "<rps:Imsi>901700000000001</rps:Imsi><rps:Msisdn>881700000000001</rps:Msisdn>"
        self.expect(self.ask("UpdateSubscriptionAddress", card, more=more, validity=30, group=group), SUCCESS)
        look = "select imsi, msisdn, (select string_agg(msisdn, ' ') from msisdn where iccid = '{iccid}') from profile where iccid = '{iccid}'"
        self.assertEqual(card.sql(look, iccid=card.b), "901700000000001|881700000000001|881700000000001")
        self.expect(self.ask("UpdateSubscriptionAddress", card, more=address % "", validity=30, group=group), SUCCESS)
        self.assertEqual(card.sql(look, iccid=card.b), "||")
        wrong = address % "<rps:Msisdn>12</rps:Msisdn>"
        self.expect(self.ask("UpdateSubscriptionAddress", card, more=wrong, validity=30, group=group), ("FAILED", "1.6/2.1"))
