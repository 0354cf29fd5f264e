"""Snoozes of rules, by entity."""

import datetime as dt

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.fraud.model import EntityKind
from paynexus.fraud.rulebook.model import RuleId, Snooze, SnoozeId
from paynexus.ids import MerchantId, PaymentId

SQL_INSERT_SNOOZE = """
INSERT INTO fraud_snoozes
    (id, rule_id, merchant_id, kind, entity, ends_at, author, reason, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
SNOOZE = """
SELECT s.id, s.rule_id, s.merchant_id, s.kind, s.entity, s.ends_at, s.author, s.reason,
    s.created_at
FROM fraud_snoozes AS s
"""
SQL_SNOOZES = (
    SNOOZE
    + """
WHERE s.rule_id = %(rule_id)s AND s.ends_at > %(now)s ORDER BY s.id DESC LIMIT %(limit)s
"""
)
SQL_SNOOZE = (
    SNOOZE
    + """
INNER JOIN fraud_rules AS r ON r.id = s.rule_id
WHERE s.id = %s AND r.merchant_id IS NOT DISTINCT FROM %s
"""
)
SQL_END_SNOOZE = (
    "UPDATE fraud_snoozes SET ends_at = %(now)s WHERE id = %(id)s AND ends_at > %(now)s"
)
# The column is chosen by CASE: a statement's text never depends on what is asked.
SQL_ENTITY_OF_PAYMENT = """
SELECT CASE %(kind)s
    WHEN 'card' THEN card WHEN 'customer' THEN customer WHEN 'email' THEN email
    WHEN 'ip' THEN ip WHEN 'terminal' THEN terminal
END
FROM fraud_observations
WHERE payment_id = %(payment_id)s AND merchant_id = %(merchant_id)s AND mode = %(mode)s
"""


def insert(tx: Connection, snooze: Snooze) -> None:
    """The snooze holds until it ends."""
    tx.execute(
        SQL_INSERT_SNOOZE,
        (
            snooze.id,
            snooze.rule_id,
            snooze.merchant_id,
            snooze.kind,
            snooze.entity,
            snooze.ends_at,
            snooze.author,
            snooze.reason,
            snooze.created_at,
        ),
    )


def holding(
    connection: Connection, rule_id: RuleId, *, now: dt.datetime, limit: int
) -> list[Snooze]:
    """The rule's snoozes that still hold, newest first."""
    values = {"rule_id": rule_id, "now": now, "limit": limit}
    with connection.cursor(row_factory=class_row(Snooze)) as cursor:
        return cursor.execute(SQL_SNOOZES, values).fetchall()


def find(tx: Connection, snooze_id: SnoozeId, owner: MerchantId | None) -> Snooze | None:
    """The snooze of this id of one of the scope's rules."""
    with tx.cursor(row_factory=class_row(Snooze)) as cursor:
        return cursor.execute(SQL_SNOOZE, (snooze_id, owner)).fetchone()


def end(tx: Connection, snooze_id: SnoozeId, *, now: dt.datetime) -> None:
    """The snooze holds no longer."""
    tx.execute(SQL_END_SNOOZE, {"id": snooze_id, "now": now})


def entity_of_payment(
    tx: Connection,
    payment_id: PaymentId,
    kind: EntityKind,
    *,
    merchant_id: MerchantId,
    mode: str,
) -> bytes | None:
    """Of the merchant's payment, as it was judged by; None where there is none of this kind."""
    values = {
        "kind": kind.value,
        "payment_id": payment_id,
        "merchant_id": merchant_id,
        "mode": mode,
    }
    row = tx.execute(SQL_ENTITY_OF_PAYMENT, values).fetchone()
    return row[0] if row else None
