# SPDX-License-Identifier: Apache-2.0
"""The ContextID that an operator gives a call is that of all that is said because of it, in all hops (binding.md a11)."""
import re

from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, SMDP, DownloadCase

SMSR, OTHER = "sm-sr", "operator-b"
DOWNLOAD = ("ES3-CreateISDP", "ES3-SendData", "ES3-ProfileDownloadCompleted")
# What must be seen of a call: (process, direction, function). A callback is named as the response that it is.
SEEN = {
    "download": [(GATEWAY, "out", "ES2-DownloadProfile"), (SMDP, "in", "ES2-DownloadProfile"),
                 (SMDP, "out", "ES3-GetEIS"), (SMSR, "in", "ES3-GetEIS"), (SMSR, "answer-out", "ES3-GetEIS"),
                 *((SMDP, "out", name) for name in DOWNLOAD), *((SMSR, "in", name) for name in DOWNLOAD),
                 (SMSR, "out", "ES3-CreateISDPResponse"), (SMSR, "out", "ES3-SendDataResponse"),
                 (SMDP, "in", "ES3-CreateISDP"), (SMDP, "in", "ES3-SendData"),
                 (SMDP, "out", "ES2-DownloadProfileResponse"), (GATEWAY, "in", "ES2-DownloadProfile")],
    "enable": [(GATEWAY, "out", "ES2-EnableProfile"), (SMDP, "in", "ES2-EnableProfile"), (SMDP, "out", "ES3-EnableProfile"),
               (SMSR, "in", "ES3-EnableProfile"), (SMSR, "out", "ES3-EnableProfileResponse"), (SMDP, "in", "ES3-EnableProfile"),
               (SMDP, "out", "ES2-EnableProfileResponse"), (GATEWAY, "in", "ES2-EnableProfile"),
               (SMSR, "out", "ES4-HandleProfileDisabledNotification"), (OTHER, "in", "ES4-HandleProfileDisabledNotification")],
    "policy": [(GATEWAY, "out", "ES2-UpdatePolicyRules"), (SMDP, "in", "ES2-UpdatePolicyRules"), (SMDP, "out", "ES3-UpdatePolicyRules"),
               (SMSR, "in", "ES3-UpdatePolicyRules"), (SMSR, "answer-out", "ES3-UpdatePolicyRules"),
               (SMDP, "answer-out", "ES2-UpdatePolicyRules")],
}


class Context(DownloadCase):
    def heard(self):
        """[(time, MessageID, process, direction, function, EID, ContextID)] of the last messages; an HTTP 202 and ES5 have no header for it."""
        found = []
        for process in (GATEWAY, SMDP, SMSR, OTHER):
            for row in self.rspctl.messages(self.admin(process), limit=2000):
                context = re.search("ContextID=([^?&]*)", row["message_id"])
                if row["message_id"] and not row["function"].startswith("ES5"):
                    found.append((row["at"], row["message_id"], process, row["kind"], row["function"], row["eid"], context and context.group(1)))
        return found

    def silent(self, *cards):
        """Nobody has anything more to say of them."""
        for card in cards:
            for database in ("sm_sr", "sm_dp", "operator_a", "operator_b"):
                left = "select count(*) from outbox where eid = '%s'" % card.eid
                self.await_true(lambda: self.psql(database, left) == "0", "something is left in the outbox of " + database, 30)

    def at_once(self, kind, cards, rows, order):
        """Ordered for each card before the first has ended: [(operation, what it is, EID)]."""
        ordered = [(order(card, row.values["ICCID"]), kind, card.eid) for card, row in zip(cards, rows)]
        for operation, _, _ in ordered:
            found = self.ended(operation)
            self.assertEqual(self.outcome(found), SUCCESS, found)
        return ordered

    @full
    def test_in_all_hops(self):
        cards, rows = [self.card(), self.card()], [self.row(), self.row()]
        for card in cards:
            self.succeeds(card)  # what is enabled belongs to an operator that will be told
        self.silent(*cards)
        before = set(self.heard())
        calls = self.at_once("download", cards, rows, lambda card, iccid: self.order_download(card, iccid=iccid))
        for card, row in zip(cards, rows):
            self.number(card, row)
        calls += self.at_once("enable", cards, rows, lambda card, iccid: self.rspctl.profile_enable(
            self.words, card.eid, iccid, validity_s=60, via=self.via)["operation"])
        calls += self.at_once("policy", cards, rows, lambda card, iccid: self.rspctl.profile_policy(
            self.words, card.eid, iccid, ("DELETE:Not-Allowed",), validity_s=60, via=self.via)["operation"])
        self.silent(*cards)
        heard = [row for row in self.heard() if row not in before]
        for operation, kind, eid in calls:
            with self.subTest(call=kind, eid=eid):
                mine = [row for row in heard if row[6] == operation]
                seen = {row[2:5] for row in mine}
                self.assertEqual([row for row in SEEN[kind] if row not in seen], [])
                self.assertEqual({row[5] for row in mine if row[5]}, {eid})
        # Answers name no EID. Nothing that these calls caused is without their ContextID, or has that of another card's.
        ours = {eid for _, _, eid in calls} | {""}
        contexts = {operation for operation, _, _ in calls}
        self.assertEqual([row for row in heard if row[5] in ours and row[6] not in contexts], [])
