# SPDX-License-Identifier: Apache-2.0
"""ES4.GetEIS (SGP.02 5.5): names, visibility (decisions D2), refusals, and signed octets that stay as they were (D3)."""
import concurrent.futures
import http.client

from tests.e2e import eum
from tests.e2e.base import Case
from tests.e2e.soap import RPS, Answer, eid_of, envelope, get_eis, get_eis_body, new_card, new_message_id

ACTION = "http://gsma.com/ES4/ProfileManagement/ES4-GetEISRequest"


class GetEis(Case):
    registered = {}

    @property
    def request(self):
        """One registered card for all tests here."""
        if self.staging.name not in GetEis.registered:
            text = new_card(self)
            self.assertEqual(Answer(self.soap_call("sm-sr", "eum", "/es1", text)).status, "EXECUTED_SUCCESS")
            GetEis.registered[self.staging.name] = text
        return GetEis.registered[self.staging.name]

    def oid(self, name="operator-a"):
        return self.staging.entities[name]["oid"]

    def get(self, client="operator-a", path="/es4", eid=None, **more):
        return Answer(self.soap_call("sm-sr", client, path, get_eis(self.oid(client), "1", eid or eid_of(self.request), **more)))

    def test_both_names_on_url_and_body(self):
        self.assertTrue(self.request)
        for path in ("/es4/GetEIS", "/es4/GetEUICCInfo", "/ES4/GetEIS", "/es4", "/", "/esim-messaging/3/ES4/ES4SmSrService"):
            for root in ("ES4-GetEISRequest", "ES4-GetEUICCInfoRequest"):
                with self.subTest(path=path, root=root):
                    answer = self.get(path=path, root=root)
                    self.assertEqual((answer.name, answer.status), ("ES4-GetEISResponse", "EXECUTED_SUCCESS"), answer.raw)

    def test_both_separators_and_the_64_digit_eid(self):
        header = ("<wsa:From><wsa:Address>http://mno.example:20000?EntityId=%s&amp;EntityName=MNO ?UserName=u</wsa:Address></wsa:From><wsa:To>x</wsa:To>"
                  "<wsa:MessageID>//1/urn:uuid:1?TransactionId=t&amp;MessageDate=2018-12-19T02:44:49Z</wsa:MessageID><wsa:Action>1</wsa:Action>" % self.oid())
        eid = "".join("%02X" % ord(c) for c in eid_of(self.request))
        answer = Answer(self.soap_call("sm-sr", "operator-a", "/es4", envelope(self.oid(), "1", ACTION, get_eis_body(eid), header=header)))
        self.assertEqual(answer.status, "EXECUTED_SUCCESS", answer.raw)
        relates = answer.root.find(".//{http://www.w3.org/2005/08/addressing}RelatesTo").text
        self.assertEqual(relates, "//1/urn:uuid:1?TransactionId=t&MessageDate=2018-12-19T02:44:49Z")

    def test_unknown_eid(self):
        answer = self.get(eid="89001012012341234012345678901224")
        self.assertEqual((answer.status, answer.code), ("FAILED", "8.1.1/1.1"))

    def test_answers_of_many_at_once_are_not_mixed_up(self):
        """Reads of one thread share a round trip: whose answer it is, and who may see what, must not be shared."""
        known, unknown = eid_of(self.request), "89001012012341234012345678901224"

        def ask(client):
            connection = http.client.HTTPSConnection(self.staging.instances["sm-sr"].url()[len("https://"):],
                                                     context=self.tls_context(client), timeout=30)
            seen = []
            for n in range(12):
                message_id = new_message_id(self.oid(client))
                eid = (known, unknown, known)[n % 3]
                text = envelope(self.oid(client), "1", ACTION, get_eis_body(eid), message_id=message_id)
                connection.request("POST", "/es4", text.encode(), {"Content-Type": "application/soap+xml; charset=utf-8"})
                response = connection.getresponse()
                answer = Answer((response.status, response.headers, response.read()))
                owners = {o.text for o in answer.root.iter("{%s}Mno-id" % RPS)}
                relates = answer.root.find(".//{http://www.w3.org/2005/08/addressing}RelatesTo").text
                seen.append((relates == message_id, answer.status, owners if eid == known else None))
            connection.close()
            return seen
        clients = ("operator-a", "operator-b") * 8
        with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
            answers = list(pool.map(ask, clients))
        for client, seen in zip(clients, answers):
            right = (True, "EXECUTED_SUCCESS", {self.oid(client)})
            self.assertEqual(seen, [right, (True, "FAILED", None), right] * 4, client)

    def test_wrong_check_digits(self):
        answer = self.get(eid="89001012012341234012345678901225")
        self.assertEqual((answer.code, answer.subject_identifier), ("1.6/2.1", "Eid"))

    def test_missing_eid(self):
        body = "<rps:ES4-GetEISRequest><rps:FunctionCallIdentifier>1</rps:FunctionCallIdentifier></rps:ES4-GetEISRequest>"
        answer = Answer(self.soap_call("sm-sr", "operator-a", "/es4", envelope(self.oid(), "1", ACTION, body)))
        self.assertEqual((answer.code, answer.subject_identifier), ("1.6/2.2", "Eid"))

    def test_a_damaged_row_is_an_internal_error_and_no_more(self):
        text = new_card(self)
        self.assertEqual(Answer(self.soap_call("sm-sr", "eum", "/es1", text)).status, "EXECUTED_SUCCESS")
        eid = eid_of(text)
        for damage in ("update profile set state = 9", "update profile set state = 1, pol2 = '\\x000900'",
                       "update profile set pol2 = ''; update keyset set type = 77"):
            self.psql("sm_sr", "; ".join(part + " where eid = '%s'" % eid for part in damage.split("; ")))
            self.assertEqual(self.get(eid=eid).code, "1.2/4.2", damage)
        self.assertEqual(self.get().status, "EXECUTED_SUCCESS", "the process lives")

    def test_the_validity_period_has_bounds(self):
        for period, acceptable in ((301, "300"), (10 ** 9, "300")):
            answer = self.get(validity=period)
            self.assertEqual((answer.status, answer.code, answer.text("rps:AcceptableValidityPeriod")), ("FAILED", "1.2.1/3.8", acceptable))
        for period in (1, 300):
            self.assertEqual(self.get(validity=period).status, "EXECUTED_SUCCESS")
        for text in ("0", "-1", "soon", "1.5", "9" * 40):
            answer = self.get(validity=text)
            self.assertEqual((answer.status, answer.code, answer.subject_identifier), ("FAILED", "1.6/2.1", "ValidityPeriod"), text)

    def test_who_owns_nothing_sees_nothing(self):
        answer = self.get(client="m2m-sp")
        self.assertEqual((answer.status, answer.code), ("FAILED", "8.1/1.2"))
        self.assertIsNone(answer.text("rps:Eis"))

    def test_a_wrong_role(self):
        answer = self.get(client="eum")
        self.assertEqual((answer.status, answer.code), ("FAILED", "1.1/1.2"))

    def test_what_an_operator_sees(self):
        for operator in ("operator-a", "operator-b"):
            answer = self.get(client=operator)
            self.assertEqual(answer.all("rps:Eis/rps:ProfileInfo/rps:Mno-id"), [self.oid(operator)])
            self.assertEqual(answer.all("rps:Eis/rps:Isd-r/rps:Keyset/rps:Version"), ["1", "64"])
            self.assertEqual(answer.all("rps:Eis/rps:Isd-r/rps:Keyset/rps:Key"), [])
            self.assertEqual(answer.all("rps:Eis/rps:Isd-r/rps:Keyset/rps:Cntr"), [])
            self.assertIsNone(answer.text("rps:Eis/rps:AuditTrail"))
            self.assertIsNotNone(answer.text("rps:Eis/rps:EumSignature"))

    def test_the_wsdl_is_served(self):
        for query in ("wsdl", "wsdl=callback", "xsd=rps3", "xsd=xmldsig"):
            status, _, body = self.http(self.staging.instances["sm-sr"].url() + "/es4?" + query, context=self.tls_context("operator-a"))
            self.assertEqual(status, 200, query)
            self.assertIn(b"<", body)
        self.assertEqual(self.http(self.staging.instances["sm-sr"].url() + "/es4?x", context=self.tls_context("operator-a"))[0], 404)

    def test_the_octets_that_were_registered_go_to_both_operators_and_verify(self):
        """By xmlsec1 of Debian on copies cut out of the answer's text; the CI is all that it trusts (tests/tools/verify_eum.c)."""
        info, signature = eum.signed_parts(self.request)
        for operator in ("operator-a", "operator-b"):
            self.assertEqual(eum.signed_parts(self.get(client=operator).raw.decode()), (info, signature))
        self.assertTrue(eum.verifies(self, info, signature))
        for old, new in (("bench", "bencg"), ("</rps:Eid>", " </rps:Eid>"), (">89", ">88"), ("<rps:PlatformType>", "<rps:PlatformType >")):
            self.assertEqual(eum.verifies(self, info.replace(old, new, 1), signature), old == "<rps:PlatformType>", new)
        self.assertFalse(eum.verifies(self, info, eum.cut(new_card(self), "EumSignature")))
        self.assertFalse(eum.verifies(self, info, signature, trust=self.pki("tls-ca", "tls-ca.pem")))
