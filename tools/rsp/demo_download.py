# SPDX-License-Identifier: Apache-2.0
"""The third part of ./rsp demo: an operator has its SM-DP download profiles to cards, enables one of them and deletes another. There are two
types of our own, and one for each published package that is there. What the SM-DP made, what the card holds and what the SM-SR knows must
be one story."""
import concurrent.futures
import time

from . import profiles
from .demo_cards import WAIT_S, attach, await_true, expect, seconds_of
from .paths import RspError

CARDS = 20
AT_ONCE = 5
OPERATOR, SMDP = "operator-b", "sm-dp"
MEMORY = 40000
VALIDITY_S = 120
DISABLED = "1"  # in the EIS
# What a meter gets besides: POL1 against being disabled, and the SMSC that it sends by (connectivityParameters, A0).
METER = "scp80=random adm1=random pol1=1 connectivity=A0090607918839000000F0"


class Type:
    def __init__(self, number, name, package=None, variables=None):
        self.number, self.name, self.package, self.variables = number, name, package, variables

    def numbers(self):
        """ICCID and IMSI of the first subscription, without overlap."""
        body = "89882130000%02d00001" % self.number
        total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(body)))
        return body + str(-total % 10), "90172%02d00000001" % self.number


def types():
    """Name, package and variables of each: built-in ones, then files."""
    chosen = [("usim", None, None), ("meter", "--meter", METER)] + [(name, path, None) for name, path in profiles.published().items()]
    if len(chosen) == 2:
        print("\nonly the built-in profile types: %s" % profiles.skipped(), flush=True)
    return [Type(i, *row) for i, row in enumerate(chosen)]


def fill_stock(staging, kinds, count):
    """The types, and as many subscriptions of each as its share of the cards."""
    socket, mno = staging.admin_socket(SMDP), staging.entities[OPERATOR]["oid"]
    print("\nprofile types of %s at the SM-DP:" % OPERATOR)
    for i, kind in enumerate(kinds):
        staging.ctl.type_add(socket, kind.name, kind.package, mno, MEMORY, variables=kind.variables)
        staging.ctl.stock_make(socket, kind.name, *kind.numbers(), len(range(i, count, len(kinds))), mno, kind.name)
        package = staging.ctl.type_show(socket, kind.name, mno)["elements"]
        print("  %-34s %2d elements, %5d bytes%s" % (kind.name, len(package), sum(e["bytes"] for e in package),
                                                    "" if kind.package and kind.package[0] == "/" else ", built in"), flush=True)


def download(staging, eid, kind):
    """Ordered at the gateway: the ended operation."""
    words = staging.gateway_words(OPERATOR)
    operation = staging.ctl.download(words, eid, profile_type=kind.name, validity_s=VALIDITY_S, via=SMDP)["operation"]
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
    """downloaded: {EID: (type, ICCID)}. What the SM-DP makes of its stock is what the card stored, octet for octet; the EIS has it as the card."""
    socket = staging.admin_socket(SMDP)
    stock = {row["iccid"]: (row["state"], row["eid"], row["type"]) for row in staging.ctl.stock_list(socket, state="installed", limit=CARDS)}
    rows = staging.psql("sm_sr", "select eid, iccid, profile_type, state from profile where smdp is not null").split("\n")
    known = {iccid: (eid, kind, state) for eid, iccid, kind, state in (row.split("|") for row in rows if row)}
    for eid, (kind, iccid) in downloaded.items():
        made = staging.ctl.stock_digest(socket, iccid)
        found = [p for p in staging.cards.card(eid)["profiles"] if p["iccid"] == iccid]
        card = [(p["elements"], p["bytes"], p["digest"], p["state"]) for p in found]
        if card != [(made["elements"], made["bytes"], made["digest"], "Disabled")] or known.get(iccid) != (eid, kind.name, DISABLED) or \
           stock.get(iccid) != ("installed", eid, kind.name):
            raise RspError("ICCID %s: the SM-DP made %s, card %s stored %s; the SM-SR has %s, the stock %s" %
                           (iccid, made, eid, found, known.get(iccid), stock.get(iccid)))
    for name in sorted({kind.name for kind, _ in downloaded.values()}):
        print("  %-34s %2d cards stored what the SM-DP made (SHA-256), and so does their EIS say" %
              (name, len([1 for kind, _ in downloaded.values() if kind.name == name])), flush=True)


def show(staging, eids):
    eids, kinds = eids[:CARDS], types()
    fill_stock(staging, kinds, len(eids))
    attach(staging, eids)
    of = {eid: kinds[i % len(kinds)] for i, eid in enumerate(eids)}
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(lambda eid: download(staging, eid, of[eid]), eids))
    times = sorted(seconds_of(operation) for operation in ended)
    print("%s downloaded a profile to %d cards: %.2f s in all, %d at a time, p50 %.0f ms" %
          (OPERATOR, len(eids), time.monotonic() - began, AT_ONCE, times[len(times) // 2] * 1000), flush=True)
    downloaded = {eid: (of[eid], operation["iccid"]) for eid, operation in zip(eids, ended)}
    compare(staging, downloaded)
    enabled, deleted = eids[:2]
    iccids = {eid: iccid for eid, (_, iccid) in downloaded.items()}
    seconds = relayed(staging, staging.ctl.profile_enable, enabled, iccids[enabled])
    await_true(lambda: staging.cards.card(enabled)["enabled"] == iccids[enabled], "the card did not switch to what was downloaded")
    print("it enabled one of them by way of the SM-DP: %.2f s" % seconds, flush=True)
    seconds = relayed(staging, staging.ctl.profile_delete, deleted, iccids[deleted])
    if any(p["iccid"] == iccids[deleted] for p in staging.cards.card(deleted)["profiles"]):
        raise RspError("card %s still has the profile that was deleted" % deleted)
    print("and deleted another: %.2f s" % seconds, flush=True)
