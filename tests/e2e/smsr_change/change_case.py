# SPDX-License-Identifier: Apache-2.0
"""Two SM-SR domains, A (sm-sr) and B (sm-sr-b), each with its handover service; cards that move between them as an operator orders at its gateway."""
import json
import os

from rsp import roles
from tests.e2e.cards.card_case import FIRST_ATTACH, NEEDS, Card, CardCase
from tests.e2e.helpers import Work
from tests.e2e.soap import Answer, envelope, new_id

A, B = "sm-sr", "sm-sr-b"
DATABASES = {A: "sm_sr", B: "sm_sr_b"}
HANDOVERS = {A: "sm-sr-handover", B: "sm-sr-handover-b"}
GATEWAY = "operator-a"
BUSY = ("FAILED", "1.2/4.4")
# What a move must leave as it is: of the EIS as an operator reads it.
KEPT = ("eid", "eum", "production_date", "platform", "capabilities", "isdp", "profiles", "properties", "signed_info", "signature")


class Moving(Card):
    """home: the SM-SR that is said to have it. a, b: ICCIDs of operator-a's and operator-b's profile."""

    def __init__(self, case, eid, home=A):
        self.home = home
        super().__init__(case, eid)

    def sql(self, text, **values):
        return self.case.psql(DATABASES[self.home], text.format(eid=self.eid, **values))

    def known_at(self, smsr):
        return self.case.psql(DATABASES[smsr], "select count(*) from eis where eid = '%s'" % self.eid) == "1"

    def view(self, operator):
        """What an operator reads of it, by the SM-SR that its gateway believes to have it."""
        eis = self.case.staging.eis_get(operator, self.eid)
        return {name: eis.get(name) for name in KEPT}

    def views(self):
        return [self.view(operator) for operator in ("operator-a", "operator-b")]

    def whole_trail(self):
        """In milliseconds, as its times are written to other SM-SRs."""
        return self.sql("select operation, requester, status, subject, reason, encode(isdp_aid, 'hex'), iccid, date_trunc('milliseconds', at)"
                        " from audit_trail where eid = '{eid}' order by id").split("\n")

    def told_of_change(self, operator):
        """How often an operator was told, and of which SM-SR."""
        rows = self.case.psql(operator.replace("-", "_"), "select detail from notification where eid = '%s' and kind = 'smsr_changed' order by id" % self.eid)
        return [json.loads(row)["new_smsr"] for row in rows.split("\n") if row]

    def smsr_of(self, operator):
        return self.case.psql(operator.replace("-", "_"), "select smsr from euicc where eid = '%s'" % self.eid)

    def journal(self):
        return self.case.rspctl.messages(self.case.admin(self.home), eid=self.eid, limit=2000)

    def key_versions(self):
        """Of the ISD-R, on the card."""
        return sorted(self.now["keys"])


class ChangeCase(CardCase):
    needs = {"services": roles.TWO_DOMAINS, "settings": NEEDS["settings"]}
    databases = tuple(DATABASES.values())

    def batch_at(self, smsr, quantity=1, **more):
        """EIDs of a new batch whose cards are that SM-SR's."""
        order = self.order_of("move-%d" % (Work.series + 1), quantity, smsr=self.oid(smsr), **more)
        eids = self.batch_of(order)[1]
        self.staging.load_cards()
        return eids

    def card_at(self, smsr, **more):
        """One that is attached, and that both gateways know to be there."""
        card = self.adopt(self.moving(self.batch_at(smsr, **more)[0], smsr))
        self.know(card, smsr)
        return self.attach(card)

    def moving(self, eid, smsr=A):
        return Moving(self, eid, smsr)

    def change_alone(self, card, to, operator=GATEWAY, validity=60):
        """ES4.SMSRChange at the card's SM-SR, as a partner writes it, without a word to the other before."""
        root = "ES4-SMSRChangeRequest"
        body = ("<rps:%s><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:ValidityPeriod>%d</rps:ValidityPeriod><rps:Eid>%s</rps:Eid>"
                "<rps:Target-Smsr-id>%s</rps:Target-Smsr-id></rps:%s>" % (root, new_id(), validity, card.eid, self.oid(to), root))
        text = envelope(self.oid(operator), self.oid(card.home), "http://gsma.com/ES4/eUICCManagement/ES4-SMSRChange", body)
        return Answer(self.soap_call(card.home, operator, "/es4", text, timeout=validity + 30))

    def know(self, card, smsr):
        for operator in ("operator-a", "operator-b"):
            status, answer = self.northbound(operator, "/v1/euiccs/" + card.eid, "PUT", json.dumps({"smsr": self.oid(smsr)}))
            self.assertEqual(status, 200, answer)

    def words(self, operator=GATEWAY):
        return self.staging.gateway_words(operator)

    def order_change(self, card, to, operator=GATEWAY, **more):
        return self.rspctl.smsr_change(self.words(operator), card.eid, self.oid(to), **more)["operation"]

    def ended(self, operation, operator=GATEWAY, wait_s=90):
        found = self.rspctl.operation(self.words(operator), operation, wait_s)
        self.assertEqual(found["state"], "ended", found)
        return found

    def moves(self, card, to, operator=GATEWAY, **more):
        """Ordered, and executed without a warning."""
        found = self.ended(self.order_change(card, to, operator, **more), operator)
        self.assertEqual((found["status"], found.get("code")), ("EXECUTED_SUCCESS", None), self.story(card, found))
        card.home = to

    def moved(self, card, before, trail, start, to):
        """Everything that holds after a move; before: its views."""
        self.assertEqual((card.known_at(start), card.known_at(to)), (False, True))
        for operator in ("operator-a", "operator-b"):
            self.await_true(lambda operator=operator: card.told_of_change(operator)[-1:] == [self.oid(to)], "%s is not told" % operator, 20)
            self.assertEqual(card.smsr_of(operator), self.oid(to))
        self.assertEqual(card.views(), before)
        self.assertEqual(card.whole_trail()[:len(trail)], trail)
        status, answer = self.northbound("operator-a", "/v1/euiccs/" + card.eid)
        self.assertEqual((status, answer["smsr"]), (200, self.oid(to)))

    def story(self, card, operation):
        """For people who look for what went wrong."""
        rows = [json.dumps(operation, indent=1)]
        for name in (A, HANDOVERS[A], B, HANDOVERS[B]):
            rows += ["%s %s" % (name, line) for line in self.log_tail(name, card.eid)]
        return "\n".join(rows)

    def log_tail(self, name, eid):
        with open(self.staging.log(name), errors="replace") as f:
            return [line.rstrip() for line in f if eid in line][-30:]

    def is_managed(self, card, iccid=None):
        """By its SM-SR: a profile is enabled and disabled again through the gateway of its owner."""
        for order in (self.rspctl.profile_enable, self.rspctl.profile_disable):
            found = self.ended(order(self.words("operator-b"), card.eid, iccid or card.b, validity_s=60)["operation"], "operator-b")
            self.assertEqual(found["status"], "EXECUTED_SUCCESS", self.story(card, found))
            self.assertEqual(found["smsr"], self.oid(card.home))
        self.await_true(card.of_one_mind, "EIS and card differ", 20)

    def attach(self, card):
        card.power(True)
        self.await_true(lambda: (FIRST_ATTACH, True, 1) in card.notes() and card.idle(), "the first attach is not confirmed")
        return card

    def list_file(self, text):
        path = os.path.join(self.staging.private_folder("orders"), "moves.csv")
        with open(path, "w") as f:
            f.write(text)
        return path
