# SPDX-License-Identifier: Apache-2.0
"""The fourth part of ./rsp demo: a card with three profiles of two operators moves from one SM-SR to another and back, then a fleet moves whose
cards stand in a file. Everything is ordered at an operator's gateway; what SM-SRs, operators and cards say in the end must be one story."""
import os
import time

from . import demo_cards
from .demo_cards import WAIT_S, await_true, cut, expect, seconds_of
from .paths import RspError

FLEET = 50
PROFILES = 3
VALIDITY_S = 600
A, B = "sm-sr", "sm-sr-b"
DATABASES = {A: "sm_sr", B: "sm_sr_b"}
OPERATOR, OPERATORS = "operator-a", ("operator-a", "operator-b")
# What must be the same before and after: of the EIS as an operator reads it.
KEPT = ("eid", "eum", "capabilities", "isdp", "profiles", "properties", "signed_info", "signature")


def view(staging, operator, eid):
    eis = staging.eis_get(operator, eid)
    for profile in eis["profiles"]:
        profile["memory"].pop("free", None)  # known from the card alone, which the new SM-SR asks
    return {name: eis.get(name) for name in KEPT}


def views(staging, eid):
    """The card as both operators read it, by the SM-SR that their gateway believes to have it."""
    return [view(staging, operator, eid) for operator in OPERATORS]


def trail(staging, smsr, eid):
    """Its times are written to other SM-SRs in milliseconds."""
    return staging.psql(DATABASES[smsr], "select operation, date_trunc('milliseconds', at), requester, iccid from audit_trail where eid = '%s'"
                        " order by id" % eid).split("\n")


def managed_by(staging, eid):
    return [smsr for smsr in (A, B) if staging.psql(DATABASES[smsr], "select count(*) from eis where eid = '%s'" % eid) == "1"]


def told(staging, eid):
    """How often each operator was told that the card moved."""
    return [int(staging.psql(operator.replace("-", "_"), "select count(*) from notification where eid = '%s' and kind = 'smsr_changed'" % eid))
            for operator in OPERATORS]


def move(staging, eid, start, to):
    """Ordered with rspctl, whose words are shown; then the whole story is looked at."""
    before, trail_before, told_before, keys = views(staging, eid), trail(staging, start, eid), told(staging, eid), set(staging.cards.card(eid)["keys"])
    oid, began = staging.entities[to]["oid"], time.monotonic()
    words = [*staging.gateway_words(OPERATOR), "smsr-change", "start", eid, "--to", oid, "--validity", str(VALIDITY_S), "--wait", str(WAIT_S)]
    # rspctl gives up behind its --wait; what it prints is for people.
    print("\nrspctl smsr-change start %s --to %s" % (eid, oid))
    print(cut(staging.ctl.text(*words)), flush=True)
    seconds = time.monotonic() - began
    await_true(lambda: told(staging, eid) == [n + 1 for n in told_before], "not every operator was told once")
    if managed_by(staging, eid) != [to]:
        raise RspError("card %s is managed by %s, %s alone was expected" % (eid, managed_by(staging, eid), to))
    for was, now in zip(before, views(staging, eid)):
        differ = ["%s: %s, was %s" % (name, now[name], was[name]) for name in KEPT if now[name] != was[name]]
        if differ:
            raise RspError("card %s is not what it was before it moved: %s" % (eid, "; ".join(differ)))
    if trail(staging, to, eid)[:len(trail_before)] != trail_before:
        raise RspError("card %s has lost of its audit trail" % eid)
    left = keys & set(staging.cards.card(eid)["keys"])
    if left:
        raise RspError("card %s still has keys of its old SM-SR: %s" % (eid, sorted(left)))
    print("  it moved in %.2f s: profiles, rules and audit trail are as they were, the old keys are gone, both operators were told" % seconds, flush=True)


def change_profile(staging, eid):
    """The SM-SR that has it now manages it."""
    words = staging.gateway_words("operator-b")
    operation = staging.ctl.profile_enable(words, eid, demo_cards.iccid_of(staging, "operator-b", eid), validity_s=WAIT_S)["operation"]
    ended = staging.ctl.operation(words, operation, wait_s=WAIT_S)
    expect(ended, "EXECUTED_SUCCESS")
    print("  operator-b enabled its profile through the new SM-SR: %.2f s" % seconds_of(ended), flush=True)


def fleet(staging, eids):
    """From a file, as many at a time as rspctl has by default."""
    path = os.path.join(staging.folder, "fleet.csv")
    with open(path, "w") as f:
        f.write("eid,target\n" + "".join("%s,%s\n" % (eid, staging.entities[B]["oid"]) for eid in eids))
    began = time.monotonic()
    code, rows = staging.ctl.smsr_change_list(staging.gateway_words(OPERATOR), path, staging.entities[B]["oid"], timeout_s=VALIDITY_S,
                                              validity=VALIDITY_S)
    bad = [row for row in rows if row["status"] != "EXECUTED_SUCCESS"]
    if code or bad or len(rows) != len(eids):
        raise RspError("of %d cards %d did not move: %s" % (len(eids), len(bad), bad[:3]))
    seconds = time.monotonic() - began
    for eid in eids:
        if managed_by(staging, eid) != [B]:
            raise RspError("card %s is managed by %s" % (eid, managed_by(staging, eid)))
        await_true(lambda eid=eid: told(staging, eid) == [1, 1], "not every operator was told once of %s" % eid)
    print("\nrspctl smsr-change bulk fleet.csv: %d cards moved to %s in %.2f s, %.1f a second; both operators were told once of each" %
          (len(eids), B, seconds, len(eids) / seconds), flush=True)


def show(staging, card, eids):
    """card: one that attached and has profiles of both operators. eids: of others that never did."""
    profiles = [len(staging.eis_get(operator, card)["profiles"]) for operator in OPERATORS]
    if sum(profiles) != PROFILES or 0 in profiles:
        raise RspError("card %s has %s profiles of the operators" % (card, profiles))
    demo_cards.attach(staging, eids[:FLEET])
    move(staging, card, A, B)
    change_profile(staging, card)
    move(staging, card, B, A)
    fleet(staging, eids[:FLEET])
