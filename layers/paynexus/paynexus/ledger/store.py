"""The ledger's SQL, run inside the caller's transaction. The rules are in the database."""

import datetime as dt

from psycopg.rows import class_row

from paynexus.db import Connection
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger.model import Balance, Entry, Transfer

SQL_TRANSFER = """
SELECT ledger_transfer(
    %(id)s, %(state)s, %(kind)s, %(debit)s, %(debit_merchant)s, %(credit)s,
    %(credit_merchant)s, %(amount)s, %(currency)s, %(mode)s, %(object_id)s,
    %(transaction_id)s, %(at)s)
"""
SQL_RESOLVE = "SELECT ledger_resolve(%s, %s, %s, %s, %s)"
SQL_BALANCES = """
SELECT a.currency,
    coalesce(sum(b.credits_posted - b.debits_posted), 0)::BIGINT AS posted,
    coalesce(sum(b.credits_pending), 0)::BIGINT AS pending_in,
    coalesce(sum(b.debits_pending), 0)::BIGINT AS pending_out
FROM accounts AS a
INNER JOIN account_balances AS b ON b.account_id = a.id
WHERE a.merchant_id = %s AND a.mode = %s AND a.type = 'merchant_payable'
GROUP BY a.currency
ORDER BY a.currency
"""
SQL_ENTRIES = """
SELECT e.id, e.transfer_id, t.kind, e.type, -e.delta AS amount,
    -e.balance_after AS balance_after, e.currency, t.object_id, e.created_at
FROM accounts AS a
INNER JOIN ledger_entries AS e ON e.account_id = a.id
INNER JOIN transfers AS t ON t.id = e.transfer_id
WHERE a.merchant_id = %(merchant_id)s AND a.mode = %(mode)s AND a.type = 'merchant_payable'
    AND (%(before)s::BIGINT IS NULL OR e.id < %(before)s)
ORDER BY e.id DESC
LIMIT %(limit)s
"""


def post(tx: Connection, transfer: Transfer, *, at: dt.datetime) -> None:
    """`transfer` is booked at once. Booking it again with the same values changes nothing.

    Raises TransferExistsWithDifference when its id was used for another transfer.
    """
    _transfer(tx, transfer, state="single", at=at)


def reserve(tx: Connection, transfer: Transfer, *, at: dt.datetime) -> None:
    """`transfer` is pending: it is counted in pending balances until it is resolved."""
    _transfer(tx, transfer, state="pending", at=at)


def post_pending(
    tx: Connection,
    pending_id: TransferId,
    *,
    id: TransferId,  # noqa: A002 - the ledger's own word
    at: dt.datetime,
    amount: int | None = None,
) -> None:
    """The pending transfer is posted, whole or with `amount`; what is left is released.

    Raises PendingTransferNotFound, PendingTransferAlreadyPosted, PendingTransferAlreadyVoided.
    """
    tx.execute(SQL_RESOLVE, (id, pending_id, "post", amount, at))


def void_pending(
    tx: Connection,
    pending_id: TransferId,
    *,
    id: TransferId,  # noqa: A002 - the ledger's own word
    at: dt.datetime,
) -> None:
    """The pending transfer is void: nothing of it remains in any balance."""
    tx.execute(SQL_RESOLVE, (id, pending_id, "void", None, at))


def balances(connection: Connection, merchant_id: MerchantId, mode: str) -> list[Balance]:
    """What the merchant is owed, one balance a currency."""
    with connection.cursor(row_factory=class_row(Balance)) as cursor:
        return cursor.execute(SQL_BALANCES, (merchant_id, mode)).fetchall()


def entries(
    connection: Connection, merchant_id: MerchantId, mode: str, *, limit: int, before: int | None
) -> list[Entry]:
    """The merchant's entries, newest first, older than the entry `before`."""
    values = {"merchant_id": merchant_id, "mode": mode, "limit": limit, "before": before}
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(SQL_ENTRIES, values).fetchall()


def _transfer(tx: Connection, transfer: Transfer, *, state: str, at: dt.datetime) -> None:
    tx.execute(
        SQL_TRANSFER,
        {
            "id": transfer.id,
            "state": state,
            "kind": transfer.kind,
            "debit": transfer.debit.type,
            "debit_merchant": transfer.debit.merchant_id,
            "credit": transfer.credit.type,
            "credit_merchant": transfer.credit.merchant_id,
            "amount": transfer.money.amount,
            "currency": transfer.money.currency,
            "mode": transfer.debit.mode,
            "object_id": transfer.object_id,
            "transaction_id": transfer.transaction_id,
            "at": at,
        },
    )
