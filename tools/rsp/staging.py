# SPDX-License-Identifier: Apache-2.0
"""The ecosystem on one machine: PKI, database, bus and the services as supervised children."""
import fcntl
import http.client
import json
import os
import shutil
import subprocess

from . import ctl, nats, roles
from .balancer import Balancer
from .cards import NUMBERS, Cards
from .link import Link
from .paths import RspError, let_pass, state_dir
from .postgres import Cluster
from .proc import Child, Supervisor, pss_kib, run
from .registry import read_registry, write_registry
from .template import copy_of

MANY = 7  # processes
PASSED_ON = ("PATH", "TMPDIR", "LD_LIBRARY_PATH")
SANITIZERS = {
    "ASAN_OPTIONS": "log_path={0}:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "log_path={0}:print_stacktrace=1:halt_on_error=1",
}


def sanitizer_env(folder):
    """Findings go to files in a folder, which must be empty at the end: some runners do not see how their children ended."""
    os.makedirs(folder, exist_ok=True)
    return {key: text.format(os.path.join(folder, "x")) for key, text in SANITIZERS.items()}


class Staging:
    """name: its folder in the state folder; one at a time may run. fresh: begins with nothing. keep: will be started again.
    services: entities to start (None: roles.USUAL). settings: {process or role: {KEY: value}} over the table of roles.py.
    findings: the folder of sanitizer reports. database: settings of a new cluster. balancer: partners and cards reach the replicas of the
    SM-SR through one. variables: {process: {NAME: value}}: further ones of its environment. state: the folder its own is in.
    templates: a folder of what is made once and copied (template.py). link: a cable that can be cut connects the domains (link.py)."""

    def __init__(self, build_folder, name, replicas=1, services=None, settings=None, fresh=True, keep=False, findings=None,
                 bus=True, database=None, cards=True, balancer=False, variables=None, state=None, templates=None,
                 link=False):
        self.build, self.name, self.fresh, self.keep = build_folder, name, fresh, keep
        self.folder = os.path.join(state or state_dir(), name)
        self.log_folder = os.path.join(self.folder, "log")
        self.pki = os.path.join(self.folder, "pki")
        self.settings = settings or {}
        self.variables = variables or {}
        self.env = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        self.env.update(LANG="C.UTF-8", TZ="UTC", HOME=self.folder)
        if findings:
            self.env.update(sanitizer_env(findings))
        self.instances = {i.name: i for i in roles.instances(replicas, services)}
        self.with_bus, self.templates = bus, templates
        self.database_settings = database
        self.supervisor = Supervisor()
        # The cards are there when there is an SM-SR to manage them; settings for them stand under euicc-sim.
        with_cards = cards and any(i.role.folder == "sm-sr" for i in self.instances.values())
        self.cards = Cards(self, self.settings.get("euicc-sim")) if with_cards else None
        self.with_balancer = balancer
        self.link = Link(self.folder) if link else None
        self.cluster = self.lock = self.balancer = None
        self.buses = {}  # by domain
        self.entities = {}
        self.ctl = ctl.Ctl(ctl.program(build_folder), self.env)

    # Places.
    def admin_socket(self, name):
        return os.path.join(self.folder, "run", name + ".sock")

    def port_file(self, name):
        return os.path.join(self.folder, "run", name + ".ports")

    def token_file(self, name):
        """The bearer token of a gateway's northbound interface."""
        return os.path.join(self.folder, "tokens", name)

    def private_folder(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    @property
    def bus(self):
        """That of the first domain, or None."""
        return self.buses.get(nats.DOMAIN)

    def balanced(self, instance):
        return self.balancer is not None and instance.role.folder == "sm-sr" and instance.domain == nats.DOMAIN

    def _servers(self, entity, interface):
        """ES7 of an SM-SR is its handover service's, where it has one."""
        rows = [i for i in self.instances.values() if i.entity == entity]
        handover = [i for i in rows if i.role.folder == "sm-sr-handover"]
        return handover if interface == "ES7" and handover else [i for i in rows if i not in handover]

    def bases(self, entity, interface=None):
        """The URLs under which others reach an entity, in the order they are to be tried: one per replica, or the balancer's."""
        urls = [self.balancer.url() if self.balanced(i) else i.url() for i in self._servers(entity, interface)]
        return list(dict.fromkeys(urls))

    def log(self, name):
        return os.path.join(self.log_folder, name + ".log")

    def program(self, *parts):
        return os.path.join(self.build, *parts)

    # Start.
    def start(self):
        os.umask(0o077)  # keys and databases; what another user must enter is opened by name
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self):
        self._take_folder()
        self._make_pki()
        self.cluster = Cluster(os.path.join(self.folder, "pg"), os.path.join(self.folder, "passwords"), self.log("postgres"), self.env,
                               keep=self.keep, settings=self._database_settings(), templates=self.templates)
        self.cluster.prepare()
        self.cluster.start(self.supervisor)
        for database in sorted({i.database for i in self.instances.values()}):
            self.cluster.add_role(database)
        if self.link:
            self.link.open(self.instances)
        if self.with_bus:
            self._start_buses()
        if self.cards:
            self.private_folder("batches")
            self.cards.start()  # the SM-SR wants to know the SMSC's port
        if self.with_balancer:
            self.balancer = Balancer(os.path.join(self.folder, "balancer"), self.log("haproxy"), self.env, ["partner", "cards"])
        for instance in self.instances.values():
            self._launch(instance)
        for instance in self.instances.values():
            self._await(instance)
        if self.balancer:
            self.balancer.start(self.supervisor, [i for i in self.instances.values() if self.balanced(i)])
        self._introduce()
        if self.cards:
            self.load_cards()

    def _start_buses(self):
        """One per domain that has roles on it; the first always."""
        for domain in sorted({nats.DOMAIN} | {i.domain for i in self.instances.values() if i.role.bus}):
            name = nats.in_domain("nats", domain)
            self.buses[domain] = nats.Bus(os.path.join(self.folder, name), self.pki, self.log(nats.in_domain("nats-server", domain)), self.env,
                                          domain, **(self.link.bus(domain) if self.link else {}))
            self.buses[domain].start(self.supervisor)

    def _database_settings(self):
        """More processes than the usual ones have more connections."""
        settings = {"max_connections": "400"} if len(self.instances) > MANY else {}
        return dict(settings, **(self.database_settings or {}))

    def _cards_goal(self, instance):
        """Where cards of an SM-SR go, and who hears their SMS."""
        port = (self.balancer if self.balanced(instance) else instance).ports["cards"]
        return {"host": "127.0.0.1", "port": port, "uri": roles.CARDS_URI, "number": NUMBERS[instance.entity]}

    def load_cards(self):
        """The simulator reads new batches of the EUM; their cards go to the first replica of their SM-SR, or to its balancer."""
        return self.cards.load({self.entities[i.entity]["oid"]: self._cards_goal(i)
                                for i in self.instances.values() if i.role.folder == "sm-sr" and i.replica == 1})

    def _take_folder(self):
        """The lock is ours as long as this process lives; children do not inherit it."""
        os.makedirs(self.folder, exist_ok=True)
        let_pass(self.folder)
        self.lock = open(os.path.join(os.path.dirname(self.folder), self.name + ".lock"), "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.close()
            self.lock = None
            raise RspError("another ./rsp uses %s: wait for it or set RSP_STATE to another folder" % self.folder) from None
        if self.fresh:
            for entry in os.scandir(self.folder):
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        shutil.rmtree(os.path.join(self.folder, "run"), ignore_errors=True)
        for folder in ("run", "log"):
            os.makedirs(os.path.join(self.folder, folder), mode=0o700, exist_ok=True)

    def _make_pki(self):
        done = os.path.join(self.pki, ".complete")
        if not os.path.exists(done):
            shutil.rmtree(self.pki, ignore_errors=True)
            copy_of(self.templates, "pki", lambda path: make_certificates(self.build, path, self.env), self.pki)
            open(done, "w").close()
        self.entities = read_registry(self.pki)

    def _launch(self, instance):
        if os.path.exists(self.port_file(instance.name)):
            os.unlink(self.port_file(instance.name))
        env = roles.environment(self, instance)
        if instance.child is None:
            argv = [self.program(instance.role.program)]
            instance.child = Child(instance.name, self.link.argv(instance.name, argv) if self.link else argv, env, self.log(instance.name))
        instance.child.env = env
        self.supervisor.start(instance.child)

    def _await(self, instance, timeout_s=60):
        self.supervisor.wait_until(instance.child, lambda: self._read_ports(instance), timeout_s, "listening")
        self.supervisor.wait_until(instance.child, lambda: self.ready(instance.name), timeout_s, "ready")

    def _read_ports(self, instance):
        try:
            with open(self.port_file(instance.name)) as f:
                instance.ports = {name: port for name, port in json.load(f).items() if port}
        except FileNotFoundError:
            return False
        return True

    def _introduce(self):
        """Everybody gets everybody's registry entry, with the ports that are bound now."""
        folder = os.path.join(self.folder, "registry")
        write_registry(self, folder)
        for instance in self.instances.values():
            if instance.replica == 1:
                self.ctl.entity_import(self.admin_socket(instance.name), folder)
            if instance.role.northbound and not os.path.exists(self.token_file(instance.name)):
                made = self.ctl.token_create(self.admin_socket(instance.name), "staging", "operator")
                with open(os.path.join(self.private_folder("tokens"), instance.name), "w") as f:
                    f.write(made["token"] + "\n")

    # While it runs.
    def ready(self, name):
        """GET /readyz is 200."""
        try:
            return self.management(name, "/readyz")[0] == 200
        except OSError:
            return False

    def management(self, name, path):
        """(status, body) of the management listener."""
        instance = self.instances[name]
        connection = http.client.HTTPConnection(instance.hosts.get("management", "127.0.0.1"), instance.ports["management"], timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            connection.close()

    def kill(self, name):
        self.instances[name].child.kill()

    def await_death(self, name, timeout_s=30):
        """Waits until a process ends by itself (a fault point that kills); its exit code."""
        child = self.instances[name].child
        child.expected_end = True
        try:
            return child.proc.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RspError("%s still runs after %d s" % (name, timeout_s)) from None

    def stop_service(self, name):
        return self.instances[name].child.stop()

    def start_service(self, name, wait=True):
        """Again, on the ports it had: its partners know them. wait: until it is ready."""
        self._launch(self.instances[name])
        if wait:
            self._await(self.instances[name])

    def start_services(self, names):
        """The same for several, which start at the same time."""
        for name in names:
            self._launch(self.instances[name])
        for name in names:
            self._await(self.instances[name])

    def stop_bus(self, domain=nats.DOMAIN):
        self.buses[domain].child.stop()

    def start_bus(self, domain=nats.DOMAIN):
        self.buses[domain].start(self.supervisor)

    def gateway_words(self, operator):
        """What rspctl needs to talk to a gateway's northbound API."""
        return ["--gateway", self.instances[operator].url("northbound"), "--token-file", self.token_file(operator),
                "--ca", os.path.join(self.pki, "tls-ca", "tls-ca.pem")]

    def eis_get(self, operator, eid):
        """A card as one of the operators sees it at its gateway."""
        return self.ctl.eis_get(self.gateway_words(operator), eid)

    def psql(self, database, sql, *options):
        return self.cluster.psql(database, sql, *options)

    def memory(self):
        """PSS in KiB by process."""
        return {child.name: pss_kib(child.pid) for child in self.supervisor.children if child.alive()}

    def describe(self):
        """What the state file says."""
        rows = [{"name": c.name, "pid": c.pid, "log": c.log} for c in self.supervisor.children]
        for row in rows:
            instance = self.instances.get(row["name"])
            if instance:
                row.update(ports=instance.ports, admin_socket=self.admin_socket(instance.name), oid=self.entities[instance.entity]["oid"],
                           urls={listener: instance.url(listener) for listener in instance.ports})
        return {"folder": self.folder, "pki": self.pki, "database_socket": self.cluster.folder,
                "bus_url": self.bus.url if self.bus else None, "processes": rows}

    def stop(self):
        """Ends everything, last started first. Returns the (name, exit code) of those that did not end well."""
        if self.cluster:
            self.cluster.sessions.close()
        bad = self.supervisor.stop()
        if self.link:
            self.link.close()
        if self.balancer:
            self.balancer.close()
            self.balancer = None
        if self.lock:
            self.lock.close()
            self.lock = None
        return bad


def make_certificates(build_folder, out, env=None):
    """The test PKI: `./rsp certs` and every staging."""
    run([os.path.join(build_folder, "services", "certs", "rsp-certs"), "--out", out], env=env)
