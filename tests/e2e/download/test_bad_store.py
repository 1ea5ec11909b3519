# SPDX-License-Identifier: Apache-2.0
"""A package that was damaged in the SM-DP's own store."""
from tests.e2e.base import full
from tests.e2e.download import test_bad_data as data


class Template(data.BadData):
    @full
    def test_a_package_that_was_damaged_since(self):
        """Truncated in the SM-DP's own store: what cannot be made is not begun."""
        card, row = self.card(), self.row("cut")
        memory, commands = self.memory(card), card.now["commands"]
        where = "where name = 'cut'"
        whole = self.psql("sm_dp", "select encode(package, 'hex') from profile_type " + where)
        for octets in (whole[:-8], whole[:400], "", whole[2:]):
            with self.subTest(octets=len(octets)):
                self.psql("sm_dp", "update profile_type set package = decode('%s', 'hex') %s" % (octets, where))
                found = self.download(card, row)
                self.assertEqual(self.outcome(found), ("FAILED", "1.2/4.2"), found)
                self.nothing_left(card, row, memory, data.FREE)
                self.assertEqual((card.now["commands"], card.scripts()), (commands, []))
        self.psql("sm_dp", "update profile_type set package = decode('%s', 'hex') %s" % (whole, where))
        self.installed(card, row)
        self.whole(card, row, "cut")
