# SPDX-License-Identifier: Apache-2.0
"""The little of the NATS protocol that a test needs: TLS, one request, one answer."""
import json
import socket
import ssl
import uuid


class Nats:
    def __init__(self, url, cert, key, ca, role):
        """role: whose certificate that is; a user may listen below its own inbox only."""
        self.inbox = "_INBOX.%s." % role
        host, port = url.split("://")[1].rsplit(":", 1)
        raw = socket.create_connection((host, int(port)), timeout=10)
        self._line(raw)  # INFO comes before TLS
        context = ssl.create_default_context(cafile=ca)
        context.check_hostname = False
        context.load_cert_chain(cert, key)
        self.socket = context.wrap_socket(raw, server_hostname=host)
        self.file = self.socket.makefile("rb")
        self._send('CONNECT {"verbose":false,"pedantic":false,"tls_required":true,"lang":"test","version":"1"}\r\nPING\r\n')
        line = self.file.readline()
        if line != b"PONG\r\n":
            raise OSError("NATS: %r" % line)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    @staticmethod
    def _line(raw):
        line = b""
        while not line.endswith(b"\r\n"):
            line += raw.recv(1)
        return line

    def _send(self, text):
        self.socket.sendall(text.encode())

    def request(self, subject, payload):
        """The payload of one answer, as bytes."""
        inbox = self.inbox + uuid.uuid4().hex
        data = payload.encode()
        self._send("SUB %s 1\r\nPUB %s %s %d\r\n" % (inbox, subject, inbox, len(data)))
        self.socket.sendall(data + b"\r\n")
        while True:
            line = self.file.readline()
            if line.startswith(b"PING"):
                self._send("PONG\r\n")
            elif line.startswith(b"MSG"):
                size = int(line.split()[-1])
                body = self.file.read(size)
                self.file.readline()
                self._send("UNSUB 1\r\n")
                return body
            elif line.startswith(b"-ERR") or not line:
                raise OSError("NATS: %r" % line)

    def subscribe(self, subject):
        """From when this returns, what is published comes here as well; one for a connection."""
        self._send("SUB %s 9\r\nPING\r\n" % subject)
        if self.file.readline() != b"PONG\r\n":
            raise OSError("NATS: the subscription is refused")

    def received(self, quiet_s):
        """(subject, payload) of what came, until nothing comes for so long."""
        came = []
        self.socket.settimeout(quiet_s)
        while True:
            try:
                line = self.file.readline()
            except TimeoutError:
                return came
            if line.startswith(b"PING"):
                self._send("PONG\r\n")
            elif line.startswith(b"MSG"):
                body = self.file.read(int(line.split()[-1]))
                self.file.readline()
                came.append((line.split()[1].decode(), body.decode()))
            else:
                raise OSError("NATS: %r" % line)

    def count(self, stream, subject):
        """How many events a stream holds on a subject."""
        answer = json.loads(self.request("$JS.API.STREAM.INFO." + stream, json.dumps({"subjects_filter": subject})))
        return (answer.get("state", {}).get("subjects") or {}).get(subject, 0)
