"""Runs the back-tests that wait, in the background, until a deadline."""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from paynexus import ids
from paynexus.clock import Clock
from paynexus.db import Connection, Database
from paynexus.errors import NotFound
from paynexus.fraud.backtest import effects, wiring
from paynexus.fraud.backtest.model import ATTEMPTS_MAX, PAYMENTS_MAX, Backtest, Period
from paynexus.fraud.backtest.replay import Moment, replay
from paynexus.fraud.backtest.report import report_of
from paynexus.fraud.backtest.store import moments as past
from paynexus.fraud.backtest.store import runs
from paynexus.fraud.backtest.store.listed import on_lists
from paynexus.fraud.backtest.tally import Hindsight, Tally
from paynexus.observability import count, logger

RUN_SECONDS = 30
"""Of the minute that a function has, so much is for back-tests: about 100,000 payments."""
CLOCK_EVERY = 500
"""Payments and labels that are replayed between two looks at the clock."""


class OutOfTime(Exception):
    """The worker's time is up in the middle of a replay."""


def run_pending(
    database: Database,
    *,
    now: dt.datetime,
    deadline: dt.datetime | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Back-tests that waited were run, the oldest first, until the deadline; how many ended.

    Without a deadline a run has RUN_SECONDS.

    Any number of workers may do so at a time: each back-test is one's. One that isn't finished
    at the deadline waits for the next, ATTEMPTS_MAX times; so does that of a worker that died.
    """
    began, ended = monotonic(), 0
    deadline = deadline or now + dt.timedelta(seconds=RUN_SECONDS)

    def clock() -> dt.datetime:
        return now + dt.timedelta(seconds=monotonic() - began)

    while (present := clock()) < deadline:
        with database.statement() as connection:
            taken = runs.take(connection, now=present, until=deadline)
        if taken is None:
            break
        ended += _run(database, taken, clock=clock, deadline=deadline)
    return ended


def _run(database: Database, taken: Backtest, *, clock: Clock, deadline: dt.datetime) -> bool:
    """Whether it ended, well or not."""
    if taken.attempts > ATTEMPTS_MAX:
        return _failed(database, taken, "interrupted", now=clock())
    try:
        with database.transaction() as tx:
            report, replaces = _replayed(tx, taken, clock=clock, deadline=deadline)
    except OutOfTime:
        if taken.attempts == ATTEMPTS_MAX:
            return _failed(database, taken, "out_of_time", now=clock())
        with database.statement() as connection:
            runs.put_back(connection, taken)
        return False
    except NotFound:
        return _failed(database, taken, "change_is_gone", now=clock())
    with database.statement() as connection:
        is_own = runs.complete(connection, taken, replaces=replaces, report=report, now=clock())
    if is_own:
        count("FraudBacktestCompleted")
    return is_own


def _failed(database: Database, taken: Backtest, failure: str, *, now: dt.datetime) -> bool:
    logger.warning("back-test failed", backtest=ids.text("fbt", taken.id), failure=failure)
    with database.statement() as connection:
        is_own = runs.fail(connection, taken, failure, now=now)
    if is_own:
        count("FraudBacktestFailed")
    return is_own


def _replayed(
    tx: Connection, taken: Backtest, *, clock: Clock, deadline: dt.datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report, and what the change would replace; all of one snapshot of the database."""
    past.snapshot(tx)
    scope, since = taken.scope, taken.period.since
    replaces = effects.standing(tx, taken.change, merchant_id=scope.merchant_id)
    now = clock()
    bench = wiring.bench(tx, taken.change, scope=scope, period=taken.period, now=now)
    # Of its request, not of its run: whoever runs it, and however often, it says the same.
    labels = past.hindsight(tx, scope, taken.period, as_of=taken.created_at)
    tally = Tally(Hindsight(labels, as_of=taken.created_at))
    warm_up = past.count(tx, scope, Period(taken.warm_up_from, since), limit=PAYMENTS_MAX)
    moments = past.moments(tx, scope, Period(taken.warm_up_from, taken.period.until))
    asked = on_lists(tx, moments, scope, since=since, now=now)
    judged = replay(
        _until(asked, clock=clock, deadline=deadline),
        features=bench.features,
        base=bench.base,
        candidate=bench.candidate,
        since=since,
    )
    for one in judged:
        tally.add(one)
    return report_of(tally, warm_up=warm_up), replaces


def _until(moments: Iterable[Moment], *, clock: Clock, deadline: dt.datetime) -> Iterator[Moment]:
    for number, moment in enumerate(moments):
        if number % CLOCK_EVERY == 0 and clock() >= deadline:
            raise OutOfTime
        yield moment
