"""What statements should say together: balances that add up, and payouts that are on them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, SettlementId
from paynexus.settlement.breaks.model import BreakType

SQL_FOOTING = """
SELECT s.account_iban AS iban, s.mode, s.currency, s.day,
       s.closing - s.opening - coalesce(l.total, 0)::BIGINT AS difference
  FROM bank_statements AS s
  LEFT JOIN (
    SELECT statement, sum(CASE WHEN is_debit THEN -amount ELSE amount END) AS total,
           min(currency) AS currency, max(currency) AS other
      FROM bank_lines WHERE file_sha256 = %(file)s AND kind = 'entry' GROUP BY statement
  ) AS l ON l.statement = s.position
 WHERE s.file_sha256 = %(file)s AND s.mode IS NOT NULL AND NOT s.is_repeated
   AND s.closing - s.opening <> coalesce(l.total, 0)
   -- Money in another currency is in no balance of this one: its line is a break already.
   AND (l.currency IS NULL OR l.currency = s.currency AND l.other = s.currency)
 ORDER BY s.position
"""
SQL_EXPECTED = """
SELECT id, merchant_id, amount FROM settlements
 WHERE mode = %s AND currency = %s AND amount = %s AND status IN ('INSTRUCTED', 'ACCEPTED')
   AND instruction -> 'debtor' ->> 'iban' = %s AND (instruction ->> 'execution_date')::DATE <= %s
 LIMIT 2
"""
SQL_UNRESOLVED = """
SELECT subject FROM breaks WHERE type = %s AND subject = ANY(%s) AND status <> 'RESOLVED'
"""
SQL_SEQUENCE = """
SELECT file_sha256, mode, currency, (before_closing - opening)::BIGINT AS amount, number, day,
       before_number, before_day, opening, before_closing
  FROM (
    SELECT s.*, f.processed_at, lag(s.number) OVER chain AS before_number,
           lag(s.closing) OVER chain AS before_closing, lag(s.day) OVER chain AS before_day
      FROM bank_statements AS s
      JOIN bank_files AS f ON f.direction = 'in' AND f.sha256 = s.file_sha256
     WHERE s.mode IS NOT NULL AND NOT s.is_repeated AND s.day >= %(since)s
    WINDOW chain AS (PARTITION BY s.account_iban, s.currency ORDER BY s.day, s.number)
  ) AS chained
 WHERE before_day IS NOT NULL
   AND (opening <> before_closing OR number > before_number + 1)
   -- Files come in any order: a gap may be on its way, what follows at once is not.
   AND (number = before_number + 1 OR processed_at <= %(patience)s)
"""
SQL_OPEN_SEQUENCES = """
SELECT subject FROM breaks
 WHERE type = 'missing' AND status <> 'RESOLVED' AND subject LIKE 'bank\\_file:%%'
   AND details ->> 'check' = 'sequence'
"""
SQL_UNBOOKED = """
SELECT f.message_id, f.mode, f.currency, f.execution_date, f.sent_at, h.calendar, h.deadline_days,
       (SELECT max(s.day) FROM bank_statements AS s
         WHERE s.account_iban = f.debtor ->> 'iban' AND s.currency = f.currency
           AND s.mode = f.mode AND NOT s.is_repeated) AS covered_to
  FROM payout_files AS f
  JOIN house_accounts AS h USING (mode, currency)
 WHERE f.answered_at IS NOT NULL AND f.sent_at IS NOT NULL AND f.execution_date < %(today)s
   AND f.message_id IN (
    SELECT message_id FROM settlements WHERE status IN ('INSTRUCTED', 'ACCEPTED'))
"""
SQL_OVERDUE = """
SELECT s.id, s.merchant_id, s.mode, s.currency, s.amount
  FROM settlements AS s
 WHERE s.message_id = ANY(%s) AND s.status IN ('INSTRUCTED', 'ACCEPTED')
   -- A statement that doesn't add up without it has said so.
   AND NOT EXISTS (
    SELECT FROM breaks AS b
     WHERE b.type = 'missing' AND b.status <> 'RESOLVED' AND b.subject LIKE 'bank\\_file:%%'
       AND b.mode = s.mode AND b.currency = s.currency AND b.amount >= s.amount)
 ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A statement whose entries are not what its balances say: positive is a debit too many."""

    iban: str
    mode: str
    currency: str
    day: dt.date
    difference: int


@dataclass(frozen=True, slots=True)
class Expected:
    """A settlement that is on its way."""

    id: SettlementId
    merchant_id: MerchantId
    amount: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A settlement that no statement shows though one of its day is there."""

    id: SettlementId
    merchant_id: MerchantId
    mode: str
    currency: str
    amount: int


@dataclass(frozen=True, slots=True)
class Jump:
    """A statement that doesn't begin where the one before it ended."""

    file_sha256: bytes
    mode: str
    currency: str
    amount: int | None
    number: int | None
    day: dt.date
    before_number: int | None
    before_day: dt.date
    opening: int | None
    before_closing: int | None


@dataclass(frozen=True, slots=True)
class Unbooked:
    """An answered file of which settlements are open; `covered_to` is the last statement's day."""

    message_id: str
    mode: str
    currency: str
    execution_date: dt.date
    sent_at: dt.datetime
    calendar: str
    deadline_days: int
    covered_to: dt.date | None


def footing(tx: Connection, sha256: bytes) -> list[Difference]:
    """The file's statements that don't add up."""
    with tx.cursor(row_factory=class_row(Difference)) as cursor:
        return cursor.execute(SQL_FOOTING, {"file": sha256}).fetchall()


def expected(tx: Connection, of: Difference) -> list[Expected]:
    """Payouts on their way that explain the difference; two at most are read."""
    values = (of.mode, of.currency, -of.difference, of.iban, of.day)
    with tx.cursor(row_factory=class_row(Expected)) as cursor:
        return cursor.execute(SQL_EXPECTED, values).fetchall()


def unresolved(tx: Connection, of: BreakType, subjects: Sequence[str]) -> list[str]:
    """Which of the subjects have an unresolved break of the type."""
    return [row[0] for row in tx.execute(SQL_UNRESOLVED, (of, list(subjects)))]


def jumps(tx: Connection, *, since: dt.date, patience: dt.datetime) -> list[Jump]:
    """Statements that don't follow; with one missing between, only those older than `patience`."""
    with tx.cursor(row_factory=class_row(Jump)) as cursor:
        values = {"since": since, "patience": patience}
        return cursor.execute(SQL_SEQUENCE, values).fetchall()


def open_jumps(tx: Connection) -> list[str]:
    """The subjects of unresolved breaks about statements that don't follow."""
    return [row[0] for row in tx.execute(SQL_OPEN_SEQUENCES)]


def unbooked(connection: Connection, *, today: dt.date) -> list[Unbooked]:
    """Files that should be paid by now, with settlements that aren't."""
    with connection.cursor(row_factory=class_row(Unbooked)) as cursor:
        return cursor.execute(SQL_UNBOOKED, {"today": today}).fetchall()


def overdue(tx: Connection, message_ids: Sequence[str]) -> list[Overdue]:
    """The settlements of the files that no statement has shown, nor missed."""
    with tx.cursor(row_factory=class_row(Overdue)) as cursor:
        return cursor.execute(SQL_OVERDUE, (list(message_ids),)).fetchall()
