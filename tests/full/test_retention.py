# SPDX-License-Identifier: Apache-2.0
"""What is kept how long (docs/operate.md, decisions.md F2): rows are made old by SQL, and the cleaning that comes every second deletes what it
may, in batches, and nothing else."""
import os
import re

from rsp.paths import ROOT
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase

CLEANING = {"CLEAN_S": "1"}
DATABASES = ("sm_sr", "eum", "operator_a", "operator_b")
# What is younger than each row's keeping time by a day, and older by one.
AGES = {"young": 6, "old": 8}


class Retention(DeferredCase):
    build = "release"
    needs = {"settings": {"sm-sr": dict(CLEANING, TRIGGER_AGAIN_S="600"), "eum": CLEANING, "operator-gateway": CLEANING}}
    batch = 3

    def number(self, sql, database="sm_sr"):
        return int(self.psql(database, "select count(*) from " + sql))

    def await_number(self, expected, sql, database="sm_sr"):
        self.await_true(lambda: self.number(sql, database) == expected,
                        "%s: never %d in %s" % (sql, expected, database), 20)

    def cleaned(self, name):
        """The cleaning has been round once more, from its beginning to its end."""
        marker = "insert into seen (entity, message_id, digest, at) values ('marker', '%s', '', now() - interval '8 days')"
        database = name.replace("-", "_")
        for i in range(2):  # the first may have met it in its midst
            self.psql(database, marker % i)
            self.await_number(0, "seen where entity = 'marker'", database)

    def test_ended_rows_go_and_running_ones_stay(self):
        done, runs = self.card(), self.card_off()
        words = self.staging.gateway_words("operator-b")
        operation = self.rspctl.profile_enable(words, done, self.iccid(done), wait_s=40)["operation"]
        waits = self.rspctl.profile_enable(words, runs, self.iccid(runs), validity_s=600)["operation"]
        self.await_true(lambda: self.number("sms_out where eid = '%s' and state in (1, 2)" % runs) == 1, "no SMS is on its way")
        self.await_true(lambda: self.count("outbox", done) == 0, "the outbox keeps a row")
        self.await_true(lambda: self.number("notification where eid = '%s'" % done, "operator_a") == 1, "operator-a is not told")
        trail = self.count("audit_trail", done)
        self.assertGreater(trail, 0)
        # All of both cards is as old as can be, but for what tells when it ended.
        self.psql("sm_sr", """
            update procedure set started_at = started_at - interval '8 days', ended_at = ended_at - interval '8 days';
            update card_command set queued_at = queued_at - interval '8 days', ended_at = ended_at - interval '8 days';
            update sms_out set queued_at = queued_at - interval '8 days', ended_at = ended_at - interval '8 days';
            update card_notification set first_at = first_at - interval '8 days', last_at = last_at - interval '8 days';
            update audit_trail set at = at - interval '800 days';
            update eis_state set expired_aid = '\\xA0000005591010FFFFFFFF8900001100', uncertain = true where eid = '%s';
            update call c set at = at - interval '8 days' where answer is not null;
            """ % done)
        for operator in ("operator_a", "operator_b"):
            self.psql(operator, """
                update operation set created_at = created_at - interval '31 days', ended_at = ended_at - interval '31 days';
                update notification set received_at = received_at - interval '31 days';""")
        for table in ("procedure", "card_command", "sms_out"):
            self.await_true(lambda t=table: self.count(t, done) == 0, "%s keeps the ended card's rows" % table, 20)
        self.await_number(0, "operation where eid = '%s'" % done, "operator_b")
        self.await_number(0, "notification where eid = '%s'" % done, "operator_a")
        for name in ("sm-sr", "operator-b"):
            self.cleaned(name)
        # What runs, and what is no journal of the past.
        self.assertEqual((self.count("procedure", runs), self.count("card_command", runs), self.count("sms_out", runs)), (1, 1, 1))
        self.assertEqual(self.number("operation where id = '%s'" % waits, "operator_b"), 1)
        self.assertEqual(self.rspctl.call(*words, "operation", "show", operation)[0], 4)
        self.assertEqual(self.count("audit_trail", done), trail)
        self.assertEqual(self.count("card_notification", done), 1)
        self.assertEqual(self.psql("sm_sr", "select uncertain, expired_aid is not null from eis_state where eid = '%s'" % done), "t|t")
        self.assertEqual(self.eis_has(done), self.card_has(done))
        # And it ends as if nothing had been.
        self.psql("sm_sr", "update eis_state set expired_aid = null where eid = '%s'" % done)
        self.power_on(runs)
        ended = self.rspctl.operation(words, waits, wait_s=40)
        self.assertEqual((ended["state"], ended["status"]), ("ended", SUCCESS))
        self.assert_switched(runs)

    def test_many_go_in_batches_and_by_their_age_alone(self):
        """More than a batch of each, of cards that nobody has."""
        rows = {
            "call": "insert into call (caller, function, fci, digest, at, answer) select 'x', 'f', '{age}' || i, '', {at}, '' {n}",
            "seen": "insert into seen (entity, message_id, digest, at) select 'x', '{age}' || i, '', {at} {n}",
            "procedure": "insert into procedure (eid, id, kind, state, caller, caller_roles, function, fci, deadline, ended_at)"
                         " select 'x', gen_random_uuid(), 0, 9, 'x', 2, '{age}', '', {at}, {at} {n}",
            "card_command": "insert into card_command (eid, kind, target, script, state, trigger_at, ended_at)"
                            " select 'x', 0, '', '', 2, {at}, {at} {n}",
            "sms_out": "insert into sms_out (eid, kind, kvn, counter, spi2, msisdn, packet, state, until, ended_at)"
                       " select 'x', 0, 1, i, 0, '{age}', '', 3, {at}, {at} {n}",
            "card_notification": "insert into card_notification (eid, seq, type, aid, last_at)"
                                 " select 'x' || i / 2, i % 2 + {age_days} * 2, 1, '', {at} + i % 2 * interval '1 s' {n}",
        }
        for age, days in AGES.items():
            for sql in rows.values():
                self.psql("sm_sr", sql.format(age=age, age_days=days, at="now() - interval '%d days'" % days,
                                              n="from generate_series(2, 4501) i"))
        left = {"call": "caller = 'x'", "seen": "entity = 'x'", "card_notification": "eid like 'x%'"}
        for table in rows:
            self.await_number(4500, "%s where %s" % (table, left.get(table, "eid = 'x'")))
        self.cleaned("sm-sr")
        for table in rows:
            self.assertEqual(self.number("%s where %s" % (table, left.get(table, "eid = 'x'"))), 4500, table)
        self.assertEqual(self.number("card_notification where eid like 'x%' and last_at < now() - interval '7 days'"), 0)
        # Of a card whose notifications are all old the newest stays.
        self.psql("sm_sr", "update card_notification set last_at = last_at - interval '2 days' where eid like 'x%'")
        self.await_number(2250, "card_notification where eid like 'x%'")
        self.assertEqual(self.number("card_notification where eid like 'x%' and seq % 2 = 0"), 0)
        for table in rows:
            self.psql("sm_sr", "delete from %s where %s" % (table, left.get(table, "eid = 'x'")))

    def test_dead_letters_stay_longer(self):
        for days in (8, 89, 91):
            self.psql("sm_sr", "insert into outbox (lane, shard, kind, dedup, payload, created_at, dead_at) values ('peer:1.2.3', 1,"
                      " 'ES4-EnableProfileResponse', 'd%d', '', now() - interval '%d days', now() - interval '%d days')" % (days, days, days))
        self.psql("sm_sr", "insert into outbox (lane, shard, kind, dedup, payload, created_at, next_at) values ('peer:1.2.3', 1,"
                  " 'ES4-EnableProfileResponse', 'waits', '', now() - interval '900 days', now() + interval '1 day')")
        self.await_number(0, "outbox where dedup = 'd91'")
        self.cleaned("sm-sr")
        self.assertEqual(self.number("outbox where lane = 'peer:1.2.3'"), 3)
        self.psql("sm_sr", "delete from outbox where lane = 'peer:1.2.3'")

    def test_answered_changes_of_properties(self):
        eid = self.card()
        self.psql("eum", "insert into property_update (id, eid, state, answered_at) select 'p' || d, '%s', 'done', now() - d * interval '1 day'"
                  " from generate_series(5, 9) d; insert into property_update (id, eid, created_at) values ('open', '%s', now() - interval '90 days')"
                  % (eid, eid))
        self.await_number(3, "property_update where eid = '%s'" % eid, "eum")
        self.cleaned("eum")
        self.assertEqual(self.psql("eum", "select id from property_update where eid = '%s' order by 1" % eid).split(), ["open", "p5", "p6"])

    def test_every_table_is_in_the_manual(self):
        with open(os.path.join(ROOT, "docs", "operate.md")) as f:
            text = f.read().split("## What is kept how long")[1].split("\n## ")[0]
        said = {}
        for row in re.findall(r"^\| (\w+|operator_\*) \| (`.*?) \|", text, re.M):
            said.setdefault(row[0], set()).update(re.findall(r"`(\w+)`", row[1]))
        for database in DATABASES:
            there = set(self.psql(database, "select tablename from pg_tables where schemaname = 'public'").split())
            own = said["operator_*" if database.startswith("operator") else database]
            self.assertEqual(there, own | said["every"], database)
