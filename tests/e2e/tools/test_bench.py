# SPDX-License-Identifier: Apache-2.0
"""./rsp bench measures and says what it measured in the form that it promises. The figures of so short a run mean nothing."""
import contextlib
import io
import json

from rsp import bench, bench_big
from rsp.build import build_dir
from tests.e2e.base import Case, full


def said(rows):
    """{name: row}, of what --json prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        bench.show(rows, as_json=True)
    return {row["name"]: row for row in json.loads(out.getvalue())["rows"]}


class Bench(Case):
    needs = bench.NEEDS

    @full
    def test_rows_name_value_unit_limit_ratio_and_floor(self):
        rows = said(bench.measure(self.staging, bench.QUICK))
        for row in rows.values():
            self.assertEqual(sorted(row), ["floor", "limit", "name", "ratio", "unit", "value"])
        for name, floor in bench.FLOOR.items():
            row = rows.pop(name)
            self.assertGreater(row["value"], 0)
            self.assertAlmostEqual(row["ratio"], row["value"] / row["limit"])
            self.assertEqual(row["floor"], floor)
        self.assertEqual(sorted(rows), ["idle memory of " + name for name in ("eum", "operator-a", "operator-b", "sm-dp", "sm-sr")])
        for row in rows.values():
            self.assertEqual((row["unit"], row["limit"], row["ratio"], row["floor"]), ("KiB PSS", None, None, None))
            self.assertGreater(row["value"], 1000)


class BigBench(Case):
    needs = None  # it starts its own stagings, one after the other

    @full
    def test_what_grows_has_rows_of_the_same_form(self):
        rows = said(bench_big.measure(build_dir(self.build), bench_big.QUICK))
        self.assertEqual([row["floor"] for row in rows.values()], [1 / 1.3, 1 / 1.3, 1.0, 0.9, 0.9])
        for row in rows.values():
            self.assertEqual(sorted(row), ["floor", "limit", "name", "ratio", "unit", "value"])
            self.assertGreater(row["ratio"], 0)
