# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL 15 cluster: unix socket only, one database and one login role per service (design.md 1)."""
import os
import pwd
import re
import secrets
import signal

from .paths import RspError
from .proc import Child, run
from .psql import Sessions
from .template import copy_of

SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "unix_socket_permissions": "0777",  # the folder around it is closed; as root, services are another user than the server
    "log_timezone": "'UTC'",
    "timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %d '",
}


def bindir():
    """initdb is not on PATH in Debian, and another one on PATH may be something else."""
    path = "/usr/lib/postgresql/15/bin"
    if os.path.exists(os.path.join(path, "initdb")):
        return path
    path = run(["pg_config", "--bindir"])[1].strip()
    if not os.path.exists(os.path.join(path, "initdb")):
        raise RspError("no PostgreSQL 15 server found (package postgresql-15)")
    return path


def server_user():
    """The server refuses to run as root."""
    return pwd.getpwnam("postgres") if os.getuid() == 0 else None


def initdb(data, env, *options):
    """Makes the folder of a new cluster."""
    user = server_user()
    os.makedirs(data, mode=0o700, exist_ok=True)
    if user:
        os.chown(data, user.pw_uid, user.pw_gid)
    run([os.path.join(bindir(), "initdb"), "-D", data, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", *options],
        user=user, env=env, cwd="/")


class Cluster:
    """folder: holds data/ and the socket; secrets_folder: a pass file (0600) per role. keep: its data will be wanted again.
    settings: of postgresql.conf, over the usual ones. templates: as of Staging."""

    def __init__(self, folder, secrets_folder, log, env, keep=True, settings=None, templates=None):
        self.folder, self.secrets, self.log, self.env, self.keep = folder, secrets_folder, log, env, keep
        self.templates = templates
        self.settings = dict(SETTINGS, **(settings or {}))
        self.data = os.path.join(folder, "data")
        self.bin = bindir()
        self.user = server_user()
        self.sessions = Sessions(self._psql, env)
        self.child = None

    def _folder(self):
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        os.makedirs(self.secrets, mode=0o700, exist_ok=True)
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            code, _ = run(["test", "-x", self.folder], user=self.user, check=False, env=self.env)
            if code != 0:
                raise RspError("user postgres cannot enter %s: set RSP_STATE to a folder below one that everybody may enter" % self.folder)

    def prepare(self):
        """Makes the cluster when it is not there yet."""
        self._folder()
        if os.path.exists(os.path.join(self.data, "rsp-complete")):
            return
        copy_of(self.templates, "cluster", lambda data: initdb(data, self.env, "-U", "postgres", "-A", "reject"), self.data)
        me = pwd.getpwuid(os.getuid()).pw_name
        self._write("pg_hba.conf", "local all postgres peer map=admin\nlocal all all scram-sha-256\n")
        self._write("pg_ident.conf", "admin \"%s\" postgres\n" % me)
        self._append("postgresql.conf", "".join("%s = %s\n" % row for row in self.settings.items()))
        self._write("rsp-complete", "1\n")

    def _write(self, name, text, mode="w"):
        with open(os.path.join(self.data, name), mode) as f:
            f.write(text)
        if self.user:
            os.chown(os.path.join(self.data, name), self.user.pw_uid, self.user.pw_gid)

    def _append(self, name, text):
        self._write(name, text, "a")

    def start(self, supervisor):
        if self.child is None:
            # SIGINT is its fast stop, with a checkpoint that may take seconds; SIGQUIT its immediate one.
            self.child = Child("postgres", [os.path.join(self.bin, "postgres"), "-D", self.data, "-k", self.folder], self.env, self.log,
                               user=self.user, stop=signal.SIGINT if self.keep else signal.SIGQUIT, deathsig=signal.SIGQUIT, stop_s=60)
        supervisor.start(self.child)
        ready = [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.folder, "-U", "postgres"]
        supervisor.wait_until(self.child, lambda: run(ready, check=False, env=self.env)[0] == 0, 60, "ready")

    def psql(self, database, sql, *options):
        """Runs SQL as the administrator; unaligned rows, columns separated by |."""
        text = None if options else self.sessions.ask(database, sql)
        if text is None:
            text = run(self._psql(database, *options), env=self.env, input_text=sql)[1]
        return text.rstrip("\n")

    def _psql(self, database, *options):
        return [os.path.join(self.bin, "psql"), "-X", "-q", "-w", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres",
                "-d", database, *options, "-f", "-"]

    def dump(self, database, path):
        """As an administrator does it, while the services run."""
        run([os.path.join(self.bin, "pg_dump"), "-w", "-h", self.folder, "-U", "postgres", "-Fc", "-f", path, database], env=self.env)

    def restore(self, database, path):
        """In the place of what is there; nobody may be connected."""
        self.psql("postgres", "drop database {0};\ncreate database {0} owner {0};\nrevoke all on database {0} from public;\n".format(database))
        run([os.path.join(self.bin, "pg_restore"), "-w", "-h", self.folder, "-U", "postgres", "-d", database, "--exit-on-error", path],
            env=self.env)

    def pgbench(self, database, script, clients, seconds):
        """Transactions per second of a pgbench script. A disk that others keep busy may end none in a short time: then for longer."""
        argv = [os.path.join(self.bin, "pgbench"), "-n", "-M", "prepared", "-h", self.folder, "-U", "postgres", "-c", str(clients), "-j", "2",
                "-f", script, database, "-T"]
        for longer in (1, 5, 25):
            found = re.search(r"^tps = ([0-9.]+)", run(argv + [str(longer * seconds)], env=self.env)[1], re.M)
            if found:
                return float(found.group(1))
        raise RspError("no transaction of %s ended in %d s" % (script, 25 * seconds))

    def passfile(self, role):
        return os.path.join(self.secrets, role + ".pgpass")

    def conninfo(self, role):
        """The connection string of a service; the password is in the pass file only."""
        return "host=%s dbname=%s user=%s passfile=%s" % (self.folder, role, role, self.passfile(role))

    def add_role(self, role):
        """A login role and its database, which no other role may connect to."""
        if os.path.exists(self.passfile(role)) and self.psql("postgres", "select 1 from pg_database where datname = '%s'" % role) == "1":
            return
        password = secrets.token_urlsafe(24)
        fd = os.open(self.passfile(role), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write("*:*:%s:%s:%s\n" % (role, role, password))
        self.psql("postgres", "drop database if exists {0};\ndrop role if exists {0};\ncreate role {0} login password '{1}';\n"
                  "create database {0} owner {0};\nrevoke all on database {0} from public;\n".format(role, password))
