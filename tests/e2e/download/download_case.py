# SPDX-License-Identifier: Apache-2.0
"""What tests of whole downloads share: an operator with a gateway, a stock at the SM-DP, cards that the SM-SR manages."""
import hashlib

from tests.e2e.cards.card_case import NEEDS, CardCase
from tests.e2e.download.package import personalised
from tests.e2e.stock.stock_case import StockCase

GATEWAY, SMDP, TYPE = "operator-a", "sm-dp", "plain"
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

    def digest(self, row):
        return hashlib.sha256(personalised(self.package(), row)).hexdigest().upper()

    # The card.
    take = CardCase.take

    def on_card(self, card, row):
        """The profile as the card has it; None: it does not."""
        found = [p for p in card.now["profiles"] if p["iccid"] == row.values["ICCID"]]
        return found[0] if found else None

    def in_eis(self, card, row):
        return card.sql("select state, mno, smdp, profile_type from profile where eid = '{eid}' and iccid = '{iccid}'", iccid=row.values["ICCID"])

    def number(self, card, row):
        """The network calls the profile by its number."""
        self.staging.cards._ask("POST", "/admin/cards/number", {"eid": card.eid, "iccid": row.values["ICCID"], "msisdn": row.values["MSISDN"]})

    def memory(self, card):
        """(by the EIS, on the card)"""
        return int(card.sql("select remaining_memory from eis_state where eid = '{eid}'")), card.now["remaining_memory"]

    # Orders.
    def download(self, card, row=None, enable=False, validity_s=60, **more):
        """By ICCID, or any of the type; as it ended, well or not."""
        which = {"iccid": row.values["ICCID"]} if row else {"profile_type": TYPE}
        started = self.rspctl.download(self.words, card.eid, enable=enable, validity_s=validity_s, via=self.via, **which, **more)
        return self.ended(started["operation"], validity_s + 30)

    def ended(self, operation, wait_s=90):
        found = self.rspctl.operation(self.words, operation, wait_s)
        self.assertEqual(found["state"], "ended", found)
        return found

    def outcome(self, found):
        return found["status"], found.get("code") or None

    def downloads(self, card):
        """As the SM-DP has them, the last first."""
        rows = self.psql("sm_dp", "select id, state, iccid from download where eid = '%s' order by started_at desc" % card.eid).split()
        return [row.split("|") for row in rows]
