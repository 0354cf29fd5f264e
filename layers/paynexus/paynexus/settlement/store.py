"""Settlements, and whose payouts wait, in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, SettlementId, TransferId
from paynexus.settlement.model import FAILED, Settlement, Status
from paynexus.settlement.retries import Hold

type Payee = tuple[MerchantId, str, str]
"""A merchant, a currency and a mode."""

COLUMNS = """
id, merchant_id, amount, status, processed_at, currency, mode, cutoff, reserve_amount,
expected_on, message_id, end_to_end_id, instruction, failure_code, created_at
"""

SELECT_BY_IDS = f"""
SELECT {COLUMNS} FROM settlements WHERE id = ANY(%s) ORDER BY id
"""  # noqa: S608 - the column list is a constant of this file

SELECT_OLDEST_OPEN = """
SELECT min(cutoff) FROM settlements WHERE status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED')
"""

MOVE = f"""
UPDATE settlements AS s
   SET status = %(status)s, processed_at = coalesce(%(processed_at)s, s.processed_at),
       paid_id = CASE WHEN %(is_paid)s THEN m.booked ELSE s.paid_id END,
       failed_id = CASE WHEN %(is_failed)s THEN m.booked END,
       failure_code = CASE WHEN %(is_failed)s THEN m.code END
  FROM unnest(%(ids)s::UUID[], %(booked)s::UUID[], %(codes)s::TEXT[]) AS m (move_id, booked, code)
 WHERE s.id = m.move_id
RETURNING {COLUMNS}
"""  # noqa: S608

LOCK_HOLDS = """
SELECT merchant_id, currency, mode, failures, code, refused, retry_at, since
  FROM payout_holds
 WHERE (merchant_id, currency, mode) IN (
    SELECT * FROM unnest(%s::UUID[], %s::TEXT[], %s::TEXT[]))
 ORDER BY merchant_id, currency, mode FOR UPDATE
"""
UPSERT_HOLD = """
INSERT INTO payout_holds (merchant_id, currency, mode, failures, code, refused, retry_at, since)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (merchant_id, currency, mode) DO UPDATE SET
    failures = excluded.failures, code = excluded.code, refused = excluded.refused,
    retry_at = excluded.retry_at, since = excluded.since
"""
DELETE_HOLDS = """
DELETE FROM payout_holds WHERE (merchant_id, currency, mode) IN (
    SELECT * FROM unnest(%s::UUID[], %s::TEXT[], %s::TEXT[]))
"""


def by_ids(connection: Connection, ids: list[SettlementId]) -> list[Settlement]:
    """The settlements of these ids, oldest first."""
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(SELECT_BY_IDS, (ids,)).fetchall()


def oldest_open_cutoff(connection: Connection) -> datetime | None:
    """The cut-off of the settlement that has waited longest for its end."""
    row = connection.execute(SELECT_OLDEST_OPEN).fetchone()
    cutoff: datetime | None = row[0] if row else None
    return cutoff


def move(
    tx: Connection,
    status: Status,
    moves: Sequence[tuple[SettlementId, TransferId | None, str | None]],
    *,
    now: datetime,
) -> list[Settlement]:
    """The settlements have the status; each comes with its booking and the bank's code, if any.

    InvalidState where the table does not allow it.
    """
    is_paid, is_failed = status is Status.PAID, status in FAILED
    values = {
        "status": status,
        "processed_at": now if is_paid or is_failed else None,
        "is_paid": is_paid,
        "is_failed": is_failed,
        "ids": [move[0] for move in moves],
        "booked": [move[1] for move in moves],
        "codes": [move[2] for move in moves],
    }
    with tx.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(MOVE, values).fetchall()


def lock_holds(tx: Connection, settlements: Sequence[Settlement]) -> dict[Payee, Hold]:
    """Why payouts of the settlements' merchants wait, where they do."""
    rows = tx.execute(LOCK_HOLDS, _payees(settlements)).fetchall()
    return {(row[0], row[1], row[2]): Hold(*row[3:]) for row in rows}


def hold(tx: Connection, holds: Mapping[Payee, Hold]) -> None:
    """They wait as the holds say."""
    with tx.cursor() as cursor:
        cursor.executemany(
            UPSERT_HOLD,
            [
                (
                    *payee,
                    hold.failures,
                    hold.code,
                    Jsonb(dict(hold.refused)),
                    hold.retry_at,
                    hold.since,
                )
                for payee, hold in sorted(holds.items())
            ],
        )


def lift_holds(tx: Connection, settlements: Sequence[Settlement]) -> None:
    """They wait no longer."""
    tx.execute(DELETE_HOLDS, _payees(settlements))


def payee_of(settlement: Settlement) -> Payee:
    """Whose payouts wait when this one failed."""
    return settlement.merchant_id, settlement.currency, settlement.mode


def _payees(settlements: Sequence[Settlement]) -> tuple[list[MerchantId], list[str], list[str]]:
    return (
        [one.merchant_id for one in settlements],
        [one.currency for one in settlements],
        [one.mode for one in settlements],
    )
