# SPDX-License-Identifier: Apache-2.0
"""up, down, status and logs: a staging that stays."""
import json
import os
import signal
import sys
import traceback
import urllib.error
import urllib.request

from . import roles
from .paths import RspError, state_dir
from .proc import Interrupted, install_signals, pss_kib, start_time, wait_pid_end
from .staging import Staging

NAME = "up"
DOWN_S = 90


def state_file():
    return os.path.join(state_dir(), NAME + ".json")


def read_state():
    """The state file of a staging that runs; None when there is none."""
    try:
        with open(state_file()) as f:
            state = json.load(f)
    except (FileNotFoundError, ValueError):
        return None
    # A pid alone may have been given to another process since.
    return state if start_time(state["pid"]) == state["start_time"] else None


def _write_state(staging):
    state = dict(staging.describe(), pid=os.getpid(), start_time=start_time(os.getpid()))
    temporary = state_file() + ".new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        json.dump(state, f, indent=1)
    os.replace(temporary, state_file())


class Pipe:
    """What the background process tells `up`, once: "ok" or why it did not start."""

    def __init__(self, fd):
        self.fd = fd

    def say(self, text):
        if self.fd is not None:
            fd, self.fd = self.fd, None
            os.write(fd, text.encode()[:4000])
            os.close(fd)


def _supervise(staging, pipe):
    """The life of the background process."""
    try:
        staging.start()
        _write_state(staging)
        pipe.say("ok")
        reported = set()
        while True:
            signal.sigtimedwait({signal.SIGCHLD}, 5)
            for child in staging.supervisor.unexpected():
                if child.name not in reported:
                    reported.add(child.name)
                    print("%s ended, exit %s" % (child.name, child.proc.returncode), flush=True)
    finally:
        staging.stop()
        if os.path.exists(state_file()):
            os.unlink(state_file())


def _background(build_folder, wipe, services, log, pipe):
    os.setsid()
    devnull, out = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((devnull, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.chdir("/")
    install_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        _supervise(Staging(build_folder, NAME, services=services, fresh=wipe, keep=True), pipe)
    except Interrupted:
        return 0
    except Exception as e:
        text = str(e) if isinstance(e, RspError) else traceback.format_exc()
        print(text, flush=True)
        pipe.say(text)
    return 1


def up(build_folder, wipe=False, domains=1):
    if read_state():
        print("already up")
        return status()
    log = os.path.join(state_dir(), NAME + ".log")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            code = _background(build_folder, wipe, roles.TWO_DOMAINS if domains == 2 else roles.ALL, log, Pipe(writer))
        finally:
            os._exit(code)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as f:
            said = f.read().decode()
    except Interrupted:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        raise
    if said != "ok":
        os.waitpid(pid, 0)
        raise RspError(said or "the staging ended while starting: see " + log)
    return status()


def down():
    state = read_state()
    if state is None:
        print("not up")
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    if not wait_pid_end(state["pid"], DOWN_S):
        raise RspError("process %d did not end within %d s" % (state["pid"], DOWN_S))
    print("down")
    return 0


def _ready(row):
    url = row.get("urls", {}).get("management")
    if start_time(row["pid"]) is None:
        return "ended"
    if url is None:
        return "runs"
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/readyz", timeout=5) as response:
            return "ready" if response.status == 200 else "not ready"
    except (OSError, urllib.error.URLError):
        return "not ready"


def status(as_json=False):
    """A row per process; exit 0 when all run and are ready, 3 when not up."""
    state = read_state()
    if state is None:
        print("{}" if as_json else "not up")
        return 3
    for row in state["processes"]:
        row["state"], row["pss_kib"] = _ready(row), pss_kib(row["pid"])
    if as_json:
        print(json.dumps(state, indent=1))
    else:
        print("%-16s %8s %-10s %10s  %s" % ("process", "pid", "state", "PSS KiB", "ports"))
        for row in state["processes"]:
            ports = " ".join("%s=%d" % port for port in row.get("ports", {}).items())
            print("%-16s %8d %-10s %10s  %s" % (row["name"], row["pid"], row["state"], row["pss_kib"] or "-", ports))
        print("state file: %s" % state_file())
    return 0 if all(row["state"] in ("ready", "runs") for row in state["processes"]) else 1


def logs(role=None):
    folder = os.path.join(state_dir(), NAME, "log")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    chosen = [n for n in names if role is None or n == role + ".log"]
    if not chosen:
        raise RspError("no log%s; there are: %s" % (" of " + role if role else "", " ".join(n[:-4] for n in names) or "none"))
    for name in chosen:
        if len(chosen) > 1:
            print("== " + name[:-4])
        with open(os.path.join(folder, name), errors="replace") as f:
            for line in f:
                sys.stdout.write(line)
    return 0
