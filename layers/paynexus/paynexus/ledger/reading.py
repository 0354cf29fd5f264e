"""Reading the books: balances now and in the past, what they are made of, statements.

Each function is one statement, so that all it tells is of one moment. Merchants' amounts are
credit-positive: what they are owed.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql
from psycopg.abc import Params
from psycopg.rows import BaseRowFactory, class_row, dict_row

from paynexus.db import Connection
from paynexus.ids import MerchantId
from paynexus.ledger.model import Balance, Entry
from paynexus.lists import store as lists
from paynexus.lists.model import Page

SQL_BALANCES = """
SELECT a.currency, (n.balance).posted, (n.balance).credits_pending AS pending_in,
    (n.balance).debits_pending AS pending_out, h.holds
FROM accounts AS a
CROSS JOIN LATERAL ledger_balances_now(ARRAY[a.id]) AS n
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(to_jsonb(o)), '[]') AS holds
    FROM ledger_open_holds(ARRAY[a.id], %(holds)s) AS o
) AS h
WHERE a.merchant_id = %(merchant_id)s AND a.mode = %(mode)s AND a.type = 'merchant_payable'
ORDER BY a.currency
"""
SQL_BALANCES_AT = """
SELECT a.currency, b.posted, b.credits_pending AS pending_in, b.debits_pending AS pending_out
FROM accounts AS a
CROSS JOIN LATERAL ledger_balance_at(a.id, %(at)s, %(known_at)s) AS b
WHERE a.merchant_id = %(merchant_id)s AND a.mode = %(mode)s AND a.type = 'merchant_payable'
ORDER BY a.currency
"""
SQL_ENTRIES = """
SELECT p.id, p.transfer_id, p.kind, p.type, -p.delta AS amount,
    -CASE WHEN p.type = 'posted' THEN p.posted ELSE p.pending END AS balance_after,
    p.currency, p.object_id, p.created_at
FROM ledger_page(ARRAY(
    SELECT id FROM accounts
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND type = 'merchant_payable'
    {like}
), least(%(before)s, ledger_entry_id_at(%(until)s)), %(after)s, %(limit)s,
ledger_entry_id_at(%(since)s)) AS p
"""
FILTERS: lists.Filters = {"currency": "AND currency = %(currency)s"}
SQL_STATEMENT = """
SELECT o.posted AS opening_posted, o.pending AS opening_pending,
    c.posted AS closing_posted, c.pending AS closing_pending,
    l.id, l.transfer_id, l.kind, l.object_id, l.type, l.created_at, l.effective_at,
    (l.change).posted, (l.change).pending,
    (l.balance).posted AS posted_after, (l.balance).pending AS pending_after
FROM ledger_balance_at(%(account)s, %(first)s - INTERVAL '1 microsecond', %(known)s) AS o
CROSS JOIN ledger_balance_at(%(account)s, %(until)s - INTERVAL '1 microsecond', %(known)s) AS c
LEFT JOIN ledger_statement(
    %(account)s, %(first)s, %(until)s, %(known)s, %(after_effective)s, %(after_id)s, %(limit)s
) AS l ON TRUE
ORDER BY l.effective_at, l.id
"""
SQL_MARK = "SELECT marked_at, transaction::TEXT AS transaction FROM ledger_mark()"
SQL_CHECKPOINT = "SELECT ledger_checkpoint(%s, %s::XID8, %s)"
SQL_QUEUE = "SELECT coalesce(max(waiting), 0) FROM ledger_queues()"
SQL_OVERDUE = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(expires_at)), 0)::DOUBLE PRECISION
FROM open_holds WHERE expires_at <= clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is left of a pending transfer; an outgoing one is taken off what is available."""

    transfer_id: UUID
    kind: str
    object_id: str
    is_outgoing: bool
    amount: int
    expires_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Owed:
    """A balance and the open holds in it, the oldest first."""

    balance: Balance
    holds: list[Hold]


