# SPDX-License-Identifier: Apache-2.0
"""The placed faults that a card passes when it moves from SM-SR1 (domain a) to SM-SR2 (domain b) as an operator orders it, in the order of
procedures.md 3.20; those that only a move passes which does not go well; and which of them one strike may hold."""
import itertools
import re

from tests.fault import points
from tests.fault.points import Cell, Operation

MOVE = Operation("move", "ES4-SMSRChange", "smsr-change", {}, None, None, [])
# Who is there: the process that a name's first word means, on either side.
SIDES = {"1": {"sm-sr": "sm-sr", "sm-sr-handover": "sm-sr-handover", "euicc-sim": "euicc-sim"},
         "2": {"sm-sr": "sm-sr-b", "sm-sr-handover": "sm-sr-handover-b", "euicc-sim": "euicc-sim"}}
SERVERS = ("sm-sr", "sm-sr-handover", "sm-sr-b", "sm-sr-handover-b")
VICTIMS = SERVERS + ("card",)
HANDLED = ("begun", "handled", "committed")
CALLED = ("decoded",) + HANDLED
# Who stands at a point: (name, place, how many may stand there beside others). 0: there is one thread of them, nobody passes it then. An
# outbox worker is one of many, but it keeps its shard; who asks does so again every few seconds, and one more thread stands there. The first
# that fits counts.
PLACES = [(re.compile(pattern), place, room) for pattern, place, room in (
    (r".*\.ask\.|.*\.out\.(locked|settled)\.|.*\.in\.(adopting\.decided|putting_key\.called)", "bus", 0),
    (r".*\.asked\.|sm-sr\.handover\.command\.(decided|committed)", "asked", 1),
    (r".*\.ES[47]-|.*\.out\.(authenticate|keyset|managed)\.|.*\.in\.(authenticating|keying|adopting)\.", "partner", 5),
    (r".*\.out\.(challenge|receipt)\.|.*\.in\.", "asked", 1),
    (r".*\.outbox\.", "outbox", 1),
    (r"euicc-sim\.", "sim", 0),
    (r"sm-sr\.handover\.command\.ended", "card", 0),
)]


class MovePoint:
    """at: the process it is in. place, room: as in PLACES. number: how far the move has come. anyone: it does not know yet whose card it is,
    so whoever comes is held."""
    way = mode = pool = stops = None

    def __init__(self, name, side, anyone=False):
        self.anyone = anyone
        self.name, self.at = name, SIDES[side][name.split(".")[0]]
        place, self.room = next((place, room) for pattern, place, room in PLACES if pattern.match(name))
        self.place, self.number = (self.at, place), None
        if self.room:
            self.pool = self.place
        else:
            self.stops = self.place


def of(side, name, stages, anyone=False):
    return [MovePoint("%s.%s" % (name, stage), side, anyone) for stage in stages]


def asked(side, asker, other, verb):
    """A request between the processes of one domain, from the row to its reply."""
    return (of(side, "%s.ask.%s" % (asker, verb), ("taken",)) + of(side, "%s.asked.%s" % (other, verb), HANDLED) +
            of(side, "%s.ask.%s" % (asker, verb), ("answered",)))


def command(side, *executed):
    """What a card executes for it, and what becomes of that."""
    return (asked(side, "sm-sr-handover", "sm-sr", "command") + of(side, "sm-sr.handover.command", ("decided", "committed")) + list(executed) +
            of(side, "sm-sr.handover.command", ("ended",)) + asked(side, "sm-sr", "sm-sr-handover", "outcome"))


def executed(what):
    return of("2", "euicc-sim." + what, ("received", "executed", "saved"))


def called_back(function, came, answer, then=()):
    """SM-SR2's call, the card's word, and that at SM-SR2."""
    yield from of("1", "sm-sr-handover.ES7-" + function, HANDLED)
    yield from of("1", "sm-sr-handover.out." + came, ("decided", "committed"))
    yield from then
    yield from of("1", "sm-sr-handover.out." + answer, ("decided", "committed"))


def ordered():
    yield from of("2", "sm-sr.ES4-PrepareSMSRChange", CALLED)
    yield from asked("2", "sm-sr", "sm-sr-handover", "prepare")
    yield from of("1", "sm-sr.ES4-SMSRChange", CALLED)
    yield from asked("1", "sm-sr", "sm-sr-handover", "change")
    yield from asked("1", "sm-sr-handover", "sm-sr", "export")
    yield from of("1", "sm-sr-handover.out.locked", ("decided",))


