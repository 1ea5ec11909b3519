# SPDX-License-Identifier: Apache-2.0
"""An SM-DP's stock of ICCIDs: batches are imported whole or not at all, once, and what is wrong is named by line and column."""
import json
import os

from tests.e2e.base import full
from tests.e2e.nats import Nats
from tests.e2e.stock.stock_case import MEMORY, StockCase, luhn, unwrap_kw, wrap_ecb


class Import(StockCase):
    def test_a_batch_is_in_the_stock_and_its_keys_are_wrapped(self):
        rows = self.rows(3)
        done = self.take("fresh", self.csv(rows))
        self.assertEqual(done, {"batch": "fresh", "mno": self.mno, "type": "plain", "iccids": 3, "repeated": False})
        found = self.rspctl.stock_list(self.socket, batch="fresh", state="available", mno=self.mno, type="plain")
        self.assertEqual([(r["iccid"], r["imsi"], r["sent"], r["eid"]) for r in found],
                         [(r.values["ICCID"], r.values["IMSI"], False, None) for r in rows])
        self.assertEqual(self.rspctl.stock_list(self.socket, batch="fresh", state="installed"), [])
        self.assertIn({"mno": self.mno, "batch": "fresh", "type": "plain", "wrap": "kw", "iccids": 3},
                      [{k: v for k, v in b.items() if k != "imported_at"} for b in self.rspctl.stock_batches(self.socket)])
        wrapped = self.psql("sm_dp", "select encode(wrapped, 'hex') from stock_secret k join stock s using (iccid) where s.batch = 'fresh'")
        self.assertEqual([len(w) for w in wrapped.split()], [88] * 6)  # nonce, key, tag
        transport = self.transport()
        with open(self.staging.log("sm-dp")) as f:
            log = f.read().lower()
        for row in rows:
            for name, key in row.keys.items():
                self.assertNotIn(key.hex(), wrapped)
                self.assertNotIn(row.cell(name, transport, wrap_ecb).lower(), wrapped)
                self.assertNotIn(key.hex(), log)

    def test_the_same_batch_again_is_the_same_answer(self):
        rows = self.rows(2)
        text = self.csv(rows)
        self.assertFalse(self.take("again", text)["repeated"])
        before = self.everything()
        self.assertEqual(self.take("again", text), {"batch": "again", "mno": self.mno, "type": "plain", "iccids": 2, "repeated": True})
        # Written and wrapped otherwise it is still the same.
        other = self.csv(rows, heads=("OPc", "MSISDN", "Ki", "IMSI", "ICCID"), wrap=wrap_ecb, end="\r\n")
        self.assertTrue(self.take("again", other, wrap="ecb")["repeated"])
        quoted = "\ufeff" + "\n".join(",".join('"%s"' % cell if i else cell for cell in line.split(","))
                                      for i, line in enumerate(text.strip().split("\n")))
        self.assertTrue(self.take("again", quoted)["repeated"])
        self.assertEqual(self.everything(), before)

    @full
    def test_a_batch_with_other_content_is_refused_where_it_differs(self):
        rows, others = self.rows(3), self.rows(3)
        self.take("differs", self.csv(rows))
        before = self.everything()

        def changed(**values):
            row = self.rows(1)[0]
            row.values, row.keys = dict(rows[1].values), dict(rows[1].keys)
            for name, value in values.items():
                (row.keys if name in row.keys else row.values)[name] = value
            return [rows[0], row, rows[2]]
        heads = self.heads + ("MSISDN",)
        for says, text in (("line 3, column 1 .ICCID.", self.csv(changed(ICCID=others[0].values["ICCID"]))),
                           ("line 3, column 2 .IMSI.", self.csv(changed(IMSI=others[0].values["IMSI"]))),
                           ("line 3, column 3 .Ki.: .*another key", self.csv(changed(Ki=os.urandom(16)))),
                           ("line 3, column 4 .OPc.: .*another key", self.csv(changed(OPc=os.urandom(16)))),
                           ("line 3, column 5 .MSISDN.", self.csv(changed(MSISDN="882"), heads=heads)),
                           ("line 4: .*goes on", self.csv(rows[:2])), ("line 5: .*ended", self.csv(rows + others[:1]))):
            with self.subTest(says=says):
                self.refused("batch_exists", says, self.take, "differs", text)
        self.refused("batch_exists", "profile type plain", self.take, "differs", self.csv(rows), type_name="another")
        self.assertEqual(self.everything().split("|")[:3], before.split("|")[:3])

    def test_what_is_wrong_in_a_file_is_named(self):
        rows = self.rows(3)
        good = self.csv(rows)
        lines = good.split("\n")
        self.make_type("plain")
        before = self.everything()

        def with_cell(column, value):
            cells = lines[2].split(",")
            cells[column] = value
            return "\n".join(lines[:2] + [",".join(cells)] + lines[3:])
        iccid = rows[1].values["ICCID"]
        for says, text in (("empty", ""), ("only a header", lines[0]), ("line 1, column 3: no such heading", good.replace("Ki", "KI", 1)),
                           ("line 1: a heading is missing", "\n".join(line.rsplit(",", 1)[0] for line in lines)),
                           ("line 1, column 5: IMSI is column 2 already", good.replace("OPc", "OPc,IMSI", 1)),
                           ("line 3: has 5 cells where the header names 4", with_cell(1, "1,2")),
                           ("line 3: has 1 cells", "\n".join(lines[:2] + [""] + lines[2:])),
                           (r"line 3, column 1 .ICCID.: .*start with 89", with_cell(0, "77" + iccid[2:])),
                           (r"line 3, column 1 .ICCID.: .*Luhn", with_cell(0, iccid[:-1] + str((int(iccid[-1]) + 1) % 10))),
                           (r"line 3, column 1 .ICCID.: .*padding F", with_cell(0, iccid + "F")),
                           (r"line 3, column 1 .ICCID.", with_cell(0, "")), (r"line 3, column 1 .ICCID.", with_cell(0, "8" * 80)),
                           (r"line 3, column 2 .IMSI.: should be 6 to 15 digits", with_cell(1, "90x")),
                           (r"line 3, column 2 .IMSI.", with_cell(1, "9" * 16)), (r"line 3, column 2 .IMSI.", with_cell(1, "123456\x00")),
                           (r"line 3, column 3 .Ki.: should be 48 hex digits", with_cell(2, "00" * 23)),
                           (r"line 3, column 4 .OPc.: should be 48 hex digits", with_cell(3, "x" * 48)),
                           (r"line 3, column 4 .OPc.: does not open", with_cell(3, "00" * 24)),
                           (r"line 2, column 3 .Ki.: does not open", self.csv(rows, key=self.transport("operator-b")))):
            with self.subTest(says=says):
                self.refused("bad_file", says, self.take, "wrong", text)
        self.refused("bad_file", "should be 32 hex digits", self.take, "wrong", good, wrap="ecb")
        self.refused("bad_request", "wrap", self.take, "wrong", good, wrap="zip")
        self.refused("bad_request", "batch", self.take, "a b", good)
        self.refused("not_found", "no profile type nothing", self.rspctl.stock_import, self.socket, self.file("wrong.csv", good), self.mno, "nothing")
        self.refused("no_transport_key", "1.2.3.4", self.rspctl.stock_import, self.socket, self.file("wrong.csv", good), "1.2.3.4", "plain")
        self.assertEqual(self.everything(), before)
        self.assertFalse(self.take("wrong", good)["repeated"])

    def test_a_number_is_in_the_stock_once(self):
        rows, others = self.rows(1500), self.rows(2)
        self.take("first", self.csv(rows[:1]))
        before = self.everything()
        double = self.rows(1)[0]
        double.values["ICCID"] = luhn(double.values["ICCID"][:-2] + "9")
        double.values["IMSI"] = rows[3].values["IMSI"]
        for says, chosen in (("line 3, column 1 .ICCID.: is in the stock already, from batch first", others + rows[:1]),
                             ("line 4, column 1 .ICCID.: stands on an earlier line", rows[1:3] + rows[1:2]),
                             ("line 1401, column 1 .ICCID.: stands on an earlier line", rows[1:1400] + rows[1:2]),
                             ("line 5, column 2 .IMSI.: stands on an earlier line", rows[2:5] + [double])):
            if chosen[0] is others[0]:
                chosen = others[:1] + rows[:1] + others[1:]
            with self.subTest(says=says):
                self.refused("taken", says, self.take, "second", self.csv(chosen))
        self.assertEqual(self.everything(), before)

    @full
    def test_a_death_in_the_middle_leaves_nothing(self):
        text = self.csv(self.rows(2500))
        self.make_type("plain")
        before = self.everything()
        self.rspctl.fault(self.socket, "sm-dp.import.portion", "kill", "*")
        with self.assertRaises(Exception):
            self.take("dies", text)
        self.staging.await_death("sm-dp")
        self.staging.start_service("sm-dp")
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.take("dies", text)["iccids"], 2500)
        self.assertEqual(self.psql("sm_dp", "select count(*), min(line), max(line) from stock where batch = 'dies'"), "2500|2|2501")
        self.assertEqual(self.psql("sm_dp", "select count(*) from stock_secret join stock using (iccid) where batch = 'dies'"), "5000")

    @full
    def test_a_hundred_thousand(self):
        text = self.csv(self.rows(100000))
        self.assertEqual(self.take("large", text)["iccids"], 100000)
        self.assertTrue(self.take("large", text)["repeated"])


