# SPDX-License-Identifier: Apache-2.0
"""What the crash matrix of downloads is made of: the placed faults that a download passes, victims; and which cells one strike may hold."""
import itertools

from tests.fault import points
from tests.fault.points import Cell, Operation, Point

VICTIMS = ("sm-dp", "sm-sr", "gateway", "card")
GATEWAY = "operator-a"
# Ways of a download: as ordered; of which the card refuses an element; which enables what it installs; of a card that is off; that
# goes off for the whole time when it has an ISD-P and nobody heard of it; that another order keeps busy; whose session is cut.
OPERATIONS = {name: Operation(name, "ES2-DownloadProfile", None, {}, None, None, []) for name in ("download", "fail", "enable", "off", "dark", "busy", "cut")}
SLOW = ("off", "dark")  # they take a whole validity period

# Places that all downloads pass, by who stands there; a cell that is held at one lets nobody pass. What a download needs until ...
ORDERED = ("gateway.outbox",)
ASKED = ORDERED + ("sm-dp.outbox",)
WOKEN = ASKED + ("sms",)
CREATED = WOKEN + ("sim", "sm-sr.outbox")
INSTALLED = CREATED + ("sm-sr.waits",)
POOL = 3


class DownloadPoint(Point):
    """needs: the places that must be free until it is reached: with the more of them, the earlier it is held."""

    def __init__(self, name, at, needs=INSTALLED, stops=None, pool=None, way="download", mode=None):
        super().__init__(name, at, len(INSTALLED) + 1 - len(needs) if stops else 0, stops, pool, (way,), None if way in ("download", "fail", "enable") else way, mode)
        self.needs = needs


def sm_dp():
    at, pool = "sm-dp", "sm-dp"
    for stage in ("decoded", "begun", "handled", "committed"):
        yield DownloadPoint("sm-dp.ES2-DownloadProfile." + stage, at, pool=pool)
    yield DownloadPoint("sm-dp.download.get_eis.called", at, pool=pool)
    for name in ("sm-dp.outbox.taken", "sm-dp.outbox.delivered", "sm-dp.download.get_eis.answered", "sm-dp.download.create_isdp.called"):
        yield DownloadPoint(name, at, ORDERED, "sm-dp.outbox")
    for name in ("create_isdp.answered", "key_certificate.called", "key_certificate.answered", "key_request.called", "key_request.answered",
                 "install.called", "install.answered", "complete.called"):
        yield DownloadPoint("sm-dp.download." + name, at, pool=pool)
    yield DownloadPoint("sm-dp.download.complete.answered", at, INSTALLED, "sm-dp.outbox")
    for stage in ("begun", "handled", "committed"):
        yield DownloadPoint("sm-dp.ES3-CreateISDP." + stage, at, pool=pool)
        yield DownloadPoint("sm-dp.ES3-SendData." + stage, at, pool=pool)
        yield DownloadPoint("sm-dp.ES3-DeleteISDP." + stage, at, pool=pool, way="fail")
        yield DownloadPoint("sm-dp.ES3-EnableProfile." + stage, at, pool=pool, way="enable")
    for stage in ("called", "answered"):
        yield DownloadPoint("sm-dp.download.delete." + stage, at, pool=pool, way="fail")
    yield DownloadPoint("sm-dp.download.enable.called", at, INSTALLED, "sm-dp.outbox", way="enable")
    yield DownloadPoint("sm-dp.download.enable.answered", at, pool=pool, way="enable")
    for way in SLOW:
        yield DownloadPoint("sm-dp.download.delete_expired.called", at, pool=pool, way=way)
    for stage in ("due", "committed"):
        yield DownloadPoint("sm-dp.download.create_isdp." + stage, at, ASKED, "sm-dp.clock", way="busy")
    for stage in ("fetched", "answered"):
        yield DownloadPoint("sm-dp.parked." + stage, at, INSTALLED, "sm-dp.parked", mode="connection")


def sm_sr():
    at = "sm-sr"
    for stage in ("decoded", "begun", "handled", "committed"):
        for function in ("GetEIS", "CreateISDP", "SendData", "ProfileDownloadCompleted"):
            yield DownloadPoint("sm-sr.ES3-%s.%s" % (function, stage), at, pool="partner")
        yield DownloadPoint("sm-sr.ES3-DeleteISDP." + stage, at, pool="partner", way="fail")
        yield DownloadPoint("sm-sr.ES3-EnableProfile." + stage, at, pool="partner", way="enable")
    yield DownloadPoint("sm-sr.card.loaded", at, pool="cards")
    for stage in ("decided", "committed"):
        for what in ("fetched", "answered", "established", "installed"):
            yield DownloadPoint("sm-sr.card.%s.%s" % (what, stage), at, pool="cards")
        for what in ("establishing", "installing"):
            yield DownloadPoint("sm-sr.card.%s.%s" % (what, stage), at, CREATED, "sm-sr.waits")
    yield DownloadPoint("sm-sr.card.kept", at, pool="cards")
    yield DownloadPoint("sm-sr.card.resumed", at, CREATED, "sm-sr.waits")
    yield DownloadPoint("sm-sr.card.lost", at, CREATED, "sweeper", way="cut")
    yield DownloadPoint("sm-sr.card.expired", at, ASKED, "sweeper", way="off")
    yield DownloadPoint("sm-sr.card.expired", at, CREATED, "sweeper", way="dark")
    for stage in ("taken", "delivered"):
        yield DownloadPoint("sm-sr.outbox." + stage, at, WOKEN + ("sim",), "sm-sr.outbox")
    for stage in ("built", "sent"):
        yield DownloadPoint("sm-sr.sms." + stage, at, ASKED, "sms")
    yield DownloadPoint("sm-sr.sms.answered", at, ASKED + ("sim",), "sms")


def others():
    for stage in ("received", "executed", "saved"):
        yield DownloadPoint("euicc-sim.script." + stage, "euicc-sim", WOKEN, "sim")
        for what in ("store-data", "segment"):
            yield DownloadPoint("euicc-sim.%s.%s" % (what, stage), "euicc-sim", WOKEN + ("sm-sr.outbox", "sm-sr.waits"), "sim")
    yield DownloadPoint("operator-gateway.order.committed", GATEWAY, pool="northbound")
    for stage in ("taken", "delivered"):
        yield DownloadPoint("operator-gateway.outbox." + stage, GATEWAY, (), "gateway.outbox")
    for stage in ("begun", "handled", "committed"):
        yield DownloadPoint("operator-gateway.ES2-DownloadProfile." + stage, GATEWAY, pool=GATEWAY)


POINTS = tuple(itertools.chain(sm_dp(), sm_sr(), others()))


def cells(victims=VICTIMS):
    return [Cell(victim, point, OPERATIONS[point.operations[0]]) for victim, point in itertools.product(victims, POINTS)]


def in_the_way(first, then):
    """The one that is held first stops the other."""
    return first.stops is not None and first.stops in then.needs


def fits(strike, cell):
    """May it be held beside the others? Slow ones go together."""
    point = cell.point
    if point.pool and sum(c.point.pool == point.pool for c in strike) >= POOL:
        return False
    for other in (c.point for c in strike):
        if (other.way in SLOW) != (point.way in SLOW) or (point.stops and other.stops == point.stops):
            return False
        if other.rank <= point.rank and in_the_way(other, point) or point.rank <= other.rank and in_the_way(point, other):
            return False
    return True


def strikes(chosen):
    return points.strikes(chosen, fits)
