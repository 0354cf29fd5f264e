"""The ledger's calls for one order each: what they say reaches the books."""

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.results import Status
from paynexus.lists.model import Page, cut
from paynexus.money import Money

HOUR = dt.timedelta(hours=1)
SQL_TRANSFER = """
SELECT state, amount, released, is_final, effective_at, expires_at - created_at, reverses
FROM transfers WHERE id = %s
"""


def new_id() -> TransferId:
    """A transfer id not used before."""
    return TransferId(ids.new_id())


def payment(merchant: MerchantId, amount: int = 1000) -> Transfer:
    """A payment to the merchant."""
    return Transfer(
        new_id(),
        TransferKind.PAYMENT,
        Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        Money(amount, "EUR"),
        "pay_1",
    )


def booked(database: Database, id_: UUID) -> tuple[object, ...]:
    """What is on record of the transfer."""
    row = database.connection().execute(SQL_TRANSFER, (id_,)).fetchone()
    assert row
    return row


def test_every_call_is_dated_as_it_was_told(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Reserved for an hour, posted in part, void, reversed: each with its own effective time."""
    hold, part, rest, back = payment(merchant), new_id(), new_id(), new_id()
    moments = [now - n * HOUR for n in range(1, 6)]
    with database.transaction() as tx:
        store.reserve(tx, hold, timeout=HOUR, at=moments[0])
        store.post_pending(tx, hold.id, id=part, amount=400, is_final=False, at=moments[1])
        store.void_pending(tx, hold.id, id=rest, at=moments[2])
        store.reverse(tx, part, id=back, at=moments[3])
        single = payment(merchant)
        store.post(tx, single, at=moments[4])

    assert booked(database, hold.id) == ("pending", 1000, 0, False, moments[0], HOUR, None)
    assert booked(database, part) == ("post", 400, 400, False, moments[1], None, None)
    assert booked(database, rest) == ("void", 600, 600, True, moments[2], None, None)
    assert booked(database, back) == ("single", 400, 0, True, moments[3], None, part)
    assert booked(database, single.id) == ("single", 1000, 0, True, moments[4], None, None)


def test_a_post_is_final_unless_told_otherwise(database: Database, merchant: MerchantId) -> None:
    """What is left is released."""
    hold, part = payment(merchant), new_id()
    with database.transaction() as tx:
        store.reserve(tx, hold)
        store.post_pending(tx, hold.id, id=part, amount=400)

    assert booked(database, part)[:4] == ("post", 400, 1000, True)


def test_a_batch_tells_balances_and_a_single_call_does_without(
    database: Database, merchant: MerchantId
) -> None:
    """It is the quick one; so is a batch that declines them. Debits less credits."""
    orders = [Order.single(payment(merchant, 100)), Order.pending(payment(merchant, 7))]
    with database.transaction() as tx:
        told = store.transfers(tx, orders)
        untold = store.transfers(tx, orders, with_balances=False)
        result = store.post(tx, payment(merchant))

    assert [(one.debit, one.credit) for one in untold] == [(None, None)] * 2
    assert [
        ((one.debit.posted, one.debit.pending), (one.credit.posted, one.credit.pending))
        for one in told
        if one.debit and one.credit
    ] == [((100, 0), (-100, 0)), ((100, 7), (-100, -7))]

    assert (result.status, result.amount, result.debit, result.credit) == (
        Status.CREATED,
        1000,
        None,
        None,
    )


def test_metadata_are_kept_as_they_were_given(database: Database, merchant: MerchantId) -> None:
    """None given and nothing in them are two things, and repeating either is no difference."""
    given: list[dict[str, Any] | None] = [None, {}, {"reason": "test", "lines": [1, None]}]
    transfers = [replace(payment(merchant), metadata=metadata) for metadata in given]
    orders = [Order.single(transfer) for transfer in transfers]
    emptied = replace(Order.single(replace(transfers[2], id=new_id())), metadata={})
    with database.transaction() as tx:
        for _ in range(2):
            for result in store.transfers(tx, [*orders, emptied]):
                result.require_booked()
    rows = database.connection().execute("SELECT id, metadata FROM transfers")

    assert dict(rows.fetchall()) == {
        order.id: metadata for order, metadata in zip([*orders, emptied], [*given, {}], strict=True)
    }


def test_holds_are_void_when_their_time_is_up(database: Database, merchant: MerchantId) -> None:
    """The oldest first, so many at a time; nothing can be posted of them any more."""
    holds = [payment(merchant) for _ in range(3)]
    with database.transaction() as tx:
        for hold in holds:
            store.reserve(tx, hold, timeout=HOUR)
        assert store.expire(tx, limit=10) == 0
        tx.execute("UPDATE open_holds SET expires_at = clock_timestamp()")
        assert (store.expire(tx, limit=2), store.expire(tx, limit=2)) == (2, 1)

    with pytest.raises(errors.PendingTransferExpired), database.transaction() as tx:
        store.post_pending(tx, holds[0].id, id=new_id())


def test_entries_are_read_from_the_newest_on(database: Database, merchant: MerchantId) -> None:
    """Page by page, in the mode that was asked for."""
    with database.transaction() as tx:
        for amount in (1, 2, 3):
            store.post(tx, payment(merchant, amount))
    connection = database.connection()

    first, more = cut(reading.entries(connection, merchant, "test", Page(2)), Page(2))
    second = reading.entries(connection, merchant, "test", Page(2, before=first[-1].id))
    assert more
    assert [one.amount for one in first + second] == [3, 2, 1]
    assert reading.entries(connection, merchant, "live", Page[int](2)) == []
