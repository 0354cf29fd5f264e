"""The settlements and payout files that a bank's file is about."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from psycopg.rows import class_row, kwargs_row

from paynexus.db import Connection
from paynexus.ids import SettlementId
from paynexus.settlement.model import Status
from paynexus.settlement.statements.model import Asked, Standing

SQL_ABOUT = """
SELECT s.id FROM bank_lines AS l JOIN settlements AS s ON s.end_to_end_id = l.end_to_end_id
 WHERE l.file_sha256 = %(file)s AND l.verdict IS NULL
UNION
SELECT s.id FROM bank_lines AS l JOIN settlements AS s ON s.message_id = l.message_id
 WHERE l.file_sha256 = %(file)s AND l.verdict IS NULL AND l.end_to_end_id IS NULL
   AND l.kind IN ('status', 'entry')
"""
SQL_LOCK = f"""
SELECT id FROM settlements WHERE id IN ({SQL_ABOUT}) ORDER BY id FOR UPDATE
"""  # noqa: S608 - a constant of this file
SQL_LOCKED = """
SELECT s.id, s.end_to_end_id, s.message_id, s.mode, s.currency, s.amount, s.status, s.merchant_id,
       s.cutoff, s.instruction -> 'debtor' ->> 'iban' AS iban,
       EXISTS (SELECT FROM bank_matches AS m WHERE m.transfer_id = s.paid_id) AS is_shown
  FROM settlements AS s WHERE s.id = ANY(%s)
"""
SQL_REJECTED_AT = """
SELECT s.id, max(f.made_at)
  FROM settlements AS s
  JOIN bank_lines AS l ON l.kind = 'status' AND l.verdict = 'rejected' AND (
    l.matched = s.id OR (l.message_id = s.message_id AND l.end_to_end_id IS NULL))
  JOIN bank_files AS f ON f.direction = 'in' AND f.sha256 = l.file_sha256
 WHERE s.id = ANY(%s) GROUP BY s.id
"""
SQL_ASKED = """
SELECT message_id, mode, currency, amount, sends FROM payout_files WHERE message_id = ANY(%s)
"""
SQL_ANSWERED = """
UPDATE payout_files SET answered_at = %s WHERE message_id = ANY(%s) AND answered_at IS NULL
RETURNING message_id
"""


def lock(tx: Connection, sha256: bytes) -> list[Standing]:
    """All settlements that the file's lines are about, locked in the order of their ids."""
    # Two statements: what another file did while this one waited is seen by the second.
    ids = [row[0] for row in tx.execute(SQL_LOCK, {"file": sha256})]
    with tx.cursor(row_factory=kwargs_row(_standing)) as cursor:
        return cursor.execute(SQL_LOCKED, (ids,)).fetchall()


def rejected_at(
    tx: Connection, ids: Sequence[SettlementId]
) -> dict[SettlementId, dt.datetime | None]:
    """When the bank wrote its last no, of each that it said no to."""
    return dict(tx.execute(SQL_REJECTED_AT, (list(ids),)).fetchall())


def asked(tx: Connection, message_ids: Sequence[str]) -> dict[str, Asked]:
    """Which of the message ids are our payout files."""
    with tx.cursor(row_factory=class_row(Asked)) as cursor:
        rows = cursor.execute(SQL_ASKED, (list(message_ids),)).fetchall()
    return {row.message_id: row for row in rows}


def answered(tx: Connection, message_ids: Sequence[str], *, now: dt.datetime) -> list[str]:
    """The bank has spoken of the files; which of them it had never spoken of."""
    return [row[0] for row in tx.execute(SQL_ANSWERED, (now, sorted(message_ids)))]


def _standing(*, status: str, **columns: Any) -> Standing:  # noqa: ANN401 - the other fields
    return Standing(status=Status(status), **columns)
