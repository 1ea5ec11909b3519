# SPDX-License-Identifier: Apache-2.0
"""What several end-to-end tests need beyond base.Case: ordered batches, the northbound API, processes that stand still or run with
other settings."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from rsp import roles
from tests.e2e.base import Case


class Work(Case):
    series = 0

    # Waiting.
    def await_true(self, condition, what, timeout_s=60):
        until = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.05)

    # Batches.
    def profile(self, owner, letter, number, enabled=False):
        """Prefixes of equal length never overlap."""
        return {"mno": self.staging.entities[owner]["oid"], "profile_type": "t", "iccid_prefix": "8988%s%05d" % (letter, number),
                "imsi_prefix": "90%s%05d" % (letter, number), "msisdn_prefix": "88%s%05d" % (letter, number), "enabled": enabled, "memory": 4096}

    def order_of(self, name, quantity, owners=("operator-a", "operator-b"), **more):
        """An order whose numbers nobody else has; the first owner's profile is the bootstrap."""
        Work.series += 1
        order = {"name": name, "quantity": quantity, "smsr": self.staging.entities["sm-sr"]["oid"], "eid_prefix": "8900199902%08d" % Work.series,
                 "platform_type": "t", "platform_version": "1.0.0", "memory": 65536, "http_support": True,
                 "profiles": [self.profile(owner, i + 1, Work.series, i == 0) for i, owner in enumerate(owners)]}
        order.update(more)
        return order

    @staticmethod
    def eid_of_order(order, number=1):
        """The EID that the first order with this prefix gets as its number-th."""
        body = int("%s%012d" % (order["eid_prefix"], number)) * 100
        return str(body + 98 - body % 97)

    def order_file(self, order):
        path = os.path.join(self.staging.private_folder("orders"), "%s.json" % order["name"])
        with open(path, "w") as f:
            json.dump(order, f)
        return path

    def order_batch(self, order):
        return self.rspctl.batch_create(self.order(), self.order_file(order))["batch"]

    def status(self, batch):
        return self.rspctl.batch_status(self.order(), batch)

    def await_registered(self, batch, quantity, timeout_s=60):
        ended = "select count(*) from card where batch = '%s' and state <> 'submitted'" % batch
        self.await_true(lambda: int(self.psql("eum", ended)) >= quantity, "the batch never ends", timeout_s)
        info = self.status(batch)
        self.assertEqual((info["registered"], info["refused"]), (quantity, 0))
        return info

    def eids(self, batch):
        return self.psql("eum", "select eid from card where batch = '%s' order by ord" % batch).split()

    def batch_of(self, order):
        """Ordered and registered: (its id, its EIDs)."""
        batch = self.order_batch(order)
        self.await_registered(batch, order["quantity"])
        return batch, self.eids(batch)

    # Northbound.
    def token(self, gateway):
        with open(self.staging.token_file(gateway)) as f:
            return f.read().strip()

    def northbound(self, gateway, path, method="GET", body=None, token=None, headers=None, timeout=30):
        """(status, decoded JSON). token: None: the staging's; "": none."""
        token = self.token(gateway) if token is None else token
        headers = dict(headers or {}, **({"Authorization": "Bearer " + token} if token else {}))
        status, answer_headers, data = self.http(self.staging.instances[gateway].url("northbound") + path, method, body, headers, timeout=timeout)
        if status == 401:
            self.assertEqual(answer_headers["WWW-Authenticate"], "Bearer")
        return status, json.loads(data) if data else None

    def error(self, *call, **more):
        """(status, code) of a northbound call that must fail."""
        status, body = self.northbound(*call, **more)
        self.assertEqual(set(body), {"error"}, body)
        self.assertTrue(body["error"]["message"])
        return status, body["error"]["code"]

    # Processes.
    @contextlib.contextmanager
    def standing_still(self, name):
        """The process takes connections (its kernel does) and answers nothing."""
        proc = self.staging.instances[name].child.proc
        proc.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            proc.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stopped(self, name):
        self.assertEqual(self.staging.stop_service(name), 0)
        try:
            yield
        finally:
            self.staging.start_service(name)

    @contextlib.contextmanager
    def running_with(self, name, **settings):
        """The process restarted with other settings; afterwards as before."""
        before = self.staging.settings
        self.staging.settings = dict(before, **{name: settings})
        try:
            self.restart(name)
            yield
        finally:
            self.staging.settings = before
            self.restart(name)

    def run_program(self, name="sm-sr", *arguments, **changes):
        """(exit code, words) of the process with its usual variables, changed; None: not set."""
        instance = self.staging.instances[name]
        env = roles.environment(self.staging, instance)
        prefix = instance.role.prefix
        own = {"PORT": "0", "MANAGEMENT_PORT": "0", "ADMIN_SOCKET": "", "PORT_FILE": "", "JOURNAL": "", "REPLICA": "9"}
        if instance.role.folder == "sm-sr":
            own["CARDS_PORT"] = "0"
        for key, value in dict(own, **changes).items():
            if value is None:
                env.pop(prefix + key, None)
            else:
                env[prefix + key] = value
        done = subprocess.run([self.staging.program(instance.role.program), *arguments], env=env, timeout=60, check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        return done.returncode, done.stdout

    def key_file(self, name, content, mode=0o600):
        path = os.path.join(self.staging.private_folder("keys"), name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return path

    def restart(self, name):
        child = self.staging.instances[name].child
        if child.alive():
            self.assertEqual(self.staging.stop_service(name), 0)
        self.staging.start_service(name)


class Background(threading.Thread):
    """A call made meanwhile: value() is what it returned, or raises what it raised."""

    def __init__(self, function, *args, **more):
        super().__init__(daemon=True)
        self.function, self.args, self.more = function, args, more
        self.result = self.failure = None
        self.start()

    def run(self):
        try:
            self.result = self.function(*self.args, **self.more)
        except BaseException as e:
            self.failure = e

    def value(self, timeout_s=60):
        self.join(timeout_s)
        if self.is_alive():
            raise TimeoutError("no answer within %d s" % timeout_s)
        if self.failure:
            raise self.failure
        return self.result
