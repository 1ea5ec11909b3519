# SPDX-License-Identifier: Apache-2.0
"""Profile types of packages from elsewhere and of our own: from the file to what the card stores, octet for octet; what is wrong with one is named
where it is found, at the SM-DP or on the card."""
import glob
import hashlib
import os
import re

from rsp import profiles
from rsp.ctl import CtlError
from tests.e2e.base import full
from tests.e2e.cards.card_case import SUCCESS
from tests.e2e.download.download_case import HEADS, SMDP, DownloadCase
from tests.e2e.download.package import personalised, put, tlv, tlvs
from tests.e2e.stock.stock_case import MEMORY, StockCase, unwrap_kw

TAGS = {"a0": "header", "a1": "genericFileManagement", "a2": "pinCodes", "a3": "pukCodes", "a4": "akaParameter", "a5": "cdmaParameter",
        "a6": "securityDomain", "a7": "rfm", "aa": "end", "b0": "mf", "b2": "telecom", "b3": "usim", "b4": "opt-usim", "b5": "isim", "b6": "opt-isim",
        "b8": "gsm-access", "b9": "csim", "ba": "opt-csim", "bc": "df-5gs", "bd": "df-saip"}
# Where a subscription's ICCID, IMSI, Ki and OPc stand.
PLACES = (("a0", "83"), ("b0", "a4", "83"), ("b3", "a3", "83"), ("a4", "a1", "a1", "82"), ("a4", "a1", "a1", "83"))
HEADER, MF, PUKS, PINS, USIM, LOCAL_PINS, AKA, SD, END = range(9)  # elements of the built-in package


def joined(elements):
    return b"".join(tlv(tag, value) for tag, value in elements)


def spans(data, path, at=0):
    """Begin and end of each value at a path of tags."""
    for tag, value in tlvs(data):
        at += len(tlv(tag, value)) - len(value)
        if tag == path[0] and len(path) == 1:
            yield at, at + len(value)
        elif tag == path[0]:
            yield from spans(value, path[1:], at)
        at += len(value)


def put_in(data, path, named, field, content):
    """data with a field replaced in each entry at a path of tags that has all the named fields."""
    def entry(value):
        fits = all(dict(tlvs(value)).get(tag) == wanted for tag, wanted in named.items())
        return put(value, field, content) if fits else value
    return b"".join(tlv(t, v if t != path[0] else put_in(v, path[1:], named, field, content) if len(path) > 1 else entry(v)) for t, v in tlvs(data))


