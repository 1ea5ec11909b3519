# SPDX-License-Identifier: Apache-2.0
"""A stranger's SOAP stack, python3-zeep, from the ?wsdl of the running processes (recipes.md 7): our descriptions are enough to talk to us.
It makes its own prefixes, MessageIDs (without domain and date) and types; what a partner adds is From and, where it wants one, ReplyTo."""
import re
import time
import uuid

import requests
import zeep
from lxml import etree
from zeep.transports import Transport

from tests.e2e import eum
from tests.e2e.base import Case
from tests.e2e.soap import RPS, SOAP, WSA, eid_of, new_card

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"


class Addressing(zeep.Plugin):
    """Who we are; zeep itself adds Action, MessageID and To because of wsam:Action."""

    def __init__(self, sender, reply_to):
        self.sender, self.reply_to = sender, reply_to

    def egress(self, envelope, headers, operation, binding_options):
        header = envelope.find("{%s}Header" % SOAP)
        for name, address in (("From", "https://zeep.example/x?EntityId=" + self.sender), ("ReplyTo", self.reply_to)):
            if address:
                etree.SubElement(etree.SubElement(header, "{%s}%s" % (WSA, name)), "{%s}Address" % WSA).text = address
        self.sent = etree.tostring(envelope).decode()
        return envelope, headers


class Raw(Transport):
    """Signed elements keep their octets: written again with zeep's prefixes they would not verify. They go in when the rest is text."""
    parts = {}

    def post(self, address, message, headers):
        text = message.decode()
        for name, octets in self.parts.items():
            text, n = re.subn(r"<(\w+):%s[ >].*</\1:%s>" % (name, name), lambda m: octets, text, flags=re.S)
            assert n == 1, "%d of %s" % (n, name)
        answer = super().post(address, text.encode(), headers)
        self.received = answer.text
        return answer


