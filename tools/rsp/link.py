# SPDX-License-Identifier: Apache-2.0
"""Two domains that only a cable connects: the handover service of domain B in a network namespace of its own, ES7 over one pair of virtual
interfaces, which can be cut. What belongs to B's machines (its bus, the look at its readiness) goes over a second pair that stays; its
database has a unix socket. Needs root."""
import os
import re
import shutil

from .proc import run

NETWORK = "10.213.%d.%d"  # the third octet: of the process and the pair, so that two stagings do not meet
SPACES = "/run/netns"
PAIRS = LINK, MACHINES = 0, 1
SIDES = {"sm-sr-handover": 1, "sm-sr-handover-b": 2}  # the fourth octet
PORT = 8443  # of both: each has an address of its own
AWAY = "sm-sr-handover-b"
BUS = "b.nats-server.internal"
NAMING = (*SIDES, "sm-sr-b")  # who must know the names


class Link:
    """folder: where the file of names is made. Certificates name hosts, not these addresses: who calls them sees a hosts file of its own."""

    def __init__(self, folder):
        self.space = "rsp%d" % os.getpid()
        self.hosts = os.path.join(folder, "hosts")

    def _address(self, net, number):
        return NETWORK % (os.getpid() % 125 * 2 + net, number)

    def _end(self, net, end):
        return "%s%s%d" % (self.space, end, net)

    @staticmethod
    def why_not():
        """What is missing; empty: nothing."""
        if os.getuid() != 0:
            return "a network namespace needs root"
        if not shutil.which("ip"):
            return "there is no program ip (iproute2)"
        name = "rsptry%d" % os.getpid()
        code, said = run(["ip", "netns", "add", name], check=False)
        if code == 0:
            run(["ip", "netns", "delete", name])
        return "" if code == 0 else "no network namespace can be made: " + said.strip()

    @staticmethod
    def _sweep():
        """What a run left that was killed: its namespace, whose name says which process it was."""
        for name in os.listdir(SPACES) if os.path.isdir(SPACES) else []:
            pid = re.fullmatch(r"rsp(\d+)", name)
            if pid and not os.path.exists("/proc/" + pid.group(1)):
                run(["ip", "netns", "delete", name], check=False)

    def open(self, instances):
        """instances: of the staging; they learn where others find them."""
        self._sweep()
        run(["ip", "netns", "add", self.space])
        inside = ["ip", "-n", self.space]
        run([*inside, "link", "set", "lo", "up"])
        for net in PAIRS:
            # Whatever becomes of the pair, nothing of this leaves the machine by another way.
            run(["ip", "route", "add", "blackhole", self._address(net, 0) + "/24", "metric", "9999"])
            here, there = self._end(net, "a"), self._end(net, "b")
            run(["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.space])
            run(["ip", "address", "add", self._address(net, 1) + "/24", "dev", here])
            run([*inside, "address", "add", self._address(net, 2) + "/24", "dev", there])
            run(["ip", "link", "set", here, "up"])
            run([*inside, "link", "set", there, "up"])
        with open(self.hosts, "w") as f:
            f.write("127.0.0.1 localhost\n%s %s\n" % (self._address(MACHINES, 1), BUS))
            f.write("".join("%s %s\n" % (self._address(LINK, SIDES[name]), self.host(name)) for name in SIDES))
        os.chmod(self.hosts, 0o644)
        for name in SIDES:
            instances[name].hosts["partner"] = self.host(name)
        instances[AWAY].hosts["management"] = self._address(MACHINES, SIDES[AWAY])

    def bus(self, domain):
        """Where the bus of a domain is, beyond the usual."""
        return {"host": self._address(MACHINES, 1), "name": BUS} if domain == "b" else {}

    def close(self):
        """The interfaces go with the namespace."""
        run(["ip", "netns", "delete", self.space], check=False)
        for net in PAIRS:
            run(["ip", "route", "delete", "blackhole", self._address(net, 0) + "/24", "metric", "9999"], check=False)

    def cut(self):
        """At its far end: on this side the route stays, and what is sent vanishes."""
        run(["ip", "-n", self.space, "link", "set", self._end(LINK, "b"), "down"])

    def restore(self):
        run(["ip", "-n", self.space, "link", "set", self._end(LINK, "b"), "up"])

    @staticmethod
    def host(name):
        """As the certificate of its SM-SR has it."""
        return "es7.%s.internal" % name.replace("-handover", "")

    def argv(self, name, argv):
        """Where the process is to run."""
        if name not in NAMING:
            return argv
        enter = ["ip", "netns", "exec", self.space] if name == AWAY else ["unshare", "--mount"]
        return [*enter, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', self.hosts, *argv]

    def variables(self, name):
        """Of one process, without prefix."""
        if name not in SIDES:
            return {}
        values = {"LISTEN": self._address(LINK, SIDES[name]), "PORT": str(PORT), "PUBLIC_URL": "https://%s:%d" % (self.host(name), PORT)}
        if name == AWAY:
            values["MANAGEMENT_LISTEN"] = self._address(MACHINES, SIDES[name])
        return values
