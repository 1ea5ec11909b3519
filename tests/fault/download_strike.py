# SPDX-License-Identifier: Apache-2.0
"""A strike of the crash matrix of downloads: it completes or is cleaned up, on the card, in the EIS, in the stock and at the gateway."""
from tests.fault.download_points import GATEWAY, SLOW
from tests.fault.strike import Strike

VALIDITY_S, EXPIRES_S = 120, 15
AUDIT_S = VALIDITY_S  # it ends when its card is switched on
SUCCESS = "EXECUTED_SUCCESS||"
COUNTERS = {"creates": "CreateISDP", "keysets": "the key establishment", "installs": "the package"}
STATES = {"Created": 0, "Disabled": 1, "Enabled": 2}
AVAILABLE, INSTALLED, QUARANTINED = "available", "installed", "quarantined"


class DownloadStrike(Strike):
    held_s, settled_s = 30, VALIDITY_S + 60

    def taken(self, work):
        return False  # nobody but the gateway asks

    def way(self, work):
        return work.cell.operation.name

    def prepare(self, work):
        cards, eid, way = self.staging.cards, work.card.eid, self.way(work)
        if way == "fail":
            cards.hook("pe-fail", eid, 1, "3")
        elif way in ("cut", "dark"):
            cards.hook("power-cut", eid, 1, "before-script" if way == "cut" else "after-script")
        elif way in ("off", "busy"):
            cards.power(False, eid)
        if way == "busy":
            self.case.place("operator-b", "/v1/euiccs/%s/audit" % eid, {"validity_s": AUDIT_S}, eid + "-audit")
            self.case.await_true(lambda: self.case.psql("sm_sr", "select count(*) from eid_busy where eid = '%s'" % eid) == "1", "no audit began")

    def place(self, work):
        body = {"smdp": self.staging.entities["sm-dp"]["name"], "profile_type": self.case.type_name,
                "validity_s": EXPIRES_S if self.way(work) in SLOW else VALIDITY_S, "enable": self.way(work) == "enable"}
        if work.cell.point.mode:
            body["mode"] = work.cell.point.mode
        return self.case.place(GATEWAY, "/v1/euiccs/%s/profiles/download" % work.card.eid, body, work.card.eid)

    def strike_sm_dp(self):
        self.staging.kill("sm-dp")
        self.release()
        self.staging.start_service("sm-dp")

    # Verdicts: ("half" or "twice", what is wrong).
    def judge(self, work, now):
        orders = [o for o in now["orders"] if o["id"] == work.operation]
        self.case.number(now["card"])
        if [o["state"] for o in orders] != ["ended"] or len(now["orders"]) != 1:
            yield "half", "the gateway has %s" % now["orders"]
            return
        if len(now["downloads"]) != 1:
            yield "twice" if now["downloads"] else "half", "the SM-DP has the downloads %s" % now["downloads"]
            return
        download, outcome = now["downloads"][0], orders[0]["outcome"]
        work.outcome = outcome
        if not download["ended"] or not download["told"]:
            yield "half", "the download has not ended: %s" % download
        yield from self.judge_outcome(work, outcome)
        if outcome.startswith("EXECUTED"):
            yield from self.judge_installed(work, now, download["iccid"])
        else:
            yield from self.judge_cleaned(work, now, download["iccid"])
        yield from self.judge_counters(work, now["card"])
        yield from self.judge_rest(now)

    def judge_outcome(self, work, outcome):
        way, code = self.way(work), outcome.split("|", 1)[1]
        executed = outcome.startswith("EXECUTED")
        if not executed and code == "|":
            yield "half", "it ended %s, without a code" % outcome
        if executed and (way in ("fail", *SLOW) or (outcome != SUCCESS and way != "enable")):
            yield "half", "it ended %s" % outcome

    def of_card(self, now, iccid):
        """(state, digest) of each of that ICCID; states in the EIS."""
        return [(p["state"], p.get("digest")) for p in now["card"]["profiles"] if p["iccid"] == iccid], \
            [state for known, state, _ in now["profiles"] if known == iccid]

    def judge_installed(self, work, now, iccid):
        card, eis = self.of_card(now, iccid)
        if len(card) > 1 or len(eis) > 1:
            yield "twice", "the card has %s, the EIS %s" % (card, eis)
        wanted = "Enabled" if self.way(work) == "enable" and work.outcome == SUCCESS else "Disabled"
        if card != [(wanted, self.case.digest(iccid))] or eis != [STATES[wanted]]:
            yield "half", "installed, the card has %s, the EIS %s" % (card, eis)
        if now["stock"] != [iccid, INSTALLED, True, work.card.eid]:
            yield "half", "installed, the stock has %s" % now["stock"]

    def judge_cleaned(self, work, now, iccid):
        card, eis = self.of_card(now, iccid)
        if card or eis or len(now["card"]["profiles"]) != 2:
            yield "half", "cleaned up, the card has %s, the EIS %s" % (now["card"]["profiles"], eis)
        # One that is free again another cell may have got meanwhile.
        state, sent, owner = now["stock"][1:]
        if owner in (None, work.card.eid) and (state, sent) not in ((AVAILABLE, False), (QUARANTINED, True)):
            yield "half", "cleaned up, the stock has %s" % now["stock"]
        memory = now["card"]["remaining_memory"], self.case.eis_memory(work.card.eid)
        if memory != (work.card.before["remaining_memory"],) * 2:
            yield "half", "cleaned up, the card has %d bytes, the EIS says %d" % memory

    def judge_counters(self, work, card):
        for counter, what in COUNTERS.items():
            times = card[counter] - work.card.before[counter]
            if times > 1:
                yield "twice", "the card executed %s %d times" % (what, times)

    def judge_rest(self, now):
        for what in ("busy", "open", "uncertain", "sessions", "outbox", "replies", "sm_dp_outbox"):
            if now[what]:
                yield "half", "%s are left: %s" % (what, now[what])
        card = now["card"]
        if card["pending"] or card["session"] or card["phase"] != "idle":
            yield "half", "the card is %(phase)s, pending %(pending)d, session %(session)s" % card
