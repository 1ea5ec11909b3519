#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that no Python file defines: a test that is run rarely must not fall over a missing import when it is needed.

Usage: check-names.py [ROOT]. Prints FILE:LINE of every finding of pyflakes; exit 1 when there is one."""
import os
import subprocess
import sys

PARTS = ("rsp", "tools", "tests")


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else ".")
    parts = [part for part in PARTS if os.path.exists(os.path.join(root, part))]
    return subprocess.run([sys.executable, "-m", "pyflakes"] + parts, cwd=root, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
