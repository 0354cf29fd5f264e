"""Use cases of back-tests: asked for, and read; `worker` runs them."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.fraud.backtest import changes, effects, wiring
from paynexus.fraud.backtest.model import (
    PAYMENTS_MAX,
    QUEUED_MAX,
    Backtest,
    Period,
    Scope,
)
from paynexus.fraud.backtest.store import moments as past
from paynexus.fraud.backtest.store import runs
from paynexus.lists.model import Page, cut


@dataclass(frozen=True, slots=True)
class Wanted:
    """The back-test that somebody asks for."""

    change: Mapping[str, Any]
    """As `changes.read` takes it."""
    period: Period


def order(
    database: Database, wanted: Wanted, *, scope: Scope, by: str, now: dt.datetime
) -> Backtest:
    """The back-test waits for a worker.

    Raises InvalidRequest for a change or period that can't be replayed, NotFound for one of
    something that the scope doesn't have, InvalidState when too many wait.
    """
    with database.transaction() as tx:
        return ordered(tx, wanted, scope=scope, by=by, now=now)


def ordered(
    tx: Connection,
    wanted: Wanted,
    *,
    scope: Scope,
    by: str,
    now: dt.datetime,
    backtest_id: UUID | None = None,
) -> Backtest:
    """As `order`, within the caller's transaction."""
    change = effects.checked(tx, _change(wanted.change), merchant_id=scope.merchant_id, now=now)
    warm_up_from = wanted.period.since - wiring.WARM_UP
    _require_replayable(tx, wanted.period, warm_up_from, scope, now)
    if runs.waiting(tx, scope) >= QUEUED_MAX:
        raise InvalidState(f"{QUEUED_MAX} back-tests wait already: ask again when one is finished.")
    made = backtest_id or ids.new_id()
    backtest = Backtest(made, scope, change, wanted.period, warm_up_from, by, now)
    runs.insert(tx, backtest)
    return backtest


def find(database: Database, backtest_id: str, *, scope: Scope) -> Backtest:
    """The scope's back-test of this id; NotFound for another's and for what is no id."""
    with database.reading() as connection:
        return found(connection, backtest_id, scope=scope)


def found(connection: Connection, backtest_id: str, *, scope: Scope) -> Backtest:
    """As `find`, on the caller's connection."""
    try:
        one = runs.find(connection, ids.parse("fbt", backtest_id), scope)
    except ValueError:
        one = None
    if one is None:
        raise NotFound("There is no such back-test.")
    return one


def list_of(database: Database, page: Page[UUID], *, scope: Scope) -> tuple[list[Backtest], bool]:
    """The page's back-tests, the newest first, and whether there are more."""
    with database.reading() as connection:
        return cut(runs.page_of(connection, scope, page), page)


def _change(value: Mapping[str, Any]) -> changes.Change:
    try:
        return changes.read(value)
    except ValueError as error:
        raise InvalidRequest(f"change: {error}", param="change") from None


def _require_replayable(
    tx: Connection, period: Period, warm_up_from: dt.datetime, scope: Scope, now: dt.datetime
) -> None:
    if not period.since < period.until <= now:
        raise InvalidRequest(
            "period: it begins before it ends, and ends in the past", param="period"
        )
    whole = Period(warm_up_from, period.until)
    if past.count(tx, scope, whole, limit=PAYMENTS_MAX + 1) > PAYMENTS_MAX:
        raise InvalidRequest(
            f"period: with the {wiring.WARM_UP.days} days before it, it holds more than "
            f"{PAYMENTS_MAX} payments: choose a shorter one",
            param="period",
        )
