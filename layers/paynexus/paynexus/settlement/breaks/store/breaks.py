"""Breaks as rows: recorded and settled many at a time, found, listed, assigned."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.settlement.breaks.model import (
    Break,
    BreakId,
    BreakStatus,
    BreakType,
    Explained,
    Found,
    break_id,
)
from paynexus.settlement.breaks.policies import Policy

SQL_RECORD = """
INSERT INTO breaks (
    id, type, subject, mode, currency, amount, merchant_id, details, policy, due_at, opened_at,
    status, resolution, resolved_at
)
SELECT n.id, n.type, n.subject, n.mode, n.currency, n.amount, n.merchant_id, n.details, n.policy,
    n.due_at, %(now)s, CASE WHEN n.resolution IS NULL THEN 'OPEN' ELSE 'RESOLVED' END,
    n.resolution, CASE WHEN n.resolution IS NOT NULL THEN %(now)s END
FROM unnest(
    %(ids)s::UUID[], %(types)s::TEXT[], %(subjects)s::TEXT[], %(modes)s::TEXT[],
    %(currencies)s::TEXT[], %(amounts)s::BIGINT[], %(merchants)s::UUID[], %(details)s::JSONB[],
    %(policies)s::TEXT[], %(due)s::TIMESTAMPTZ[], %(resolutions)s::TEXT[]
) AS n (
    id, type, subject, mode, currency, amount, merchant_id, details, policy, due_at, resolution
)
ON CONFLICT DO NOTHING
RETURNING type, status
"""
SQL_SETTLE = """
WITH given AS (
    SELECT * FROM unnest(
        %(ids)s::UUID[], %(resolutions)s::TEXT[], %(transfers)s::UUID[]
    ) AS g (id, resolution, transfer_id)
), locked AS (
    SELECT b.id FROM breaks AS b
    WHERE b.id = ANY (%(ids)s) AND b.status <> 'RESOLVED' ORDER BY b.id FOR UPDATE
)
UPDATE breaks AS b SET
    status = 'RESOLVED', resolved_at = %(now)s, resolution = g.resolution,
    transfer_id = g.transfer_id
FROM locked AS l INNER JOIN given AS g ON g.id = l.id
WHERE b.id = l.id
RETURNING b.id
"""
SQL_WITHDRAW = """
UPDATE break_resolutions AS r SET
    decided_by = %(by)s, decided_at = %(now)s, is_approved = FALSE, decision = b.resolution
FROM breaks AS b
WHERE b.id = ANY (%(ids)s) AND r.break_id = b.id AND r.decided_at IS NULL
"""
SQL_FIND = "SELECT * FROM breaks WHERE id = %s"
SQL_LOCK = SQL_FIND + " FOR UPDATE"
SQL_LIST = """
SELECT * FROM breaks
WHERE (type = %(type)s OR %(type)s::TEXT IS NULL) AND (mode = %(mode)s OR %(mode)s::TEXT IS NULL)
    AND {status}
ORDER BY resolved_at DESC NULLS FIRST, due_at, id
LIMIT %(limit)s
"""
SQL_LIST_OF_STATUS = SQL_LIST.format(status="status = %(status)s")
SQL_LIST_UNRESOLVED = SQL_LIST.format(status="status <> 'RESOLVED'")
SQL_ASSIGN = "UPDATE breaks SET assignee = %s WHERE id = %s"


def record(
    tx: Connection, found: Sequence[tuple[Found, Policy]], *, now: dt.datetime
) -> list[tuple[str, str]]:
    """What is new of it is on record, in one statement; type and status of each new one."""
    # In one order, so that those who record the same at the same time don't wait in a circle.
    rows = sorted(((break_id(one.type, one.subject), one, by) for one, by in found), key=_by_id)
    values = {
        "now": now,
        "ids": [of for of, _, _ in rows],
        "types": [one.type for _, one, _ in rows],
        "subjects": [one.subject for _, one, _ in rows],
        "modes": [one.mode for _, one, _ in rows],
        "currencies": [one.currency for _, one, _ in rows],
        "amounts": [one.amount for _, one, _ in rows],
        "merchants": [one.merchant_id for _, one, _ in rows],
        "details": [Jsonb(dict(one.details)) for _, one, _ in rows],
        "policies": [policy.name for _, _, policy in rows],
        "due": [policy.due.after(now) for _, _, policy in rows],
        "resolutions": [policy.resolution for _, _, policy in rows],
    }
    return tx.execute(SQL_RECORD, values).fetchall()


def settle(
    tx: Connection, explained: Sequence[Explained], *, by: str, now: dt.datetime
) -> list[BreakId]:
    """Those of the breaks that were unresolved are resolved, and their proposals withdrawn.

    Two statements: a proposal that came while the first waited is seen by the second.
    """
    rows = {break_id(one.type, one.subject): one for one in explained}
    values = {
        "now": now,
        "ids": list(rows),
        "resolutions": [one.resolution for one in rows.values()],
        "transfers": [one.transfer_id for one in rows.values()],
    }
    settled = [BreakId(of) for (of,) in tx.execute(SQL_SETTLE, values)]
    if settled:
        tx.execute(SQL_WITHDRAW, {"ids": settled, "by": by, "now": now})
    return settled


def find(connection: Connection, of: BreakId) -> Break | None:
    """The break of this id."""
    found = _breaks(connection, SQL_FIND, (of,))
    return found[0] if found else None


def lock(tx: Connection, of: BreakId) -> Break | None:
    """The same, and it stays as it is until the transaction ends."""
    found = _breaks(tx, SQL_LOCK, (of,))
    return found[0] if found else None


def listing(
    connection: Connection,
    *,
    type: BreakType | None,  # noqa: A002 - the plan's own word
    status: BreakStatus | None,
    mode: str | None,
    limit: int,
) -> list[Break]:
    """Breaks, the most urgent first, the resolved ones latest first; no status: unresolved."""
    query = SQL_LIST_OF_STATUS if status else SQL_LIST_UNRESOLVED
    values = {"type": type, "status": status, "mode": mode, "limit": limit}
    return _breaks(connection, query, values)


def assign(tx: Connection, of: BreakId, assignee: str) -> None:
    """The break is that person's; its row is locked."""
    tx.execute(SQL_ASSIGN, (assignee, of))


def _breaks(
    connection: Connection, query: str, values: Sequence[object] | Mapping[str, object]
) -> list[Break]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_break(row) for row in cursor.execute(query.encode(), values)]


def _break(row: dict[str, Any]) -> Break:
    typed = {"type": BreakType(row["type"]), "status": BreakStatus(row["status"])}
    return Break(**{**row, **typed})


def _by_id(row: tuple[BreakId, Found, Policy]) -> BreakId:
    return row[0]
