# SPDX-License-Identifier: Apache-2.0
"""Callers whom nobody can call fetch their answers with WS-MakeConnection (decisions.md A2): each mailbox is its entity's own, what is
served is gone, and a call says the same whichever way its answer takes."""
from tests.e2e.base import full
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.soap import NS, RPS, SOAP, WSA, Answer, new_id, new_message_id

WSMC = "http://docs.oasis-open.org/ws-rx/wsmc/200702"
RESPONSE = "ES4-EnableProfileResponse"


class Polling(DeferredCase):
    def mailbox(self):
        return "%s/anonymous?id=%s" % (WSMC, new_id())

    def enable_polled(self, eid, mailbox, **more):
        """The MessageID to which the answer in the mailbox will relate."""
        message_id = new_message_id(self.oid("operator-b"))
        self.assert_accepted(self.enable(eid, reply_to=mailbox, message_id=message_id, **more))
        return message_id

    def fetch(self, mailbox, client="operator-b", path="/es4"):
        text = ('<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="%s" xmlns:wsa="%s"><s:Header><wsa:To>%s</wsa:To>'
                "<wsa:MessageID>urn:uuid:%s</wsa:MessageID><wsa:Action>%s/MakeConnection</wsa:Action></s:Header><s:Body>"
                '<mc:MakeConnection xmlns:mc="%s"><mc:Address>%s</mc:Address></mc:MakeConnection></s:Body></s:Envelope>'
                % (SOAP, WSA, self.staging.instances["sm-sr"].url() + path, new_id(), WSMC, WSMC, mailbox))
        return Answer(self.soap_call("sm-sr", client, path, text))

    def await_answer(self, mailbox):
        """The answer as soon as there is one; before, the mailbox is empty."""
        found = []

        def served():
            found[:] = [self.fetch(mailbox)]
            if found[0].http != 200:
                self.assert_accepted(found[0])
            return found[0].http == 200

        self.await_true(served, "no answer in the mailbox")
        return found[0]

    def header(self, answer, path):
        return answer.root.find("s:Header/" + path, NS).text

    def pending(self, answer):
        return answer.root.find("s:Header/{%s}MessagePending" % WSMC, NS).get("pending")

    def assert_empty(self, mailbox, client="operator-b"):
        self.assert_accepted(self.fetch(mailbox, client))

    def response_element(self, answer):
        """As it was written."""
        text = answer.raw.decode()
        end = "</rps:%s>" % RESPONSE
        return text[text.index("<rps:" + RESPONSE):text.index(end) + len(end)]

    def test_parked_by_callback_and_polled_callers_get_the_same_answer(self):
        eid, partner, mailbox, fci = self.card_off(), self.partner(), self.mailbox(), new_id()
        parked = self.enable_meanwhile(eid, fci=fci)
        accepted, called = self.enable_later(eid, partner, fci=fci)
        self.assert_accepted(accepted)
        polled = self.enable_polled(eid, mailbox, fci=fci)
        self.assert_empty(mailbox)
        self.assertEqual((self.count("procedure", eid), self.count("reply", eid)), (1, 3))
        self.power_on(eid)
        answers = [parked.value(), partner.wait(called), self.await_answer(mailbox)]
        self.assertEqual([a.status for a in answers], [SUCCESS] * 3)
        self.assertEqual(len({self.response_element(a) for a in answers}), 1)
        fetched = answers[2]
        self.assertEqual((self.header(fetched, "wsa:RelatesTo"), self.header(fetched, "wsa:To"), self.pending(fetched)), (polled, mailbox, "false"))
        self.assertEqual(self.header(fetched, "wsa:Action"), "http://gsma.com/ES4/PlatformManagementCallBack/ES4-EnableProfile")
        self.assertEqual(fetched.body.tag, "{%s}%s" % (RPS, RESPONSE))
        self.assert_switched(eid)
        # Served once; lost, the identifier of the call brings it again.
        self.assert_empty(mailbox)
        again = self.enable_polled(eid, mailbox, fci=fci)
        repeated = self.fetch(mailbox)
        self.assertEqual((repeated.http, self.header(repeated, "wsa:RelatesTo")), (200, again))
        self.assertEqual(self.response_element(repeated), self.response_element(fetched))
        self.assertEqual((self.count("procedure", eid), self.switches(eid)), (1, 1))
        self.await_true(lambda: self.count("reply", eid) == 0, "reply rows stay")

    def test_two_answers_in_one_mailbox_that_is_nobody_elses(self):
        first, mailbox = self.card_off(), self.mailbox()
        waits = self.enable_polled(first, mailbox)
        refused = self.enable_polled(first, mailbox)  # the card is busy: that is an answer, too
        self.assert_empty(mailbox, "operator-a")
        self.power_on(first)
        self.await_ended(first)
        self.assert_empty(mailbox, "operator-a")
        answers = [self.fetch(mailbox), self.fetch(mailbox, path="/es3")]
        self.assertEqual([self.header(a, "wsa:RelatesTo") for a in answers], [refused, waits])
        self.assertEqual([self.pending(a) for a in answers], ["true", "false"])
        self.assertEqual([(a.status, a.code) for a in answers], [("FAILED", "1.2/4.4"), (SUCCESS, None)])
        self.assert_empty(mailbox)

    @full
    def test_an_answer_that_waits_outlives_the_process(self):
        eid, mailbox = self.card(), self.mailbox()
        polled = self.enable_polled(eid, mailbox)
        self.await_ended(eid)
        self.staging.kill("sm-sr")
        self.staging.start_service("sm-sr")
        fetched = self.fetch(mailbox)
        self.assertEqual((fetched.http, self.header(fetched, "wsa:RelatesTo"), fetched.status), (200, polled, SUCCESS))
        self.assert_switched(eid)

    @full
    def test_a_call_outlives_the_process_while_nobody_can_be_told(self):
        eid, mailbox = self.card_off(), self.mailbox()
        polled = self.enable_polled(eid, mailbox)
        self.staging.kill("sm-sr")
        self.staging.start_service("sm-sr")
        self.assert_empty(mailbox)
        self.power_on(eid)
        fetched = self.await_answer(mailbox)
        self.assertEqual((self.header(fetched, "wsa:RelatesTo"), fetched.status), (polled, SUCCESS))
        self.assert_switched(eid)
