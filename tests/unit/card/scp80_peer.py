#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Secured packets a second time, from the description of their bytes alone: nothing here comes from common/card.

One request a line, all values in hex, '-' for empty; one answer a line. "refused": it does not verify.
  command KIC KID KVN SPI TAR COUNTER DATA -> PACKET
  open-command KIC KID PACKET              -> SPI TAR COUNTER DATA
  por KIC KID SPI2 TAR COUNTER STATUS DATA -> PACKET
  open-por KIC KID SPI2 PACKET             -> TAR COUNTER STATUS DATA"""
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

UDH_ANSWER = bytes.fromhex("027100")


class Refused(Exception):
    pass


def cmac8(key, data):
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()[:8]


def cbc(key):
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16)))


def encrypt(key, data):
    e = cbc(key).encryptor()
    return e.update(data) + e.finalize()


def decrypt(key, data):
    if len(data) % 16:
        raise Refused
    d = cbc(key).decryptor()
    return d.update(data) + d.finalize()


def filled(length, ciphered):
    return -length % 16 if ciphered else 0


def command(kic, kid, kvn, spi, tar, counter, data):
    ciphered = bool(spi[0] & 4)
    pad = filled(5 + 1 + 8 + len(data), ciphered)
    data += bytes(pad)
    header = spi + bytes([kvn[0] << 4 | (2 if ciphered else 0), kvn[0] << 4 | 2]) + tar
    count = counter + bytes([pad])
    chl = len(header) + len(count) + 8
    front = (1 + chl + len(data)).to_bytes(2, "big") + bytes([chl]) + header
    rest = count + cmac8(kid, front + count + data) + data
    return [front + (encrypt(kic, rest) if ciphered else rest)]


def open_command(kic, kid, packet):
    if len(packet) < 24 or int.from_bytes(packet[:2], "big") != len(packet) - 2 or packet[2] != 0x15:
        raise Refused
    front, rest = packet[:10], packet[10:]
    if front[3] & 4:
        rest = decrypt(kic, rest)
    count, cc, data = rest[:6], rest[6:14], rest[14:]
    if cmac8(kid, front + count + data) != cc:
        raise Refused
    return [front[3:5], front[7:10], count[:5], data[:len(data) - count[5]]]


def por(kic, kid, spi2, tar, counter, status, data):
    with_cc, ciphered = spi2[0] & 0x0C == 8, bool(spi2[0] & 0x10)
    cc_length = 8 if with_cc else 0
    pad = filled(5 + 1 + 1 + cc_length + len(data), ciphered)
    data += bytes(pad)
    count = counter + bytes([pad]) + status
    rhl = 3 + len(count) + cc_length
    front = (1 + rhl + len(data)).to_bytes(2, "big") + bytes([rhl]) + tar
    cc = cmac8(kid, UDH_ANSWER + front + count + data) if with_cc else b""
    rest = count + cc + data
    return [front + (encrypt(kic, rest) if ciphered else rest)]


def open_por(kic, kid, spi2, packet):
    with_cc, ciphered = spi2[0] & 0x0C == 8, bool(spi2[0] & 0x10)
    if len(packet) < 13 or int.from_bytes(packet[:2], "big") != len(packet) - 2 or packet[2] != (0x12 if with_cc else 0x0A):
        raise Refused
    front, rest = packet[:6], packet[6:]
    if ciphered:
        rest = decrypt(kic, rest)
    count, cc, data = rest[:7], rest[7:15] if with_cc else b"", rest[15:] if with_cc else rest[7:]
    if with_cc and cmac8(kid, UDH_ANSWER + front + count + data) != cc:
        raise Refused
    return [front[3:6], count[:5], count[6:7], data[:len(data) - count[5]]]


REQUESTS = {"command": command, "open-command": open_command, "por": por, "open-por": open_por}


def main():
    for line in sys.stdin:
        name, *values = line.split()
        try:
            answer = REQUESTS[name](*[b"" if v == "-" else bytes.fromhex(v) for v in values])
            print(" ".join(v.hex().upper() or "-" for v in answer), flush=True)
        except Refused:
            print("refused", flush=True)


if __name__ == "__main__":
    main()
