# SPDX-License-Identifier: Apache-2.0
"""./rsp test: unit, contract and rule tests by meson, then end-to-end tests against real processes. The last line counts all of them."""
import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
import time
import traceback
import unittest
import xml.etree.ElementTree as ElementTree

from . import ctl, lanes, postgres
from .build import build, environment
from .paths import ROOT, state_dir, state_folder
from .proc import run
from .staging import sanitizer_env
from .template import made_once

NOTICE = re.compile(r"==\d+==Running thread \d+ was not suspended\. False leaks are possible\.$")
MESON_OK = ("OK", "SKIP", "EXPECTEDFAIL")


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, verdict):
        self.passed += verdict == "ok"
        self.failed += verdict == "FAIL"
        self.skipped += verdict == "skip"

    def line(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        return text + (", %d skipped" % self.skipped if self.skipped else "")


def say(verdict, name, seconds=None, text=""):
    print("%-5s %s%s" % (verdict, name, "" if seconds is None else " (%.1f s)" % seconds), flush=True)
    if text:
        print("      " + text.rstrip().replace("\n", "\n      "), flush=True)


def meson_tests(folder, findings, counts, templates=None, full=False):
    """Runs the suite; counts each TAP subtest once, and a test that died without telling which one as one failure."""
    logs = os.path.join(folder, "meson-logs")
    for name in ("testlog.junit.xml", "testlog.json"):
        if os.path.exists(os.path.join(logs, name)):
            os.unlink(os.path.join(logs, name))
    env = dict(environment(), **sanitizer_env(findings))
    if templates:
        # It is copied for each test: small files of the write-ahead log make it a third smaller.
        options = ("-U", "rsp", "-A", "trust", "--wal-segsize=1")
        env["RSP_CLUSTER_TEMPLATE"] = made_once(templates, "unit-cluster", lambda path: postgres.initdb(path, env, *options))
    if full:
        env["RSP_DEEP"] = "1"  # all mutations (tests/unit/card/known.h)
    # Failing is the exit code of meson as well; the logs say it by test.
    _, output = run(["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", "3"], check=False, env=env)
    try:
        suites = ElementTree.parse(os.path.join(logs, "testlog.junit.xml")).getroot().findall("testsuite")
        with open(os.path.join(logs, "testlog.json")) as f:
            results = [json.loads(line) for line in f]
    except (FileNotFoundError, ElementTree.ParseError, ValueError):
        counts.failed += 1
        say("FAIL", "meson test wrote no log", text=output[-3000:])
        return
    # A TAP test is a suite of its own, <project>.<test>; the others tell only how they ended.
    taps = {suite.get("name").split(".", 1)[1]: suite for suite in suites if "." in suite.get("name")}
    for row in results:
        count_meson_test(row, taps.get(row["name"]), counts)


def count_meson_test(row, suite, counts):
    failed, skipped, passed = 0, int(row["result"] == "SKIP"), int(row["result"] in ("OK", "EXPECTEDFAIL"))
    if suite is not None:
        cases = suite.findall("testcase")
        failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
        skipped = sum(case.find("skipped") is not None for case in cases)
        passed = len(cases) - failed - skipped
    bad = row["result"] not in MESON_OK
    counts.failed += failed or bad
    counts.skipped += skipped
    counts.passed += passed
    if bad:
        output = (row.get("stdout") or "") + (row.get("stderr") or "")
        say("FAIL", row["name"], row["duration"], "%s\n%s" % (row["result"], output[-4000:]))
    else:
        say("skip" if skipped and not passed else "ok", "%s: %d" % (row["name"], passed) if suite is not None else row["name"], row["duration"])


class Result(unittest.TestResult):
    """Prints each test as it ends."""

    def __init__(self, counts, tell=say):
        super().__init__()
        self.counts, self.tell = counts, tell
        self.began = {}

    def startTest(self, test):
        super().startTest(test)
        self.began[test] = time.monotonic()
        self.bad = []

    def addFailure(self, test, error):
        self._bad(test, error)

    def addError(self, test, error):
        if not isinstance(test, unittest.TestCase) or test not in self.began:  # a class or module that could not be set up
            self.counts.failed += 1
            self.tell("FAIL", str(test), None, "".join(traceback.format_exception(*error)))
        else:
            self._bad(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self._bad(subtest, error)

    def _bad(self, test, error):
        self.bad.append("%s\n%s" % (test, "".join(traceback.format_exception(*error))))

    def addSkip(self, test, reason):
        self.counts.skipped += 1
        self.began.pop(test, None)
        self.tell("skip", "%s: %s" % (test.id() if hasattr(test, "id") else test, reason))

    def addExpectedFailure(self, test, error):
        self._bad(test, error)  # we have none: a test that fails is a failure

    def stopTest(self, test):
        super().stopTest(test)
        began = self.began.pop(test, None)
        if began is None:
            return  # skipped
        seconds = time.monotonic() - began
        if self.bad:
            self.counts.failed += 1
            self.tell("FAIL", test.id(), seconds, "\n".join(self.bad))
        else:
            self.counts.passed += 1
            self.tell("ok", test.id(), seconds)


def load(path):
    name = os.path.splitext(os.path.relpath(path, ROOT))[0].replace(os.sep, ".").replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def for_full(test):
    """Marked by base.full: told from its neighbours by detail, and slow."""
    return getattr(getattr(test, test._testMethodName), "full", False)


def python_tests(top, depth, pattern, counts):
    """The test cases below top, none when there is no such folder; a module that cannot be read is a failure."""
    tests = []
    for folder, folders, names in sorted(os.walk(os.path.join(ROOT, top))):
        folders.sort()
        if os.path.relpath(folder, os.path.join(ROOT, top)).count(os.sep) + 1 > depth:
            continue
        for name in sorted(n for n in names if n.startswith("test_") and n.endswith(".py")):
            try:
                module = load(os.path.join(folder, name))
            except Exception:
                counts.failed += 1
                say("FAIL", os.path.join(folder, name), None, traceback.format_exc())
                continue
            tests += list(flatten(unittest.defaultTestLoader.loadTestsFromModule(module)))
    return [t for t in tests if pattern is None or pattern in t.id()]


@contextlib.contextmanager
def lane_work(findings, templates, name, tell):
    """What a lane does: gives the function that runs a suite, on stagings of its own."""
    from tests.e2e import base
    with base.Shared(findings, state_folder(name), templates) as shared:
        yield lambda suite: suite.run(Result(Counts(), tell))
    for text in shared.complaints:
        tell("FAIL", text)


def e2e_tests(tests, findings, templates, counts):
    """In lanes; those that need the machine for themselves afterwards. Each kind of staging is started as seldom as possible."""
    from tests.e2e import base

    def report(verdict, name, seconds, text):
        counts.add(verdict)
        say(verdict, name, seconds, text)

    def work(name, tell):
        return lane_work(findings, templates, name, tell)
    together = lanes.items([t for t in tests if not base.alone(type(t))], base.wanted)
    lanes.run_lanes(["lane%d" % n for n in range(1, lanes.LANES + 1)], together, work, report)
    alone = lanes.items([t for t in tests if base.alone(type(t))], base.wanted)
    lanes.run_lanes(["alone"] if alone else [], alone, work, report)


def is_notice(text):
    """The leak checker looked at a process whose threads it could not stop, found nothing, and says only that."""
    return all(NOTICE.match(line) or not line.strip() for line in text.splitlines())


def sanitizer_verdict(findings, counts):
    """One test: no process left a report."""
    reports = {}
    for name in sorted(os.listdir(findings)) if os.path.isdir(findings) else []:
        with open(os.path.join(findings, name), errors="replace") as f:
            reports[name] = f.read()
    bad = {name: text for name, text in reports.items() if not is_notice(text)}
    for name, text in bad.items():
        say("FAIL", "sanitizer report " + name, None, text[:6000])
    counts.failed += bool(bad)
    counts.passed += not bad


def run_containers(pattern):
    """tests/e2e/containers alone, which need no build of this clone."""
    began = time.monotonic()
    counts = Counts()
    sys.path[:0] = [ROOT]
    suite = unittest.TestSuite(python_tests("tests/e2e/containers", 1, pattern, counts))
    suite.run(Result(counts))
    print("%d s" % (time.monotonic() - began))
    print(counts.line(), flush=True)
    return 1 if counts.failed or not counts.passed else 0


def run_tests(full, pattern):
    began = time.monotonic()
    counts = Counts()
    sys.path[:0] = [ROOT]
    findings, templates = os.path.join(state_dir(), "asan"), os.path.join(state_dir(), "templates")
    for path in (findings, templates):
        shutil.rmtree(path, ignore_errors=True)
    os.makedirs(findings)
    state_folder("templates")
    folder = build("check")
    ctl.Ctl.search_all = full
    if pattern is None:
        meson_tests(folder, findings, counts, templates, full)
    tests = python_tests("tests/e2e", 2, pattern, counts) + python_tests("tests/fault", 2, pattern, counts)
    if full:
        build("release")  # what is counted and measured there
        tests += python_tests("tests/full", 2, pattern, counts)
    elif pattern is None:
        tests = [t for t in tests if not for_full(t)]
    e2e_tests(tests, findings, templates, counts)
    sanitizer_verdict(findings, counts)
    print("%d s" % (time.monotonic() - began))
    print(counts.line(), flush=True)
    return 1 if counts.failed else 0
