# SPDX-License-Identifier: Apache-2.0
"""The base of end-to-end tests: real processes, PostgreSQL and nats-server on loopback, built with sanitizers and placed faults.

    from tests.e2e.base import Case

    class GetEis(Case):
        def test_unknown_eid(self):
            status, headers, body = self.soap_call("operator-a", "sm-sr", "/es4", envelope)

Cases share one staging; what a case needs beyond that it says in `needs` (then it shares with the cases that say the same)."""
import http.client
import os
import ssl
import unittest

from rsp.build import build_dir
from rsp.ctl import Order
from rsp.staging import Staging


def full(test):
    """Decorates a test that only `./rsp test full` runs, or a pattern that names it: its neighbours show the rule, it takes long."""
    test.full = True
    return test


def alone(case):
    """A class with `alone = True` measures time; what lies in the long folders loads the machine by itself. They run one by one, last."""
    return getattr(case, "alone", False) or case.__module__.startswith(("tests.full.", "tests.fault."))


def wanted(case):
    """The parameters of Staging a test class asks for, comparable; None: it needs no staging."""
    needs = getattr(case, "needs", None)
    return None if needs is None else key_of(needs, case.build)


def key_of(needs, flavour):
    return flavour, tuple(sorted((key, repr(value)) for key, value in needs.items()))


class Shared:
    """The one staging that a lane runs at a time, started when the first test asks for it."""
    current = None

    def __init__(self, findings, state=None, templates=None):
        self.findings, self.places = findings, {"state": state, "templates": templates}
        self.staging, self.key, self.number = None, None, 0
        self.complaints = []

    def __enter__(self):
        Shared.current = self
        return self

    def __exit__(self, *error):
        self.drop()
        Shared.current = None

    def get(self, needs, flavour):
        key = key_of(needs, flavour)
        if self.staging is not None and key != self.key:
            self.drop()
        if self.staging is None:
            self.number += 1
            more = dict(self.places, **needs)
            self.staging = Staging(build_dir(flavour), "test%d" % self.number, findings=self.findings, **more).start()
            self.key = key
        return self.staging

    def drop(self):
        """Stops it. A process that ended by itself, or badly, is a failure nobody may overlook."""
        if self.staging is not None:
            staging, self.staging = self.staging, None
            for name, code in staging.stop():
                self.complaints.append("%s ended with exit code %s; its log is %s" % (name, code, staging.log(name)))


class Case(unittest.TestCase):
    needs = {}       # parameters of Staging: {"replicas": 2}
    build = "check"  # tests/full: "release"
    maxDiff = None

    @property
    def staging(self):
        return Shared.current.get(self.needs, self.build)

    def tearDown(self):
        """A process that ended in a test without being asked fails that test and is started again for the next ones."""
        shared = Shared.current
        if shared.staging is None:
            return
        names = [child.name for child in shared.staging.supervisor.unexpected()]
        tails = ["%s ended unexpectedly:\n%s" % (c.name, c.log_tail()) for c in shared.staging.supervisor.unexpected()]
        if any(name not in shared.staging.instances for name in names):
            shared.drop()
        else:
            for name in names:
                shared.staging.start_service(name)
        if tails:
            self.fail("\n".join(tails))

    # Certificates.
    def pki(self, *parts):
        return os.path.join(self.staging.pki, *parts)

    def tls_context(self, client=None, cert=None, key=None):
        """A client's side of TLS. client: an entity of the PKI; cert and key: any files instead."""
        context = ssl.create_default_context(cafile=self.pki("tls-ca", "tls-ca.pem"))
        context.check_hostname = False
        if client:
            cert, key = self.pki(client, "tls-client.pem"), self.pki(client, "tls-client.key")
        if cert:
            context.load_cert_chain(cert, key)
        return context

    # Calls.
    def http(self, url, method="GET", body=None, headers=None, context=None, timeout=30):
        """(status, headers, body bytes). No HTTP answer at all is an OSError, whatever the reason was."""
        scheme, rest = url.split("://", 1)
        host, _, path = rest.partition("/")
        if scheme == "https":
            connection = http.client.HTTPSConnection(host, timeout=timeout, context=context or self.tls_context())
        else:
            connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            connection.request(method, "/" + path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        except http.client.HTTPException as e:
            raise OSError("no HTTP answer: %r" % e) from e
        finally:
            connection.close()

    def soap_call(self, server, client, path, envelope, action=None, context=None, timeout=30):
        """Posts an envelope to a process's partner listener with an entity's client certificate (or a context of your own)."""
        kind = "application/soap+xml; charset=utf-8" + ('; action="%s"' % action if action else "")
        data = envelope.encode() if isinstance(envelope, str) else envelope
        return self.http(self.staging.instances[server].url() + path, "POST", data, {"Content-Type": kind},
                         context or self.tls_context(client), timeout)

    @property
    def rspctl(self):
        """The methods of rsp.ctl.Ctl; admin() and order() name whom to talk to."""
        return self.staging.ctl

    def admin(self, name):
        return self.staging.admin_socket(name)

    def order(self, client="operator-a"):
        """Where the EUM takes orders, as one of its customers."""
        return Order(self.staging.instances["eum"].url(), self.pki(client, "tls-client.pem"), self.pki(client, "tls-client.key"),
                     self.pki("tls-ca", "tls-ca.pem"), self.staging.entities[client]["oid"])

    def psql(self, database, sql):
        """Rows as text, columns separated by |."""
        return self.staging.psql(database, sql)

    def metric(self, name, metric):
        """The sum of a metric over its labels, as the management listener says it."""
        status, text = self.staging.management(name, "/metrics")
        self.assertEqual(status, 200)
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if line.split("{")[0].split(" ")[0] == metric]
        return sum(float(value) for _, value in rows)
