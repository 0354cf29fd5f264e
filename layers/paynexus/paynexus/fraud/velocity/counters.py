"""The windows in Redis: exact while it has forgotten nothing, and silent once it may have.

A *generation* is a set of keys that counts from nothing. A rebuild begins one, feeds it from
Postgres, and calls it complete if the server has neither restarted, nor failed over, nor evicted
anything, nor been flushed since. Each answer asks the same again. So what an eviction leaves
behind is never counted on, and never added to.
"""

import datetime as dt
from collections.abc import Sequence

from paynexus.cache import Argument, Cache, Script
from paynexus.fraud.model import EntityKind
from paynexus.fraud.velocity import scripts
from paynexus.fraud.velocity.reference import Counts, Observation, moment_of
from paynexus.fraud.velocity.windows import BY_KIND, LOGGED, MOST, Measure, Window

ANSWERED = tuple(window for kind in (*LOGGED, EntityKind.MERCHANT) for window in BY_KIND[kind])
"""The windows in the order of the script's answer."""
# The braces keep all keys together in a cluster, as one script needs them.
STATE = f"{{velocity:{scripts.LAYOUT}}}"
LARGEST = 2**53
"""Times and counts below this are exact in Lua. Amounts are exact up to 2^63, as in Postgres."""


class Counters:
    """Velocity in one Redis. `clock` is in microseconds since 1970; 0 is the server's own."""

    def __init__(self, cache: Cache, *, clock: int = 0) -> None:
        self._cache = cache
        self._clock = clock

    def observe(self, observation: Observation) -> Counts | None:
        """It counts, and this is what the windows answer about it, itself included.

        COLD where Redis can't tell though it is there; None where it is away or talks nonsense,
        and what it knows of the observation is unknown.
        """
        answer = self._run(scripts.OBSERVE, self._clock, *words(observation))
        if answer == [0]:
            return COLD
        return believed(observation, answer)

    def is_complete(self) -> bool:
        """Whether Redis answers; not, if it is away."""
        return self._run(scripts.IS_COMPLETE) == 1

    def begin(self, generation: str) -> bool:
        """Observations count in this new generation; false if another is new or Redis away."""
        return self._run(scripts.BEGIN, self._clock, generation) == 1

    def feed(self, observations: Sequence[Observation], *, generation: str = "") -> bool | None:
        """They count as if observed, once each; false if there is no such generation any more.

        None where Redis is away: to be tried again.
        """
        fed = [word for one in observations for word in words(one)]
        answer = self._run(scripts.FEED, self._clock, generation, *fed)
        return bool(answer) if answer in (0, 1) else None

    def finish(self, generation: str, *, since: dt.datetime) -> bool:
        """Redis answers: it holds all that payments since then can see.

        False if it lost something after `begin`, or is away.
        """
        return self._run(scripts.FINISH, self._clock, generation, moment_of(since)) == 1

    def sweep(self) -> None:
        """Former generations take no memory, as far as Redis answers."""
        cursor = self._run(scripts.SWEEP, b"0")
        while isinstance(cursor, bytes) and cursor != b"0":
            cursor = self._run(scripts.SWEEP, cursor)

    def _run(self, script: Script, *args: Argument) -> object:
        return self._cache.run(script, [STATE], args)


COLD: Counts = {}
"""No answer, from a Redis that is well."""


def words(observation: Observation) -> tuple[Argument, ...]:
    """An observation as the scripts read it."""
    assert 0 <= observation.moment < LARGEST  # noqa: S101 - no aware datetime is beyond
    return (
        observation.moment,
        observation.payment_id.bytes,
        observation.amount,
        observation.currency,
        *(observation.entities.get(kind, b"") for kind in scripts.KINDS),
    )


def believed(observation: Observation, answer: object) -> Counts | None:
    """What Redis answered, if it can be true."""
    if not isinstance(answer, list) or len(answer) != 1 + len(ANSWERED) or answer[0] != 1:
        return None
    values = {}
    for window, told in zip(ANSWERED, answer[1:], strict=True):
        value = _value(window, told)
        if not _can_be(window, observation, value):
            return None
        values[window.name] = None if value is None else min(value, MOST)
    return values


def _value(window: Window, told: object) -> int | None:
    """The number told; -1 for what is none."""
    if window.measure is Measure.SUM and isinstance(told, bytes):
        return int(told) if told.isdigit() else -1
    if told is None or (type(told) is int and window.measure is not Measure.SUM):
        return told
    return -1


def _can_be(window: Window, observation: Observation, value: int | None) -> bool:
    if window.of not in observation.entities:
        return value is None
    if value is None:
        return False
    match window.measure:
        case Measure.COUNT:
            return value >= 1
        case Measure.SUM:
            return value >= observation.amount
        case Measure.DISTINCT:
            return value >= (window.distinct in observation.entities)
