# SPDX-License-Identifier: Apache-2.0
"""A plain TCP balancer in front of the replicas of one entity: haproxy as a private child. TLS ends at the replicas."""
import os
import shutil
import signal
import socket

from .paths import RspError
from .proc import Child

# A caller may be parked for long (PARK_MAX_S), a card may take its time: the services end their connections, not the balancer.
CONFIG = """\
global
	fd-hard-limit 100000
	hard-stop-after 500ms
	stats socket %(folder)s/haproxy.sock mode 600 level admin
defaults
	mode tcp
	balance leastconn
	option redispatch 1
	retries 3
	timeout connect 1s
	timeout client 20m
	timeout server 20m
	timeout queue 5s
	default-server check inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions
"""
LISTENER = """\
listen %(name)s
	bind fd@%(fd)d
%(servers)s
"""
BACKLOG = 4096


class Balancer:
    """listeners: the names of ports (Instance.ports) that are reached through it. The ports it listens on are known, and taken, before
    it runs: the replicas say them to others."""

    def __init__(self, folder, log, env, listeners):
        self.folder, self.log, self.env = folder, log, env
        self.sockets = {name: self._listen() for name in listeners}
        self.ports = {name: s.getsockname()[1] for name, s in self.sockets.items()}
        self.child = None

    @staticmethod
    def _listen():
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
        s.listen(BACKLOG)
        return s

    def url(self):
        return "https://127.0.0.1:%d" % self.ports["partner"]

    def _configure(self, instances):
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        text = CONFIG % {"folder": self.folder}
        for name, s in self.sockets.items():
            servers = "\n".join("\tserver %s 127.0.0.1:%d" % (i.name, i.ports[name]) for i in instances)
            text += LISTENER % {"name": name, "fd": s.fileno(), "servers": servers}
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w") as f:
            f.write(text)
        return path

    def start(self, supervisor, instances):
        """instances: the replicas; their ports are bound and stay theirs when they start again."""
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:" + self.env.get("PATH", ""))
        if program is None:
            raise RspError("haproxy is not installed")
        # SIGTERM would end it by that signal; SIGUSR1 ends it with code 0.
        self.child = Child("haproxy", [program, "-db", "-f", self._configure(instances)], self.env, self.log,
                           stop=signal.SIGUSR1, fds=[s.fileno() for s in self.sockets.values()])
        supervisor.start(self.child)
        supervisor.wait_until(self.child, self.answers, 30, "balancing")

    def answers(self):
        """Its control socket does, and every server is there."""
        try:
            lines = self.ask("show stat").splitlines()
        except OSError:
            return False
        servers = [row.split(",") for row in lines if row and not row.startswith("#")]
        states = [row[17] for row in servers if row[1] not in ("FRONTEND", "BACKEND")]
        return bool(states) and all(state.startswith("UP") for state in states)

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(os.path.join(self.folder, "haproxy.sock"))
            s.sendall(command.encode() + b"\n")
            answer = b""
            while part := s.recv(65536):
                answer += part
        return answer.decode()

    def close(self):
        for s in self.sockets.values():
            s.close()
