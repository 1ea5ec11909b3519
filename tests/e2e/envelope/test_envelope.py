# SPDX-License-Identifier: Apache-2.0
"""What never becomes a function call (binding.md d8): SOAP Faults with a reason, and bounds."""
from tests.e2e.base import Case
from tests.e2e.soap import Answer, envelope, get_eis, get_eis_body

EID = "89001012012341234012345678901224"
ACTION = "http://gsma.com/ES4/ProfileManagement/ES4-GetEISRequest"


class Envelopes(Case):
    @property
    def oid(self):
        return self.staging.entities["operator-a"]["oid"]

    def post(self, data, path="/es4", server="sm-sr"):
        return Answer(self.soap_call(server, "operator-a", path, data))

    def fault(self, data, code, *words, path="/es4", http=400):
        answer = self.post(data, path)
        self.assertIsNotNone(answer.fault, answer.raw)
        self.assertEqual((answer.http, answer.fault[0]), (http, code), answer.raw)
        for word in words:
            self.assertIn(word, answer.fault[1])

    def good(self, **more):
        return get_eis(self.oid, "1", EID, **more)

    def header(self, leave_out):
        blocks = {"From": "<wsa:From><wsa:Address>https://x?EntityId=%s</wsa:Address></wsa:From>" % self.oid, "To": "<wsa:To>https://y</wsa:To>",
                  "MessageID": "<wsa:MessageID>//x/1</wsa:MessageID>", "Action": "<wsa:Action>%s</wsa:Action>" % ACTION}
        return "".join(text for name, text in blocks.items() if name != leave_out)

    def test_not_xml(self):
        self.fault("this is no XML", "Sender")
        self.fault("", "Sender")
        self.fault(self.good()[:-20], "Sender")

    def test_a_dtd(self):
        self.fault(self.good().replace("<soap:Envelope", '<!DOCTYPE x [<!ENTITY a "b">]><soap:Envelope', 1), "Sender", "DTD")
        self.fault(self.good().replace("<soap:Envelope", '<!DOCTYPE x SYSTEM "file:///etc/passwd"><soap:Envelope', 1), "Sender", "DTD")

    def test_a_processing_instruction(self):
        self.fault(self.good().replace("<soap:Body>", "<soap:Body><?php x?>"), "Sender", "processing instruction")

    def test_soap_1_1(self):
        self.fault(self.good().replace("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"), "VersionMismatch",
                   http=500)

    def test_each_missing_header(self):
        for name in ("From", "To", "MessageID", "Action"):
            with self.subTest(header=name):
                self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID), header=self.header(name)), "Sender", name)
        no_entity = self.header("From") + "<wsa:From><wsa:Address>https://x</wsa:Address></wsa:From>"
        self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID), header=no_entity), "Sender", "EntityId")

    def test_an_unknown_header_that_must_be_understood(self):
        header = self.header(None) + '<x:Y xmlns:x="urn:x" soap:mustUnderstand="true"/>'
        self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID), header=header), "MustUnderstand", http=500)

    def test_the_url_against_the_body(self):
        self.fault(self.good(), "Sender", "EnableProfile", path="/es4/EnableProfile")
        self.fault(self.good(), "Sender", "ES1", path="/es1")
        self.assertEqual(self.post(self.good(), "/elsewhere").http, 404)

    def test_the_action_against_the_body(self):
        self.fault(self.good().replace(ACTION, "http://gsma.com/ES4/PlatformManagement/ES4-EnableProfile"), "Sender", "Action")

    def test_unknown_bodies(self):
        self.fault(envelope(self.oid, "1", ACTION, "<rps:ES4-MakeCoffeeRequest/>"), "Sender", "MakeCoffee")
        self.fault(envelope(self.oid, "1", ACTION, ""), "Sender")
        self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID) * 2), "Sender")
        self.fault(self.good().replace("esim-messaging/3", "esim-messaging/77"), "Sender", "namespace")

    def test_an_answer_that_nobody_waits_for(self):
        self.fault(envelope(self.oid, "1", "http://gsma.com/ES4/ProfileManagement/ES4-GetEISResponse", "<rps:ES4-GetEISResponse/>"), "Sender")

    def test_too_deep_too_many_too_large(self):
        self.fault(envelope(self.oid, "1", ACTION, "<a>" * 100 + "</a>" * 100), "Sender", "levels")
        self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID).replace("<rps:Eid>", "<rps:a/>" * 30000 + "<rps:Eid>")), "Sender")
        attributes = "".join(' a%d="1"' % n for n in range(100))
        self.fault(envelope(self.oid, "1", ACTION, get_eis_body(EID).replace("<rps:Eid>", "<rps:Eid%s>" % attributes)), "Sender")
        padded = self.good().replace("<soap:Body>", "<soap:Body>" + " " * (1024 * 1024))
        self.fault(padded, "Sender", "bytes")
        try:
            self.assertEqual(self.post("x" * (5 * 1024 * 1024)).http, 413)
        except OSError:
            pass  # closed while we still sent: refused as well

    def test_another_content_type_and_method(self):
        status, _, _ = self.http(self.staging.instances["sm-sr"].url() + "/es4", "POST", b"{}", {"Content-Type": "application/json"},
                                 self.tls_context("operator-a"))
        self.assertEqual(status, 415)

    def test_it_still_works_after_all_that(self):
        answer = self.post(self.good())
        self.assertEqual((answer.http, answer.code), (200, "8.1.1/1.1"))

    def test_a_function_that_is_not_served_yet(self):
        body = ("<rps:ES4-SetFallBackAttributeRequest><rps:FunctionCallIdentifier>1</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid>"
                "<rps:Iccid>8933010000000000010</rps:Iccid></rps:ES4-SetFallBackAttributeRequest>" % EID)
        answer = self.post(envelope(self.oid, "1", "http://gsma.com/ES4/PlatformManagement/ES4-SetFallBackAttribute", body))
        self.assertEqual((answer.http, answer.name, answer.status, answer.code), (200, "ES4-SetFallBackAttributeResponse", "FAILED", "1.6/3.1"))

    def test_a_notification_that_is_not_served_yet(self):
        body = ("<rps:ES4-HandlePLMASettingNotification><rps:Eid>%s</rps:Eid><rps:Iccid>8933010000000000010</rps:Iccid>"
                "<rps:CompletionTimestamp>2026-01-15T09:30:00Z</rps:CompletionTimestamp></rps:ES4-HandlePLMASettingNotification>" % EID)
        message = envelope(self.staging.entities["sm-sr"]["oid"], "1", "http://gsma.com/ES4/PlatformManagement/ES4-HandlePLMASettingNotification",
                           body)
        status, _, text = self.soap_call("operator-a", "sm-sr", "/es4", message)
        self.assertEqual((status, text), (202, b""))
