# SPDX-License-Identifier: Apache-2.0
"""A place between two partners: each sees the other's certificates, and what they say to one another is written down as it is inside TLS."""
import threading

from tests.e2e.partner import Partner

HOPS = ("host", "content-length", "connection")


class Recorder(Partner):
    """Who calls it meets `server`, a process of the staging, which is called by `client`. stops(message): it is held back before it goes
    on, until go()."""

    def __init__(self, case, server, client, stops=None):
        self.server_name, self.client, self.stops = server, client, stops
        self.answers = []
        self.stands, self.goes = threading.Event(), threading.Event()
        super().__init__(case, server, self.forward)
        self.base = "https://127.0.0.1:%d" % self.port

    def forward(self, message):
        if self.stops and self.stops(message):
            self.stands.set()
            self.goes.wait(60)
        headers = {name: value for name, value in message.headers.items() if name.lower() not in HOPS}
        url = self.case.staging.instances[self.server_name].url() + message.path
        status, _, body = self.case.http(url, "POST", message.raw, headers, self.case.tls_context(self.client), timeout=60)
        with self.lock:
            self.answers.append(body)
        return status, body

    def go(self):
        self.goes.set()

    def names(self):
        with self.lock:
            return [message.name for message in self.received]

    def said(self):
        """All that went to and fro, headers and all."""
        with self.lock:
            return b"\n".join([str(m.headers).encode() + m.raw for m in self.received] + self.answers)
