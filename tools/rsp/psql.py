# SPDX-License-Identifier: Apache-2.0
"""psql processes that stay: a look into a database costs a fraction of a millisecond instead of two new processes. Tests look often."""
import os
import re
import select
import subprocess
import threading
import time

from .proc import spawn

# One statement that reads and leaves nothing behind in its session. What calls the server's own functions may wait, hold or end.
PLAIN = re.compile(r"\s*select\b[^;\\]*;?\s*", re.I)
ANSWER_S = 60.0


def is_plain(sql):
    """True: it may be asked in a session, and asked again."""
    return PLAIN.fullmatch(sql) is not None and "pg_" not in sql.lower() and " into " not in sql.lower()


class Session:
    """argv: of a psql that reads statements from its input."""

    def __init__(self, argv, env):
        pipe = subprocess.PIPE
        self.proc = spawn(argv, env=env, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
        self.number = 0

    def ask(self, sql):
        """What it prints; None: it ended, or does not answer."""
        self.number += 1
        end = b"-- %d of %d --\n" % (self.number, os.getpid())
        try:
            self.proc.stdin.write(sql.encode() + b"\n;\n\\echo " + end)
        except BrokenPipeError:
            return None
        text, until = b"", time.monotonic() + ANSWER_S
        while not text.endswith(end):
            if not select.select([self.proc.stdout], [], [], max(0, until - time.monotonic()))[0]:
                return None
            piece = os.read(self.proc.stdout.fileno(), 1 << 16)
            if not piece:
                return None
            text += piece
        return text[:-len(end)].decode()

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()


class Sessions:
    """One for each database, of the main thread: a child dies with the thread that made it. argv_of(database): of a new one."""

    def __init__(self, argv_of, env):
        self.argv_of, self.env, self.open = argv_of, env, {}

    def ask(self, database, sql):
        """The rows; None: to be asked in the ordinary way, which tells what is wrong as well."""
        if threading.current_thread() is not threading.main_thread() or not is_plain(sql):
            if " database " in sql.lower():
                self.close()  # none is dropped or renamed while somebody is in it
            return None
        session = self.open.pop(database, None) or Session(self.argv_of(database), self.env)
        try:
            text = session.ask(sql)
        except BaseException:
            session.close()
            raise
        if text is None:
            session.close()
        else:
            self.open[database] = session
        return text

    def close(self):
        while self.open:
            self.open.popitem()[1].close()
