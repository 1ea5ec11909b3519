# SPDX-License-Identifier: Apache-2.0
"""Who may not: over the wire, what an SM-SR that was not announced, or nobody of that kind, asks of a card's SM-SR for its keys (ES7), and orders for
cards that are busy. The rest of what is refused, function by function: tests/unit/services/handover_in_bad_test.c, handover_out_bad_test.c and
smsr_change_test.c."""
from tests.e2e.base import full
from tests.e2e.smsr_change.change_case import A, B, BUSY, HANDOVERS, ChangeCase
from tests.e2e.soap import Answer, envelope, new_id

UNKNOWN = "89001012012341234012345678901224"


class Refusals(ChangeCase):
    def authenticate(self, eid, client, certificate_of):
        """ES7.AuthenticateSMSR at SM-SR1."""
        root = "ES7-AuthenticateSMSRRequest"
        with open(self.pki(certificate_of, "cert.sr.gp"), "rb") as f:
            certificate = f.read().hex().upper()
        body = ("<rps:%s><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:ValidityPeriod>30</rps:ValidityPeriod><rps:Eid>%s</rps:Eid>"
                "<rps:SmsrCertificate>%s</rps:SmsrCertificate></rps:%s>" % (root, new_id(), eid, certificate, root))
        text = envelope(self.oid(client), self.oid(A), "http://gsma.com/ES7/eUICCManagement/ES7-AuthenticateSMSR", body)
        return Answer(self.soap_call(HANDOVERS[A], client, "/es7", text, timeout=60))

    def says(self, answer, outcome):
        self.assertEqual((answer.status, answer.code), outcome, answer.raw)

    def untouched(self, card, before):
        """No key set, no challenge: the card heard nothing, and is managed as ever."""
        self.assertEqual((card.now["commands"], card.now["isdr_keysets"], card.key_versions()), before)
        self.assertEqual((card.known_at(A), card.known_at(B)), (True, False))
        self.is_managed(card)

    @staticmethod
    def state(card):
        return card.now["commands"], card.now["isdr_keysets"], card.key_versions()

    @full
    def test_who_was_not_announced(self):
        """A good certificate of a known SM-SR, and nobody has ordered anything; or it was announced to the other, but not ordered here."""
        card = self.card_at(A)
        before = self.state(card)
        self.says(self.authenticate(card.eid, B, B), ("FAILED", "8.1.1/1.1"))
        found = self.ended(self.order_change(card, B, dry_run=True))
        self.assertEqual(found["status"], "EXECUTED_SUCCESS", found)
        self.says(self.authenticate(card.eid, B, B), ("FAILED", "8.1.1/1.1"))
        self.says(self.authenticate(UNKNOWN, B, B), ("FAILED", "8.1.1/1.1"))
        self.untouched(card, before)

    @full
    def test_who_is_no_sm_sr(self):
        card = self.card_at(A)
        before = self.state(card)
        for client in ("operator-a", "sm-dp"):
            self.says(self.authenticate(card.eid, client, B), ("FAILED", "1.1/1.2"))
            self.assertEqual(self.psql("sm_sr_handover", "select count(*) from handover_out where eid = '%s'" % card.eid), "0")
        self.untouched(card, before)

    @full
    def test_only_in_its_time(self):
        """When the card has moved, or was kept, who had it in hand is a stranger again."""
        card = self.card_at(A)
        self.moves(card, B)
        self.says(self.authenticate(card.eid, B, B), ("FAILED", "8.1.1/1.1"))
        self.assertEqual((card.known_at(A), card.known_at(B)), (False, True))
        self.is_managed(card)

    @full
    def test_busy_cards(self):
        """One order at a time, whichever came first."""
        card = self.card_at(A)
        card.hook("hold-answer", times=0)
        before = card.sql("select count(*) from procedure where eid = '{eid}'")
        operation = self.rspctl.profile_enable(self.words("operator-b"), card.eid, card.b, validity_s=60)["operation"]
        self.await_true(lambda: card.sql("select count(*) from procedure where eid = '{eid}'") != before, "no procedure began")
        self.says(self.change_alone(card, B), BUSY)
        card.unhook("hold-answer")
        found = self.ended(operation, "operator-b")
        self.assertEqual(found["status"], "EXECUTED_SUCCESS", self.story(card, found))
        card.hook("hold-answer", times=0)
        operation = self.order_change(card, B)
        self.await_true(lambda: card.sql("select count(*) from eid_busy where eid = '{eid}'") == "1", "it is not locked")
        self.expect(self.enable(card, validity=5), BUSY)
        self.says(self.change_alone(card, B), BUSY)
        card.unhook("hold-answer")
        found = self.ended(operation)
        self.assertEqual(found["status"], "EXECUTED_SUCCESS", self.story(card, found))
        card.home = B
        self.assertEqual((card.known_at(A), card.known_at(B)), (False, True))