class Ranges(StockCase):
    def make(self, batch, row, quantity=3, type_name="plain", mno=None):
        self.make_type(type_name)
        return self.rspctl.stock_make(self.socket, batch, row.values["ICCID"], row.values["IMSI"], quantity, mno or self.mno, type_name)

    def test_a_range_is_made_once_and_its_operator_gets_the_keys(self):
        first, = self.rows(1)
        self.assertEqual(self.make("range", first, 700), {"batch": "range", "mno": self.mno, "type": "plain", "iccids": 700, "repeated": False})
        text = self.rspctl.stock_export(self.socket, "range", self.mno)
        lines = [line.split(",") for line in text.strip().split("\n")]
        self.assertEqual(lines[0], ["ICCID", "IMSI", "MSISDN", "Ki", "OPc"])
        body, imsi = int(first.values["ICCID"][:-1]), int(first.values["IMSI"])
        self.assertEqual([line[:3] for line in lines[1:]], [[luhn(str(body + i)), str(imsi + i), ""] for i in range(700)])
        keys = {unwrap_kw(self.transport(), bytes.fromhex(cell)) for line in lines[1:] for cell in line[3:]}
        self.assertEqual({len(key) for key in keys}, {16})
        self.assertEqual(len(keys), 1400, "a key was drawn twice")
        # Again: nothing new, the same keys. What was exported is the batch itself.
        before = self.everything()
        self.assertTrue(self.make("range", first, 700)["repeated"])
        self.assertEqual(self.rspctl.stock_export(self.socket, "range", self.mno), text)
        self.assertTrue(self.take("range", text)["repeated"])
        self.assertEqual(self.everything(), before)

    def test_what_is_wrong_is_named(self):
        first, other = self.rows(2)
        self.make("here", first)
        self.make_type("another")
        before = self.everything()
        for row, quantity, type_name in ((other, 3, "plain"), (first, 4, "plain"), (first, 3, "another")):
            self.refused("batch_exists", "quantity or first numbers", self.make, "here", row, quantity, type_name)
        self.refused("taken", "line 2, column 1 .ICCID.: is in the stock already, from batch here", self.make, "there", first)
        self.refused("bad_request", "quantity", self.make, "there", other, 0)
        self.refused("bad_request", "quantity", self.make, "there", other, 100001)
        self.refused("no_transport_key", "1.2.3.4", self.rspctl.stock_make, self.socket, "there", other.values["ICCID"], "901700", 1, "1.2.3.4", "plain")
        self.refused("bad_request", "imsi", self.rspctl.stock_make, self.socket, "there", other.values["ICCID"], "9017", 1, self.mno, "plain")
        self.refused("bad_request", "Luhn", self.rspctl.stock_make, self.socket, "there", luhn("8988000") + "F", "901700", 1, self.mno, "plain")
        self.refused("bad_file", "run out", self.rspctl.stock_make, self.socket, "there", luhn("89880099"), "901700", 2, self.mno, "plain")
        self.refused("not_found", "no batch", self.rspctl.stock_export, self.socket, "there", self.mno)
        self.assertEqual(self.everything(), before)


