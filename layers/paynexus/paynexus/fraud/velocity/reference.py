"""What the windows answer, by definition and incrementally for replays. Pure."""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from paynexus.fraud.model import Entities, EntityKind
from paynexus.fraud.velocity.windows import (
    BY_KIND,
    LONGEST_SECONDS,
    MEMBERS_MAX,
    MINUTE_SECONDS,
    MOST,
    WINDOWS,
    Measure,
    Window,
)

type Counts = Mapping[str, int | None]
"""What each window answers, by its name; None where the payment lacks what is counted."""

EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
SECOND = 1_000_000
"""Microseconds: the resolution of all times here."""
MINUTE = MINUTE_SECONDS * SECOND
SWEEP_LEAST = 10_000
"""A replay forgets entities of long ago once it holds twice as many as it kept, or this many."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A payment as velocity sees it. Equal ids are one payment, and have all else in common."""

    payment_id: UUID
    at: dt.datetime
    amount: int
    """In minor units, above zero."""
    currency: str
    entities: Entities

    @property
    def moment(self) -> int:
        """Its time in microseconds since 1970."""
        return moment_of(self.at)


def moment_of(at: dt.datetime) -> int:
    """In microseconds since 1970."""
    return (at - EPOCH) // dt.timedelta(microseconds=1)


def counted(observation: Observation, known: Iterable[Observation]) -> Counts:
    """By definition: what the windows answer about it once it and `known` have been observed."""
    payments: dict[UUID, Observation] = {}
    for one in (*known, observation):
        payments.setdefault(one.payment_id, one)
    return {window.name: _counted(window, observation, payments.values()) for window in WINDOWS}


def _counted(
    window: Window, observation: Observation, payments: Iterable[Observation]
) -> int | None:
    entity = observation.entities.get(window.of)
    if entity is None:
        return None
    of = [one for one in payments if one.entities.get(window.of) == entity]
    if window.of is EntityKind.MERCHANT:
        return _measured(window, observation, _by_the_minute(window, observation, of))
    after = observation.moment - window.seconds * SECOND
    within = [one for one in of if after < one.moment <= observation.moment]
    within.sort(key=lambda one: (one.moment, one.payment_id))
    return _measured(window, observation, within[-MEMBERS_MAX:])


def _by_the_minute(
    window: Window, observation: Observation, of: Iterable[Observation]
) -> list[Observation]:
    last = observation.moment // MINUTE
    first = last - window.seconds // MINUTE_SECONDS
    return [one for one in of if first <= one.moment // MINUTE <= last]


def _measured(window: Window, observation: Observation, within: Iterable[Observation]) -> int:
    match window.measure:
        case Measure.COUNT:
            return sum(1 for _ in within)
        case Measure.SUM:
            amounts = (one.amount for one in within if one.currency == observation.currency)
            return min(sum(amounts), MOST)
        case Measure.DISTINCT:
            assert window.distinct  # noqa: S101 - by what DISTINCT means
            return len({one.entities.get(window.distinct) for one in within} - {None})


class Replay:
    """The same answers for payments in the order of their times, at a constant cost of each.

    Within an equal time, the order is that of their ids. A payment sees those observed before
    it, and none that comes later: a replay can't look ahead.
    """

    def __init__(self) -> None:
        self._entities: dict[tuple[EntityKind, bytes], _Tallies] = {}
        self._moment: int | None = None
        self._ids: set[UUID] = set()
        """Of the payments at this moment: only they can come again."""
        self._sweep_at = SWEEP_LEAST

    def observe(self, observation: Observation) -> Counts:
        """It counts, once, and this is what the windows answer about it.

        Raises ValueError for a time before that of an earlier call.
        """
        moment = observation.moment
        is_new = self._is_new(observation.payment_id, moment)
        answers: dict[str, int | None] = dict.fromkeys(window.name for window in WINDOWS)
        for kind, entity in observation.entities.items():
            tallies = self._entities.get((kind, entity))
            if tallies is None:
                tallies = self._entities[kind, entity] = _Tallies(kind)
            answers |= tallies.observe(observation, moment, is_new=is_new)
        if len(self._entities) >= self._sweep_at:
            self._sweep(moment)
        return answers

    def _is_new(self, payment_id: UUID, moment: int) -> bool:
        if self._moment is not None and moment < self._moment:
            raise ValueError("a replay is fed in the order of time")
        if moment != self._moment:
            self._moment = moment
            self._ids.clear()
        is_new = payment_id not in self._ids
        self._ids.add(payment_id)
        return is_new

    def _sweep(self, moment: int) -> None:
        horizon = moment - LONGEST_SECONDS * SECOND - MINUTE
        self._entities = {
            key: tallies for key, tallies in self._entities.items() if tallies.latest > horizon
        }
        self._sweep_at = max(SWEEP_LEAST, 2 * len(self._entities))


class _Tallies:
    """Of one entity, a running answer of each window."""

    __slots__ = ("_tallies", "latest")

    def __init__(self, kind: EntityKind) -> None:
        self._tallies = tuple(_Tally(window) for window in BY_KIND[kind])
        self.latest = 0

    def observe(self, observation: Observation, moment: int, *, is_new: bool) -> dict[str, int]:
        self.latest = moment
        answers = {}
        for tally in self._tallies:
            tally.move_to(moment)
            if is_new:
                tally.add(observation, moment)
            answers[tally.window.name] = tally.answer(observation.currency)
        return answers


class _Tally:
    """What one window holds, and the sum of it by what is told apart: currency or entity."""

    __slots__ = ("_is_merchant", "_kept", "_span", "_sums", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self._is_merchant = window.of is EntityKind.MERCHANT
        self._span = window.seconds * SECOND
        self._kept: deque[tuple[int, str | bytes | None, int]] = deque()
        self._sums: dict[str | bytes | None, int] = {}

    def move_to(self, moment: int) -> None:
        """What lies before the window that ends at this moment is gone."""
        after = moment - self._span
        if self._is_merchant:
            after = after // MINUTE * MINUTE - 1
        while self._kept and self._kept[0][0] <= after:
            self._drop()

    def add(self, observation: Observation, moment: int) -> None:
        """It counts; one beyond so many goes. A merchant's of one minute are kept together."""
        key, weight = self._weighed(observation)
        self._sums[key] = self._sums.get(key, 0) + weight
        if not self._is_merchant:
            self._kept.append((moment, key, weight))
            if len(self._kept) > MEMBERS_MAX:
                self._drop()
            return
        minute = moment // MINUTE * MINUTE
        if self._kept and self._kept[-1][:2] == (minute, key):
            weight += self._kept.pop()[2]
        self._kept.append((minute, key, weight))

    def answer(self, currency: str) -> int:
        """What the window answers a payment in this currency."""
        if self.window.distinct:
            return len(self._sums) - (None in self._sums)
        is_sum = self.window.measure is Measure.SUM
        return min(self._sums.get(currency if is_sum else None, 0), MOST)

    def _weighed(self, observation: Observation) -> tuple[str | bytes | None, int]:
        if self.window.distinct:
            return observation.entities.get(self.window.distinct), 1
        if self.window.measure is Measure.SUM:
            return observation.currency, observation.amount
        return None, 1

    def _drop(self) -> None:
        _, key, weight = self._kept.popleft()
        self._sums[key] -= weight
        if not self._sums[key]:
            del self._sums[key]
