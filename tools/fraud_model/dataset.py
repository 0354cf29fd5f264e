"""The simulated payments with the features that a decision on each would have had."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from paynexus.fraud.history.features import FEATURES, features
from paynexus.fraud.history.replay import DAY, SECOND, Label, Paid, Replay
from paynexus.money import Money
from tools.fraud_model import simulator
from tools.fraud_model.simulator import Floats, Payments

LABEL_DAYS = 7
"""So long it takes until a fraud is known."""
FIRST_DAY, END_DAY = 59, 157
"""Payments outside of these days are in no training and no test; earlier ones are history."""
PROCESSES = 3
CENTS = 100
CURRENCY = "EUR"


def rows(payments: Payments, folder: Path) -> Floats:
    """A row of features, in their order, for each payment; all missing outside of our days.

    They are read from the folder, where they are written the first time.
    """
    path = folder / "features.npz"
    if not path.exists():
        np.savez(path, rows=_computed(payments, folder), names=list(FEATURES))
    with np.load(path) as stored:
        if stored["names"].tolist() != list(FEATURES):
            raise SystemExit(f"{path} holds other features: delete it, and call again")
        found: Floats = stored["rows"]
        return found


def replayed(payments: Payments) -> Iterator[tuple[Replay, Paid]]:
    """Each payment with the past as it was known when it came."""
    replay = Replay()
    columns = (payments.seconds, payments.customer, payments.terminal, payments.fraud)
    amounts = np.round(payments.amount * CENTS).astype(np.int64).tolist()
    whole = zip(*(column.tolist() for column in columns), amounts, strict=True)
    for number, (seconds, customer, terminal, fraud, amount) in enumerate(whole):
        paid = Paid(number, seconds * SECOND, str(customer), terminal, CURRENCY, max(amount, 1))
        yield replay, paid
        replay.add(paid)
        if fraud:
            replay.label(Label(paid, is_fraud=True, known_at=paid.at + LABEL_DAYS * DAY))


def _computed(payments: Payments, folder: Path) -> Floats:
    """Each process replays the past up to its own days, and looks at those."""
    table = np.full((len(payments.seconds), len(FEATURES)), np.nan)
    spans = list(pairwise(np.linspace(FIRST_DAY, END_DAY, PROCESSES + 1).astype(int).tolist()))
    with ProcessPoolExecutor(PROCESSES) as pool:
        for span, found in zip(spans, pool.map(partial(_of_days, folder), spans), strict=True):
            first, last = np.searchsorted(payments.day, span)
            table[first:last] = found
    return table


def _of_days(folder: Path, span: tuple[int, int]) -> Floats:
    first, last = span
    found = []
    for replay, paid in replayed(simulator.payments(folder)):
        if paid.at >= last * DAY:
            break
        if paid.at >= first * DAY:
            values = features(Money(paid.amount, paid.currency), replay.history(paid))
            found.append([np.nan if value is None else value for value in values.values()])
    return np.array(found, dtype=np.float64)
