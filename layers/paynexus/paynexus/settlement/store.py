"""Settlements, their lines, and what banks said, in Postgres."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import MerchantId, SettlementId, TransferId
from paynexus.lists import store as lists
from paynexus.lists.model import Page
from paynexus.settlement.model import (
    BankAccount,
    BankLine,
    Position,
    Settlement,
    StatementLine,
    Status,
)

ABOVE_ALL = UUID(int=2**128 - 1)
"""No settlement has this id, or a greater one."""

COLUMNS = """
id, merchant_id, amount, status, processed_at, currency, mode, cutoff, message_id,
end_to_end_id, instruction, failure_code, created_at
"""

SELECT_POSITIONS = """
SELECT merchant_id, currency, mode, sum(amount)::bigint AS amount, count(*) AS entries
  FROM unsettled_entries
 WHERE created_at < %s
 GROUP BY merchant_id, currency, mode
 ORDER BY merchant_id, currency, mode
"""

LOCK_PAYOUT_ACCOUNT = """
SELECT holder, iban, bic FROM payout_accounts
 WHERE merchant_id = %s AND currency = %s
   FOR UPDATE
"""

SELECT_HOUSE_ACCOUNT = """
SELECT holder, iban, bic FROM house_accounts WHERE mode = %s AND currency = %s
"""

LOCK_AVAILABLE = """
SELECT coalesce(sum(l.available), 0)::BIGINT FROM (
    SELECT b.credits_posted - b.debits_posted - b.debits_pending AS available
      FROM account_balances AS b
     WHERE b.account_id = (
           SELECT id FROM accounts
            WHERE type = 'merchant_payable' AND merchant_id = %s AND currency = %s AND mode = %s)
     ORDER BY b.slot FOR UPDATE) AS l
"""

# One statement, so that the sum and the lines see the same entries whatever is posted meanwhile.
# Entries are paid the oldest first, up to the last one with which the sum is still available:
# what pending refunds and open disputes have reserved stays. A settlement that another run made
# for this cut-off, or a sum that is not positive, makes none.
INSERT_SETTLEMENT = f"""
WITH unsettled AS (
    SELECT entry_id, amount, sum(amount) OVER (ORDER BY entry_id) AS so_far
      FROM unsettled_entries
     WHERE merchant_id = %(merchant_id)s AND currency = %(currency)s AND mode = %(mode)s
       AND created_at < %(cutoff)s
), entries AS (
    SELECT entry_id, amount FROM unsettled
     WHERE entry_id <= (SELECT max(entry_id) FROM unsettled WHERE so_far <= %(available)s)
), made AS (
    INSERT INTO settlements (id, merchant_id, amount, status, currency, mode, cutoff, message_id,
                             end_to_end_id, instruction, payout_id, created_at)
    SELECT %(id)s, %(merchant_id)s, sum(amount), 'PENDING', %(currency)s, %(mode)s, %(cutoff)s,
           %(message_id)s, %(end_to_end_id)s, %(instruction)s, %(payout_id)s, %(now)s
      FROM entries
    HAVING sum(amount) > 0
        ON CONFLICT (id) DO NOTHING
    RETURNING {COLUMNS}
), lines AS (
    INSERT INTO settlement_lines (entry_id, settlement_id, amount)
    SELECT entries.entry_id, made.id, entries.amount FROM entries, made WHERE entries.amount <> 0
)
SELECT * FROM made
"""  # noqa: S608 - the column list is a constant of this file

SELECT_PENDING = f"""
SELECT {COLUMNS} FROM settlements WHERE status = 'PENDING' ORDER BY id LIMIT %s
"""  # noqa: S608

SELECT_OLDEST_OPEN = """
SELECT min(cutoff) FROM settlements WHERE status IN ('PENDING', 'INSTRUCTED', 'ACCEPTED')
"""

LOCK_BY_REFERENCE = f"""
SELECT {COLUMNS} FROM settlements WHERE end_to_end_id = %s FOR UPDATE
"""  # noqa: S608

LOCK_BY_MESSAGE = f"""
SELECT {COLUMNS} FROM settlements WHERE message_id = %s FOR UPDATE
"""  # noqa: S608

LOCK_BY_ID = f"""
SELECT {COLUMNS} FROM settlements WHERE id = %s FOR UPDATE
"""  # noqa: S608

UPDATE_STATUS = f"""
UPDATE settlements
   SET status = %(status)s, processed_at = %(processed_at)s, closing_id = %(closing_id)s,
       failure_code = %(failure_code)s
 WHERE id = %(id)s
