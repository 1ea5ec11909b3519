# SPDX-License-Identifier: Apache-2.0
"""The operator's side of ES2 (docs/northbound.md): orders and questions that go by an SM-DP, downloads, and what an SM-DP tells. The SM-DP
says what the test wants."""
import json
import os

from tests.e2e import soap
from tests.e2e.ordering import GATEWAY, ICCID, OrderCase
from tests.e2e.smsr import SMDP, Peer, eis_at, moved_card
from tests.e2e.soap import new_id

OTHER = "8988000000000000025"
BUSY = ("FAILED", "1.2/4.4")


def taken(iccid=ICCID):
    return "<rps:Iccid>%s</rps:Iccid>" % iccid


class Es2Case(OrderCase):
    """self.peer is the card's SM-SR, which nobody should ask; self.smdp is asked."""

    def setUp(self):
        super().setUp()
        self.smdp = Peer(self, SMDP, "ES2")
        self.smdp.start()
        self.addCleanup(self.smdp.stop)
        self.smdp.register(GATEWAY)

    def by_smdp(self, *more, **body):
        return self.ordered(*more, smdp=self.smdp.oid, **body)

    def download(self, **body):
        return self.by_smdp("profiles/download", **dict({"profile_type": "telematics"}, **body))

    def await_smdp(self, operation, number=1):
        self.await_true(lambda: len(self.smdp.of(operation)) >= number, "request %d never came" % number, 20)
        return self.smdp.of(operation)[number - 1]

    def fields(self, request):
        return [(e.tag.split("}")[1], e.text) for e in request.body if e.tag.split("}")[1] not in ("FunctionCallIdentifier", "ValidityPeriod")]

    def refused(self, answer, status, code, *says):
        self.assertEqual((answer[0], answer[1]["error"]["code"]), (status, code), answer)
        for text in says:
            self.assertIn(text, answer[1]["error"]["message"])


