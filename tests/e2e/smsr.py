# SPDX-License-Identifier: Apache-2.0
"""An SM-SR, or an SM-DP, that says what a test wants it to say: HTTPS with an entity's certificates, registered at a gateway."""
import http.server
import json
import os
import re
import ssl
import threading

from tests.e2e import eum, soap

ENTITY = "sm-sr-b"
SMDP = "sm-dp"


class Request:
    """What the gateway sent."""

    def __init__(self, path, data):
        self.path, self.raw = path, data.decode()
        self.root = soap.ET.fromstring(data)
        self.body = self.root.find("s:Body", soap.NS)[0]

    def header(self, name):
        found = self.root.find("s:Header/wsa:" + name, soap.NS)
        return None if found is None else "".join(found.itertext()).strip()

    @property
    def message_id(self):
        return self.header("MessageID")

    @property
    def reply_to(self):
        return self.header("ReplyTo")

    @property
    def transaction(self):
        return re.search(r"TransactionI[dD]=([^?&]*)", self.message_id).group(1)

    @property
    def name(self):
        return self.body.tag.split("}")[1]

    def text(self, name):
        found = self.body.find("rps:" + name, soap.NS)
        return None if found is None else found.text


def response_body(root, status="EXECUTED_SUCCESS", code=None, more="", ended=None):
    """code: "8.2.1/4.2"; message: it happened. ended: its ProcessingEnd."""
    data = ""
    if code:
        subject, reason = code.split("/")
        data = ("<rps:StatusCodeData><rps:Subject>%s</rps:Subject><rps:Reason>%s</rps:Reason><rps:Message>it happened</rps:Message>"
                "</rps:StatusCodeData>" % (subject, reason))
    times = "<rps:ProcessingStart>%s</rps:ProcessingStart><rps:ProcessingEnd>%s</rps:ProcessingEnd>" % (ended, ended) if ended else ""
    return ("<rps:%s>%s<rps:FunctionExecutionStatus><rps:Status>%s</rps:Status>%s</rps:FunctionExecutionStatus>%s</rps:%s>"
            % (root, times, status, data, more, root))


