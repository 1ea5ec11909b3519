# SPDX-License-Identifier: Apache-2.0
"""Envelopes as a partner would write them, by hand, so that tests can also write wrong ones; and answers taken apart."""
import itertools
import os
import struct
import subprocess
import uuid
import xml.etree.ElementTree as ET

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
RPS = "http://namespaces.gsma.org/esim-messaging/3"
NS = {"s": SOAP, "wsa": WSA, "rps": RPS}


def new_id():
    return uuid.uuid4().hex


def new_message_id(sender, transaction_id=None):
    return "//%s/%s?TransactionID=%s?MessageDate=2026-01-15T09:30:00Z" % (sender, new_id(), transaction_id or new_id())


def envelope(sender, receiver, action, body, message_id=None, header=None, soap_ns=SOAP, reply_to=None, relates_to=None):
    """header: the whole content of soap:Header instead of the usual one."""
    message_id = message_id or new_message_id(sender)
    if header is None:
        header = ("<wsa:From><wsa:Address>https://partner.example/x?EntityId=%s?EntityName=partner</wsa:Address></wsa:From>"
                  "<wsa:To>https://server.example/x?EntityId=%s</wsa:To><wsa:MessageID>%s</wsa:MessageID><wsa:Action>%s</wsa:Action>"
                  % (sender, receiver, message_id, action))
        if reply_to:
            header += "<wsa:ReplyTo><wsa:Address>%s</wsa:Address></wsa:ReplyTo>" % reply_to
        if relates_to:
            header += "<wsa:RelatesTo>%s</wsa:RelatesTo>" % relates_to
    return ('<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="%s" xmlns:wsa="%s" xmlns:rps="%s"><soap:Header>%s</soap:Header>'
            "<soap:Body>%s</soap:Body></soap:Envelope>" % (soap_ns, WSA, RPS, header, body))


def get_eis_body(eid, fci=None, root="ES4-GetEISRequest", validity=None):
    return ("<rps:%s><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>%s<rps:Eid>%s</rps:Eid></rps:%s>"
            % (root, fci or new_id(), "<rps:ValidityPeriod>%s</rps:ValidityPeriod>" % validity if validity else "", eid, root))


def get_eis(sender, receiver, eid, **more):
    return envelope(sender, receiver, "http://gsma.com/ES4/ProfileManagement/ES4-GetEISRequest", get_eis_body(eid, **more))


def card_body(root, eid, iccids, fci, validity):
    return ("<rps:%s><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>%s<rps:Eid>%s</rps:Eid>%s</rps:%s>"
            % (root, fci or new_id(), "<rps:ValidityPeriod>%s</rps:ValidityPeriod>" % validity if validity else "", eid,
               "".join("<rps:Iccid>%s</rps:Iccid>" % iccid for iccid in iccids), root))


def enable_body(eid, iccid, fci=None, validity=None):
    return card_body("ES4-EnableProfileRequest", eid, [iccid], fci, validity)


def audit_body(eid, iccids=(), fci=None, validity=None):
    return card_body("ES4-AuditEISRequest", eid, iccids, fci, validity)


def enable(sender, receiver, eid, iccid, fci=None, validity=None, **more):
    return envelope(sender, receiver, "http://gsma.com/ES4/PlatformManagement/ES4-EnableProfileRequest", enable_body(eid, iccid, fci, validity), **more)


def audit(sender, receiver, eid, iccids=(), fci=None, validity=None, **more):
    return envelope(sender, receiver, "http://gsma.com/ES4/ProfileManagement/ES4-AuditEISRequest", audit_body(eid, iccids, fci, validity), **more)


def order(function, sender, receiver, eid, iccid, more="", fci=None, validity=None, group="PlatformManagement", **rest):
    """ES4 DisableProfile, DeleteProfile, UpdatePolicyRules, UpdateSubscriptionAddress; more: what follows the Iccid."""
    body = card_body("ES4-%sRequest" % function, eid, [iccid], fci, validity)
    end = body.rindex("</rps:")
    return envelope(sender, receiver, "http://gsma.com/ES4/%s/ES4-%sRequest" % (group, function), body[:end] + more + body[end:], **rest)


class Answer:
    """An HTTP answer with a SOAP body."""

    def __init__(self, answer):
        self.http, self.headers, self.raw = answer
        self.root = ET.fromstring(self.raw) if self.raw else None
        body = self.root.find("s:Body", NS) if self.root is not None else None
        self.body = body[0] if body is not None and len(body) else None

    def text(self, path):
        """The text of the first element at a path below the body's root; None: there is none."""
        found = self.body.find(path, NS) if self.body is not None else None
        return None if found is None else (found.text or "")

    def all(self, path):
        return [e.text or "" for e in self.body.findall(path, NS)]

    @property
    def name(self):
        return self.body.tag.split("}")[1]

    @property
    def status(self):
        return self.text("rps:FunctionExecutionStatus/rps:Status")

    @property
    def code(self):
        data = "rps:FunctionExecutionStatus/rps:StatusCodeData/rps:"
        subject = self.text(data + "Subject")
        return None if subject is None else "%s/%s" % (subject, self.text(data + "Reason"))

    @property
    def subject_identifier(self):
        return self.text("rps:FunctionExecutionStatus/rps:StatusCodeData/rps:SubjectIdentifier")

    @property
    def message(self):
        return self.text("rps:FunctionExecutionStatus/rps:StatusCodeData/rps:Message")

    @property
    def fault(self):
        """(code, reason) of a SOAP Fault; None: it is none."""
        if self.body is None or self.body.tag != "{%s}Fault" % SOAP:
            return None
        return (self.text("s:Code/s:Value").split(":")[-1], self.text("s:Reason/s:Text"))


def register_requests(case, count, number, *options):
    """RegisterEIS envelopes of freshly made cards, as text. number (0..9999) keeps the cards of different tests apart; options of
    tests/bench/eis_requests.c make cards that have to be refused."""
    path = os.path.join(case.staging.private_folder("requests"), "register-%d" % number)
    subprocess.run([case.staging.program("tests", "bench", "bench-eis-requests"), "--pki", case.staging.pki, "--count", str(count),
                    "--out", path, "--eid-prefix", "89001999010099%04d" % number, "--series", "%04d" % number, "--quick", *options],
                   check=True, stdout=subprocess.DEVNULL, env=case.staging.env)
    with open(path, "rb") as f:
        data = f.read()
    texts = []
    while data:
        size = struct.unpack("<I", data[:4])[0]
        texts.append(data[4:4 + size].decode())
        data = data[4 + size:]
    return texts


_numbers = itertools.count()


def new_card(case, *options):
    """The RegisterEIS envelope of a card that no other test has (below 5000: others choose their numbers themselves)."""
    return register_requests(case, 1, next(_numbers), *options)[0]


def eid_of(request):
    return request.split("<rps:Eid>")[1].split("<")[0]