class Routes(Es2Case):
    def test_each_order_names_the_sm_sr(self):
        eid, smsr = ("Eid", self.eid), self.peer.oid
        for what, name, fields in (("profiles/%s/enable" % ICCID, "ES2-EnableProfileRequest", [eid, ("SmSr-id", smsr), ("Iccid", ICCID)]),
                                   ("profiles/%s/disable" % ICCID, "ES2-DisableProfileRequest", [eid, ("Smsr-id", smsr), ("Iccid", ICCID)]),
                                   ("profiles/%s/delete" % ICCID, "ES2-DeleteProfileRequest", [eid, ("Iccid", ICCID), ("Smsr-id", smsr)])):
            with self.subTest(what=what):
                operation = self.by_smdp(what)
                request = self.await_smdp(operation)
                self.assertEqual((request.name, self.fields(request), request.transaction), (name, fields, operation + ".1"))
                self.assertIn("ContextID=%s" % operation, request.message_id)
                self.assertTrue(request.reply_to.endswith("/es2"), request.reply_to)
                self.assertEqual(self.smdp.callback(request)[0], 202)
                found = self.ended(operation)
                self.assertEqual((found["status"], found["smdp"], found["smsr"], found["iccid"]), ("EXECUTED_SUCCESS", self.smdp.oid, smsr, ICCID))
        self.assertEqual(self.peer.requests, [])

    def test_policy_and_address_are_answered_at_once(self):
        self.smdp.behaviour = self.smdp.answer
        for what, body, name in (("pol2", {"rules": [{"action": "DELETE", "qualification": "Not-Allowed"}]}, "ES2-UpdatePolicyRulesRequest"),
                                 ("pol2", {"rules": []}, "ES2-UpdatePolicyRulesRequest"),
                                 ("subscription-address", {"imsi": "262010000000001"}, "ES2-UpdateSubscriptionAddressRequest")):
            with self.subTest(what=what):
                status, answer = self.put(what, smdp=self.smdp.oid, **body)
                self.assertEqual(status, 202, answer)
                self.assertEqual(self.ended(answer["operation"])["status"], "EXECUTED_SUCCESS")
                request = self.smdp.of(answer["operation"])[0]
                self.assertEqual((request.name, request.text("Smsr-id"), request.reply_to), (name, self.peer.oid, None))
                if what == "pol2":
                    self.assertEqual(len(request.body.find("rps:pol2", soap.NS)), len(body["rules"]))

    def test_an_audit_of_some_profiles(self):
        operation = self.by_smdp("audit", iccids=[ICCID, OTHER])
        request = self.await_smdp(operation)
        self.assertEqual((request.name, self.fields(request)),
                         ("ES2-AuditEISRequest", [("Eid", self.eid), ("Smsr-id", self.peer.oid), ("Iccid", ICCID), ("Iccid", OTHER)]))
        self.smdp.callback(request)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("FAILED", "bad_answer"))
        self.assertIn("the SM-DP says success", found["message"])

    def test_by_name_and_by_what_is_set_for_the_card(self):
        name = self.staging.entities[SMDP]["name"]
        self.assertEqual(self.await_smdp(self.ordered(smdp=name)).name, "ES2-EnableProfileRequest")
        path = "/v1/euiccs/" + self.eid
        self.assertEqual(self.northbound(GATEWAY, path, "PUT", json.dumps({"smsr": self.peer.oid, "smdp": name}))[0], 200)
        self.await_smdp(self.ordered())
        # What is said goes before what is set; null: straight to the SM-SR.
        self.assertEqual(self.await_request(self.ordered(smdp=None)).name, "ES4-EnableProfileRequest")
        # Nothing said of it: it stays; null: none any more.
        self.assertEqual(self.northbound(GATEWAY, path, "PUT", json.dumps({"smsr": self.peer.oid}))[0], 200)
        self.await_smdp(self.ordered())
        self.assertEqual(self.northbound(GATEWAY, path, "PUT", json.dumps({"smsr": self.peer.oid, "smdp": None}))[0], 200)
        self.await_request(self.ordered())

    def test_the_default_of_the_gateway(self):
        with self.running_with(GATEWAY, DEFAULT_SMDP=self.smdp.oid):
            self.smdp.register(GATEWAY)
            self.await_smdp(self.ordered())
            self.await_smdp(self.ordered("profiles/download", profile_type="t"))

    def test_what_is_wrong_is_named(self):
        for smdp in (self.peer.oid, "nobody", "1.2.3", "", 7, []):
            with self.subTest(smdp=smdp):
                self.refused(self.order(smdp=smdp), 400, "invalid_parameter", "smdp")
                answer = self.northbound(GATEWAY, "/v1/euiccs/" + self.eid, "PUT", json.dumps({"smsr": self.peer.oid, "smdp": smdp}))
                self.refused(answer, 400, "invalid_parameter", "smdp")
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "0")

    def test_an_sm_dp_without_an_address(self):
        self.smdp.iface = "ES3"
        self.smdp.register(GATEWAY)
        self.refused(self.order(smdp=self.smdp.oid), 502, "smdp_unknown", "no ES2 address", self.smdp.oid)

    def test_who_answers(self):
        operation = self.by_smdp()
        request = self.await_smdp(operation)
        # Neither the SM-SR nor a function of ES4 ends it.
        self.assertEqual(self.smdp.callback(request, client="sm-sr-b")[0], 400)
        for root in ("ES4-EnableProfileResponse", "ES2-DisableProfileResponse", "ES2-DownloadProfileResponse"):
            self.assertEqual(self.smdp.callback(request, root=root)[0], 400, root)
        self.assertNotEqual(self.operation(operation)["state"], "ended")
        self.assertEqual(self.smdp.callback(request, "FAILED", "8.4/4.2")[0], 202)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("FAILED", "8.4/4.2"))
        self.assertEqual(self.smdp.callback(request)[0], 202)
        self.assertEqual(self.operation(operation), found)

    def test_an_m2m_sp_asks_sm_srs_only(self):
        with self.running_with(GATEWAY, ROLE="m2m-sp"):
            self.smdp.register(GATEWAY)
            self.refused(self.order(smdp=self.smdp.oid), 403, "forbidden", "ES2-EnableProfile")
            self.refused(self.order("profiles/download", profile_type="t", smdp=self.smdp.oid), 403, "forbidden", "ES2-DownloadProfile")


