# SPDX-License-Identifier: Apache-2.0
"""The crash matrix (decisions G1, G2): every operation, held at every placed fault on its way, while one of the processes it needs dies.
It ends once and well, the card executes once what was ordered, EIS and card agree, and everybody hears of it."""
import os
import random

from tests.e2e.base import full
from tests.fault.matrix_case import MatrixCase
from tests.fault.points import VICTIMS, cells

SAMPLE = 12


class Matrix(MatrixCase):
    @classmethod
    def tearDownClass(cls):
        if cls.found:
            cls.table()
        cls.found.clear()

    @full
    def test_sm_sr(self):
        self.run_cells("sm-sr", cells(["sm-sr"]))

    @full
    def test_card(self):
        self.run_cells("card", cells(["card"]))

    @full
    def test_gateway(self):
        self.run_cells("gateway", cells(["gateway"]))

    @full
    def test_postgres(self):
        self.run_cells("postgres", cells(["postgres"]))

    @full
    def test_nats(self):
        self.run_cells("nats", cells(["nats"]))


class Sample(MatrixCase):
    """A few of the cells, others each time: RSP_SEED repeats a choice."""

    def test_sample(self):
        seed = int(os.environ.get("RSP_SEED") or random.SystemRandom().randrange(1 << 32))
        print("      RSP_SEED=%d" % seed, flush=True)
        chosen = random.Random(seed).sample(cells(), SAMPLE)
        cards = self.make_for(chosen)
        for victim in VICTIMS:
            some = [cell for cell in chosen if cell.victim == victim]
            if some:
                with self.subTest(victim=victim):
                    self.run_cells(victim, some, {cell: cards[cell] for cell in some})
        self.found.clear()
