# SPDX-License-Identifier: Apache-2.0
"""docker-compose.yml, really run: images, readiness, the main job asked from a container, and replicas that come and go under load."""
import concurrent.futures
import json
import os
import re
import time
import unittest

from rsp import containers
from rsp.demo_smsr import KEPT
from rsp.paths import RspError
from tests.e2e.base import full

MIB = 1024 * 1024
OVER_BASE_MIB = 150
READY_S = 60
OPERATOR_A, OPERATOR_B = "1.3.6.1.4.1.99999.5", "1.3.6.1.4.1.99999.6"
OPERATORS = ("operator-a", "operator-b")
SMSR, SMSR_B = "1.3.6.1.4.1.99999.2", "1.3.6.1.4.1.99999.3"
CARDS, WORKERS = 8, 2
SECRETS = r"BEGIN (EC |RSA )?PRIVATE KEY|BEGIN ENCRYPTED"
# Who a container runs as, and whether it can write anywhere but into its volumes.
WHO = "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/1/status; for f in /x /etc/x /usr/bin/x /var/x; do touch $f 2>&1; done"
# One who orders without a pause until told to stop, one order at a time: operator-b's profile on each card of a round, then operator-a's again.
# Lines of "EID ICCID-A ICCID-B" come in, "EID OPERATOR ANSWER" go out.
ORDERER = """
cards=$(cat)
while :; do
	for operator in operator-b operator-a; do
		while read -r eid a b; do
			[ ! -e /tmp/enough ] || exit 0
			[ $operator = operator-a ] && iccid=$a || iccid=$b
			answer=$(rspctl --json --gateway https://$operator:8444 --token-file /var/lib/rsp/tokens/$operator profile enable $eid $iccid \
				--validity 300 --wait 300 < /dev/null 2>&1)
			echo $eid $operator $answer
			echo >> /tmp/ended
		done <<< "$cards"
	done
done
"""


def profile(mno, enabled, iccid, imsi):
    return {"mno": mno, "profile_type": "bootstrap" if enabled else "local", "iccid_prefix": iccid, "imsi_prefix": imsi, "msisdn_prefix": "88390" + iccid[-2:],
            "enabled": enabled, "memory": 32768}


def order(name, quantity, number):
    return {"name": name, "quantity": quantity, "smsr": SMSR, "eid_prefix": "8900199901000001%02d" % number, "platform_type": "box",
            "platform_version": "1.0.0", "memory": 262144, "http_support": True,
            "profiles": [profile(OPERATOR_A, True, "89883%02d1" % number, "9018%d0" % number), profile(OPERATOR_B, False, "89883%02d2" % number, "9018%d1" % number)]}


SIMULATOR = ("--admin", "/admin/cards/cards.sock", "card")


def gateway(operator):
    return "--gateway", "https://%s:8444" % operator, "--token-file", "/var/lib/rsp/tokens/" + operator


