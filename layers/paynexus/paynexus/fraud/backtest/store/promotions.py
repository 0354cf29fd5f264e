"""Promotions and their reversions in SQL; nothing of either ever changes."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.fraud.backtest import changes
from paynexus.fraud.backtest.model import Promotion, Scope
from paynexus.fraud.backtest.store.runs import page_values
from paynexus.ids import MerchantId
from paynexus.lists.model import Page

SQL_REVISED = "SELECT fraud_revised(%s)"


def revised(tx: Connection, merchant_id: MerchantId | None) -> None:
    """Whoever holds what decides reads it anew; nobody else changes it in this transaction.

    So of two that would change the same, the second sees what the first has made.
    """
    tx.execute(SQL_REVISED, (merchant_id,))


SQL_INSERT = """
INSERT INTO fraud_promotions (id, backtest_id, merchant_id, mode, object, replaced, stands, checks,
    because, promoted_by, promoted_at)
VALUES (%(id)s, %(backtest_id)s, %(merchant_id)s, %(mode)s, %(object)s, %(replaced)s, %(stands)s,
    %(checks)s, %(because)s, %(promoted_by)s, %(promoted_at)s)
"""


def insert(tx: Connection, promotion: Promotion) -> None:
    """It is on record that the change took effect."""
    values = {
        "id": promotion.id,
        "backtest_id": promotion.backtest_id,
        "merchant_id": promotion.scope.merchant_id,
        "mode": promotion.scope.mode,
        "object": promotion.object,
        "replaced": Jsonb(promotion.replaced),
        "stands": Jsonb(promotion.stands),
        "checks": Jsonb(promotion.checks),
        "because": promotion.because,
        "promoted_by": promotion.promoted_by,
        "promoted_at": promotion.promoted_at,
    }
    tx.execute(SQL_INSERT, values)


SQL_REVERT = """
INSERT INTO fraud_reversions (promotion_id, reverted_by, reverted_at) VALUES (%s, %s, %s)
"""


def insert_reversion(tx: Connection, promotion_id: UUID, by: str, *, at: dt.datetime) -> None:
    """It is on record that the change was put back."""
    tx.execute(SQL_REVERT, (promotion_id, by, at))


SQL_FIND = """
SELECT p.*, b.change, r.reverted_by, r.reverted_at
FROM fraud_promotions AS p
INNER JOIN fraud_backtests AS b ON b.id = p.backtest_id
LEFT JOIN fraud_reversions AS r ON r.promotion_id = p.id
WHERE p.id = %(id)s AND p.merchant_id IS NOT DISTINCT FROM %(merchant_id)s AND p.mode = %(mode)s
"""


def find(connection: Connection, promotion_id: UUID, scope: Scope) -> Promotion | None:
    """The scope's promotion of this id."""
    values = {"id": promotion_id, "merchant_id": scope.merchant_id, "mode": scope.mode}
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_FIND, values).fetchone()
    return None if row is None else _promotion(row)


SQL_LATER = """
SELECT EXISTS (
    SELECT FROM fraud_promotions AS p
    WHERE p.merchant_id IS NOT DISTINCT FROM %(merchant_id)s AND p.object = %(object)s
        AND (p.promoted_at, p.id) > (%(at)s, %(id)s)
        AND NOT EXISTS (SELECT FROM fraud_reversions AS r WHERE r.promotion_id = p.id)
)
"""


def has_later(tx: Connection, promotion: Promotion) -> bool:
    """Whether a change of the same object took effect afterwards and wasn't put back."""
    values = {
        "merchant_id": promotion.scope.merchant_id,
        "object": promotion.object,
        "at": promotion.promoted_at,
        "id": promotion.id,
    }
    row = tx.execute(SQL_LATER, values).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101 - says why
    return bool(row[0])


SQL_LIST = """
SELECT p.*, b.change, r.reverted_by, r.reverted_at
FROM fraud_promotions AS p
INNER JOIN fraud_backtests AS b ON b.id = p.backtest_id
LEFT JOIN fraud_reversions AS r ON r.promotion_id = p.id
WHERE p.merchant_id IS NOT DISTINCT FROM %(merchant_id)s AND p.mode = %(mode)s
    AND p.id >= %(least)s AND p.id < %(above)s
    AND p.promoted_at >= %(since)s AND p.promoted_at < %(until)s
ORDER BY p.id DESC
LIMIT %(limit)s
"""


def page_of(connection: Connection, scope: Scope, page: Page[UUID]) -> list[Promotion]:
    """The page's promotions, the newest first, and one more where there is one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(SQL_LIST, page_values(scope, page)).fetchall()
    return [_promotion(row) for row in rows]


def _promotion(row: Mapping[str, Any]) -> Promotion:
    own = ("id", "backtest_id", "object", "replaced", "stands", "checks", "because")
    who = ("promoted_by", "promoted_at", "reverted_by", "reverted_at")
    return Promotion(
        scope=Scope(row["merchant_id"], row["mode"]),
        change=changes.read(row["change"]),
        **{name: row[name] for name in (*own, *who)},
    )
