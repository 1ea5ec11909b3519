# SPDX-License-Identifier: Apache-2.0
"""What the SM-DP and the card say to each other is altered, cut off or out of order: whoever gets it notices (procedures.md 3.3 B and C, 3.4),
the half-made ISD-P goes again, and an ICCID whose secrets were on their way is nobody's until a person decides (decisions.md D6)."""
from tests.e2e.base import full
from tests.e2e.download import gp
from tests.e2e.download.download_case import SMDP, DownloadCase
from tests.e2e.download.package import tlv, tlvs
from tests.e2e.helpers import Background

INSTALL = "sm-dp.download.install.called"
FREE, DOUBTFUL = ("available", False), ("quarantined", True)
OPEN, END = b"\xAE\x80", b"\0\0"
CUT, CARD = "8.4/4.2", "8.3/6.1"


def commands_of(script):
    assert script[:2] == OPEN and script[-2:] == END
    found = list(tlvs(script[2:-2]))
    assert script_of(found) == script
    return found


def script_of(commands):
    return OPEN + b"".join(tlv(tag, value) for tag, value in commands) + END


class BadData(DownloadCase):
    def failed(self, card, row, found, code, says, memory, stock=DOUBTFUL):
        self.assertEqual(self.outcome(found), ("FAILED", code), found)
        self.assertRegex(found["message"], says)
        self.nothing_left(card, row, memory, stock)
        self.await_true(lambda: not card.busy() and not card.uncertain(), "the card is not free again")
        self.assertEqual((card.now["creates"], card.now["deletes"]), (self.rounds, self.rounds))

    rounds = 1


class OnTheWay(BadData):
    """The SM-SR, or somebody in it, changes what it should only carry."""

    def changed(self, card, row, change):
        """The download whose script for the ISD-P is another when the card comes for it."""
        waiting = "select seq, encode(script, 'hex') from card_command where eid = '{eid}' and state = 0 order by seq"
        with self.held(SMDP, INSTALL, card) as standing:
            call = Background(self.download, card, row)
            standing()
            card.power(False)
        self.await_true(lambda: card.sql(waiting), "the segments never came")
        seq, script = card.sql(waiting).split("\n")[-1].split("|")
        made = change(bytes.fromhex(script))
        self.assertNotEqual(made, bytes.fromhex(script))
        card.sql("update card_command set script = decode('{made}', 'hex') where eid = '{eid}' and seq = {seq}", made=made.hex(), seq=seq)
        card.power(True)
        return call.value(90)

    def notices(self, changes):
        card = self.card()
        memory = self.memory(card)
        for self.rounds, (name, code, says, change) in enumerate(changes, 1):
            with self.subTest(name=name):
                row = self.row()
                found = self.changed(card, row, change)
                self.failed(card, row, found, code, says, memory)
        row = self.row()
        self.installed(card, row)
        self.whole(card, row)

    @staticmethod
    def at(place, change):
        """A script with one command, counted among those of its tag, put otherwise: by several, or none."""
        def changed(script):
            commands = commands_of(script)
            tag, number = place
            index = [i for i, (t, _) in enumerate(commands) if t == tag][number]
            commands[index:index + 1] = change(*commands[index])
            return script_of(commands)
        return changed

    @full
    def test_an_altered_and_a_truncated_stream(self):
        def middle(tag, value):
            return [(tag, value[:20] + gp.altered(value[20:21]) + value[21:])]
        self.notices((("a bit of a segment", CUT, r"segment 2 of \d+ was refused: .*\(02\)", self.at(("86", 1), middle)),
                      ("without the last segment", CUT, r"segment (\d+) of \1 was not answered", self.at(("86", -1), lambda t, v: []))))


class CardsWord(BadData):
    @full
    def test_an_answer_that_the_card_did_not_prove(self):
        """It executed what it was sent: whether somebody else answered the SM-DP cannot tell."""
        card = self.card()
        memory = self.memory(card)
        for self.rounds, (argument, says) in enumerate((("cryptogram", "INITIALIZE UPDATE"), ("mac", r"segment (\d+) of \1: wrong R-MAC")), 1):
            with self.subTest(argument=argument):
                row = self.row()
                card.hook("bad-answer", argument)
                found = self.download(card, row)
                self.failed(card, row, found, CARD, says, memory)
                self.assertEqual(card.now["installs"], self.rounds)
                self.assertIn("EuiccResponseData", found["message"])
        self.assertEqual(self.psql("sm_dp", "select count(*) from isdp_keyset where eid = '%s'" % card.eid), "0")

    @full
    def test_a_refusal_names_the_element(self):
        """Of the whole answer the operator learns what it needs to mend its package."""
        card, row = self.card(), self.row()
        memory = self.memory(card)
        card.hook("pe-fail", "3")
        found = self.download(card, row)
        self.failed(card, row, found, CUT, "the profile was not installed: .*element 3", memory)
