# SPDX-License-Identifier: Apache-2.0
"""Callers beside the gateway, which make its call with its own identifier over connections of their own: they hear the answer, or fetch it
by saying the same again."""
import time

from tests.e2e.helpers import Background
from tests.e2e.soap import SOAP, WSA, Answer, audit_body, card_body, envelope, new_id

VALIDITY_S = 120
NOT_KEPT = ("1.2/4.2", "1.2/4.4")  # refusals of this moment
WSMC = "http://docs.oasis-open.org/ws-rx/wsmc/200702"


class Witness:
    """thread: its value is the Answer, None: none came."""
    way = reply_to = None

    def __init__(self, case, work, patience_s):
        self.case, self.work, self.tries = case, work, 0
        self.until = time.monotonic() + patience_s
        self.oid = {name: case.staging.entities[name]["oid"] for name in ("operator-b", "sm-sr")}
        self.thread = Background(self.run)

    def run(self):
        while time.monotonic() < self.until:
            self.tries += 1
            try:
                answer = self.attempt()
            except OSError:
                answer = None
            if answer is not None and answer.http == 200 and answer.fault is None and (answer.status != "FAILED" or answer.code not in NOT_KEPT):
                return answer
            time.sleep(0.2)
        return None

    def post(self, text):
        return Answer(self.case.soap_call("sm-sr", "operator-b", "/es4", text, timeout=max(1, self.until - time.monotonic())))

    def call(self):
        operation, eid, fci = self.work.cell.operation, self.work.card.eid, self.work.operation + ".1"
        root, audits = operation.function + "Request", operation.name == "audit"
        body = audit_body(eid, fci=fci, validity=VALIDITY_S) if audits else card_body(root, eid, [self.work.card.b], fci, VALIDITY_S)
        action = "http://gsma.com/ES4/%s/%s" % ("ProfileManagement" if audits else "PlatformManagement", root)
        return self.post(envelope(self.oid["operator-b"], self.oid["sm-sr"], action, body, reply_to=self.reply_to))


class Waiting(Witness):
    way = "an open connection"

    def attempt(self):
        return self.call()


class Polling(Witness):
    way = "polling"

    def __init__(self, *words):
        self.reply_to = "%s/anonymous?id=%s" % (WSMC, new_id())
        super().__init__(*words)

    def attempt(self):
        answer = self.call()
        if answer.http != 202:
            return answer
        while time.monotonic() < self.until:
            answer = self.fetch()
            if answer.http != 202:
                while self.fetch().http == 200:  # what was asked for more than once lies there more than once
                    pass
                return answer
            time.sleep(0.2)
        return None

    def fetch(self):
        return self.post('<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="%s" xmlns:wsa="%s"><s:Header><wsa:To>%s</wsa:To>'
                         "<wsa:MessageID>urn:uuid:%s</wsa:MessageID><wsa:Action>%s/MakeConnection</wsa:Action></s:Header><s:Body>"
                         '<mc:MakeConnection xmlns:mc="%s"><mc:Address>%s</mc:Address></mc:MakeConnection></s:Body></s:Envelope>'
                         % (SOAP, WSA, self.oid["sm-sr"], new_id(), WSMC, WSMC, self.reply_to))
