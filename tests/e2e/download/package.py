# SPDX-License-Identifier: Apache-2.0
"""A profile package with one subscription's numbers and keys in it, made without the suite's own code: what a card should hold."""


def tlvs(data):
    """(tag bytes, value) of a list of BER-TLVs."""
    at = 0
    while at < len(data):
        end = at + 1
        if data[at] & 0x1F == 0x1F:
            while data[end] & 0x80:
                end += 1
            end += 1
        tag, n = data[at:end], data[end]
        at = end + 1
        if n & 0x80:
            n, at = int.from_bytes(data[at:at + (n & 0x7F)], "big"), at + (n & 0x7F)
        yield tag.hex(), data[at:at + n]
        at += n


def tlv(tag, value):
    n = len(value)
    length = bytes([n]) if n < 0x80 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes.fromhex(tag) + length + value


def bcd(digits, n, swapped):
    digits = digits.ljust(2 * n, "F")
    return bytes.fromhex("".join(digits[i:i + 2][::-1 if swapped else 1] for i in range(0, 2 * n, 2)))


def imsi_file(imsi):
    """TS 31.102 4.2.2: length, parity and digits."""
    odd = len(imsi) % 2
    return bytes([(len(imsi) + 2) // 2]) + bcd(("9" if odd else "1") + imsi, 8, True)


def put(data, path, content, whole_file=False):
    """data with the value at a path of tags replaced; a file's contents are all of it."""
    if not path:
        if not whole_file:
            return content
        return b"".join(tlv(t, v) for t, v in tlvs(data) if t not in ("82", "83")) + tlv("83", content)
    return b"".join(tlv(t, put(v, path[1:], content, whole_file) if t == path[0] else v) for t, v in tlvs(data))


def personalised(template, row):
    """row: a stock_case.Row."""
    made = put(template, ("a0", "83"), bcd(row.values["ICCID"], 10, False))
    made = put(made, ("b0", "a4"), bcd(row.values["ICCID"], 10, True), True)
    made = put(made, ("b3", "a3"), imsi_file(row.values["IMSI"]), True)
    made = put(made, ("a4", "a1", "a1", "82"), row.keys["Ki"])
    return put(made, ("a4", "a1", "a1", "83"), row.keys["OPc"])
