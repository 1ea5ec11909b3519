# SPDX-License-Identifier: Apache-2.0
"""Where things are: the clone, its build folders and the state folder outside of it (docs/operate.md)."""
import hashlib
import os
import stat
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOCKET_LIMIT = 107  # sun_path holds 108 bytes with the NUL
LONGEST_SOCKET = len("/lane1/test99/run/sm-sr-handover-b.sock")


class RspError(Exception):
    """Something a person has to read; ./rsp prints it without a traceback and exits 1."""


def build_dir(flavour):
    return os.path.join(ROOT, "build", flavour)


def default_state():
    name = "rsp-%d-%s" % (os.getuid(), hashlib.sha256(ROOT.encode()).hexdigest()[:12])
    base = tempfile.gettempdir()
    # A long TMPDIR would make socket paths that the kernel refuses.
    if len(base) + len(name) + 1 + LONGEST_SOCKET > SOCKET_LIMIT:
        base = "/tmp"
    return os.path.join(base, name)


def state_dir():
    """The state folder, made when missing. It lies in a folder anybody may write to, so one that is not ours is refused."""
    path = os.path.abspath(os.environ.get("RSP_STATE") or default_state())
    if len(path) + LONGEST_SOCKET > SOCKET_LIMIT:
        raise RspError("RSP_STATE=%s is too long for socket paths (%d bytes at most)" % (path, SOCKET_LIMIT - LONGEST_SOCKET))
    try:
        os.makedirs(path, mode=0o700)
    except FileExistsError:
        pass
    seen = os.lstat(path)
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise RspError("%s exists and is not a folder of this user; set RSP_STATE to another place" % path)
    let_pass(path)
    return path


def let_pass(path):
    """As root the database cluster belongs to another user, who must be able to pass through a folder of ours, but not to list it."""
    os.chmod(path, 0o711 if os.getuid() == 0 else 0o700)


def state_folder(name):
    """A folder in the state folder in which others have theirs."""
    path = os.path.join(state_dir(), name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    let_pass(path)
    return path
