# SPDX-License-Identifier: Apache-2.0
"""./rsp bench: what the suite does beside what the machine could do at all, measured in the same run (design.md 12)."""
import contextlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys

from . import bench_cards, bench_downloads, demo
from .paths import RspError
from .staging import Staging

CONNECTIONS = 32
# Everything that is read fits in the server's own memory; otherwise the file system's is measured.
DATABASE = {"shared_buffers": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}


class Sizes:
    """cards: EIS in the table while GetEIS is measured; reads: of them asked for. rounds: value and limit are measured in turn, and the
    medians compared, since the machine is noisy; in the seconds of warm-up every backend comes to know its pages. switching: cards whose
    profiles are enabled, and to which profiles are downloaded, in_flight of them at a time."""

    def __init__(self, cards, reads, registrations, seconds, warm_up, rounds, commit_s, switching, in_flight):
        self.cards, self.reads, self.registrations = cards, reads, registrations
        self.seconds, self.warm_up, self.rounds, self.commit_s = seconds, warm_up, rounds, commit_s
        self.switching, self.in_flight = switching, in_flight


FULL = Sizes(100_000, 4096, 2000, 5, 10, 3, 2, 1000, 48)
QUICK = Sizes(500, 64, 30, 0.3, 0.3, 1, 1, 8, 4)  # shows that it works; its figures mean nothing
FLOOR = {"ES4.GetEIS": 0.40, "ES1.RegisterEIS": 0.50, "ES4.EnableProfile complete": 0.25,
         "ES2.DownloadProfile complete": 0.25}
# What a staging for it needs.
NEEDS = {"services": ("eum", "sm-sr", "sm-dp", "operator-a", "operator-b"), "database": DATABASE, "settings": bench_cards.SETTINGS}

