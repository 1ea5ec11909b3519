# SPDX-License-Identifier: Apache-2.0
"""After a move the keys of the old SM-SR open nothing, on the card or at an SM-SR; those of the new one do, by SMS and by HTTPS."""
from rsp.cards import NUMBERS
from tests.e2e.base import full
from tests.e2e.cards.psk import first_request, identity, s_client
from tests.e2e.sms.esme import GET_STATUS, Esme, enable, packet, script
from tests.e2e.smsr_change.change_case import A, B, ChangeCase

SCP80, SCP81 = 1, 0x40  # versions of the EUM's key sets
FAR = 1 << 39           # a counter that nobody has come to
UNKNOWN, WRONG = "no such key set", "wrong CC"


class Keys(ChangeCase):
    def keys_of(self, card):
        """The EUM's, by version and index."""
        return {(key["version"], key["index"]): key["key"] for key in self.line_of(card)["isdr_keys"]}

    def pair(self, card):
        keys = self.keys_of(card)
        return bytes.fromhex(keys[SCP80, 1]), bytes.fromhex(keys[SCP80, 2])

    def number_of(self, card):
        return next(p["msisdn"] for p in card.now["profiles"] if p["state"] == "Enabled")

    def send(self, card, secured, account=A):
        with Esme(self.staging.cards, account, NUMBERS[account]) as esme:
            self.assertEqual(esme.submit(self.number_of(card), secured), 0)

    def refusals(self, card):
        return [line for line in self.sim_log(card) if "event=card_sms" in line and "is=refused" in line]

    def ignored(self, card, why, secured, account=A):
        """The card says nothing, does nothing and counts nothing."""
        before, refusals = card.now, self.refusals(card)
        answers = self.staging.cards.stats()["por_out"]
        self.send(card, secured, account)
        self.await_true(lambda: len(self.refusals(card)) > len(refusals), "the SMS never came")
        self.assertIn(why, self.refusals(card)[-1])
        self.assertEqual(card.now, before)
        self.assertEqual(self.staging.cards.stats()["por_out"], answers)

    def opens(self, card, smsr, who, key):
        """What a client of this identity and key is answered by an SM-SR's listener for cards."""
        return s_client(self.staging, smsr, who, key, first_request(card.eid))

    def unknown_at(self, card, smsr, who, key):
        with self.counted_at(smsr, "rsp_http_psk_unknown_total"):
            self.assertEqual(self.opens(card, smsr, who, key), "")

    def sessions(self, card):
        return [row["function"] for row in card.journal()].count("ES5 session")

    def by_either_bearer(self, card):
        before = self.sessions(card)
        self.is_managed(card)
        after = self.sessions(card)
        self.assertGreater(after, before)
        card.hook("no-sessions", times=0)
        counters = card.now["counters"]
        self.is_managed(card)
        card.unhook("no-sessions")
        self.assertEqual(self.sessions(card), after)
        own, = [version for version in card.key_versions() if int(version) < 16]
        self.assertGreater(card.now["counters"][own], counters.get(own, 0))

    @full
    def test_the_packets_of_this_test_are_good(self):
        """Of a card that has not moved the same keys open both: what is refused elsewhere is refused for its keys."""
        card = self.card_at(A)
        before = card.now
        counter = before["counters"].get(str(SCP80), 0) + 1
        self.send(card, packet(self.pair(card), SCP80, counter, script(GET_STATUS)))
        self.await_true(lambda: card.now["commands"] == before["commands"] + 1, "the card did not execute it")
        self.assertEqual(card.now["counters"][str(SCP80)], counter)
        self.ignored(card, "counter not higher", packet(self.pair(card), SCP80, counter, script(GET_STATUS)))
        self.assertIn(" 204 ", self.opens(card, A, identity(card.eid, kvn=SCP81), self.keys_of(card)[SCP81, 1]))
        self.rspctl.keys_bump(self.admin(A), card.eid, 100)
        self.is_managed(card)

    @full
    def test_the_old_keys_are_dead(self):
        card = self.card_at(A)
        self.is_managed(card)
        keys, pair = self.keys_of(card), self.pair(card)
        counter = int(card.sql("select counter from keyset where eid = '{eid}' and version = %d" % SCP80))
        aid, = [p["aid"] for p in card.now["profiles"] if p["iccid"] == card.b]
        self.moves(card, B)
        self.await_true(card.idle, "the card is not idle")
        connections = self.metric(A, "rsp_card_connections_total")
        versions = [int(version) for version in card.key_versions()]
        new80, = [version for version in versions if version < 16]
        new81, = [version for version in versions if version > 16]
        self.assertFalse({SCP80, SCP81} & set(versions))
        for apdu in (GET_STATUS, enable(aid)):
            for account in (A, B):
                for n in (counter + 1, FAR):
                    self.ignored(card, UNKNOWN, packet(pair, SCP80, n, script(apdu)), account)
                self.ignored(card, WRONG, packet(pair, new80, FAR, script(apdu)), account)
        for smsr in (A, B):
            self.unknown_at(card, smsr, identity(card.eid, kvn=SCP81), keys[SCP81, 1])
        self.unknown_at(card, A, identity(card.eid, kvn=new81), keys[SCP81, 1])
        self.assertEqual(self.opens(card, B, identity(card.eid, kvn=new81), keys[SCP81, 1]), "")
        self.by_either_bearer(card)
        self.assertEqual(self.metric(A, "rsp_card_connections_total"), connections)

    @full
    def test_and_so_are_those_of_each_move_before(self):
        """Back at the first SM-SR its own old keys are as dead there as anybody's."""
        card = self.card_at(A)
        keys, pair = self.keys_of(card), self.pair(card)
        for to in (B, A):
            self.moves(card, to)
        self.await_true(card.idle, "the card is not idle")
        for version in card.key_versions():
            if int(version) < 16:
                self.ignored(card, WRONG, packet(pair, int(version), FAR, script(GET_STATUS)))
        self.assertEqual(self.opens(card, A, identity(card.eid, kvn=SCP81), keys[SCP81, 1]), "")
        self.by_either_bearer(card)
