# SPDX-License-Identifier: Apache-2.0
"""Profiles are downloaded: ordered at an operator's gateway, made by the SM-DP, carried by the SM-SR, installed by the card."""
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import SMDP, TYPE, DownloadCase
from tests.e2e.stock.stock_case import MEMORY


class Download(DownloadCase):
    def test_a_profile_is_installed(self):
        card, row = self.card(), self.row()
        before = self.memory(card)
        self.assertEqual(before[0], before[1])
        found = self.download(card)
        self.assertEqual(self.outcome(found), SUCCESS, found)
        self.assertEqual((found["iccid"], found["enabled"]), (row.values["ICCID"], False))
        self.assertEqual(self.in_eis(card, row), "1|%s|%s|%s" % (self.mno, self.oid(SMDP), TYPE))
        profile = self.on_card(card, row)
        self.assertEqual((profile["state"], profile["imsi"], profile["digest"]), ("Disabled", row.values["IMSI"], self.digest(row)))
        self.assertEqual(self.stock_of(row), ("installed", True, card.eid))
        self.assertEqual(card.enabled(), card.a)
        self.assertEqual(self.memory(card)[0], before[0] - MEMORY)
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual(*self.memory(card))
