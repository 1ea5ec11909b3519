# SPDX-License-Identifier: Apache-2.0
"""Each placed fault is in a matrix, or somebody says why it is in none."""
import os
import re
import unittest

from rsp.paths import ROOT
from tests.fault import download_points, move_points, points
from tests.fault.test_download_matrix import LEFT_OUT as DOWNLOAD_LEFT_OUT

# Placed faults that belong to no operation of a matrix.
LEFT_OUT = {
    r"sm-sr\.ES1-RegisterEIS\..*": "registration has no card: tests/e2e/crash",
    r"sm-sr\.ES4-UpdatePolicyRules\..*": "one transaction without card or outbox, as RegisterEIS",
    r"eum\..*": "orders of cards: tests/e2e/orders, tests/e2e/crash",
    r"operator-gateway\.ES4-HandleProfileDeletedNotification\..*": "the same places as those of the other notifications",
    r"operator-gateway\.due\..*": "an SM-SR that is silent until the gateway's own clock ends it: gateway_due_test.c",
    r"sm-dp\.import\.portion": "stock, no card: tests/e2e/stock",
    r"sm-dp\.relay\..*": "what the SM-DP only passes on: relay_test.c",
}


class Points(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, "common", "base", "fault_points.def")) as f:
            cls.rows = re.findall(r'^FAULT_POINT\("([^"]+)"', f.read(), re.M)

    def known(self):
        names = {cell.point.name.format(function=cell.operation.function) for cell in points.cells()}
        return names | {point.name for point in download_points.POINTS + move_points.POINTS}

    def test_rows_are_there_once(self):
        self.assertGreater(len(self.rows), 300)
        self.assertEqual(sorted(set(self.rows)), sorted(self.rows))

    def test_each_point_of_a_matrix_is_placed(self):
        self.assertEqual(sorted(self.known() - set(self.rows)), [])

    def test_each_placed_one_is_in_a_matrix(self):
        left_out = [pattern for rows in (LEFT_OUT, DOWNLOAD_LEFT_OUT, move_points.LEFT_OUT) for pattern in rows]
        known = self.known()
        self.assertEqual([row for row in self.rows if row not in known and not any(re.fullmatch(p, row) for p in left_out)], [])

    def test_nothing_is_left_out_for_nothing(self):
        for left_out in (LEFT_OUT, DOWNLOAD_LEFT_OUT, move_points.LEFT_OUT):
            for pattern in left_out:
                self.assertTrue(any(re.fullmatch(pattern, row) for row in self.rows), pattern)

    def test_both_sides_of_a_move_are_in_it(self):
        places = [(point.at, point.name) for point in move_points.POINTS]
        self.assertEqual(len(set(places)), len(places))
        self.assertEqual({at for at, _ in places}, {process for side in move_points.SIDES.values() for process in side.values()})
        self.assertEqual([name for name in self.rows if name.startswith("euicc-sim.") and name not in self.known()], [])
