# SPDX-License-Identifier: Apache-2.0
"""Debian packages: what is missing is installed by name; when nothing is missing, apt is not called at all."""
import os
import re
import shutil

from .paths import RspError
from .proc import run

# What builds and runs the suite.
RUN = ("build-essential meson ninja-build pkg-config libmicrohttpd-dev libgnutls28-dev libxml2-dev libxmlsec1-dev libxmlsec1-openssl "
       "libpq-dev libnats-dev libsmpp34-dev libssl-dev libcurl4-openssl-dev libjansson-dev nats-server postgresql-15 openssl curl").split()
# What the tests need besides: the unit test framework, and peers that are not ours. Of haproxy the program alone is used.
TEST = ("libcriterion-dev python3-zeep python3-lxml python3-cryptography nodejs npm xmlsec1 libxml2-utils haproxy "
        "libfaketime pyflakes3 iproute2").split()
FORMAT = ["clang-format"]
# Some hosts have these from elsewhere, in packages of their own making that exclude Debian's.
PROGRAMS = {"nodejs": "node", "npm": "npm"}

CREATECLUSTER = "/etc/postgresql-common/createcluster.conf"


def missing(packages):
    if not shutil.which("dpkg-query"):
        raise RspError("this is not Debian (no dpkg-query); packages needed: " + " ".join(packages))
    packages = [p for p in packages if p not in PROGRAMS or not shutil.which(PROGRAMS[p])]
    if not packages:
        return []
    _, output = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"] + packages, check=False)
    there = {line.split()[0] for line in output.splitlines() if line.endswith(" installed")}
    return [p for p in packages if p not in there]


def _as_root():
    """The words before a command that needs root; None when there is no way."""
    if os.getuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], check=False)[0] == 0:
        return ["sudo", "-n"]
    return None


def _no_main_cluster(root):
    """Debian's package makes and starts a cluster of its own on 5432; nobody asked for one."""
    try:
        with open(CREATECLUSTER) as f:
            if re.search(r"^\s*create_main_cluster\s*=", f.read(), re.M):
                return
    except FileNotFoundError:
        pass
    run(root + ["mkdir", "-p", os.path.dirname(CREATECLUSTER)])
    run(root + ["sh", "-c", 'echo "create_main_cluster = false" >> "$0"', CREATECLUSTER])


def ensure(*groups):
    lacking = missing([p for group in groups for p in group])
    if not lacking:
        return
    root = _as_root()
    command = "apt-get install --no-install-recommends " + " ".join(lacking)
    if root is None:
        raise RspError("packages are missing and this user may not install them. Run:\n  sudo apt-get update && sudo " + command)
    print("installing: " + " ".join(lacking), flush=True)
    if "postgresql-15" in lacking:
        _no_main_cluster(root)
    # confold: the file written above is older than the package that owns it.
    apt = root + ["env", "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300",
                  "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Options::=--force-confdef"]
    code, updated = run(apt + ["update"], check=False)
    code, output = run(apt + ["install", "-y", "--no-install-recommends"] + lacking, check=False)
    still = missing(lacking)
    if code != 0 or still:
        raise RspError("apt-get could not install %s\n%s\n%s" % (" ".join(still or lacking), updated[-1500:], output[-3000:]))
