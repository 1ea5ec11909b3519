# SPDX-License-Identifier: Apache-2.0
"""A private nats-server of a domain, with JetStream and TLS; its accounts and permissions stand in tools/nats.conf.in (decisions.md B3)."""
import json
import os
import re
import shutil
import signal

from .paths import ROOT, RspError
from .proc import Child

DOMAIN = "a"  # the first; names of roles in others end with theirs
TEMPLATE = os.path.join(ROOT, "tools", "nats.conf.in")


def in_domain(name, domain):
    return name if domain == DOMAIN else "%s-%s" % (name, domain)


class Bus:
    def __init__(self, folder, pki, log, env, domain=DOMAIN, host="127.0.0.1", name=None):
        self.folder, self.pki, self.log, self.env, self.domain = folder, pki, log, env, domain
        self.host, self.name = host, name or host  # name: as clients call it
        self.port = -1  # any free one at the first start; the same one again at the next, where clients look for it
        self.child = None

    @property
    def url(self):
        return "tls://%s:%d" % (self.name, self.port)

    def _configure(self):
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        server = os.path.join(self.pki, "nats-server")
        values = {
            "LISTEN": "%s:%d" % (self.host, self.port),
            "MONITOR": "127.0.0.1:-1",
            "STORE_DIR": self.folder,
            "CERT": os.path.join(server, "tls-server.pem"),
            "KEY": os.path.join(server, "tls-server.key"),
            "CA": os.path.join(self.pki, "tls-ca", "tls-ca.pem"),
            "DOMAIN": self.domain,
            "DOMAIN_UPPER": self.domain.upper(),
        }
        for role in ("sm-sr", "sm-sr-handover", "sm-dp", "eum", "operator-gateway"):
            values[role.upper().replace("-", "_")] = in_domain(role, self.domain)
        with open(TEMPLATE) as f:
            text = f.read()
        unknown = set(re.findall(r"@(\w+)@", text)) - set(values)
        if unknown:
            raise RspError("tools/nats.conf.in: no value for " + ", ".join(sorted(unknown)))
        path = os.path.join(self.folder, "nats.conf")
        with open(path, "w") as f:
            f.write(re.sub(r"@(\w+)@", lambda m: values[m.group(1)], text))
        return path

    def _bound(self):
        """The server writes the ports it bound to a file named by its pid."""
        path = os.path.join(self.folder, "nats-server_%d.ports" % self.child.pid)
        try:
            with open(path) as f:
                urls = json.load(f)["nats"]
        except (FileNotFoundError, ValueError, KeyError):
            return False
        self.port = int(urls[0].rsplit(":", 1)[1])
        return True

    def start(self, supervisor):
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:" + self.env.get("PATH", ""))
        if program is None:
            raise RspError("nats-server is not installed")
        argv = [program, "-c", self._configure(), "--ports_file_dir", self.folder]
        for name in os.listdir(self.folder):  # a killed server leaves its own behind
            if name.endswith(".ports"):
                os.unlink(os.path.join(self.folder, name))
        if self.child is None:
            self.child = Child(in_domain("nats-server", self.domain), argv, self.env, self.log, stop=signal.SIGINT)  # SIGTERM ends it with code 1
        self.child.argv = argv
        supervisor.start(self.child)
        supervisor.wait_until(self.child, self._bound, 30, "listening")
