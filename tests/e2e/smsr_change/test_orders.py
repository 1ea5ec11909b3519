# SPDX-License-Identifier: Apache-2.0
"""ES4.PrepareSMSRChange and SMSRChange (SGP.02 5.5) where nothing has to move: what an SM-SR refuses by itself."""
from tests.e2e.base import Case
from tests.e2e.soap import Answer, envelope, eid_of, new_card, new_id

UNKNOWN = "89001012012341234012345678901224"


class Orders(Case):
    registered = {}

    @property
    def eid(self):
        """One registered card for all tests here."""
        if self.staging.name not in Orders.registered:
            text = new_card(self)
            self.assertEqual(Answer(self.soap_call("sm-sr", "eum", "/es1", text)).status, "EXECUTED_SUCCESS")
            Orders.registered[self.staging.name] = eid_of(text)
        return Orders.registered[self.staging.name]

    def oid(self, name):
        return self.staging.entities[name]["oid"]

    def order(self, function, eid, element, smsr):
        body = ("<rps:ES4-%sRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid><rps:%s>%s</rps:%s>"
                "</rps:ES4-%sRequest>" % (function, new_id(), eid, element, smsr, element, function))
        text = envelope(self.oid("operator-a"), self.oid("sm-sr"), "http://gsma.com/ES4/eUICCManagement/ES4-%sRequest" % function, body)
        answer = Answer(self.soap_call("sm-sr", "operator-a", "/es4/" + function, text))
        self.assertEqual(answer.name, "ES4-%sResponse" % function)
        return answer.status, answer.code

    def test_prepare(self):
        prepare = "PrepareSMSRChange", self.eid
        self.assertEqual(self.order(*prepare, "CurrentSMSRid", "1.2.3.4.5"), ("FAILED", "8.1/3.3"))
        self.assertEqual(self.order(prepare[0], UNKNOWN, "CurrentSMSRid", "1.2.3.4.5"), ("FAILED", "8.7/3.9"))
        self.assertEqual(self.order(prepare[0], UNKNOWN, "CurrentSMSRid", self.oid("sm-sr")), ("FAILED", "1.6/2.1"))

    def test_change(self):
        self.assertEqual(self.order("SMSRChange", UNKNOWN, "Target-Smsr-id", "1.2.3.4.5"), ("FAILED", "8.1.1/1.1"))
        self.assertEqual(self.order("SMSRChange", self.eid, "Target-Smsr-id", "1.2.3.4.5"), ("FAILED", "8.7/3.9"))
        self.assertEqual(self.order("SMSRChange", self.eid, "Target-Smsr-id", self.oid("operator-b")), ("FAILED", "8.7/3.9"))
        self.assertEqual(self.order("SMSRChange", self.eid, "Target-Smsr-id", self.oid("sm-sr")), ("FAILED", "8.7/3.4"))
        self.assertEqual(self.psql("sm_sr", "select count(*) from eid_busy where eid = '%s'" % self.eid), "0")
