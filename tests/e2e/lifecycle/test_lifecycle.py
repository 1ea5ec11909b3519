# SPDX-License-Identifier: Apache-2.0
"""How a process begins, is watched and ends (docs/operate.md): drain, restart on its ports, wrong configuration told in a sentence, a
database that is restarted under load."""
import json
import os
import re
import threading
import time

from tests.e2e.base import full
from tests.e2e.helpers import Background, Work
from tests.e2e.soap import Answer, eid_of, get_eis, register_requests

SERIES = 8200


class LifecycleCase(Work):
    number = SERIES

    def requests(self, count=1):
        LifecycleCase.number += 1
        return register_requests(self, count, LifecycleCase.number)

    def register(self, request, server="sm-sr"):
        return Answer(self.soap_call(server, "eum", "/es1", request))

    def registered(self, requests):
        """Which of them are registered. None is half."""
        found = self.psql("sm_sr", "select e.eid, (select count(*) from eis where eid = e.eid), (select count(*) from profile where eid = e.eid),"
                          " (select count(*) from eis_state where eid = e.eid) from unnest('{%s}'::text[]) e(eid)" %
                          ",".join(eid_of(r) for r in requests))
        rows = [row.split("|", 1) for row in found.split("\n")]
        self.assertEqual({state for _, state in rows} - {"0|0|0", "1|2|1"}, set())
        return {eid for eid, state in rows if state == "1|2|1"}


class Ending(LifecycleCase):
    def test_sigterm_drains(self):
        """The running call is answered, nobody new gets in, readiness says so, exit 0."""
        request, point = self.requests()[0], "sm-sr.ES1-RegisterEIS.handled"
        ports = dict(self.staging.instances["sm-sr"].ports)
        self.rspctl.fault(self.admin("sm-sr"), point, "pause", eid_of(request))
        call = Background(self.register, request)
        self.await_true(lambda: any(r["point"] == point and r["held"] for r in self.rspctl.fault_list(self.admin("sm-sr"))), "not held", 20)
        stop = Background(self.staging.stop_service, "sm-sr")
        self.await_true(lambda: self.staging.management("sm-sr", "/readyz")[0] == 503, "still ready", 10)
        self.assertEqual(self.staging.management("sm-sr", "/healthz"), (200, "ok\n"))
        self.assertTrue(json.loads(self.staging.management("sm-sr", "/readyz")[1])["draining"])
        with self.assertRaises(OSError):
            self.register(request)
        self.rspctl.fault(self.admin("sm-sr"), point, "off", eid_of(request))
        self.assertEqual(call.value().status, "EXECUTED_SUCCESS")
        self.assertEqual(stop.value(), 0)
        self.assertFalse(os.path.exists(self.staging.port_file("sm-sr")))
        # Again on the same ports, with the database as it is.
        before = self.psql("sm_sr", "select version, applied_at from schema_version order by version")
        self.staging.start_service("sm-sr")
        self.assertEqual(self.staging.instances["sm-sr"].ports, ports)
        self.assertEqual(self.psql("sm_sr", "select version, applied_at from schema_version order by version"), before)
        answer = self.register(request)
        self.assertEqual(answer.status, "EXECUTED_SUCCESS")
        self.assertEqual(answer.text("rps:ProcessingEnd"), call.value().text("rps:ProcessingEnd"))

    def test_every_process_ends_and_begins_again(self):
        for name in ("eum", "operator-a"):
            with self.stopped(name):
                pass
        batch, eids = self.batch_of(self.order_of("again", 1))
        self.assertEqual(self.northbound("operator-a", "/v1/euiccs/" + eids[0])[0], 200)


