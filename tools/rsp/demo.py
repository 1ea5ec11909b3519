# SPDX-License-Identifier: Apache-2.0
"""./rsp demo: cards are made by the EUM, registered at the SM-SR and read by the operators that own profiles on them; then demo_cards,
demo_download and demo_smsr."""
import http.client
import json
import os
import shutil
import ssl
import time

from . import demo_cards, demo_download, demo_smsr, roles
from .ctl import Order
from .demo_cards import cut
from .paths import RspError
from .staging import Staging

CARDS = 100
BATCH = "demo"
REGISTER_S = 120
OPERATORS = ("operator-a", "operator-b")


def order_for(staging, customer):
    pki = os.path.join(staging.pki, customer)
    return Order(staging.instances["eum"].url(), os.path.join(pki, "tls-client.pem"), os.path.join(pki, "tls-client.key"),
                 os.path.join(staging.pki, "tls-ca", "tls-ca.pem"), staging.entities[customer]["oid"])


def order(staging):
    """Every card: an enabled bootstrap profile of operator A and a disabled one of operator B."""
    def profile(owner, enabled, iccid, imsi):
        return {"mno": staging.entities[owner]["oid"], "profile_type": "bootstrap" if enabled else "local", "iccid_prefix": iccid,
                "imsi_prefix": imsi, "msisdn_prefix": "88390" + iccid[-2:], "enabled": enabled, "memory": 32768}
    return {"name": BATCH, "quantity": CARDS, "smsr": staging.entities["sm-sr"]["oid"], "eid_prefix": "890019990100000001",
            "platform_type": "demo", "platform_version": "1.0.0", "memory": 262144, "http_support": True,
            "profiles": [profile("operator-a", True, "8988211", "90170"), profile("operator-b", False, "8988212", "90171")]}


def make_cards(staging, ordered=None, limit_s=REGISTER_S):
    """Orders a batch and waits until the SM-SR has answered for every card. Returns (EIDs, seconds). ordered: not the demo's."""
    ordered = ordered or order(staging)
    path = os.path.join(staging.folder, "order.json")
    with open(path, "w") as f:
        json.dump(ordered, f)
    customer = order_for(staging, OPERATORS[0])
    began = time.monotonic()
    batch = staging.ctl.batch_create(customer, path)["batch"]
    while True:
        info = staging.ctl.batch_status(customer, batch)
        if info["registered"] + info["refused"] >= ordered["quantity"]:
            break
        if time.monotonic() - began > limit_s:
            raise RspError("after %d s only %d of %d cards are registered" % (limit_s, info["registered"], ordered["quantity"]))
        time.sleep(0.1)
    seconds = time.monotonic() - began
    if info["refused"]:
        raise RspError("%d of %d cards were refused" % (info["refused"], ordered["quantity"]))
    eids = staging.psql("eum", "select eid from card where batch = '%s' order by eid" % batch).split("\n")
    if len(eids) != ordered["quantity"]:
        raise RspError("the EUM has %d cards, %d were ordered" % (len(eids), ordered["quantity"]))
    return eids, seconds


class Reader:
    """An operator's system: one kept-alive connection to its gateway's northbound API."""

    def __init__(self, staging, operator):
        context = ssl.create_default_context(cafile=os.path.join(staging.pki, "tls-ca", "tls-ca.pem"))
        self.connection = http.client.HTTPSConnection("127.0.0.1", staging.instances[operator].ports["northbound"], context=context, timeout=60)
        with open(staging.token_file(operator)) as f:
            self.headers = {"Authorization": "Bearer " + f.read().strip()}

    def get(self, eid):
        self.connection.request("GET", "/v1/euiccs/" + eid, headers=self.headers)
        response = self.connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            raise RspError("GET /v1/euiccs/%s: HTTP %d %s" % (eid, response.status, body))
        return json.loads(body)


def read_cards(staging, operator, eids):
    """Reads each card as one operator, who must see exactly the one profile it owns. Returns (sorted seconds, ICCIDs)."""
    times, seen = [], set()
    reader = Reader(staging, operator)
    for eid in eids:
        began = time.monotonic()
        profiles = reader.get(eid)["profiles"]
        times.append(time.monotonic() - began)
        owners = {p["mno"] for p in profiles}
        if len(profiles) != 1 or owners != {staging.entities[operator]["oid"]} or profiles[0]["iccid"] in seen:
            raise RspError("%s sees on card %s: %s; one profile of its own was expected" % (operator, eid, profiles))
        seen.add(profiles[0]["iccid"])
    reader.connection.close()
    return sorted(times), seen


def percentile(times, p):
    return times[min(len(times) - 1, int(len(times) * p / 100))]


def show(staging):
    eids, seconds = make_cards(staging)
    print("%d cards made and registered in %.2f s: %.0f cards/s" % (len(eids), seconds, len(eids) / seconds), flush=True)
    views = []
    for operator in OPERATORS:
        times, iccids = read_cards(staging, operator, eids)
        views.append(iccids)
        print("%s read %d cards and saw its own profile on each: p50 %.1f ms, p99 %.1f ms" %
              (operator, len(eids), percentile(times, 50) * 1000, percentile(times, 99) * 1000), flush=True)
    if views[0] & views[1]:
        raise RspError("both operators see profiles %s" % sorted(views[0] & views[1])[:3])
    print("\nrspctl eis get, as operator-a:\n" + cut(staging.ctl.text(*staging.gateway_words("operator-a"), "eis", "get", eids[0])))
    print("\nrspctl messages, at the SM-SR: the call behind that\n" +
          cut(staging.ctl.text("--admin", staging.admin_socket("sm-sr"), "messages", "--xml", "--eid", eids[0], "--limit", "2")))
    demo_cards.show(staging, eids)
    downloaded = eids[demo_cards.CARDS:]
    demo_download.show(staging, downloaded)
    # The last that got a profile was not touched since.
    demo_smsr.show(staging, downloaded[demo_download.CARDS - 1], downloaded[demo_download.CARDS:])
    print("\nmemory (PSS):")
    for name, kib in staging.memory().items():
        print("  %-16s %6.1f MiB" % (name, (kib or 0) / 1024))


def run_demo(build_folder):
    staging = Staging(build_folder, "demo", services=roles.TWO_DOMAINS, settings={"euicc-sim": demo_cards.CARD_SETTINGS})
    print("starting PostgreSQL, nats-servers and %d services" % len(staging.instances), flush=True)
    bad = []
    try:
        staging.start()
        show(staging)
    finally:
        bad = staging.stop()
    if bad:
        raise RspError("did not end well: %s" % ", ".join("%s (%s)" % row for row in bad))
    shutil.rmtree(staging.folder, ignore_errors=True)
    print("demo: ok, nothing is left running")
    return 0
