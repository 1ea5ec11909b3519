# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets in what a process holds, writes and says: as octets, in hex and in base64."""
import base64
import os
import re

from rsp.proc import run

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT = 3 << 62  # of an entry of /proc/PID/pagemap: in memory, or swapped out
SHADOW = 1 << 36   # bytes; larger ones that are not to be dumped are a sanitizer's notes on memory, an octet for eight, and hold nothing


def base64_forms(secret):
    """The characters that stand for nothing but the secret, wherever in three octets it begins."""
    for lead in range(3):
        text = base64.b64encode(bytes(lead) + secret)
        yield text[(lead * 8 + 5) // 6:(lead + len(secret)) * 8 // 6]


def forms(secret):
    """(name, octets)"""
    hexadecimal = secret.hex().encode()
    return [("octets", secret), ("hex", hexadecimal), ("HEX", hexadecimal.upper())] + [("base64", form) for form in base64_forms(secret)]


def seek(secrets, places):
    """Both by name. "Ki as hex in the log", ..."""
    return ["%s as %s in %s" % (name, form, place) for name, secret in secrets.items() for form, text in forms(secret)
            for place, data in places.items() if text in data]


def unhexed(data, pattern=rb"\\x((?:[0-9a-f]{2})+)"):
    """Data, and behind it what is written in hex in it."""
    return data + b"\n" + b"\n".join(bytes.fromhex(found.decode()) for found in re.findall(pattern, data))


def database(staging, name):
    """All of it as text, and its octet strings as they are."""
    cluster = staging.cluster
    argv = [os.path.join(cluster.bin, "pg_dump"), "-w", "-h", cluster.folder, "-U", "postgres", name]
    return unhexed(run(argv, env=staging.env, timeout_s=120)[1].encode())


def file(path):
    with open(path, "rb") as f:
        return f.read().rstrip(b"\0")


class Mapping:
    def __init__(self, line):
        span, self.modes, _, _, inode = line.split()[:5]
        self.start, self.end = (int(n, 16) for n in span.split("-"))
        self.dumped, self.own = True, inode == "0" or "w" in self.modes

    def holds(self):
        """A file that is only read is the program's and its libraries'."""
        return "r" in self.modes and self.own and (self.dumped or self.end - self.start < SHADOW)


def mappings(pid):
    found = []
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                found.append(Mapping(line))
            elif line.startswith("VmFlags:"):
                found[-1].dumped = " dd" not in line
    return [m for m in found if m.holds()]


def present(pagemap, mapping):
    """The pages that are there, in runs: (address, bytes)."""
    os.lseek(pagemap, mapping.start // PAGE * 8, os.SEEK_SET)
    entries = memoryview(os.read(pagemap, (mapping.end - mapping.start) // PAGE * 8)).cast("Q")
    first = None
    for i, entry in enumerate(entries):
        if entry & PRESENT:
            first = i if first is None else first
        elif first is not None:
            yield mapping.start + first * PAGE, (i - first) * PAGE
            first = None
    if first is not None:
        yield mapping.start + first * PAGE, (len(entries) - first) * PAGE


def read_all(mem, at, size):
    """As far as it is there: it may be the kernel's own page, or gone meanwhile."""
    pieces = []
    try:
        while size:
            pieces.append(os.pread(mem, size, at))
            at, size = at + len(pieces[-1]), size - len(pieces[-1])
            if not pieces[-1]:
                break
    except OSError:
        pass
    return b"".join(pieces)


def memory(pid):
    """What a process has in its memory. PermissionError: the system does not let us."""
    runs = []
    pagemap, mem = os.open("/proc/%d/pagemap" % pid, os.O_RDONLY), os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    try:
        for mapping in mappings(pid):
            for at, size in present(pagemap, mapping):
                runs.append(read_all(mem, at, size))
    finally:
        os.close(pagemap)
        os.close(mem)
    return b"\n".join(runs)