@dataclass(frozen=True, slots=True)
class Sums:
    """Posted and pending minor units, on the account's normal side."""

    posted: int
    pending: int


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a statement: what it changed, and the balance after it."""

    id: int
    transfer_id: UUID
    kind: str
    object_id: str
    type: str
    created_at: dt.datetime
    effective_at: dt.datetime
    change: Sums
    balance: Sums


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to just before `until`, as it was known at `known`."""

    first: dt.datetime
    until: dt.datetime
    known: dt.datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """An account over a period: `opening` and all lines' changes add up to `closing`.

    Of a long statement this holds some lines; the next are asked for after the last of them.
    """

    opening: Sums
    lines: list[Line]
    closing: Sums


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, and a transaction id above those of all that book before it."""

    marked_at: dt.datetime
    transaction: str


def balances(
    connection: Connection, merchant_id: MerchantId, mode: str, *, holds: int = 0
) -> list[Owed]:
    """What the merchant is owed now, one balance a currency, with so many open holds of each.

    A hold whose time is up is released, whether or not it has been voided yet.
    """
    values = {"merchant_id": merchant_id, "mode": mode, "holds": holds}
    return [_owed(row) for row in _rows(connection, dict_row, SQL_BALANCES, values)]


def balances_at(
    connection: Connection,
    merchant_id: MerchantId,
    mode: str,
    *,
    at: dt.datetime,
    known_at: dt.datetime,
) -> list[Balance]:
    """What the merchant was owed at `at`, as it was known at `known_at`."""
    values = {"merchant_id": merchant_id, "mode": mode, "at": at, "known_at": known_at}
    return _rows(connection, class_row(Balance), SQL_BALANCES_AT, values)


def entries(
    connection: Connection,
    merchant_id: MerchantId,
    mode: str,
    page: Page[int],
    *,
    after: int | None = None,
) -> list[Entry]:
    """The merchant's entries as recorded: those on the page, newest first, and the one after.

    With `after`, an entry's id: the oldest first, newer than that entry. `balance_after` is the
    account's posted balance, or its pending one where the entry changes that.
    """
    values = {
        **page.like,
        "merchant_id": merchant_id,
        "mode": mode,
        "limit": page.limit + 1,
        "before": page.before,
        "after": after,
        "since": page.since,
        "until": page.until,
    }
    return _rows(connection, class_row(Entry), lists.statement(SQL_ENTRIES, FILTERS, page), values)


def statement(
    connection: Connection,
    account_id: UUID,
    period: Period,
    *,
    limit: int,
    after: Line | None = None,
) -> Statement:
    """What the account began with, what happened, in the order in which it counts, and the end.

    Asked with the same `known`, and late enough after it for bookings of that moment to have
    ended, the pages of a statement fit together whatever is booked meanwhile.
    """
    values = {
        "account": account_id,
        "first": period.first,
        "until": period.until,
        "known": period.known,
        "after_effective": after and after.effective_at,
        "after_id": after and after.id,
        "limit": limit,
    }
    found = _rows(connection, dict_row, SQL_STATEMENT, values)
    head = found[0]
    return Statement(
        opening=Sums(head["opening_posted"], head["opening_pending"]),
        lines=[_line(row) for row in found if row["id"] is not None],
        closing=Sums(head["closing_posted"], head["closing_pending"]),
    )


def mark(connection: Connection) -> Mark:
    """A mark for `checkpoint`, which works once the transactions before it have ended.

    In a transaction of its own: `connection` is in none.
    """
    [found] = _rows(connection, class_row(Mark), SQL_MARK)
    return found


def checkpoint(tx: Connection, before: Mark, *, limit: int) -> int | None:
    """So many checkpoints at most were made; how many. None: not yet, ask again."""
    values = (before.marked_at, before.transaction, limit)
    [(made,)] = tx.execute(SQL_CHECKPOINT, values)
    return None if made is None else int(made)


def longest_queue(connection: Connection) -> int:
    """How many transfers wait on the busiest account at this moment."""
    [(waiting,)] = connection.execute(SQL_QUEUE)
    return int(waiting)


def overdue_seconds(connection: Connection) -> float:
    """How long ago the time of the oldest hold that is still open was up."""
    [(seconds,)] = connection.execute(SQL_OVERDUE)
    return float(seconds)


def _rows[T](
    connection: Connection,
    factory: BaseRowFactory[T],
    query: LiteralString | sql.Composed,
    values: Params | None = None,
) -> list[T]:
    with connection.cursor(row_factory=factory) as cursor:
        return cursor.execute(query, values).fetchall()


def _owed(row: dict[str, Any]) -> Owed:
    balance = Balance(row["currency"], row["posted"], row["pending_in"], row["pending_out"])
    return Owed(balance, [_hold(one) for one in row["holds"]])


def _hold(row: dict[str, Any]) -> Hold:
    expires = row["expires_at"]
    return Hold(
        transfer_id=UUID(row["transfer_id"]),
        kind=row["kind"],
        object_id=row["object_id"],
        is_outgoing=row["is_debit"],
        amount=row["amount_left"],
        expires_at=dt.datetime.fromisoformat(expires) if expires else None,
    )


def _line(row: dict[str, Any]) -> Line:
    return Line(
        id=row["id"],
        transfer_id=row["transfer_id"],
        kind=row["kind"],
        object_id=row["object_id"],
        type=row["type"],
        created_at=row["created_at"],
        effective_at=row["effective_at"],
        change=Sums(row["posted"], row["pending"]),
        balance=Sums(row["posted_after"], row["pending_after"]),
    )
