# SPDX-License-Identifier: Apache-2.0
"""End-to-end tests in lanes: processes of their own, each with its own staging, that take one test class after the other. What a lane
says comes back over a socket, one JSON object a line; a lane that ends early fails every test it had taken."""
import json
import os
import select
import signal
import socket
import sys
import traceback
import unittest

from .proc import WATCHED, Interrupted, tie_to_parent, wait_pid_end

LANES = 2
SPLIT = 10      # tests of one kind that are left when a second staging of that kind pays
STOP_S = 90.0   # for a lane that is asked to end: its staging ends first


class Item:
    """The tests of one class: what a lane takes at once. key: the staging they share; None: they need none."""

    def __init__(self, key, tests):
        self.key, self.tests = key, tests


def items(tests, key_of):
    """In the order of the tests."""
    found = {}
    for test in tests:
        found.setdefault(type(test), []).append(test)
    return [Item(key_of(kind), of_kind) for kind, of_kind in found.items()]


class Plan:
    """Which class a lane takes next: one for the staging it has; else of the kind with most left that nobody else has begun; else it helps
    another lane, when that is worth a staging; last, what needs no staging."""

    def __init__(self, all_items):
        self.left = list(all_items)

    def take(self, key, others):
        """The next Item of a lane whose staging is of kind key; others: the kinds of the other lanes. None: nothing left for it."""
        sizes = {}
        for item in self.left:
            if item.key is not None:
                sizes[item.key] = sizes.get(item.key, 0) + len(item.tests)
        if key not in sizes:
            free = [k for k in sizes if k not in others]
            worth = [k for k in sizes if sizes[k] >= SPLIT]
            key = max(free or worth, key=sizes.get, default=None)
        for item in self.left:
            if item.key == key:
                self.left.remove(item)
                return item
        return None


class Lane:
    """The parent's side of one lane."""

    def __init__(self, name, all_items, work, others):
        self.name, self.key, self.names, self.text = name, None, [], b""
        self.socket, theirs = socket.socketpair()
        parent = os.getpid()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            for lane in [self] + others:  # their ends must be the parent's alone
                lane.socket.close()
            _child(parent, theirs, all_items, work)
        theirs.close()

    def send(self, number, item):
        self.key = item.key or self.key
        self.names = [test.id() for test in item.tests]
        self._write(b"%d\n" % number)

    def no_more(self):
        self.socket.shutdown(socket.SHUT_WR)

    def _write(self, data):
        try:
            self.socket.sendall(data)
        except BrokenPipeError:
            pass  # it ended: its socket says so at the next reading

    def receive(self):
        """What it has said since; None: it ended."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            return None
        *lines, self.text = (self.text + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def reap(self):
        """Waits for its end; the exit code."""
        self.socket.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def ask_to_end(self):
        os.kill(self.pid, signal.SIGTERM)

    def await_end(self):
        if not wait_pid_end(self.pid, STOP_S):
            os.kill(self.pid, signal.SIGKILL)
        self.reap()


def _child(parent, pipe, all_items, work):
    """Never returns."""
    code = 1
    try:
        os.setsid()  # the terminal's Ctrl-C reaches ./rsp alone, which asks us
        tie_to_parent(signal.SIGTERM, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        _serve(pipe, all_items, work)
        code = 0
    except Interrupted as e:
        code = 128 + e.signum
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _serve(pipe, all_items, work):
    def tell(verdict, name, seconds=None, text=""):
        pipe.sendall(json.dumps([verdict, name, seconds, text]).encode() + b"\n")
    with work(tell) as run, pipe.makefile("r") as numbers:
        for number in numbers:
            run(unittest.TestSuite(all_items[int(number)].tests))
            pipe.sendall(b"null\n")


def run_lanes(names, all_items, work, report):
    """Runs all items in a lane for each name. work(tell) is entered in the lane and gives the function that runs a suite there;
    report(verdict, name, seconds, text) is called here for each test as it ends."""
    plan, numbers, lanes = Plan(all_items), {id(item): n for n, item in enumerate(all_items)}, []
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # a signal between fork and try would unwind the parent's stack in the child
        for name in names:
            lanes.append(Lane(name, all_items, lambda tell, name=name: work(name, tell), list(lanes)))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        for lane in list(lanes):
            _next(lane, lanes, plan, numbers)
        while lanes:
            for fd in select.select([lane.socket for lane in lanes], [], [])[0]:
                _hear([lane for lane in lanes if lane.socket is fd][0], lanes, plan, numbers, report)
    finally:
        for lane in lanes:
            lane.ask_to_end()
        for lane in lanes:
            lane.await_end()
    for test in [test for item in plan.left for test in item.tests]:  # no lane was left to take it
        report("FAIL", test.id(), None, "did not run")


def _next(lane, lanes, plan, numbers):
    item = plan.take(lane.key, [other.key for other in lanes if other is not lane])
    if item is None:
        lane.key = None
        lane.no_more()
    else:
        lane.send(numbers[id(item)], item)


def _hear(lane, lanes, plan, numbers, report):
    said = lane.receive()
    if said is None:
        lanes.remove(lane)
        code = lane.reap()
        for name in lane.names:
            report("FAIL", name, None, "lane %s ended with exit code %d before this test did" % (lane.name, code))
        if code and not lane.names:
            report("FAIL", "lane %s ended with exit code %d" % (lane.name, code), None, "")
        return
    for line in said:
        if line is None:
            lane.names = []
            _next(lane, lanes, plan, numbers)
        else:
            report(*line)
            lane.names = [name for name in lane.names if name != line[1]]
