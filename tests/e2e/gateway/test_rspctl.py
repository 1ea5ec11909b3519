# SPDX-License-Identifier: Apache-2.0
"""rspctl as docs/rspctl.md promises it: exit codes, what an error says, what is imported and what is not."""
import contextlib
import json
import os
import re
import socket
import subprocess
import threading

from tests.e2e.helpers import Background, Work
from tests.e2e.soap import Answer, eid_of, register_requests

UNKNOWN = "89001012012341234012345678901224"
OID = "1.3.6.1.4.1.99999.70"


class CtlCase(Work):
    def ctl(self, *words):
        return self.rspctl.call(*words)

    def admin_ctl(self, name, *words):
        return self.ctl("--admin", self.admin(name), *words)

    def order_ctl(self, *words, client="operator-a", **other):
        order = self.order(client)
        for name, value in other.items():
            setattr(order, name, value)
        return self.ctl(*order.words(), *words)

    def gateway_words(self):
        return self.staging.gateway_words("operator-a")

    def fails(self, answer, exit_code, says):
        """The error as --json promises it; its message has the words."""
        code, output = answer
        self.assertEqual(code, exit_code, output)
        said = json.loads(output)
        self.assertEqual(said["exit"], exit_code)
        self.assertTrue(said["error"]["code"])
        self.assertRegex(said["error"]["message"], says)
        return said["error"]

    @contextlib.contextmanager
    def server(self, answer):
        """An admin socket that says the same to everybody."""
        path = os.path.join(self.staging.private_folder("false"), "s.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(8)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer = listener.accept()[0]
                    with peer:
                        peer.recv(65536)
                        peer.sendall(answer)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            listener.close()


class ExitCodes(CtlCase):
    def test_0_done(self):
        for words in (("entity", "list"), ("messages",), ("fault",), ("fault", "list"), ("outbox", "list"), ("outbox", "list", "--dead"), ("peer", "list")):
            code, output = self.admin_ctl("sm-sr", *words)
            self.assertEqual(code, 0, output)
            self.assertIsInstance(json.loads(output), list)
        self.assertEqual(self.ctl("--help")[0], 0)

    def test_1_refused(self):
        order = self.order_of("refused", 1, smsr="1.3.6.1.4.1.99999.3")
        error = self.fails(self.order_ctl("batch", "create", "--file", self.order_file(order)), 1, "Smsr-id")
        self.assertEqual((error["code"], error["status"], error["subject_identifier"]), ("1.6/2.1", "FAILED", "Smsr-id"))
        self.fails(self.order_ctl("batch", "status", "no-such-batch"), 1, "Batch")
        # Somebody else's OID behind our certificate: a SOAP Fault.
        self.fails(self.order_ctl("batch", "status", "x", sender=self.staging.entities["operator-b"]["oid"]), 1, "Fault Sender.*From")

    def test_1_a_batch_that_did_not_end_well_when_waited_for(self):
        with self.stopped("sm-sr"):
            order = self.order_of("waits", 1)
            self.order_batch(order)
            self.fails(self.order_ctl("batch", "status", "waits", "--wait", "1"), 1, "0 of 1 cards are registered")
            self.assertEqual(self.order_ctl("batch", "status", "waits")[0], 0)
        self.assertEqual(self.order_ctl("batch", "status", "waits", "--wait", "60")[0], 0)

    def test_2_usage(self):
        admin = ("--admin", self.admin("sm-sr"))
        for says, words in (("no such command", ()), ("no such command", ("entity",)), ("no such option", ("--nothing",)),
                            ("usage: rspctl entity import DIR", (*admin, "entity", "import")), ("value|missing", ("entity", "list", "--admin")),
                            ("--admin", ("entity", "list")), ("32 digits", (*admin, "messages", "--eid", UNKNOWN[:-1] + "5")),
                            ("1 to 999999", (*admin, "messages", "--limit", "0")), ("pause.kill", (*admin, "fault", "x", "explode", "*")),
                            ("number of a row", (*admin, "outbox", "show", "x")), ("--yes", (*admin, "outbox", "drop", "1")),
                            ("replay ID", (*admin, "outbox", "replay")), ("replay ID", (*admin, "outbox", "replay", "1", "--all")),
                            ("object identifier", (*admin, "outbox", "list", "--peer", "x")),
                            ("32 digits", (*self.gateway_words(), "eis", "get", "1")),
                            ("KEY=VALUE", (*self.order().words(), "eis", "properties", UNKNOWN, "x")),
                            ("number of seconds", (*self.order().words(), "batch", "status", "x", "--wait", "soon"))):
            with self.subTest(words=words[-3:]):
                self.fails(self.ctl(*words), 2, says)

    def test_2_a_token_that_others_can_read(self):
        path = os.path.join(self.staging.private_folder("orders"), "open-token")
        with open(path, "w") as f:
            f.write("x\n")
        os.chmod(path, 0o644)
        words = self.gateway_words()
        words[words.index("--token-file") + 1] = path
        self.fails(self.ctl(*words, "eis", "get", UNKNOWN), 2, "chmod 600")

    def test_2_an_order_names_its_wrong_field(self):
        good = self.order_of("field", 1)
        for says, change in (("quantity", {"quantity": 0}), ("quantity", {"quantity": "1"}), ("smsr", {"smsr": "x"}), ("colour", {"colour": "red"}),
                             ("profiles", {"profiles": []}), ("profiles", {"profiles": [dict(good["profiles"][0], size=1)]}),
                             ("properties", {"properties": {"a": 1}}), ("name", {"name": ""})):
            with self.subTest(change=change):
                path = os.path.join(self.staging.private_folder("orders"), "wrong.json")
                with open(path, "w") as f:
                    json.dump(dict(good, **change), f)
                self.fails(self.order_ctl("batch", "create", "--file", path), 2, re.escape(path) + ".*" + says)
        self.fails(self.order_ctl("batch", "create", "--file", "/nowhere.json"), 2, "/nowhere.json")

    def test_3_unreachable(self):
        self.fails(self.ctl("--admin", "/nowhere.sock", "entity", "list"), 3, "/nowhere.sock")
        words = self.gateway_words()
        words[1] = "https://127.0.0.1:1"
        self.fails(self.ctl(*words, "eis", "get", UNKNOWN), 3, "127.0.0.1:1")
        self.fails(self.order_ctl("batch", "status", "x", url="https://127.0.0.1:1"), 3, "127.0.0.1:1")
        # Not the CA of that server: no request leaves.
        words = self.gateway_words()
        words[words.index("--ca") + 1] = self.pki("ci", "ci.pem")
        self.fails(self.ctl(*words, "eis", "get", UNKNOWN), 3, "certificate|TLS")

    def test_3_the_gateway_cannot_reach_the_sm_sr(self):
        with self.stopped("sm-sr"):
            self.fails(self.ctl(*self.gateway_words(), "eis", "get", UNKNOWN), 3, "SM-SR cannot be reached")

    def test_4_not_found(self):
        self.assertEqual(self.fails(self.ctl(*self.gateway_words(), "eis", "get", UNKNOWN), 4, "8.1.1/1.1")["status"], "FAILED")
        self.assertEqual(self.fails(self.order_ctl("eis", "properties", UNKNOWN, "a=b"), 4, "8.1.1/1.1")["subject_identifier"], UNKNOWN)
        self.fails(self.admin_ctl("sm-sr", "fault", "no.such.point", "kill", "*"), 4, "no.such.point")
        self.fails(self.admin_ctl("sm-sr", "token", "list"), 4, "404")  # no gateway

    def test_5_unexpected(self):
        head = b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
        for answer in (head % (b"200 OK", 5, b"hello"), head % (b"500 Oops", 0, b""), head % (b"200 OK", 2, b"{}")):
            with self.server(answer) as path:
                self.fails(self.ctl("--admin", path, "token", "create", "x", "reader"), 5, ".")

    def test_a_person_reads_a_sentence_on_stderr(self):
        try:
            self.rspctl.text("--admin", "/nowhere.sock", "entity", "list")
        except Exception as e:
            self.assertRegex(str(e), r"exit 3\nrspctl: --admin /nowhere.sock: .*is the process running")
        else:
            self.fail("it worked")


class Import(CtlCase):
    def certificate(self):
        """One that nobody has."""
        path = self.pki("extra", "imported.pem")
        if not os.path.exists(path):
            subprocess.run([self.staging.program("services", "certs", "rsp-certs"), "--out", self.staging.pki, "--issue", "imported", "--eku", "client"],
                           check=True, stdout=subprocess.DEVNULL, env=self.staging.env)
        return path

    def record(self, **more):
        return dict({"oid": OID, "name": "imported", "roles": ["operator"], "certificates": [self.certificate()],
                     "addresses": {"ES4": "https://127.0.0.1:9"}, "customers": [], "dialect": ""}, **more)

    def import_files(self, **files):
        """name: a record, or text as it is."""
        folder = self.staging.private_folder("import")
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        for name, content in files.items():
            with open(os.path.join(folder, name + ".json"), "w") as f:
                f.write(content if isinstance(content, str) else json.dumps(content))
        return self.admin_ctl("operator-b", "entity", "import", folder)

    def imported(self):
        code, output = self.admin_ctl("operator-b", "entity", "list")
        self.assertEqual(code, 0)
        return {e["oid"]: e for e in json.loads(output)}.get(OID)

    def test_wrong_files_are_named_with_their_field(self):
        other = "1.3.6.1.4.1.99999.71"
        for field, change in (("oid", {"oid": "x"}), ("oid", {"oid": None}), ("roles", {"roles": []}), (r"roles\[0\]", {"roles": ["king"]}),
                              ("addresses", {"addresses": []}), ("addresses.ES4", {"addresses": {"ES4": "http://x"}}),
                              ("addresses.ES9|ES9", {"addresses": {"ES9": "https://x"}}), ("certificates", {"certificates": "x"}),
                              (r"certificates\[0\].*No such file", {"certificates": ["x.pem"]}),
                              (r"certificates\[0\].*PEM", {"certificates": [self.pki("m2m-sp", "tls-server.key")]}),
                              ("customers", {"customers": ["x"]}), ("dialect", {"dialect": "loud=yes"}),
                              (r"no_reply_to=never is not known.*no_reply_to=refuse", {"dialect": {"no_reply_to": "never"}}),
                              ("s_callback=no is not known", {"dialect": "fci=weak s_callback=no"}), ("name", {"name": 1})):
            with self.subTest(change=change):
                code, output = self.import_files(b_wrong=dict(self.record(oid=other), **change))
                error = json.loads(output)["error"]
                self.assertIn(code, (1, 2), output)
                self.assertRegex(error["message"], r"b_wrong\.json")
                self.assertRegex(error["message"], field)

    def test_files_before_the_wrong_one_are_in(self):
        code, output = self.import_files(a_good=self.record(name="first"), b_wrong="{", c_good=self.record(name="third"))
        self.assertEqual(code, 2)
        self.assertIn("b_wrong.json: line 1", json.loads(output)["error"]["message"])
        self.assertEqual(self.imported()["name"], "first")

    def test_what_was_there_is_replaced(self):
        self.assertEqual(self.import_files(a=self.record())[0], 0)
        self.assertEqual(self.imported()["addresses"], {"ES4": ["https://127.0.0.1:9"]})
        urls = ["https://127.0.0.1:8", "https://127.0.0.1:7"]
        self.assertEqual(self.import_files(a=self.record(name="second", roles=["m2m-sp"], addresses={"ES4": urls}, dialect="fci=weak"))[0], 0)
        now = self.imported()
        self.assertEqual((now["name"], now["roles"], now["addresses"], now["dialect"]), ("second", ["m2m-sp"], {"ES4": urls}, "fci=weak"))
        self.assertEqual(len(now["certificates"]), 1)

    def test_a_certificate_is_of_one_entity(self):
        taken = self.record(oid="1.3.6.1.4.1.99999.72", certificates=[self.pki("sm-sr", "tls-client.pem")])
        code, output = self.import_files(a=taken)
        self.assertEqual(code, 1, output)
        self.assertRegex(json.loads(output)["error"]["message"], r"a\.json.*certificate")

    def test_an_empty_folder_and_none(self):
        self.fails(self.import_files(), 2, "no .*json")
        self.fails(self.admin_ctl("operator-b", "entity", "import", "/nowhere"), 2, "/nowhere")


class Messages(CtlCase):
    def test_a_call_is_found_by_eid_and_by_message(self):
        self.ctl(*self.gateway_words(), "eis", "get", UNKNOWN)
        code, output = self.admin_ctl("sm-sr", "messages", "--eid", UNKNOWN, "--limit", "2")
        rows = json.loads(output)
        self.assertEqual((code, sorted(row["kind"] for row in rows)), (0, ["answer-out", "in"]), output)
        self.assertEqual({row["function"] for row in rows}, {"ES4-GetEIS"})
        message = next(row["message_id"] for row in rows if row["kind"] == "in")
        found = json.loads(self.admin_ctl("sm-sr", "messages", "--message-id", message)[1])
        self.assertIn(message, {row["message_id"] for row in found})
        # The same message, as the gateway sent it.
        sent = json.loads(self.admin_ctl("operator-a", "messages", "--message-id", message)[1])
        self.assertIn("out", {row["kind"] for row in sent})

    def test_a_person_sees_indented_xml(self):
        self.ctl(*self.gateway_words(), "eis", "get", UNKNOWN)
        text = self.rspctl.text("--admin", self.admin("sm-sr"), "messages", "--xml", "--eid", UNKNOWN, "--limit", "1")
        self.assertRegex(text, r"(?m)^--- .*ES4-GetEIS.*\n<")
        self.assertRegex(text, r"(?m)^    <")

    def test_the_limit_holds(self):
        for _ in range(3):
            self.ctl(*self.gateway_words(), "eis", "get", UNKNOWN)
        self.assertEqual(len(json.loads(self.admin_ctl("sm-sr", "messages", "--limit", "3")[1])), 3)


class Faults(CtlCase):
    def test_armed_listed_hit_once_and_off(self):
        def row():
            return next(r for r in self.rspctl.fault_list(self.admin("sm-sr")) if r["point"] == "sm-sr.ES1-RegisterEIS.decoded")
        hits = row()["hits"]
        self.rspctl.fault(self.admin("sm-sr"), row()["point"], "drop", UNKNOWN)
        self.assertEqual((row()["action"], row()["eid"], row()["hits"]), ("drop", UNKNOWN, hits))
        self.rspctl.fault(self.admin("sm-sr"), row()["point"], "off", UNKNOWN)
        self.assertEqual(row()["action"], "off")
        self.fails(self.admin_ctl("sm-sr", "fault", row()["point"], "kill", "12"), 1, "32 digits")

    def test_a_paused_call_goes_on_when_it_is_let_go(self):
        request, point = register_requests(self, 1, 8100)[0], "sm-sr.ES1-RegisterEIS.handled"
        self.rspctl.fault(self.admin("sm-sr"), point, "pause", eid_of(request))
        call = Background(self.soap_call, "sm-sr", "eum", "/es1", request)
        self.await_true(lambda: any(r["point"] == point and r["held"] == 1 for r in self.rspctl.fault_list(self.admin("sm-sr"))),
                        "nobody is held", 20)
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis where eid = '%s'" % eid_of(request)), "0")
        self.rspctl.fault(self.admin("sm-sr"), point, "off", eid_of(request))
        self.assertEqual(Answer(call.value()).status, "EXECUTED_SUCCESS")


class Outbox(CtlCase):
    def test_what_waits_is_listed(self):
        with self.stopped("sm-sr"):
            batch = self.order_batch(self.order_of("outbox", 2))
            self.await_true(lambda: self.status(batch)["made"] == 2, "no cards", 20)
            rows = json.loads(self.admin_ctl("eum", "outbox", "list")[1])
            waiting = [r for r in rows if r["eid"] in self.eids(batch)]
            self.assertEqual({(r["lane"], r["kind"]) for r in waiting}, {("peer:" + self.staging.entities["sm-sr"]["oid"], "ES1-RegisterEIS")})
            self.assertEqual(len(waiting), 2)
            self.assertEqual(json.loads(self.admin_ctl("eum", "outbox", "list", "--dead")[1]), [])
        self.await_registered(batch, 2)
