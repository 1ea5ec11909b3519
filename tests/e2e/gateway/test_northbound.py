# SPDX-License-Identifier: Apache-2.0
"""The northbound API (docs/northbound.md): who may read what, every refusal with its status and code, and what happens to callers that
wait while the SM-SR is away or the gateway ends."""
import base64
import http.client
import json

from tests.e2e.helpers import Background, Work

UNKNOWN = "89001012012341234012345678901224"


class NorthboundCase(Work):
    made = {}

    def cards(self):
        """Two cards with profiles of both operators, one of operator A alone; made once for a staging."""
        key = id(self.staging)
        if key not in NorthboundCase.made:
            both = self.batch_of(self.order_of("north-both-%d" % (Work.series + 1), 2))[1]
            alone = self.batch_of(self.order_of("north-alone-%d" % (Work.series + 1), 1, owners=("operator-a",)))[1]
            NorthboundCase.made[key] = both, alone[0]
        return NorthboundCase.made[key]

    @property
    def eid(self):
        return self.cards()[0][0]

    def get(self, gateway="operator-a", eid=None, **more):
        return self.northbound(gateway, "/v1/euiccs/" + (eid or self.eid), **more)

    def get_error(self, gateway="operator-a", eid=None, **more):
        return self.error(gateway, "/v1/euiccs/" + (eid or self.eid), **more)

    def parked(self, gateway):
        text = self.staging.management(gateway, "/metrics")[1]
        return int(text.split('rsp_http_parked{listener="northbound"} ')[1].split()[0])


