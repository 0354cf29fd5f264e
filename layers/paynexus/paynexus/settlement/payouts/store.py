"""Payout files and the settlements in them, in Postgres."""

import datetime as dt
from collections.abc import Sequence

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from paynexus.db import Connection
from paynexus.ids import SettlementId
from paynexus.settlement.payouts.model import Payout, PayoutFile

ASSEMBLY_LOCK = 0x706E7866  # "pnxf": one assembly of files at a time
WAIT_SECONDS = 60
"""How long an assembly waits for another to end."""

SQL_LOCK = (
    f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'; SELECT pg_advisory_xact_lock({ASSEMBLY_LOCK})"
)

SQL_LOCK_WAITING = """
SELECT id, end_to_end_id, amount, mode, currency, instruction
  FROM settlements WHERE message_id IS NULL AND id > %s ORDER BY id LIMIT %s FOR UPDATE
"""

SQL_INSERT = """
INSERT INTO payout_files
    (message_id, mode, currency, debtor, execution_date, transfers, amount, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
SQL_PUT = "UPDATE settlements SET message_id = %s WHERE id = ANY(%s)"

COLUMNS = """
f.message_id, f.mode, f.currency, f.debtor, f.execution_date, f.transfers, f.amount, f.created_at,
f.sha256, f.sent_at, f.inquired_at, f.inquiries, coalesce(h.calendar, '') AS calendar,
coalesce(h.repeat_days, 0) AS repeat_days, coalesce(h.deadline_days, 1) AS deadline_days
"""
SQL_UNSENT = f"""
SELECT {COLUMNS} FROM payout_files AS f LEFT JOIN house_accounts AS h USING (mode, currency)
 WHERE f.sent_at IS NULL ORDER BY f.created_at, f.message_id
"""  # noqa: S608 - the columns are a constant of this file
SQL_UNANSWERED = f"""
SELECT {COLUMNS} FROM payout_files AS f LEFT JOIN house_accounts AS h USING (mode, currency)
 WHERE f.answered_at IS NULL AND f.sent_at IS NOT NULL AND f.execution_date < %s
 ORDER BY f.sent_at, f.message_id
"""  # noqa: S608

SQL_MEMBERS = """
SELECT id, end_to_end_id, amount, mode, currency, instruction
  FROM settlements WHERE message_id = %s ORDER BY end_to_end_id COLLATE "C"
"""
SQL_LOCK_PENDING = """
SELECT id FROM settlements WHERE message_id = %s AND status = 'PENDING' ORDER BY id FOR UPDATE
"""
SQL_COUNT_SEND = """
UPDATE payout_files SET sends = sends + 1 WHERE message_id = %s AND sent_at IS NULL
"""
SQL_MARK_SENT = """
UPDATE payout_files SET sha256 = %s, sent_at = %s WHERE message_id = %s AND sent_at IS NULL
"""
SQL_FILE_OUT = """
INSERT INTO bank_files (direction, sha256, name, kind, message_id, made_at, processed_at)
VALUES ('out', %s, %s, 'pain.001', %s, %s, %s) ON CONFLICT DO NOTHING
"""
SQL_LOCK_UNANSWERED = """
SELECT message_id FROM payout_files WHERE message_id = %s AND answered_at IS NULL FOR UPDATE
"""
SQL_COUNT_INQUIRY = """
UPDATE payout_files SET inquiries = inquiries + 1, inquired_at = %s, sends = sends + 1
 WHERE message_id = %s AND answered_at IS NULL AND inquiries = %s
"""


def lock_assembly(tx: Connection) -> None:
    """Until the transaction ends, nobody else puts settlements into files."""
    tx.execute(SQL_LOCK)


def lock_waiting(tx: Connection, *, after: SettlementId, limit: int) -> list[Payout]:
    """Settlements that are in no file yet, the oldest first after that one."""
    with tx.cursor(row_factory=class_row(Payout)) as cursor:
        return cursor.execute(SQL_LOCK_WAITING, (after, limit)).fetchall()


def insert(tx: Connection, message_id: str, payouts: Sequence[Payout], *, now: dt.datetime) -> None:
    """The file is on record, and its settlements are in it for good."""
    first = payouts[0]
    amount = sum(payout.amount for payout in payouts)
    debtor = Jsonb(first.instruction["debtor"])
    days = first.instruction["execution_date"]
    values = (message_id, first.mode, first.currency, debtor, days, len(payouts), amount, now)
    tx.execute(SQL_INSERT, values)
    tx.execute(SQL_PUT, (message_id, [payout.id for payout in payouts]))


def unsent(connection: Connection) -> list[PayoutFile]:
    """Files that the bank has perhaps not got, the oldest first."""
    with connection.cursor(row_factory=class_row(PayoutFile)) as cursor:
        return cursor.execute(SQL_UNSENT).fetchall()


def unanswered(connection: Connection, *, today: dt.date) -> list[PayoutFile]:
    """Files that were to be paid before today, and of which the bank has never spoken."""
    with connection.cursor(row_factory=class_row(PayoutFile)) as cursor:
        return cursor.execute(SQL_UNANSWERED, (today,)).fetchall()


def members(connection: Connection, message_id: str) -> list[Payout]:
    """What the file pays, in the order in which it is written."""
    with connection.cursor(row_factory=class_row(Payout)) as cursor:
        return cursor.execute(SQL_MEMBERS, (message_id,)).fetchall()


def lock_pending(tx: Connection, message_id: str) -> list[SettlementId]:
    """The file's settlements whose instruction nobody has noted yet, locked."""
    return [row[0] for row in tx.execute(SQL_LOCK_PENDING, (message_id,))]


def count_send(connection: Connection, message_id: str) -> bool:
    """The file is about to be put into the outbox; False when it was noted as sent."""
    return connection.execute(SQL_COUNT_SEND, (message_id,)).rowcount == 1


def mark_sent(tx: Connection, file: PayoutFile, sha256: bytes, *, now: dt.datetime) -> bool:
    """The file is noted as sent; False when it was."""
    if tx.execute(SQL_MARK_SENT, (sha256, now, file.message_id)).rowcount == 0:
        return False
    tx.execute(SQL_FILE_OUT, (sha256, file.name, file.message_id, file.created_at, now))
    return True


def lock_unanswered(tx: Connection, message_id: str) -> bool:
    """The file is locked; False when the bank has spoken of it meanwhile."""
    return tx.execute(SQL_LOCK_UNANSWERED, (message_id,)).fetchone() is not None


def count_inquiry(tx: Connection, file: PayoutFile, *, now: dt.datetime) -> bool:
    """One more inquiry is about to be sent; False when another run was first."""
    values = (now, file.message_id, file.inquiries)
    return tx.execute(SQL_COUNT_INQUIRY, values).rowcount == 1
