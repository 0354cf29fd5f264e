"""The Handbook's fifteen features, over all payments at once (its chapter 3).

They are for the baselines alone. A window holds the payments of the customer, or at the
terminal, less than so many days ago and up to this one, itself included.
"""

from collections.abc import Iterator

import numpy as np

from tools.fraud_model.simulator import DAY_SECONDS, Floats, Ints, Payments

WINDOWS_DAYS = (1, 7, 30)
DELAY_DAYS = 7
"""So long it takes until a fraud is known."""
WEEK_DAYS = 7
FIRST_WEEKDAY = 6
"""The simulated world begins on a Sunday; Monday is 0."""
SATURDAY = 5
LAST_NIGHT_HOUR = 6
HOUR_SECONDS = 3_600


def features(payments: Payments) -> Floats:
    """One row for each payment, fifteen columns."""
    weekday = (payments.day + FIRST_WEEKDAY) % WEEK_DAYS
    hour = payments.seconds % DAY_SECONDS // HOUR_SECONDS
    columns = [payments.amount, weekday >= SATURDAY, hour <= LAST_NIGHT_HOUR]
    columns += _of_customers(payments)
    columns += _of_terminals(payments)
    return np.column_stack(columns).astype(np.float64)


def _of_customers(payments: Payments) -> Iterator[Floats]:
    """Number and mean amount."""
    windows = _Windows(payments.customer, payments.seconds)
    ones = np.ones(len(payments.seconds))
    for days in WINDOWS_DAYS:
        number = windows.sums(ones, days)
        yield number
        yield windows.sums(payments.amount, days) / number


def _of_terminals(payments: Payments) -> Iterator[Floats]:
    """Number and share of frauds, in windows that end the delay before the payment."""
    windows = _Windows(payments.terminal, payments.seconds)
    ones, frauds = np.ones(len(payments.seconds)), payments.fraud.astype(np.float64)
    for days in WINDOWS_DAYS:
        number, known = (
            windows.sums(each, DELAY_DAYS + days) - windows.sums(each, DELAY_DAYS)
            for each in (ones, frauds)
        )
        yield number
        yield known / np.maximum(number, 1)


class _Windows:
    """Sums over the payments of one owner, backwards from each payment."""

    def __init__(self, owner: Ints, seconds: Ints) -> None:
        self._order = np.lexsort((seconds, owner))
        # Owners lie one after another on one line of time, too far apart to meet.
        self._apart = int(seconds.max()) + (DELAY_DAYS + max(WINDOWS_DAYS) + 1) * DAY_SECONDS
        self._line = (owner * self._apart + seconds)[self._order]

    def sums(self, values: Floats, days: int) -> Floats:
        """Of the payments less than `days` ago, up to and with each payment."""
        totals = np.concatenate([[0.0], np.cumsum(values[self._order])])
        begin = np.searchsorted(self._line, self._line - days * DAY_SECONDS, side="right")
        found = np.empty(len(values))
        found[self._order] = totals[1:] - totals[begin]
        return found
