"""The ledger's SQL, run inside the caller's transaction. The rules are in the database."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row

from paynexus.db import Connection
from paynexus.ids import TransferId
from paynexus.ledger.model import Order, Transfer
from paynexus.ledger.results import Net, Result, status_of
from paynexus.ledger.rows import ORDERS, row_of

SQL_TRANSFERS = f"SELECT t.* FROM ledger_transfers({ORDERS}, %s) AS t"  # noqa: S608 - a constant
SQL_LOCK = f"SELECT ledger_lock({ORDERS})"
SQL_EXPIRE = "SELECT ledger_expire(%s)"


def transfers(
    tx: Connection, orders: Sequence[Order], *, with_balances: bool = True
) -> list[Result]:
    """Each order is booked or refused, in turn; one result each, in their order.

    A refused order changes nothing and stops none but those linked to it. A refusal for want
    of funds is remembered with the caller's commit: its id never succeeds later. One call a
    transaction never waits in a circle with others; several may, and one of them is then told
    to repeat (DatabaseUnavailable).
    """
    values = ([row_of(order) for order in orders], with_balances)
    with tx.cursor(row_factory=dict_row) as cursor:
        return [_result(row) for row in cursor.execute(SQL_TRANSFERS, values)]


def lock(tx: Connection, orders: Sequence[Order]) -> None:
    """What new transfers will touch is locked, all in one order, and their accounts are open.

    For many of them that are booked in several calls of `transfers`, which then never wait in a
    circle with others.
    """
    pairs = {(o.transfer.debit, o.transfer.credit): o for o in orders if o.transfer}
    if pairs:
        tx.execute(SQL_LOCK, ([row_of(order) for order in pairs.values()],))


def post(tx: Connection, transfer: Transfer, *, at: dt.datetime | None = None) -> Result:
    """`transfer` is booked at once. Booking it again with the same values changes nothing.

    `at` is when it counts for the business; recorded it is now. Raises the LedgerError that
    the refusal means: TransferExistsWithDifference, FundsExceeded, AccountClosed, …
    """
    return _one(tx, Order.single(transfer, effective_at=at))


def reserve(
    tx: Connection,
    transfer: Transfer,
    *,
    timeout: dt.timedelta | None = None,
    at: dt.datetime | None = None,
) -> Result:
    """`transfer` is pending: it is counted in pending balances until it is resolved.

    After `timeout` it can no longer be posted, and is void. Raises as `post` does.
    """
    return _one(tx, Order.pending(transfer, timeout=timeout, effective_at=at))


def post_pending(
    tx: Connection,
    pending_id: TransferId,
    *,
    id: TransferId,  # noqa: A002 - the ledger's own word
    amount: int | None = None,
    is_final: bool = True,
    at: dt.datetime | None = None,
) -> Result:
    """The pending transfer is posted, whole or with `amount`; what is left is released.

    With `is_final` false what is left stays pending. Raises PendingTransferNotFound,
    PendingTransferAlreadyPosted, …AlreadyVoided, …Expired, …Exceeded.
    """
    order = Order.post(pending_id, id=id, amount=amount, is_final=is_final, effective_at=at)
    return _one(tx, order)


def void_pending(
    tx: Connection,
    pending_id: TransferId,
    *,
    id: TransferId,  # noqa: A002 - the ledger's own word
    at: dt.datetime | None = None,
) -> Result:
    """The pending transfer is void: nothing of it remains in any balance."""
    return _one(tx, Order.void(pending_id, id=id, effective_at=at))


def reverse(
    tx: Connection,
    transfer_id: TransferId,
    *,
    id: TransferId,  # noqa: A002 - the ledger's own word
    at: dt.datetime | None = None,
) -> Result:
    """What the transfer had moved went back. Raises TransferAlreadyReversed, InvalidTransfer."""
    return _one(tx, Order.reverse(transfer_id, id=id, effective_at=at))


def expire(tx: Connection, *, limit: int) -> int:
    """Pending transfers whose time is up are void, the oldest first; how many."""
    [(expired,)] = tx.execute(SQL_EXPIRE, (limit,))
    return int(expired)


def _one(tx: Connection, order: Order) -> Result:
    [result] = transfers(tx, [order], with_balances=False)
    return result.require_booked()


def _result(row: dict[str, Any]) -> Result:
    return Result(
        id=row["id"],
        status=status_of(row["status"]),
        field=row["field"],
        amount=row["amount"],
        debit=_net(row, "debit"),
        credit=_net(row, "credit"),
    )


def _net(row: dict[str, Any], side: str) -> Net | None:
    posted = row[f"{side}_posted"]
    if posted is None:
        return None
    return Net(row[f"{side}_account_id"], int(posted), int(row[f"{side}_pending"]))
