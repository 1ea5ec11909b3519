# SPDX-License-Identifier: Apache-2.0
"""Orders at the EUM: every wrong field is named, an order is executed once, numbers are given out once, crashes lose and double nothing,
and what is ordered reaches the SM-SR however long that was away."""
import http.client
import json
import os
import stat

from tests.e2e.base import full
from tests.e2e.helpers import Background, Work
from tests.e2e.soap import Answer, envelope, new_id

FIELDS = ("Name", "Quantity", "Smsr-id", "EidPrefix", "PlatformType", "PlatformVersion", "Memory", "HttpSupport")
PROFILE_FIELDS = ("Mno-id", "IccidPrefix", "ImsiPrefix", "MsisdnPrefix", "Enabled", "Memory")


def element(name, value):
    return "" if value is None else "<rps:%s>%s</rps:%s>" % (name, value, name)


class Orders(Work):
    def setUp(self):
        """One kept-alive connection: there are many small calls."""
        self.connection = http.client.HTTPSConnection(self.staging.instances["eum"].url().split("//")[1], timeout=30,
                                                      context=self.tls_context("operator-a"))
        self.addCleanup(self.connection.close)

    def good(self):
        """The elements of an order that would be taken."""
        order = self.order_of("soap-%d" % (Work.series + 1), 1)
        values = (order["name"], 1, order["smsr"], order["eid_prefix"], "t", "1.0.0", 65536, "true")
        profiles = [dict(zip(PROFILE_FIELDS, (p["mno"], p["iccid_prefix"], p["imsi_prefix"], p["msisdn_prefix"],
                                               "true" if p["enabled"] else "false", p["memory"]))) for p in order["profiles"]]
        return dict(zip(FIELDS, values)), profiles

    def create(self, fields, profiles, fci=None):
        body = ("<rps:EUM-CreateBatchRequest>" + element("FunctionCallIdentifier", fci or new_id()) + "".join(element(f, fields[f]) for f in FIELDS) +
                "".join(element("Profile", "".join(element(f, p[f]) for f in PROFILE_FIELDS)) for p in profiles) + "</rps:EUM-CreateBatchRequest>")
        sender = self.staging.entities["operator-a"]["oid"]
        self.connection.request("POST", "/eum", envelope(sender, "1", "http://x/EUM-CreateBatchRequest", body).encode(),
                                {"Content-Type": "application/soap+xml; charset=utf-8"})
        response = self.connection.getresponse()
        return Answer((response.status, response.headers, response.read()))

    def batches(self):
        return self.psql("eum", "select count(*), (select count(*) from number_range) from batch")

    def refused(self, answer, code, element_name):
        self.assertEqual((answer.status, answer.code, answer.subject_identifier), ("FAILED", code, element_name), answer.raw)
        self.assertIn(element_name, answer.message)

    def test_each_wrong_element_is_named(self):
        fields, profiles = self.good()
        before = self.batches()
        wrong = {"Name": ("", "x" * 65), "Quantity": ("0", "-1", "100001", "x", ""), "Smsr-id": ("x", "1.3.6.1.4.1.99999.3", "1.2.3"),
                 "EidPrefix": ("8900199902000001", "1" * 18, "89x019990200000000", "8" * 19), "PlatformType": ("x" * 101,),
                 "PlatformVersion": ("one",), "Memory": ("0", "-1", "8191", "99999999999999999999"), "HttpSupport": ("maybe",)}
        for name, values in wrong.items():
            for value in values:
                with self.subTest(element=name, value=value):
                    self.refused(self.create(dict(fields, **{name: value}), profiles), "1.6/2.1", name)
        for name in FIELDS:
            with self.subTest(missing=name):
                self.refused(self.create(dict(fields, **{name: None}), profiles), "1.6/2.2", name)
        self.assertEqual(self.batches(), before, "a refusal changed something")

    def test_each_wrong_element_of_a_profile_is_named(self):
        fields, profiles = self.good()
        before = self.batches()
        wrong = {"Mno-id": ("x",), "IccidPrefix": ("12", "88", "89x", "8" * 18, "89" + "1" * 16), "ImsiPrefix": ("9011", "x", "9" * 15),
                 "MsisdnPrefix": ("x", "8" * 15), "Enabled": ("perhaps", "false"), "Memory": ("0", "x", "65537", str(1 << 62))}
        for name, values in wrong.items():
            for value in values:
                with self.subTest(element=name, value=value):
                    self.refused(self.create(fields, [dict(profiles[0], **{name: value}), profiles[1]]), "1.6/2.1", name)
        for name in ("Mno-id", "IccidPrefix", "Enabled", "Memory"):
            with self.subTest(missing=name):
                self.refused(self.create(fields, [dict(profiles[0], **{name: None}), profiles[1]]), "1.6/2.2", name)
        self.refused(self.create(fields, []), "1.6/2.2", "Profile")
        self.refused(self.create(fields, [profiles[0]] + [profiles[1]] * 8), "1.6/2.1", "Profile")
        self.refused(self.create(fields, [profiles[0], dict(profiles[1], Enabled="true")]), "1.6/2.1", "Enabled")
        self.assertEqual(self.batches(), before, "a refusal changed something")

    def test_numbers_that_overlap_or_do_not_suffice(self):
        fields, profiles = self.good()
        self.assertEqual(self.create(fields, profiles).status, "EXECUTED_SUCCESS")
        before = self.batches()
        more = dict(fields, Name="another")
        self.refused(self.create(fields, profiles), "1.6/2.1", "Name")
        for name in ("IccidPrefix", "ImsiPrefix", "MsisdnPrefix"):
            for prefix in (profiles[0][name] + "0", profiles[0][name][:-1]):
                with self.subTest(element=name, prefix=prefix):
                    self.refused(self.create(more, [dict(profiles[0], **{name: prefix}), profiles[1]]), "1.6/2.1", name)
        full = dict(profiles[0], IccidPrefix="89789789789789789")  # one digit is left to count
        self.refused(self.create(dict(more, Quantity=10), [full, profiles[1]]), "1.6/2.1", "IccidPrefix")
        self.assertEqual(self.batches(), before, "a refusal changed something")

    def test_the_same_order_again_is_executed_once(self):
        order = self.order_of("twice", 2, fci="twice-%s" % new_id())
        path = self.order_file(order)
        orders = [Background(self.rspctl.batch_create, self.order(), path) for _ in range(3)]
        self.assertEqual(len({o.value()["batch"] for o in orders}), 1)
        batch = self.order_batch(order)
        self.assertEqual(self.psql("eum", "select count(*) from batch where name = 'twice'"), "1")
        self.await_registered(batch, 2)
        code, output = self.rspctl.call(*self.order().words(), "batch", "create", "--file", self.order_file(dict(order, quantity=3)))
        self.assertEqual((code, json.loads(output)["error"]["subject_identifier"]), (1, "FunctionCallIdentifier"))

    def test_orders_with_the_same_prefixes_share_no_number(self):
        first = self.order_of("share-0", 3)
        orders = [first] + [dict(first, name="share-%d" % i) for i in range(1, 4)]
        paths = [self.order_file(order) for order in orders]
        made = [Background(self.rspctl.batch_create, self.order(), path) for path in paths]
        batches = [b.value()["batch"] for b in made]
        for batch in batches:
            self.await_registered(batch, 3)
        numbers = self.psql("eum", "select count(*), count(distinct c.eid), count(distinct p.iccid), count(distinct p.imsi),"
                            " count(distinct p.msisdn) from card c join card_profile p using (eid) where c.batch in ('%s')" % "','".join(batches))
        self.assertEqual(numbers, "24|12|24|24|24")
        self.assertEqual(sorted(sum((self.eids(b) for b in batches), [])), sorted(self.eid_of_order(first, n) for n in range(1, 13)))

    def test_who_did_not_order_sees_and_changes_nothing(self):
        batch, eids = self.batch_of(self.order_of("mine", 1))
        other = self.order("operator-b")
        code, output = self.rspctl.call(*other.words(), "batch", "status", batch)
        self.assertEqual((code, json.loads(output)["error"]["code"]), (1, "1.6/2.1"))
        code, output = self.rspctl.call(*other.words(), "eis", "properties", eids[0], "a=b")
        self.assertEqual((code, json.loads(output)["error"]["code"]), (1, "1.1/1.2"))