class Types(StockCase):
    def add(self, name="made", package=None, mno=None, memory=MEMORY, **more):
        package = self.package() if package is None else package
        return self.rspctl.type_add(self.socket, name, self.file("package.der", package), mno or self.mno, memory, **more)

    def test_a_type_is_made_once(self):
        package = self.package()
        more = {"rules": ("DISABLE:Not-Allowed", "DELETE:Auto-Delete"), "keys": "hand-over", "address": "imsi", "variables": "pol1=1 puk1=random"}
        self.assertEqual(self.add(**more), {"mno": self.mno, "name": "made", "repeated": False})
        self.assertTrue(self.add(**more)["repeated"])
        self.assertIn({"mno": self.mno, "name": "made", "keys": "hand-over", "address": "imsi", "rules": "DISABLE:Not-Allowed DELETE:Auto-Delete",
                       "variables": "puk1=random pol1=1", "package": len(package), "memory": MEMORY, "available": 0}, self.rspctl.type_list(self.socket))
        for change in ({"keys": "retain"}, {"memory": MEMORY + 1}, {"rules": ()}, {"variables": "pol1=1"},
                       {"package": package.replace(b"m2m-rsp default", b"m2m-rsp DEFAULT")}):
            with self.subTest(change=change):
                self.refused("type_exists", "another name", self.add, **dict(more, **change))
        shown = self.rspctl.type_show(self.socket, "made", self.mno)
        self.assertEqual((shown["variables"], shown["elements"][0]["name"], shown["elements"][-1]["name"]), ("puk1=random pol1=1", "header", "end"))
        self.assertEqual(shown["text"], self.rspctl.package_show(self.file("package.der", package))["text"])
        self.refused("not_found", "no profile type", self.rspctl.type_show, self.socket, "nothing", self.mno)

    def test_the_built_in_one_draws_what_its_operator_gets(self):
        first, = self.rows(1)
        self.rspctl.type_add(self.socket, "built-in", None, self.mno, MEMORY, pad=20000)
        self.assertGreaterEqual(sum(e["bytes"] for e in self.rspctl.type_show(self.socket, "built-in", self.mno)["elements"]), 20000)
        self.rspctl.stock_make(self.socket, "drawn", first.values["ICCID"], first.values["IMSI"], 3, self.mno, "built-in")
        text = self.rspctl.stock_export(self.socket, "drawn", self.mno)
        lines = [line.split(",") for line in text.strip().split("\n")]
        self.assertEqual(lines[0][3:], ["Ki", "OPc", "KIC", "KID", "KIK", "ENC", "MAC", "DEK", "PUK1", "PUK2", "ADM1"])
        values = [unwrap_kw(self.transport(), bytes.fromhex(cell)) for line in lines[1:] for cell in line[3:]]
        self.assertEqual(len(set(values)), 33, "a secret was drawn twice")
        self.assertRegex(values[8].decode(), "^\x08[0-9]{8}\0{7}$")
        dump = self.psql("sm_dp", "select string_agg(encode(wrapped, 'hex'), ' ') from stock_secret") + self.psql("sm_dp", "select * from stock")
        for value in values:
            self.assertNotIn(value.hex(), dump)
            self.assertNotIn(value[1:9].hex(), dump)
        self.assertTrue(self.rspctl.stock_import(self.socket, self.file("drawn.csv", text), self.mno, "built-in")["repeated"])

    def test_what_is_wrong_is_named(self):
        package = self.package()
        before = self.everything()
        for code, says, change in (("bad_type", "name", {"name": "a b"}), ("bad_type", "memory", {"memory": 0}), ("bad_type", "keys", {"keys": "burn"}),
                                   ("bad_type", "address", {"address": "street"}), ("bad_type", "rules", {"rules": ("DISABLE",)}),
                                   ("bad_type", "rules", {"rules": ("DISABLE:Not-Allowed",) * 2}), ("bad_type", "mno", {"mno": "x"}),
                                   ("bad_type", "package", {"package": b""}), ("bad_type", "package: ", {"package": package[2:]}),
                                   ("bad_type", "package: ", {"package": package[:-1]}),
                                   ("bad_type", "package: ", {"package": package + b"\0"}),
                                   ("bad_type", "package: element 2, mf", {"package": package.replace(bytes.fromhex("67810F010201"), bytes(6), 1)}),
                                   ("bad_type", "variables: pin3: no such variable", {"variables": "pin3=random"}),
                                   ("bad_type", "variables: pol1: should be", {"variables": "pol1=9"}),
                                   ("no_customer", "1.2.3.4", {"mno": "1.2.3.4"})):
            with self.subTest(says=says, change=change):
                self.refused(code, says, self.add, **dict({"name": "wrong"}, **change))
        self.assertEqual(self.everything(), before)


