# SPDX-License-Identifier: Apache-2.0
"""ES1.RegisterEIS (SGP.02 5.2, procedures 3.9): what is accepted, what is refused and with which code, and that a refusal changes nothing."""
import base64
import re
import threading

from tests.e2e.base import Case
from tests.e2e.soap import Answer, eid_of, get_eis, new_card, new_id

TABLES = ("eis", "eis_state", "profile", "keyset", "keyset_key", "property", "iccid", "msisdn")


def tag(request, name, value):
    """The request with the first element of this name holding another value."""
    return re.sub(r"(<rps:%s>)[^<]*(</rps:%s>)" % (name, name), lambda m: m.group(1) + value + m.group(2), request, count=1)


class RegisterCase(Case):
    def request(self):
        return new_card(self)

    def register(self, request, client="eum", server="sm-sr", path="/es1"):
        return Answer(self.soap_call(server, client, path, request))

    def rows(self):
        """All that is stored about cards, as one digest a table."""
        one = "(select md5(coalesce(string_agg(t::text, ' ' order by t::text), '')) from %s t)"
        return self.psql("sm_sr", "select " + ", ".join(one % t for t in TABLES))

    def refused(self, request, code, subject_identifier=None, client="eum"):
        before = self.rows()
        answer = self.register(request, client)
        self.assertEqual((answer.http, answer.name, answer.status, answer.code), (200, "ES1-RegisterEISResponse", "FAILED", code), answer.raw)
        if subject_identifier:
            self.assertEqual(answer.subject_identifier, subject_identifier)
        self.assertEqual(self.rows(), before, "a refusal changed something")
        return answer