class Waiting(Es2Case):
    def test_busy_and_then_the_sm_dp_tells_of_the_card(self):
        operation = self.by_smdp()
        self.smdp.callback(self.await_smdp(operation), *BUSY)
        self.await_state(operation, "waiting")
        self.assertEqual(self.smdp.notify(GATEWAY, "HandleProfileDisabledNotification", self.eid, ICCID)[0], 202)
        second = self.await_smdp(operation, 2)
        self.assertEqual(second.text("FunctionCallIdentifier"), operation + ".2")
        self.smdp.callback(second)
        self.assertEqual(self.ended(operation)["attempt"], 2)

    def test_a_download_too_and_the_sm_sr_tells(self):
        self.smdp.behaviour = lambda r: self.smdp.answer(r, *BUSY)
        operation = self.download(mode="connection")
        self.await_state(operation, "waiting")
        self.smdp.behaviour = lambda r: self.smdp.answer(r, more=taken())
        self.peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["attempt"], found["iccid"]), ("EXECUTED_SUCCESS", 2, ICCID))
        self.assertEqual([r.text("FunctionCallIdentifier") for r in self.smdp.of(operation)], [operation + ".1", operation + ".2"])

    def test_now_is_no_waiting(self):
        self.smdp.behaviour = lambda r: self.smdp.answer(r, *BUSY)
        found = self.ended(self.download(mode="connection", when="now"))
        self.assertEqual((found["status"], found["code"], found["attempt"]), ("FAILED", "1.2/4.4", 1))

    def test_a_callback_that_never_comes_is_fetched_with_the_same_fci(self):
        operation = self.download(validity_s=60)
        self.await_state(operation, "accepted")
        self.move_clock(operation, 125)
        second = self.await_smdp(operation, 2)
        self.assertEqual((second.text("FunctionCallIdentifier"), second.text("ProfileType")), (operation + ".1", "telematics"))
        self.smdp.callback(second, more=taken())
        self.assertEqual(self.ended(operation)["iccid"], ICCID)

    def test_killed_before_it_is_sent(self):
        self.rspctl.fault(self.admin(GATEWAY), "operator-gateway.outbox.taken", "kill", self.eid)
        operation = self.download(iccid=ICCID, enable=True)
        self.staging.await_death(GATEWAY)
        self.staging.start_service(GATEWAY)
        self.smdp.register(GATEWAY)
        self.smdp.callback(self.await_smdp(operation), more=taken())
        found = self.ended(operation)
        self.assertEqual((found["status"], found["enabled"], len(self.smdp.of(operation))), ("EXECUTED_SUCCESS", True, 1))


class Downloads(Es2Case):
    def test_by_type(self):
        operation = self.download(validity_s=600)
        request = self.await_smdp(operation)
        self.assertEqual((request.name, self.fields(request)),
                         ("ES2-DownloadProfileRequest", [("Eid", self.eid), ("SmSr-id", self.peer.oid), ("ProfileType", "telematics"),
                                                         ("EnableProfile", "false")]))
        self.assertLessEqual(int(request.text("ValidityPeriod")), 600)
        self.assertNotIn("iccid", self.operation(operation))
        self.smdp.callback(request, more=taken())
        found = self.ended(operation)
        self.assertEqual((found["kind"], found["status"], found["iccid"], found["enabled"], found["profile_type"], found["enable"]),
                         ("download", "EXECUTED_SUCCESS", ICCID, False, "telematics", False))

    def test_by_iccid(self):
        operation = self.by_smdp("profiles/download", iccid=ICCID, enable=True)
        request = self.await_smdp(operation)
        self.assertEqual(self.fields(request)[2:], [("Iccid", ICCID), ("EnableProfile", "true")])
        self.smdp.callback(request)
        found = self.ended(operation)
        self.assertEqual((found["status"], found["iccid"], found["enabled"]), ("EXECUTED_SUCCESS", ICCID, True))
        self.assertNotIn("profile_type", found)

    def test_downloaded_but_not_enabled_is_its_own_end(self):
        operation = self.download(enable=True)
        self.smdp.callback(self.await_smdp(operation), "EXECUTED_WITHWARNING", "8.2.1/4.2", taken())
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["message"], found["iccid"], found["enabled"]),
                         ("EXECUTED_WITHWARNING", "8.2.1/4.2", "it happened", ICCID, False))

    def test_failed(self):
        operation = self.download(enable=True)
        self.smdp.callback(self.await_smdp(operation), "FAILED", "8.1/4.8", taken())
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"], found["iccid"]), ("FAILED", "8.1/4.8", ICCID))
        self.assertNotIn("enabled", found)

    def test_another_profile_than_was_ordered(self):
        operation = self.download(iccid=ICCID)
        self.smdp.callback(self.await_smdp(operation), more=taken(OTHER))
        found = self.ended(operation)
        self.assertEqual((found["status"], found["code"]), ("FAILED", "bad_answer"))
        self.assertEqual(self.psql("operator_a", "select answer_iccid from operation where id = '%s'" % operation), OTHER)

    def test_what_is_wrong_is_named(self):
        for body, name in (({}, "profile_type, iccid"), ({"profile_type": ""}, "profile_type"), ({"iccid": "12"}, "iccid"),
                           ({"profile_type": "t", "enable": "yes"}, "enable"), ({"profile_type": "t", "validity_s": 9}, "validity_s"),
                           ({"profile_type": "t", "colour": 1}, "colour"), ({"profile_type": "t", "smdp": None}, "smdp"),
                           ({"profile_type": "t"}, "smdp: is missing")):
            with self.subTest(body=body):
                self.refused(self.order("profiles/download", **body), 400, "invalid_parameter", name)
        self.assertEqual(self.order("profiles/download", method="PUT", profile_type="t")[0], 404)
        reader = self.rspctl.token_create(self.admin(GATEWAY), "r" + new_id(), "reader")["token"]
        self.assertEqual(self.order("profiles/download", profile_type="t", smdp=self.smdp.oid, token=reader)[0], 403)
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "0")

    def test_a_key_is_one_operation(self):
        key = {"Idempotency-Key": new_id()}
        first = self.download(headers=key)
        self.assertEqual(self.download(headers=key), first)
        for other in ({"enable": True}, {"profile_type": "other"}, {"iccid": ICCID}):
            body = dict({"profile_type": "telematics", "smdp": self.smdp.oid}, **other)
            self.assertEqual(self.order("profiles/download", headers=key, **body)[0], 409, other)


