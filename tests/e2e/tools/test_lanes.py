# SPDX-License-Identifier: Apache-2.0
"""./rsp test runs end-to-end tests in lanes: none is lost, none runs twice, and a lane that dies is a failure."""
import contextlib
import os
import signal
import subprocess
import tempfile
import unittest

from rsp import lanes, paths, proc, testing


class Sample(unittest.TestCase):
    """Not collected by the runner's pattern on its own: run by the tests below."""
    key = "a"

    def passes(self):
        pass

    def fails(self):
        self.fail("as it should")

    def dies(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Other(Sample):
    key = "b"


@contextlib.contextmanager
def work(name, tell):
    yield lambda suite: suite.run(testing.Result(testing.Counts(), lambda verdict, test, *more: tell(verdict, name + " " + test, *more)
                                                 if "passes" in test else tell(verdict, test, *more)))
    tell("FAIL", "the last word of " + name)


def run(names, *tests):
    said = []
    lanes.run_lanes(names, lanes.items(tests, lambda kind: kind.key), work, lambda *row: said.append(row))
    return said


class Order(unittest.TestCase):
    def items(self, *rows):
        return [lanes.Item(key, [None] * count) for key, count in rows]

    def test_a_lane_keeps_its_staging(self):
        small, big, more = all_items = self.items(("a", 1), ("b", 30), ("a", 2))
        plan = lanes.Plan(all_items)
        self.assertEqual([plan.take("a", ["b"]) for _ in range(2)], [small, more])

    def test_it_begins_with_the_most_work_that_nobody_has(self):
        small, big, middle = all_items = self.items(("a", 1), ("b", 30), ("c", 2))
        plan = lanes.Plan(all_items)
        self.assertIs(plan.take(None, [None]), big)
        self.assertIs(plan.take(None, ["b"]), middle)

    def test_it_helps_when_that_is_worth_a_staging(self):
        first, second, last = all_items = self.items(("a", 5), ("a", lanes.SPLIT), ("a", 1))
        plan = lanes.Plan(all_items)
        self.assertIs(plan.take(None, ["a"]), first)
        self.assertIs(plan.take(None, ["a"]), second)
        self.assertIsNone(plan.take(None, ["a"]))
        self.assertIs(plan.take("a", []), last)

    def test_what_needs_no_staging_fills_up(self):
        filler, rest = all_items = self.items((None, 1), ("a", 1))
        plan = lanes.Plan(all_items)
        self.assertIs(plan.take("a", []), rest)
        self.assertIs(plan.take("a", []), filler)
        self.assertIsNone(plan.take("a", []))


class Lanes(unittest.TestCase):
    def test_each_test_once_and_the_last_words(self):
        said = run(["one", "two"], Sample("passes"), Sample("fails"), Other("passes"))
        ok = sorted(row[1].split(" ", 1)[0] for row in said if row[0] == "ok")
        self.assertEqual(ok, ["one", "two"])
        self.assertEqual(sorted(row[1] for row in said if row[0] == "FAIL"),
                         sorted([Sample("fails").id(), "the last word of one", "the last word of two"]))
        self.assertIn("as it should", [row[3] for row in said if row[1] == Sample("fails").id()][0])

    def test_a_lane_that_dies_fails_what_it_had_taken_and_no_other(self):
        said = run(["one", "two"], Sample("dies"), Sample("fails"), Other("passes"))
        failed = {row[1]: row[3] for row in said if row[0] == "FAIL"}
        self.assertEqual(sorted(failed), sorted([Sample("dies").id(), Sample("fails").id(), "the last word of two"]))
        self.assertIn("exit code -9", failed[Sample("dies").id()])
        self.assertEqual([row[1] for row in said if row[0] == "ok"], ["two " + Other("passes").id()])

    def test_without_a_lane_nothing_passes(self):
        said = run(["one"], Sample("dies"), Other("passes"))
        self.assertEqual([row[:2] for row in said], [("FAIL", Sample("dies").id()), ("FAIL", Other("passes").id())])

    def test_who_is_asked_to_end_ends_its_lanes_and_their_children(self):
        code = ("import contextlib, sys, unittest\nsys.path.insert(0, %r)\nfrom rsp import lanes, proc\nproc.install_signals()\n"
                "class Sleeps(unittest.TestCase):\n"
                "    def runTest(self):\n"
                "        child = proc.spawn(['/bin/sleep', '600'])\n"
                "        try:\n            print(child.pid, flush=True)\n            child.wait()\n"
                "        finally:\n            proc.end(child, 15)\n            print('cleaned', flush=True)\n"
                "@contextlib.contextmanager\ndef work(name, tell):\n    yield lambda suite: suite.run(unittest.TestResult())\n"
                "try:\n    lanes.run_lanes(['one'], lanes.items([Sleeps()], lambda kind: 'a'), work, print)\n"
                "except proc.Interrupted as e:\n    sys.exit(128 + e.signum)\n" % os.path.join(paths.ROOT, "tools"))
        for signum, last in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
            with self.subTest(signal=signum), tempfile.TemporaryFile("w+") as errors:
                parent = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True)
                with parent.stdout:
                    child = int(parent.stdout.readline())
                    parent.send_signal(signum)
                    self.assertEqual(parent.wait(30), last)
                    self.assertEqual(parent.stdout.read(), "cleaned\n")  # its end says that nobody has it open any more
                self.assertIsNone(proc.start_time(child))


if __name__ == "__main__":
    unittest.main()
