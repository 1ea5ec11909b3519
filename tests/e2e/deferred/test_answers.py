# SPDX-License-Identifier: Apache-2.0
"""How the answer of an enable reaches its caller (decisions.md A2 to A4): on the connection that waited, or as a call of its own at an
address that the caller registered."""
import os
import subprocess

from rsp.paths import ROOT
from tests.e2e import soap
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.soap import new_id, new_message_id

SCHEMA = os.path.join(ROOT, "proto", "xsd", "rps3.xsd")
NAMESPACE = 'xmlns:rps="http://namespaces.gsma.org/esim-messaging/3" xmlns:wsa="http://www.w3.org/2005/08/addressing"'


class Answers(DeferredCase):
    def assert_valid(self, message):
        """The body alone, as a file of its own, is what the schema describes."""
        path = os.path.join(self.staging.private_folder("bodies"), "body.xml")
        root, rest = message.body_text.split(">", 1)
        if "xmlns:rps" not in root:
            root = root.rstrip("/") + " " + NAMESPACE + ("/" if root.endswith("/") else "")
        with open(path, "w") as f:
            f.write(root + ">" + rest)
        found = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, check=False, timeout=30)
        self.assertEqual(found.returncode, 0, found.stdout)

    def assert_callback(self, callback, group, function):
        self.assertEqual(callback.header("Action"), "http://gsma.com/ES4/%sCallBack/ES4-%s" % (group, function))
        self.assertEqual(callback.name, "ES4-%sResponse" % function)
        self.assertIn("EntityId=" + self.oid("sm-sr"), callback.header("From"))
        self.assertIn("EntityId=" + self.oid("operator-b"), callback.header("To"))
        self.assertTrue(callback.headers["Content-Type"].startswith("application/soap+xml"))
        self.assertIsNone(callback.header("ReplyTo"))
        self.assert_valid(callback)

    def test_on_the_connection_when_the_card_has_switched(self):
        eid = self.card()
        answer = self.enable(eid)
        self.assertEqual((answer.http, answer.name, answer.status), (200, "ES4-EnableProfileResponse", SUCCESS), answer.raw)
        self.assert_switched(eid)
        self.await_true(lambda: self.count("reply", eid) == 0, "the reply row stays")

    def test_by_callback_once(self):
        eid, partner = self.card(), self.partner()
        accepted, message_id = self.enable_later(eid, partner)
        self.assert_accepted(accepted)
        callback = partner.wait(message_id)
        self.assertEqual((callback.path, callback.status), ("/callbacks", SUCCESS))
        self.assert_callback(callback, "PlatformManagement", "EnableProfile")
        self.assert_switched(eid)
        self.await_true(lambda: self.count("outbox", eid) == 0, "the outbox keeps a row")
        self.assertEqual((len(partner.received), self.count("reply", eid)), (1, 0))

    def test_an_audit_by_callback(self):
        eid, partner, message_id = self.card(), self.partner(), new_message_id(self.oid("operator-b"))
        self.assert_accepted(self.post(soap.audit(self.oid("operator-b"), self.oid("sm-sr"), eid, reply_to=partner.url, message_id=message_id)))
        callback = partner.wait(message_id)
        self.assertEqual(callback.status, SUCCESS)
        self.assert_callback(callback, "ProfileManagement", "AuditEIS")
        self.assertEqual(callback.text("rps:Eis/rps:EumSignedInfo/rps:Eid"), eid)
        self.assertEqual(callback.all("rps:Eis/rps:ProfileInfo/rps:Iccid"), [self.iccid(eid)])
        self.assertEqual(self.switches(eid), 0)

    def test_the_gateways_own_address(self):
        """A caller that registered no other address: the answer goes to its gateway, which waits for nothing and says so."""
        eid = self.card()
        url = self.staging.instances["operator-b"].url() + "/es4"
        message_id = new_message_id(self.oid("operator-b"))
        self.assert_accepted(self.enable(eid, reply_to=url, message_id=message_id))
        self.await_true(lambda: self.count("outbox", eid, "dead_at is not null") == 1, "the callback is not told as dead")
        self.assertIn("waits for", self.psql("sm_sr", "select error from outbox where eid = '%s' and dead_at is not null" % eid))
        self.assert_switched(eid)


class ReplyTo(DeferredCase):
    """Where an answer may go (A3)."""

    def test_elsewhere_is_refused_on_the_connection_and_nothing_happens(self):
        eid, partner, fci = self.card(), self.partner(), new_id()
        wrong = (partner.url.replace("127.0.0.1", "127.0.0.2"), partner.url.replace("127.0.0.1", "localhost"),
                 partner.url.replace("127.0.0.1", "127.0.0.1@127.0.0.2"), partner.url.replace(":%d" % partner.port, ":%d" % (partner.port ^ 1)),
                 partner.url.replace(":%d" % partner.port, ""), partner.url.replace("https://", "http://"), "urn:elsewhere",
                 "http://docs.oasis-open.org/ws-rx/wsmc/200702/anonymous?id=", self.staging.instances["operator-a"].url() + "/es4")
        for reply_to in wrong:
            with self.subTest(reply_to=reply_to):
                answer = self.enable(eid, reply_to=reply_to, fci=fci)
                self.assertEqual((answer.http, answer.status, answer.code), (200, "FAILED", "1.6/2.1"), answer.raw)
                self.assertIn("ReplyTo", (answer.subject_identifier, answer.message))
                self.assertTrue(answer.message.startswith("ReplyTo: "), answer.message)
        self.assertEqual((self.count("procedure", eid), self.count("reply", eid), self.count("card_command", eid, "kind = 0")), (0, 0, 0))
        self.assertEqual(self.psql("sm_sr", "select count(*) from call where fci = '%s'" % fci), "0")
        accepted, message_id = self.enable_later(eid, partner, fci=fci)
        self.assert_accepted(accepted)
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.assert_switched(eid)

    def test_no_callback_to_who_shows_anothers_certificate(self):
        eid, partner = self.card(), self.partner()
        partner.shows("operator-a")
        accepted, message_id = self.enable_later(eid, partner)
        self.assert_accepted(accepted)
        failed = "select error from outbox where eid = '%s' and lane = 'peer:%s' and relates_to = '%s' and attempts > 1"
        failed %= (eid, self.oid("operator-b"), message_id)
        self.await_true(lambda: self.psql("sm_sr", failed), "no attempt failed")
        self.assertRegex(self.psql("sm_sr", failed).lower(), "key|certificate|pin")
        self.assert_switched(eid)
        self.assertEqual(partner.received, [])
        partner.shows("operator-b")
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.await_true(lambda: self.count("outbox", eid) == 0, "the outbox keeps a row")
        self.assertEqual(len(partner.received), 1)