def agreed():
    yield from of("2", "sm-sr-handover.ES7-HandoverEUICC", CALLED)
    yield from of("2", "sm-sr-handover.in.authenticating", ("called",))
    yield from of("2", "sm-sr-handover.outbox", ("taken", "delivered"))
    yield from called_back("AuthenticateSMSR", "authenticate", "challenge", command("1"))
    yield from of("1", "sm-sr-handover.outbox", ("taken", "delivered"))
    yield from of("2", "sm-sr-handover.ES7-AuthenticateSMSR", HANDLED, True)  # SM-SR1's callbacks
    yield from of("2", "sm-sr-handover.in.authenticating", ("decided",))
    yield from of("2", "sm-sr-handover.in.keying", ("called",))
    yield from called_back("CreateAdditionalKeySet", "keyset", "receipt")
    yield from of("2", "sm-sr-handover.ES7-CreateAdditionalKeySet", HANDLED, True)
    yield from of("2", "sm-sr-handover.in.keying", ("decided",))
    yield from of("2", "sm-sr-handover.in.adopting", ("called",))


def taken_over():
    yield from asked("2", "sm-sr-handover", "sm-sr", "adopt")
    yield from of("2", "sm-sr-handover.in.adopting", ("decided",))
    yield from of("2", "sm-sr-handover.in.putting_key", ("called",))
    yield from command("2", *executed("put-key"))
    yield from of("2", "sm-sr-handover.in.putting_key", ("decided",))
    for state, what in (("addressing", executed("addressing")), ("finalising", executed("finalise"))):
        yield from of("2", "sm-sr-handover.in." + state, ("called",)) + what + of("2", "sm-sr-handover.in." + state, ("decided",))
    yield from of("2", "sm-sr-handover.in.auditing", ("called",))


def ended():
    yield from of("1", "sm-sr-handover.ES7-HandoverEUICC", CALLED, True)  # SM-SR2's callback
    yield from of("1", "sm-sr-handover.out.managed", ("decided", "committed"))
    yield from asked("1", "sm-sr-handover", "sm-sr", "drop")
    yield from of("1", "sm-sr-handover.out.settled", ("decided",))
    yield from asked("2", "sm-sr-handover", "sm-sr", "announce")
    yield from of("2", "sm-sr-handover.in.auditing", ("decided",))


POINTS = tuple(itertools.chain(ordered(), agreed(), taken_over(), ended()))
for number, point in enumerate(POINTS):
    point.number = number
# When a move comes to a place for the first time.
FIRST = {}
for point in POINTS:
    FIRST.setdefault(point.place, point.number)
# The card has executed something before its first placed fault: what SM-SR1 asks of it.
FIRST["euicc-sim", "sim"] = next(p.number for p in POINTS if (p.name, p.at) == ("sm-sr.handover.command.ended", "sm-sr"))


def cells(victims=VICTIMS):
    return [Cell(victim, point, MOVE) for victim, point in itertools.product(victims, POINTS)]


def stopped_by(point, other):
    """The move that shall be held at the one does not get there while another is held at the other."""
    return other.anyone or (other.stops is not None and FIRST[other.stops] <= point.number)


def fits(strike, cell):
    """May it be held beside the others? Those that stop others are held behind them."""
    point = cell.point
    if point.room and sum(c.point.place == point.place for c in strike) >= point.room:
        return False
    return not any(stopped_by(point, c.point) and stopped_by(c.point, point) for c in strike) and ranks([*strike, cell]) is not None


def ranks(strike):
    """Cells of a lower one are held before: {point: rank}; None: each stops another."""
    left, found = {cell.point for cell in strike}, {}
    for rank in range(len(left)):
        free = {p for p in left if not any(stopped_by(q, p) for q in left if q is not p)}
        if not free:
            return None if left else found
        found.update((p, rank) for p in free)
        left -= free
    return found if not left else None


def strikes(chosen):
    return points.strikes(chosen, fits)


# Placed faults of moves that no move which goes well passes, and why.
LEFT_OUT = {
    r"sm-sr-handover\.out\.(busy|card_failed|refused|peer_expired|deadline)\..*": "a move that is refused or too late: handover_out_test.c, handover_out_bad_test.c",
    r"sm-sr-handover\.out\.again\..*": "an SM-SR2 that does not answer: handover_out_test.c",
    r"sm-sr-handover\.out\.resolve_(moved|kept)\..*": "a person decides: handover_out_test.c",
    r"sm-sr-handover\.ask\.(unlock|tell)\..*": "the end of the same: handover_out_test.c",
    r"sm-sr\.asked\.(unlock|tell)\..*": "and its other side: smsr_change_test.c",
    r"sm-sr-handover\.in\.[a-z_]+\.(due|committed)": "an SM-SR1 or a card that is silent in just this state: handover_in_test.c",
}
