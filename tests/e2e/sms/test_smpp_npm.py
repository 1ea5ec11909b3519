# SPDX-License-Identifier: Apache-2.0
"""The SM-SR's SMS lane against an SMSC that is not ours (npm package smpp): bind, binary messages in parts, receipts in several spellings,
refusals, reconnection. The cards exist in the database only; nobody answers for them."""
import contextlib
import functools
import json
import os
import subprocess
import threading
import unittest

from rsp.paths import state_dir
from tests.e2e.base import full
from tests.e2e.helpers import Work
from tests.e2e.soap import eid_of, new_card

PASSWORD = "geheim12"
SOURCE = "88390"
LONG_URI = "/" + "r" * 220
THROTTLED, INVALID_DESTINATION, SUBMIT_FAILED = 0x58, 0x0B, 0x45
DONE, FAILED = 3, 4


@functools.lru_cache(maxsize=None)
def fetched(folder):
    """The package is there; asked of the registry once."""
    if os.path.isdir(os.path.join(folder, "node_modules", "smpp")):
        return True
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--fetch-retries=0", "--prefix", folder, "smpp@0.5.1"], check=True,
                       cwd=folder, stdout=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def package_folder():
    """Kept in the state folder. Without a registry there is no peer to test with."""
    folder = os.path.join(state_dir(), "npm")
    if not fetched(folder):
        raise unittest.SkipTest("npm cannot fetch the package smpp")
    return folder