class RegisterEis(RegisterCase):
    def test_a_card_is_registered_and_each_owner_sees_its_own_profile(self):
        request = self.request()
        answer = self.register(request)
        self.assertEqual((answer.http, answer.status, answer.code), (200, "EXECUTED_SUCCESS", None), answer.raw)
        for operator in ("operator-a", "operator-b"):
            oid = self.staging.entities[operator]["oid"]
            seen = Answer(self.soap_call("sm-sr", operator, "/es4", get_eis(oid, "1", eid_of(request))))
            self.assertEqual(seen.all("rps:Eis/rps:ProfileInfo/rps:Mno-id"), [oid])

    def test_no_key_leaves_and_keys_at_rest_are_wrapped(self):
        request = self.request()
        self.register(request)
        eid, oid = eid_of(request), self.staging.entities["operator-a"]["oid"]
        raw = self.soap_call("sm-sr", "operator-a", "/es4", get_eis(oid, "1", eid))[2].decode()
        self.assertNotIn("KeyComponents", raw)
        self.assertEqual(self.psql("sm_sr", "select distinct length(wrapped) from keyset_key where eid = '%s'" % eid), str(12 + 16 + 16))
        for value in re.findall(r'value="([0-9A-F]{32})"', request):
            self.assertNotIn(value.lower(), self.psql("sm_sr", "select encode(wrapped, 'hex') from keyset_key where eid = '%s'" % eid))

    def test_journal_shows_the_call_without_key_values(self):
        request = self.request()
        self.register(request)
        messages = self.rspctl.messages(self.admin("sm-sr"), eid=eid_of(request))
        texts = "".join(m["text"] for m in messages)
        self.assertIn("ES1-RegisterEISRequest", texts)
        for value in re.findall(r'KeyComponents[^>]*value="([0-9A-F]{32})"', request):
            self.assertNotIn(value, texts)

    def test_a_trace_that_is_none_is_no_reason_to_fail(self):
        url = self.staging.instances["sm-sr"].url() + "/es1"
        for trace in ("\xff\xfe", "x" * 8000):
            headers = {"Content-Type": "application/soap+xml", "traceparent": trace}
            answer = Answer(self.http(url, "POST", self.request().encode(), headers, self.tls_context("eum")))
            self.assertEqual(answer.status, "EXECUTED_SUCCESS", answer.raw)

    def test_the_same_call_again_is_answered_the_same(self):
        request = self.request()
        first, again = self.register(request), self.register(request)
        self.assertEqual(first.status, "EXECUTED_SUCCESS")
        self.assertEqual(again.status, "EXECUTED_SUCCESS")
        self.assertEqual(first.text("rps:ProcessingEnd"), again.text("rps:ProcessingEnd"))

    def test_every_way_to_write_the_url(self):
        request = self.request()
        answers = [self.register(request, path=p) for p in ("/es1/RegisterEIS", "/ES1/RegisterEIS", "/es1/", "/", "/esim-messaging/3/ES1/ES1SmSrService")]
        self.assertEqual({(a.status, a.text("rps:ProcessingEnd")) for a in answers}, {("EXECUTED_SUCCESS", answers[0].text("rps:ProcessingEnd"))})

    def test_the_same_identifier_with_another_input_is_refused(self):
        first, second = self.request(), self.request()
        fci = re.search(r"<rps:FunctionCallIdentifier>([^<]*)<", first).group(1)
        self.assertEqual(self.register(first).status, "EXECUTED_SUCCESS")
        self.refused(tag(second, "FunctionCallIdentifier", fci), "1.6/2.1", "FunctionCallIdentifier")
        self.assertEqual(self.register(second).status, "EXECUTED_SUCCESS", "under its own identifier it is a call like any other")

    def test_a_registered_eid_is_in_use(self):
        request = self.request()
        self.register(request)
        self.refused(tag(request, "FunctionCallIdentifier", new_id()), "8.1.1/3.3", eid_of(request))

    def test_a_known_iccid_is_in_use(self):
        first, second = self.request(), self.request()
        self.register(first)
        iccid = re.search(r"<rps:Iccid>([^<]*)<", first).group(1)
        self.refused(tag(second, "Iccid", iccid), "8.2.1/3.3", iccid)

    def test_a_changed_octet_breaks_the_signature(self):
        self.refused(tag(self.request(), "PlatformType", "forged"), "8.6/6.1", "EumSignature")

    def test_another_signature_value_is_refused(self):
        request = self.request()
        value = re.search(r"<ds:SignatureValue[^>]*>([^<]*)<", request).group(1)
        raw = bytearray(base64.b64decode(value))
        raw[5] ^= 1
        self.refused(request.replace(value, base64.b64encode(bytes(raw)).decode()), "8.6/6.1", "EumSignature")

    def test_a_signature_of_another_card_is_refused(self):
        first, second = self.request(), self.request()
        def part(r):
            return re.search(r"<rps:EumSignature.*</rps:EumSignature>", r, re.S).group(0)
        self.refused(first.replace(part(first), part(second)), "8.6/6.1", "EumSignature")

    def test_a_wrong_key_check_value_is_refused(self):
        self.refused(re.sub(r'kcv="[0-9A-F]{6}"', 'kcv="000000"', self.request(), count=1), "8.4/6.1")

    def test_an_eum_registers_only_its_own(self):
        self.refused(tag(self.request(), "Eum-id", "1.3.6.1.4.1.99999.88"), "1.1/1.2")

    def test_another_sm_sr_is_refused(self):
        self.refused(tag(self.request(), "Smsr-id", "1.3.6.1.4.1.99999.3"), "1.6/2.1", "Smsr-id")

    def test_only_an_eum_registers(self):
        request = self.request().replace("EntityId=1.3.6.1.4.1.99999.1?", "EntityId=1.3.6.1.4.1.99999.5?").replace(
            "EntityId=1.3.6.1.4.1.99999.1<", "EntityId=1.3.6.1.4.1.99999.5<")
        self.refused(request, "1.1/1.2", client="operator-a")

    def test_wrong_check_digits_name_the_eid(self):
        request = self.request()
        eid = eid_of(request)
        wrong = eid[:-1] + ("0" if eid[-1] != "0" else "1")
        self.refused(request.replace(eid, wrong), "1.6/2.1", "Eid")

    def test_a_missing_element_is_named(self):
        self.refused(re.sub(r"<rps:Smsr-id>[^<]*</rps:Smsr-id>", "", self.request(), count=1), "1.6/2.2", "Smsr-id")

    def test_an_invalid_element_is_named(self):
        self.refused(tag(self.request(), "RemainingMemory", "-1"), "1.6/2.1", "RemainingMemory")

    def test_two_enabled_profiles_are_refused(self):
        self.refused(self.request().replace("<rps:State>Disabled<", "<rps:State>Enabled<"), "1.6/2.1")

    def test_the_validity_period_has_bounds(self):
        request = self.request().replace("</rps:FunctionCallIdentifier>", "</rps:FunctionCallIdentifier><rps:ValidityPeriod>301</rps:ValidityPeriod>")
        answer = self.refused(request, "1.2.1/3.8")
        self.assertEqual(answer.text("rps:AcceptableValidityPeriod"), "300")

    def test_a_refusal_is_remembered(self):
        request = tag(self.request(), "PlatformType", "forged")
        first, again = self.register(request), self.register(request)
        self.assertEqual(first.code, again.code)
        self.assertEqual(first.text("rps:ProcessingEnd"), again.text("rps:ProcessingEnd"))


class TwoReplicas(RegisterCase):
    needs = {"replicas": 2}

    def test_one_call_at_both_replicas_at_once_registers_once(self):
        request, answers = self.request(), []

        def call(server):
            answers.append(self.register(request, server=server))
        for _ in range(4):
            threads = [threading.Thread(target=call, args=(s,)) for s in ("sm-sr", "sm-sr-2")]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        self.assertEqual({a.status for a in answers}, {"EXECUTED_SUCCESS"}, [a.raw for a in answers])
        self.assertEqual(len({a.text("rps:ProcessingEnd") for a in answers}), 1)
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis where eid = '%s'" % eid_of(request)), "1")

    def test_two_calls_for_one_card_at_once_register_once(self):
        base, answers = self.request(), []

        def call(server):
            answers.append(self.register(tag(base, "FunctionCallIdentifier", new_id()), server=server))
        threads = [threading.Thread(target=call, args=(s,)) for s in ("sm-sr", "sm-sr-2") * 3]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted((a.status, a.code or "") for a in answers),
                         sorted([("EXECUTED_SUCCESS", "")] + [("FAILED", "8.1.1/3.3")] * 5))
