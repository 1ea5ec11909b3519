#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of configuration keys in docs/operate.md from the config.def files.

Usage: config-docs.py ROOT [--check]. --check changes nothing; exit 1 when the page is out of date."""
import os
import re
import sys

BEGIN, END = "<!-- keys: written by tools/config-docs.py -->", "<!-- end of keys -->"
TABLES = [
    ("every process", "RSP_<ROLE>_", "common/app/config.def"),
    ("eum", "RSP_EUM_", "services/eum/config.def"),
    ("sm-sr", "RSP_SMSR_", "services/sm-sr/config.def"),
    ("operator-gateway", "RSP_GATEWAY_", "services/operator-gateway/config.def"),
]
STRING = r'((?:"(?:\\.|[^"\\])*"\s*)+|NULL)'
ROW = re.compile(r'^CONFIG\(\s*"(\w+)"\s*,\s*(\w+)\s*,\s*\w+\s*,\s*' + STRING + r'\s*,\s*' + STRING + r'\)', re.M)


def text(literal):
    """A C string literal, perhaps in pieces; None for NULL."""
    if literal == "NULL":
        return None
    return re.sub(r"\\(.)", r"\1", "".join(re.findall(r'"((?:\\.|[^"\\])*)"', literal)))


def table(root, title, prefix, path):
    with open(os.path.join(root, path)) as f:
        source = f.read()
    rows = ROW.findall(source)
    if len(rows) != len(re.findall(r'^CONFIG\("', source, re.M)):
        sys.exit("%s: a row that this program cannot read" % path)
    lines = ["**%s**: `%s` before each key" % (title, prefix), "", "| key | type | default | |", "|---|---|---|---|"]
    for key, kind, default, words in rows:
        default = text(default)
        shown = "*must be set*" if default is None else "`%s`" % default if default else ""
        lines.append("| `%s` | %s | %s | %s |" % (key, kind.lower().replace("_", " "), shown, text(words).replace("|", "\\|").replace("<", "&lt;")))
    return "\n".join(lines)


def main():
    root = sys.argv[1]
    page = os.path.join(root, "docs", "operate.md")
    with open(page) as f:
        old = f.read()
    tables = [table(root, *row) for row in TABLES if os.path.exists(os.path.join(root, row[2]))]
    head, rest = old.split(BEGIN)
    new = head + BEGIN + "\n\n" + "\n\n".join(tables) + "\n\n" + END + rest.split(END)[1]
    if "--check" in sys.argv:
        if new != old:
            print("docs/operate.md differs from the config.def files: run tools/config-docs.py .")
            return 1
    elif new != old:
        with open(page, "w") as f:
            f.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