class Decisions(StockCase):
    @full
    def test_a_person_releases_what_is_quarantined_and_nothing_else(self):
        iccid = self.rows(1)[0]
        self.take("quarantine", self.csv([iccid]))
        number, eid = iccid.values["ICCID"], "89001012012341234012345678901224"
        self.refused("not_quarantined", "available", self.rspctl.stock_release, self.socket, number)
        self.refused("not_found", "not in the stock", self.rspctl.stock_release, self.socket, luhn(number[:-2] + "7"))
        for sent in (False, True):
            self.psql("sm_dp", "update stock set state = 3, sent = %s, eid = '%s' where iccid = '%s'" % (sent, eid, number))
            self.assertIn({"mno": self.mno, "type": "plain", "state": "quarantined", "iccids": 1}, self.rspctl.stock_count(self.socket))
            self.assertEqual(self.rspctl.stock_release(self.socket, number), {"iccid": number, "eid": eid if sent else None})
            row, = self.rspctl.stock_list(self.socket, batch="quarantine")
            self.assertEqual((row["state"], row["sent"], row["eid"]), ("available", sent, eid if sent else None))


class Process(StockCase):
    def test_it_is_watched_like_the_others(self):
        self.assertEqual(self.staging.management("sm-dp", "/healthz"), (200, "ok\n"))
        self.assertEqual(self.staging.management("sm-dp", "/readyz")[0], 200)
        self.await_true(lambda: json.loads(self.staging.management("sm-dp", "/readyz")[1])["bus"], "no bus")
        self.assertGreater(self.metric("sm-dp", "rsp_build_info"), 0)
        entity, = [e for e in self.rspctl.entity_list(self.socket) if e["oid"] == self.staging.entities["sm-dp"]["oid"]]
        self.assertEqual((entity["roles"], sorted(entity["addresses"])), (["sm-dp"], ["ES2", "ES3"]))
        self.assertEqual(sorted(entity["customers"]), sorted(self.staging.entities[o]["oid"] for o in ("operator-a", "operator-b")))
        with self.stopped("sm-dp"):
            pass

    def test_its_bus_user_may_not_ask_for_keys(self):
        """decisions.md B3: rq.* is for the two roles of an SM-SR."""
        with Nats(self.staging.bus.url, self.pki("sm-dp", "nats.pem"), self.pki("sm-dp", "nats.key"), self.pki("tls-ca", "tls-ca.pem"), "sm-dp") as bus:
            with self.assertRaisesRegex(OSError, "Permissions Violation for Publish to .*rq.a.sm-sr.export"):
                bus.request("rq.a.sm-sr.export", "{}")

    @full
    def test_a_certificate_that_cards_would_refuse_stops_the_start(self):
        text = self.file("text.gp", "no certificate")
        for says, change in (("GlobalPlatform form", {"SIGN_CERT": text}), ("not for an SM-DP", {"SIGN_CERT": self.pki("sm-sr", "cert.sr.gp")}),
                             ("SIGN_KEY", {"SIGN_KEY": self.pki("eum", "eum.key")}), ("CI_CA", {"CI_CA": self.pki("tls-ca", "tls-ca.pem")}),
                             ("KEK_FILE", {"KEK_FILE": None}), ("32 bytes", {"KEK_FILE": self.key_file("short", b"x" * 31)}),
                             ("chmod 600", {"SIGN_KEY": self.key_file("open", b"x", 0o644)})):
            with self.subTest(says=says):
                code, words = self.run_program("sm-dp", **change)
                self.assertEqual(code, 1, words)
                self.assertIn(says, words)
