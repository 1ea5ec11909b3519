# SPDX-License-Identifier: Apache-2.0
"""The SM-SR carries profiles and sees none: what is in a profile, and the keys of its ISD-P, are nowhere in what it holds, writes and says."""
import base64
import json
import os

from tests.e2e.base import full
from tests.e2e.download import seeker
from tests.e2e.download.download_case import LARGE, SMDP, DownloadCase
from tests.e2e.download.package import imsi_file
from tests.e2e.download.recorder import Recorder
from tests.e2e.helpers import Background

SMSR, TYPE = "sm-sr", "marked"
MARKER = os.urandom(32)
PAD_FILE = 4096
BEFORE_PACKAGE = 2  # SendData that carry none of it: certificate and key agreement
IMAGE_KEYS, KEY = 49, 16  # where the simulator's file of an ISD-P has ENC, MAC and DEK (services/euicc-sim/card_domain_file.c)


class Marked(DownloadCase):
    # The secrets.
    def template(self):
        """The large package with the marker in each file that pads it."""
        self.make_type("large")
        package = bytearray.fromhex(self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = 'large'"))
        at = 0
        for i in range(LARGE // PAD_FILE):
            at = package.index(bytes((k * 7 + i) & 0xFF for k in range(len(MARKER))), at)
            package[at:at + len(MARKER)] = MARKER
            at += PAD_FILE
        return self.file(TYPE, bytes(package))

    def make_type(self, name):
        """The operator tells the SM-SR no IMSI of it."""
        if name != TYPE:
            return super().make_type(name)
        return self.rspctl.type_add(self.socket, name, self.template(), self.mno, LARGE + 10000, variables="pin1=template", address="msisdn")

    def on_disk(self, card):
        """What the card wrote of the ISD-P that was downloaded to it."""
        for folder, _, names in os.walk(self.batch_folder()):
            for name in names:
                if folder.endswith(".isdp") and name.startswith(card.eid):
                    return seeker.file(os.path.join(folder, name))
        self.fail("the card has no file of an ISD-P")

    def secrets(self, row, image):
        found = {"the marker": MARKER, "the IMSI": imsi_file(row.values["IMSI"]), "Ki": row.keys["Ki"], "OPc": row.keys["OPc"]}
        for i, name in enumerate(("ENC", "MAC", "DEK")):
            found["ISD-P " + name] = image[IMAGE_KEYS + i * KEY:IMAGE_KEYS + (i + 1) * KEY]
        return found

    # Between the partners.
    def between(self):
        """What the SM-DP calls and what the SM-SR calls back; the first part of the package is answered when the test lets it."""
        to_smsr = Recorder(self, SMSR, SMDP)
        self.addCleanup(to_smsr.close)
        to_smdp = Recorder(self, SMDP, SMSR, lambda m: to_smdp.names().count("ES3-SendDataResponse") == BEFORE_PACKAGE + 1)
        self.addCleanup(to_smdp.close)
        self.addCleanup(to_smdp.go)
        for entity, asks, recorder in ((SMSR, SMDP, to_smsr), (SMDP, SMSR, to_smdp)):
            self.addCleanup(self.is_at, entity, asks, None)
            self.is_at(entity, asks, recorder.base)
        return to_smsr, to_smdp

    def is_at(self, entity, asks, base):
        """Where one of the two finds the other; None: as usual."""
        with open(os.path.join(self.staging.folder, "registry", entity + ".json")) as f:
            record = json.load(f)
        if base:
            record["addresses"]["ES3"] = [base + "/es3"]
        folder = self.staging.private_folder("elsewhere-" + entity)
        with open(os.path.join(folder, entity + ".json"), "w") as f:
            json.dump(record, f)
        self.rspctl.entity_import(self.admin(asks), folder)

    # What is searched.
    def at_rest(self, when):
        return {"the database " + when: seeker.database(self.staging, "sm_sr"), "the log " + when: seeker.file(self.staging.log(SMSR)),
                "the journal " + when: seeker.file(os.path.join(self.staging.folder, SMSR + ".journal"))}

    def memory(self, child, when):
        """Nothing: the system keeps a process's memory from its parent."""
        try:
            return {"the memory " + when: seeker.memory(child.pid)}
        except PermissionError:
            return {}

    def events(self):
        """What the bus keeps of what was published in the domain."""
        found = []
        for folder, _, names in os.walk(os.path.join(self.staging.bus.folder, "jetstream")):
            found += [seeker.file(os.path.join(folder, name)) for name in names if name.endswith(".blk")]
        return b"\n".join(found)

    def finds_all(self, card, secrets, image):
        """The search can find: what the card wrote, and has in its memory, and each form in which something may be written."""
        self.assertEqual(seeker.seek(secrets, {"it": image}), ["%s as octets in it" % name for name in secrets])
        keys = {name: secret for name, secret in secrets.items() if name.startswith("ISD-P")}
        memory = self.memory(self.staging.cards.child, "of cards")
        if memory:
            self.assertEqual(seeker.seek(keys, memory), ["%s as octets in the memory of cards" % name for name in keys])
        for name, secret in secrets.items():
            for lead in range(3):
                around = os.urandom(lead) + secret + os.urandom(5)
                for form, text in (("base64", base64.b64encode(around)), ("hex", around.hex().encode()), ("HEX", around.hex().upper().encode()),
                                   ("octets", seeker.unhexed(b"\\x" + around.hex().encode()))):
                    self.assertIn("%s as %s in it" % (name, form), seeker.seek({name: secret}, {"it": text}))

    @full
    def test_the_sm_sr_carries_it_blindly(self):
        card, row = self.card(), self.row(TYPE)
        to_smsr, to_smdp = self.between()
        trace = os.path.join(self.staging.private_folder("files"), "trace")
        card.hook("trace", trace, 0)
        self.addCleanup(card.unhook, "trace")
        with self.running_with(SMDP, PUBLIC_URL=to_smdp.base, SEND_BYTES="8192", BACKOFF_MS="300"):
            call = Background(self.installed, card, row, validity_s=200)
            self.assertTrue(to_smdp.stands.wait(120), "no part of the package was answered")
            smsr = self.staging.instances[SMSR].child
            places = self.memory(smsr, "between two SendData")
            places.update(self.at_rest("between two SendData"))
            to_smdp.go()
            call.value(200)
            self.whole(card, row, TYPE)
            self.await_true(lambda: card.sql("select count(*) from outbox where eid = '{eid}'") == "0", "something is left in the outbox", 20)
            places.update(self.memory(smsr, "afterwards"))
            places.update(self.at_rest("afterwards"))
        told = ("profile.downloaded." + card.eid).encode()
        self.await_true(lambda: told in self.events(), "the bus does not keep the event", 20)
        card.unhook("trace")
        self.assertGreater(to_smdp.names().count("ES3-SendDataResponse"), BEFORE_PACKAGE + 2)
        places["events"] = self.events()
        places["what the SM-DP calls"], places["what the SM-SR calls back"] = to_smsr.said(), to_smdp.said()
        for name in tuple(places):  # what stands in hex may have another form in it
            if name.startswith("what"):
                places[name] = seeker.unhexed(places[name], rb">((?:[0-9A-Fa-f]{2})+)<")
        places["sessions of the card"] = seeker.unhexed(seeker.file(trace), rb" ((?:[0-9A-Fa-f]{2})+)\n")
        self.nowhere(card, row, places)

    def nowhere(self, card, row, places):
        image = self.on_disk(card)
        secrets = self.secrets(row, image)
        self.finds_all(card, secrets, image)
        # Each place was looked at: what the SM-SR does know is there, the card's EID, or where none is named the ISD-P.
        aid = bytes.fromhex(self.on_card(card, row)["aid"])
        self.assertEqual([name for name, data in places.items() if card.eid.encode() not in data and aid not in data], [])
        self.assertEqual(seeker.seek(secrets, places), [])
        if "the memory afterwards" not in places:
            self.skipTest("the system does not show the memory of a child; all else was searched")