class Maker(Work):
    def file_is_whole(self, batch, quantity):
        """One line a card, complete, readable by its owner alone, nothing besides."""
        info = self.status(batch)
        path = info["file"]
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        self.assertFalse(os.path.exists(path + ".tmp"))
        with open(path) as f:
            cards = [json.loads(line) for line in f]
        self.assertEqual([card["eid"] for card in cards], self.eids(batch))
        self.assertEqual(len(cards), quantity)
        iccids = self.psql("eum", "select p.iccid from card_profile p join card c using (eid) where c.batch = '%s' order by c.ord, p.ord" % batch)
        self.assertEqual([p["iccid"] for card in cards for p in card["profiles"]], iccids.split())
        for card in cards:
            self.assertEqual([(k["version"], k["index"], k["type"]) for k in card["isdr_keys"]],
                             [(1, 1, "88"), (1, 2, "88"), (1, 3, "88"), (64, 1, "85"), (64, 2, "88")])
            self.assertEqual({len(k["key"]) for k in card["isdr_keys"]}, {32})
            self.assertEqual([len(card[name]) for name in ("ecasd_key", "ci_public_key")], [64, 130])
            self.assertTrue(card["ecasd_certificate"].upper().startswith("7F21"))
        with open(self.staging.log("eum")) as f:
            log = f.read().lower()
        self.assertNotIn(cards[0]["isdr_keys"][0]["key"].lower(), log)
        self.assertNotIn(cards[0]["ecasd_key"].lower(), log)

    @full
    def test_killed_while_it_makes_cards_and_their_file(self):
        with self.running_with("eum", MAKER_CARDS="2"):
            for point, card in (("eum.maker.made", 4), ("eum.maker.committed", 2), ("eum.file.renamed", None)):
                with self.subTest(point=point):
                    order = self.order_of(point.replace(".", "-"), 5)
                    self.rspctl.fault(self.admin("eum"), point, "kill", self.eid_of_order(order, card) if card else "*")
                    batch = self.order_batch(order)
                    self.assertEqual(self.staging.await_death("eum"), -9)
                    self.assertEqual(self.psql("eum", "select made from batch where id = '%s'" % batch), "5" if card is None else "2")
                    self.staging.start_service("eum")
                    self.await_registered(batch, 5)
                    self.await_true(lambda b=batch: self.psql("eum", "select file_at is not null from batch where id = '%s'" % b) == "t", "no file")
                    self.assertEqual(self.eids(batch), [self.eid_of_order(order, n) for n in range(1, 6)])
                    self.file_is_whole(batch, 5)


