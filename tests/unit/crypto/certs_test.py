# SPDX-License-Identifier: Apache-2.0
"""rsp-certs as a user runs it: certs_test.py PROGRAM."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def certs(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


class RspCerts(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="rsp-certs-")
        self.out = os.path.join(self.top, "pki")
        self.addCleanup(shutil.rmtree, self.top)

    def read(self, *path):
        with open(os.path.join(self.out, *path), "rb") as f:
            return f.read()

    def make(self, *arguments):
        run = certs("--out", self.out, *arguments)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def files(self):
        return {os.path.join(folder, name): self.read(folder, name)
                for folder, _, names in os.walk(self.out) for name in names}

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], cwd=self.out, capture_output=True, text=True, timeout=60)

    def test_second_run_keeps_everything(self):
        self.make()
        before = self.files()
        self.assertGreater(len(before), 70)
        os.unlink(os.path.join(self.out, "sm-dp", "tls-server.pem"))
        self.make()
        after = self.files()
        changed = [path for path in before if before[path] != after[path]]
        self.assertEqual(changed, [os.path.join(self.out, "sm-dp", "tls-server.pem")])
        for folder, _, names in os.walk(self.out):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
            for name in names:
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode), 0o600, name)

    def test_contents(self):
        self.make()
        for smsr in "23":
            self.assertEqual(len(self.read("transport", "1.3.6.1.4.1.99999.1_1.3.6.1.4.1.99999.%s.key" % smsr)), 16)
        for operator in "56":
            self.assertEqual(len(self.read("transport", "1.3.6.1.4.1.99999.%s_1.3.6.1.4.1.99999.4.key" % operator)), 16)
        for name in ("eum", "sm-dp", "sm-sr", "sm-sr-b"):
            self.assertEqual(len(self.read(name, "kek.key")), 32)
        record = json.loads(self.read("registry", "sm-dp.json"))
        self.assertEqual(record["customers"], ["1.3.6.1.4.1.99999.5", "1.3.6.1.4.1.99999.6"])
        self.assertEqual(record["addresses"], {})
        for file in record["certificates"]:
            self.assertIn(b"BEGIN CERTIFICATE", self.read("registry", file))
        self.assertIn(bytes.fromhex("5F20092B0601040186 8D1F04".replace(" ", "")), self.read("sm-dp", "cert.dp.gp"))
        self.assertIn(bytes.fromhex("C80102"), self.read("sm-sr-b", "cert.sr.gp"))

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_openssl_agrees(self):
        self.make()
        self.make("--issue", "late", "--eku", "client", "--expired")
        self.make("--issue", "alien", "--eku", "both", "--foreign-ca")
        self.make("--issue", "plain", "--eku", "none")
        self.make("--issue", "maker", "--eum", "1.3.6.1.4.1.99999.8")
        self.make("--issue", "forger", "--eum", "1.3.6.1.4.1.99999.8", "--foreign-ca")
        ca = ["verify", "-x509_strict", "-CAfile", "tls-ca/tls-ca.pem"]
        self.assertEqual(self.openssl(*ca, "-purpose", "sslserver", "sm-sr/tls-server.pem").returncode, 0)
        self.assertEqual(self.openssl(*ca, "-purpose", "sslclient", "sm-sr/tls-client.pem", "eum/nats.pem").returncode, 0)
        self.assertNotEqual(self.openssl(*ca, "-purpose", "sslclient", "sm-sr/tls-server.pem").returncode, 0)
        self.assertEqual(self.openssl("verify", "-CAfile", "ci/ci.pem", "eum/eum.pem", "sm-dp/dp.pem", "extra/maker.pem").returncode, 0)
        self.assertIn("issuer", self.openssl("verify", "-CAfile", "ci/ci.pem", "extra/forger.pem").stderr)
        self.assertIn("Registered ID:1.3.6.1.4.1.99999.8", self.openssl("x509", "-in", "extra/maker.pem", "-noout", "-text").stdout)
        self.assertIn("expired", self.openssl(*ca, "extra/late.pem").stderr)
        self.assertIn("issuer", self.openssl(*ca, "extra/alien.pem").stderr)
        self.assertEqual(self.openssl(*ca, "extra/plain.pem").returncode, 0)
        crl = [*ca, "-crl_check", "-CRLfile", "tls-ca/tls-ca.crl"]
        self.assertEqual(self.openssl(*crl, "operator-a/tls-client.pem").returncode, 0)
        for name in ("operator-a", "operator-b", "operator-a"):
            self.make("--revoke", os.path.join(self.out, name, "tls-client.pem"))
        for name in ("operator-a", "operator-b"):
            self.assertIn("revoked", self.openssl(*crl, name + "/tls-client.pem").stderr)
        self.assertEqual(self.openssl(*crl, "m2m-sp/tls-client.pem").returncode, 0)
        self.make("--revoke", os.path.join(self.out, "eum", "eum.pem"))
        self.assertIn("revoked", self.openssl("verify", "-crl_check", "-CRLfile", "ci/ci.crl", "-CAfile", "ci/ci.pem",
                                              "eum/eum.pem").stderr)

    def test_refusals_name_the_file_and_the_way_out(self):
        for wrong in ([], ["--out"], ["--out", self.out, "--only", "nobody"], ["--out", self.out, "--issue", "../x", "--eku", "client"],
                      ["--out", self.out, "--issue", "x"], ["--out", self.out, "--issue", "x", "--eum", "eum"],
                      ["--out", self.out, "--issue", "x", "--eum", "1.3.6", "--eku", "client"], ["--out", self.out, "--eum", "1.3.6"],
                      ["--out", self.out, "--expired"], ["--out", self.out, "--days", "0"],
                      ["--out", self.out, "word"], ["--out", self.out, "--domain", "c"]):
            run = certs(*wrong)
            self.assertEqual(run.returncode, 2, wrong)
            self.assertIn("rsp-certs --help", run.stderr)
        self.assertFalse(os.path.exists(self.out))
        self.make("--only", "eum")
        self.assertFalse(os.path.exists(os.path.join(self.out, "sm-sr")))
        os.unlink(os.path.join(self.out, "eum", "eum.key"))
        run = certs("--out", self.out, "--only", "eum")
        self.assertEqual(run.returncode, 1)
        self.assertIn("eum/eum.pem: its key file is missing: restore", run.stderr)
        run = certs("--out", self.out, "--revoke", os.path.join(self.top, "none.pem"))
        self.assertEqual(run.returncode, 1)
        self.assertIn("No such file", run.stderr)
        self.assertEqual(certs("--help").returncode, 0)


unittest.main(verbosity=1)
