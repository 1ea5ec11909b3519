# SPDX-License-Identifier: Apache-2.0
"""A partner that takes calls: a small HTTPS server with an entity's certificates (mutual TLS). It remembers every message it gets."""
import http.server
import ssl
import threading
import time

from tests.e2e.soap import NS, Answer

ACCEPTED = (202, b"")


class Message(Answer):
    """A POST that came, taken apart like an answer."""

    def __init__(self, path, headers, raw):
        super().__init__((None, headers, raw))
        self.path = path

    def header(self, name):
        """The text of a WS-Addressing header or of its Address; None: it is not there."""
        found = self.root.find("s:Header/wsa:%s" % name, NS)
        if found is None:
            return None
        address = found.find("wsa:Address", NS)
        return (found if address is None else address).text

    @property
    def body_text(self):
        """The body as it was written."""
        text = self.raw.decode()
        return text[text.index("Body>") + len("Body>"):text.rindex("</", 0, text.rindex("Body>"))]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self):
        message = Message(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.server.partner.take(message)
        self.send_response(status)
        if body:
            self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def process_request_thread(self, request, client_address):
        """The handshake with the certificate of this moment, and in the connection's own thread."""
        try:
            request.settimeout(30)
            request = self.partner.context.wrap_socket(request, server_side=True)
        except OSError:
            self.partner.refused += 1
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request, client_address):
        pass  # who called has gone


class Partner:
    """answer(message) -> (status, body): what it says; without: 202 to everything."""

    def __init__(self, case, entity, answer=None):
        self.case, self.entity, self.answer = case, entity, answer
        self.received, self.refused = [], 0
        self.lock = threading.Lock()
        self.shows(entity)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.partner = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.port = self.server.server_address[1]
        self.url = "https://127.0.0.1:%d/callbacks" % self.port

    def shows(self, entity):
        """From now on it has the certificate of that entity."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.case.pki(entity, "tls-server.pem"), self.case.pki(entity, "tls-server.key"))
        context.load_verify_locations(self.case.pki("tls-ca", "tls-ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.context = context

    def take(self, message):
        with self.lock:
            self.received.append(message)
        return self.answer(message) if self.answer else ACCEPTED

    def to(self, message_id):
        """What came in answer to a message."""
        with self.lock:
            return [m for m in self.received if m.header("RelatesTo") == message_id]

    def wait(self, message_id, timeout_s=30):
        """The first callback to a message."""
        until = time.monotonic() + timeout_s
        while not self.to(message_id):
            self.case.assertLess(time.monotonic(), until, "no callback came")
            time.sleep(0.02)
        return self.to(message_id)[0]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