class OnTheWay(Work):
    def properties(self, eid):
        return self.psql("sm_sr", "select key, value from property where eid = '%s' order by key" % eid).split("\n")

    def test_properties_reach_the_sm_sr(self):
        batch, (eid,) = self.batch_of(self.order_of("properties-ordered", 1, properties={"lot": "1", "site": "B & <C>"}))
        self.assertEqual(self.properties(eid), ["lot|1", "site|B & <C>"])
        self.rspctl.eis_properties(self.order(), eid, lot="2", colour="grün")
        self.await_true(lambda: "lot|2" in self.properties(eid), "the change does not arrive", 20)
        self.assertEqual(self.properties(eid), ["colour|grün", "lot|2", "site|B & <C>"])
        self.await_true(lambda: self.psql("eum", "select distinct state from property_update where eid = '%s'" % eid) == "done", "never answered", 20)
        seen = self.northbound("operator-a", "/v1/euiccs/" + eid)[1]["properties"]
        self.assertEqual(seen, {"colour": "grün", "lot": "2", "site": "B & <C>"})

    @full
    def test_the_sm_sr_is_away_for_a_while(self):
        peer = "peer:" + self.staging.entities["sm-sr"]["oid"]
        with self.stopped("sm-sr"):
            batch = self.order_batch(self.order_of("away", 5))
            self.await_true(lambda: self.status(batch)["made"] == 5, "no cards", 20)
            eids = self.eids(batch)
            self.rspctl.eis_properties(self.order(), eids[0], late="yes")  # behind the registration, in its order
            self.await_true(lambda: "lane_paused" in self.staging.instances["eum"].child.log_tail(50), "the lane is not paused", 20)
            rows = self.psql("eum", "select count(*), sum(attempts) from outbox where lane = '%s' and eid in ('%s')" % (peer, "','".join(eids)))
            self.assertEqual(rows, "6|0", "rows of a peer that is away are not tried one by one")
            self.assertEqual(self.status(batch)["registered"], 0)
        self.await_registered(batch, 5)
        self.await_true(lambda: self.properties(eids[0]) == ["late|yes"], "the change does not arrive", 20)
        self.await_true(lambda: self.psql("eum", "select count(*) from outbox where lane = '%s'" % peer) == "0", "something is left", 20)
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis where eid in ('%s')" % "','".join(eids)), "5")