class Eis(Es2Case):
    def test_asked_by_the_sm_dp(self):
        self.smdp.behaviour = lambda r: self.smdp.answer(r, "FAILED", "8.1.1/1.1")
        status, answer = self.northbound(GATEWAY, "/v1/euiccs/%s?smdp=%s" % (self.eid, self.smdp.oid))
        self.assertEqual((status, answer["error"]["code"], answer["error"]["function"]), (404, "8.1.1/1.1", "ES2-GetEIS"))
        request = self.smdp.requests[-1]
        self.assertEqual((request.name, self.fields(request)), ("ES2-GetEISRequest", [("Eid", self.eid), ("Smsr-id", self.peer.oid)]))
        self.smdp.behaviour = self.smdp.answer
        self.refused(self.northbound(GATEWAY, "/v1/euiccs/%s?smdp=%s" % (self.eid, self.smdp.oid)), 502, "bad_answer", "SM-DP")
        self.assertEqual(self.peer.requests, [])

    def test_else_the_sm_sr(self):
        self.peer.behaviour = lambda r: self.peer.answer(r, "FAILED", "8.1.1/1.1")
        for query in ("", "?smdp="):
            status, answer = self.northbound(GATEWAY, "/v1/euiccs/%s%s" % (self.eid, query))
            self.assertEqual((status, answer["error"]["function"]), (404, "ES4-GetEIS"))

    def test_what_is_wrong(self):
        self.refused(self.northbound(GATEWAY, "/v1/euiccs/%s?smdp=nobody" % self.eid), 400, "invalid_parameter", "smdp")
        self.smdp.stop()
        self.refused(self.northbound(GATEWAY, "/v1/euiccs/%s?smdp=%s" % (self.eid, self.smdp.oid)), 502, "unreachable", "SM-DP")


