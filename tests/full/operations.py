# SPDX-License-Identifier: Apache-2.0
"""Many cards, each ordered one operation after the other by several kinds of callers, and the account at the end: what callers were told,
what the SM-SR holds and what the cards did must be one story."""
import collections
import http.client
import json
import threading
import time
import uuid

from tests.e2e import soap
from tests.e2e.helpers import Work

SUCCESS = "EXECUTED_SUCCESS"
STATES = {"Disabled": "1", "Enabled": "2"}
SPARE_S = 10  # beyond a deadline: until the answer is where it is waited for
COUNTS = ("enables", "disables", "deletes", "switches")
AGAIN_S = 0.2  # before a caller repeats itself


class Line:
    """A kept-alive connection of one thread to one place; made anew when it broke."""

    def __init__(self, address, context):
        self.address, self.context = address, context
        self.connection = None

    def ask(self, method, path, body, headers, timeout):
        """(status, body bytes). OSError: no answer; it is not known whether the request was heard."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(self.address, timeout=timeout, context=self.context)
            if self.connection.sock is None:
                self.connection.connect()
            self.connection.sock.settimeout(timeout)
            self.connection.request(method, path, body=body, headers=headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise OSError("no answer: %r" % e) from e

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Lines(threading.local):
    """Those of one thread, by place."""

    def __init__(self):
        self.all = {}

    def to(self, name, address, context):
        if name not in self.all:
            self.all[name] = Line(address, context)
        return self.all[name]


class Card:
    """What was ordered of one card, in order, and how each order ended."""

    def __init__(self, number, eid, iccids):
        self.number, self.eid, self.iccids = number, eid, iccids  # by owner
        self.enabled = "operator-a"
        self.told = dict.fromkeys(COUNTS, 0)  # what callers were told that it did
        self.ended = []

    def follow(self, kind, owner):
        """It succeeded. A profile that is deleted is disabled first; operator-a's is the fall-back."""
        was = self.enabled
        if kind != "audit":
            self.enabled = owner if kind == "enable" else "operator-a"
            self.told[kind + "s"] += 1
        self.told["disables"] += kind == "delete" and was == owner
        self.told["switches"] += self.enabled != was


class Operation:
    """way: callback and connection are a gateway's modes; direct: by a partner itself."""

    def __init__(self, kind, owner, way):
        self.kind, self.owner, self.way = kind, owner, way
        self.status = self.code = self.message = None
        self.seconds = 0.0


