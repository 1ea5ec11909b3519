# SPDX-License-Identifier: Apache-2.0
"""Each served function has a test that shows it (tools/gen_xsd/shown.def), and that test fails without the function."""
import importlib
import os
import re
import unittest

from rsp.paths import ROOT
from tests.e2e.base import Case, full
from tests.e2e.cards import card_case


def shown():
    """{wire name: the test's id}"""
    with open(os.path.join(ROOT, "tools", "gen_xsd", "shown.def")) as f:
        rows = re.findall(r'^SHOWN\((\w+), (\w+), "([\w.]+)"\)$', f.read(), re.M)
    return {"%s-%s" % (interface, name): test for interface, name, test in rows}


def case_of(test):
    """The test case of an id."""
    module, kind, method = test.rsplit(".", 2)
    return getattr(importlib.import_module(module), kind)(method)


class Table(unittest.TestCase):
    def test_each_served_function_has_a_test(self):
        with open(os.path.join(ROOT, "docs", "functions.md")) as f:
            sections = re.split(r"^## (\w+): ", f.read(), flags=re.M)[1:]
        served = {"%s-%s" % (interface, name) for interface, text in zip(sections[::2], sections[1::2])
                  for name in re.findall(r"^\| \d+ \| `(\w+)`.*\| \*\*yes\*\* \|", text, re.M)}
        self.assertGreaterEqual(len(served), 15)
        self.assertEqual(set(shown()), served)

    def test_the_tests_exist(self):
        for function, test in shown().items():
            with self.subTest(function=function):
                self.assertEqual(case_of(test).id(), test)


class Without(Case):
    def without(self, function):
        """The function's test, while the SM-SR answers the first call of the function as if it did not serve it."""
        case, point = case_of(shown()[function]), "sm-sr.%s.unserved" % function
        self.assertEqual((case.needs, case.build), (self.needs, self.build), "the fault would be placed in another staging")
        self.rspctl.fault(self.admin("sm-sr"), point, "drop", "*")
        result = unittest.TestResult()
        case.run(result)
        self.assertEqual(result.testsRun, 1)
        self.assertEqual(len(result.failures) + len(result.errors), 1, "%s does not need %s" % (case.id(), function))
        self.assertEqual([r["hits"] for r in self.rspctl.fault_list(self.admin("sm-sr")) if r["point"] == point], [1])


class WithoutCards(Without):
    @full
    def test_es1_register_eis(self):
        self.without("ES1-RegisterEIS")

    @full
    def test_es1_update_eis_additional_properties(self):
        self.without("ES1-UpdateEISAdditionalProperties")

    @full
    def test_es4_get_eis(self):
        self.without("ES4-GetEIS")


class WithCards(Without):
    needs = card_case.NEEDS

    @full
    def test_es4_enable_profile(self):
        self.without("ES4-EnableProfile")

    @full
    def test_es4_audit_eis(self):
        self.without("ES4-AuditEIS")
