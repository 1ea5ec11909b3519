# SPDX-License-Identifier: Apache-2.0
"""./rsp demo: cards are made by the EUM, registered at the SM-SR and read by the operators that own profiles on them."""
import json
import os
import shutil
import time

from .ctl import Order
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


def make_cards(staging):
    """Orders a batch and waits until the SM-SR has answered for every card. Returns (EIDs, seconds)."""
    path = os.path.join(staging.folder, "order.json")
    with open(path, "w") as f:
        json.dump(order(staging), f)
    customer = order_for(staging, OPERATORS[0])
    began = time.monotonic()
    batch = staging.ctl.batch_create(customer, path)["batch"]
    while True:
        info = staging.ctl.batch_status(customer, batch)
        if info["registered"] + info["refused"] >= CARDS:
            break
        if time.monotonic() - began > REGISTER_S:
            raise RspError("after %d s only %d of %d cards are registered" % (REGISTER_S, info["registered"], CARDS))
        time.sleep(0.1)
    seconds = time.monotonic() - began
    if info["refused"]:
        raise RspError("%d of %d cards were refused" % (info["refused"], CARDS))
    eids = staging.psql("eum", "select eid from card order by eid").split("\n")
    if len(eids) != CARDS:
        raise RspError("the EUM has %d cards, %d were ordered" % (len(eids), CARDS))
    return eids, seconds


def visible_profiles(eis):
    """ICCIDs of an answer."""
    return [p["iccid"] for p in eis["profiles"]]


def read_cards(staging, operator, eids):
    """Reads each card as one operator, who must see exactly the one profile it owns. Returns the sorted times in seconds."""
    times, seen = [], set()
    for eid in eids:
        began = time.monotonic()
        iccids = visible_profiles(staging.eis_get(operator, eid))
        times.append(time.monotonic() - began)
        if len(iccids) != 1 or iccids[0] in seen:
            raise RspError("%s sees profiles %s on card %s: one of its own was expected" % (operator, iccids, eid))
        seen.update(iccids)
    return sorted(times), seen


def percentile(times, p):
    return times[min(len(times) - 1, int(len(times) * p / 100))]


def show(staging):
    eids, seconds = make_cards(staging)
    print("%d cards made and registered in %.2f s: %.0f cards/s" % (len(eids), seconds, len(eids) / seconds))
    views = []
    for operator in OPERATORS:
        times, iccids = read_cards(staging, operator, eids)
        views.append(iccids)
        print("%s read %d cards, its own profile on each: p50 %.1f ms, p99 %.1f ms (a new rspctl process each time)" %
              (operator, len(eids), percentile(times, 50) * 1000, percentile(times, 99) * 1000))
    if views[0] & views[1]:
        raise RspError("both operators see profiles %s" % sorted(views[0] & views[1])[:3])
    print("\nmessages of one registration, from the SM-SR's journal:")
    print(staging.ctl.text("--admin", staging.admin_socket("sm-sr"), "messages", "--xml", "--eid", eids[0], "--limit", "2"))
    print("memory (PSS):")
    for name, kib in staging.memory().items():
        print("  %-14s %6.1f MiB" % (name, (kib or 0) / 1024))


def run_demo(build_folder):
    staging = Staging(build_folder, "demo")
    print("starting PostgreSQL, nats-server and %d services" % len(staging.instances), flush=True)
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
