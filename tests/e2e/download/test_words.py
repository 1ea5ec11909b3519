# SPDX-License-Identifier: Apache-2.0
"""What a person sees and decides at an SM-DP: downloads stage by stage, profiles that were deleted elsewhere, keys that go to their operator."""
import datetime
import os
import stat

from rsp.ctl import CtlError
from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, SMDP, DownloadCase
from tests.e2e.es3.es3_case import Es3Case
from tests.e2e.soap import envelope
from tests.e2e.stock.stock_case import MEMORY, StockCase, unwrap_kw, wrap_ecb

UNKNOWN = "00000000-0000-4000-8000-000000000000"
STAGES = ["get_eis", "create_isdp", "key_certificate", "key_request", "install", "complete", "done"]
CALLS = ["ES3-GetEIS", "ES3-CreateISDP", "ES3-SendData", "ES3-SendData", "ES3-SendData", "ES3-ProfileDownloadCompleted", None]


class WordsCase(DownloadCase):
    refused = StockCase.refused


class Shown(WordsCase):
    def shown(self, row):
        found, = self.rspctl.download_list(self.socket, iccid=row.values["ICCID"])
        return self.rspctl.download_show(self.socket, found["id"])

    def test_a_download_stage_by_stage(self):
        card, row = self.card(), self.row()
        self.installed(card, row)
        for chosen, wanted in (({"eid": card.eid}, 1), ({"eid": card.eid, "state": "done", "mno": self.mno}, 1), ({"eid": card.eid, "state": "failed"}, 0),
                               ({"eid": card.eid, "mno": self.oid("operator-b")}, 0)):
            self.assertEqual(len(self.rspctl.download_list(self.socket, **chosen)), wanted, chosen)
        shown = self.shown(row)
        self.assertEqual((shown["eid"], shown["iccid"], shown["mno"], shown["type"], shown["smsr"], shown["state"], shown["outcome"], shown["code"]),
                         (card.eid, row.values["ICCID"], self.mno, "plain", self.oid("sm-sr"), "done", "EXECUTED_SUCCESS", None))
        stages = shown["stages"]
        self.assertEqual([(s["state"], s["function"]) for s in stages], list(zip(STAGES, CALLS)))
        self.assertEqual([s["step"] for s in stages], [1, 2, 3, 4, 5, 6, 6])
        self.assertEqual([s["answer"] for s in stages], ["EXECUTED_SUCCESS"] * 6 + [""])
        self.assertEqual(sorted(s["begun_at"] for s in stages), [s["begun_at"] for s in stages])
        for stage in stages[:-1]:
            self.assertLessEqual(stage["begun_at"], stage["answered_at"])
        text = self.rspctl.text("--admin", self.socket, "download", "show", shown["id"])
        self.assertRegex(text, r"(?s)eid +%s.*state +done.*STAGE.*install +ES3-SendData" % card.eid)
        self.assertRegex(self.rspctl.text("--admin", self.socket, "download", "list", "--eid", card.eid), r"done .*EXECUTED_SUCCESS")

    def test_what_failed_names_the_element(self):
        card, row = self.card(), self.row()
        card.hook("pe-fail", "3")
        self.assertEqual(self.outcome(self.download(card, row)), ("FAILED", "8.4/4.2"))
        shown = self.shown(row)
        self.assertEqual((shown["state"], shown["outcome"], shown["code"]), ("failed", "FAILED", "8.4/4.2"))
        self.assertRegex(shown["message"], "the profile was not installed: .*element 3")
        self.assertEqual([s["state"] for s in shown["stages"]][-3:], ["install", "delete", "failed"])
        install, delete, _ = shown["stages"][-3:]
        self.assertEqual((install["answer"], delete["answer"]), ("EXECUTED_SUCCESS: " + shown["message"], "EXECUTED_SUCCESS"))

    def test_what_is_wrong_is_named(self):
        self.refused("bad_state", "get_eis, cleanup", self.rspctl.download_list, self.socket, state="happy")
        self.refused("bad_request", "id", self.rspctl.download_show, self.socket, "1")
        self.refused("bad_request", "id", self.rspctl.download_show, self.socket, UNKNOWN.upper()[:-1] + "A")
        self.refused("not_found", "no download", self.rspctl.download_show, self.socket, UNKNOWN)


