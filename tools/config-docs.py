#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the configuration tables of docs/operate.md from what the programs say (--help --markdown).

Usage: config-docs.py ROOT BUILD [--check]. --check changes nothing; exit 1 when the page is out of date."""
import os
import re
import subprocess
import sys

BEGIN, END = "<!-- keys: written by tools/config-docs.py -->", "<!-- end of keys -->"
PROGRAMS = [("eum", "RSP_EUM_"), ("operator-gateway", "RSP_GATEWAY_"), ("sm-dp", "RSP_SMDP_"), ("sm-sr", "RSP_SMSR_"),
            ("sm-sr-handover", "RSP_HANDOVER_")]
ALONE = [("euicc-sim", "RSP_SIM_")]  # has none of the common rows
HEAD = "| key | type | default | meaning |\n|---|---|---|---|\n"


def rows_of(build, name, prefix):
    """The program's table rows, without its prefix."""
    program = os.path.join(build, "services", name, name)
    text = subprocess.run([program, "--help", "--markdown"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return [line.replace("`" + prefix, "`", 1).replace("<", "&lt;") for line in re.findall(r"^\| `.*$", text, re.M)]


def tables(build):
    rows = {name: rows_of(build, name, prefix) for name, prefix in PROGRAMS}
    common = [row for row in rows["eum"] if all(row in other for other in rows.values())]
    parts = ["**every process**: `RSP_EUM_`, `RSP_GATEWAY_`, `RSP_SMDP_`, `RSP_SMSR_` or `RSP_HANDOVER_` before each key\n\n" + HEAD + "\n".join(common)]
    for name, prefix in PROGRAMS:
        parts.append("**%s**: `%s` before each key\n\n%s%s" % (name, prefix, HEAD, "\n".join(row for row in rows[name] if row not in common)))
    for name, prefix in ALONE:
        parts.append("**%s**: `%s` before each key\n\n%s%s" % (name, prefix, HEAD, "\n".join(rows_of(build, name, prefix))))
    return "\n\n".join(parts)


def main():
    root, build = sys.argv[1:3]
    page = os.path.join(root, "docs", "operate.md")
    with open(page) as f:
        old = f.read()
    head, rest = old.split(BEGIN)
    new = head + BEGIN + "\n\n" + tables(build) + "\n\n" + END + rest.split(END)[1]
    if "--check" in sys.argv:
        if new != old:
            print("docs/operate.md is not what the programs say: run tools/config-docs.py . build/release")
            return 1
    elif new != old:
        with open(page, "w") as f:
            f.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
