# SPDX-License-Identifier: Apache-2.0
"""The stage of an SM-SR change: two domains that share nothing but the simulator, which is the SMSC of both."""
from tests.e2e.base import full
from tests.e2e.nats import Nats
from tests.e2e.smsr_change.change_case import A, B, HANDOVERS, ChangeCase


class Stage(ChangeCase):
    def test_all_are_ready(self):
        for name in (A, B, *HANDOVERS.values()):
            self.assertTrue(self.staging.ready(name), name)

    def test_es7_is_the_handover_service(self):
        for smsr, handover in HANDOVERS.items():
            for process in (HANDOVERS[A], HANDOVERS[B], "operator-a"):
                row, = [r for r in self.rspctl.entity_list(self.admin(process)) if r["oid"] == self.oid(smsr)]
                self.assertEqual(row["addresses"]["ES7"], ["%s/es7" % self.staging.instances[handover].url()])
                self.assertEqual(row["addresses"]["ES4"], ["%s/es4" % self.staging.instances[smsr].url()])

    def nats(self, domain, smsr, certificate, user):
        return Nats(self.staging.buses[domain].url, self.pki(smsr, certificate + ".pem"), self.pki(smsr, certificate + ".key"),
                    self.pki("tls-ca", "tls-ca.pem"), user)

    def test_each_domain_has_a_bus_of_its_own(self):
        self.assertNotEqual(self.staging.buses["a"].url, self.staging.buses["b"].url)
        for domain, smsr in (("a", A), ("b", B)):
            for certificate, user in (("nats", "sm-sr"), ("nats-handover", "sm-sr-handover")):
                with self.nats(domain, smsr, certificate, user) as bus:
                    self.assertGreaterEqual(bus.count("RSP_" + domain.upper(), "ev.%s.>" % domain), 0)
        # Nobody of one domain is anybody in the other.
        for domain, smsr in (("a", B), ("b", A)):
            for certificate in ("nats", "nats-handover"):
                with self.assertRaises(OSError):
                    self.nats(domain, smsr, certificate, "sm-sr").__enter__()

    def test_databases_and_keys_are_their_own(self):
        keys = set()
        for smsr in (A, B):
            with open(self.pki(smsr, "kek.key"), "rb") as f:
                keys.add(f.read())
        self.assertEqual(len(keys), 2)
        databases = [self.staging.instances[name].database for name in (A, B, *HANDOVERS.values())]
        self.assertEqual(len(set(databases)), 4)

    @full
    def test_cards_of_either_domain(self):
        """Both wake theirs by SMS and are reached by HTTPS; what a card sends by SMS reaches its own."""
        for smsr in (A, B):
            for http in (True, False):
                with self.subTest(smsr=smsr, http=http):
                    self.is_managed(self.card_at(smsr, http_support=http))