class PackageCase(DownloadCase):
    refused = StockCase.refused

    def setUp(self):
        super().setUp()
        self.kinds = {}  # name: what type_add takes besides

    def make_type(self, name):
        """Those of this test, else as of others; fresh, or there already."""
        if name not in self.kinds:
            return super().make_type(name)
        kind = dict(self.kinds[name])
        package, memory = kind.pop("package"), kind.pop("memory", MEMORY)
        path = package if package is None or isinstance(package, str) else self.file(name + ".der", package)
        return self.rspctl.type_add(self.socket, name, path, self.mno, memory, **kind)

    def row_of(self, name, **kind):
        """A subscription of a new type."""
        self.kinds[name] = kind
        return self.row(name)

    def template(self, name):
        return bytes.fromhex(self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = '%s'" % name))

    def stored(self, card, package):
        """The file in which the card keeps the elements of the profile, from where they begin; it fails when there is none."""
        found = []
        for path in glob.glob(os.path.join(self.batch_folder(), "*.isdp", card.eid + "-*")):
            with open(path, "rb") as f:
                data = f.read()
            at = data.find(package[:4])
            found += [data[at:at + len(package)]] if at >= 0 else []
        self.assertEqual(len(found), 1, "no file of the card, or several, begin like the package")
        return found[0]

    def agree(self, card, row, name, package):
        """What the SM-DP makes, what the card has and what the SM-SR knows are one."""
        made, on_card = self.rspctl.stock_digest(self.socket, row.values["ICCID"]), self.on_card(card, row)
        wanted = {"elements": len(list(tlvs(package))), "bytes": len(package), "digest": hashlib.sha256(package).hexdigest().upper()}
        self.assertEqual(made, dict(wanted, iccid=row.values["ICCID"], type=name))
        self.assertEqual({key: on_card[key] for key in wanted}, wanted)
        self.assertEqual(self.stored(card, package), package)
        self.assertEqual((on_card["imsi"], self.stock_of(row)), (row.values["IMSI"], ("installed", True, card.eid)))
        state = {"Disabled": "1", "Enabled": "2"}[on_card["state"]]
        self.assertEqual(self.in_eis(card, row), "%s|%s|%s|%s" % (state, self.mno, self.oid(SMDP), name))


class Published(PackageCase):
    """The TS.48 packages of the GSMA."""

    def setUp(self):
        super().setUp()
        if not profiles.published():
            self.skipTest(profiles.skipped())

    @full
    def test_they_become_types_and_go_to_cards(self):
        for i, (name, path) in enumerate(profiles.published().items()):
            with self.subTest(package=name):
                with open(path, "rb") as f:
                    package = f.read()
                self.shown(path, package)
                self.goes_to_a_card(name, path, package, enable=i % 2 == 1)

    def shown(self, path, package):
        """What rspctl prints of it: each element where it is."""
        answer, at = self.rspctl.package_show(path), 0
        for found, (tag, value) in zip(answer["elements"], tlvs(package), strict=True):
            size = len(tlv(tag, value))
            self.assertEqual((found["name"], found["offset"], found["bytes"]), (TAGS[tag], at, size))
            at += size
        notation = path[:-len(".der")] + ".asn1-values.txt"
        if os.path.exists(notation):
            with open(notation) as f:
                self.assertEqual([e["name"] for e in answer["elements"]], re.findall(r"^value\d+ ProfileElement ::= (\S+) :", f.read(), re.M))
        for line in ('profileType: "GSMA Generic eUICC Test Profile"', "iccid: 89000123456789012341", "usim-test-algorithm",
                     "fillFileContent: 080910101032547698", "key: (16 bytes hidden)"):
            self.assertIn(line, answer["text"])
        self.assertNotIn("000102030405060708090A0B0C0D0E0F", answer["text"])
        self.assertIn("000102030405060708090A0B0C0D0E0F", self.rspctl.text("package", "show", path, "--secrets"))

    def goes_to_a_card(self, name, path, package, enable):
        card, row = self.card(), self.row_of(name, package=path)
        self.assertEqual(self.template(name), package)
        self.assertEqual(self.rspctl.type_show(self.socket, name, self.mno)["elements"], self.rspctl.package_show(path)["elements"])
        self.installed(card, row, enable=enable)
        self.assertEqual(self.on_card(card, row)["state"], "Enabled" if enable else "Disabled")
        self.agree(card, row, name, personalised(package, row))
        self.differs_only_where_it_should(package, self.stored(card, personalised(package, row)), row)

    def differs_only_where_it_should(self, package, stored, row):
        """By offset: nothing but the values of the subscription is another than in the file, and all of those are."""
        allowed = [span for place in PLACES for span in spans(package, place)]
        self.assertEqual(len(allowed), 3 + 2 * 2, "two applications have keys of their own")
        self.assertEqual(len(stored), len(package))
        rest = bytearray(stored)
        for begin, end in allowed:
            self.assertNotEqual(stored[begin:end], package[begin:end])
            rest[begin:end] = package[begin:end]
        self.assertEqual(bytes(rest), package)
        keys = [stored[begin:end] for begin, end in allowed[-4:]]
        self.assertEqual(keys, [row.keys["Ki"]] * 2 + [row.keys["OPc"]] * 2)


class Variables(PackageCase):
    """Types that leave more open than numbers and Ki."""
    from_batch = {"PIN1": b"2468", "PUK1": b"13572468", "ADM1": bytes(range(0x11, 0x19))}
    references = {"PIN1": ("a2", "01"), "PUK1": ("a3", "01"), "PUK2": ("a3", "0081"), "ADM1": ("a2", "0a")}
    keys = {"KIC": ("01", "01"), "KID": ("02", "01"), "KIK": ("03", "01"), "ENC": ("01", "30"), "MAC": ("02", "30"), "DEK": ("03", "30")}
    connectivity = "A0090607918839000000F0"

    def coded(self, package, name, code):
        element, reference = self.references[name]
        path = ("a2", "a1", "a0", "30") if element == "a2" else ("a3", "a1", "30")
        return put_in(package, path, {"80": bytes.fromhex(reference)}, ("81",), code.ljust(8, b"\xff"))

    def keyed(self, package, name, key):
        identifier, version = (bytes.fromhex(text) for text in self.keys[name])
        return put_in(package, ("a6", "a2", "30"), {"82": identifier, "83": version}, ("30", "30", "86"), key)

    def header(self, package, pol1):
        """With POL1 in front of the services, and connectivity parameters behind the templates."""
        (_, header), *rest = tlvs(package)
        made = b""
        for tag, value in tlvs(header):
            made += tlv("84", bytes([pol1])) if tag == "a5" else b""
            made += tlv(tag, value)
            made += tlv("87", bytes.fromhex(self.connectivity)) if tag == "a6" else b""
        return tlv("a0", made) + joined(rest)

    def secrets(self, batch):
        """What was drawn and brought, as its operator gets it."""
        heads, line = (line.split(",") for line in self.rspctl.stock_export(self.socket, batch, self.mno).strip().split("\n"))
        cells = [(head, cell) for head, cell in zip(heads, line, strict=True) if head in self.references or head in self.keys]
        return {head: unwrap_kw(self.transport(), bytes.fromhex(cell)) for head, cell in cells}

    def test_codes_keys_pol1_and_connectivity(self):
        name = "all-variables"
        self.kinds[name] = {"package": None, "rules": ("DELETE:Not-Allowed",), "variables":
                            "pin1=batch puk1=batch adm1=batch puk2=random scp80=random scp03=random pol1=2 connectivity=" + self.connectivity}
        card, (row,) = self.card(), self.rows(1)
        row.values["MSISDN"] = "881" + row.values["IMSI"][3:]
        row.keys.update({head: bytes([len(code)]) + code.ljust(15, b"\0") for head, code in self.from_batch.items()})
        StockCase.take(self, "d" + row.values["ICCID"], self.csv([row], heads=HEADS + tuple(self.from_batch)), name)
        secrets = self.secrets("d" + row.values["ICCID"])
        self.assertEqual(set(secrets), {*self.references, *self.keys})
        self.installed(card, row)
        package = self.header(personalised(self.template(name), row), 2)
        for head in self.references:
            code = secrets[head][1:1 + secrets[head][0]]
            self.assertEqual(self.from_batch.get(head, code), code)
            package = self.coded(package, head, code)
        for head in self.keys:
            package = self.keyed(package, head, secrets[head])
        self.agree(card, row, name, package)
        self.assertEqual(self.on_card(card, row)["pol1"], 2)
        self.assertEqual(card.sql("select pol2 from profile where iccid = '{iccid}'", iccid=row.values["ICCID"]), "\\x000200")
        self.pol1_holds(card, row)

    def pol1_holds(self, card, row):
        """POL2 no longer forbids it; the card does."""
        words, iccid = (self.words, card.eid, row.values["ICCID"]), row.values["ICCID"]
        found = self.rspctl.profile_policy(*words, (), validity_s=60, wait_s=90, via=self.via)
        self.assertEqual(self.outcome(found), SUCCESS, found)
        found = self.ended(self.rspctl.profile_delete(*words, validity_s=60, via=self.via)["operation"])
        self.assertEqual(self.outcome(found), ("FAILED", "8.2.2/3.8"), found)
        self.assertEqual((self.on_card(card, row)["state"], self.in_eis(card, row)[0]), ("Disabled", "1"), iccid)

    def test_the_one_for_meters(self):
        card, row = self.card(), self.row_of("meter", package="--meter", variables="pol1=1")
        package = self.template("meter")
        answer = self.rspctl.package_show(self.file("meter.der", package))
        self.assertEqual([e["name"] for e in answer["elements"]],
                         ["header", "mf", "pinCodes", "genericFileManagement", "usim", "opt-usim", "akaParameter", "securityDomain", "end"])
        self.assertIn("ber-tlv", answer["text"])
        self.installed(card, row, enable=True)
        made = personalised(package, row)
        (_, header), *rest = tlvs(made)
        header = b"".join((tlv("84", b"\1") if tag == "a5" else b"") + tlv(tag, value) for tag, value in tlvs(header))
        self.agree(card, row, "meter", tlv("a0", header) + joined(rest))
        self.assertEqual((self.on_card(card, row)["pol1"], card.enabled()), (1, row.values["ICCID"]))
        with self.assertRaisesRegex(CtlError, "goes with --default"):
            self.rspctl.type_add(self.socket, "padded", "--meter", self.mno, MEMORY, pad=2000)
        self.refused("not_found", "not in the stock", self.rspctl.stock_digest, self.socket, self.rows(1)[0].values["ICCID"])


class Refused(PackageCase):
    def elements(self):
        return list(tlvs(self.package()))

    def file_of(self, elements, at, path, content):
        """The package with one value of one element replaced."""
        tag, value = elements[at]
        return joined(elements[:at] + [(tag, put(value, path, content))] + elements[at + 1:])

    def test_a_bad_template_is_named_at_its_import(self):
        e = self.elements()
        no_milenage = put(e[HEADER][1], ("a5",), tlv("81", b""))
        file = tlv("30", tlv("80", b"") + tlv("62", tlv("82", b"\x41\x21") + tlv("83", b"\x4f\x01")))
        early = ("a1", tlv("a0", tlv("80", b"") + tlv("81", b"\x20")) + tlv("a1", file))
        file_id = ("a1", "83")
        bad = (
            (self.file_of(e, MF, ("a5", *file_id), b"\x2f\xe2"),
             "element 2, mf (identification 1), ef-dir: its directory has a file of this identifier already"),
            (joined(e[:END] + [early, early[:1] + (put(early[1], ("a0", "81"), b"\x21"),)] + e[END:]),
             "element 10, genericFileManagement (identification 33), fileID: its directory has a file of this identifier already"),
            (self.file_of(e, USIM, ("b5", *file_id), b"\x3f\x00"), "element 5, usim (identification 4), ef-ad: a file identifier that is reserved"),
            (self.file_of(e, USIM, ("b5", *file_id), b"\x6f"), "element 5, usim (identification 4), fileID: "),
            (joined([("a0", no_milenage)] + e[1:]), "element 7, akaParameter (identification 6): the header does not list milenage as mandatory"),
            (joined([e[HEADER], e[USIM], e[MF]] + e[PUKS:USIM] + e[LOCAL_PINS:]), "element 2, usim (identification 4): mf must be before it"),
            (joined([e[HEADER], early] + e[MF:]), "element 2, genericFileManagement (identification 32): mf must be before it"),
            (joined(e[:PUKS] + [e[PINS], e[PUKS]] + e[USIM:]),
             "element 3, pinCodes (identification 3), unblockingPINReference: no pukCodes before it has this PUK"),
            (joined(e[:AKA] + [(e[AKA][0], put(e[AKA][1], ("a0", "81"), b"\4"))] + e[SD:]),
             "element 7, akaParameter (identification 4), identification: another element has it too"),
            (joined(e[:END]), "the package: does not finish with the end element"),
        )
        before = self.everything()
        for package, says in bad:
            with self.subTest(says=says):
                path = self.file("bad.der", package)
                self.refused("bad_type", "package: " + re.escape(says), self.rspctl.type_add, self.socket, "bad", path, self.mno, MEMORY)
                with self.assertRaisesRegex(CtlError, "(?s)exit 2.*offset [0-9]+: " + re.escape(says)):
                    self.rspctl.package_show(path)
        self.assertEqual(self.everything(), before)

    def fails_on_the_card(self, name, package, code, says, **kind):
        """What the card answered is decoded, in the operation and for a person; nothing is left of it."""
        card = self.cards[0]
        memory, row = self.memory(card), self.row_of(name, package=package, **kind)
        found = self.download(card, row)
        self.assertEqual(self.outcome(found), ("FAILED", code), found)
        self.assertIn("the profile was not installed: " + says, found["message"])
        self.assertIn(says, self.rspctl.text(*self.words, "operation", "show", found["operation"]))
        self.assertIn(says, self.psql("sm_dp", "select message from download where iccid = '%s'" % row.values["ICCID"]))
        self.nothing_left(card, row, memory, ("quarantined", True))

    def test_what_only_the_card_refuses(self):
        self.card()
        e, own = self.elements(), bytes.fromhex("A0058000810142")
        later = joined(e[:END] + [("bf7f", own)] + e[END:])
        contactless = put(e[HEADER][1], ("a5",), b"".join(tlv(tag, b"") for tag in ("80", "81", "84")))
        large = "element 9 of 14, genericFileManagement (identification 101), not-enough-memory (4)"
        self.fails_on_the_card("later", later, "8.4/4.2", "element 9 of 10, unknown (identification 66), pe-not-supported (1), installation aborted; "
                               "the card says \"mandated, and not known\"")
        self.fails_on_the_card("contactless", joined([("a0", contactless)] + e[1:]), "8.4/4.2", "feature-not-supported (10), installation aborted; "
                               "the card says \"not on this card\"")
        self.fails_on_the_card("tight", None, "8.1/4.8", large, memory=8000, pad=16000, variables="pin1=template")
        row = self.row()
        self.installed(self.cards[0], row)
        self.whole(self.cards[0], row)
