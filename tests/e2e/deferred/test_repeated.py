# SPDX-License-Identifier: Apache-2.0
"""One FunctionCallIdentifier is one call (decisions.md A1), however often and by whichever way it is made; refusals go where answers of
the call would go."""
from tests.e2e.deferred.deferred_case import SUCCESS, DeferredCase
from tests.e2e.soap import new_id

END = "rps:ProcessingEnd"


class Repeated(DeferredCase):
    def test_while_it_runs_everybody_gets_the_one_answer(self):
        eid, other, partner, fci = self.card_off(), self.card(), self.partner(), new_id()
        waiting = [self.enable_meanwhile(eid, fci=fci)]
        messages = []
        for _ in range(2):
            accepted, message_id = self.enable_later(eid, partner, fci=fci)
            self.assert_accepted(accepted)
            messages.append(message_id)
        waiting.append(self.enable_meanwhile(eid, fci=fci))
        wrong = self.enable(other, fci=fci)
        self.assertEqual((wrong.status, wrong.code, wrong.subject_identifier), ("FAILED", "1.6/2.1", "FunctionCallIdentifier"))
        self.assertEqual((self.running(eid), self.count("procedure", eid), self.parked(eid)), (1, 1, 2))
        self.power_on(eid)
        answers = [call.value() for call in waiting] + [partner.wait(message_id) for message_id in messages]
        self.assertEqual({a.status for a in answers}, {SUCCESS})
        self.assertEqual(len({a.text(END) for a in answers}), 1)
        self.assert_switched(eid)
        self.assertEqual((self.switches(other), self.count("procedure", other)), (0, 0))
        self.assertEqual([len(partner.to(message_id)) for message_id in messages], [1, 1])

    def test_after_its_end_the_stored_answer_comes_at_once(self):
        eid, other, partner, fci = self.card(), self.card(), self.partner(), new_id()
        first = self.enable(eid, fci=fci)
        self.assertEqual(first.status, SUCCESS)
        # Nothing could answer now but what is stored.
        self.staging.cards.power(False, eid)
        again = self.enable(eid, fci=fci, validity=100)
        self.assertEqual((again.status, again.text(END)), (SUCCESS, first.text(END)))
        accepted, message_id = self.enable_later(eid, partner, fci=fci)
        self.assert_accepted(accepted)
        callback = partner.wait(message_id)
        self.assertEqual((callback.status, callback.text(END)), (SUCCESS, first.text(END)))
        wrong = self.enable(other, fci=fci)
        self.assertEqual((wrong.status, wrong.code, wrong.subject_identifier), ("FAILED", "1.6/2.1", "FunctionCallIdentifier"))
        self.assertEqual((self.count("procedure", eid), self.switches(other)), (1, 0))
        self.power_on(eid)
        self.assert_switched(eid)

    def test_refusals_come_by_callback(self):
        eid, partner, fci = self.card(), self.partner(), new_id()
        self.assertEqual(self.enable(eid).status, SUCCESS)
        ends = set()
        for _ in range(2):  # this refusal is remembered
            accepted, message_id = self.enable_later(eid, partner, fci=fci)
            self.assert_accepted(accepted)
            callback = partner.wait(message_id)
            self.assertEqual((callback.status, callback.code), ("FAILED", "8.2.1/1.2"))
            ends.add(callback.text(END))
        self.assertEqual(len(ends), 1)
        self.assert_switched(eid)

    def test_busy_comes_by_callback_and_is_forgotten(self):
        eid, partner, fci = self.card_off(), self.partner(), new_id()
        first = self.enable_meanwhile(eid)
        accepted, message_id = self.enable_later(eid, partner, fci=fci)
        self.assert_accepted(accepted)
        callback = partner.wait(message_id)
        self.assertEqual((callback.status, callback.code), ("FAILED", "1.2/4.4"))
        self.assertEqual(self.running(eid), 1)
        self.power_on(eid)
        self.assertEqual(first.value().status, SUCCESS)
        # Asked again it is another matter.
        answer = self.enable(eid, fci=fci)
        self.assertEqual((answer.status, answer.code), ("FAILED", "8.2.1/1.2"))
        self.assert_switched(eid)