GET_EIS = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://www.w3.org/2005/08/addressing" \
xmlns:rps="http://namespaces.gsma.org/esim-messaging/3"><soap:Header><wsa:From><wsa:Address>https://127.0.0.1/ES4?EntityId={caller}\
</wsa:Address></wsa:From><wsa:To>https://127.0.0.1/ES4?EntityId={smsr}</wsa:To><wsa:MessageID>//{caller}/bench-{number}?TransactionID=\
{number}?MessageDate=2026-01-15T09:30:00Z</wsa:MessageID><wsa:Action>http://gsma.com/ES4/ProfileManagement/ES4-GetEISRequest\
</wsa:Action></soap:Header><soap:Body><rps:ES4-GetEISRequest><rps:FunctionCallIdentifier>bench-{number}</rps:FunctionCallIdentifier>\
<rps:Eid>{eid}</rps:Eid></rps:ES4-GetEISRequest></soap:Body></soap:Envelope>"""


def median(values):
    return sorted(values)[len(values) // 2]


def say(text):
    print(text, file=sys.stderr, flush=True)


def write_requests(path, bodies):
    with open(path, "wb") as f:
        for body in bodies:
            f.write(struct.pack("<I", len(body)) + body)


def eid_of(number):
    body = "890019990100000098%012d" % number
    return body + "%02d" % (98 - int(body + "00") % 97)


class Bench:
    def __init__(self, staging, sizes):
        self.staging, self.sizes = staging, sizes
        self.env = dict(staging.env)

    def tool(self, name, *arguments):
        return json.loads(self.run([self.staging.program("tests", "bench", name)] + [str(a) for a in arguments]))

    def run(self, command, fds=()):
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE, text=True, pass_fds=fds)
        if done.returncode:
            raise RspError("%s failed (exit code %d): %s" % (os.path.basename(command[0]), done.returncode, done.stdout.strip()))
        return done.stdout

    def tls(self, entity):
        pki = self.staging.pki
        return ["--cert", os.path.join(pki, entity, "tls-client.pem"), "--key", os.path.join(pki, entity, "tls-client.key"),
                "--ca", os.path.join(pki, "tls-ca", "tls-ca.pem")]

    def load(self, entity, port, path, requests, *more):
        return self.tool("bench-load", "--port", port, "--path", path, "--requests", requests, "--connections", CONNECTIONS,
                         *self.tls(entity), *more)

    def file(self, name):
        return os.path.join(self.staging.private_folder("bench"), name)

    def smsr_port(self):
        return (self.staging.balancer or self.staging.instances["sm-sr"]).ports["partner"]

    # ES4.GetEIS

    def fill(self, template, numbers):
        """Copies one registered card's rows under other EIDs: GetEIS reads them by key, whatever their octets say."""
        path = self.file("eids")
        with open(path, "w") as f:
            f.writelines(eid_of(n) + "\n" for n in numbers)
        self.staging.psql("sm_sr", "create temp table b (eid text); \\copy b from '%s'\n" % path + "".join(
            "insert into {0} ({1}) select {2} from b, {0} t where t.eid = '{3}';\n".format(
                table, columns, columns.replace("eid", "b.eid", 1).replace(", ", ", t."), template)
            for table, columns in self.tables()) + "vacuum analyze;\ncheckpoint;")

    def tables(self):
        rows = self.staging.psql("sm_sr", "select table_name || '|' || string_agg(column_name, ', ' order by column_name <> 'eid', ordinal_position)"
                                 " from information_schema.columns where table_name in ('eis', 'eis_state', 'profile', 'keyset', 'keyset_key')"
                                 " group by table_name")
        return [row.split("|") for row in rows.strip().split("\n")]

    def get_requests(self, cards, reads):
        """A file of so many GetEIS, of cards chosen among the first ones."""
        caller, smsr = (self.staging.entities[n]["oid"] for n in ("operator-a", "sm-sr"))
        path = self.file("get-eis")
        chosen = random.Random(1).sample(range(cards), min(reads, cards))
        write_requests(path, [GET_EIS.format(caller=caller, smsr=smsr, number=n, eid=eid_of(n)).encode() for n in chosen])
        return path

    def get_eis(self, template):
        self.fill(template, range(self.sizes.cards))
        path = self.get_requests(self.sizes.cards, self.sizes.reads)
        self.get_rate(path, self.sizes.warm_up)
        size = self.answer_size()
        values, limits = [], []
        for _ in range(self.sizes.rounds):
            limits.append(self.echo_rate(path, size))
            values.append(self.get_rate(path, self.sizes.seconds))
        best = median([v["rate"] for v in values])
        say("GetEIS: p50 %d us, p99 %d us" % (median([v["p50_us"] for v in values]), median([v["p99_us"] for v in values])))
        return {"name": "ES4.GetEIS", "value": best, "unit": "requests/s", "limit": median(limits)}

    def get_rate(self, requests, seconds):
        """Rate and latencies."""
        return self.load("operator-a", self.smsr_port(), "/es4", requests, "--seconds", seconds)

    def answer_size(self):
        """Bytes of one answer, from the journal."""
        messages = self.staging.ctl.messages(self.staging.admin_socket("sm-sr"), limit=20)
        return max(len(m["text"]) for m in messages)

    def echo_rate(self, requests, size):
        pki = os.path.join(self.staging.pki, "sm-sr")
        command = [self.staging.program("tests", "bench", "bench-echo"), "--cert", os.path.join(pki, "tls-server.pem"), "--key",
                   os.path.join(pki, "tls-server.key"), "--ca", os.path.join(self.staging.pki, "tls-ca", "tls-ca.pem"), "--size", str(size),
                   "--threads", "6"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.env) as echo:
            try:
                port = int(echo.stdout.readline())
                return self.load("operator-a", port, "/es4", requests, "--seconds", self.sizes.seconds)["rate"]
            finally:
                echo.terminate()

    # ES1.RegisterEIS

    def registrations(self, series, count):
        """Fresh cards' requests: (file, verifies/s of one core). series: one digit, for each call another."""
        path = self.file("register-%d" % series)
        made = self.tool("bench-eis-requests", "--pki", self.staging.pki, "--count", count, "--out", path, "--eid-prefix",
                         "89001999010000097%d" % series, "--series", series)
        return path, made["verifies_per_s"]

    def register(self, path):
        return self.load("eum", self.smsr_port(), "/es1", path, "--once")["rate"]

    def register_eis(self):
        values, limits = [], []
        self.register(self.registrations(9, self.sizes.registrations // 2)[0])
        for series in range(self.sizes.rounds):
            path, verifies = self.registrations(series, self.sizes.registrations)
            commits = self.commits_per_s()
            limits.append(1 / (1 / verifies + 1 / commits))
            values.append(self.register(path))
            say("RegisterEIS: %.0f/s; one core verifies %.0f/s, the disk commits %.0f/s" % (values[-1], verifies, commits))
        return {"name": "ES1.RegisterEIS", "value": median(values), "unit": "registrations/s", "limit": median(limits)}

    def commits_per_s(self):
        """Durable single-row commits of 8 clients, prepared."""
        self.staging.psql("sm_sr", "create table if not exists bench_row (id int primary key, n int not null) with (fillfactor = 50);"
                          " insert into bench_row select i, 0 from generate_series(1, 10000) i on conflict do nothing")
        script = self.file("commit.sql")
        with open(script, "w") as f:
            f.write("\\set i random(1, 10000)\nupdate bench_row set n = n + 1 where id = :i;\n")
        return self.staging.cluster.pgbench("sm_sr", script, clients=8, seconds=self.sizes.commit_s)

    # ES4.EnableProfile

    def enable_rate(self, fleet, seconds, in_flight=None):
        """Rate and latencies. In less than a second perhaps not one ends: then so many as there are cards."""
        length = ["--seconds", seconds] if seconds >= 1 else ["--operations", len(fleet.eids)]
        command = fleet.command(self.smsr_port(), in_flight or self.sizes.in_flight, "--validity", bench_cards.VALIDITY_S, *length)
        return fleet.ended(self.run(command, fds=fleet.descriptors()))

    def enable_profile(self, fleet):
        fleet.grow(self.sizes.switching)
        self.enable_rate(fleet, self.sizes.warm_up / 2)
        return self.by_commits("ES4.EnableProfile complete", bench_cards.COMMITS, lambda: self.enable_rate(fleet, 2 * self.sizes.seconds))

    # ES2.DownloadProfile

    def download_rate(self, downloads, seconds):
        """As enable_rate."""
        length = ["--seconds", seconds] if seconds >= 1 else ["--operations", len(downloads.fleet.eids)]
        return downloads.ended(self.run(downloads.command(self.sizes.in_flight, *length), fds=downloads.fleet.descriptors()))

    def download_profile(self, fleet):
        downloads = bench_downloads.Downloads(fleet)
        self.download_rate(downloads, self.sizes.warm_up / 2)
        return self.by_commits("ES2.DownloadProfile complete", bench_downloads.COMMITS,
                               lambda: self.download_rate(downloads, 2 * self.sizes.seconds))

    def by_commits(self, name, commits, rate):
        """The row of a function that is weighed as so many durable commits."""
        values, limits = [], []
        for _ in range(self.sizes.rounds):
            limits.append(self.commits_per_s() / commits)
            values.append(rate())
            say("%s: %.0f/s, p50 %d ms, p99 %d ms; the disk commits %.0f/s" %
                (name, values[-1]["rate"], values[-1]["p50_us"] / 1000, values[-1]["p99_us"] / 1000, limits[-1] * commits))
        return {"name": name, "value": median([v["rate"] for v in values]), "unit": "operations/s", "limit": median(limits)}

    def memory(self):
        return [{"name": "idle memory of %s" % name, "value": kib, "unit": "KiB PSS", "limit": None, "ratio": None, "floor": None}
                for name, kib in sorted(self.staging.memory().items()) if name in self.staging.instances]


def table(rows):
    print("%-34s %12s %-16s %12s %7s %7s" % ("", "value", "unit", "limit", "ratio", "floor"))
    for row in rows:
        figures = ["%12.0f" % row["limit"] if row["limit"] else " " * 12] + [
            "%7.2f" % row[key] if row[key] is not None else " " * 7 for key in ("ratio", "floor")]
        print("%-34s %12.0f %-16s %s" % (row["name"], row["value"], row["unit"], " ".join(figures)))


def show(rows, as_json):
    if as_json:
        print(json.dumps({"rows": rows}))
    else:
        table(rows)


def measure(staging, sizes):
    bench = Bench(staging, sizes)
    idle = bench.memory()
    eids, _ = demo.make_cards(staging)
    rows = [bench.get_eis(eids[0]), bench.register_eis()]
    with bench_cards.fleet(staging) as fleet:
        rows += [bench.enable_profile(fleet), bench.download_profile(fleet)]
    for row in rows:
        row["ratio"], row["floor"] = row["value"] / row["limit"], FLOOR[row["name"]]
    return rows + idle


@contextlib.contextmanager
def staged(build_folder, needs):
    """A staging for measuring, of which nothing is left when all went well."""
    staging = Staging(build_folder, "bench", **needs)
    staging.start()
    try:
        yield staging
    finally:
        staging.stop()
    shutil.rmtree(staging.folder, ignore_errors=True)


def run_bench(build_folder, as_json, big):
    """Exit code 0: every floor is met, 3: one is not."""
    quick = os.environ.get("RSP_BENCH_QUICK") == "1"
    if big:
        from . import bench_big
        rows = bench_big.measure(build_folder, bench_big.QUICK if quick else bench_big.FULL)
    else:
        with staged(build_folder, NEEDS) as staging:
            rows = measure(staging, QUICK if quick else FULL)
    show(rows, as_json)
    return 0 if quick or all(r["floor"] is None or r["ratio"] >= r["floor"] for r in rows) else 3