RETURNING {COLUMNS}
"""  # noqa: S608

INSERT_FILE = """
INSERT INTO bank_files (direction, sha256, name, kind, message_id, processed_at)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (direction, sha256) DO NOTHING
"""

INSERT_LINE = """
INSERT INTO bank_lines (file_sha256, position, kind, reference, end_to_end_id, code, amount,
                        currency, booked_on, matched, reason)
VALUES (%(file_sha256)s, %(position)s, %(kind)s, %(reference)s, %(end_to_end_id)s, %(code)s,
        %(amount)s, %(currency)s, %(booked_on)s, %(matched)s, %(reason)s)
"""

SELECT_SETTLEMENT = f"""
SELECT {COLUMNS} FROM settlements WHERE id = %s AND merchant_id = %s AND mode = %s
"""  # noqa: S608

SELECT_PAGE = f"""
SELECT {COLUMNS} FROM settlements
 WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
   AND id < %(above)s
   AND created_at >= %(since)s AND created_at < %(until)s
   {{like}}
 ORDER BY id DESC
 LIMIT %(limit)s
"""  # noqa: S608
FILTERS: lists.Filters = {
    "status": "AND status = %(status)s",
    "currency": "AND currency = %(currency)s",
}

SELECT_LINES = """
SELECT l.entry_id, e.kind, e.object_id, e.transaction_id AS payment_id, l.amount, e.currency,
       e.created_at
  FROM settlement_lines AS l
  JOIN settleable_entries AS e ON e.entry_id = l.entry_id
 WHERE l.settlement_id = %s
 ORDER BY l.entry_id
"""


def positions(connection: Connection, *, cutoff: datetime) -> list[Position]:
    """What each merchant is owed from entries before the cut-off; negative ones included."""
    with connection.cursor(row_factory=class_row(Position)) as cursor:
        return cursor.execute(SELECT_POSITIONS, (cutoff,)).fetchall()


def lock_payout_account(
    tx: Connection, merchant_id: MerchantId, currency: str
) -> BankAccount | None:
    """The merchant's bank account; until `tx` ends nobody else settles this currency of it."""
    with tx.cursor(row_factory=class_row(BankAccount)) as cursor:
        return cursor.execute(LOCK_PAYOUT_ACCOUNT, (merchant_id, currency)).fetchone()


def lock_available(tx: Connection, *, merchant_id: MerchantId, currency: str, mode: str) -> int:
    """What the merchant can be paid: posted, and reserved by nobody, until `tx` ends."""
    row = tx.execute(LOCK_AVAILABLE, (merchant_id, currency, mode)).fetchone()
    return row[0] if row else 0


def house_account(tx: Connection, *, mode: str, currency: str) -> BankAccount | None:
    """The account of ours that pays in this mode and currency."""
    with tx.cursor(row_factory=class_row(BankAccount)) as cursor:
        return cursor.execute(SELECT_HOUSE_ACCOUNT, (mode, currency)).fetchone()


def insert_settlement(  # one keyword a column
    tx: Connection,
    *,
    settlement_id: SettlementId,
    position: Position,
    available: int,
    cutoff: datetime,
    message_id: str,
    end_to_end_id: str,
    instruction: dict[str, Any],
    payout_id: TransferId,
    now: datetime,
) -> Settlement | None:
    """A PENDING settlement with its lines exists; None when there was one, or nothing to pay."""
    with tx.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(
            INSERT_SETTLEMENT,
            {
                "id": settlement_id,
                "merchant_id": position.merchant_id,
                "currency": position.currency,
                "mode": position.mode,
                "available": available,
                "cutoff": cutoff,
                "message_id": message_id,
                "end_to_end_id": end_to_end_id,
                "instruction": Jsonb(instruction),
                "payout_id": payout_id,
                "now": now,
            },
        ).fetchone()