class Watching(LifecycleCase):
    def test_health_readiness_and_metrics(self):
        for name in self.staging.instances:
            with self.subTest(process=name):
                self.assertEqual(self.staging.management(name, "/healthz"), (200, "ok\n"))
                status, body = self.staging.management(name, "/readyz")
                self.assertEqual(status, 200)
                ready = json.loads(body)
                self.assertEqual((ready["ready"], ready["listening"], ready["draining"], ready["database"]), (True, True, False, True))
                self.assertEqual((ready["bus_configured"], ready["bus"]), (name == "sm-sr",) * 2)
                self.assertEqual(self.staging.management(name, "/nothing")[0], 404)
                status, text = self.staging.management(name, "/metrics")
                self.assertEqual(status, 200)
                for line in text.splitlines():
                    self.assertRegex(line, r'^(# (TYPE|HELP) \w+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? -?[0-9.e+-]+)$')
                self.assertIn('rsp_build_info{role="%s"' % self.staging.instances[name].role.folder, text)
        self.assertEqual(self.http("http://127.0.0.1:%d/healthz" % self.staging.instances["sm-sr"].ports["management"], "POST")[0], 405)

    def test_calls_are_counted(self):
        def count():
            text = self.staging.management("sm-sr", "/metrics")[1]
            found = re.search(r'rsp_calls_total\{function="ES1-RegisterEIS",status="EXECUTED_SUCCESS"\} (\d+)', text)
            return int(found.group(1)) if found else 0
        before = count()
        self.assertEqual(self.register(self.requests()[0]).status, "EXECUTED_SUCCESS")
        self.assertEqual(count(), before + 1)


class Configuration(LifecycleCase):
    @full
    def test_what_is_wrong_is_named(self):
        open_key, short_key = self.key_file("open.key", b"x" * 32, 0o644), self.key_file("short.key", b"x" * 31)
        with open(self.pki("eum", "tls-server.key"), "rb") as f:
            other_key = self.key_file("other.key", f.read())
        for key, value, says in (("X", "1", "there is no such variable"), ("ENTITY_OID", None, "is not set"), ("THREADS", "0", "out of range"),
                                 ("PORT", "65536", "not a port"), ("KEK_FILE", "/nowhere.key", "No such file"), ("KEK_FILE", open_key, "chmod 600"),
                                 ("KEK_FILE", short_key, "32 bytes"), ("TLS_SERVER_KEY", open_key, "chmod 600"),
                                 ("TLS_SERVER_KEY", other_key, "key"),
                                 ("TLS_CA", self.pki("sm-sr", "tls-server.key"), "TLS_CA|certificate"), ("CI_CA", "/nowhere.pem", "No such file"),
                                 ("TRANSPORT_KEYS", "/nowhere", "No such file|folder"), ("LISTEN", "0.0.0.0", "PUBLIC_URL"),
                                 ("LISTEN", "192.0.2.1", "address"), ("BUS_CERT", "", "is not set"), ("ADMIN_SOCKET", "/" + "x" * 110, "too long"),
                                 ("PORT_FILE", "/nowhere/ports", "PORT_FILE"),
                                 ("CARDS_PORT", str(self.staging.instances["eum"].ports["partner"]), "in use"),
                                 ("PORT", str(self.staging.instances["eum"].ports["partner"]), "in use")):
            with self.subTest(variable=key, value=value):
                code, words = self.run_program(**{key: value})
                self.assertEqual(code, 1, words)
                self.assertRegex(words, says)
                if says != "PUBLIC_URL":
                    self.assertIn("RSP_SMSR_" + key, words)
                self.assertNotIn("AddressSanitizer", words)

    def test_the_database(self):
        code, words = self.run_program(DATABASE="host=/nowhere dbname=x", DATABASE_WAIT_S="0")
        self.assertEqual(code, 1)
        self.assertRegex(words, "cannot start: database: .*RSP_SMSR_DATABASE")
        code, words = self.run_program(DATABASE="nonsense", DATABASE_WAIT_S="0")
        self.assertEqual(code, 1)
        self.assertRegex(words, "malformed.*RSP_SMSR_DATABASE")
        # A newer program was here.
        self.psql("operator_b", "insert into schema_version (version, name, checksum) values (999, '999_later', '')")
        try:
            code, words = self.run_program("operator-b")
        finally:
            self.psql("operator_b", "delete from schema_version where version = 999")
        self.assertEqual(code, 1)
        self.assertRegex(words, "version 999.*newer program")

    @full
    def test_the_name_outlives_the_database_and_is_lost_to_who_is_faster(self):
        name, text = "hashtextextended('sm-sr/1', 0)", self.staging.log("sm-sr")
        holds = "select pid from pg_locks where locktype = 'advisory' and granted and (classid::bigint << 32 | objid::bigint) = " + name
        holder = self.psql("sm_sr", holds)
        self.psql("sm_sr", "select pg_terminate_backend(%s)" % holder)
        self.await_true(lambda: self.psql("sm_sr", holds) not in ("", holder), "the name stays free")
        self.assertRegex(self.run_program(REPLICA="1")[1], "replica name: another sm-sr")
        faster = Background(self.psql, "sm_sr", "select pg_advisory_lock(%s), pg_sleep(10)" % name)
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        self.await_true(lambda: self.psql("sm_sr", waits) == "1", "nobody waits for the name")
        self.psql("sm_sr", "select pg_terminate_backend(%s)" % self.psql("sm_sr", holds))
        self.assertEqual(self.staging.await_death("sm-sr"), 0)
        with open(text) as f:
            self.assertIn("another process took the name 1", f.read())
        faster.value()
        self.staging.start_service("sm-sr")

    def test_the_command_line(self):
        for arguments, code, says in ((("--check",), 0, "the configuration is good"), (("--version",), 0, r"^sm-sr \d+\.\d+\.\d+\n$"),
                                      (("--help",), 0, "RSP_SMSR_KEK_FILE"), (("--nothing",), 2, "Usage"), (("--check", "x"), 2, "Usage")):
            with self.subTest(arguments=arguments):
                got, words = self.run_program("sm-sr", *arguments)
                self.assertEqual(got, code, words)
                self.assertRegex(words, says)
        self.assertEqual(self.run_program("sm-sr", "--check", X="1")[0], 1)


