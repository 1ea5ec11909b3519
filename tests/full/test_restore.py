# SPDX-License-Identifier: Apache-2.0
"""An sm-sr and a gateway go back to dumps that were made while they ran, by the steps of docs/operate.md; their cards have gone on. Then the
cards take SMS again, the EIS is what the cards say, and what was under way ends, once."""
import os
import time

from tests.e2e import soap
from tests.e2e.cards.card_case import STATES
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.soap import Answer

SHORT_S = 20   # validity of what its gateway asks for again, a minute behind it
RUNNING_S = 60 # of what runs at the time of the dump
BUMP = 1000
NO_CARDS = {"CARDS_LISTEN": "", "SMPP_HOST": ""}
SMSR = {"PEER_PAUSE_MS": "200", "CARD_GONE_MS": "1000", "SMS_RETRY_MS": "1000", "SMS_TRIES": "5", "TRIGGER_AGAIN_S": "3"}


class Restore(DeferredCase):
    build = "release"
    needs = {"settings": {"euicc-sim": {"ATTACH_MS": "100", "RETRY_MS": "300", "RETRIES": "20", "SESSION_RETRY_MS": "300",
                                        "SESSION_RETRIES": "20"},
                          "sm-sr": SMSR, "operator-gateway": {"PEER_PAUSE_MS": "200"}}}
    batch = 12

    # What the two sides say.
    def card_says(self, eid):
        return sorted("%s|%s" % (p["iccid"], STATES[p["state"]]) for p in self.staging.cards.card(eid)["profiles"])

    def eis_says(self, eid):
        return self.psql("sm_sr", "select iccid, state from profile where eid = '%s' order by 1" % eid).split()

    def of_one_mind(self, eid):
        return self.card_says(eid) == self.eis_says(eid)

    def counter(self, eid):
        return int(self.psql("sm_sr", "select coalesce(counter, 0) from keyset where eid = '%s' and version between 1 and 15" % eid))

    # Orders.
    def words(self, operator):
        return self.staging.gateway_words(operator)

    def enable_order(self, operator, eid, validity_s):
        return self.rspctl.profile_enable(self.words(operator), eid, self.iccid(eid, operator), validity_s=validity_s)["operation"]

    def ordered_and_running(self, operator, eid, validity_s):
        operation = self.enable_order(operator, eid, validity_s)
        self.await_true(lambda: self.running(eid) == 1, "the order never arrives")
        self.await_true(lambda: self.rspctl.operation(self.words(operator), operation)["state"] == "accepted", "it is not accepted")
        return operation

    def audited(self, eid):
        """As an operator has it done after a restore: this wakes the card."""
        ended = self.rspctl.eis_audit(self.words("operator-a"), eid, wait_s=60)
        self.assertEqual((ended["state"], ended["status"]), ("ended", SUCCESS))

    def deleted(self, eid):
        oid = self.oid("operator-b")
        body = soap.card_body("ES4-DeleteProfileRequest", eid, [self.iccid(eid)], None, None)
        text = soap.envelope(oid, self.oid("sm-sr"), "http://gsma.com/ES4/PlatformManagement/ES4-DeleteProfileRequest", body)
        self.assertEqual(Answer(self.soap_call("sm-sr", "operator-b", "/es4", text, timeout=60)).status, SUCCESS)

    def registered_late(self):
        """A card of a batch of its own."""
        DeferredCase._spare = (None, [])
        return self.card()

    # The steps of the manual.
    def dump(self, database):
        path = os.path.join(self.staging.private_folder("dumps"), database + ".dump")
        self.staging.cluster.dump(database, path)
        return path

    def restored(self, dumps):
        for name in ("sm-sr", "operator-b"):
            self.assertEqual(self.staging.stop_service(name), 0)
        for database, path in dumps.items():
            self.staging.cluster.restore(database, path)
        self.staging.start_service("operator-b")
        ports, settings = dict(self.staging.instances["sm-sr"].ports), self.staging.settings
        self.staging.settings = dict(settings, **{"sm-sr": dict(SMSR, **NO_CARDS)})
        self.staging.start_service("sm-sr")
        self.bumped = self.rspctl.keys_bump(self.admin("sm-sr"), "all", BUMP)["keysets"]
        self.marked = self.rspctl.cards_uncertain(self.admin("sm-sr"), "all")["cards"]
        self.assertEqual(self.staging.stop_service("sm-sr"), 0)
        self.staging.settings = settings
        self.staging.instances["sm-sr"].ports = ports
        self.staging.start_service("sm-sr")

    def test_cards_have_gone_on(self):
        partner = self.partner()
        enabled, untouched, rung, gone, running, known, unknown = (self.card() for _ in range(7))
        everybody = [enabled, untouched, rung, gone, running, known, unknown]
        self.assertEqual(self.enable(unknown).status, SUCCESS)
        for eid in (running, known):
            self.staging.cards.power(False, eid)
        # The gateway's dump: it waits for an answer that comes soon after.
        waits = self.ordered_and_running("operator-b", known, SHORT_S)
        dumps = {"operator_b": self.dump("operator_b")}
        self.power_on(known)
        self.assertEqual(self.rspctl.operation(self.words("operator-b"), waits, wait_s=40)["status"], SUCCESS)
        # The SM-SR's: one procedure runs, its SMS is on the way.
        accepted, message_id = self.enable_later(running, partner, validity=RUNNING_S)
        self.assert_accepted(accepted)
        self.await_true(lambda: self.count("sms_out", running, "state in (1, 2)") == 1, "no SMS is on its way")
        dumps["sm_sr"] = self.dump("sm_sr")
        # And the cards go on.
        self.power_on(running)
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.assertEqual(self.enable(enabled).status, SUCCESS)
        for _ in range(3):
            self.audited(rung)
        self.deleted(gone)
        late = self.registered_late()
        self.staging.cards.power(False, unknown)
        lost = self.ordered_and_running("operator-a", unknown, SHORT_S)
        said = {eid: self.card_says(eid) for eid in everybody}
        switches = {eid: self.switches(eid) for eid in everybody}
        high = self.counter(rung)
        began = time.monotonic()

        self.restored(dumps)
        print("      back at work %.1f s after the stop: %d counters raised, %d cards in doubt"
              % (time.monotonic() - began, self.bumped, self.marked), flush=True)
        self.assertGreater(self.counter(rung), high)
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis_state where not uncertain and last_audit is null"), "0")
        self.assertEqual(self.marked, int(self.psql("sm_sr", "select count(*) from eis_state")))
        self.assertEqual(self.psql("sm_sr", "select count(*) from sms_out where state < 3 and queued_at < now() - interval '1 minute'"), "0")
        self.assertEqual([self.of_one_mind(eid) for eid in (enabled, gone)], [False, False])
        # What ran at the time of the dump: the card is rung, also where the EIS does not have it, and says that it is done.
        self.await_true(lambda: self.of_one_mind(running), "EIS and card differ")
        # The others: by an audit each.
        for eid in (enabled, untouched, rung, gone):
            self.audited(eid)
            self.assertEqual(self.eis_says(eid), said[eid])
        # It waits for a notification that was confirmed before the restore. The caller has its answer already.
        self.await_ended(running)
        self.assertEqual([m.status for m in partner.to(message_id)][:1], [SUCCESS])
        # What the gateway asks for again is answered as before.
        ended = self.rspctl.operation(self.words("operator-b"), waits, wait_s=150)
        self.assertEqual((ended["state"], ended["status"]), ("ended", SUCCESS))
        # What the SM-SR does not know any more is executed anew: in the shortest time that there is, since its own is over.
        self.power_on(unknown)
        ended = self.rspctl.operation(self.words("operator-a"), lost, wait_s=150)
        self.assertEqual(ended["state"], "ended")
        self.assertIn(ended["status"], (SUCCESS, "EXPIRED"))
        for eid in (known, unknown):
            self.audited(eid)
        for eid in everybody:
            self.await_true(lambda e=eid: self.of_one_mind(e), "EIS and card %s differ" % eid)
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis_state where uncertain and eid in ('%s')" % "','".join(everybody)), "0")
        for eid in (enabled, untouched, rung, gone, running, known):
            self.assertEqual(self.switches(eid), switches[eid], eid)
        self.assertLessEqual(self.switches(unknown), switches[unknown] + 2)  # and back, where it came too late
        # A card of which the SM-SR knows nothing any more is refused, and is its EUM's to register again.
        self.assertEqual(self.count("eis", late), 0)
        # Orders as ever, counters as ever.
        self.assertEqual(self.enable(rung).status, SUCCESS)
        self.assert_switched(rung)
        self.assertEqual(self.enable(running, client="operator-a").status, SUCCESS)
        self.assert_switched(running, "operator-a", 2)
        self.assertEqual(self.enable(running).status, SUCCESS)
        self.assert_switched(running, switches=3)
