# SPDX-License-Identifier: Apache-2.0
"""What tests of whole downloads share: an operator with a gateway, a stock at the SM-DP, cards that the SM-SR manages."""
import contextlib
import hashlib

from tests.e2e.cards.card_case import NEEDS, CardCase
from tests.e2e.download.package import personalised
from tests.e2e.stock.stock_case import MEMORY, StockCase

LARGE = 30000  # bytes
GATEWAY, SMDP, TYPE = "operator-a", "sm-dp", "plain"  # its usual type
HEADS = StockCase.heads + ("MSISDN",)


class DownloadCase(CardCase, StockCase):
    needs = {"services": ("sm-sr", "eum", "operator-a", "operator-b", "sm-dp"),
             "settings": dict(NEEDS["settings"], **{"sm-dp": {"BACKOFF_MS": "300"}})}

    @property
    def words(self):
        return self.staging.gateway_words(GATEWAY)

    @property
    def via(self):
        return self.staging.entities[SMDP]["name"]

    # The stock.
    def make_type(self, name):
        """As of others; the large ones are padded."""
        return self.rspctl.type_add(self.socket, name, None, self.mno, MEMORY, variables="pin1=template", pad=LARGE if name == "large" else None)

    def row(self, type_name=TYPE):
        """A subscription of a type that has no other which is free."""
        row, = self.rows(1)
        row.values["MSISDN"] = "881" + row.values["IMSI"][3:]
        self.take_batch(row, type_name)
        return row

    def take_batch(self, row, type_name):
        StockCase.take(self, "d" + row.values["ICCID"], self.csv([row], heads=HEADS), type_name)

    def stock_of(self, row):
        """(state, was sent, card)"""
        found, = [r for r in self.rspctl.stock_list(self.socket, batch="d" + row.values["ICCID"])]
        return found["state"], found["sent"], found["eid"]

    def digest(self, row, type_name=TYPE):
        package = self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = '%s'" % type_name)
        return hashlib.sha256(personalised(bytes.fromhex(package), row)).hexdigest().upper()

    # The card.
    take = CardCase.take

    def on_card(self, card, row):
        """The profile as the card has it; None: it does not."""
        found = [p for p in card.now["profiles"] if p["iccid"] == row.values["ICCID"]]
        return found[0] if found else None

    def in_eis(self, card, row):
        """Its state, operator, SM-DP and type; "": the EIS does not have it."""
        return card.sql("select state, mno, smdp, profile_type from profile where eid = '{eid}' and iccid = '{iccid}'", iccid=row.values["ICCID"])

    def number(self, card, row):
        """The network calls the profile by its number."""
        self.rspctl.card_number(self.admin("euicc-sim"), card.eid, row.values["MSISDN"], row.values["ICCID"])

    def memory(self, card):
        """(by the EIS, on the card)"""
        return int(card.sql("select remaining_memory from eis_state where eid = '{eid}'")), card.now["remaining_memory"]

    # Orders.
    def order_download(self, card, validity_s=60, operator=GATEWAY, **which):
        """The operation. which: iccid, profile_type, enable."""
        words = self.staging.gateway_words(operator)
        return self.rspctl.download(words, card.eid, validity_s=validity_s, via=self.via, **which)["operation"]

    def download(self, card, row, **more):
        """By ICCID; as it ended, well or not."""
        return self.ended(self.order_download(card, iccid=row.values["ICCID"], **more))

    def installed(self, card, row, **more):
        found = self.download(card, row, **more)
        self.assertEqual((found["status"], found["iccid"]), ("EXECUTED_SUCCESS", row.values["ICCID"]), found)
        self.number(card, row)

    def ended(self, operation, wait_s=90, words=None):
        """words: of another gateway than the usual one."""
        found = self.rspctl.operation(words or self.words, operation, wait_s)
        self.assertEqual(found["state"], "ended", found)
        return found

    def outcome(self, found):
        return found["status"], found.get("code") or None

    def whole(self, card, row, type_name=TYPE):
        """It is on the card, byte for byte as it should be, and everybody knows it."""
        profile = self.on_card(card, row)
        self.assertEqual((profile["imsi"], profile["digest"]), (row.values["IMSI"], self.digest(row, type_name)))
        self.assertEqual(self.stock_of(row), ("installed", True, card.eid))

    def nothing_left(self, card, row, memory, stock):
        """The card is as before, and the EIS; stock: its state, and whether its secrets were sent."""
        self.assertEqual((self.on_card(card, row), self.in_eis(card, row)), (None, ""))
        self.assertEqual(self.memory(card), memory)
        self.assertEqual(self.stock_of(row)[:2], stock)

    @contextlib.contextmanager
    def held(self, name, point, card):
        """The download stands at a point of a process until the block ends; the block begins when it stands there."""
        self.rspctl.fault(self.admin(name), point, "pause", card.eid)
        try:
            yield lambda: self.await_true(lambda: any(f["point"] == point and f["held"] for f in self.rspctl.fault_list(self.admin(name))),
                                          "nothing came to " + point)
        finally:
            self.rspctl.fault(self.admin(name), point, "off", card.eid)
