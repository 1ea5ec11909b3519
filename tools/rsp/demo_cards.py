# SPDX-License-Identifier: Apache-2.0
"""The second part of ./rsp demo: cards are switched on, attach for the first time and change their profile: by callback, on the open
connection, one that rolls back, one that never answers. In the end EIS and cards are compared."""
import concurrent.futures
import datetime
import time

from .paths import RspError

CARDS = 20
WAIT_S = 60
EXPIRE_S = 4
# Times of a card that would be tens of seconds in the field.
CARD_SETTINGS = {"ATTACH_MS": "100", "RETRY_MS": "500", "RETRIES": "4"}
STEPS = ("ES4-EnableProfile", "ES5 trigger", "ES5 session", "ES5 script", "ES5 answer", "REFRESH", "ES5 notification", "ES5 confirmation",
         "ES4-EnableProfileResponse")


def await_true(condition, what, timeout_s=WAIT_S):
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise RspError("after %d s: %s" % (timeout_s, what))
        time.sleep(0.05)


def cut(text, width=150):
    return "\n".join("  " + (line if len(line) <= width else line[:width] + " ...") for line in text.strip().split("\n") if line)


def attach(staging, eids):
    """First attach: every card reports it, and the SM-SR confirms."""
    began = time.monotonic()
    for eid in eids:
        staging.cards.power(True, eid)
    known = "select count(distinct eid) from card_notification where type = 1 and confirmed and eid in (%s)" % ",".join("'%s'" % e for e in eids)
    await_true(lambda: int(staging.psql("sm_sr", known)) == len(eids), "not every card's first attach was confirmed")
    print("\n%d cards switched on: attached, reported it (notification 01) and were confirmed in %.2f s" % (len(eids), time.monotonic() - began),
          flush=True)


def iccid_of(staging, operator, eid):
    return staging.eis_get(operator, eid)["profiles"][0]["iccid"]


def seconds_of(operation):
    """From the order at the gateway to its end there."""
    def at(name):
        return datetime.datetime.fromisoformat(operation[name].replace("Z", "+00:00"))
    return (at("ended") - at("created")).total_seconds()


def enable(staging, operator, eid, mode, validity_s=60):
    """Orders it and waits for the end: (operation, seconds)."""
    words = staging.gateway_words(operator)
    operation = staging.ctl.profile_enable(words, eid, iccid_of(staging, operator, eid), mode=mode, validity_s=validity_s)["operation"]
    ended = staging.ctl.operation(words, operation, wait_s=WAIT_S)
    return ended, seconds_of(ended)


def expect(operation, status, code=None):
    found = (operation["status"], operation.get("code"))
    if operation["status"] != status or (code and operation.get("code") != code):
        raise RspError("operation %s ended %s, expected %s %s" % (operation["operation"], found, status, code or ""))


