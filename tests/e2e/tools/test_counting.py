# SPDX-License-Identifier: Apache-2.0
"""./rsp test counts what ran: a failure, a crash or a timeout can hide nowhere."""
import contextlib
import io
import os
import subprocess
import tempfile
import unittest

from rsp import build, testing

PROJECT = """project('x')
sh = find_program('sh')
test('taps', sh, args: ['-c', 'printf "1..3\\nok 1 - a\\nnot ok 2 - b\\nok 3 - c # SKIP no data\\n"'], protocol: 'tap')
test('tap-crash', sh, args: ['-c', 'printf "1..2\\nok 1 - a\\n"; kill -9 $$'], protocol: 'tap')
test('tap-short', sh, args: ['-c', 'printf "1..3\\nok 1 - a\\n"'], protocol: 'tap')
test('tap-ok', sh, args: ['-c', 'printf "1..2\\nok 1 - a\\nok 2 - b\\n"'], protocol: 'tap')
test('plain-ok', sh, args: ['-c', 'exit 0'])
test('plain-skip', sh, args: ['-c', 'exit 77'])
test('plain-bad', sh, args: ['-c', 'exit 1'])
test('plain-timeout', sh, args: ['-c', 'sleep 60'], timeout: 1)
"""


class Sample(unittest.TestCase):
    """Not collected by the runner's pattern on its own: run by the test below."""

    def passes(self):
        pass

    def fails(self):
        self.fail("as it should")

    def fails_in_two_parts(self):
        for n in range(2):
            with self.subTest(n=n):
                self.fail("as it should")

    def skips(self):
        self.skipTest("as it should")


class Counting(unittest.TestCase):
    def test_meson_results(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "meson.build"), "w") as f:
                f.write(PROJECT.replace("\\n", "\\\\n"))
            out = os.path.join(folder, "b")
            subprocess.run(["meson", "setup", out, folder], check=True, stdout=subprocess.DEVNULL, env=build.environment())
            counts = testing.Counts()
            with contextlib.redirect_stdout(io.StringIO()) as said:
                testing.meson_tests(out, os.path.join(folder, "findings"), counts)
        # taps a, crash a, short a, ok a and b, plain-ok; b, crash, short, plain-bad, plain-timeout; c, plain-skip
        self.assertEqual(counts.line(), "6 passed, 5 failed, 2 skipped", said.getvalue())

    def test_python_results(self):
        counts = testing.Counts()
        suite = unittest.TestSuite(Sample(name) for name in ("passes", "fails", "fails_in_two_parts", "skips"))
        with contextlib.redirect_stdout(io.StringIO()):
            suite.run(testing.Result(counts))
        self.assertEqual(counts.line(), "1 passed, 2 failed, 1 skipped")

    def test_a_sanitizer_report_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            counts = testing.Counts()
            testing.sanitizer_verdict(folder, counts)
            notice = "==7==Running thread 8 was not suspended. False leaks are possible.\n"
            with open(os.path.join(folder, "x.1"), "w") as f:
                f.write(notice)
            testing.sanitizer_verdict(folder, counts)
            with open(os.path.join(folder, "x.2"), "w") as f:
                f.write(notice + "==7==ERROR: LeakSanitizer: detected memory leaks\n")
            testing.sanitizer_verdict(folder, counts)
        self.assertEqual(counts.line(), "2 passed, 1 failed")


if __name__ == "__main__":
    unittest.main()
