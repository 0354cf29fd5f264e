"""Velocity: one trip to Redis, one to Postgres where Redis can't tell; and Redis kept right."""

import datetime as dt
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from paynexus import errors
from paynexus.cache import QUIET_SECONDS, Cache
from paynexus.db import STATEMENT_TIMEOUT_MS, Database
from paynexus.fraud.velocity import store
from paynexus.fraud.velocity.counters import Counters
from paynexus.fraud.velocity.reference import Observation
from paynexus.fraud.velocity.scripts import LATENESS_SECONDS
from paynexus.fraud.velocity.windows import (
    DAY_SECONDS,
    LONGEST_SECONDS,
    MINUTE_SECONDS,
    WINDOWS,
)
from paynexus.observability import count, logger

type Source = Literal["redis", "postgres", "none"]

ROWS_PER_READ = 1_000
"""Observations that a rebuild reads from Postgres at once."""
ROWS_PER_CALL = 25
"""Observations that one script takes: about a millisecond in which Redis serves nobody else."""
TRIES = 5
"""A rebuild asks a Redis that is away so often before it gives up; the next run begins anew."""
GAPS_PER_RUN = 100_000
"""More are the next run's."""
_NOBODY = UUID(int=0)
_SLACK = dt.timedelta(seconds=LATENESS_SECONDS + MINUTE_SECONDS)


@dataclass(frozen=True, slots=True)
class Counted:
    """What each window answers, by its name, and who told.

    None: the payment lacks what is counted; or, with the source 'none', it isn't known.
    """

    values: Mapping[str, int | None]
    source: Source


def observe_and_count(
    database: Database,
    cache: Cache,
    observation: Observation,
    *,
    now: dt.datetime,
    has_gaps: bool = False,
    timeout_ms: int = STATEMENT_TIMEOUT_MS,
) -> Counted:
    """It counts from now on, and this is what the windows answer about it, itself included.

    Its row in fraud_observations is committed already. `has_gaps` is what `fraud_gather`
    said: while it does, Redis is told, and Postgres asked. Never raises for
    Redis, nor for a Postgres that is away or takes longer than `timeout_ms`.
    """
    told = Counters(cache).observe(observation)
    if told and not has_gaps:
        return Counted(told, "redis")
    try:
        with database.statement() as connection:
            values = store.count(
                connection,
                observation,
                missed_at=now if told is None else None,
                milliseconds=timeout_ms,
            )
            return Counted(values, "postgres")
    except errors.DatabaseUnavailable:
        count("VelocityUnknown")
        return Counted(dict.fromkeys(window.name for window in WINDOWS), "none")


def tend(database: Database, cache: Cache, now: dt.datetime) -> int:
    """Redis answers, if it can: it is rebuilt once it may have forgotten, and gaps are closed.

    How many observations it learnt of that it may have missed.
    """
    if not Counters(cache).is_complete():
        rebuild(database, cache, now)
    return heal(database, cache, now)


def rebuild(
    database: Database,
    cache: Cache,
    now: dt.datetime,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> bool:
    """Redis counts from nothing all that the windows can reach, and answers from then on.

    False, and Redis does not answer: it is away, lost something meanwhile, or another rebuild
    was at work in the last minutes. Observers may go on meanwhile: each counts once.
    """
    counters, generation = Counters(cache), secrets.token_hex(6)
    if not counters.begin(generation):
        return False
    counters.sweep()
    for observations in _within_reach(database, now):
        if not _fed(counters, observations, generation, pause):
            logger.warning("velocity rebuild broken off")
            return False
    is_done = counters.finish(generation, since=now - dt.timedelta(seconds=LATENESS_SECONDS))
    count("VelocityRebuilt" if is_done else "VelocityRebuildLost")
    return is_done


def heal(database: Database, cache: Cache, now: dt.datetime) -> int:
    """Redis knows of the observations that it may have missed; how many those were.

    Zero as well where it is away; they are kept for the next time.
    """
    counters, healed = Counters(cache), 0
    with database.statement() as connection:
        store.forget_gaps(connection, before=_reach(now))
    while healed < GAPS_PER_RUN:
        with database.statement() as connection:
            missed = store.gaps(connection, limit=ROWS_PER_READ)
        if not missed or not _fed(counters, missed, "", None):
            break
        with database.statement() as connection:
            store.close(connection, [one.payment_id for one in missed])
        healed += len(missed)
    if healed:
        count("VelocityGapsClosed", healed)
    return healed


def _reach(now: dt.datetime) -> dt.datetime:
    """How far back the windows go of a payment that is as late as Redis allows."""
    return now - dt.timedelta(seconds=LONGEST_SECONDS) - _SLACK


def _within_reach(database: Database, now: dt.datetime) -> Iterator[Sequence[Observation]]:
    """All observations that a window can reach, in order within each scope, by the batch."""
    recent = now - dt.timedelta(seconds=DAY_SECONDS) - _SLACK
    with database.reading() as connection:
        scopes = store.scopes(connection)
    for scope in scopes:
        place: store.Place = (_reach(now), _NOBODY)
        while True:
            with database.reading() as connection:
                found = store.after(connection, scope, place, recent=recent, limit=ROWS_PER_READ)
            if found:
                yield found
            if len(found) < ROWS_PER_READ:
                break
            place = (found[-1].at, found[-1].payment_id)


def _fed(
    counters: Counters,
    observations: Sequence[Observation],
    generation: str,
    pause: Callable[[float], None] | None,
) -> bool:
    """Whether all of them count; a Redis that is away is waited for a little."""
    for start in range(0, len(observations), ROWS_PER_CALL):
        batch = observations[start : start + ROWS_PER_CALL]
        answer = counters.feed(batch, generation=generation)
        for _ in range(TRIES if pause else 0):
            if answer is not None or pause is None:
                break
            pause(QUIET_SECONDS)
            answer = counters.feed(batch, generation=generation)
        if not answer:
            return False
    return True