class Containers(unittest.TestCase):
    alone = True  # it measures time, and builds

    @classmethod
    def setUpClass(cls):
        why = containers.why_not()
        if why and os.getuid() != 0:
            raise unittest.SkipTest(why)  # a plain user's ./rsp test full; ./rsp test containers fails before it comes here
        if why:
            raise RspError(why)
        cls.stage = containers.Stage()
        try:
            cls.ready_s = cls.stage.start()
        except BaseException:
            cls.stage.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        left = cls.stage.stop()
        if left:
            raise RspError("left behind: " + "; ".join(left))

    # What everything here needs.
    def gateway(self, operator, *words):
        return self.stage.rspctl(*gateway(operator), *words)

    def cards(self, *words):
        return self.stage.rspctl(*SIMULATOR, *words)

    def registered(self, name, quantity, number):
        """A batch of cards that are known to the SM-SR and attached: their EIDs."""
        self.stage.at_desk("bash", "-c", "cat > /tmp/order.json", input_text=json.dumps(order(name, quantity, number)))
        batch = self.stage.rspctl("--order", "https://eum:8443", "batch", "create", "--file", "/tmp/order.json")["batch"]
        info = self.stage.rspctl("--order", "https://eum:8443", "batch", "status", batch, "--wait", "120")
        self.assertEqual((info["registered"], info["refused"]), (quantity, 0), info)
        self.assertGreaterEqual(self.cards("load")["new"], quantity)
        prefix = order(name, quantity, number)["eid_prefix"]
        eids = sorted(row["eid"] for row in self.cards("list", "--limit", "100000") if row["eid"].startswith(prefix))
        self.assertEqual(len(eids), quantity)
        self.cards("power", "on", "all")
        return eids

    def each(self, rows, *words):
        """rspctl WORDS ROW for every row, in one go: the answers in their order."""
        script = 'while read -r row; do rspctl --json "$@" $row | tr "\\n" " "; echo; done'
        said = self.stage.at_desk("bash", "-c", script, "each", *words, input_text="\n".join(rows) + "\n")
        answers = [json.loads(line) for line in said.strip().split("\n")]
        self.assertEqual(len(answers), len(rows), said)
        return answers

    def iccids(self, operator, eids):
        """{EID: ICCID} of the one profile that the operator has on each."""
        found = self.each(eids, *gateway(operator), "eis", "get")
        return {eid: iccid for eid, answer in zip(eids, found) for iccid in [row["iccid"] for row in answer["profiles"]]}

    @full
    def test_image_is_small_and_carries_no_secret(self):
        over = (self.stage.size - self.stage.base_size) / MIB
        print("      image: %.0f MiB over its base (at most %d)" % (over, OVER_BASE_MIB), flush=True)
        self.assertLess(over, OVER_BASE_MIB)
        self.assertGreater(over, 1)
        look = "grep -rlIsE '%s' /etc /home /root /opt /run /srv /var /parties /admin /usr/bin /usr/libexec /usr/local /usr/share/m2m-rsp; id -u rsp; ls -A /etc/rsp /parties/*" % SECRETS
        for image in self.stage.build_seconds:
            found = self.stage.engine.api("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", image, "-c", look + " 2> /dev/null", check=False)[1]
            lines = [line for line in found.split("\n") if line and not line.endswith(":")]
            self.assertEqual(lines, ["10001"], "%s: %s" % (image, found))
            config, = json.loads(self.stage.engine.api("image", "inspect", image)[1])
            self.assertEqual(config["User"], "rsp")
            self.assertEqual([row.split("=")[0] for row in config["Config"]["Env"]], ["PATH"])

    @full
    def test_containers_are_closed(self):
        """Each one unprivileged, without capabilities, on a root file system that cannot be written to; no keys of others."""
        rows = self.stage.compose.containers()
        for row in self.stage.inspect([row["Id"] for row in rows]):
            host = row["HostConfig"]
            self.assertTrue(host["ReadonlyRootfs"], row["Name"])
            self.assertFalse(host["Privileged"] or row["EffectiveCaps"], row["Name"])
            self.assertEqual((row["Config"]["User"], host["PidsLimit"] > 0, host["Memory"] > 0), ("rsp", True, True), row["Name"])
        running = [row["Names"][0] for row in rows if row["State"] == "running"]
        self.assertGreaterEqual(len(running), 14)
        for name in running:
            shown = self.stage.compose.exec(name, "bash", "-c", WHO, check=False)[1]
            self.assertEqual(re.findall(r"^Uid:\t(\d+)\t", shown, re.M), ["10001"], "%s: %s" % (name, shown))
            self.assertEqual(len(re.findall(r"^Cap\w+:\t0{16}$", shown, re.M)), 2, "%s: %s" % (name, shown))
            self.assertIn("NoNewPrivs:\t1\n", shown, name)
            self.assertEqual(shown.count("Read-only file system"), 4, "%s: %s" % (name, shown))
        shown = self.stage.compose.exec(self.stage.compose.name("sm-sr"), "bash", "-c", "touch /etc/rsp/x 2>&1; ls /etc/rsp/transport")[1]
        self.assertIn("Read-only file system", shown)
        self.assertIn("1.3.6.1.4.1.99999.1_%s.key" % SMSR, shown)
        self.assertNotIn("99999.3", shown)

    @full
    def test_all_are_ready_in_a_minute(self):
        print("      images built in %s; all ready after %.1f s (at most %d)" %
              (", ".join("%.0f s" % s for s in self.stage.build_seconds.values()), self.ready_s, READY_S), flush=True)
        self.assertLess(self.ready_s, READY_S)

    @full
    def test_compose_tool_runs_rspctl(self):
        """The service of the documentation. Its words are read from its log: to stay attached docker-compose 1.29 wants a program `docker`."""
        name = self.stage.compose("run", "--detach", "rspctl", "--admin", "/admin/eum/eum.sock", "entity", "list")[1].split()[-1]
        self.assertEqual(self.stage.engine.api("wait", name)[1].strip(), "0")
        shown = self.stage.engine.api("logs", name)[1]
        self.stage.engine.api("rm", name)
        for party in ("eum", "sm-sr", "sm-sr-b", "sm-dp", "operator-a", "operator-b", "m2m-sp"):
            self.assertIn(party, shown)

    @full
    def test_main_job(self):
        """Cards are registered; a profile is enabled, another one downloaded and enabled."""
        eids = self.registered("job", 4, 11)
        first, second = eids[:2]
        iccid = self.iccids("operator-b", [first])[first]
        ended = self.gateway("operator-b", "profile", "enable", first, iccid, "--wait", "60")
        self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)
        self.assertEqual(self.cards("show", first)["enabled"], iccid)
        smdp = ["--admin", "/admin/sm-dp/sm-dp.sock"]
        self.stage.rspctl(*smdp, "type", "add", "usim", "--default", "--mno", OPERATOR_B, "--memory", "40000")
        self.stage.rspctl(*smdp, "stock", "make", "box", *numbers(), "--mno", OPERATOR_B, "--type", "usim", "--quantity", "2")
        ended = self.gateway("operator-b", "download", second, "--type", "usim", "--enable", "--via", "sm-dp", "--wait", "120")
        self.assertEqual(ended["status"], "EXECUTED_SUCCESS", ended)
        card = self.cards("show", second)
        [stored] = [p for p in card["profiles"] if p["iccid"] == ended["iccid"]]
        made = self.stage.rspctl(*smdp, "stock", "digest", ended["iccid"])
        self.assertEqual((stored["digest"], stored["elements"], stored["state"]), (made["digest"], made["elements"], "Enabled"))
        told = [row["kind"] for row in self.gateway("operator-a", "notification", "list", "--eid", first)]
        self.assertEqual(told, ["disabled"])

    def views(self, eid):
        """The card as both operators read it, by the SM-SR that their gateway believes to have it."""
        found = [self.gateway(operator, "eis", "get", eid) for operator in OPERATORS]
        for eis in found:
            for row in eis["profiles"]:
                row["memory"].pop("free", None)  # known from the card alone, which the new SM-SR asks
        return [{name: eis.get(name) for name in KEPT} for eis in found]

    def change(self, eid, side):
        """The one row of that domain's handover service: its stage."""
        row, = self.stage.rspctl("--admin", self.stage.admin(side), "smsr-change", "list", "--eid", eid)
        return row["side"], row["stage"]

    @full
    def test_a_card_moves_to_the_other_domain(self):
        """Ordered at a gateway, by ES7 between the domains: what it has it keeps, the old keys are dead, operators are told once, the other SM-SR manages it."""
        [eid] = self.registered("moves", 1, 13)
        iccid = self.iccids("operator-b", [eid])[eid]
        before, keys = self.views(eid), set(self.cards("show", eid)["keys"])
        ended = self.gateway("operator-a", "smsr-change", "start", eid, "--to", SMSR_B, "--validity", "120", "--wait", "120")
        self.assertEqual((ended["status"], ended.get("code")), ("EXECUTED_SUCCESS", None), ended)
        for operator in OPERATORS:
            self.await_true(lambda operator=operator: self.told(operator, eid), "%s was not told" % operator)
        self.assertEqual(self.views(eid), before)
        self.assertEqual((self.change(eid, "sm-sr-handover"), self.change(eid, "sm-sr-handover-b")), (("out", "moved"), ("in", "owned")))
        self.assertFalse(keys & set(self.cards("show", eid)["keys"]), "keys of the old SM-SR are left")
        ended = self.gateway("operator-b", "profile", "enable", eid, iccid, "--wait", "60")
        self.assertEqual((ended["status"], ended["smsr"]), ("EXECUTED_SUCCESS", SMSR_B), ended)
        self.assertEqual(self.cards("show", eid)["enabled"], iccid)
        for operator in OPERATORS:
            self.assertEqual(self.told(operator, eid), [SMSR_B], operator)

    def told(self, operator, eid):
        """The SM-SRs that it was told have the card now."""
        return [row["new_smsr"] for row in self.gateway(operator, "notification", "list", "--eid", eid) if row["kind"] == "smsr_changed"]

    def await_true(self, condition, what, timeout_s=60):
        until = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.2)

    def replicas(self, count):
        self.stage.compose.up("--no-recreate", "--scale", "sm-sr=%d" % count)
        self.stage.await_ready({"sm-sr": count}, 60)
        rows = [row for row in self.stage.compose.containers("sm-sr") if row["State"] == "running"]
        self.assertEqual(len(rows), count)
        return rows

    @full
    def test_scaling_loses_nothing(self):
        """sm-sr is scaled to 3 and back to 1 while orders never pause: each ends well, once, and all replicas had work."""
        eids = self.registered("many", CARDS, 12)
        a, b = (self.iccids(operator, eids) for operator in OPERATORS)
        self.assertEqual((sorted(a), sorted(b)), (eids, eids))
        lines = ["%s %s %s" % (eid, a[eid], b[eid]) for eid in eids]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            orders = [pool.submit(self.order_on, lines[n::WORKERS]) for n in range(WORKERS)]
            try:
                at = [self.ended_orders(1)]
                rows = self.replicas(3)
                self.await_work(rows)
                at.append(self.ended_orders(at[-1] + 1))
                self.replicas(1)
                at.append(self.ended_orders(at[-1] + WORKERS))
            finally:
                self.stage.at_desk("touch", "/tmp/enough")
            said = [line.split(" ", 2) for order in orders for line in order.result().splitlines()]
        print("      %d operations, %d ended before sm-sr was scaled to 3, %d when it was, %d when it was 1 again" % (len(said), *at), flush=True)
        self.assertGreaterEqual(len(said), at[-1])
        self.assertEqual([row for row in said if json.loads(row[2]).get("status") != "EXECUTED_SUCCESS"], [])
        by = {(eid, operator): sum(row[:2] == [eid, operator] for row in said) for eid in eids for operator in OPERATORS}
        for eid, card in zip(eids, self.each(eids, *SIMULATOR, "show")):
            count = by[eid, "operator-a"] + by[eid, "operator-b"]
            self.assertEqual((card["enabled"], card["enables"]), (b[eid] if count % 2 else a[eid], count), card)
        for operator, other in (OPERATORS, OPERATORS[::-1]):
            wanted = [by[eid, other] for eid in eids]
            self.await_true(lambda: sum(self.disabled(operator, eids)) >= sum(wanted), "%s was told too little" % operator)
            self.assertEqual(self.disabled(operator, eids), wanted, operator)

    def order_on(self, lines):
        return self.stage.at_desk("bash", "-c", ORDERER, input_text="\n".join(lines) + "\n", timeout_s=900)

    def ended_orders(self, least):
        """How many have ended, when these are at the least."""
        count = 0

        def enough():
            nonlocal count
            count = int(self.stage.at_desk("bash", "-c", "cat /tmp/ended 2> /dev/null | wc -l"))
            return count >= least
        self.await_true(enough, "%d orders have not ended" % least, 120)
        return count

    def disabled(self, operator, eids):
        """How often it was told, card by card, that its profile was disabled."""
        told = self.each([eid + " --limit 1000" for eid in eids], *gateway(operator), "notification", "list", "--eid")
        return [[row["kind"] for row in rows].count("disabled") for rows in told]

    def await_work(self, rows):
        """Each replica has answered a partner or a card: its metrics say so."""
        idle = {row["Names"][0] for row in rows}

        def none_idle():
            nonlocal idle
            idle = {name for name in idle if not requests(self.stage.compose.exec(name, "bash", "-c", METRICS)[1])}
            return not idle
        self.await_true(none_idle, "no work came to a replica of sm-sr")


METRICS = "exec 3<> /dev/tcp/127.0.0.1/8080; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"


def requests(metrics):
    """Of partners and cards, that a process has answered."""
    return sum(float(value) for listener, value in re.findall(r'^rsp_http_requests_total\{listener="(\w+)".*\} (\S+)$', metrics, re.M)
               if listener in ("partner", "cards"))


def numbers():
    """ICCID and IMSI of the first subscription of the stock."""
    body = "898831300000000001"
    total = sum(sum(divmod(int(d) * (2 if i % 2 == 0 else 1), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10), "901813000000001"