class Numbers(WordsCase):
    def msisdn(self, card, iccid):
        return [p["msisdn"] for p in card.now["profiles"] if p["iccid"] == iccid][0]

    def address(self, card, msisdn):
        imsi = card.sql("select imsi from profile where iccid = '{iccid}'", iccid=card.a)
        found = self.rspctl.profile_address(self.words, card.eid, card.a, imsi=imsi, msisdn=msisdn, validity_s=60, wait_s=60, via="direct")
        self.assertEqual(self.outcome(found), SUCCESS, found)

    def test_a_card_is_called_by_the_number_that_it_was_given(self):
        card, sim, new = self.card(), self.admin("euicc-sim"), "881990000000001"
        self.rspctl.card_number(sim, card.eid, new)
        self.assertEqual(self.msisdn(card, card.a), new)
        self.address(card, new)
        self.expect(self.audit(card), SUCCESS)  # woken by an SMS to it
        self.rspctl.card_number(sim, card.eid, "881990000000002", card.b)
        self.assertEqual((self.msisdn(card, card.a), self.msisdn(card, card.b)), (new, "881990000000002"))
        self.refused("bad_body", "msisdn should be", self.rspctl.card_number, sim, card.eid, "12a")
        self.refused("bad_eid", "32 digits", self.rspctl.card_number, sim, card.eid[:-1], "12")
        with self.assertRaisesRegex(CtlError, "no profile of this iccid"):
            self.rspctl.card_number(sim, card.eid, "12", "8988000000000000008")