class Told(Es2Case):
    def listed(self):
        return self.northbound(GATEWAY, "/v1/notifications?eid=" + self.eid)[1]

    def test_stored_and_shown(self):
        for name in ("Enabled", "Disabled", "Deleted"):
            self.assertEqual(self.smdp.notify(GATEWAY, "HandleProfile%sNotification" % name, self.eid, ICCID)[0], 202)
        rows = self.listed()
        self.assertEqual([row["kind"] for row in rows], ["deleted", "disabled", "enabled"])
        for row in rows:
            self.assertEqual((row["interface"], row["smdp"], row["iccid"], row["completed"]), ("ES2", self.smdp.oid, ICCID, "2026-01-15T09:30:00Z"))
            self.assertNotIn("smsr", row)

    def test_what_else_it_says(self):
        rules = "<rps:pol2><rps:Rule><rps:Subject>PROFILE</rps:Subject><rps:Action>DELETE</rps:Action><rps:Qualification>Not-Allowed" \
                "</rps:Qualification></rps:Rule></rps:pol2>"
        owner = "<rps:Mno-id>1.2.3</rps:Mno-id><rps:ProfileType>telematics</rps:ProfileType>"
        for peer, who in ((self.smdp, "smdp"), (self.peer, "smsr")):
            with self.subTest(iface=peer.iface):
                for name, more in (("HandleProfileDownloadedNotification", owner), ("HandleProfileDownloadedNotification", ""),
                                   ("HandleProfilePOL2UpdatedNotification", rules), ("HandleProfilePOL2UpdatedNotification", "<rps:pol2/>"),
                                   ("HandleProfilePOL2UpdatedNotification", "")):
                    self.assertEqual(peer.notify(GATEWAY, name, self.eid, ICCID, more=more, group="ProfileManagement")[0], 202)
                silent, none, some, plain, full = self.listed()[:5]
                self.assertEqual({row[who] for row in (silent, none, some, plain, full)}, {peer.oid})
                self.assertEqual({row["interface"] for row in (silent, none, some, plain, full)}, {peer.iface})
                self.assertEqual((full["kind"], full["mno"], full["profile_type"]), ("downloaded", "1.2.3", "telematics"))
                self.assertEqual((plain["kind"], "mno" in plain, "profile_type" in plain), ("downloaded", False, False))
                self.assertEqual((some["kind"], some["rules"]),
                                 ("pol2_updated", [{"subject": "PROFILE", "action": "DELETE", "qualification": "Not-Allowed"}]))
                self.assertEqual((none["rules"], "rules" in silent), ([], False))

    def test_a_card_moved_to_another_sm_sr(self):
        eid, eis = moved_card(self, self.peer.oid)
        before = self.staging.entities["sm-sr"]["oid"]
        self.assertEqual(self.northbound(GATEWAY, "/v1/euiccs/" + eid, "PUT", '{"smsr":"%s"}' % before)[0], 200)
        smsr = "select smsr from euicc where eid = '%s'" % eid
        # An SM-DP that acts for others, and one that tells of an SM-SR that nobody knows.
        for customers, at in (([], self.peer.oid), (None, "1.2.3.4")):
            self.smdp.register(GATEWAY, customers)
            self.assertEqual(self.smdp.notify_change(GATEWAY, eis_at(eis, at))[0], 202)
            self.assertEqual(self.psql("operator_a", smsr), before)
        self.assertEqual(self.smdp.notify_change(GATEWAY, eis)[0], 202)
        self.assertEqual(self.psql("operator_a", smsr), self.peer.oid)
        rows = self.northbound(GATEWAY, "/v1/notifications?eid=" + eid)[1]
        self.assertEqual([(row["kind"], row["interface"], row["smdp"], row["new_smsr"]) for row in rows],
                         [("smsr_changed", "ES2", self.smdp.oid, oid) for oid in (self.peer.oid, "1.2.3.4", self.peer.oid)])

    def test_twice_is_once_but_two_may_tell_the_same(self):
        message = "//1.2.3/%s" % new_id()
        for peer in (self.smdp, self.smdp, self.peer, self.peer):
            self.assertEqual(peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID, message)[0], 202)
        self.assertEqual([(row["interface"], row["message_id"]) for row in self.listed()], [("ES4", message), ("ES2", message)])

    def test_each_from_its_own_role(self):
        for peer, iface in ((self.smdp, "ES4"), (self.peer, "ES2")):
            peer.iface = iface
            self.assertEqual(peer.notify(GATEWAY, "HandleProfileEnabledNotification", self.eid, ICCID)[0], 400)
        self.assertEqual(self.listed(), [])


