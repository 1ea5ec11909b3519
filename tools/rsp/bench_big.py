# SPDX-License-Identifier: Apache-2.0
"""./rsp bench --big: what grows. A table of a million EIS against one of a thousand, 10,000 cards that wait in their sessions, two replicas
against one. In all rows more is better: a ratio below its floor is a floor not met."""
import subprocess
import time

from . import bench, bench_cards
from .bench import median, say
from .paths import RspError

SERVICES = ("eum", "sm-sr")
NEEDS = dict(bench.NEEDS, services=SERVICES)
TWO = dict(NEEDS, replicas=2, balancer=True)
# 1 M EIS may take 1.3 times as long as 1 k; a session 64 KiB; two replicas on the same cores have 0.9 of what one does.
GROWN, SESSION_KIB, REPLICAS = 1 / 1.3, 64, 0.9
WAIT_S, HELD_S = 1200, 3000


class Sizes(bench.Sizes):
    """few, many: EIS in the table. waiting: cards with a script each. crowd: cards that switch at a time before two replicas. The others as
    in bench.Sizes; so few switch at a time that p50 is the time of an operation and not of its queue."""

    def __init__(self, few, many, waiting, crowd, **more):
        super().__init__(cards=many, registrations=0, commit_s=0, **more)
        self.few, self.many, self.waiting, self.crowd = few, many, waiting, crowd


# The warm-up is long: each backend faults on each page of the shared memory that it sees first.
FULL = Sizes(1000, 1_000_000, 10_000, 32, reads=50_000, seconds=5, warm_up=90, rounds=3, switching=500, in_flight=8)
QUICK = Sizes(50, 500, 24, 4, reads=64, seconds=0.3, warm_up=0.3, rounds=1, switching=8, in_flight=4)


def row(name, value, unit, limit, ratio, floor):
    return {"name": name, "value": value, "unit": unit, "limit": limit, "ratio": ratio, "floor": floor}


class Grown:
    """p50 of both functions, with few EIS in the table and with many."""

    def __init__(self, b, fleet):
        self.bench, self.fleet, self.sizes = b, fleet, b.sizes
        self.at = 0

    def fill(self, many):
        began = time.monotonic()
        self.bench.fill(self.fleet.eids[0], range(self.at, many))
        self.at = many
        say("%d EIS after %.0f s" % (many, time.monotonic() - began))

    def p50(self):
        """(GetEIS, EnableProfile) in microseconds."""
        sizes = self.sizes
        path = self.bench.get_requests(self.at, sizes.reads)
        self.bench.get_rate(path, sizes.warm_up)
        self.bench.enable_rate(self.fleet, sizes.warm_up / 2)
        get, enable = [], []
        for _ in range(sizes.rounds):
            get.append(self.bench.get_rate(path, sizes.seconds)["p50_us"])
            enable.append(self.bench.enable_rate(self.fleet, 2 * sizes.seconds)["p50_us"])
        say("p50 with %d EIS: GetEIS %d us, EnableProfile %d us" % (self.at, median(get), median(enable)))
        return median(get), median(enable)

    def rows(self):
        self.fill(self.sizes.few)
        few = self.p50()
        self.fill(self.sizes.many)
        many = self.p50()
        return [row("%s p50 at %d EIS" % (name, self.sizes.many), after, "us", before, before / after, GROWN)
                for name, before, after in zip(("ES4.GetEIS", "ES4.EnableProfile"), few, many)]


def held(staging):
    return int(staging.psql("sm_sr", "select count(*) from card_command c join card_session s on s.eid = c.eid and s.id = c.session"
                            " where c.state = 1"))


def waiting(b, fleet):
    """Every card has executed a script in a session of its own and keeps the answer to itself; then all answer."""
    staging, wanted = b.staging, b.sizes.waiting
    say("%d cards more: %.0f registered per second" % (wanted, fleet.grow(wanted - len(fleet.eids))))
    before = staging.memory()["sm-sr"]
    staging.cards.hook("hold-answer")
    command = fleet.command(b.smsr_port(), wanted, "--operations", wanted, "--validity", HELD_S)
    with subprocess.Popen(command, env=b.env, stdout=subprocess.PIPE, text=True, pass_fds=fleet.descriptors()) as load:
        try:
            began = time.monotonic()
            bench_cards.await_true(lambda: load.poll() is not None or held(staging) >= wanted, "not every card waits with a script", WAIT_S)
            if load.poll() is not None:
                raise RspError("the load program ended while cards hold their answers: %s" % load.stdout.read())
            after = staging.memory()["sm-sr"]
            say("%d cards wait after %.0f s: sm-sr %d KiB, before %d KiB" % (wanted, time.monotonic() - began, after, before))
            staging.cards.unhook("hold-answer")
            done = load.communicate(timeout=WAIT_S)[0]
        finally:
            load.kill()
    fleet.ended(done)
    each = max(after - before, 1) / wanted
    return row("sm-sr per waiting card, of %d" % wanted, each, "KiB PSS", SESSION_KIB, SESSION_KIB / each, 1.0)


class Replicas:
    """One and two of them in turn behind a balancer, which takes its part of the cores both times."""

    def __init__(self, b, fleet):
        self.bench, self.fleet, self.staging = b, fleet, b.staging

    def _both(self, running):
        if running:
            self.staging.start_service("sm-sr-2")
            self.staging.supervisor.wait_until(self.staging.balancer.child, self.staging.balancer.answers, 30, "balancing")
        elif self.staging.stop_service("sm-sr-2") != 0:
            raise RspError("sm-sr-2 did not end well")

    def rates(self, path):
        sizes = self.bench.sizes
        return (self.bench.get_rate(path, sizes.seconds)["rate"],
                self.bench.enable_rate(self.fleet, 2 * sizes.seconds, sizes.crowd)["rate"])

    def rows(self):
        sizes = self.bench.sizes
        self.bench.fill(self.fleet.eids[0], range(sizes.few))
        path = self.bench.get_requests(sizes.few, sizes.reads)
        self.bench.get_rate(path, sizes.warm_up)
        one, two = [], []
        for _ in range(sizes.rounds):
            two.append(self.rates(path))
            self._both(False)
            one.append(self.rates(path))
            self._both(True)
        rows = []
        for at, (name, unit) in enumerate((("ES4.GetEIS", "requests/s"), ("ES4.EnableProfile", "operations/s"))):
            value, limit = median([r[at] for r in two]), median([r[at] for r in one])
            rows.append(row("%s, two replicas" % name, value, unit, limit, value / limit, REPLICAS))
        return rows


def measure(build_folder, sizes):
    with bench.staged(build_folder, NEEDS) as staging, bench_cards.fleet(staging) as fleet:
        b = bench.Bench(staging, sizes)
        fleet.grow(sizes.switching)
        rows = Grown(b, fleet).rows()
        rows.append(waiting(b, fleet))
    with bench.staged(build_folder, TWO) as staging, bench_cards.fleet(staging) as fleet:
        b = bench.Bench(staging, sizes)
        fleet.grow(sizes.switching)
        return rows + Replicas(b, fleet).rows()
