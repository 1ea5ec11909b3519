# SPDX-License-Identifier: Apache-2.0
"""Who signed the card (SGP.02 5.2; procedures.md 5.4, decisions D3 and D4): the EUM's chain, its eUICC certificates, its canonical forms."""
from tests.e2e.base import full
from tests.e2e import eum
from tests.e2e.pki import Pki
from tests.e2e.register_eis.test_register_eis import RegisterCase
from tests.e2e.soap import eid_of, get_eis, new_card

EUM_OID = "1.3.6.1.4.1.99999.1"


class SignersCase(Pki, RegisterCase):
    def signer(self, name, *options, oid=EUM_OID):
        """One more EUM certificate; what --eum takes."""
        self.certs("--issue", name, "--eum", oid, *options)
        return "extra/" + name

    def card(self, *options):
        return new_card(self, *options)

    def registered(self, request):
        answer = self.register(request)
        self.assertEqual((answer.status, answer.code), ("EXECUTED_SUCCESS", None), answer.raw)

    def seen(self, request, operator="operator-a"):
        """GetEIS of a card, as text."""
        oid = self.staging.entities[operator]["oid"]
        return self.soap_call("sm-sr", operator, "/es4", get_eis(oid, "1", eid_of(request)))[2].decode()


class Chain(SignersCase):
    def test_another_certificate_of_the_same_eum_is_as_good(self):
        """What the refusals below differ from: a certificate of the CI made the same way."""
        self.registered(self.card("--eum", self.signer("eum-second")))

    def test_a_foreign_ci_of_the_same_name(self):
        self.refused(self.card("--eum", self.signer("eum-foreign", "--foreign-ca")), "8.6/6.1", "EumSignature")

    def test_an_expired_certificate(self):
        self.refused(self.card("--eum", self.signer("eum-expired", "--expired")), "8.6/6.3")

    def test_a_certificate_of_another_entity(self):
        other = self.signer("eum-other", oid="1.3.6.1.4.1.99999.88")
        self.assertIn("certificate is not of Eum-id", self.refused(self.card("--eum", other), "8.6/6.1", "EumSignature").message)

    def test_the_sm_srs_own_certificate_of_the_ci(self):
        self.refused(self.card("--eum", "sm-sr/sr"), "8.6/6.1", "EumSignature")

    def test_a_tls_certificate_of_the_eum(self):
        """Its key is genuine, its CA is another one."""
        self.refused(self.card("--eum", "eum/tls-client", "--ecasd", "eum/eum"), "8.6/6.1", "EumSignature")

    @full
    def test_a_revoked_certificate_is_accepted_and_flagged(self):
        name = self.signer("eum-revoked")
        before = self.card("--eum", name)
        self.registered(before)
        self.certs("--revoke", self.pki(name + ".pem"))
        self.staging.stop_service("sm-sr")
        self.staging.start_service("sm-sr")
        after, good = self.card("--eum", name), self.card()
        self.registered(after)
        self.registered(good)
        for request, flag in ((before, "f"), (after, "t"), (good, "f")):
            self.assertEqual(self.psql("sm_sr", "select signer_revoked from eis where eid = '%s'" % eid_of(request)), flag)
        self.assertEqual(self.metric("sm-sr", "rsp_eis_signer_revoked_total"), 1)
        self.assertIn("<rps:EumSignature", self.seen(after))


class Ecasd(SignersCase):
    def test_a_certificate_that_another_eum_key_signed(self):
        self.refused(self.card("--ecasd", self.signer("eum-ecasd")), "8.5.2/6.1", "Ecasd")

    def test_an_expired_certificate(self):
        self.refused(self.card("--made-ago", "31"), "8.5.2/6.3")

    def test_an_old_card_is_good_while_its_certificate_lasts(self):
        self.registered(self.card("--made-ago", "29"))


class Forms(SignersCase):
    """EUMs that sign with inclusive C14N. What verified is stored and goes out: any receiver can verify it, though its envelope is ours."""

    def check(self, in_place, signed_info_inclusive):
        request = eum.sign_inclusive(self, self.request(), in_place, signed_info_inclusive)
        self.registered(request)
        parts = {operator: eum.signed_parts(self.seen(request, operator)) for operator in ("operator-a", "operator-b")}
        self.assertEqual(parts["operator-a"], parts["operator-b"])
        info, signature = parts["operator-a"]
        self.assertIn("xmlns:soap=" if in_place else "xmlns:xsi=", info)
        self.assertTrue(eum.verifies(self, info, signature))
        self.assertFalse(eum.verifies(self, info.replace("<rps:PlatformType>b", "<rps:PlatformType>c"), signature))

    def test_in_place(self):
        self.check(in_place=True, signed_info_inclusive=False)

    def test_in_place_all_of_it(self):
        self.check(in_place=True, signed_info_inclusive=True)

    def test_detached(self):
        self.check(in_place=False, signed_info_inclusive=False)

    def test_detached_all_of_it(self):
        self.check(in_place=False, signed_info_inclusive=True)

    def test_a_changed_octet_is_refused_in_every_form(self):
        for in_place in (True, False):
            request = eum.sign_inclusive(self, self.request(), in_place, True)
            self.refused(request.replace("<rps:PlatformType>b", "<rps:PlatformType>c"), "8.6/6.1", "EumSignature")

    def test_declarations_moved_to_the_envelope_do_no_harm(self):
        """Exclusive C14N: EumSignedInfo inherits its prefix, as most senders write it."""
        request = self.request()
        info, signature = eum.signed_parts(request)
        declared = ' xmlns:rps="http://namespaces.gsma.org/esim-messaging/3"'
        self.registered(request.replace(info, info.replace(declared, "", 1)).replace(signature, signature.replace(declared, "", 1)))
        self.assertEqual(eum.signed_parts(self.seen(request)), (info, signature))
        self.assertTrue(eum.verifies(self, info, signature))
