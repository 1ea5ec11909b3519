# SPDX-License-Identifier: Apache-2.0
"""The two builds: release (what runs) and check (ASan, UBSan and placed faults: what is tested)."""
import json
import os
import shutil
import sys

from .paths import ROOT, build_dir
from .proc import run

OPTIONS = {
    "release": ["-Dbuildtype=debugoptimized", "-Db_pie=true", "-Dfaults=false", "-Dtests=false"],
    # gold, of the same package as ld, links a hundred tests in less than half the time.
    # -O1: gcc 12 warns wrongly at -O2 under sanitizers. No recovery: a finding ends the process, so no test can pass over it.
    "check": ["-Dbuildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfaults=true",
              "-Dtests=true", "-Dc_args=-fno-sanitize-recover=undefined", "-Dc_link_args=-fuse-ld=gold"],
}


def environment():
    """Debian's own tools first: another python3 or meson earlier on PATH lacks the modules they need."""
    env = dict(os.environ)
    env["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin:" + env.get("PATH", "")
    return env


def build(flavour):
    """Configures once, compiles what changed; returns the build folder."""
    folder, wanted = build_dir(flavour), OPTIONS[flavour]
    stamp = os.path.join(folder, ".rsp-options.json")
    try:
        with open(stamp) as f:
            same = json.load(f) == wanted
    except (FileNotFoundError, ValueError):
        same = False
    if not same:
        print("configuring build/%s" % flavour, file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        run(["meson", "setup", folder, ROOT] + wanted, env=environment())
        with open(stamp, "w") as f:
            json.dump(wanted, f)
    print("building build/%s" % flavour, file=sys.stderr, flush=True)
    run(["ninja", "-C", folder], env=environment())
    return folder
