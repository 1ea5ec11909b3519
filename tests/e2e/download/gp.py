# SPDX-License-Identifier: Apache-2.0
"""Certificates in GlobalPlatform's form (card.md 3), taken apart and issued otherwise: what a card and an SM-DP must refuse."""
import subprocess

from tests.e2e import eum
from tests.e2e.download.package import tlv, tlvs

CERTIFICATE, EXPIRES, ROLES, PUBLIC_KEY, SIGNATURE = "7f21", "5f24", "73", "7f49", "5f37"


def fields(certificate):
    (_, content), = tlvs(certificate)
    return list(tlvs(content))


def issued(certificate, key, changes):
    """The same with other fields, {tag: value}, signed by this key: a file of PEM."""
    body = b"".join(tlv(tag, changes.get(tag, value)) for tag, value in fields(certificate) if tag != SIGNATURE)
    return tlv(CERTIFICATE, body + tlv(SIGNATURE, eum.ecdsa(body, key)))


def altered(data):
    """Its last bit is another."""
    return data[:-1] + bytes([data[-1] ^ 1])


def public_key(path):
    """X | Y of a certificate in PEM."""
    pem = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], stdout=subprocess.PIPE, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, stdout=subprocess.PIPE, check=True).stdout
    return der[-64:]
