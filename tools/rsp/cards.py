# SPDX-License-Identifier: Apache-2.0
"""The simulated cards of a staging: the euicc-sim process and what may be asked of it over its control socket."""
import http.client
import json
import os
import secrets
import socket
import urllib.parse

from .paths import RspError
from .proc import Child

# SM-SRs at the SMSC, each under its own name: the number that is its own there.
NUMBERS = {"sm-sr": "88390", "sm-sr-b": "88391"}
FIRST = "sm-sr"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Cards:
    """settings: {KEY: value} over the defaults, without RSP_SIM_."""

    def __init__(self, staging, settings=None):
        self.staging, self.settings = staging, settings or {}
        self.socket = os.path.join(staging.folder, "run", "euicc-sim.sock")
        self.port_file = os.path.join(staging.folder, "run", "euicc-sim.ports")
        self.accounts = os.path.join(staging.folder, "smpp-accounts")
        self.child, self.port = None, 0

    def password_file(self, smsr):
        return os.path.join(self.staging.folder, "smpp-password" if smsr == FIRST else "smpp-password-" + smsr)

    def esme(self, smsr):
        """What an SM-SR binds with."""
        return {"SMPP_HOST": "127.0.0.1", "SMPP_PORT": str(self.port), "SMPP_SYSTEM_ID": smsr, "SMPP_SOURCE": NUMBERS[smsr],
                "SMPP_PASSWORD_FILE": self.password_file(smsr)}

    def _others(self):
        """The SM-SRs of further domains."""
        return [name for name in NUMBERS if name != FIRST and any(i.entity == name for i in self.staging.instances.values())]

    def _environment(self):
        values = {
            "BATCHES": self.staging.private_folder("batches"),
            "SMPP_LISTEN": "127.0.0.1",
            "SMPP_PORT": str(self.port),
            "SMPP_SYSTEM_ID": FIRST,
            "SMPP_PASSWORD_FILE": self.password_file(FIRST),
            "SMSR_NUMBER": NUMBERS[FIRST],
            "CONTROL_SOCKET": self.socket,
            "PORT_FILE": self.port_file,
        }
        if self._others():
            values["SMPP_ACCOUNTS_FILE"] = self.accounts
        values.update(self.settings)
        return dict(self.staging.env, **{"RSP_SIM_" + key: value for key, value in values.items()})

    def _password(self, smsr):
        path = self.password_file(smsr)
        if not os.path.exists(path):
            with open(path, "w") as f:
                f.write(secrets.token_hex(4))  # SMPP takes 8 characters
        with open(path) as f:
            return f.read()

    def _passwords(self):
        self._password(FIRST)
        rows = ["%s %s %s\n" % (name, self._password(name), NUMBERS[name]) for name in self._others()]
        if rows:
            with open(self.accounts, "w") as f:
                f.write("".join(rows))

    def start(self):
        self._passwords()
        if os.path.exists(self.port_file):
            os.unlink(self.port_file)
        if self.child is None:
            self.child = Child("euicc-sim", [self.staging.program("services", "euicc-sim", "euicc-sim")], self._environment(),
                               self.staging.log("euicc-sim"))
        self.child.env = self._environment()
        self.staging.supervisor.start(self.child)
        self.staging.supervisor.wait_until(self.child, self._listening, 30, "listening")

    def _listening(self):
        try:
            with open(self.port_file) as f:
                self.port = json.load(f)["smpp"]
            return self.call("GET", "/healthz")[0] == 200
        except (FileNotFoundError, ValueError, OSError):
            return False

    def stop(self):
        return self.child.stop()

    def kill(self):
        self.child.kill()

    # Control.
    def call(self, method, path, body=None, timeout=60):
        connection = UnixConnection(self.socket, timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            try:
                return response.status, json.loads(text) if text.strip() else None
            except ValueError:
                return response.status, text
        finally:
            connection.close()

    def _ask(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        if status != 200:
            raise RspError("euicc-sim %s %s: HTTP %d %s" % (method, path, status, answer))
        return answer

    def load(self, smsr):
        """Reads new batch files. smsr: {OID: {"host", "port", "uri", "number"}}: where the cards of that SM-SR go."""
        return self._ask("POST", "/admin/cards/load", {"smsr": smsr})

    def card(self, eid):
        return self._ask("GET", "/admin/cards?eid=" + urllib.parse.quote(eid))[0]

    def cards(self, limit=100000):
        return self._ask("GET", "/admin/cards?limit=%d" % limit)

    def power(self, on, eid="*"):
        return self._ask("POST", "/admin/cards/power", {"eid": eid, "on": on})

    def coverage_lost(self, eid):
        return self._ask("POST", "/admin/cards/coverage", {"eid": eid})

    def hook(self, hook, eid="*", times=0, argument=""):
        return self._ask("POST", "/admin/cards/hook", {"hook": hook, "eid": eid, "times": times, "argument": argument})

    def unhook(self, hook, eid="*"):
        return self._ask("DELETE", "/admin/cards/hook", {"hook": hook, "eid": eid})

    def stats(self):
        return self._ask("GET", "/admin/stats")
