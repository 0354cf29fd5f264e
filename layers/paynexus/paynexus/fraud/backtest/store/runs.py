"""Back-tests in SQL: asked for, taken up, finished."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.fraud.backtest import changes
from paynexus.fraud.backtest.model import Backtest, Period, Scope, State
from paynexus.lists.model import Page, id_range

SQL_INSERT = """
INSERT INTO fraud_backtests (id, merchant_id, mode, change, object, period_from, period_to,
    warm_up_from, requested_by, created_at)
VALUES (%(id)s, %(merchant_id)s, %(mode)s, %(change)s, %(object)s, %(period_from)s, %(period_to)s,
    %(warm_up_from)s, %(requested_by)s, %(created_at)s)
"""


def insert(tx: Connection, backtest: Backtest) -> None:
    """It waits for a worker."""
    values = {
        "id": backtest.id,
        "merchant_id": backtest.scope.merchant_id,
        "mode": backtest.scope.mode,
        "change": Jsonb(changes.written(backtest.change)),
        "object": changes.object_of(backtest.change),
        "period_from": backtest.period.since,
        "period_to": backtest.period.until,
        "warm_up_from": backtest.warm_up_from,
        "requested_by": backtest.requested_by,
        "created_at": backtest.created_at,
    }
    tx.execute(SQL_INSERT, values)


SQL_WAITING = """
SELECT count(*) FROM fraud_backtests
WHERE merchant_id IS NOT DISTINCT FROM %s AND state IN ('PENDING', 'RUNNING')
"""


def waiting(tx: Connection, scope: Scope) -> int:
    """How many of the scope are not finished, in both modes."""
    row = tx.execute(SQL_WAITING, (scope.merchant_id,)).fetchone()
    assert row is not None, "an aggregate has one row"  # noqa: S101 - says why
    number: int = row[0]
    return number


SQL_FIND = """
SELECT * FROM fraud_backtests
WHERE id = %(id)s AND merchant_id IS NOT DISTINCT FROM %(merchant_id)s AND mode = %(mode)s
"""


def find(connection: Connection, backtest_id: UUID, scope: Scope) -> Backtest | None:
    """The scope's back-test of this id."""
    values = {"id": backtest_id, "merchant_id": scope.merchant_id, "mode": scope.mode}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_FIND, values).fetchone()
    return None if row is None else _backtest(row)


SQL_LIST = """
SELECT * FROM fraud_backtests
WHERE merchant_id IS NOT DISTINCT FROM %(merchant_id)s AND mode = %(mode)s
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
ORDER BY id DESC
LIMIT %(limit)s
"""


def page_of(connection: Connection, scope: Scope, page: Page[UUID]) -> list[Backtest]:
    """The page's back-tests, the newest first, and one more where there is one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(SQL_LIST, page_values(scope, page)).fetchall()
    return [_backtest(row) for row in rows]


def page_values(scope: Scope, page: Page[UUID]) -> dict[str, object]:
    """What a statement over a scope's rows is run with."""
    least, above = id_range(page)
    return {
        "merchant_id": scope.merchant_id,
        "mode": scope.mode,
        "least": least,
        "above": above,
        "since": page.since,
        "until": page.until,
        "limit": page.limit + 1,
    }


# One that a worker left behind is anybody's as soon as that worker's time was up.
SQL_TAKE = """
UPDATE fraud_backtests SET state = 'RUNNING', attempts = attempts + 1, taken_until = %(until)s
WHERE id = (
    SELECT id FROM fraud_backtests
    WHERE state = 'PENDING' OR (state = 'RUNNING' AND taken_until <= %(now)s)
    ORDER BY id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING *
"""


def take(connection: Connection, *, now: dt.datetime, until: dt.datetime) -> Backtest | None:
    """The oldest back-test that nobody is at is the caller's until then; None when none is left."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_TAKE, {"now": now, "until": until}).fetchone()
    return None if row is None else _backtest(row)


SQL_COMPLETE = """
UPDATE fraud_backtests
SET state = 'COMPLETED', taken_until = NULL, replaces = %(replaces)s, report = %(report)s,
    finished_at = %(now)s
WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
"""


def complete(
    connection: Connection,
    taken: Backtest,
    *,
    replaces: Mapping[str, Any],
    report: Mapping[str, Any],
    now: dt.datetime,
) -> bool:
    """The report stands; false when another worker has taken the back-test up meanwhile."""
    values = {
        "id": taken.id,
        "attempts": taken.attempts,
        "replaces": Jsonb(replaces),
        "report": Jsonb(report),
        "now": now,
    }
    return connection.execute(SQL_COMPLETE, values).rowcount == 1


SQL_FAIL = """
UPDATE fraud_backtests
SET state = 'FAILED', taken_until = NULL, failure = %(failure)s, finished_at = %(now)s
WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
"""


def fail(connection: Connection, taken: Backtest, failure: str, *, now: dt.datetime) -> bool:
    """It is over, and says why; false when another worker has taken it up meanwhile."""
    values = {"id": taken.id, "attempts": taken.attempts, "failure": failure, "now": now}
    return connection.execute(SQL_FAIL, values).rowcount == 1


SQL_PUT_BACK = """
UPDATE fraud_backtests SET state = 'PENDING', taken_until = NULL
WHERE id = %(id)s AND state = 'RUNNING' AND attempts = %(attempts)s
"""


def put_back(connection: Connection, taken: Backtest) -> None:
    """It waits again, unless another worker has taken it up meanwhile."""
    connection.execute(SQL_PUT_BACK, {"id": taken.id, "attempts": taken.attempts})


def _backtest(row: Mapping[str, Any]) -> Backtest:
    return Backtest(
        id=row["id"],
        scope=Scope(row["merchant_id"], row["mode"]),
        change=changes.read(row["change"]),
        period=Period(row["period_from"], row["period_to"]),
        warm_up_from=row["warm_up_from"],
        requested_by=row["requested_by"],
        created_at=row["created_at"],
        state=State(row["state"]),
        attempts=row["attempts"],
        replaces=row["replaces"],
        report=row["report"],
        failure=row["failure"],
        finished_at=row["finished_at"],
    )