class DatabaseRestarts(LifecycleCase):
    def load(self, requests, said, stop):
        """Registers and reads until told to stop; what was answered goes into said."""
        oid = self.staging.entities["operator-a"]["oid"]
        while not stop.is_set():
            for request in requests:
                eid = eid_of(request)
                for client, path, envelope in (("eum", "/es1", request), ("operator-a", "/es4", get_eis(oid, "1", eid))):
                    try:
                        answer = Answer(self.soap_call("sm-sr", client, path, envelope))
                        said.append((eid, answer.name, answer.status or answer.fault, answer.code))
                    except OSError:
                        said.append((eid, "", "end", None))

    @full
    def test_under_load_nothing_is_half_and_all_goes_on(self):
        requests, said, stop = self.requests(6), [], threading.Event()
        eid = self.batch_of(self.order_of("restart-before", 1))[1][0]
        threads = [Background(self.load, requests[i::3], said, stop) for i in range(3)]
        try:
            self.await_true(lambda: len(said) >= 8, "no load", 20)
            self.assertEqual({status for _, _, status, _ in said}, {"EXECUTED_SUCCESS"})
            self.staging.cluster.child.stop()
            self.await_true(lambda: not self.staging.ready("sm-sr"), "ready without a database", 10)
            self.assertEqual(self.staging.management("sm-sr", "/healthz")[0], 200)
            self.assertIn(self.northbound("operator-a", "/v1/euiccs/" + eid)[0], (502, 503))
            time.sleep(0.5)
        finally:
            self.staging.cluster.start(self.staging.supervisor)
            self.await_true(lambda: all(self.staging.ready(name) for name in self.staging.instances), "not ready again", 20)
            at = len(said)
            self.await_true(lambda: len(said) >= at + 8, "the load does not go on", 20)
            stop.set()
        for thread in threads:
            thread.value()
        register, get = "ES1-RegisterEISResponse", "ES4-GetEISResponse"
        expected = {(register, "EXECUTED_SUCCESS", None), (get, "EXECUTED_SUCCESS", None), (register, "FAILED", "1.2/4.4"),
                    (get, "FAILED", "1.2/4.4"), (get, "FAILED", "8.1.1/1.1"), ("", "end", None),
                    ("Fault", ("Receiver", "it is not known whether this call was executed: send it again as it is"), None)}
        self.assertEqual({row[1:] for row in said} - expected, set())
        # What was said to be registered is; nothing is half; the same call again ends what was open.
        told = {row[0] for row in said if row[1:3] == (register, "EXECUTED_SUCCESS")}
        self.assertEqual(told - self.registered(requests), set())
        self.assertEqual({self.register(request).status for request in requests}, {"EXECUTED_SUCCESS"})
        self.assertEqual(self.registered(requests), {eid_of(request) for request in requests})
        # Everybody found the database again, by itself.
        self.assertEqual(self.northbound("operator-a", "/v1/euiccs/" + eid)[0], 200)
        self.batch_of(self.order_of("restart-after", 2))
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox") == "0", "events are left", 20)
