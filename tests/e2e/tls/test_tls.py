# SPDX-License-Identifier: Apache-2.0
"""Who gets an HTTP answer at all (decisions D4, D5). A TLS 1.3 client believes its handshake succeeded: no HTTP answer is what is tested."""
import socket
import ssl
import time

from tests.e2e.base import Case, full
from tests.e2e.pki import Pki
from tests.e2e.soap import Answer, envelope, get_eis

TESTER = "1.3.6.1.4.1.99999.77"
EID = "89001012012341234012345678901224"


class Certificates(Pki, Case):
    def introduce(self, *certificates, oid=TESTER, role="operator"):
        """So that nothing but TLS itself can be what refuses them."""
        super().introduce(oid, role, *certificates)

    def call(self, cert, key, sender=TESTER, version=None):
        context = self.tls_context(cert=cert, key=key)
        if version:
            context.minimum_version = context.maximum_version = version
        return Answer(self.soap_call("sm-sr", None, "/es4", get_eis(sender, "1", EID), context=context))

    def no_answer(self, cert, key, sender=TESTER):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version), self.assertRaises(OSError):
                self.call(cert, key, sender, version)

    def test_a_good_certificate_is_answered_by_both_versions(self):
        cert, key = self.issue("good", "--eku", "client")
        self.introduce(cert)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.call(cert, key, version=version).code, "8.1.1/1.1")

    def test_a_certificate_without_any_purpose_is_good_too(self):
        cert, key = self.issue("no-eku", "--eku", "none")
        self.introduce(cert)
        self.assertEqual(self.call(cert, key).code, "8.1.1/1.1")

    def test_no_certificate(self):
        self.no_answer(None, None)

    def test_old_tls(self):
        """The same client with the same ciphers is answered when it may speak 1.2 as well."""
        oid = self.staging.entities["operator-a"]["oid"]
        for newest, answered in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)):
            context = self.tls_context("operator-a")
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
            try:
                answer = Answer(self.soap_call("sm-sr", None, "/es4", get_eis(oid, "1", EID), context=context)).code
            except OSError:
                answer = None
            self.assertEqual(answer, "8.1.1/1.1" if answered else None)

    def test_a_foreign_ca_of_the_same_name(self):
        cert, key = self.issue("foreign", "--eku", "client", "--foreign-ca")
        self.introduce(cert)
        self.no_answer(cert, key)

    def test_an_expired_certificate(self):
        cert, key = self.issue("expired", "--eku", "client", "--expired")
        self.introduce(cert)
        self.no_answer(cert, key)

    def test_a_certificate_for_servers_only(self):
        self.no_answer(self.pki("operator-a", "tls-server.pem"), self.pki("operator-a", "tls-server.key"),
                       self.staging.entities["operator-a"]["oid"])

    def test_an_unknown_certificate(self):
        cert, key = self.issue("stranger", "--eku", "client")
        self.no_answer(cert, key)
        self.assertGreater(self.metric("sm-sr", "rsp_peers_refused_total"), 0)

    def test_a_revoked_certificate_from_the_moment_it_is_on_the_list(self):
        cert, key = self.issue("revoked", "--eku", "client")
        self.introduce(cert)
        self.assertEqual(self.call(cert, key).code, "8.1.1/1.1")
        self.certs("--revoke", cert)
        self.no_answer(cert, key)

    def test_another_entitys_identifier_is_a_fault(self):
        answer = Answer(self.soap_call("sm-sr", "operator-a", "/es4", get_eis(self.staging.entities["operator-b"]["oid"], "1", EID)))
        self.assertEqual((answer.http, answer.fault[0]), (400, "Sender"))
        self.assertIn("EntityId", answer.fault[1])


class Bounds(Case):
    """Who is too slow or too fast is kept within bounds, and nobody else suffers from it."""
    needs = {"settings": {"sm-sr": {"REQUEST_S": "2", "IDLE_S": "2", "RATE": "3"}}}

    def closed_within(self, connection, seconds):
        began = time.monotonic()
        connection.settimeout(seconds + 5)
        try:
            while connection.recv(4096):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        self.assertLess(time.monotonic() - began, seconds)

    def address(self):
        return ("127.0.0.1", self.staging.instances["sm-sr"].ports["partner"])

    def test_half_a_client_hello(self):
        with socket.create_connection(self.address()) as s:
            s.sendall(b"\x16\x03\x01")
            self.closed_within(s, 6)

    def test_a_body_that_never_ends(self):
        with socket.create_connection(self.address()) as raw, self.tls_context("operator-a").wrap_socket(raw) as s:
            s.sendall(b"POST /es4 HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: 1000\r\n\r\n<a>")
            self.closed_within(s, 6)

    @full
    def test_a_body_that_drips(self):
        with socket.create_connection(self.address()) as raw, self.tls_context("operator-a").wrap_socket(raw) as s:
            s.sendall(b"POST /es4 HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: 1000\r\n\r\n")
            began = time.monotonic()
            with self.assertRaises(OSError):
                for _ in range(100):
                    s.sendall(b"x")
                    s.settimeout(0.2)
                    try:
                        if not s.recv(1):
                            raise ConnectionError("closed")
                    except TimeoutError:
                        pass
            self.assertLess(time.monotonic() - began, 8)

    def test_others_are_served_meanwhile(self):
        held = [socket.create_connection(self.address()) for _ in range(50)]
        try:
            for s in held:
                s.sendall(b"\x16\x03\x01")
            oid = self.staging.entities["operator-a"]["oid"]
            answer = Answer(self.soap_call("sm-sr", "operator-a", "/es4", get_eis(oid, "1", EID), timeout=5))
            self.assertEqual(answer.code, "8.1.1/1.1")
        finally:
            for s in held:
                s.close()

    def test_too_many_calls_are_refused_and_not_remembered(self):
        """A1: "busy" is the one answer that a repetition need not get again."""
        oid = self.staging.entities["eum"]["oid"]

        def ask(fci):
            body = ("<rps:ES1-UpdateEISAdditionalPropertiesRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid>"
                    '<rps:AdditionalProperties><rps:Property key="a" value="b"/></rps:AdditionalProperties>'
                    "</rps:ES1-UpdateEISAdditionalPropertiesRequest>" % (fci, EID))
            return Answer(self.soap_call("sm-sr", "eum", "/es1", envelope(
                oid, "1", "http://gsma.com/ES1/eUICCManagement/ES1-UpdateEISAdditionalPropertiesRequest", body)))
        codes = []
        while "1.2/4.4" not in codes:
            codes.append(ask("call-%d" % len(codes)).code)
            self.assertLess(len(codes), 300, "3 calls a second are allowed, and none was ever too many")
        self.assertGreaterEqual(len(codes), 4)
        self.assertEqual(set(codes[:-1]), {"8.1.1/1.1"})
        other = Answer(self.soap_call("sm-sr", "operator-b", "/es4", get_eis(self.staging.entities["operator-b"]["oid"], "1", EID)))
        self.assertEqual(other.code, "8.1.1/1.1", "the limit is each partner's own")
        time.sleep(1.1)
        self.assertEqual(ask("call-%d" % (len(codes) - 1)).code, "8.1.1/1.1")
