"""Exactly the committed facts, in the order of their commits."""

import datetime as dt
import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from psycopg import Rollback

from paynexus import events, ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as books
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from tests.integration.changefeed.recording import (
    Drain,
    RecordingBus,
    append,
    append_each,
)


def test_facts_leave_in_the_order_of_their_commits(
    database: Database,
    another_database: Callable[[], Database],
    merchant: MerchantId,
    drain: Drain,
) -> None:
    """A transaction that began first and committed last is told last, whole."""
    bus, slow = RecordingBus(), another_database()
    with slow.transaction() as late:
        early = [append(late, merchant)]
        between = append_each(database, merchant, 3)
        early.append(append(late, merchant))

    drain(bus)

    assert [*between, *early] == bus.ids


def test_what_is_rolled_back_is_never_told(
    database: Database,
    merchant: MerchantId,
    drain: Drain,
) -> None:
    """Neither a whole transaction nor a savepoint within one that committed."""
    bus = RecordingBus()
    with database.transaction() as tx:
        append(tx, merchant)
        raise Rollback
    with database.transaction() as tx:
        first = append(tx, merchant)
        with tx.transaction():
            append(tx, merchant)
            raise Rollback
        last = append(tx, merchant)

    drain(bus)

    assert [first, last] == bus.ids


def test_concurrent_writers_are_told_exactly_and_each_object_in_order(
    another_database: Callable[[], Database],
    merchant: MerchantId,
    drain: Drain,
) -> None:
    """Six writers on four objects, a third of it rolled back, while the feed is reading."""
    objects = [ids.text("pay", ids.new_id()) for _ in range(4)]
    writers = [another_database() for _ in range(6)]
    bus, is_written = RecordingBus(), threading.Event()

    def read() -> None:
        is_last = False
        while not is_last:
            is_last = is_written.is_set()
            drain(bus)

    with ThreadPoolExecutor(7) as pool:
        reading = pool.submit(read)
        writing = [
            pool.submit(_write, one, merchant, objects, random.Random(seed))  # noqa: S311 - a test's dice
            for seed, one in enumerate(writers)
        ]
        committed = [fact for one in writing for fact in one.result()]
        is_written.set()
        reading.result()

    assert sorted(committed) == sorted(bus.ids)
    for one in objects:
        told = [json.loads(entry.detail) for entry in bus.taken if entry.object_id == one]
        assert [fact["sequence"] for fact in told] == list(range(1, len(told) + 1))


def _write(
    database: Database, merchant: MerchantId, objects: list[str], chance: random.Random
) -> list[str]:
    """Forty transactions, of which about a third is rolled back; the facts that stay."""
    committed = []
    for _ in range(40):
        is_kept = chance.random() > 1 / 3
        with database.transaction() as tx:
            mine = [_locked(tx, merchant, one) for one in sorted(chance.sample(objects, 2))]
            _roll_back_unless(is_kept=is_kept)
        committed += mine if is_kept else []
    return committed


def _roll_back_unless(*, is_kept: bool) -> None:
    if not is_kept:
        raise Rollback


def _locked(tx: Connection, merchant: MerchantId, one: str) -> str:
    tx.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (one,))
    return append(tx, merchant, one)


def test_the_books_are_told_as_they_were_booked(
    database: Database,
    merchant: MerchantId,
    now: dt.datetime,
    drain: Drain,
) -> None:
    """Pending, then posted; each a valid `ledger.changes` event of one transfer."""
    bus, payment, post = RecordingBus(), ids.new_id(), TransferId(ids.new_id())
    hold = Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        money=Money(1250, "EUR"),
        object_id=ids.text("pay", payment),
        transaction_id=ids.PaymentId(payment),
    )
    with database.transaction() as tx:
        books.reserve(tx, hold, at=now)
    with database.transaction() as tx:
        books.post_pending(tx, hold.id, id=post, at=now, amount=1000)

    drain(bus)

    facts = [json.loads(entry.detail) for entry in bus.taken]
    assert [(fact["type"], fact["sequence"]) for fact in facts] == [
        ("transfer.pending.v1", 1),
        ("transfer.posted.v1", 2),
    ]
    assert [fact["data"]["amount"] for fact in facts] == [1250, 1000]
    assert {fact["object_id"] for fact in facts} == {ids.text("tr", hold.id)}
    for fact in facts:
        events.require_valid(fact)


def test_the_sequence_of_an_object_has_no_gap(database: Database, merchant: MerchantId) -> None:
    """Whoever appends, from 1 on."""
    one = ids.text("pay", ids.new_id())
    for _ in range(3):
        with database.transaction() as tx:
            append(tx, merchant, one)

    query = "SELECT sequence FROM events WHERE object_id = %s ORDER BY id"
    rows = database.connection().execute(query, (one,)).fetchall()
    assert rows == [(1,), (2,), (3,)]


def test_an_objects_events_are_as_old_as_their_sequence_says(
    database: Database, another_database: Callable[[], Database], merchant: MerchantId
) -> None:
    """A transaction that began first and appended last is told last when the log is lost."""
    one = ids.text("pay", ids.new_id())
    with database.transaction() as early:
        early.execute("SELECT now()")
        with another_database().transaction() as late:
            append(late, merchant, one)
        append(early, merchant, one)

    query = "SELECT sequence FROM events WHERE object_id = %s ORDER BY created_at"
    rows = database.connection().execute(query, (one,)).fetchall()
    assert rows == [(1,), (2,)]


def test_an_event_keeps_its_id(database: Database, merchant: MerchantId) -> None:
    """The id that append_event answers is the row's."""
    with database.transaction() as tx:
        text = append(tx, merchant)

    rows = database.connection().execute("SELECT id FROM events").fetchall()
    assert rows == [(UUID(int=ids.parse("evt", text).int),)]
