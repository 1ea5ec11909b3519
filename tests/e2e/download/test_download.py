# SPDX-License-Identifier: Apache-2.0
"""Profiles are downloaded: ordered at an operator's gateway, made by the SM-DP, carried by the SM-SR, installed by the card."""
from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import GATEWAY, LARGE, SMDP, DownloadCase
from tests.e2e.eum import cut
from tests.e2e.smsr import eis_at
from tests.e2e.soap import Answer, envelope, get_eis
from tests.e2e.stock.stock_case import MEMORY

ENABLED, DISABLED, CREATED = "2", "1", "0"
INSTALL = "sm-dp.download.install.called"


class Download(DownloadCase):
    def test_a_profile_is_installed(self):
        card, row = self.card(), self.row("telematics")
        before = self.memory(card)
        self.assertEqual(before[0], before[1])
        found = self.ended(self.order_download(card, profile_type="telematics"))
        self.assertEqual(self.outcome(found), SUCCESS, found)
        self.assertEqual((found["iccid"], found["enabled"]), (row.values["ICCID"], False))
        self.assertEqual(self.in_eis(card, row), "1|%s|%s|telematics" % (self.mno, self.oid(SMDP)))
        self.whole(card, row, "telematics")
        self.assertEqual((self.on_card(card, row)["state"], card.enabled()), ("Disabled", card.a))
        self.assertEqual(self.memory(card)[0], before[0] - MEMORY)
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual(*self.memory(card))

    def test_a_profile_is_installed_and_enabled(self):
        card, row = self.card(), self.row()
        self.installed(card, row, enable=True)
        self.whole(card, row)
        self.assertEqual((card.enabled(), card.now["enabled"]), (row.values["ICCID"],) * 2)

    def test_a_large_profile_goes_in_parts(self):
        card, row = self.card(), self.row("large")
        with self.running_with(SMDP, SEND_BYTES="16384"):
            self.installed(card, row)
        self.whole(card, row, "large")
        # Besides certificate and key: several parts, of which not each fits into one script.
        parts = int(self.psql("sm_sr", "select count(*) from procedure where eid = '%s' and function = 'ES3-SendData'" % card.eid)) - 2
        self.assertGreaterEqual(parts, LARGE // 16384 + 1)
        self.assertGreater(card.scripts().count("SendData"), parts)

    def test_what_is_not_its_operators_is_refused(self):
        card, row = self.card(), self.row()
        commands = card.now["commands"]
        for which, code in (({"profile_type": "plain"}, "8.2.5/3.9"), ({"iccid": row.values["ICCID"]}, "8.2.1/3.9")):
            operation = self.order_download(card, operator="operator-b", **which)
            found = self.rspctl.operation(self.staging.gateway_words("operator-b"), operation, 30)
            self.assertEqual(self.outcome(found), ("FAILED", code), found)
        self.assertEqual((card.now["commands"], self.stock_of(row)), (commands, ("available", False, None)))


class Relayed(DownloadCase):
    """What an operator does with a profile through the SM-DP, as with one that the card came with."""

    def order(self, function, card, row, *more, **rest):
        found = getattr(self.rspctl, function)(self.words, card.eid, row.values["ICCID"], *more, validity_s=60, wait_s=90, via=self.via, **rest)
        self.assertEqual(self.outcome(found), SUCCESS, found)
        return found

    def state(self, card, row):
        return card.sql("select state from profile where iccid = '{iccid}'", iccid=row.values["ICCID"]), card.now["enabled"]

    def test_a_life(self):
        card, row = self.card(), self.row()
        memory, iccid = self.memory(card), row.values["ICCID"]
        self.installed(card, row)
        self.order("profile_enable", card, row)
        self.assertEqual(self.state(card, row), (ENABLED, iccid))
        self.order("profile_disable", card, row)
        self.assertEqual(self.state(card, row), (DISABLED, card.a))
        self.relayed_at_once(card, row)
        found = self.rspctl.eis_audit(self.words, card.eid, [iccid], validity_s=60, wait_s=90, via=self.via)
        self.assertEqual(self.outcome(found), SUCCESS, found)
        self.assertIn(iccid, [p["iccid"] for p in self.rspctl.eis_get(self.words, card.eid, via=self.via)["profiles"]])
        self.order("profile_delete", card, row)
        self.nothing_left(card, row, memory, ("quarantined", True))

    def relayed_at_once(self, card, row):
        look = "select pol2, imsi, msisdn from profile where iccid = '{iccid}'"
        self.order("profile_policy", card, row, ("DELETE:Not-Allowed",))
        self.order("profile_address", card, row, imsi=row.values["IMSI"], msisdn="881700000000009")
        self.assertEqual(card.sql(look, iccid=row.values["ICCID"]), "\\x000200|%s|881700000000009" % row.values["IMSI"])
        self.order("profile_policy", card, row)
        self.order("profile_address", card, row, imsi=row.values["IMSI"], msisdn=row.values["MSISDN"])
        self.assertEqual(card.sql(look, iccid=row.values["ICCID"]), "\\x|%s|%s" % (row.values["IMSI"], row.values["MSISDN"]))


class Failures(DownloadCase):
    def test_what_failed_is_cleaned_up(self):
        card = self.card()
        memory = self.memory(card)
        for hook, argument, code, stock in (("bad-challenge", "", "8.3/6.1", ("available", False)),
                                            ("bad-receipt", "", "8.3/6.1", ("available", False)),
                                            ("bad-mac", "", "8.4/4.2", ("quarantined", True)),
                                            ("pe-fail", "3", "8.4/4.2", ("quarantined", True)),
                                            ("no-memory", "create", "8.1/4.8", ("available", False)),
                                            ("no-memory", "install", "8.1/4.8", ("quarantined", True))):
            with self.subTest(hook=hook, argument=argument):
                row = self.row()
                card.hook(hook, argument)
                found = self.download(card, row)
                self.assertEqual(self.outcome(found), ("FAILED", code), found)
                self.nothing_left(card, row, memory, stock)
                self.assertFalse(card.uncertain())
        row = self.row()
        self.installed(card, row)
        self.whole(card, row)

    @full
    def test_a_card_that_does_not_come(self):
        card, row = self.card(), self.row()
        memory = self.memory(card)
        card.power(False)
        found = self.download(card, row, validity_s=15)
        self.assertEqual(self.outcome(found), ("EXPIRED", "1.6/5.3"), found)
        self.await_true(lambda: self.stock_of(row)[0] != "reserved", "the ICCID stays reserved", 30)
        self.nothing_left(card, row, memory, ("available", False))


class Killed(DownloadCase):
    def test_the_sm_dp(self):
        card, row = self.card(), self.row()
        self.rspctl.fault(self.socket, INSTALL, "kill", card.eid)
        operation = self.order_download(card, iccid=row.values["ICCID"])
        self.staging.await_death(SMDP)
        self.staging.start_service(SMDP)
        self.assertEqual(self.outcome(self.ended(operation)), SUCCESS)
        self.whole(card, row)
        self.assertEqual(card.now["installs"], 1)

    def test_the_sm_sr(self):
        card, row = self.card(), self.row()
        memory, point = self.memory(card), "sm-sr.card.fetched.committed"
        with self.held(SMDP, INSTALL, card) as standing:
            operation = self.order_download(card, iccid=row.values["ICCID"])
            standing()
            self.rspctl.fault(self.admin("sm-sr"), point, "kill", card.eid)
        self.staging.await_death("sm-sr")
        self.staging.start_service("sm-sr")
        found = self.ended(operation)
        # Whether the card executed what it was not seen to fetch nobody knows; it is not sent twice.
        self.assertEqual(self.outcome(found), ("EXPIRED", "1.6/5.4"), found)
        self.nothing_left(card, row, memory, ("quarantined", True))


class Told(DownloadCase):
    def test_what_the_sm_sr_tells_goes_on(self):
        card, row = self.card(), self.row()
        card.power(False)
        for kind, name, group in (("enabled", "HandleProfileEnabledNotification", "PlatformManagement"),
                                  ("disabled", "HandleProfileDisabledNotification", "PlatformManagement"),
                                  ("deleted", "HandleProfileDeletedNotification", "PlatformManagement"),
                                  ("downloaded", "HandleProfileDownloadedNotification", "ProfileManagement"),
                                  ("pol2_updated", "HandleProfilePOL2UpdatedNotification", "ProfileManagement")):
            with self.subTest(kind=kind):
                told = (kind, row.values["ICCID"])
                body = ("<rps:ES3-%s><rps:Eid>%s</rps:Eid><rps:Iccid>%s</rps:Iccid><rps:Mno-id>%s</rps:Mno-id><rps:CompletionTimestamp>"
                        "2026-01-15T09:30:00Z</rps:CompletionTimestamp></rps:ES3-%s>" % (name, card.eid, row.values["ICCID"], self.mno, name))
                text = envelope(self.oid("sm-sr"), self.oid(SMDP), "http://gsma.com/ES3/%s/ES3-%s" % (group, name), body)
                self.assertEqual(self.soap_call(SMDP, "sm-sr", "/es3", text)[0], 202)
                self.await_true(lambda: told in card.told(GATEWAY), "the operator is not told", 20)
        ways = self.psql("operator_a", "select distinct interface from notification where eid = '%s'" % card.eid)
        self.assertEqual(ways, "ES2")


    def moved(self, card, eis, to, sender, completed):
        """The SM-SR says that the card is at another."""
        body = ("<rps:ES3-HandleSMSRChangeNotification>%s<rps:Mno-id>%s</rps:Mno-id><rps:completionTimestamp>%s</rps:completionTimestamp>"
                "</rps:ES3-HandleSMSRChangeNotification>" % (eis_at(eis, self.oid(to)), self.mno, completed))
        text = envelope(self.oid(sender), self.oid(SMDP), "http://gsma.com/ES3/PlatformManagement/ES3-HandleSMSRChangeNotification", body)
        expected = self.notified(card) + (to == sender)
        self.assertEqual(self.soap_call(SMDP, sender, "/es3", text)[0], 202)
        self.await_true(lambda: self.notified(card) == expected and self.psql("sm_dp", "select count(*) from outbox where eid = '%s'" % card.eid) == "0",
                        "the operator is not told once", 20)
        return self.psql("sm_dp", "select smsr from isdp_keyset where eid = '%s'" % card.eid)

    def notified(self, card):
        return int(self.psql("operator_a", "select count(*) from notification where eid = '%s' and kind = 'smsr_changed'" % card.eid))

    def test_a_card_moved_to_another_sm_sr(self):
        card, row = self.card(), self.row()
        self.installed(card, row)
        card.power(False)
        here, there = self.oid("sm-sr"), self.oid("sm-sr-b")
        answer = Answer(self.soap_call("sm-sr", GATEWAY, "/es4", get_eis(self.mno, here, card.eid)))
        eis = cut(answer.raw.decode(), "Eis")
        # Who is not the card's new SM-SR is not believed.
        self.assertEqual(self.moved(card, eis, "sm-sr-b", "sm-sr", "2026-01-15T09:30:00Z"), here)
        self.assertEqual(self.moved(card, eis, "sm-sr-b", "sm-sr-b", "2026-01-15T09:30:01Z"), there)
        self.assertEqual(self.psql("operator_a", "select smsr from euicc where eid = '%s'" % card.eid), there)
        self.assertEqual(self.moved(card, eis, "sm-sr", "sm-sr", "2026-01-15T09:30:02Z"), here)
        self.assertEqual(self.moved(card, eis, "sm-sr-b", "sm-sr-b", "2026-01-15T09:30:01Z"), here)
        self.assertEqual(self.psql("operator_a", "select smsr from euicc where eid = '%s'" % card.eid), here)
        told = self.northbound(GATEWAY, "/v1/notifications?eid=" + card.eid)[1]
        self.assertEqual({(n["interface"], n["smdp"]) for n in told if n["kind"] == "smsr_changed"}, {("ES2", self.oid(SMDP))})


class Leftovers(DownloadCase):
    def unfinished(self, card):
        """ICCIDs of ISD-Ps that have keys and no profile."""
        return [p["iccid"] for p in card.now["profiles"] if p["state"] == "Personalized"]

    @full
    def test_what_an_older_download_left_is_deleted_first(self):
        """procedures.md 3.1.5: an ISD-P of ours in state Created, of another ICCID."""
        card, old, row = self.card(), self.row(), self.row()
        memory = self.memory(card)
        with self.running_with(SMDP, CLEANUP_S="4", BACKOFF_MS="300"):
            with self.held(SMDP, INSTALL, card) as standing:
                operation = self.order_download(card, iccid=old.values["ICCID"], validity_s=20)
                standing()
                card.power(False)
            found = self.ended(operation)
            self.assertEqual(self.outcome(found)[0], "EXPIRED", found)
            self.await_true(lambda: self.stock_of(old)[0] == "quarantined", "the cleaning does not end", 40)
        # Of which ICCID it will be, only a package tells the card.
        self.assertEqual((self.in_eis(card, old).split("|")[0], self.unfinished(card)), (CREATED, [""]))
        card.power(True)
        self.installed(card, row)
        self.whole(card, row)
        self.assertEqual((self.unfinished(card), self.in_eis(card, old), self.stock_of(old)[:2]), ([], "", ("quarantined", True)))
        self.assertEqual(self.memory(card)[0], memory[0] - MEMORY)
        shown, = self.rspctl.download_list(self.socket, iccid=row.values["ICCID"])
        stages = [(s["state"], s["function"], s["answer"]) for s in self.rspctl.download_show(self.socket, shown["id"])["stages"]]
        self.assertEqual(stages[:2], [("get_eis", "ES3-GetEIS", "EXECUTED_SUCCESS"), ("cleanup", "ES3-DeleteISDP", "EXECUTED_SUCCESS")])
        self.expect(self.audit(card), SUCCESS)
        self.assertEqual(*self.memory(card))


class Kept(DownloadCase):
    def make_type(self, name):
        """POL1 of its profiles: not to be deleted."""
        return self.rspctl.type_add(self.socket, name, None, self.mno, MEMORY, variables="pin1=template pol1=2")

    def test_what_pol1_keeps_is_installed(self):
        """procedures.md 3.1.4: the card has installed it, its answer is lost, and POL1 forbids the deletion: it counts as installed."""
        card, row = self.card(), self.row("kept")
        with self.held(SMDP, INSTALL, card) as standing:
            operation = self.order_download(card, iccid=row.values["ICCID"], validity_s=90)
            standing()
            card.hook("power-cut", "after-script")
        self.await_true(lambda: not card.now["powered"], "the card is not cut off")
        self.assertEqual(card.now["installs"], 1)
        card.power(True)
        found = self.ended(operation)
        self.assertEqual((self.outcome(found), found["iccid"]), (SUCCESS, row.values["ICCID"]), found)
        self.assertEqual(self.stock_of(row), ("installed", True, card.eid))
        self.assertEqual(self.in_eis(card, row), "1|%s|%s|kept" % (self.mno, self.oid(SMDP)))
        profile = self.on_card(card, row)
        self.assertEqual((card.now["installs"], profile["pol1"], profile["imsi"], profile["state"]), (1, 2, row.values["IMSI"], "Disabled"))
        shown, = self.rspctl.download_list(self.socket, iccid=row.values["ICCID"])
        stages = [(s["state"], s["function"]) for s in self.rspctl.download_show(self.socket, shown["id"])["stages"]]
        self.assertEqual(stages[-3:], [("delete_expired", "ES3-DeleteISDP"), ("keep", "ES3-ProfileDownloadCompleted"), ("done", None)])
        self.number(card, row)
        self.expect(self.enable(card, row.values["ICCID"], client="operator-a"), SUCCESS)