def enable_many(staging, eids, mode):
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(len(eids)) as pool:
        ended = list(pool.map(lambda eid: enable(staging, "operator-b", eid, mode), eids))
    for operation, _ in ended:
        expect(operation, "EXECUTED_SUCCESS")
    times = sorted(seconds for _, seconds in ended)
    print("operator-b enabled its profile on %d cards, answered %s: %.2f s in all, p50 %.0f ms" %
          (len(eids), "by callback" if mode == "callback" else "on the connection", time.monotonic() - began, times[len(times) // 2] * 1000), flush=True)


def roll_back(staging, eid):
    """The network refuses the new profile: the card goes back and says so."""
    staging.cards.hook("refuse-attach", eid, argument=iccid_of(staging, "operator-b", eid))
    operation, seconds = enable(staging, "operator-b", eid, "callback")
    expect(operation, "FAILED", "8.2.1/4.2")
    print("the network refused the profile on one card: it rolled back; FAILED %s after %.2f s: %s" % (operation["code"], seconds, operation["message"]),
          flush=True)


def expire(staging, eid):
    """A card that is switched off."""
    staging.cards.power(False, eid)
    operation, seconds = enable(staging, "operator-b", eid, "callback", validity_s=EXPIRE_S)
    expect(operation, "EXPIRED", "1.6/5.3")
    staging.cards.power(True, eid)
    print("one card was off: EXPIRED %s after %.2f s" % (operation["code"], seconds), flush=True)


def ordered(staging, operation):
    """The end of an operation of operator-b's, which must be a success."""
    ended = staging.ctl.operation(staging.gateway_words("operator-b"), operation["operation"], wait_s=WAIT_S)
    expect(ended, "EXECUTED_SUCCESS")
    return seconds_of(ended)


def on_card(staging, eid):
    return sorted(p["iccid"] for p in staging.cards.card(eid)["profiles"])


def everyday(staging, disabled, deleted, ruled, lost):
    """Disable; delete what is enabled; POL2 that deletes what was disabled; a card that falls back by itself."""
    words, ctl = staging.gateway_words("operator-b"), staging.ctl
    iccids = {eid: iccid_of(staging, "operator-b", eid) for eid in (disabled, deleted, ruled, lost)}
    seconds = ordered(staging, ctl.profile_disable(words, disabled, iccids[disabled]))
    print("operator-b disabled its profile on one card, the fall-back profile took over: %.2f s" % seconds, flush=True)
    seconds = ordered(staging, ctl.profile_delete(words, deleted, iccids[deleted]))
    if iccids[deleted] in on_card(staging, deleted):
        raise RspError("card %s still has the profile that was deleted" % deleted)
    print("operator-b deleted its enabled profile on another: disabled first, then deleted: %.2f s" % seconds, flush=True)
    ordered(staging, ctl.profile_policy(words, ruled, iccids[ruled], ["DISABLE:Auto-Delete"]))
    ordered(staging, ctl.profile_disable(words, ruled, iccids[ruled]))
    await_true(lambda: iccids[ruled] not in on_card(staging, ruled), "POL2 did not delete the disabled profile")
    print("operator-b set POL2 Auto-Delete on a third and disabled it: the SM-SR deleted it afterwards", flush=True)
    staging.cards.coverage_lost(lost)
    fallback = iccid_of(staging, "operator-a", lost)
    await_true(lambda: staging.psql("sm_sr", "select iccid from profile where eid = '%s' and state = 2" % lost) == fallback,
               "the EIS did not follow the card that fell back")
    print("a fourth lost its network: it fell back by itself, and the EIS followed", flush=True)
    kinds = "select count(*) from notification where eid = '%s' and kind = '%s'"
    for eid, kind in ((ruled, "deleted"), (lost, "disabled")):
        await_true(lambda: staging.psql("operator_b", kinds % (eid, kind)) == "1", "operator-b was not told that its profile was " + kind)


def compare(staging, eids, what):
    """Per card: which profile the EIS says is enabled, and the card's own word."""
    rows, differ = [], 0
    said = dict(row.split("|") for row in
                staging.psql("sm_sr", "select eid, iccid from profile where state = 2").split("\n"))
    for eid in eids:
        card = staging.cards.card(eid)
        own = [p["iccid"] for p in card["profiles"] if p["state"] == "Enabled"]
        has = staging.psql("sm_sr", "select iccid from profile where eid = '%s' order by 1" % eid).split()
        same = own == [said.get(eid)] and has == on_card(staging, eid)
        differ += not same
        rows.append("  %s  %-20s  %-20s  %s  %s" % (eid, said.get(eid, "-"), " ".join(own) or "-", "same" if same else "DIFFER", what.get(eid, "")))
    print("\n  %-32s  %-20s  %-20s" % ("EID", "enabled in the EIS", "enabled on the card"))
    print("\n".join(rows), flush=True)
    if differ:
        raise RspError("%d cards are not what their EIS says" % differ)


def card_lines(staging, eid):
    """What the card did that nobody sees over the air: (time, what)."""
    words = {"card_refresh": "REFRESH", "card_attached": "attached"}
    rows = []
    with open(staging.log("euicc-sim"), errors="replace") as f:
        for line in f:
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if fields.get("eid") == eid and fields.get("event") in words:
                rows.append((fields["time"][11:23], "card", words[fields["event"]], "ICCID " + fields.get("iccid", "-")))
    return rows


def journal_lines(staging, eid):
    """Both sides of one card, in the order of time."""
    rows = [(row["at"][11:23].replace("Z", ""), row["kind"], row["function"], row["text"][:60] if row["function"].startswith("ES5") else "")
            for row in staging.ctl.messages(staging.admin_socket("sm-sr"), eid=eid, limit=200)]
    return sorted(rows + card_lines(staging, eid), key=lambda row: row[0])


def journal(staging, eid):
    """What the SM-SR saw and said about one card, and the card's resets between."""
    rows = journal_lines(staging, eid)
    start = next(i for i, row in enumerate(rows) if row[2] == "ES4-EnableProfile")
    print("\nthe SM-SR's journal of one card from its enable by callback on, and what the card did:")
    for row in rows[start:]:
        print("  %-12s  %-10s  %-38s %s" % row)
    names, at = [row[2] for row in rows[start:]], 0
    for step in STEPS:
        try:
            at = names.index(step, at)
        except ValueError:
            raise RspError("the journal does not show %s behind the steps before" % step) from None


def show(staging, all_eids):
    eids = all_eids[:CARDS]
    staging.load_cards()
    attach(staging, eids)
    by_callback, on_connection, rolled_back, off = eids[:9], eids[9:18], eids[18], eids[19]
    enable_many(staging, by_callback, "callback")
    enable_many(staging, on_connection, "connection")
    roll_back(staging, rolled_back)
    expire(staging, off)
    what = {eid: "enabled by callback" for eid in by_callback}
    what.update({eid: "enabled on the connection" for eid in on_connection}, **{rolled_back: "rolled back", off: "expired"})
    everyday(staging, *by_callback[1:5])
    what.update(zip(by_callback[1:5], ("disabled", "deleted", "deleted by POL2", "fell back")))
    compare(staging, eids, what)
    journal(staging, by_callback[0])
    told = staging.ctl.notifications(staging.gateway_words("operator-a"))
    print("\noperator-a was told of %d profiles that were disabled" % len([n for n in told if n["kind"] == "disabled"]))
