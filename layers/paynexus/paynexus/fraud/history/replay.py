"""The past of cards and terminals as it was known at each moment. Pure.

Payments are told in order of time. What happened is told to the replay once the moment has been
judged, and what is said of it by hindsight waits in a queue until its time: there is nothing in
its hands that a decision at that moment couldn't have known.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import count

from paynexus.fraud.history.model import (
    CARD_DAYS,
    DAY_SECONDS,
    MATURE_DAYS,
    NEWEST_LABELS,
    NEWEST_PAYMENTS,
    TERMINAL_DAYS,
    CardHistory,
    History,
    TerminalHistory,
)

SECOND = 1_000_000
DAY = DAY_SECONDS * SECOND


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment; `at` is in microseconds since any moment."""

    id: Hashable
    at: int
    card: str
    terminal: Hashable
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of a payment, from `known_at` on, in microseconds."""

    payment: Paid
    is_fraud: bool
    known_at: int


class Replay:
    """All that has been told so far."""

    def __init__(self) -> None:
        self._now = 0
        self._numbers = count()
        self._labels: list[tuple[int, int, Label]] = []
        self._present: deque[Paid] = deque()
        self._young: deque[Paid] = deque()
        self._by_card: defaultdict[str, deque[Paid]] = _newest(NEWEST_PAYMENTS)
        self._mature: defaultdict[Hashable, deque[Paid]] = _newest(NEWEST_PAYMENTS)
        self._said_of_card: defaultdict[str, deque[Label]] = _newest(NEWEST_LABELS)
        self._said_of_terminal: defaultdict[Hashable, deque[Label]] = _newest(NEWEST_LABELS)

    def add(self, payment: Paid) -> None:
        """It has happened, which counts from the next moment on; of one moment, in order of ids.

        Raises ValueError when a later moment has been told of already.
        """
        self._advance(payment.at)
        self._present.append(payment)

    def label(self, label: Label) -> None:
        """It will be known in time. Raises ValueError when that time is past."""
        if label.known_at < self._now:
            raise ValueError("a label can't have been known before")
        heapq.heappush(self._labels, (label.known_at, next(self._numbers), label))

    def history(self, payment: Paid) -> History:
        """What was known when the payment came, without itself."""
        self._advance(payment.at)
        return History(
            CardHistory(self._payments(payment), self._card_frauds(payment)),
            self._terminal(payment),
        )

    def _advance(self, now: int) -> None:
        if now < self._now:
            raise ValueError("payments are told in order of time")
        self._now = now
        while self._present and self._present[0].at < now:
            payment = self._present.popleft()
            self._by_card[payment.card].append(payment)
            self._young.append(payment)
        while self._labels and self._labels[0][0] < now:
            label = heapq.heappop(self._labels)[2]
            self._said_of_card[label.payment.card].append(label)
            self._said_of_terminal[label.payment.terminal].append(label)
        while self._young and self._young[0].at <= now - MATURE_DAYS * DAY:
            payment = self._young.popleft()
            self._mature[payment.terminal].append(payment)

    def _payments(self, payment: Paid) -> tuple[tuple[int, int], ...]:
        now = payment.at
        return tuple(
            ((now - each.at) // SECOND, each.amount)
            for each in self._by_card.get(payment.card, ())
            if each.at > now - CARD_DAYS * DAY and each.currency == payment.currency
        )

    def _card_frauds(self, payment: Paid) -> tuple[int, ...]:
        said = self._said_of_card.get(payment.card, ())
        since = payment.at - CARD_DAYS * DAY
        return tuple((payment.at - each.at) // SECOND for each in _frauds(said, since))

    def _terminal(self, payment: Paid) -> TerminalHistory:
        now = payment.at
        since = now - TERMINAL_DAYS * DAY
        frauds = _frauds(self._said_of_terminal.get(payment.terminal, ()), since)
        known = {each.id for each in frauds}
        genuine = tuple(
            (now - each.at) // SECOND
            for each in self._mature.get(payment.terminal, ())
            if each.at > since and each.id not in known
        )
        return TerminalHistory(
            genuine, tuple(((now - each.at) // SECOND, each.card) for each in frauds)
        )


def _newest[Key, Value](number: int) -> defaultdict[Key, deque[Value]]:
    return defaultdict(lambda: deque(maxlen=number))


def _frauds(said: deque[Label] | tuple[()], since: int) -> list[Paid]:
    """By the latest word on each payment."""
    latest = {label.payment.id: label for label in said if label.payment.at > since}
    return [label.payment for label in latest.values() if label.is_fraud]