class Smsc:
    """tests/e2e/sms/smsc.js as a child: what it told, and orders to it."""

    def __init__(self, staging, port=0):
        folder = package_folder()
        env = dict(os.environ, NODE_PATH=os.path.join(folder, "node_modules"), SMSC_PASSWORD=PASSWORD)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "smsc.js")
        self.proc = subprocess.Popen(["node", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.told, self.changed = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = self.wait(lambda told: [e for e in told if e["event"] == "listening"])[0]["port"]

    def _read(self):
        for line in self.proc.stdout:
            with self.changed:
                self.told.append(json.loads(line))
                self.changed.notify_all()

    def wait(self, found, timeout_s=30):
        """What found(all that was told) returns, as soon as it is true."""
        with self.changed:
            if not self.changed.wait_for(lambda: found(self.told), timeout_s):
                raise AssertionError("the SMSC did not hear it; it heard %s" % self.told[-8:])
            return found(self.told)

    def order(self, **what):
        before = len(self.of("done"))
        self.proc.stdin.write(json.dumps(what) + "\n")
        self.proc.stdin.flush()
        self.wait(lambda told: len([e for e in told if e["event"] == "done"]) > before)

    def of(self, event, **more):
        with self.changed:
            return [e for e in self.told if e["event"] == event and all(e.get(k) == v for k, v in more.items())]

    def await_of(self, event, count=1, **more):
        return self.wait(lambda told: (lambda found: found if len(found) >= count else None)(
            [e for e in told if e["event"] == event and all(e.get(k) == v for k, v in more.items())]))

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()


class SmppNpm(Work):
    """One SMSC and one restarted SM-SR for all of it."""

    @contextlib.contextmanager
    def lane(self, **settings):
        path = os.path.join(self.staging.private_folder("npm"), "password")
        with open(path, "w") as f:
            f.write(PASSWORD + "\n")
        os.chmod(path, 0o600)
        smsc = Smsc(self.staging)
        values = {"SMPP_HOST": "127.0.0.1", "SMPP_PORT": str(smsc.port), "SMPP_SYSTEM_ID": "sm-sr", "SMPP_PASSWORD_FILE": path,
                  "SMPP_SOURCE": SOURCE, "SMPP_THROTTLE_MS": "100", "SMS_RETRY_MS": "60000", "TRIGGER_AGAIN_S": "600"}
        try:
            with self.running_with("sm-sr", **dict(values, **settings)):
                smsc.await_of("bind", good=True)
                try:
                    yield smsc
                finally:
                    self.psql("sm_sr", "update card_command set state = 3, ended_at = now() where state = 0")
        finally:
            smsc.close()

    def wake(self):
        """A card is to be woken: its EID. The lane finds the row by itself, within its net of two seconds."""
        request = new_card(self)
        self.assertEqual(self.soap_call("sm-sr", "eum", "/es1", request)[0], 200)
        eid = eid_of(request)
        self.psql("sm_sr", "insert into card_command (eid, kind, target, script, state, trigger_at)"
                  " select eid, 1, isdr_aid, '\\xAA00', 0, now() from eis where eid = '%s'" % eid)
        return eid

    def sms(self, eid, what):
        return self.psql("sm_sr", "select %s from sms_out where eid = '%s' order by id desc limit 1" % (what, eid))

    def parts(self, eid, what="number || ':' || coalesce(message_id, '') || ':' || coalesce(status::text, '') || ':' || coalesce(receipt, '')"):
        return self.psql("sm_sr", "select %s from sms_part p join sms_out o on o.id = p.sms where o.eid = '%s' order by attempt, number"
                         % (what, eid)).split("\n")

    def number(self, eid):
        return self.psql("sm_sr", "select msisdn from profile where eid = '%s' and state = 2" % eid)

    def packet_of(self, submits):
        """Parts put together as 3GPP TS 23.040 says, by hand."""
        found = {}
        for s in submits:
            data = bytes.fromhex(s["data"])
            self.assertLessEqual(len(data), 140)
            udh, at = data[1:1 + data[0]], 0
            elements = {}
            while at < len(udh):
                elements[udh[at]] = udh[at + 2:at + 2 + udh[at + 1]]
                at += 2 + udh[at + 1]
            ref, total, number = elements.get(0, b"\0\1\1")
            self.assertEqual(0x70 in elements, number == 1)
            found[number] = data[1 + data[0]:]
        self.assertEqual(sorted(found), list(range(1, total + 1)))
        return b"".join(found[n] for n in sorted(found))

    @full
    def test_parts_and_receipts_however_they_spell_the_id(self):
        with self.lane(TRIGGER_FORM="full", CARDS_HOST="cards.example", CARDS_URI=LONG_URI) as smsc:
            for form in ("dec", "hex", "early"):
                with self.subTest(receipts=form):
                    smsc.order(receipts=form)
                    eid = self.wake()
                    number = self.number(eid)
                    submits = smsc.await_of("submit", 3, to=number)
                    self.assertEqual(len(submits), 3)
                    self.assertEqual(self.packet_of(submits).hex(), self.sms(eid, "encode(packet, 'hex')"))
                    for s in submits:
                        self.assertEqual((s["from"], s["esm_class"], s["pid"], s["dcs"], s["registered"]), (SOURCE, 0x40, 0x7F, 0xF6, 1))
                    wanted = ["%d:%s:0:DELIVRD" % (i + 1, s["id"]) for i, s in enumerate(submits)]
                    self.await_true(lambda: self.parts(eid) == wanted, "sms_part is %s, not %s" % (self.parts(eid), wanted), 10)
                    self.assertEqual(self.sms(eid, "state"), "2")  # delivered is no PoR
            self.assertEqual({e["status"] for e in smsc.of("receipt_answered")}, {0})
            self.assertEqual(self.psql("sm_sr", "select count(*) from sms_receipt"), "0")
            self.assertGreaterEqual(self.metric("sm-sr", "rsp_sms_total"), 9)

    @full
    def test_the_smsc_says_no(self):
        with self.lane() as smsc:
            with self.subTest("throttled: the same bytes later, and it costs no attempt"):
                smsc.order(throttle=2)
                eid = self.wake()
                submits = smsc.await_of("submit", 3, to=self.number(eid))
                self.assertEqual([s["status"] for s in submits], [THROTTLED, THROTTLED, 0])
                self.assertEqual(len({s["data"] for s in submits}), 1)
                self.await_true(lambda: self.sms(eid, "state") == "2", "it is not taken")
                self.assertEqual(self.sms(eid, "attempts - uncounted"), "1")
                self.assertEqual(self.parts(eid, "attempt || ':' || status"), ["1:%d" % THROTTLED, "2:%d" % THROTTLED, "3:0"])
            with self.subTest("an unknown number: at once and for good"):
                smsc.order(refuse=1, status=INVALID_DESTINATION)
                eid = self.wake()
                self.await_true(lambda: self.sms(eid, "state") == str(FAILED), "it did not fail")
                self.assertIn("number", self.sms(eid, "error"))
                self.assertEqual(len(smsc.of("submit", to=self.number(eid))), 1)
            with self.subTest("a wake-up by hand: a new packet with a higher counter"):
                first = int(self.sms(eid, "counter"))
                self.psql("sm_sr", "update card_command set trigger_at = now() where eid = '%s'" % eid)
                smsc.await_of("submit", 2, to=self.number(eid))
                self.assertEqual(int(self.sms(eid, "counter")), first + 1)
                self.assertEqual(self.psql("sm_sr", "select triggers from card_command where eid = '%s'" % eid), "2")

    @full
    def test_a_silent_card_and_its_deadline(self):
        with self.lane(SMS_RETRY_MS="300", SMS_TRIES="3") as smsc:
            eid = self.wake()
            self.await_true(lambda: self.sms(eid, "state") == str(FAILED), "it did not fail")
            submits = smsc.of("submit", to=self.number(eid))
            self.assertEqual(len(submits), 3)
            self.assertEqual(len({s["data"] for s in submits}), 1)
            self.assertEqual(self.sms(eid, "error"), "the card did not answer")
            smsc.order(refuse=1, status=SUBMIT_FAILED)
            eid = self.wake()
            smsc.await_of("submit", 2, to=self.number(eid))
            self.psql("sm_sr", "update card_command set state = 1, fetched_at = now() where eid = '%s'" % eid)
            self.await_true(lambda: self.sms(eid, "state") == str(DONE), "a trigger that nobody needs any more goes on")

    @full
    def test_without_a_proof_of_receipt_the_smsc_has_the_last_word(self):
        with self.lane(TRIGGER_SPI="1600") as smsc:
            eid = self.wake()
            smsc.await_of("submit", to=self.number(eid))
            self.await_true(lambda: self.sms(eid, "state") == str(DONE), "it waits for a PoR that was not asked for")

    @full
    def test_reconnects(self):
        with self.lane(SMPP_ENQUIRE_MS="200") as smsc:
            smsc.await_of("enquire")
            smsc.order(unbind=True)
            smsc.await_of("bind", 2, good=True)
            smsc.order(silent=1)
            eid = self.wake()
            smsc.await_of("submit", to=self.number(eid), status=-1)
            self.assertEqual(self.sms(eid, "state"), "1")
            port = smsc.port
            smsc.close()  # with an unanswered message
            again = Smsc(self.staging, port)
            try:
                submits = again.await_of("submit", to=self.number(eid))
                self.assertEqual(submits[0]["data"], smsc.of("submit", to=self.number(eid))[0]["data"])
                self.await_true(lambda: self.sms(eid, "state") == "2", "it is not taken")
                self.assertEqual(self.sms(eid, "attempts || '|' || uncounted"), "2|1")
            finally:
                again.close()
        self.assertTrue(smsc.of("bind", good=True))
        self.assertFalse(smsc.of("bind", good=False))
