"""How the Handbook splits payments into training and test, and what it measures (chapters 3, 4).

The test leaves out cards that are known by then to be in a thief's hands, so that nobody is
praised for finding them again.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.fraud_model.simulator import HANDBOOK, Floats, Ints, Payments

TRAIN_DAYS = 7
DELAY_DAYS = 7
TEST_DAYS = 7
PUBLISHED_START = dt.date(2018, 7, 25)
"""The published results train from here on, and test two weeks later."""
CARDS_CHECKED = 100
"""A day, by those who look into the most suspicious."""


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of payments, in order of time."""

    train: Ints
    test: Ints


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model reaches on a test."""

    auc: float
    """Chance that a fraud scores above a genuine payment."""
    average_precision: float
    card_precision: float
    """Share of frauds among the 100 most suspicious cards of a day, mean of the days."""


def split(payments: Payments, start: dt.date, *, train_days: int = TRAIN_DAYS) -> Split:
    """Train from `start` on; test a week later, after the delay.

    With more `train_days` the training begins so much earlier, and the test is the same.
    """
    ends = (start - HANDBOOK.begins).days + TRAIN_DAYS
    train = _days(payments, ends - train_days, ends)
    caught = set(payments.customer[_frauds(payments, _days(payments, ends - TRAIN_DAYS, ends))])
    tests = []
    for number in range(TEST_DAYS):
        known = _days(payments, ends + number - 1, ends + number)
        caught |= set(payments.customer[_frauds(payments, known)])
        day = ends + DELAY_DAYS + number
        judged = _days(payments, day, day + 1)
        tests.append(judged[~np.isin(payments.customer[judged], list(caught))])
    return Split(train, np.concatenate(tests))


def scores(payments: Payments, test: Ints, predictions: Floats) -> Scores:
    """The three figures that the Handbook compares models by."""
    fraud = payments.fraud[test]
    return Scores(
        _auc(fraud, predictions),
        _average_precision(fraud, predictions),
        _card_precision(payments, test, predictions),
    )


def _days(payments: Payments, begin: int, end: int) -> Ints:
    first, last = np.searchsorted(payments.day, (begin, end))
    return np.arange(first, last)


def _frauds(payments: Payments, positions: Ints) -> Ints:
    return positions[payments.fraud[positions]]


def _auc(fraud: NDArray[np.bool_], predictions: Floats) -> float:
    """By the sum of the frauds' ranks, equal predictions sharing theirs."""
    _, place, number = np.unique(predictions, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(number) - (number - 1) / 2)[place]
    frauds, genuine = np.count_nonzero(fraud), np.count_nonzero(~fraud)
    return float((ranks[fraud].sum() - frauds * (frauds + 1) / 2) / (frauds * genuine))


def _average_precision(fraud: NDArray[np.bool_], predictions: Floats) -> float:
    """The precision at each threshold, weighted by the recall that it adds."""
    order = np.argsort(-predictions, kind="stable")
    found = np.cumsum(fraud[order])
    last_of_equals = np.append(np.diff(predictions[order]) != 0, True)
    found, seen = found[last_of_equals], np.flatnonzero(last_of_equals) + 1
    return float(np.sum(np.diff(found, prepend=0) * found / seen) / found[-1])


def _card_precision(payments: Payments, test: Ints, predictions: Floats) -> float:
    """Cards found on one day are no longer looked into on the next."""
    found: set[int] = set()
    precisions = []
    for day in np.unique(payments.day[test]):
        today = np.flatnonzero(payments.day[test] == day)
        worst: dict[int, float] = {}
        frauds = set()
        for customer, fraud, prediction in zip(
            payments.customer[test][today].tolist(),
            payments.fraud[test][today].tolist(),
            predictions[today].tolist(),
            strict=True,
        ):
            if customer in found:
                continue
            worst[customer] = max(prediction, worst.get(customer, prediction))
            if fraud:
                frauds.add(customer)
        checked = sorted(worst, key=worst.__getitem__, reverse=True)[:CARDS_CHECKED]
        caught = frauds.intersection(checked)
        precisions.append(len(caught) / CARDS_CHECKED)
        found |= caught
    return float(np.mean(precisions))