class Rspctl(Es2Case):
    def words(self):
        return self.staging.gateway_words(GATEWAY)

    def file(self, text):
        path = os.path.join(self.staging.private_folder("orders"), "downloads.csv")
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_all_of_them_by_the_sm_dp(self):
        self.smdp.behaviour = lambda r: self.smdp.answer(r, more=taken() if "Download" in r.name else "")
        words, via = self.words(), self.staging.entities[SMDP]["name"]
        done = self.rspctl.download(words, self.eid, profile_type="t", mode="connection", wait_s=30, via=via)
        self.assertEqual((done["status"], done["iccid"], done["smdp"]), ("EXECUTED_SUCCESS", ICCID, self.smdp.oid))
        for order in (self.rspctl.profile_enable, self.rspctl.profile_disable, self.rspctl.profile_delete):
            self.assertEqual(order(words, self.eid, ICCID, mode="connection", wait_s=30, via=via)["status"], "EXECUTED_SUCCESS")
        self.rspctl.profile_policy(words, self.eid, ICCID, wait_s=30, via=via)
        self.rspctl.profile_address(words, self.eid, ICCID, imsi="26201", wait_s=30, via=via)
        self.rspctl.eis_audit(words, self.eid, via=via)
        self.await_true(lambda: len(self.smdp.requests) == 7, "not all came", 20)
        self.assertEqual([r.name.split("-")[0] for r in self.smdp.requests], ["ES2"] * 7)
        code, output = self.rspctl.call(*words, "eis", "get", self.eid, "--via", via)
        self.assertEqual((code, self.smdp.requests[-1].name), (5, "ES2-GetEISRequest"), output)
        self.assertEqual(self.peer.requests, [])
        shown = self.rspctl.text(*words, "operation", "show", done["operation"])
        self.assertRegex(shown, "smdp +%s" % self.smdp.oid)
        self.assertRegex(shown, "profile_type +t")

    def test_not_enabled_is_no_success_for_who_wanted_it(self):
        self.smdp.behaviour = lambda r: self.smdp.answer(r, "EXECUTED_WITHWARNING", "8.2.1/4.2", taken())
        words = [*self.words(), "download", self.eid, "--type", "t", "--via", self.smdp.oid, "--mode", "connection", "--wait", "30"]
        self.assertEqual(self.rspctl.call(*words)[0], 0)
        code, output = self.rspctl.call(*words, "--enable")
        self.assertEqual(code, 1, output)
        self.assertRegex(json.loads(output)["error"]["message"], "%s is installed, but was not enabled: 8.2.1/4.2" % ICCID)

    def test_a_list(self):
        def behaviour(request):
            if request.text("Eid") == self.eid:
                return self.smdp.answer(request, "FAILED", "8.2.5/1.2")
            return self.smdp.answer(request, more=taken(request.text("Iccid") or OTHER))
        self.smdp.behaviour = behaviour
        second, third = self.new_eid(), self.new_eid()
        path = self.file("eid,profile\n%s\n%s,%s\n\n%s,other type\n" % (self.eid, second, ICCID, third))
        words = [*self.words(), "download", "--csv", path, "--type", "t", "--via", self.smdp.oid, "--mode", "connection"]
        code, output = self.rspctl.call(*words, "--wait", "60")
        self.assertEqual(code, 1, output)
        rows = json.loads(output[output.index("["):])
        self.assertEqual([(r["line"], r["eid"], r["state"], r["status"], r.get("code"), r.get("iccid")) for r in rows],
                         [(2, self.eid, "ended", "FAILED", "8.2.5/1.2", None), (3, second, "ended", "EXECUTED_SUCCESS", None, ICCID),
                          (5, third, "ended", "EXECUTED_SUCCESS", None, OTHER)])
        self.assertEqual([self.smdp.of(r["operation"])[0].text("ProfileType") for r in rows], ["t", "t", "other type"])
        self.assertRegex(self.rspctl.text(*words), "(?s)LINE +EID +OPERATION.*%s" % third)

    def test_a_list_that_is_wrong_orders_nothing(self):
        for text, says in (("%s,t\n12,t\n" % self.eid, "line 2"), ("", "names no card"), ("%s\n" % self.eid, "--type")):
            with self.subTest(text=text):
                code, output = self.rspctl.call(*self.words(), "download", "--csv", self.file(text), "--via", self.smdp.oid)
                self.assertEqual(code, 2, output)
                self.assertIn(says, json.loads(output)["error"]["message"])
        self.assertEqual(self.psql("operator_a", "select count(*) from operation where eid = '%s'" % self.eid), "0")

    def test_a_list_whose_cards_are_refused(self):
        path = self.file("%s,t\n" % self.eid)
        code, output = self.rspctl.call(*self.words(), "download", "--csv", path, "--via", "nobody")
        rows = json.loads(output)
        self.assertEqual((code, rows[0]["error"]), (1, "invalid_parameter"), output)
        self.assertIn("smdp", rows[0]["message"])
