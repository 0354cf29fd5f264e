"""What the fraud model costs of our own CPU: features and score of a payment, and its start."""

import time
from collections.abc import Callable, Iterator
from statistics import median

from paynexus.fraud import scoring
from paynexus.fraud.history.features import features
from paynexus.fraud.history.model import (
    DAY_SECONDS,
    NEWEST_PAYMENTS,
    CardHistory,
    History,
    TerminalHistory,
)
from paynexus.money import Money
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run

MICROSECONDS = 1_000_000
MILLISECONDS = 1_000
BATCH = 200
BATCHES = 25
LOADS = 15
SCORE_GOAL_MICROSECONDS = 100
LOAD_GOAL_MILLISECONDS = 20
MONEY = Money(4999, "EUR")
HISTORY = History(
    CardHistory(
        tuple((day * DAY_SECONDS * 9 // 10, 1000 + 17 * day) for day in range(NEWEST_PAYMENTS)),
        (20 * DAY_SECONDS,),
    ),
    TerminalHistory(
        tuple((7 + day) * DAY_SECONDS for day in range(30)),
        ((8 * DAY_SECONDS, "a"), (9 * DAY_SECONDS, "b")),
    ),
)
"""The fullest history of a card, and a terminal with a payment a day."""


def measured(run: Run) -> Iterator[Part]:
    """Independent of the servers."""
    yield Part("Fraud model: own CPU", figures())


def figures() -> list[Figure]:
    """Features and score of one payment, and the first load of the model's file."""
    model = scoring.load()
    values = features(MONEY, HISTORY)
    return [
        Figure(
            "fraud model: score of a payment",
            _spent(lambda: model.score(values)),
            "µs",
            goal=SCORE_GOAL_MICROSECONDS,
        ),
        Figure(
            "fraud model: features of a payment", _spent(lambda: features(MONEY, HISTORY)), "µs"
        ),
        Figure("fraud model: cold load", _load(), "ms", goal=LOAD_GOAL_MILLISECONDS),
    ]


def _spent(act: Callable[[], object]) -> float:
    batches = []
    for _ in range(BATCHES):
        began = time.process_time()
        for _ in range(BATCH):
            act()
        batches.append((time.process_time() - began) / BATCH * MICROSECONDS)
    return median(batches)


def _load() -> float:
    loads = []
    for _ in range(LOADS):
        scoring.load.cache_clear()
        began = time.process_time()
        scoring.load()
        loads.append((time.process_time() - began) * MILLISECONDS)
    return median(loads)
