# SPDX-License-Identifier: Apache-2.0
"""Certificates that do not hold: of the EIS, which the SM-DP judges (ECASD <- EUM <- CI; procedures.md 3.3 A 5), and of the SM-DP, which the card
judges (3.3 B)."""
import json
import os

from tests.e2e import eum
from tests.e2e.base import full
from tests.e2e.download import gp
from tests.e2e.download.download_case import DownloadCase
from tests.e2e.pki import Pki

EUM_OID = "1.3.6.1.4.1.99999.1"


class Chain(Pki, DownloadCase):
    """The SM-SR took an EIS that it should not have, or somebody changed it since: the SM-DP believes none of it."""

    def setUp(self):
        super().setUp()
        self.card_, self.row_ = self.card(), self.row()
        self.info, self.signature = self.eis(self.card_)
        self.addCleanup(self.store, self.info, self.signature)
        self.commands, self.memory_ = self.card_.now["commands"], self.memory(self.card_)

    def eis(self, card):
        parts = card.sql("select encode(signed_info, 'hex') || ' ' || encode(signature, 'hex') from eis where eid = '{eid}'").split()
        return [bytes.fromhex(part).decode() for part in parts]

    def store(self, info, signature):
        self.card_.sql("update eis set signed_info = decode('{info}', 'hex'), signature = decode('{signature}', 'hex') where eid = '{eid}'",
                       info=info.encode().hex(), signature=signature.encode().hex())

    def signer(self, name, *options, oid=EUM_OID):
        self.certs("--issue", name, "--eum", oid, *options)
        return "extra/" + name

    def ecasd(self, info):
        """The eUICC's certificate as the EIS writes it."""
        at = info.index("<rps:Value>", info.index("<rps:Ecasd")) + len("<rps:Value>")
        return info[at:info.index("<", at)]

    def with_ecasd(self, certificate):
        """EumSignedInfo with another certificate."""
        return self.info.replace(self.ecasd(self.info), certificate.hex().upper())

    def refused(self, info, signature, code):
        self.store(info, signature)
        found = self.download(self.card_, self.row_)
        self.assertEqual(self.outcome(found), ("FAILED", code), found)
        self.assertEqual((self.card_.now["commands"], self.card_.scripts()), (self.commands, []))
        self.nothing_left(self.card_, self.row_, self.memory_, ("available", False))

    @full
    def test_who_signed_the_eis(self):
        for name, options, oid, code in (("dl-foreign", ("--foreign-ca",), EUM_OID, "8.6/6.1"), ("dl-expired", ("--expired",), EUM_OID, "8.6/6.3"),
                                         ("dl-other", (), "1.3.6.1.4.1.99999.88", "8.6/6.1")):
            with self.subTest(name=name):
                signer = self.signer(name, *options, oid=oid)
                self.refused(self.info, eum.signed_anew(self, self.info, signer), code)
        self.refused(self.info, eum.signed_anew(self, self.info, "sm-sr/sr"), "8.6/6.1")
        self.refused(self.info.replace("<rps:PlatformType>t", "<rps:PlatformType>u"), self.signature, "8.6/6.1")
        self.refused(*self.eis(self.card()), "8.6/6.1")  # whole and signed, of another eUICC
        # The same way, with the right key: what was refused above was not our text.
        self.store(self.info, eum.signed_anew(self, self.info, "eum/eum"))
        self.installed(self.card_, self.row_)

    @full
    def test_whom_the_eum_certified(self):
        own, key = bytes.fromhex(self.ecasd(self.info)), self.pki("eum", "eum.key")
        other = bytes.fromhex(self.ecasd(self.eis(self.card())[0]))
        second = self.signer("dl-second")
        for name, info, signer, code in (("of another EID", self.with_ecasd(other), "eum/eum", "8.5.2/6.1"),
                                         ("altered", self.with_ecasd(gp.altered(own)), "eum/eum", "8.5.2/6.1"),
                                         ("no certificate", self.with_ecasd(b"\x7F\x21\x00"), "eum/eum", "8.5.2/6.1"),
                                         ("by another key of the EUM", self.info, second, "8.5.2/6.1"),
                                         ("expired", self.with_ecasd(gp.issued(own, key, {gp.EXPIRES: bytes.fromhex("20200101")})), "eum/eum",
                                          "8.5.2/6.3")):
            with self.subTest(name=name):
                self.assertTrue(name.startswith("by ") or info != self.info)
                self.refused(info, eum.signed_anew(self, info, signer), code)
        # Issued anew by us and good: the SM-DP believes it, and so does the card.
        info = self.with_ecasd(gp.issued(own, key, {gp.EXPIRES: bytes.fromhex("20990101")}))
        self.assertNotEqual(info, self.info)
        self.store(info, eum.signed_anew(self, info, "eum/eum"))
        self.installed(self.card_, self.row_)

    def test_another_public_key_fits_no_receipt(self):
        """Certified by the EUM, and not the card's: key agreement ends in a receipt that is not ours."""
        own, key = bytes.fromhex(self.ecasd(self.info)), self.pki("eum", "eum.key")
        other = dict(gp.fields(bytes.fromhex(self.ecasd(self.eis(self.card())[0]))))
        info = self.with_ecasd(gp.issued(own, key, {gp.PUBLIC_KEY: other[gp.PUBLIC_KEY]}))
        self.store(info, eum.signed_anew(self, info, "eum/eum"))
        found = self.download(self.card_, self.row_)
        self.assertEqual(self.outcome(found), ("FAILED", "8.3/6.1"), found)
        self.assertEqual((self.card_.now["keysets"], self.card_.now["deletes"]), (1, 1))
        self.nothing_left(self.card_, self.row_, self.memory_, ("available", False))


class OtherCi(Pki, DownloadCase):
    @full
    def test_a_card_that_trusts_another_ci(self):
        """It refuses CERT.DP.ECDSA by a word of its own."""
        batch, (eid,) = self.batch_of(self.order_of("other-ci", 1))
        with open(os.path.join(self.batch_folder(), batch + ".jsonl")) as f:
            ours = json.load(f)["ci_public_key"]
        self.certs("--issue", "dl-foreign-ci", "--eum", EUM_OID, "--foreign-ca")  # makes that CI
        theirs = gp.public_key(self.pki("extra", "foreign-ci.pem")).hex().upper()
        self.rewrite_batch(batch, ours, ours[:-len(theirs)] + theirs)
        self.staging.load_cards()
        card, row = self.attach(self.card_of(eid)), self.row()
        memory = self.memory(card)
        found = self.download(card, row)
        self.assertEqual(self.outcome(found), ("FAILED", "8.4/4.2"), found)
        self.assertIn("6982", found["message"])
        self.assertEqual((card.now["creates"], card.now["keysets"], card.now["deletes"]), (1, 0, 1))
        self.nothing_left(card, row, memory, ("available", False))
