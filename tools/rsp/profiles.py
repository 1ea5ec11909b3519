# SPDX-License-Identifier: Apache-2.0
"""Profile packages that are no part of the project: those that the GSMA publishes (TS.48), where their folder is there."""
import os

from .paths import ROOT


def folder():
    """As the unit tests look for it: $RSP_SHARED_DATA/profiles, else beside the clone."""
    data = os.environ.get("RSP_SHARED_DATA") or os.path.join(os.path.dirname(ROOT), "shared", "data")
    return os.path.abspath(os.path.join(data, "profiles"))


def published():
    """{name of a type: file}; empty: the folder is not there."""
    try:
        files = sorted(os.listdir(folder()))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {name[:-len(".der")]: os.path.join(folder(), name) for name in files if name.endswith(".der")}


def skipped():
    return "no profile packages in %s ($RSP_SHARED_DATA/profiles, else ../shared/data/profiles beside the clone)" % folder()