class Deleted(WordsCase):
    register = Es3Case.register

    def told(self, card, row, at):
        body = ("<rps:ES3-HandleProfileDeletedNotification><rps:Eid>%s</rps:Eid><rps:Iccid>%s</rps:Iccid><rps:Mno-id>%s</rps:Mno-id>"
                "<rps:CompletionTimestamp>%s</rps:CompletionTimestamp></rps:ES3-HandleProfileDeletedNotification>"
                % (card.eid, row.values["ICCID"], self.mno, at))
        text = envelope(self.oid("sm-sr"), self.oid(SMDP), "http://gsma.com/ES3/PlatformManagement/ES3-HandleProfileDeletedNotification", body)
        self.assertEqual(self.soap_call(SMDP, "sm-sr", "/es3", text)[0], 202)

    def kept(self, card):
        return len(self.rspctl.keys_list(self.socket, eid=card.eid))

    def test_an_sm_sr_tells_of_it(self):
        card, row = self.card(), self.row()
        self.installed(card, row)
        self.assertEqual(self.kept(card), 1)
        self.told(card, row, "2026-01-15T09:30:00Z")  # long before it was installed
        self.assertEqual(self.stock_of(row), ("installed", True, card.eid))
        for _ in range(2):
            self.told(card, row, datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self.assertEqual(self.stock_of(row), ("quarantined", True, card.eid))
        self.assertEqual(self.kept(card), 0)

    def test_rules_delete_it(self):
        """POL2: the SM-SR does it by itself, and tells the operator through the SM-DP, whose customer it is."""
        card, row = self.card(), self.row()
        self.addCleanup(self.register, GATEWAY)
        self.register(GATEWAY, addresses={})
        self.installed(card, row, enable=True)
        iccid = row.values["ICCID"]
        for function, more in (("profile_policy", [("DISABLE:Auto-Delete",)]), ("profile_disable", [])):
            found = getattr(self.rspctl, function)(self.words, card.eid, iccid, *more, validity_s=60, wait_s=90, via=self.via)
            self.assertEqual(self.outcome(found), SUCCESS, found)
        self.await_true(lambda: ("deleted", iccid) in card.told(GATEWAY), "the operator is not told", 60)
        self.assertEqual(self.stock_of(row), ("quarantined", True, card.eid))
        self.assertIsNone(self.on_card(card, row))

    def test_a_person_knows_of_it(self):
        """Its operator went straight to the SM-SR, which tells nobody then."""
        card, row = self.card(), self.row()
        self.installed(card, row)
        iccid = row.values["ICCID"]
        found = self.rspctl.profile_delete(self.words, card.eid, iccid, validity_s=60, wait_s=90, via="direct")
        self.assertEqual(self.outcome(found), SUCCESS, found)
        self.assertEqual(self.stock_of(row)[0], "installed")
        self.assertEqual(self.rspctl.stock_deleted(self.socket, iccid), {"iccid": iccid, "eid": card.eid})
        self.assertEqual((self.stock_of(row)[0], self.kept(card)), ("quarantined", 0))
        self.refused("not_installed", "quarantined", self.rspctl.stock_deleted, self.socket, iccid)


class Keys(WordsCase):
    def make_type(self, name):
        return self.rspctl.type_add(self.socket, name, None, self.mno, MEMORY, variables="pin1=template", keys=name.split("-keys")[0])

    def path(self, name):
        return os.path.join(self.staging.private_folder("files"), name)

    def exported(self, name, type_name, **more):
        """The answer, and the lines of the file."""
        done = self.rspctl.keys_export(self.socket, self.path(name), self.mno, type_name, **more)
        self.assertEqual(stat.S_IMODE(os.stat(done["file"]).st_mode), 0o600)
        with open(done["file"]) as f:
            lines = [line.split(",") for line in f.read().strip().split("\n")]
        self.assertEqual(lines[0], ["EID", "ICCID", "ISD-P", "KVN", "01-ENC", "01-KCV", "02-MAC", "02-KCV", "03-DEK", "03-KCV"])
        self.assertEqual(done["keysets"], len(lines) - 1)
        return done, lines[1:]

    def plain(self, line):
        """The keys, whose check values hold."""
        keys = [unwrap_kw(self.transport(), bytes.fromhex(cell)) for cell in line[4::2]]
        self.assertEqual([wrap_ecb(key, b"\1" * 16)[:3].hex().upper() for key in keys], line[5::2])
        self.assertEqual((len(set(keys)), {len(key) for key in keys}), (3, {16}))
        return keys

    def test_keys_are_handed_over(self):
        card, row = self.card(), self.row("hand-over-keys")
        self.installed(card, row)
        aid = self.on_card(card, row)["aid"]
        before, = self.rspctl.keys_list(self.socket, eid=card.eid)
        self.assertEqual((before["iccid"], before["isdp"], before["keys"], before["export"]), (row.values["ICCID"], aid, "hand-over", None))
        done, lines = self.exported("over.csv", "hand-over-keys")
        line, = [found for found in lines if found[0] == card.eid]
        self.assertEqual(line[:4], [card.eid, row.values["ICCID"], aid, "30"])
        keys = self.plain(line)
        again, _ = self.exported("again.csv", "hand-over-keys")  # nobody has confirmed: they are still here
        self.confirm(done, 0)
        self.assertEqual(len(self.rspctl.keys_list(self.socket, eid=card.eid)), 1)
        self.confirm(again, done["keysets"])
        self.assertEqual(self.rspctl.keys_list(self.socket, eid=card.eid), [])
        self.nowhere(keys, [done, again])

    def confirm(self, done, wiped):
        for repeated in (False, True):
            self.assertEqual(self.rspctl.keys_confirm(self.socket, done["export"]),
                             {"export": done["export"], "keysets": done["keysets"], "wiped": wiped, "repeated": repeated})
        record, = [e for e in self.rspctl.keys_exports(self.socket) if e["export"] == done["export"]]
        self.assertEqual((record["mno"], record["type"], record["keysets"], record["wiped"]), (self.mno, "hand-over-keys", done["keysets"], wiped))
        self.assertTrue(record["made_by"] and record["confirmed_by"] and record["made_at"] < record["confirmed_at"], record)

    def nowhere(self, keys, exports):
        with open(self.staging.log(SMDP)) as f:
            text = f.read().lower()
        for done in exports:
            self.assertIn(done["export"], text)
            with open(done["file"]) as f:
                text += f.read().lower()
        text += self.psql("sm_dp", "select * from isdp_keyset") + self.psql("sm_dp", "select * from keyset_export")
        for key in keys:
            self.assertNotIn(key.hex(), text)

    def test_what_is_retained_stays(self):
        card, row = self.card(), self.row("retain-keys")
        self.installed(card, row)
        self.refused("not_found", "no keys of profile type retain-keys that are to be handed over", self.rspctl.keys_export, self.socket,
                     self.path("none.csv"), self.mno, "retain-keys")
        self.assertFalse(os.path.exists(self.path("none.csv")))
        done, lines = self.exported("copy.csv", "retain-keys", everything=True)
        self.plain(lines[0])
        self.assertEqual(self.rspctl.keys_confirm(self.socket, done["export"])["wiped"], 0)
        self.assertEqual(len(self.rspctl.keys_list(self.socket, eid=card.eid)), 1)

    def test_what_is_wrong_is_named(self):
        self.refused("no_transport_key", "1.2.3.4", self.rspctl.keys_export, self.socket, self.path("x.csv"), "1.2.3.4")
        self.refused("bad_request", "mno", self.rspctl.keys_export, self.socket, self.path("x.csv"), "x")
        self.refused("bad_request", "type", self.rspctl.keys_export, self.socket, self.path("x.csv"), self.mno, "a b")
        self.assertFalse(os.path.exists(self.path("x.csv")))
        self.refused("not_found", "no export", self.rspctl.keys_confirm, self.socket, UNKNOWN)
        self.refused("bad_request", "export", self.rspctl.keys_confirm, self.socket, "x")
        there = self.file("there.csv", "mine")
        code, output = self.rspctl.call("--admin", self.socket, "keys", "export", there, "--mno", self.mno)
        self.assertEqual((code, open(there).read()), (2, "mine"), output)
        self.assertIn("is there already", output)
        code, output = self.rspctl.call("--admin", self.socket, "keys", "confirm", UNKNOWN)
        self.assertEqual(code, 2, output)
        self.assertIn("--yes", output)


class Connectivity(WordsCase):
    """ES3.UpdateConnectivityParameters, as a person orders it at the SM-DP: under the keys of the ISD-P, verified to the card's R-MAC."""
    SMS = "A0070605912143F50F"  # a service centre's address

    def update(self, card, row, text=None, **more):
        path = self.file("parameters.hex", (text or self.SMS) + "\n")
        return self.rspctl.connectivity_update(self.socket, card.eid, row.values["ICCID"], path, **more)

    def ended(self, card, order):
        def found():
            return [o for o in self.rspctl.connectivity_list(self.socket, card.eid) if o["id"] == order and o["state"] != "sent"]
        self.await_true(found, "the order does not end", 60)
        return found()[0]["state"], found()[0]["answer"], found()[0]["step"]

    def test_a_card_takes_them(self):
        card, row = self.card(), self.row()
        installed = super().ended(self.order_download(card, iccid=row.values["ICCID"]))
        self.assertEqual(self.outcome(installed), SUCCESS)
        self.assertEqual(self.on_card(card, row)["connectivity"], "")
        self.assertEqual(self.ended(card, self.update(card, row)), ("done", "", 1))
        profile = self.on_card(card, row)
        self.assertEqual((profile["connectivity"], profile["sequence"]), (self.SMS, 2))
        self.assertEqual(card.scripts()[-1], "UpdateConnectivityParameters")
        self.await_true(card.idle, "the session does not end")
        # The card has counted sessions of which we do not know: its answer says how many, and the call is made again.
        self.psql("sm_dp", "update isdp_keyset set sequence = 7 where eid = '%s'" % card.eid)
        http = self.SMS + "A1020000"
        self.assertEqual(self.ended(card, self.update(card, row, http)), ("done", "", 2))
        profile = self.on_card(card, row)
        self.assertEqual((profile["connectivity"], profile["sequence"]), (http, 4))
        self.nowhere(http)

    @full
    def test_a_card_that_opens_no_sessions_any_more(self):
        """They go by SMS: under the ISD-R's keys to the ISD-P's TAR, and its answer comes in the proof of receipt."""
        card, row = self.card(), self.row()
        installed = super().ended(self.order_download(card, iccid=row.values["ICCID"]))
        self.assertEqual(self.outcome(installed), SUCCESS)
        self.await_true(card.idle, "the session does not end")
        with self.running_with("sm-sr", **dict(self.staging.settings["sm-sr"], SMS_AFTER="1", TRIGGER_AGAIN_S="1")):
            before = len(card.journal())
            card.hook("no-sessions", times=0)
            long = "A25A" + "5A" * 0x5A
            self.assertEqual(self.ended(card, self.update(card, row, long)), ("done", "", 1))
            profile = self.on_card(card, row)
            self.assertEqual((profile["connectivity"], profile["sequence"]), (long, 2))
            self.assertEqual(card.sql("select max(number) from sms_part p join sms_out o on o.id = p.sms where o.eid = '{eid}'"), "2")
            self.assertEqual(card.scripts()[-1], "UpdateConnectivityParameters")
            # What goes between SM-DP and ISD-P is no more for the journal than in a session.
            texts = [r["text"].strip() for r in card.journal()[before:] if r["function"] in ("ES5 script", "ES5 answer")]
            self.assertEqual([text for text in texts if text], ["UpdateConnectivityParameters"])
            card.unhook("no-sessions")

    def nowhere(self, text):
        """What may have an APN's password stands in the database under the KEK alone."""
        self.assertNotIn(text.lower(), self.psql("sm_dp", "select * from connectivity"))

    @full
    def test_a_card_that_does_not_come(self):
        card, row = self.card(), self.row()
        installed = super().ended(self.order_download(card, iccid=row.values["ICCID"]))
        self.assertEqual(self.outcome(installed), SUCCESS)
        card.power(False)
        order = self.update(card, row, validity_s=6)
        self.refused("busy", "under way", self.update, card, row)
        state, answer, _ = self.ended(card, order)
        self.assertEqual(state, "expired", answer)
        self.assertEqual(self.on_card(card, row)["connectivity"], "")

    def test_what_is_wrong_is_named(self):
        card, row = self.card(), self.row()
        for text in ("A3020000", "A002", "A0020000A0020000", "0102", "A0" + "81C6" + "00" * 198):
            self.refused("bad_request", "parameters", self.update, card, row, text)
        self.refused("bad_request", "validity", self.update, card, row, validity_s=90000)
        self.refused("not_found", "no keys of ICCID", self.update, card, row)
        code, output = self.rspctl.call("--admin", self.socket, "connectivity", "update", card.eid, card.a, self.file("odd.hex", "A0A"))
        self.assertEqual(code, 2, output)
        self.assertIn("hex digits", output)
