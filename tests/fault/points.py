# SPDX-License-Identifier: Apache-2.0
"""What the crash matrix is made of: operations, the placed faults each of them passes, victims; and how cells are put together into
strikes, so that one death tests many of them."""
import collections
import itertools

class Operation:
    """order: path below /v1/euiccs/{eid}/. counts: what the card must have executed, exactly. enabled, left: of the profiles a (bootstrap,
    fall-back) and b afterwards. told: what operator-a hears. before: it is ordered first, and has ended."""

    def __init__(self, name, function, order, counts, enabled, left, told, before=None):
        self.name, self.function, self.order, self.counts = name, function, order, counts
        self.enabled, self.left, self.told, self.before = enabled, left, told, before


OPERATIONS = {row.name: row for row in (
    Operation("enable", "ES4-EnableProfile", "profiles/{b}/enable", {"enables": 1}, "b", "ab", [("disabled", "a")]),
    Operation("disable", "ES4-DisableProfile", "profiles/{b}/disable", {"disables": 1}, "a", "ab", [("enabled", "a")], "enable"),
    Operation("delete", "ES4-DeleteProfile", "profiles/{b}/delete", {"deletes": 1}, "a", "a", []),
    # Of an enabled profile: two commands, a restart between them.
    Operation("delete-on", "ES4-DeleteProfile", "profiles/{b}/delete", {"disables": 1, "deletes": 1}, "a", "a", [("enabled", "a")], "enable"),
    Operation("audit", "ES4-AuditEIS", "audit", {}, "a", "ab", []),
)}
COUNTERS = ("enables", "disables", "deletes")
SWITCHES = ("enable", "disable", "delete-on")  # the card restarts and notifies


class Point:
    """name: {function} is the operation's. at: the process it is in. rank: cells of a lower one are held before: they pass places that
    the others stop. stops: what nobody passes while a cell is held there; None: it holds a thread of a pool, and `pool` says which.
    operations: who passes it; None: all. way: how the card or the order must be for that."""

    def __init__(self, name, at, rank, stops=None, pool=None, operations=None, way=None, mode=None):
        self.name, self.at, self.rank, self.stops, self.pool = name, at, rank, stops, pool
        self.operations, self.way, self.mode = operations, way, mode


def points():
    for stage in ("begun", "handled", "committed"):
        yield Point("operator-gateway.{function}." + stage, "operator-b", 0, pool="operator-b")
        yield Point("operator-gateway.ES4-HandleProfileDisabledNotification." + stage, "operator-a", 0, pool="operator-a", operations=("enable",))
        yield Point("operator-gateway.ES4-HandleProfileEnabledNotification." + stage, "operator-a", 0, pool="operator-a",
                    operations=("disable", "delete-on"))
    for stage in ("decoded", "begun", "handled", "committed"):
        yield Point("sm-sr.{function}." + stage, "sm-sr", 0, pool="partner")
    yield Point("sm-sr.card.loaded", "sm-sr", 0, pool="cards")
    for what, operations in (("fetched", None), ("answered", None), ("notified", SWITCHES), ("confirmed", SWITCHES)):
        for stage in ("decided", "committed"):
            yield Point("sm-sr.card.%s.%s" % (what, stage), "sm-sr", 0, pool="cards", operations=operations)
    yield Point("sm-sr.card.lost", "sm-sr", 1, "sweeper", way="cut")
    yield Point("sm-sr.card.expired", "sm-sr", 1, "sweeper", way="off")
    for stage in ("taken", "delivered"):
        yield Point("sm-sr.outbox." + stage, "sm-sr", 1, "outbox")
    for stage in ("fetched", "answered"):
        yield Point("sm-sr.parked." + stage, "sm-sr", 1, "parked", mode="connection")
    yield Point("sm-sr.sms.answered", "sm-sr", 2, "sms")
    for stage in ("received", "executed", "saved"):
        yield Point("euicc-sim.script." + stage, "euicc-sim", 2, "sim")
        yield Point("euicc-sim.confirmation." + stage, "euicc-sim", 2, "sim", operations=SWITCHES)
    for stage in ("due", "sent"):
        yield Point("euicc-sim.notification." + stage, "euicc-sim", 2, "sim", operations=SWITCHES)
    for stage in ("sent", "built"):
        yield Point("sm-sr.sms." + stage, "sm-sr", 3, "sms")
    for stage in ("taken", "delivered"):
        yield Point("operator-gateway.outbox." + stage, "operator-b", 4, "gateway")
    yield Point("operator-gateway.order.committed", "operator-b", 0, pool="northbound")


POINTS = tuple(points())
VICTIMS = ("sm-sr", "card", "gateway", "postgres", "nats")
# Each stops what the other has to pass.
APART = {"sim": ("sm-sr.sms.answered",)}
POOL = 2  # threads of one pool that are held at a time: a connection that is dealt to one of them waits

Cell = collections.namedtuple("Cell", "victim point operation")


def cells(victims=VICTIMS, operations=tuple(OPERATIONS), points=POINTS):
    return [Cell(victim, point, OPERATIONS[operation]) for victim, point, operation in itertools.product(victims, points, operations)
            if point.operations is None or operation in point.operations]


def fits(strike, cell):
    """May it be held beside the others?"""
    pool = sum(c.point.pool == cell.point.pool for c in strike)
    if cell.point.pool:
        return pool < POOL
    for other in strike:
        if other.point.stops == cell.point.stops:
            return False
        if other.point.name in APART.get(cell.point.stops, ()) or cell.point.name in APART.get(other.point.stops, ()):
            return False
    return True


def strikes(chosen, fits=fits):
    """The cells of one victim in as few strikes as may be; the scarcest places are dealt first."""
    scarce = collections.Counter(cell.point.stops or cell.point.pool for cell in chosen)
    dealt = []
    for cell in sorted(chosen, key=lambda c: -scarce[c.point.stops or c.point.pool] / (1 if c.point.stops else POOL)):
        room = [strike for strike in dealt if fits(strike, cell)]
        if room:
            min(room, key=len).append(cell)
        else:
            dealt.append([cell])
    return dealt
