# SPDX-License-Identifier: Apache-2.0
"""ES1.UpdateEISAdditionalProperties (SGP.02 5.2): replaces by key, for the EUM of the card alone; and the EUM's own way to send it."""
import json
import os
import random
import re
import time

from tests.e2e.pki import Pki
from tests.e2e.register_eis.test_register_eis import RegisterCase
from tests.e2e.soap import Answer, eid_of, envelope, new_id

FUNCTION = "ES1-UpdateEISAdditionalProperties"
EUM, OTHER_EUM = "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.88"
UNKNOWN = "89001012012341234012345678901224"


def update(eid, fci=None, sender=EUM, **properties):
    rows = "".join('<rps:Property key="%s" value="%s"/>' % row for row in properties.items())
    body = ("<rps:{0}Request><rps:FunctionCallIdentifier>{1}</rps:FunctionCallIdentifier><rps:Eid>{2}</rps:Eid><rps:AdditionalProperties>{3}"
            "</rps:AdditionalProperties></rps:{0}Request>".format(FUNCTION, fci or new_id(), eid, rows))
    return envelope(sender, "1", "http://gsma.com/ES1/eUICCManagement/%sRequest" % FUNCTION, body)


class Properties(Pki, RegisterCase):
    cards = {}  # by staging

    @property
    def card(self):
        """One registered card for all tests here, with a property of its own."""
        if self.staging.name not in Properties.cards:
            request = self.request()
            self.assertEqual(self.register(request).status, "EXECUTED_SUCCESS")
            self.assertEqual(self.register(update(eid_of(request), first="1")).status, "EXECUTED_SUCCESS")
            Properties.cards[self.staging.name] = eid_of(request)
        return Properties.cards[self.staging.name]

    def stored(self, eid):
        return dict(line.split("|") for line in self.psql("sm_sr", "select key, value from property where eid = '%s'" % eid).splitlines())

    def refused_update(self, text, code, subject_identifier=None, context=None, client="eum"):
        before = self.rows()
        answer = Answer(self.soap_call("sm-sr", client, "/es1", text, context=context))
        self.assertEqual((answer.http, answer.name, answer.status, answer.code), (200, FUNCTION + "Response", "FAILED", code), answer.raw)
        if subject_identifier:
            self.assertEqual(answer.subject_identifier, subject_identifier)
        self.assertEqual(self.rows(), before, "a refusal changed something")

    def test_keys_are_replaced_and_others_stay(self):
        others = {key: value for key, value in self.stored(self.card).items() if key not in ("lot", "site")}
        for value in ("1", "2"):
            answer = self.register(update(self.card, lot=value, site="B &amp; C"))
            self.assertEqual((answer.status, answer.code), ("EXECUTED_SUCCESS", None), answer.raw)
        self.assertEqual(others["first"], "1")
        self.assertEqual(self.stored(self.card), {**others, "lot": "2", "site": "B & C"})

    def test_an_unknown_eid(self):
        self.refused_update(update(UNKNOWN, a="b"), "8.1.1/1.1", UNKNOWN)

    def test_the_card_of_another_eum(self):
        cert, key = self.issue("other-eum", "--eku", "client")
        self.introduce(OTHER_EUM, "eum", cert)
        context = self.tls_context(cert=cert, key=key)
        self.refused_update(update(self.card, sender=OTHER_EUM, a="b"), "1.1/1.2", context=context)
        self.refused_update(update(UNKNOWN, sender=OTHER_EUM, a="b"), "8.1.1/1.1", UNKNOWN, context=context)

    def test_a_wrong_role(self):
        sender = self.staging.entities["operator-a"]["oid"]
        self.refused_update(update(self.card, sender=sender, a="b"), "1.1/1.2", client="operator-a")

    def test_what_is_missing_or_invalid_is_named(self):
        good = update(self.card, a="b")
        self.refused_update(re.sub(r"<rps:Eid>.*</rps:Eid>", "", good), "1.6/2.2", "Eid")
        self.refused_update(re.sub(r"<rps:Additional.*</rps:AdditionalProperties>", "", good), "1.6/2.2", "AdditionalProperties")
        self.refused_update(good.replace(self.card, self.card[:-1]), "1.6/2.1", "Eid")
        self.refused_update(good.replace(' key="a"', ""), "1.6/2.2", "key")
        long = random.Random(1).randbytes(2000).hex()  # PostgreSQL does not index this
        self.refused_update(good.replace('"a"', '"%s"' % long), "1.6/2.1", "key")

    def test_another_input_under_the_same_identifier(self):
        fci = new_id()
        self.assertEqual(self.register(update(self.card, fci, a="1")).status, "EXECUTED_SUCCESS")
        self.refused_update(update(self.card, fci, a="2"), "1.6/2.1", "FunctionCallIdentifier")

    def test_the_eum_sends_them_when_it_is_told_to(self):
        def profile(owner, enabled, digit):
            return {"mno": self.staging.entities[owner]["oid"], "profile_type": "t", "iccid_prefix": "8988391%s" % digit,
                    "imsi_prefix": "90191%s" % digit, "msisdn_prefix": "883991%s" % digit, "enabled": enabled, "memory": 4096}
        path = os.path.join(self.staging.private_folder("orders"), "properties")
        with open(path, "w") as f:
            json.dump({"name": "properties", "quantity": 1, "smsr": self.staging.entities["sm-sr"]["oid"], "eid_prefix": "890019990100009100",
                       "platform_type": "t", "platform_version": "1.0.0", "memory": 65536, "http_support": True,
                       "profiles": [profile("operator-a", True, "1"), profile("operator-b", False, "2")]}, f)
        self.rspctl.batch_create(self.order(), path)
        until = time.monotonic() + 60
        while self.rspctl.batch_status(self.order(), "properties")["registered"] < 1:
            self.assertLess(time.monotonic(), until, "the card is never registered")
            time.sleep(0.05)
        eid = self.psql("sm_sr", "select eid from eis where eid like '890019990100009100%'")
        self.rspctl.eis_properties(self.order(), eid, lot="9")
        while self.stored(eid).get("lot") != "9":
            self.assertLess(time.monotonic(), until, "the property never arrives")
            time.sleep(0.05)
