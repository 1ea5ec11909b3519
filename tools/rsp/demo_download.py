# SPDX-License-Identifier: Apache-2.0
"""The third part of ./rsp demo: an operator has its SM-DP download profiles to cards, enables one of them and deletes another. What the SM-DP
made, what the card holds and what the SM-SR knows must be one story."""
import concurrent.futures
import time

from .demo_cards import WAIT_S, attach, await_true, expect, seconds_of
from .paths import RspError

CARDS = 20
AT_ONCE = 5
OPERATOR, SMDP, TYPE, BATCH = "operator-b", "sm-dp", "demo", "demo"
FIRST_ICCID, FIRST_IMSI = "8988213000000000019", "901720000000001"
MEMORY = 40000
VALIDITY_S = 120


def fill_stock(staging):
    """A type of the built-in package and as many subscriptions as cards."""
    socket, mno = staging.admin_socket(SMDP), staging.entities[OPERATOR]["oid"]
    staging.ctl.type_add(socket, TYPE, None, mno, MEMORY)
    made = staging.ctl.stock_make(socket, BATCH, FIRST_ICCID, FIRST_IMSI, CARDS, mno, TYPE)
    print("\nthe SM-DP made %d subscriptions of %s with the built-in profile package" % (made["iccids"], OPERATOR), flush=True)


def download(staging, eid):
    """Ordered at the gateway: the ended operation."""
    words = staging.gateway_words(OPERATOR)
    operation = staging.ctl.download(words, eid, profile_type=TYPE, validity_s=VALIDITY_S, via=SMDP)["operation"]
    ended = staging.ctl.operation(words, operation, wait_s=VALIDITY_S)
    expect(ended, "EXECUTED_SUCCESS")
    return ended


def relayed(staging, order, eid, iccid):
    """By the SM-DP, too: seconds."""
    words = staging.gateway_words(OPERATOR)
    operation = order(words, eid, iccid, validity_s=WAIT_S, via=SMDP)["operation"]
    ended = staging.ctl.operation(words, operation, wait_s=WAIT_S)
    expect(ended, "EXECUTED_SUCCESS")
    return seconds_of(ended)


def compare(staging, downloaded):
    """{EID: ICCID}: each profile is on its card, whole, in its EIS, and is one of the stock's."""
    stock = {row["iccid"]: (row["state"], row["eid"]) for row in staging.ctl.stock_list(staging.admin_socket(SMDP), batch=BATCH, limit=CARDS)}
    known = dict(reversed(row.split("|")) for row in staging.psql("sm_sr", "select eid, iccid from profile where profile_type = '%s'" % TYPE).split())
    for eid, iccid in downloaded.items():
        found = [p for p in staging.cards.card(eid)["profiles"] if p["iccid"] == iccid]
        if not found or not found[0]["digest"] or known.get(iccid) != eid or stock.get(iccid) != ("installed", eid):
            raise RspError("card %s has %s, the SM-SR %s, the stock %s" % (eid, found, known.get(iccid), stock.get(iccid)))
    print("%d cards, their EIS and the SM-DP's stock agree" % len(downloaded), flush=True)


def show(staging, eids):
    eids = eids[:CARDS]
    fill_stock(staging)
    attach(staging, eids)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda eid: download(staging, eid), eids))
    times = sorted(seconds_of(operation) for operation in ended)
    print("%s downloaded a profile to %d cards: %.2f s in all, %d at a time, p50 %.0f ms" %
          (OPERATOR, len(eids), time.monotonic() - began, AT_ONCE, times[len(times) // 2] * 1000), flush=True)
    downloaded = {eid: operation["iccid"] for eid, operation in zip(eids, ended)}
    compare(staging, downloaded)
    enabled, deleted = eids[:2]
    seconds = relayed(staging, staging.ctl.profile_enable, enabled, downloaded[enabled])
    await_true(lambda: staging.cards.card(enabled)["enabled"] == downloaded[enabled], "the card did not switch to what was downloaded")
    print("it enabled one of them by way of the SM-DP: %.2f s" % seconds, flush=True)
    seconds = relayed(staging, staging.ctl.profile_delete, deleted, downloaded[deleted])
    if any(p["iccid"] == downloaded[deleted] for p in staging.cards.card(deleted)["profiles"]):
        raise RspError("card %s still has the profile that was deleted" % deleted)
    print("and deleted another: %.2f s" % seconds, flush=True)
