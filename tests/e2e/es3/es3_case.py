# SPDX-License-Identifier: Apache-2.0
"""Tests that come as an SM-DP: its calls written by hand, and a listener of its own for what it is told."""
import json
import os

from tests.e2e.cards.card_case import CardCase
from tests.e2e.partner import Partner
from tests.e2e.soap import Answer, envelope, new_id

SMDP = "sm-dp"
GROUPS = {"EnableProfile": "PlatformManagement", "DisableProfile": "PlatformManagement", "DeleteISDP": "PlatformManagement",
          "UpdateConnectivityParameters": "PlatformManagement"}


def body(function, eid, more="", validity=None, fci=None):
    return ("<rps:ES3-%sRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier>%s<rps:Eid>%s</rps:Eid>%s</rps:ES3-%sRequest>"
            % (function, fci or new_id(), "<rps:ValidityPeriod>%s</rps:ValidityPeriod>" % validity if validity else "", eid, more, function))


class Es3Case(CardCase):
    """The SM-DP works for operator-b alone."""

    def setUp(self):
        super().setUp()
        self.partner = Partner(self, SMDP)
        self.addCleanup(self.partner.close)
        self.addCleanup(self.register, SMDP)
        self.register(SMDP, customers=[self.oid("operator-b")], addresses={"ES3": [self.partner.url]})

    def register(self, entity, **changes):
        """What the SM-SR knows of an entity; without changes: what the staging says."""
        with open(os.path.join(self.staging.folder, "registry", entity + ".json")) as f:
            record = dict(json.load(f), **changes)
        folder = self.staging.private_folder("further")
        path = os.path.join(folder, entity + ".json")
        with open(path, "w") as f:
            json.dump(record, f)
        self.rspctl.entity_import(self.admin("sm-sr"), folder)
        os.unlink(path)

    def text(self, function, eid, more="", validity=None, name=None, **rest):
        action = "http://gsma.com/ES3/%s/ES3-%s" % (GROUPS.get(function, "ProfileManagement"), function)
        return envelope(self.oid(SMDP), self.oid("sm-sr"), action, body(name or function, eid, more, validity), **rest)

    def ask(self, function, card, iccid="", more="", validity=60, **rest):
        """Answered on the open connection. iccid: "" for functions that name none."""
        more = ("<rps:Iccid>%s</rps:Iccid>" % iccid if iccid else "") + more
        return Answer(self.soap_call("sm-sr", SMDP, "/es3", self.text(function, card.eid, more, validity, **rest), timeout=validity + 30))

    def send(self, card, sd, data, **more):
        return self.ask("SendData", card, more="<rps:Sd-aid>%s</rps:Sd-aid><rps:Data>%s</rps:Data>" % (sd, data), **more)

    def aid(self, card, iccid):
        return card.sql("select upper(encode(isdp_aid, 'hex')) from profile where iccid = '{iccid}'", iccid=iccid)

    def of_the_sm_dp(self, card, state=1):
        """operator-b's profile is one that the SM-DP made."""
        card.sql("update profile set smdp = '{smdp}', state = {state} where iccid = '{iccid}'", smdp=self.oid(SMDP), state=state, iccid=card.b)

    def told(self, card):
        """What the SM-DP was told of a card: (message, ICCID, operator)."""
        with self.partner.lock:
            received = list(self.partner.received)
        return [(m.name, m.text("rps:Iccid"), m.text("rps:Mno-id")) for m in received if m.text("rps:Eid") == card.eid]
