# SPDX-License-Identifier: Apache-2.0
"""An SM-SR that answers even ES1 by callback (dialect s_callback at both ends): cards are registered and changed all the same."""
import json
import os

from tests.e2e.base import full
from tests.e2e.helpers import Work

ANSWERED = 'rsp_calls_total{function="ES1-%s",status="ACCEPTED"} '


class Es1Callbacks(Work):
    def dialect(self, at, of, value, **addresses):
        """What one process knows of an entity; who is connected is looked up again only by a new connection."""
        with open(os.path.join(self.staging.folder, "registry", of + ".json")) as f:
            record = json.load(f)
        record["dialect"] = value
        record["addresses"].update(addresses)
        folder = self.staging.private_folder("dialect")
        path = os.path.join(folder, "%s.json" % of)
        with open(path, "w") as f:
            json.dump(record, f)
        self.rspctl.entity_import(self.admin(at), folder)
        os.unlink(path)

    def both(self, value):
        self.dialect("eum", "sm-sr", value)
        self.dialect("sm-sr", "eum", value, ES1=self.staging.instances["eum"].url() + "/es1")
        self.restart("eum")

    def accepted(self, name, function):
        lines = self.staging.management(name, "/metrics")[1].splitlines()
        return sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(ANSWERED % function))

    @full
    def test_cards_are_registered_and_changed_by_callback(self):
        self.both("s_callback=yes")
        self.addCleanup(self.both, "")
        before = self.accepted("sm-sr", "RegisterEIS")
        _, eids = self.batch_of(self.order_of("by-callback", 3))
        self.assertGreaterEqual(self.accepted("sm-sr", "RegisterEIS") - before, 3)
        self.assertEqual(self.accepted("eum", "RegisterEIS"), 3)  # the callbacks
        self.assertEqual(self.psql("sm_sr", "select count(*) from eis where eid in ('%s')" % "','".join(eids)), "3")
        self.assertEqual(self.psql("eum", "select count(*) from outbox where lane like 'peer:%'"), "0")
        self.await_true(lambda: self.psql("sm_sr", "select count(*) from outbox where kind = 'ES1-RegisterEISResponse'") == "0", "callbacks stay")
        self.rspctl.eis_properties(self.order(), eids[0], by="callback")
        done = "select count(*) from property_update where eid = '%s' and state = 'done'" % eids[0]
        self.await_true(lambda: self.psql("eum", done) == "1", "the change is never answered")
        self.assertEqual(self.accepted("eum", "UpdateEISAdditionalProperties"), 1)
