# SPDX-License-Identifier: Apache-2.0
"""A strike of the crash matrix of SM-SR changes: in the end one SM-SR has the card, by EIS and by keys, and everybody was told."""
import time

from tests.e2e.smsr_change.change_case import GATEWAY, A, B
from tests.e2e.soap import Answer, get_eis
from tests.fault import move_points
from tests.fault.strike import STATES, Strike

VALIDITY_S = 240
CUT_S = 2
UNKNOWN = "8.1.1/1.1"
LEFT = ("busy", "open", "sessions", "outbox", "replies", "open_handovers")


class MoveStrike(Strike):
    """Verdicts: (lost, twice, none or both; what is wrong)."""
    held_s, settled_s = 12, VALIDITY_S

    def __init__(self, case, victim, cells, cards):
        super().__init__(case, victim, cells, cards)
        self.ranks = move_points.ranks(cells)

    def rank(self, work):
        return self.ranks[work.cell.point]

    def whose(self, work):
        return "*" if work.cell.point.anyone else super().whose(work)

    def taken(self, work):
        return False  # nobody but the gateway asks

    def place(self, work):
        body = {"to": self.case.oid(B), "validity_s": VALIDITY_S}
        return self.case.place(GATEWAY, "/v1/euiccs/%s/smsr-change" % work.card.eid, body, work.card.eid + "-move")

    def strike(self):
        if self.victim == "card":
            self.staging.cards.kill()
            self.release()
            self.staging.cards.start()
        elif self.victim == "link":
            self.staging.link.cut()
            self.release()
            # What went on meanwhile finds nobody: a while is what is tested here.
            time.sleep(CUT_S)
            self.staging.link.restore()
        else:
            self.staging.kill(self.victim)
            self.release()
            self.staging.start_service(self.victim)

    def judge(self, work, now):
        orders = [o for o in now["orders"] if o["id"] == work.operation]
        work.moved = None
        if [o["state"] for o in orders] != ["ended"] or len(now["orders"]) != 1:
            yield "lost", "the gateway has %s" % now["orders"]
            return
        known = [smsr for smsr in (A, B) if now[smsr]["known"]]
        if len(known) != 1:
            yield "both" if known else "none", "the card is known at %s" % known
            return
        work.moved = known == [B]
        wrong = [*self.judge_answer(work, orders[0]), *self.judge_card(work, now), *self.judge_told(work, now), *self.judge_rest(now)]
        yield from wrong
        if not wrong:
            yield from self.judge_asked(work)

    def judge_answer(self, work, order):
        """FAILED behind the verified receipt is an error (E1); and there is time enough to know in time."""
        executed = order["status"] in ("EXECUTED_SUCCESS", "EXECUTED_WITHWARNING")
        if executed != work.moved or order["status"] not in ("EXECUTED_SUCCESS", "EXECUTED_WITHWARNING", "FAILED"):
            yield "lost", "moved: %s, and the operator heard %s" % (work.moved, order)
        if not executed and not order["subject"]:
            yield "lost", "it failed without a code: %s" % order

    def judge_card(self, work, now):
        """Profiles and states as they were; of the keys, its SM-SR's alone, unless the card stays and has a set that nobody knows."""
        owner, other = (now[B], now[A]) if work.moved else (now[A], now[B])
        before, card = work.card.before, now["card"]
        profiles = sorted((p["iccid"], STATES[p["state"]], p["fallback"]) for p in card["profiles"])
        if profiles != sorted(map(tuple, owner["profiles"])) or profiles != before["listed"]:
            yield "lost", "the card has %s, the EIS %s" % (profiles, owner["profiles"])
        on_card, held = {int(version) for version in card["keys"]}, set(owner["keys"])
        if other["keys"]:
            yield "both", "who has not got the card has keys of it: %s" % other["keys"]
        if not held or not held <= on_card or (work.moved and (held != on_card or on_card & before["versions"])):
            yield "none", "the card has the key sets %s, its SM-SR %s, before they were %s" % (sorted(on_card), sorted(held), before["versions"])
        if work.moved and not card["home"]:
            yield "lost", "the card does not know where it belongs"
        if owner["uncertain"]:
            yield "lost", "its SM-SR is not sure of it"

    def judge_told(self, work, now):
        for operator, times in now["told"].items():
            if times != work.moved:
                yield "twice" if times > work.moved else "lost", "%s was told %d times that it moved" % (operator, times)

    def judge_rest(self, now):
        for smsr in (A, B):
            for what in LEFT:
                if now[smsr][what]:
                    yield "lost", "%s keeps %s: %s" % (smsr, what, now[smsr][what])
        card = now["card"]
        if card["pending"] or card["session"] or card["phase"] != "idle":
            yield "lost", "the card is %(phase)s, pending %(pending)d, session %(session)s" % card

    def judge_asked(self, work):
        """As partners see it."""
        case, eid = self.case, work.card.eid
        for smsr in (A, B):
            answer = Answer(case.soap_call(smsr, GATEWAY, "/es4", get_eis(case.oid(GATEWAY), case.oid(smsr), eid)))
            wanted = ("EXECUTED_SUCCESS", None) if (smsr == B) == work.moved else ("FAILED", UNKNOWN)
            if (answer.status, answer.code) != wanted:
                yield "both" if wanted[0] == "FAILED" else "none", "GetEIS at %s: %s %s" % (smsr, answer.status, answer.code)
