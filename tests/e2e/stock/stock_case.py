# SPDX-License-Identifier: Apache-2.0
"""What tests of an SM-DP's stock share: an operator that makes batches, wraps their keys and writes them as CSV."""
import ctypes
import os
import re

from rsp.ctl import CtlError
from tests.e2e.helpers import Work

CRYPTO = ctypes.CDLL("libcrypto.so.3")
MEMORY = 40000


def schedule(key):
    space = ctypes.create_string_buffer(512)  # struct AES_KEY
    assert CRYPTO.AES_set_encrypt_key(key, 128, space) == 0
    return space


def wrap_kw(key, plain):
    """RFC 3394."""
    out = ctypes.create_string_buffer(len(plain) + 8)
    assert CRYPTO.AES_wrap_key(schedule(key), None, out, plain, len(plain)) == len(plain) + 8
    return out.raw


def unwrap_kw(key, wrapped):
    out, space = ctypes.create_string_buffer(len(wrapped)), ctypes.create_string_buffer(512)
    assert CRYPTO.AES_set_decrypt_key(key, 128, space) == 0
    assert CRYPTO.AES_unwrap_key(space, None, out, wrapped, len(wrapped)) == len(wrapped) - 8, "its integrity check does not hold"
    return out.raw[:len(wrapped) - 8]


def wrap_ecb(key, plain):
    out = ctypes.create_string_buffer(len(plain))
    CRYPTO.AES_encrypt(plain, out, schedule(key))
    return out.raw


def luhn(body):
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


class Row:
    """One subscription as its operator knows it."""

    def __init__(self, iccid, imsi, msisdn=""):
        self.values = {"ICCID": iccid, "IMSI": imsi, "MSISDN": msisdn}
        self.keys = {"Ki": os.urandom(16), "OPc": os.urandom(16)}

    def cell(self, name, key, wrap):
        return wrap(key, self.keys[name]).hex().upper() if name in self.keys else self.values[name]


class StockCase(Work):
    needs = {"services": ("sm-dp",)}
    heads = ("ICCID", "IMSI", "Ki", "OPc")

    @property
    def mno(self):
        return self.staging.entities["operator-a"]["oid"]

    @property
    def socket(self):
        return self.admin("sm-dp")

    def transport(self, operator="operator-a"):
        name = "%s_%s.key" % (self.staging.entities[operator]["oid"], self.staging.entities["sm-dp"]["oid"])
        with open(self.pki("transport", name), "rb") as f:
            return f.read()

    def rows(self, count):
        Work.series += 1
        return [Row(luhn("8988%06d%08d" % (Work.series, i)), "90%05d%08d" % (Work.series, i)) for i in range(count)]

    def file(self, name, content):
        path = os.path.join(self.staging.private_folder("files"), name)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def csv(self, rows, heads=None, wrap=wrap_kw, end="\n", key=None):
        heads, key = heads or self.heads, key or self.transport()
        return "".join(",".join(line) + end for line in [heads] + [[row.cell(head, key, wrap) for head in heads] for row in rows])

    def make_type(self, name):
        """Of the built-in package, nothing drawn but Ki and OPc; fresh, or there already."""
        return self.rspctl.type_add(self.socket, name, None, self.mno, MEMORY, variables="pin1=template")

    def package(self):
        """The built-in one."""
        self.make_type("plain")
        return bytes.fromhex(self.psql("sm_dp", "select encode(package, 'hex') from profile_type where name = 'plain'"))

    def take(self, batch, text, type_name="plain", **more):
        self.make_type(type_name)
        return self.rspctl.stock_import(self.socket, self.file(batch + ".csv", text), self.mno, type_name, **more)

    def refused(self, code, says, function, *args, **more):
        """The refusal names what it should; its exit code is 1, or 4 when something is not there."""
        with self.assertRaises(CtlError) as caught:
            function(*args, **more)
        output = caught.exception.output
        self.assertEqual(caught.exception.code, 4 if code == "not_found" else 1, output)
        self.assertIn('"code": "%s"' % code, output)
        self.assertTrue(re.search(says, output), "%s does not say %s" % (output, says))

    def everything(self):
        """All that a refusal must leave as it is."""
        return self.psql("sm_dp", "select (select count(*) from stock_batch), (select count(*) from stock), (select count(*) from stock_secret),"
                         " (select count(*) from profile_type)")
