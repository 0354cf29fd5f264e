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


def _hold(merchant: MerchantId) -> Transfer:
    payment = ids.new_id()
    return Transfer(
        id=TransferId(ids.new_id()),
        kind=TransferKind.PAYMENT,
        debit=Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        money=Money(1250, "EUR"),
        object_id=ids.text("pay", payment),
        transaction_id=ids.PaymentId(payment),
    )


def test_the_books_are_told_as_they_were_booked(
    database: Database, merchant: MerchantId, drain: Drain
) -> None:
    """Pending, posted in parts, voided, reversed: each valid, with the balances right after it."""
    bus, kept, void = RecordingBus(), _hold(merchant), _hold(merchant)
    first, last = TransferId(ids.new_id()), TransferId(ids.new_id())
    with database.transaction() as tx:
        books.reserve(tx, kept)
        books.post_pending(tx, kept.id, id=first, amount=1000, is_final=False)
        books.reserve(tx, void)
    with database.transaction() as tx:
        books.post_pending(tx, kept.id, id=last, amount=50)
        books.void_pending(tx, void.id, id=TransferId(ids.new_id()))
        books.reverse(tx, first, id=TransferId(ids.new_id()))

    drain(bus)

    facts = [json.loads(entry.detail) for entry in bus.taken]
    for fact in facts:
        events.require_valid(fact)
    told = [
        (
            fact["type"].split(".")[1],
            fact["sequence"],
            *(fact["data"][name] for name in ("amount", "released", "final")),
            # The merchant's account has one slot: this is its balance.
            fact["data"][f"{'debit' if fact['data']['reverses'] else 'credit'}_balance_after"],
        )
        for fact in facts
    ]
    assert told == [
        ("pending", 1, 1250, 0, False, -1250),
        ("posted", 2, 1000, 1000, False, -1000),
        ("pending", 1, 1250, 0, False, -1500),
        ("posted", 3, 50, 250, True, -1050),
        ("voided", 2, 1250, 1250, True, 0),
        ("posted", 1, 1000, 0, True, -50),
    ]
    assert facts[-1]["data"]["reverses"] == ids.text("tr", first)
    assert {fact["object_id"] for fact in facts[:2]} == {ids.text("tr", kept.id)}


def test_an_expired_hold_is_told_as_that(
    database: Database, merchant: MerchantId, drain: Drain
) -> None:
    """It is the end of the transfer, as a void is, but nobody's decision."""
    bus = RecordingBus()
    with database.transaction() as tx:
        books.reserve(tx, _hold(merchant), timeout=dt.timedelta(seconds=1))
        tx.execute("UPDATE open_holds SET expires_at = now() - interval '1 second'")
        assert books.expire(tx, limit=10) == 1

    drain(bus)

    assert [entry.type for entry in bus.taken] == ["transfer.pending.v1", "transfer.expired.v1"]
    events.require_valid(json.loads(bus.taken[1].detail))


def test_the_balances_told_add_up_to_those_of_the_books(
    another_database: Callable[[], Database], merchant: MerchantId, drain: Drain
) -> None:
    """Of a spread account, the last that was told of each slot; of any other, the last."""
    # Each connection has a slot of its own.
    bus, clients = RecordingBus(), [another_database() for _ in range(4)]
    for database in clients * 5:
        with database.transaction() as tx:
            books.post(tx, _hold(merchant))

    drain(bus)

    told = dict[tuple[str, int], int]()
    for entry in bus.taken:
        data = json.loads(entry.detail)["data"]
        for side in ("debit", "credit"):
            told[data[f"{side}_account"], data[f"{side}_slot"]] = data[f"{side}_balance_after"]
    query = """
        SELECT account_id, slot, debits_posted - credits_posted FROM account_balances
        WHERE debits_posted <> credits_posted
    """
    rows = clients[0].connection().execute(query).fetchall()
    assert told == {(ids.text("acc", row[0]), row[1]): row[2] for row in rows}
    assert len(told) > 2


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