class Zeep(Case):
    def client(self, name, server, path, reply_to=None):
        session = requests.Session()
        session.trust_env = False  # else REQUESTS_CA_BUNDLE silently replaces verify
        session.verify = self.pki("tls-ca", "tls-ca.pem")
        session.cert = (self.pki(name, "tls-client.pem"), self.pki(name, "tls-client.key"))
        self.addCleanup(session.close)
        plugin = Addressing(self.staging.entities[name]["oid"], reply_to)
        client = zeep.Client(self.staging.instances[server].url() + path + "?wsdl", transport=Raw(session=session, timeout=30), plugins=[plugin])
        client.addressing = plugin
        return client

    def succeeded(self, answer):
        status = answer.FunctionExecutionStatus
        self.assertEqual((status.Status, status.StatusCodeData), ("EXECUTED_SUCCESS", None))
        self.assertGreaterEqual(answer.ProcessingEnd, answer.ProcessingStart)

    def register(self, request):
        """An EIS made by the EUM, as zeep's own objects; only the signed octets go in as they are."""
        client = self.client("eum", "sm-sr", "/es1")
        root = etree.fromstring(request.encode()).find(".//{%s}ES1-RegisterEISRequest" % RPS)
        eis = client.get_element("{%s}ES1-RegisterEISRequest" % RPS).parse(root, client.wsdl.types).Eis
        for profile in eis.ProfileInfo:  # an empty pol2 means something; zeep reads it as none and refuses to write none
            profile.pol2 = profile.pol2 or {"Rule": []}
        client.transport.parts = dict(zip(("EumSignedInfo", "EumSignature"), eum.signed_parts(request)))
        return client, client.service["ES1-RegisterEIS"](FunctionCallIdentifier=uuid.uuid4().hex, ValidityPeriod=60, Eis=eis)

    def test_register_and_read(self):
        request = new_card(self)
        client, answer = self.register(request)
        self.succeeded(answer)
        message_id = re.search(r"MessageID[^>]*>([^<]*)<", client.addressing.sent).group(1)
        self.assertTrue(message_id.startswith("urn:uuid:"), "zeep writes no domain and no date: " + message_id)
        self.assertEqual(re.search(r"RelatesTo[^>]*>([^<]*)<", client.transport.received).group(1), message_id)
        for operator, reply_to in (("operator-a", None), ("operator-b", ANONYMOUS)):
            client = self.client(operator, "sm-sr", "/es4", reply_to)
            answer = client.service["ES4-GetEIS"](FunctionCallIdentifier=uuid.uuid4().hex, Eid=eid_of(request))
            self.succeeded(answer)
            self.assertEqual(answer.Eis.EumSignedInfo.Eid, eid_of(request))
            self.assertEqual([p["Mno-id"] for p in answer.Eis.ProfileInfo], [self.staging.entities[operator]["oid"]])
            self.assertEqual(eum.signed_parts(client.transport.received), eum.signed_parts(request))

    def test_a_refusal_is_readable(self):
        request = new_card(self)
        _, first = self.register(request)
        self.succeeded(first)
        _, again = self.register(request)
        code = again.FunctionExecutionStatus.StatusCodeData
        self.assertEqual((again.FunctionExecutionStatus.Status, code.Subject, code.Reason, code.SubjectIdentifier),
                         ("FAILED", "8.1.1", "3.3", eid_of(request)))

    def test_properties(self):
        request = new_card(self)
        client, answer = self.register(request)
        self.succeeded(answer)
        client.transport.parts = {}
        self.succeeded(client.service["ES1-UpdateEISAdditionalProperties"](
            FunctionCallIdentifier=uuid.uuid4().hex, Eid=eid_of(request), AdditionalProperties={"Property": [{"key": "lot", "value": "<7 & 8>"}]}))
        answer = self.client("operator-a", "sm-sr", "/es4").service["ES4-GetEIS"](FunctionCallIdentifier=uuid.uuid4().hex, Eid=eid_of(request))
        self.assertEqual([(p.key, p.value) for p in answer.Eis.AdditionalProperties.Property], [("lot", "<7 & 8>")])

    def test_a_fault_is_a_fault(self):
        client = self.client("operator-a", "sm-sr", "/es4")
        client.addressing.sender = self.staging.entities["operator-b"]["oid"]
        with self.assertRaises(zeep.exceptions.Fault) as caught:
            client.service["ES4-GetEIS"](FunctionCallIdentifier="1", Eid="89001012012341234012345678901224")
        self.assertIn("EntityId", str(caught.exception))

    def test_a_batch_is_ordered_made_and_registered(self):
        client = self.client("operator-a", "eum", "/eum")

        def profile(owner, enabled, digit):
            return {"Mno-id": self.staging.entities[owner]["oid"], "ProfileType": "zeep", "IccidPrefix": "8988271%s" % digit,
                    "ImsiPrefix": "90171%s" % digit, "MsisdnPrefix": "883971%s" % digit, "Enabled": enabled, "Memory": 4096}
        answer = client.service["EUM-CreateBatch"](
            FunctionCallIdentifier=uuid.uuid4().hex, Name="by-zeep", Quantity=2, EidPrefix="890019990100007100", PlatformType="zeep",
            PlatformVersion="1.0.0", Memory=65536, HttpSupport=True, Profile=[profile("operator-a", True, "1"), profile("operator-b", False, "2")],
            **{"Smsr-id": self.staging.entities["sm-sr"]["oid"]})
        self.succeeded(answer)
        until = time.monotonic() + 60
        while True:
            info = client.service["EUM-GetBatch"](FunctionCallIdentifier=uuid.uuid4().hex, Batch=answer.Batch)
            self.succeeded(info)
            if info.BatchInfo.Registered + info.BatchInfo.Refused == 2:
                break
            self.assertLess(time.monotonic(), until, info.BatchInfo)
            time.sleep(0.1)
        self.assertEqual((info.BatchInfo.Name, info.BatchInfo.Quantity, info.BatchInfo.Registered, info.BatchInfo.Refused), ("by-zeep", 2, 2, 0))
