#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files and functions that have grown too long to be read in one go.

Usage: check-size.py [ROOT]. .c and .py at most 500 lines, .h 200, C functions 80; tables (.def, initialisers) are no functions.
Prints all offenders; exit 1 when there is one."""
import os
import re
import sys

FILE_LIMITS = {".c": 500, ".h": 200, ".py": 500}
FUNCTION_LIMIT = 80
TOPS = ("common", "services", "tools", "tests", "proto")
SKIP = {"build", "node_modules", ".git", "__pycache__"}

TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def functions(text):
    """(name, first line, lines) of every function body in a C text: a block at depth 0 that follows a closing parenthesis."""
    text = TOKEN.sub(blank, text)
    depth, start, head = 0, 0, 0
    for at, char in enumerate(text):
        if char == "{":
            if depth == 0:
                start = at
            depth += 1
        elif char == "}" and depth > 0:
            depth -= 1
            if depth == 0:
                before = text[head:start].strip()
                if before.endswith(")") and "=" not in before:
                    first = text.count("\n", 0, head + len(text[head:start]) - len(text[head:start].lstrip())) + 1
                    name = re.findall(r"(\w+)\s*\(", before)
                    yield (name[-1] if name[:1] == ["Test"] else (name or ["?"])[0]), first, text.count("\n", 0, at) + 2 - first
                head = at + 1
        elif char == ";" and depth == 0:
            head = at + 1


def check(root, path):
    extension = os.path.splitext(path)[1]
    with open(os.path.join(root, path), errors="replace") as f:
        text = f.read()
    lines = text.count("\n") + (0 if text.endswith("\n") or not text else 1)
    if lines > FILE_LIMITS[extension]:
        yield "%s: %d lines, limit %d" % (path, lines, FILE_LIMITS[extension])
    if extension in (".c", ".h"):
        for name, first, length in functions(text):
            if length > FUNCTION_LIMIT:
                yield "%s:%d: function %s has %d lines, limit %d" % (path, first, name, length, FUNCTION_LIMIT)


def sources(root):
    for top in TOPS:
        for folder, folders, names in sorted(os.walk(os.path.join(root, top))):
            folders[:] = [d for d in folders if d not in SKIP]
            for name in sorted(names):
                if os.path.splitext(name)[1] in FILE_LIMITS:
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    bad = [row for path in sources(root) for row in check(root, path)]
    for row in bad:
        print(row)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
