# SPDX-License-Identifier: Apache-2.0
"""./rsp bench measures and says what it measured in the form that it promises. The figures of so short a run mean nothing."""
import contextlib
import io
import json

from rsp import bench
from tests.e2e.base import Case


class Bench(Case):
    needs = bench.NEEDS

    def test_rows_name_value_unit_limit_ratio_and_floor(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            bench.show(bench.measure(self.staging, bench.QUICK), as_json=True)
        rows = {row["name"]: row for row in json.loads(out.getvalue())["rows"]}
        for row in rows.values():
            self.assertEqual(sorted(row), ["floor", "limit", "name", "ratio", "unit", "value"])
        for name, floor in bench.FLOOR.items():
            row = rows.pop(name)
            self.assertGreater(row["value"], 0)
            self.assertAlmostEqual(row["ratio"], row["value"] / row["limit"])
            self.assertEqual(row["floor"], floor)
        self.assertEqual(sorted(rows), ["idle memory of " + name for name in ("eum", "operator-a", "operator-b", "sm-sr")])
        for row in rows.values():
            self.assertEqual((row["unit"], row["limit"], row["ratio"], row["floor"]), ("KiB PSS", None, None, None))
            self.assertGreater(row["value"], 1000)
