# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL goes away or takes nothing, NATS goes away or forgets (decisions.md B4, C2, F3): nobody is told what did not happen, nothing
spins or floods meanwhile, and everything goes on by itself."""
import collections
import contextlib
import json
import os
import shutil
import signal
import threading
import time

from rsp.demo_cards import CARD_SETTINGS
from tests.e2e import soap
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.helpers import Background
from tests.e2e.nats import Nats
from tests.e2e.soap import Answer, new_id

AWAY_S = 20            # how long PostgreSQL is away
CALLERS_S = 6          # of that, callers call
QUIET_S = 8            # and so long nothing is asked: what a process does then it does by itself
CPU_SHARE = 0.10       # of one core that a process may take then
LINES_PER_S = 10       # and what it may log
CALLERS = 4
VALIDITY_S = 300
WITH_DATABASE = ("sm-sr", "eum", "operator-a", "operator-b")
NEEDS = {"settings": {
    # Cards that never tire of trying.
    "euicc-sim": dict(CARD_SETTINGS, SESSION_RETRY_MS="500", SESSION_RETRIES="200", RETRY_MS="500", RETRIES="200"),
    "sm-sr": {"PEER_PAUSE_MS": "200", "CARD_GONE_MS": "2000", "CARD_LOST_MS": "60000", "SMS_RETRY_MS": "2000", "SMS_TRIES": "20",
              "TRIGGER_AGAIN_S": "5"},
    "operator-gateway": {"PEER_PAUSE_MS": "200"},
}}


class Used:
    """What a process has taken of the processor, and logged."""

    def __init__(self, case, name):
        self.case, self.name = case, name
        self.cpu, self.lines, self.at = self._cpu(), self._lines(), time.monotonic()

    def _cpu(self):
        with open("/proc/%d/stat" % self.case.staging.instances[self.name].child.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _lines(self):
        with open(self.case.staging.log(self.name), "rb") as f:
            return f.read().count(b"\n")

    def since(self):
        """(share of a core, lines a second)"""
        s = time.monotonic() - self.at
        return (self._cpu() - self.cpu) / s, (self._lines() - self.lines) / s


class Outage(DeferredCase):
    build = "release"
    needs = NEEDS

    def unready(self, name):
        status, text = self.staging.management(name, "/readyz")
        return status == 503 and not json.loads(text)["database"]

    def await_ready(self):
        for name in WITH_DATABASE:
            self.await_true(lambda n=name: self.staging.ready(n), name + " is never ready again", 20)

    def assert_quiet(self, seconds=QUIET_S):
        """Nobody spins, nobody floods the log."""
        used = [Used(self, name) for name in WITH_DATABASE]
        time.sleep(seconds)  # the measure is this time
        for u in used:
            share, lines = u.since()
            print("      %-12s %5.1f %% of a core, %5.1f log lines a second" % (u.name, 100 * share, lines), flush=True)
            self.assertLess(share, CPU_SHARE, u.name)
            self.assertLess(lines, LINES_PER_S, u.name)

    def gateway_words(self):
        return self.staging.gateway_words("operator-b")

    # Callers.
    def address(self, eid, fci, imsi):
        """An ES4.UpdateSubscriptionAddress: a call that writes and is answered at once."""
        body = ("<rps:ES4-UpdateSubscriptionAddressRequest><rps:FunctionCallIdentifier>%s</rps:FunctionCallIdentifier><rps:Eid>%s</rps:Eid>"
                "<rps:Iccid>%s</rps:Iccid><rps:newSubscriptionAddress><rps:Imsi>%s</rps:Imsi></rps:newSubscriptionAddress>"
                "</rps:ES4-UpdateSubscriptionAddressRequest>" % (fci, eid, self.iccids[eid], imsi))
        return soap.envelope(self.oid("operator-b"), self.oid("sm-sr"),
                             "http://gsma.com/ES4/ProfileManagement/ES4-UpdateSubscriptionAddressRequest", body)

    def get_eis(self, eid):
        return Answer(self.soap_call("sm-sr", "operator-b", "/es4", soap.get_eis(self.oid("operator-b"), self.oid("sm-sr"), eid)))

    def told(self, call):
        """What a caller hears: success, 1.2/4.4, a Receiver fault, or nothing."""
        try:
            answer = Answer(call())
        except OSError:
            return "connection"
        if answer.http == 202:
            return "accepted"
        if answer.fault:
            return "fault " + answer.fault[0]
        return answer.code or answer.status or "HTTP %d" % answer.http

    def hammer(self, eids, stop, heard):
        """Each caller reads and writes its own card, over and over."""
        def caller(eid):
            n = 0
            while not stop.is_set():
                n += 1
                fci, imsi = new_id(), "90177%010d" % n
                write = self.told(lambda: self.soap_call("sm-sr", "operator-b", "/es4", self.address(eid, fci, imsi), timeout=15))
                read = self.told(lambda: self.soap_call("sm-sr", "operator-b", "/es4",
                                                        soap.get_eis(self.oid("operator-b"), self.oid("sm-sr"), eid), timeout=15))
                heard.append((time.monotonic(), "write", write, eid, fci, imsi))
                heard.append((time.monotonic(), "read", read, eid, None, None))
                stop.wait(0.02)
        self.iccids = {eid: self.iccid(eid) for eid in eids}
        return [Background(caller, eid) for eid in eids]

    def assert_true_success(self, heard):
        """Who was told success finds it done; what is there was done once, and the last of it is what the EIS has."""
        done = [h for h in heard if h[1:3] == ("write", SUCCESS)]
        self.assertTrue(done)
        known = set(self.psql("sm_sr", "select fci from call where answer is not null and function = 'ES4-UpdateSubscriptionAddress'").split())
        self.assertEqual([h[4] for h in done if h[4] not in known], [])
        for eid in {h[3] for h in done}:
            last = [h[5] for h in heard if h[3] == eid and h[1] == "write" and h[4] in known][-1]
            self.assertEqual(self.psql("sm_sr", "select imsi from profile where iccid = '%s'" % self.iccids[eid]), last)


class PostgresAway(Outage):
    def stop_database(self, how):
        self.staging.cluster.child.kill(how)

    def start_database(self):
        self.staging.cluster.start(self.staging.supervisor)

    def waiting(self):
        """A card that is off, its caller on the open connection, its SMS on the way."""
        eid = self.card_off()
        call = Background(self.enable, eid, validity=VALIDITY_S, timeout=VALIDITY_S)
        self.await_parked(eid)
        self.await_true(lambda: self.count("sms_out", eid, "state in (1, 2)") == 1, "no SMS is on its way")
        return eid, call

    def held(self, partner):
        """A card that has executed its script in an open session and keeps the answer; the caller waits for a callback."""
        eid = self.card()
        self.staging.cards.hook("hold-answer", eid)
        accepted, message_id = self.enable_later(eid, partner, validity=VALIDITY_S)
        self.assert_accepted(accepted)
        self.await_true(lambda: self.count("card_command", eid, "state = 1") == 1, "the card never fetches its script")
        return eid, message_id

    def outage(self, how):
        partner, others = self.partner(), [self.card() for _ in range(CALLERS)]
        fresh, fci = self.card(), new_id()
        fresh_iccid = self.iccid(fresh)
        waiting, call = self.waiting()
        held, message_id = self.held(partner)
        ordered = self.card_off()
        operation = self.rspctl.profile_enable(self.gateway_words(), ordered, self.iccid(ordered), validity_s=VALIDITY_S)["operation"]
        self.await_true(lambda: self.running(ordered) == 1, "the gateway's order never arrives")
        stop, heard = threading.Event(), []
        callers = self.hammer(others, stop, heard)
        self.await_true(lambda: len(heard) > 40, "nobody is answered")
        self.stop_database(how)
        stopped = time.monotonic()
        try:
            for name in WITH_DATABASE:
                self.await_true(lambda n=name: self.unready(n), name + " still says that it is ready", 10)
            refused = self.told(lambda: self.soap_call("sm-sr", "operator-b", "/es4", self.enable_text(fresh, iccid=fresh_iccid, fci=fci)))
            self.assertIn(refused, ("1.2/4.4", "connection"))
            ordering = self.northbound("operator-b", "/v1/euiccs/%s/profiles/%s/enable" % (fresh, fresh_iccid), "POST", "{}")
            self.assertGreaterEqual(ordering[0], 500)
            # Cards come meanwhile, and are sent away.
            self.power_on(waiting)
            self.staging.cards.unhook("hold-answer", held)
            time.sleep(max(0, CALLERS_S - (time.monotonic() - stopped)))
            stop.set()
            for c in callers:
                c.value()
            self.assert_quiet()
            time.sleep(max(0, AWAY_S - (time.monotonic() - stopped)))
            self.assertTrue(call.is_alive(), "the caller on the open connection was let go")
        finally:
            stop.set()
            self.start_database()
        began = time.monotonic()
        self.await_ready()
        print("      %d s without PostgreSQL; all ready %.1f s after its start; callers heard %s"
              % (AWAY_S, time.monotonic() - began, dict(collections.Counter(h[2] for h in heard if h[0] > stopped + 0.5))), flush=True)
        self.assertLessEqual({h[2] for h in heard if h[0] > stopped + 0.5}, {"1.2/4.4", "connection", "fault Receiver"})
        self.assert_true_success(heard)
        # All that had begun ends, once.
        self.power_on(ordered)
        self.assertEqual(call.value(VALIDITY_S).status, SUCCESS)
        self.assertEqual(partner.wait(message_id, VALIDITY_S).status, SUCCESS)
        ended = self.rspctl.operation(self.gateway_words(), operation, wait_s=60)
        self.assertEqual((ended["state"], ended["status"], ended["attempt"]), ("ended", SUCCESS, 1))
        for eid in (waiting, held, ordered):
            self.await_ended(eid)
            self.assert_switched(eid)
            self.assertEqual(self.count("procedure", eid), 1)
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox where dead_at is null") == "0", "the outbox keeps a row")
        self.assertEqual(len({m.body_text for m in partner.to(message_id)}), 1)
        # What was refused had no effect, and is executed when it is asked again.
        self.assertEqual((self.count("procedure", fresh), self.switches(fresh)), (0, 0))
        self.assertEqual(self.enable(fresh, fci=fci).status, SUCCESS)
        self.assert_switched(fresh)

    def test_a_fast_shutdown(self):
        self.outage(signal.SIGINT)

    def test_an_immediate_shutdown(self):
        self.outage(signal.SIGQUIT)

    @contextlib.contextmanager
    def read_only(self):
        """As a database whose disk is full, or a standby: it answers, and takes nothing."""
        def switch(word):
            self.psql("postgres", "alter system set default_transaction_read_only = %s" % word)
            self.psql("postgres", "select pg_reload_conf()")
            self.await_true(lambda: self.psql("sm_sr", "show default_transaction_read_only") == word, "it is not read again")
        switch("on")
        try:
            yield
        finally:
            switch("off")

    def test_a_database_that_takes_nothing(self):
        busy, fresh, fci = self.partner(), self.card(), new_id()
        waiting, call = self.waiting()
        # Its callback is refused until the database takes nothing any more: from then on it is accepted, and that cannot be marked.
        done = self.card()
        busy.answer = lambda message: (503, b"")
        accepted, message_id = self.enable_later(done, busy)
        self.assert_accepted(accepted)
        self.await_true(lambda: busy.to(message_id), "the callback is not tried")
        with self.read_only():
            busy.answer = None
            began = time.monotonic()
            self.assertEqual(self.told(lambda: self.soap_call("sm-sr", "operator-b", "/es4", self.enable_text(fresh, fci=fci))), "1.2/4.4")
            self.assertEqual(self.told(lambda: self.soap_call("sm-sr", "operator-b", "/es4", self.enable_text(fresh, fci=fci))), "1.2/4.4")
            self.assertEqual(self.get_eis(fresh).status, SUCCESS)  # what only reads is served
            self.power_on(waiting)  # the card gets 503 until the database takes its session
            tried = len(busy.to(message_id))
            self.assert_quiet()
            tried = len(busy.to(message_id)) - tried
            print("      a callback that cannot be marked went out %d times in %.0f s" % (tried, time.monotonic() - began), flush=True)
            self.assertLessEqual(tried, QUIET_S + 2)
            self.assertEqual((self.count("procedure", fresh), self.psql("sm_sr", "select count(*) from call where fci = '%s'" % fci)), (0, "0"))
            self.assertTrue(call.is_alive())
        self.assertEqual(call.value(VALIDITY_S).status, SUCCESS)
        self.assert_switched(waiting)
        self.await_true(lambda: self.count("outbox", done) == 0, "the outbox keeps a row")
        self.assertEqual(len({m.body_text for m in busy.to(message_id)}), 1)
        self.assert_switched(done)
        self.assertEqual(self.enable(fresh, fci=fci).status, SUCCESS)
        self.assert_switched(fresh)


class Bus(Outage):
    """Two replicas; cards go to the first."""
    needs = dict(NEEDS, replicas=2)

    def nats(self):
        return Nats(self.staging.bus.url, self.pki("sm-sr", "nats.pem"), self.pki("sm-sr", "nats.key"), self.pki("tls-ca", "tls-ca.pem"), "sm-sr")

    def bus_rows(self, eids):
        """What waits for the bus, in order: (EID, event, payload)."""
        rows = self.psql("sm_sr", "select eid, kind, encode(payload, 'hex') from outbox where lane = 'bus' and eid in ('%s') order by id"
                         % "','".join(eids)).split()
        return [(eid, kind, bytes.fromhex(data).decode()) for eid, kind, data in (row.split("|") for row in rows)]

    def await_published(self):
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox where lane = 'bus'") == "0", "events are left", 30)

    def events(self, eid, event):
        with self.nats() as n:
            return n.count("RSP_A", "ev.a.sm-sr.%s.%s" % (event, eid))

    def bus_away(self):
        if self.staging.bus.child.alive():
            self.staging.stop_bus()

    def tearDown(self):
        if not self.staging.bus.child.alive():
            self.staging.start_bus()
        super().tearDown()

    def lag(self, eid, server):
        """Seconds from the end of the procedure to the answer at its caller."""
        call = Background(lambda: (self.enable(eid, server=server), time.time()))
        answer, at = call.value()
        self.assertEqual(answer.status, SUCCESS)
        return at - float(self.psql("sm_sr", "select extract(epoch from max(ended_at)) from procedure where eid = '%s'" % eid))

    def everything(self):
        """Each way to order and to hear, without the bus from the cards' first attach on: the EIDs."""
        partner = self.partner()
        parked, later, audited, ordered = (self.card() for _ in range(4))
        self.assertLess(self.lag(parked, "sm-sr-2"), 1.5)
        accepted, message_id = self.enable_later(later, partner, server="sm-sr-2")
        self.assert_accepted(accepted)
        self.assertEqual(partner.wait(message_id).status, SUCCESS)
        text = soap.audit(self.oid("operator-b"), self.oid("sm-sr"), audited)
        self.assertEqual(Answer(self.soap_call("sm-sr-2", "operator-b", "/es4", text, timeout=60)).status, SUCCESS)
        ended = self.rspctl.profile_enable(self.gateway_words(), ordered, self.iccid(ordered), wait_s=60)
        self.assertEqual((ended["state"], ended["status"]), ("ended", SUCCESS))
        for eid in (parked, later, ordered):
            self.assert_switched(eid)
        return [parked, later, audited, ordered]

    def test_away_for_the_whole_run(self):
        self.bus_away()  # before the first card of this test
        eids = self.everything()
        wait = self.bus_rows(eids)
        self.assertEqual(collections.Counter(kind for _, kind, _ in wait if kind == "procedure.ended"), {"procedure.ended": len(eids)})
        self.assert_quiet()
        # Back again, all of them come, each card's in their order. Who listens is there before them.
        with contextlib.ExitStack() as still:
            for name in ("sm-sr", "sm-sr-2"):
                still.enter_context(self.standing_still(name))
            self.staging.start_bus()
            listener = self.nats()
            listener.subscribe("ev.a.sm-sr.>")
        with listener:
            self.await_published()
            came = listener.received(1)
        for eid in eids:
            expected = [(kind, json.loads(payload)) for e, kind, payload in wait if e == eid]
            self.assertEqual([(s[len("ev.a.sm-sr."):-len(eid) - 1], json.loads(p)) for s, p in came if s.endswith("." + eid)], expected)
        for eid, kind, _ in wait:
            self.assertEqual(self.events(eid, kind), [e[:2] for e in wait].count((eid, kind)))

    def test_a_command_from_another_replica_than_the_sessions(self):
        """Nobody can ring: the session finds it at its next request, else the card is woken by SMS within 3 s."""
        self.bus_away()
        eid = self.card_off()
        for hold in (True, False):
            with self.subTest(session=hold):
                if hold:
                    # Its first attach is past: an audit's answer is held, in a session at the first replica.
                    self.staging.cards.hook("hold-answer", eid)
                    self.power_on(eid)
                    first = Background(self.soap_call, "sm-sr", "operator-a", "/es4",
                                       soap.audit(self.oid("operator-a"), self.oid("sm-sr"), eid, validity=60), timeout=90)
                    self.await_true(lambda: self.count("card_command", eid, "state = 1") == 1, "the card never fetches its script")
                    self.staging.cards.unhook("hold-answer", eid)
                    self.assertEqual(Answer(first.value()).status, SUCCESS)
                owner = "operator-b" if hold else "operator-a"
                answer, seconds = self.timed(self.enable, eid, client=owner, server="sm-sr-2")
                self.assertEqual(answer.status, SUCCESS)
                print("      ordered at the other replica, ended after %.1f s" % seconds, flush=True)
                self.assertLess(seconds, 8)  # 3 s of the net, 2 s of the lane's own look, the card's own time
                waited = self.psql("sm_sr", "select max(fetched_at - queued_at) < interval '6 s' from card_command where eid = '%s'" % eid)
                self.assertEqual(waited, "t")

    def test_restarted_in_the_midst(self):
        eids, partner = [self.card() for _ in range(4)], self.partner()
        asked = []
        for i, eid in enumerate(eids):
            accepted, message_id = self.enable_later(eid, partner, server="sm-sr-2" if i % 2 else "sm-sr")
            self.assert_accepted(accepted)
            asked.append(message_id)
            if i % 2:
                self.bus_away()
            else:
                self.staging.bus.child.kill()
            self.staging.start_bus()
        for message_id in asked:
            self.assertEqual(partner.wait(message_id).status, SUCCESS)
        self.await_published()
        for eid in eids:
            self.assert_switched(eid)
            self.assertEqual((self.events(eid, "procedure.ended"), self.events(eid, "profile.enabled")), (1, 1))

    def test_its_storage_is_lost(self):
        """The stream is made again; what it had is gone, what comes is there."""
        before = self.card()
        self.assertEqual(self.enable(before).status, SUCCESS)
        self.await_published()
        self.assertEqual(self.events(before, "profile.enabled"), 1)
        self.bus_away()
        during = self.card()
        self.assertEqual(self.enable(during).status, SUCCESS)
        shutil.rmtree(os.path.join(self.staging.bus.folder, "jetstream"))
        self.staging.start_bus()
        self.await_published()
        after = self.card()
        self.assertEqual(self.enable(after).status, SUCCESS)
        self.await_published()
        self.assertEqual([self.events(eid, "profile.enabled") for eid in (before, during, after)], [0, 1, 1])
