# SPDX-License-Identifier: Apache-2.0
"""./rsp bench: what the suite does beside what the machine could do at all, measured in the same run (design.md 12)."""
import json
import os
import random
import struct
import subprocess
import sys

from .paths import RspError
from .staging import Staging

CARDS = 100_000          # EIS in the table while GetEIS is measured
READS = 4096             # different GetEIS requests
REGISTRATIONS = 3000
CONNECTIONS = 32
SECONDS = 5
ROUNDS = 3               # value and limit are measured in turn; the medians are compared: the machine is noisy
FLOOR = {"ES4.GetEIS": 0.40, "ES1.RegisterEIS": 0.50}

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
    def __init__(self, staging):
        self.staging = staging
        self.env = dict(staging.env)

    def tool(self, name, *arguments):
        done = subprocess.run([self.staging.program("tests", "bench", name)] + [str(a) for a in arguments], env=self.env,
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RspError("%s failed (exit code %d): %s" % (name, done.returncode, done.stdout.strip()))
        return json.loads(done.stdout)

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
        return self.staging.instances["sm-sr"].ports["partner"]

    # ES4.GetEIS

    def fill(self, template):
        """Copies one registered card's rows under other EIDs: GetEIS reads them by key, whatever their octets say."""
        path = self.file("eids")
        with open(path, "w") as f:
            f.writelines(eid_of(n) + "\n" for n in range(CARDS))
        self.staging.psql("sm_sr", "create temp table b (eid text); \\copy b from '%s'\n" % path + "".join(
            "insert into {0} ({1}) select {2} from b, {0} t where t.eid = '{3}';\n".format(
                table, columns, columns.replace("eid", "b.eid", 1).replace(", ", ", t."), template)
            for table, columns in self.tables()) + "vacuum analyze;")

    def tables(self):
        rows = self.staging.psql("sm_sr", "select table_name || '|' || string_agg(column_name, ', ' order by column_name <> 'eid', ordinal_position)"
                                 " from information_schema.columns where table_name in ('eis', 'eis_state', 'profile', 'keyset', 'keyset_key')"
                                 " group by table_name")
        return [row.split("|") for row in rows.strip().split("\n")]

    def get_eis(self, template):
        caller, smsr = (self.staging.entities[n]["oid"] for n in ("operator-a", "sm-sr"))
        self.fill(template)
        path = self.file("get-eis")
        chosen = random.Random(1).sample(range(CARDS), READS)
        write_requests(path, [GET_EIS.format(caller=caller, smsr=smsr, number=n, eid=eid_of(n)).encode() for n in chosen])
        size = self.answer_size(path)
        values, limits = [], []
        for _ in range(ROUNDS):
            limits.append(self.echo_rate(path, size))
            values.append(self.load("operator-a", self.smsr_port(), "/es4", path, "--seconds", SECONDS))
        best = median([v["rate"] for v in values])
        say("GetEIS: p50 %d us, p99 %d us" % (median([v["p50_us"] for v in values]), median([v["p99_us"] for v in values])))
        return {"name": "ES4.GetEIS", "value": best, "unit": "requests/s", "limit": median(limits)}

    def answer_size(self, requests):
        """Bytes of one answer, from the journal's last one."""
        self.load("operator-a", self.smsr_port(), "/es4", requests, "--seconds", 0.2)
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
                return self.load("operator-a", port, "/es4", requests, "--seconds", SECONDS)["rate"]
            finally:
                echo.terminate()

    # ES1.RegisterEIS

    def register_eis(self):
        values, limits = [], []
        for number in range(ROUNDS):
            path = self.file("register-%d" % number)
            made = self.tool("bench-eis-requests", "--pki", self.staging.pki, "--count", REGISTRATIONS // ROUNDS, "--out", path,
                             "--eid-prefix", "89001999010000097%d" % number, "--series", number)
            commits = self.commits_per_s()
            limits.append(1 / (1 / made["verifies_per_s"] + 1 / commits))
            values.append(self.load("eum", self.smsr_port(), "/es1", path, "--once"))
            say("RegisterEIS: %.0f/s; one core verifies %.0f/s, the disk commits %.0f/s" % (values[-1]["rate"], made["verifies_per_s"], commits))
        return {"name": "ES1.RegisterEIS", "value": median([v["rate"] for v in values]), "unit": "registrations/s", "limit": median(limits)}

    def commits_per_s(self):
        """Durable single-row commits of 8 clients, prepared."""
        self.staging.psql("sm_sr", "create table if not exists bench_row (id int primary key, n int not null) with (fillfactor = 50);"
                          " insert into bench_row select i, 0 from generate_series(1, 10000) i on conflict do nothing")
        script = self.file("commit.sql")
        with open(script, "w") as f:
            f.write("\\set i random(1, 10000)\nupdate bench_row set n = n + 1 where id = :i;\n")
        return self.staging.cluster.pgbench("sm_sr", script, clients=8, seconds=2)

    def memory(self):
        return [{"name": "idle memory of %s" % name, "value": kib, "unit": "KiB PSS", "limit": None, "ratio": None, "floor": None}
                for name, kib in sorted(self.staging.memory().items()) if name in self.staging.instances]


def table(rows):
    print("%-34s %12s %-16s %12s %7s %7s" % ("", "value", "unit", "limit", "ratio", "floor"))
    for row in rows:
        figures = ["%12.0f" % row["limit"] if row["limit"] else " " * 12] + [
            "%7.2f" % row[key] if row[key] is not None else " " * 7 for key in ("ratio", "floor")]
        print("%-34s %12.0f %-16s %s" % (row["name"], row["value"], row["unit"], " ".join(figures)))


def run_bench(build_folder, as_json):
    """Exit code 0: every floor is met, 3: one is not."""
    from . import demo
    staging = Staging(build_folder, "bench", services=("eum", "sm-sr", "operator-a", "operator-b"))
    staging.start()
    try:
        bench = Bench(staging)
        idle = bench.memory()
        eids, _ = demo.make_cards(staging)
        rows = [bench.get_eis(eids[0]), bench.register_eis()]
        for row in rows:
            row["ratio"], row["floor"] = row["value"] / row["limit"], FLOOR[row["name"]]
        rows += idle
    finally:
        staging.stop()
    if as_json:
        print(json.dumps({"rows": rows}))
    else:
        table(rows)
    return 0 if all(r["floor"] is None or r["ratio"] >= r["floor"] for r in rows) else 3