class Peer:
    """behaviour: a function of a Request that gives (HTTP status, envelope or None); until it is set all is accepted with 202. entity: whose
    certificates it has; iface: where gateways reach it."""

    def __init__(self, case, entity=ENTITY, iface="ES4"):
        self.case, self.staging = case, case.staging
        self.entity, self.iface = entity, iface
        self.oid = self.staging.entities[entity]["oid"]
        self.requests, self.behaviour, self.port = [], None, 0
        self.server = self.thread = None

    # The server.
    def start(self):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if peer.server is None:
                    raise ConnectionError("stopped; this connection was kept")
                request = Request(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                peer.requests.append(request)
                status, text = peer.behaviour(request) if peer.behaviour else (202, None)
                data = text.encode() if text else b""
                self.send_response(status)
                if data:
                    self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *words):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # a gateway that was killed

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.case.pki(self.entity, "tls-server.pem"), self.case.pki(self.entity, "tls-server.key"))
        context.load_verify_locations(self.case.pki("tls-ca", "tls-ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def register(self, gateway, customers=None):
        """Makes it known there, at the address it has now. customers: others than it has."""
        folder = self.staging.private_folder("peer-%s-%s" % (self.entity, gateway))
        url = "https://127.0.0.1:%d/%s" % (self.port, self.iface.lower())
        record = dict(self.staging.entities[self.entity], addresses={self.iface: url})
        if customers is not None:
            record["customers"] = customers
        record["certificates"] = [os.path.normpath(self.case.pki("registry", f)) for f in record["certificates"]]
        with open(os.path.join(folder, "entity.json"), "w") as f:
            json.dump(record, f)
        self.case.rspctl.entity_import(self.case.admin(gateway), folder)

    # What it says.
    def of(self, operation):
        """The requests of one operation, in order."""
        return [r for r in self.requests if (r.text("FunctionCallIdentifier") or "").startswith(operation)]

    def answer(self, request, status="EXECUTED_SUCCESS", code=None, more=""):
        """The answer on the connection."""
        root = request.name.replace("Request", "Response")
        header = ("<wsa:From><wsa:Address>https://smsr.example?EntityId=%s</wsa:Address></wsa:From><wsa:MessageID>//%s/%s</wsa:MessageID>"
                  "<wsa:RelatesTo>%s</wsa:RelatesTo><wsa:Action>http://gsma.com/%s/PlatformManagement/%s</wsa:Action>"
                  % (self.oid, self.oid, soap.new_id(), escape(request.message_id), self.iface, root))
        return 200, soap.envelope(self.oid, "", "", response_body(root, status, code, more), header=header)

    def fault(self, code, reason):
        body = ('<soap:Fault><soap:Code><soap:Value>soap:%s</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">%s</soap:Text>'
                "</soap:Reason></soap:Fault>" % (code, reason))
        return 500, soap.envelope(self.oid, "", "", body)

    def callback(self, request, status="EXECUTED_SUCCESS", code=None, more="", root=None, relates_to=True, transaction=None, client=None,
                 ended=None):
        """Posts it to ReplyTo; the HTTP status and the Answer."""
        root = root or request.name.replace("Request", "Response")
        client = client or self.entity
        sender = self.staging.entities[client]["oid"]
        message_id = "//%s/%s%s" % (sender, soap.new_id(), "?TransactionID=%s" % transaction if transaction else "")
        header = ("<wsa:From><wsa:Address>https://smsr.example?EntityId=%s</wsa:Address></wsa:From><wsa:To>%s</wsa:To>"
                  "<wsa:MessageID>%s</wsa:MessageID>%s<wsa:Action>http://gsma.com/%s/PlatformManagementCallBack/%s</wsa:Action>"
                  % (sender, escape(request.reply_to), message_id,
                     "<wsa:RelatesTo>%s</wsa:RelatesTo>" % escape(request.message_id) if relates_to else "", self.iface, root))
        return self.post(request.reply_to, soap.envelope(sender, "", "", response_body(root, status, code, more, ended), header=header), client)

    def notify(self, gateway, name, eid, iccid, message_id=None, more="", group="PlatformManagement"):
        """HandleProfileEnabledNotification and its like; more: what stands between Iccid and CompletionTimestamp."""
        oid, root = self.staging.entities[gateway]["oid"], "%s-%s" % (self.iface, name)
        body = ("<rps:%s><rps:Eid>%s</rps:Eid><rps:Iccid>%s</rps:Iccid>%s<rps:CompletionTimestamp>2026-01-15T09:30:00Z"
                "</rps:CompletionTimestamp></rps:%s>" % (root, eid, iccid, more, root))
        envelope = soap.envelope(self.oid, oid, "http://gsma.com/%s/%s/%s" % (self.iface, group, root), body, message_id)
        return self.post(self.staging.instances[gateway].url() + "/" + self.iface.lower(), envelope, self.entity)

    def notify_change(self, gateway, eis, completed="2026-01-15T09:30:00Z", message_id=None):
        """HandleSMSRChangeNotification; eis: the element (moved_card)."""
        oid, root = self.staging.entities[gateway]["oid"], "%s-HandleSMSRChangeNotification" % self.iface
        group = "PlatformManagement" if self.iface == "ES2" else "eUICCManagement"
        body = "<rps:%s>%s<rps:CompletionTimestamp>%s</rps:CompletionTimestamp></rps:%s>" % (root, eis, completed, root)
        envelope = soap.envelope(self.oid, oid, "http://gsma.com/%s/%s/%s" % (self.iface, group, root), body, message_id)
        return self.post(self.staging.instances[gateway].url() + "/" + self.iface.lower(), envelope, self.entity)

    def post(self, url, envelope, client):
        return self.case.http(url, "POST", envelope.encode(), {"Content-Type": "application/soap+xml; charset=utf-8"},
                              self.case.tls_context(client))


def moved_card(case, smsr):
    """(EID, Eis element) of a new card that is at this SM-SR (OID) now; and eis_at: the same element, at another."""
    text = soap.new_card(case)
    return soap.eid_of(text), eis_at(eum.cut(text, "Eis"), smsr)


def eis_at(eis, smsr):
    return re.sub("<rps:Smsr-id>[^<]*<", "<rps:Smsr-id>%s<" % smsr, eis)


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")