def pending(connection: Connection, *, limit: int) -> list[Settlement]:
    """The oldest settlements whose file the bank has perhaps not got."""
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(SELECT_PENDING, (limit,)).fetchall()


def oldest_open_cutoff(connection: Connection) -> datetime | None:
    """The cut-off of the settlement that has waited longest for its end."""
    row = connection.execute(SELECT_OLDEST_OPEN).fetchone()
    cutoff: datetime | None = row[0] if row else None
    return cutoff


def lock_by_reference(tx: Connection, end_to_end_id: str) -> Settlement | None:
    """The settlement that this reference names, locked."""
    return _one(tx, LOCK_BY_REFERENCE, end_to_end_id)


def lock_by_message(tx: Connection, message_id: str) -> Settlement | None:
    """The settlement whose file had this message id, locked."""
    return _one(tx, LOCK_BY_MESSAGE, message_id)


def lock_by_id(tx: Connection, settlement_id: SettlementId) -> Settlement | None:
    """The settlement, locked."""
    return _one(tx, LOCK_BY_ID, settlement_id)


def move(
    tx: Connection,
    settlement: Settlement,
    status: Status,
    *,
    processed_at: datetime | None = None,
    closing_id: TransferId | None = None,
    failure_code: str | None = None,
) -> Settlement:
    """The settlement has the new status; InvalidState where the table does not allow it."""
    values = {
        "id": settlement.id,
        "status": status,
        "processed_at": processed_at,
        "closing_id": closing_id,
        "failure_code": failure_code,
    }
    with tx.cursor(row_factory=class_row(Settlement)) as cursor:
        moved = cursor.execute(UPDATE_STATUS, values).fetchone()
    assert moved is not None, "the settlement is locked, so it exists"  # noqa: S101
    return moved


def insert_file(
    tx: Connection,
    *,
    direction: str,
    sha256: bytes,
    name: str,
    kind: str,
    message_id: str,
    now: datetime,
) -> bool:
    """The file is recorded as processed; False when the same bytes were before."""
    values = (direction, sha256, name, kind, message_id, now)
    return tx.execute(INSERT_FILE, values).rowcount == 1


def insert_lines(tx: Connection, *, file_sha256: bytes, lines: Iterable[BankLine]) -> None:
    """What the bank said is kept, with what became of it."""
    with tx.cursor() as cursor:
        cursor.executemany(
            INSERT_LINE, [asdict(line) | {"file_sha256": file_sha256} for line in lines]
        )


def settlement(
    connection: Connection, settlement_id: SettlementId, *, merchant_id: MerchantId, mode: str
) -> Settlement | None:
    """The merchant's own settlement of this id."""
    return _one(connection, SELECT_SETTLEMENT, settlement_id, merchant_id, mode)


def page(
    connection: Connection,
    page: Page[UUID],
    *,
    merchant_id: MerchantId,
    mode: str,
) -> list[Settlement]:
    """The merchant's settlements on the page, newest cut-off first, and the one after them."""
    query = lists.statement(SELECT_PAGE, FILTERS, page)
    # Ids tell of the cut-off, which may lie days before the settlement was made.
    values = {**lists.values(page, merchant_id, mode), "above": page.before or ABOVE_ALL}
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(query, values).fetchall()


def lines(connection: Connection, settlement_id: SettlementId) -> list[StatementLine]:
    """The entries that the settlement pays out, oldest first."""
    with connection.cursor(row_factory=class_row(StatementLine)) as cursor:
        return cursor.execute(SELECT_LINES, (settlement_id,)).fetchall()


def _one(connection: Connection, query: str, *values: object) -> Settlement | None:
    with connection.cursor(row_factory=class_row(Settlement)) as cursor:
        return cursor.execute(query, values).fetchone()
