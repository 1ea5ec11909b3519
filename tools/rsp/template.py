# SPDX-License-Identifier: Apache-2.0
"""What takes a second to make and is the same for every staging of one test run: made once, then copied."""
import fcntl
import os

from .proc import run


def made_once(templates, name, make):
    """The path of a template in this folder; make(path) makes it, whoever of several processes asks first."""
    path = os.path.join(templates, name)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            make(path + ".part")
            os.rename(path + ".part", path)
    return path


def copy_of(templates, name, make, out):
    """Makes out; without a folder of templates directly."""
    if templates is None:
        make(out)
    else:
        run(["cp", "-a", made_once(templates, name, make), out])  # owners, modes and links as they are
