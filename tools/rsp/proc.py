# SPDX-License-Identifier: Apache-2.0
"""Child processes: all in one supervised set, ended in reverse order, and dead when ./rsp itself is killed."""
import ctypes
import os
import select
import signal
import subprocess
import threading
import time

from .paths import RspError

PR_SET_PDEATHSIG = 1
WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_S = 0.05
_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or a request to end. The only kind that unittest lets through: nobody handles it on the way out but `finally`."""

    def __init__(self, signum):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def install_signals():
    """The first signal unwinds the stack, so every `finally` stops its children; later ones do not disturb that."""
    def once(signum, frame):
        for s in WATCHED:
            signal.signal(s, signal.SIG_IGN)
        raise Interrupted(signum)

    for s in WATCHED:
        signal.signal(s, once)


def tie_to_parent(deathsig, parent):
    """For a forked process: it gets this signal when its parent dies."""
    _libc.prctl(PR_SET_PDEATHSIG, int(deathsig), 0, 0, 0)
    if os.getppid() != parent:  # it died in between
        os._exit(1)


def _hook(deathsig, parent):
    """Runs in the child after the user change (which would clear it) and before exec."""
    def hook():
        for s in WATCHED:
            signal.signal(s, signal.SIG_DFL)
        tie_to_parent(deathsig, parent)
    return hook


def spawn(argv, user=None, deathsig=signal.SIGKILL, **keywords):
    """A child in a session of its own (the terminal's Ctrl-C reaches ./rsp alone), tied to our life. user: passwd entry."""
    if user is not None:
        keywords.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    try:
        return subprocess.Popen(argv, start_new_session=True, preexec_fn=_hook(deathsig, os.getpid()), **keywords)
    except (FileNotFoundError, PermissionError) as e:
        raise RspError("cannot run %s: %s" % (argv[0], e.strerror)) from None


def end(proc, first, timeout_s=10.0):
    """Ends a child and whatever is left in its session; returns the exit code."""
    if proc.poll() is None:
        proc.send_signal(first)
        try:
            proc.wait(timeout_s)
        except subprocess.TimeoutExpired:
            proc.kill()
    code = proc.wait()
    try:
        os.killpg(proc.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    return code


def run(argv, check=True, user=None, timeout_s=None, input_text=None, capture=True, **keywords):
    """Runs a command to its end; on any way out nothing of it is left. Returns (code, output)."""
    pipe = subprocess.PIPE
    proc = spawn(argv, user=user, deathsig=signal.SIGTERM, text=True, errors="replace",
                 stdin=pipe if input_text is not None else subprocess.DEVNULL,
                 stdout=pipe if capture else None, stderr=subprocess.STDOUT if capture else None, **keywords)
    try:
        output, _ = proc.communicate(input_text, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise RspError("%s did not end within %s s" % (argv[0], timeout_s)) from None
    finally:
        code = end(proc, signal.SIGTERM)
    if check and code != 0:
        raise RspError("%s failed (exit %d)\n%s" % (" ".join(argv), code, tail(output or "")))
    return code, output or ""


def tail(text, lines=30):
    return "\n".join(text.rstrip().split("\n")[-lines:])


class Child:
    """One long-running process: how to start it, where it logs, how it is asked to end. fds: descriptors it inherits."""

    def __init__(self, name, argv, env, log, user=None, stop=signal.SIGTERM, deathsig=signal.SIGKILL, stop_s=15.0, fds=()):
        self.name, self.argv, self.env, self.log, self.user, self.fds = name, argv, env, log, user, fds
        self.stop_signal, self.deathsig, self.stop_s = stop, deathsig, stop_s
        self.proc = None
        self.expected_end = True

    @property
    def pid(self):
        return self.proc.pid if self.proc else None

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def start(self):
        """On the main thread: the kernel ends a child with the thread, not the process, that started it."""
        if threading.current_thread() is not threading.main_thread():
            raise RspError("%s is to be started by a thread that ends before it" % self.name)
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.proc = spawn(self.argv, user=self.user, deathsig=self.deathsig, env=self.env, stdin=subprocess.DEVNULL,
                              stdout=fd, stderr=fd, cwd="/", pass_fds=self.fds)
        finally:
            os.close(fd)
        self.expected_end = False

    def stop(self):
        """Asks it to end; the exit code, None when it was not running."""
        self.expected_end = True
        return end(self.proc, self.stop_signal, self.stop_s) if self.proc else None

    def kill(self, signum=signal.SIGKILL):
        """As a crash: at once, by pid."""
        self.expected_end = True
        if self.alive():
            self.proc.send_signal(signum)
            self.proc.wait()

    def log_tail(self, lines=30):
        try:
            with open(self.log, errors="replace") as f:
                return tail(f.read(), lines)
        except FileNotFoundError:
            return ""


class Supervisor:
    """The one set of children of a staging."""

    def __init__(self):
        self.children = []

    def start(self, child):
        if child not in self.children:
            self.children.append(child)
        child.start()
        return child

    def wait_until(self, child, ready, timeout_s, what):
        """Polls ready() until it is true; a child that ends meanwhile is a failure with the end of its log."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not child.alive():
                raise RspError("%s ended (exit %s) before it was %s:\n%s" % (child.name, child.proc.returncode, what, child.log_tail()))
            if time.monotonic() > deadline:
                raise RspError("%s was not %s within %d s:\n%s" % (child.name, what, timeout_s, child.log_tail()))
            time.sleep(POLL_S)

    def unexpected(self):
        """Children that ended though nobody asked them to."""
        return [c for c in self.children if not c.expected_end and not c.alive()]

    def stop(self):
        """Ends all, last started first. Returns the (name, exit code) of those that did not end well."""
        bad = []
        for child in reversed(self.children):
            crashed = not child.expected_end and not child.alive()
            was_alive = child.alive()
            code = child.stop()
            if crashed or (was_alive and code not in (0, None)):
                bad.append((child.name, code))
        self.children = []
        return bad


def start_time(pid):
    """The kernel's start tick of a process; with the pid it names a process for ever. None: no such process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def wait_pid_end(pid, timeout_s):
    """True when the process (not our child) ended in time."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout_s)[0])
    finally:
        os.close(fd)


def descendants(pid):
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    parents.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo.extend(parents.get(found[-1], []))
    return found


def pss_kib(pid):
    """Proportional set size of a process and its descendants; None when it is gone or not readable."""
    total = None
    for p in descendants(pid):
        try:
            with open("/proc/%d/smaps_rollup" % p) as f:
                for line in f:
                    if line.startswith("Pss:"):
                        total = (total or 0) + int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return total
