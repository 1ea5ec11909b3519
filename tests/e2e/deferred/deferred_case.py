# SPDX-License-Identifier: Apache-2.0
"""Enables ordered by a raw SOAP partner, operator-b, and what stands where before, while and after a card executes them."""
import json
import os
import time

from rsp.demo_cards import CARD_SETTINGS
from tests.e2e import soap
from tests.e2e.helpers import Background, Work
from tests.e2e.partner import Partner
from tests.e2e.soap import Answer, new_id, new_message_id

PARK_ENTITY = 3
NEEDS = {"settings": {
    "euicc-sim": dict(CARD_SETTINGS, SESSION_RETRY_MS="300", SESSION_RETRIES="40", RETRY_MS="300", RETRIES="40"),
    "sm-sr": {"DRAIN_S": "1", "PARK_ENTITY": str(PARK_ENTITY), "PEER_PAUSE_MS": "100", "CARD_GONE_MS": "1000"},
}}
SUCCESS = "EXECUTED_SUCCESS"


class DeferredCase(Work):
    needs = NEEDS
    batch = 14       # cards made at once
    _spare = (None, [])  # a staging and its cards that no test has used

    def oid(self, entity):
        return self.staging.entities[entity]["oid"]

    # Cards.
    def card(self):
        """The EID of a card that no other test has; attached, its first notification confirmed."""
        staging, eids = DeferredCase._spare
        if staging is not self.staging or not eids:
            _, eids = self.batch_of(self.order_of("deferred-" + new_id()[:8], self.batch))
            self.staging.load_cards()
            for eid in eids:
                self.staging.cards.power(True, eid)
            attached = "select count(*) from card_notification where confirmed and eid in ('%s')" % "','".join(eids)
            self.await_true(lambda: self.psql("sm_sr", attached) == str(len(eids)), "the cards never attach")
            DeferredCase._spare = (self.staging, eids)
        return eids.pop()

    def card_off(self):
        """One whose commands wait until it is switched on."""
        eid = self.card()
        self.staging.cards.power(False, eid)
        return eid

    def power_on(self, eid):
        self.staging.cards.power(True, eid)

    def iccid(self, eid, owner="operator-b"):
        return self.psql("sm_sr", "select iccid from profile where eid = '%s' and mno = '%s'" % (eid, self.oid(owner)))

    def switches(self, eid):
        return self.staging.cards.card(eid)["switches"]

    def card_has(self, eid):
        """The ICCID that the card itself says is enabled."""
        return [p["iccid"] for p in self.staging.cards.card(eid)["profiles"] if p["state"] == "Enabled"]

    def eis_has(self, eid):
        return self.psql("sm_sr", "select iccid from profile where eid = '%s' and state = 2" % eid).split()

    def assert_switched(self, eid, owner="operator-b", switches=1):
        """Once, and the EIS knows; nothing commands the card any more."""
        self.assertEqual((self.card_has(eid), self.switches(eid)), ([self.iccid(eid, owner)], switches))
        self.assertEqual(self.eis_has(eid), self.card_has(eid))
        self.assertEqual(self.count("eid_busy", eid), 0)

    # Rows.
    def count(self, table, eid, more="true"):
        return int(self.psql("sm_sr", "select count(*) from %s where eid = '%s' and %s" % (table, eid, more)))

    def running(self, eid):
        return self.count("procedure", eid, "ended_at is null")

    def parked(self, eid):
        return self.count("reply", eid, "mode = 'parked'")

    def await_parked(self, eid, n=1):
        self.await_true(lambda: self.parked(eid) == n, "there are never %d parked callers" % n)

    def await_ended(self, eid):
        self.await_true(lambda: self.running(eid) == 0, "the procedure never ends")

    # Calls.
    def partner(self, entity="operator-b"):
        """A listener with that entity's certificate, at an address that sm-sr has in its registry beside the gateway's."""
        partner = Partner(self, entity)
        self.addCleanup(partner.close)
        self.register(entity, partner.url)
        return partner

    def register(self, entity, *urls, to="sm-sr"):
        with open(os.path.join(self.staging.folder, "registry", entity + ".json")) as f:
            record = json.load(f)
        record["addresses"]["ES2"] = list(urls)
        folder = self.staging.private_folder("further")
        with open(os.path.join(folder, "%s.json" % entity), "w") as f:
            json.dump(record, f)
        self.rspctl.entity_import(self.admin(to), folder)
        os.unlink(os.path.join(folder, "%s.json" % entity))

    def enable_text(self, eid, client="operator-b", iccid=None, **more):
        return soap.enable(self.oid(client), self.oid("sm-sr"), eid, iccid or self.iccid(eid, client), **more)

    def enable(self, eid, client="operator-b", server="sm-sr", timeout=60, **more):
        """On the connection, or with reply_to by callback."""
        return self.post(self.enable_text(eid, client, **more), client, server, timeout)

    def post(self, text, client="operator-b", server="sm-sr", timeout=60):
        return Answer(self.soap_call(server, client, "/es4", text, timeout=timeout))

    def enable_later(self, eid, partner, **more):
        """By callback: (the HTTP answer, the MessageID that the callback will relate to)."""
        message_id = new_message_id(self.oid("operator-b"))
        return self.enable(eid, reply_to=partner.url, message_id=message_id, **more), message_id

    def assert_accepted(self, answer):
        self.assertEqual((answer.http, answer.raw), (202, b""))

    def enable_meanwhile(self, eid, **more):
        """A caller that waits on its connection."""
        before = self.parked(eid)
        call = Background(self.enable, eid, **more)
        self.await_true(lambda: self.parked(eid) == before + 1 or not call.is_alive(), "the caller is not parked")
        return call

    def timed(self, function, *args, **more):
        began = time.monotonic()
        value = function(*args, **more)
        return value, time.monotonic() - began
