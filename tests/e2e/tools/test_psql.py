# SPDX-License-Identifier: Apache-2.0
"""What a test asks a database is the same whether a psql stayed for it or not."""
import unittest

from rsp import psql
from rsp.paths import RspError
from tests.e2e.base import Case


class Plain(unittest.TestCase):
    def test_only_what_reads_and_holds_nothing(self):
        for sql in ("select 1", " SELECT a\nfrom b where c = 'd';\n"):
            self.assertTrue(psql.is_plain(sql), sql)
        for sql in ("begin; select 1", "select 1; select 2", "update a set b = 1", "select pg_sleep(1)", "select 1 \\g x", "select 1 into a",
                    "selected", ""):
            self.assertFalse(psql.is_plain(sql), sql)


class Sessions(Case):
    def ask(self, sql, database="sm_sr"):
        return self.staging.cluster.sessions.ask(database, sql)

    def test_rows(self):
        for sql in ("select 1", "select 'a|b', null union all select 'ü', 'c' order by 1", "select 1 where false", "select repeat('x', 100000)"):
            self.assertEqual(self.ask(sql).rstrip("\n"), self.psql("sm_sr", "/**/" + sql))  # that is not plain

    def test_an_error_is_told_and_the_next_answer_is_right(self):
        with self.assertRaisesRegex(RspError, "nothing_of_this_name"):
            self.psql("sm_sr", "select nothing_of_this_name")
        self.assertEqual(self.psql("sm_sr", "select 2"), "2")

    def test_a_session_that_was_ended(self):
        self.assertEqual(self.ask("select 1"), "1\n")
        self.psql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'sm_sr' and application_name = 'psql'")
        self.assertEqual([self.psql("sm_sr", "select %d" % n) for n in range(3)], ["0", "1", "2"])