class Operations(Work):
    """steps: (kind, owner) of each card, one after the other. ways: cards take turns, step by step."""
    build = "release"
    steps = ()
    ways = ("callback", "connection", "direct")
    validity_s = 120
    lines = Lines()

    # Cards.
    def made(self, name, count):
        batch = self.order_batch(self.order_of(name, count))
        self.await_registered(batch, count, 180)
        self.staging.load_cards()
        self.staging.cards.power(True)
        of_batch = "eid in ('%s')" % "','".join(self.eids(batch))
        attached = "select count(distinct eid) from card_notification where type = 1 and confirmed and " + of_batch
        self.await_true(lambda: int(self.psql("sm_sr", attached)) == count, "not every card attaches", 300)
        owners = {self.staging.entities[name]["oid"]: name for name in ("operator-a", "operator-b")}
        iccids = collections.defaultdict(dict)
        for row in self.psql("sm_sr", "select eid, mno, iccid from profile where %s order by 1" % of_batch).split():
            eid, mno, iccid = row.split("|")
            iccids[eid][owners[mno]] = iccid
        return [Card(number, eid, of) for number, (eid, of) in enumerate(sorted(iccids.items()))]

    # One operation.
    def way_of(self, card, step):
        return self.ways[(card.number + step) % len(self.ways)]

    def gateway_call(self, owner, method, path, body=None, headers=None, timeout=90):
        line = self.lines.to(owner, self.staging.instances[owner].url("northbound").split("://")[1], self.contexts[""])
        while True:
            try:
                status, data = line.ask(method, path, body, dict(headers or {}, Authorization="Bearer " + self.tokens[owner]), timeout)
            except OSError:
                continue  # the gateway closes what was idle; the key makes the repetition harmless
            if status != 503:
                return status, json.loads(data)
            time.sleep(AGAIN_S)

    def by_gateway(self, card, operation):
        owner = operation.owner
        path = "/v1/euiccs/%s/audit" % card.eid
        if operation.kind != "audit":
            path = "/v1/euiccs/%s/profiles/%s/%s" % (card.eid, card.iccids[owner], operation.kind)
        order = json.dumps({"mode": operation.way, "validity_s": self.validity_s})
        status, answer = self.gateway_call(owner, "POST", path, order, {"Idempotency-Key": uuid.uuid4().hex})
        self.assertEqual(status, 202, answer)
        until = time.monotonic() + 2 * self.validity_s + 400  # the gateway gives it up 300 s behind the deadline
        while time.monotonic() < until:
            found = self.gateway_call(owner, "GET", "/v1/operations/%s?wait=60" % answer["operation"])[1]
            if found["state"] == "ended":
                return found["status"], found.get("code"), found.get("message", "")
        return "NO_END", None, "it is %s" % found["state"]

    def envelope(self, card, operation, fci):
        sender, receiver = (self.staging.entities[name]["oid"] for name in (operation.owner, "sm-sr"))
        if operation.kind == "audit":
            return soap.audit(sender, receiver, card.eid, fci=fci, validity=self.validity_s)
        root = "ES4-%sProfileRequest" % operation.kind.capitalize()
        body = soap.card_body(root, card.eid, [card.iccids[operation.owner]], fci, self.validity_s)
        return soap.envelope(sender, receiver, "http://gsma.com/ES4/PlatformManagement/" + root, body)

    def directly(self, card, operation):
        """A partner that waits on its connection, and repeats its FunctionCallIdentifier as long as it got no answer."""
        fci = soap.new_id()
        address = self.staging.bases("sm-sr")[0].split("://")[1]
        line = self.lines.to("direct " + operation.owner, address, self.contexts[operation.owner])
        until = time.monotonic() + 2 * self.validity_s + 60
        last = "nothing"
        while time.monotonic() < until:
            try:
                status, data = line.ask("POST", "/es4", self.envelope(card, operation, fci).encode(),
                                        {"Content-Type": "application/soap+xml; charset=utf-8"}, self.validity_s + 60)
            except OSError as e:
                last = str(e)
                time.sleep(AGAIN_S)
                continue
            answer = soap.Answer((status, {}, data))
            if status == 200 and (answer.status, answer.code) != ("FAILED", "1.2/4.4"):
                return answer.status, answer.code, answer.message or ""
            last = "HTTP %d %s" % (status, answer.message if status == 200 else data[:300])
            time.sleep(AGAIN_S)
        return "NO_END", None, last

    def operate(self, card, step):
        kind, owner = self.steps[step]
        operation = Operation(kind, owner, self.way_of(card, step))
        began = time.monotonic()
        act = self.directly if operation.way == "direct" else self.by_gateway
        operation.status, operation.code, operation.message = act(card, operation)
        operation.seconds = time.monotonic() - began
        if operation.status == SUCCESS:
            card.follow(kind, owner)
        card.ended.append(operation)

    def chain(self, card):
        for step in range(len(self.steps)):
            self.operate(card, step)

    def prepare(self):
        """What all threads share."""
        self.tokens = {name: self.token(name) for name in ("operator-a", "operator-b")}
        self.contexts = {name: self.tls_context(name or None) for name in ("", "operator-a", "operator-b")}

    # The account.
    def settled(self):
        """Nothing runs any more, waits for a card, a partner or the bus."""
        left = ("select (select count(*) from procedure where ended_at is null) + (select count(*) from card_command where state < 2)"
                " + (select count(*) from eid_busy) + (select count(*) from outbox) + (select count(*) from reply)"
                " + (select count(*) from eis_state where uncertain)")
        return self.psql("sm_sr", left) == "0" and self.staging.cards.stats()["open_sessions"] == 0

    def left(self):
        tables = ("procedure where ended_at is null", "card_command where state < 2", "eid_busy", "outbox", "reply", "eis_state where uncertain")
        return {table: self.psql("sm_sr", "select count(*) from " + table) for table in tables}

    def differences(self, cards):
        """(lost, twice): what callers were told of and cards did not do, and the other way round; EIS and card that differ."""
        held = {c["eid"]: c for c in self.staging.cards.cards()}
        said = collections.defaultdict(list)
        for row in self.psql("sm_sr", "select eid, iccid || '|' || state from profile order by 1, 2").split():
            eid, profile = row.split("|", 1)
            said[eid].append(profile)
        lost, twice = [], []
        for card in cards:
            c = held[card.eid]
            states = sorted("%s|%s" % (p["iccid"], STATES[p["state"]]) for p in c["profiles"])
            did = {name: c[name] for name in COUNTS}
            story = "%s did %s for %s, %s is enabled" % (card.eid, did, card.told, c["enabled"])
            if any(did[name] > card.told[name] for name in COUNTS):
                twice.append(story)
            elif did != card.told or c["enabled"] != card.iccids[card.enabled]:
                lost.append(story)
            if sorted(said[card.eid]) != states:
                lost.append("%s has %s, its EIS %s" % (card.eid, states, sorted(said[card.eid])))
        return lost, twice

    def late(self, cards):
        """What was answered or ended later than it may."""
        late = []
        for database in ("operator_a", "operator_b"):
            late += self.psql(database, "select id from operation where coalesce(ended_at, now()) > deadline + interval '%d s'" % SPARE_S).split()
        late += self.psql("sm_sr", "select id from procedure where coalesce(ended_at, now()) > deadline + interval '%d s'" % SPARE_S).split()
        return late + ["%s %s" % (card.eid, o.kind) for card in cards for o in card.ended
                       if o.way == "direct" and o.seconds > self.validity_s + SPARE_S]

    def account(self, name, cards, settle_s=120):
        """Prints it and fails unless it is even."""
        began = time.monotonic()
        while not self.settled() and time.monotonic() - began < settle_s:
            time.sleep(0.5)
        operations = [o for card in cards for o in card.ended]
        lost, twice = self.differences(cards)
        lost += ["%s %s %s: %s %s %s" % (card.eid, o.kind, o.way, o.status, o.code, o.message) for card in cards for o in card.ended
                 if o.status in ("NO_END", "NO_ANSWER")]
        late = self.late(cards)
        for (kind, way), seconds in sorted(self.times(operations).items()):
            print("      %-8s %-11s %5d, p50 %6.2f s, p99 %6.2f s, longest %6.2f s" %
                  (kind, way, len(seconds), seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100], seconds[-1]), flush=True)
        print("      outcomes: %s" % dict(collections.Counter((o.kind, o.status, o.code) for o in operations)), flush=True)
        print("      %s: %d operations, lost %d, twice %d, late %d" % (name, len(operations), len(lost), len(twice), len(late)), flush=True)
        self.assertEqual((lost[:20], twice[:20], late[:20]), ([], [], []))
        self.assertTrue(self.settled(), "%d s after the last answer is left: %s" % (settle_s, self.left()))
        return operations

    @staticmethod
    def times(operations):
        found = collections.defaultdict(list)
        for o in operations:
            found[o.kind, o.way].append(o.seconds)
        return {key: sorted(values) for key, values in found.items()}
