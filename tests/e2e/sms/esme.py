# SPDX-License-Identifier: Apache-2.0
"""Secured packets to a card from whoever has keys, its SM-SR or not: built by tests/unit/card/scp80_peer.py, which has nothing of ours, and handed to
the simulator's SMSC by an ESME of our own."""
import socket
import struct

from tests.unit.card.scp80_peer import command

BIND, SUBMIT, DELIVER, RESPONSE = 0x00000009, 0x00000004, 0x00000005, 0x80000000
UDHI, PID, DCS = 0x40, 0x7F, 0xF6
SPI, ISDR = bytes.fromhex("1639"), bytes.fromhex("000001")
GET_STATUS = bytes.fromhex("80F24003074F005C034F9F7000")


def enable(isdp_aid):
    return bytes.fromhex("80E28800153A03124F10" + isdp_aid)


def script(*apdus):
    data = b"".join(b"\x22" + bytes([len(apdu)]) + apdu for apdu in apdus)
    return b"\xAA" + bytes([len(data)]) + data


def packet(keys, kvn, counter, data):
    """To the ISD-R, ciphered and with a counter that must be higher. keys: (KIc, KID)."""
    return command(*keys, bytes([kvn]), SPI, ISDR, counter.to_bytes(5, "big"), data)[0]


class Esme:
    """A transceiver under an SM-SR's account, as long as the block lasts. What cards send meanwhile is left for the SM-SR."""

    def __init__(self, cards, smsr, source):
        self.source, self.sequence = source, 0
        with open(cards.password_file(smsr)) as f:
            password = f.read().strip()
        self.socket = socket.create_connection(("127.0.0.1", cards.port), 10)
        status = self.call(BIND, smsr.encode() + b"\0" + password.encode() + b"\0" + b"\0" + b"\x34\0\0" + b"\0")
        if status:
            raise OSError("the SMSC refused the bind: %#x" % status)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise OSError("the SMSC hung up")
            data += more
        return data

    def call(self, kind, body):
        """The status in the answer."""
        self.sequence += 1
        self.socket.sendall(struct.pack(">IIII", 16 + len(body), kind, 0, self.sequence) + body)
        while True:
            length, answer, status, sequence = struct.unpack(">IIII", self.exactly(16))
            self.exactly(length - 16)
            if (answer, sequence) == (kind | RESPONSE, self.sequence):
                return status

    def submit(self, number, secured):
        """A packet that goes into one SMS; the status."""
        user_data = b"\x02\x70\x00" + secured
        assert len(user_data) <= 140
        body = (b"\0" + b"\x01\x01" + self.source.encode() + b"\0" + b"\x01\x01" + number.encode() + b"\0" + bytes([UDHI, PID, 0]) + b"\0\0" +
                bytes([0, 0, DCS, 0, len(user_data)]) + user_data)
        return self.call(SUBMIT, body)
