# SPDX-License-Identifier: Apache-2.0
"""A card moves to another SM-SR (procedures.md 3.20), and nothing is lost."""
from tests.e2e.base import full
from tests.e2e.smsr_change.change_case import A, B, HANDOVERS, ChangeCase


class Move(ChangeCase):
    def move(self, card, to):
        start, before, trail = card.home, card.views(), card.whole_trail()
        told = [len(card.told_of_change(operator)) for operator in ("operator-a", "operator-b")]
        self.moves(card, to)
        self.moved(card, before, trail, start, to)
        self.assertEqual([len(card.told_of_change(operator)) for operator in ("operator-a", "operator-b")], [n + 1 for n in told])
        self.is_managed(card)

    def test_there(self):
        """With what happened to it and a rule for a profile; the keys of the old SM-SR are gone."""
        card = self.card_at(A)
        self.is_managed(card)
        found = self.ended(self.rspctl.profile_policy(self.words("operator-b"), card.eid, card.b, ["DELETE:Not-Allowed"])["operation"], "operator-b")
        self.assertEqual(found["status"], "EXECUTED_SUCCESS", found)
        rules, = [p["pol2"] for p in card.view("operator-b")["profiles"]]
        self.assertNotEqual(rules, [])
        old = card.key_versions()
        self.move(card, B)
        self.assertFalse(set(old) & set(card.key_versions()), "keys of the old SM-SR are left")

    @full
    def test_there_and_back(self):
        card = self.card_at(A)
        for to in (B, A, B):
            self.move(card, to)

    @full
    def test_without_https(self):
        card = self.card_at(A, http_support=False)
        self.move(card, B)

    @full
    def test_the_old_sm_sr_does_not_know_it_any_more(self):
        card = self.card_at(A)
        self.moves(card, B)
        self.know(card, A)
        status, answer = self.northbound("operator-a", "/v1/euiccs/" + card.eid)
        self.assertEqual((status, answer["error"]["code"]), (404, "8.1.1/1.1"))
        found = self.ended(self.rspctl.profile_enable(self.words("operator-b"), card.eid, card.b, validity_s=30)["operation"], "operator-b")
        self.assertEqual((found["status"], found["code"]), ("FAILED", "8.1.1/1.1"))
        self.know(card, B)

    @full
    def test_a_dry_run_changes_nothing(self):
        card = self.card_at(A)
        found = self.ended(self.order_change(card, B, dry_run=True))
        self.assertEqual((found["status"], found["stage"]), ("EXECUTED_SUCCESS", "prepare"), self.story(card, found))
        self.assertEqual((card.known_at(A), card.known_at(B), card.told_of_change("operator-a")), (True, False, []))
        self.is_managed(card)

    @full
    def test_who_does_not_expect_it_refuses(self):
        """SMSRChange without PrepareSMSRChange: the card stays, and is free again."""
        card = self.card_at(A)
        answer = self.change_alone(card, B)
        self.assertEqual(answer.status, "FAILED", answer.raw)
        self.assertEqual((card.known_at(A), card.known_at(B)), (True, False))
        self.await_true(lambda: not card.busy(), "it is still locked", 20)
        self.is_managed(card)

    @full
    def test_stages_are_shown(self):
        card = self.card_at(A)
        shown = self.rspctl.text(*self.words(), "smsr-change", "start", card.eid, "--to", self.oid(B), "--wait", "50")
        card.home = B
        self.assertRegex(shown, r"(?s)operation .* prepare +accepted .* prepare +ended +attempt 1 +EXECUTED_SUCCESS\n.* change +accepted .*"
                         r" change +ended +attempt 2 +EXECUTED_SUCCESS\n$")

    @full
    def test_a_fleet(self):
        """As many at a time as rspctl has by default, and one that is not there."""
        cards = [self.adopt(self.moving(eid)) for eid in self.batch_at(A, 20)]
        for card in cards:
            self.know(card, A)
            card.power(True)
        for card in cards:
            self.attach(card)
        unknown = self.eid_of_order({"eid_prefix": "890019990700000001"})
        path = self.list_file("eid,target\n%s\n%s,%s\n" % ("\n".join(card.eid for card in cards), unknown, self.oid(B)))
        code, rows = self.rspctl.smsr_change_list(self.words(), path, self.oid(B))
        self.assertEqual([row["status"] for row in rows], ["EXECUTED_SUCCESS"] * len(cards) + ["FAILED"])
        self.assertNotEqual(code, 0)
        for card in cards:
            card.home = B
            self.assertEqual((card.known_at(A), card.known_at(B)), (False, True))


class Ready(ChangeCase):
    def test_handover_services_end_and_start_again(self):
        for name in HANDOVERS.values():
            self.assertEqual(self.staging.stop_service(name), 0)
            self.staging.start_service(name)
            self.assertTrue(self.staging.ready(name))