class Reading(NorthboundCase):
    def test_each_operator_sees_its_own_profile(self):
        for eid in self.cards()[0]:
            for operator in ("operator-a", "operator-b"):
                status, eis = self.get(operator, eid)
                oid = self.staging.entities[operator]["oid"]
                self.assertEqual((status, eis["eid"]), (200, eid))
                self.assertEqual([p["mno"] for p in eis["profiles"]], [oid])
                self.assertEqual(eis["profiles"][0]["iccid"],
                                 self.psql("sm_sr", "select iccid from profile where eid = '%s' and mno = '%s'" % (eid, oid)))
                self.assertEqual(eis["profiles"][0]["state"], "Enabled" if operator == "operator-a" else "Disabled")
                self.assertEqual(eis["profiles"][0]["fallback"], operator == "operator-a")
                self.assertEqual(eis["smsr"], self.staging.entities["sm-sr"]["oid"])
                self.assertEqual(eis["memory"], {"remaining": 65536 - 2 * 4096, "available": 65536})

    def test_the_answer_carries_the_octets_of_the_database(self):
        eid = self.eid
        eis = self.get()[1]
        stored = self.psql("sm_sr", "select encode(signed_info, 'hex'), encode(signature, 'hex') from eis where eid = '%s'" % eid).split("|")
        self.assertEqual([base64.b64decode(eis[name], validate=True).hex() for name in ("signed_info", "signature")], stored)

    def test_keys_never_leave(self):
        text = json.dumps(self.get()[1])
        for value in self.psql("eum", "select encode(wrapped, 'hex') from card_key where eid = '%s'" % self.eid).split():
            self.assertNotIn(value, text)
        self.assertEqual(self.get()[1]["isdr"]["keysets"], [{"version": 1, "type": "SCP80"}, {"version": 64, "type": "SCP81"}])

    def test_the_sm_sr_that_answered_is_remembered(self):
        self.get()
        self.await_true(lambda: self.psql("operator_a", "select smsr from euicc where eid = '%s'" % self.eid) ==
                        self.staging.entities["sm-sr"]["oid"], "the SM-SR is not remembered", 10)

    def test_a_trace_goes_on_to_the_sm_sr(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(self.get(headers={"traceparent": trace})[0], 200)
        with open(self.staging.log("sm-sr")) as f:
            self.assertIn("trace=" + trace, f.read())


class Refusals(NorthboundCase):
    def test_no_token_a_wrong_one_another_scheme(self):
        self.assertEqual(self.get_error(token=""), (401, "unauthorised"))
        token = self.token("operator-a")
        for value in ("Bearer 0", "Bearer ", "Bearer " + "0" * 64, "Bearer " + "x" * 5000, "Basic " + token, token):
            with self.subTest(value=value[:20]):
                self.assertEqual(self.get_error(token="", headers={"Authorization": value}), (401, "unauthorised"))

    def test_a_token_of_another_gateway_is_nobody_here(self):
        self.assertEqual(self.get_error("operator-a", token=self.token("operator-b")), (401, "unauthorised"))

    def test_tokens_are_made_listed_and_void_at_once_when_deleted(self):
        admin = ("--admin", self.admin("operator-a"), "token")
        made = self.rspctl.token_create(self.admin("operator-a"), "e2e", "reader")
        self.assertEqual(self.get(token=made["token"])[0], 200)
        stored = self.psql("operator_a", "select * from api_token")
        self.assertNotIn(made["token"], stored)
        code, output = self.rspctl.call(*admin, "list")
        self.assertEqual(code, 0)
        rows = {row["name"]: row for row in json.loads(output)}
        self.assertEqual({name: row["role"] for name, row in rows.items()}, {"staging": "operator", "e2e": "reader"})
        self.assertNotIn(made["token"], output)
        self.assertEqual(self.rspctl.call(*admin, "create", "e2e", "reader")[0], 1)
        self.assertEqual(self.rspctl.call(*admin, "delete", "e2e")[0], 0)
        self.assertEqual(self.get_error(token=made["token"]), (401, "unauthorised"))
        self.assertEqual(self.rspctl.call(*admin, "delete", "e2e")[0], 4)
        for words in (("create", "a b", "reader"), ("create", "x" * 65, "reader"), ("create", "x", "admin")):
            self.assertEqual(self.rspctl.call(*admin, *words)[0], 1)

    def test_a_reader_changes_nothing(self):
        made = self.rspctl.token_create(self.admin("operator-b"), "small", "reader")
        body = json.dumps({"smsr": self.staging.entities["sm-sr"]["oid"]})
        path = "/v1/euiccs/" + self.eid
        self.assertEqual(self.error("operator-b", path, method="PUT", body=body, token=made["token"]), (403, "forbidden"))
        self.assertEqual(self.northbound("operator-b", path, method="PUT", body=body)[0], 200)

    def test_an_unknown_eid(self):
        self.assertEqual(self.get_error(eid=UNKNOWN), (404, "8.1.1/1.1"))

    def test_what_is_no_eid(self):
        for eid in (UNKNOWN[:-1] + "5", "1", UNKNOWN + "0", "x" * 32, "%2e%2e"):
            with self.subTest(eid=eid):
                self.assertEqual(self.get_error(eid=eid), (400, "invalid_parameter"))
        self.assertEqual(self.get(eid="%00")[0], 400)  # refused before anybody reads it

    def test_who_owns_nothing_on_the_card(self):
        alone = self.cards()[1]
        self.assertEqual(self.get("operator-a", alone)[0], 200)
        self.assertEqual(self.get_error("operator-b", alone), (403, "8.1/1.2"))

    def test_no_such_path_or_method(self):
        for path in ("/", "/v1", "/v2/euiccs/" + UNKNOWN, "/v1/euiccs/%s/x" % UNKNOWN):
            self.assertEqual(self.error("operator-a", path), (404, "not_found"))
        self.assertEqual(self.get_error(method="DELETE"), (405, "method_not_allowed"))

    def test_a_put_is_checked(self):
        def put(body):
            return self.get_error(method="PUT", body=body)
        for body in ("", "{", "[]", "{}", '{"smsr":1}', '{"smsr":"x"}', '{"smsr":"1.2.3.4"}',
                     json.dumps({"smsr": self.staging.entities["eum"]["oid"]})):
            with self.subTest(body=body):
                self.assertEqual(put(body), (400, "invalid_parameter"))

    def test_too_large_a_body(self):
        try:
            self.assertEqual(self.northbound("operator-a", "/v1/euiccs/" + self.eid, "PUT", b"x" * (1 << 21))[0], 413)
        except OSError:
            pass  # closed while we still wrote


class Waiting(NorthboundCase):
    def test_the_sm_sr_is_stopped(self):
        self.assertTrue(self.eid)
        with self.stopped("sm-sr"):
            self.assertEqual(self.get_error(), (502, "unreachable"))
        self.assertEqual(self.get()[0], 200)

    def test_the_sm_sr_does_not_answer(self):
        eid = self.eid
        with self.running_with("operator-b", CALL_S="1"):
            self.assertEqual(self.get("operator-b", eid)[0], 200)  # the connection that will hear nothing
            with self.standing_still("sm-sr"):
                self.assertEqual(self.get_error("operator-b", eid), (504, "no_answer"))
            self.assertEqual(self.get("operator-b", eid)[0], 200)

    def test_waiting_takes_no_thread(self):
        eid = self.eid
        self.get()
        with self.standing_still("sm-sr"):
            calls = [Background(self.get, eid=eid) for _ in range(8)]
            self.await_true(lambda: self.parked("operator-a") == 8, "8 calls are not parked", 20)
            self.assertEqual(self.get_error(token="", timeout=5), (401, "unauthorised"))  # 2 threads, 8 that wait
        self.assertEqual([call.value()[0] for call in calls], [200] * 8)
        self.assertEqual(self.parked("operator-a"), 0)

    def test_a_caller_that_hangs_up_is_forgotten(self):
        eid, url = self.eid, self.staging.instances["operator-a"].url("northbound").split("//")[1]
        self.get()
        with self.standing_still("sm-sr"):
            connection = http.client.HTTPSConnection(url, timeout=10, context=self.tls_context())
            connection.request("GET", "/v1/euiccs/" + eid, headers={"Authorization": "Bearer " + self.token("operator-a")})
            self.await_true(lambda: self.parked("operator-a") == 1, "the call is not parked", 20)
            connection.close()
            self.await_true(lambda: self.parked("operator-a") == 0, "the call is still parked", 10)

    def test_who_still_waits_at_the_end_of_a_drain_gets_503(self):
        eid = self.eid
        with self.running_with("operator-b", DRAIN_S="1"):
            self.get("operator-b", eid)
            with self.standing_still("sm-sr"):
                call = Background(self.http, self.staging.instances["operator-b"].url("northbound") + "/v1/euiccs/" + eid,
                                  headers={"Authorization": "Bearer " + self.token("operator-b")})
                self.await_true(lambda: self.parked("operator-b") == 1, "the call is not parked", 20)
                self.assertEqual(self.staging.stop_service("operator-b"), 0)
                self.assertEqual(call.value()[0], 503)

    def test_who_waits_at_the_begin_of_a_drain_is_answered(self):
        eid = self.eid
        self.get("operator-b", eid)
        with self.standing_still("sm-sr"):
            call = Background(self.get, "operator-b", eid)
            self.await_true(lambda: self.parked("operator-b") == 1, "the call is not parked", 20)
            stop = Background(self.staging.stop_service, "operator-b")
            self.await_true(lambda: "draining" in self.staging.instances["operator-b"].child.log_tail(5), "no drain", 10)
        try:
            status, eis = call.value()
            self.assertEqual(stop.value(), 0)
            self.assertEqual((status, eis and eis["eid"]), (200, eid))
        finally:
            stop.join()
            self.staging.start_service("operator-b")
