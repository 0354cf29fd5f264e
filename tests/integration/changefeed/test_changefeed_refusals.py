"""Whatever the bus refuses: nothing is lost, nothing is blocked for ever."""

from collections.abc import Sequence

import pytest

from paynexus import changefeed, ids
from paynexus.changefeed import feed as feed_module
from paynexus.changefeed import store
from paynexus.changefeed.feed import STRIKES
from paynexus.changefeed.port import MAX_BYTES, Entry, Refusal
from paynexus.db import Database
from paynexus.errors import BusUnavailable
from paynexus.ids import MerchantId
from tests.integration.changefeed.recording import (
    Drain,
    Follow,
    RecordingBus,
    append,
    append_each,
    rejected,
)


def test_nothing_behind_the_first_refusal_is_confirmed(
    database: Database, merchant: MerchantId, follow: Follow
) -> None:
    """The part from the first refused entry on is offered again; the part before it is not."""
    written = append_each(database, merchant, 25)
    bus = RecordingBus(lambda entries: [Refusal(3, "InternalFailure", "")] if entries else ())
    feed = follow(bus)

    assert not feed.turn()
    assert written[:3] + written[4:10] == bus.ids

    bus.judge = lambda _: ()
    bus.taken.clear()
    assert feed.turn()
    assert written[3:] == bus.ids
    assert rejected(database) == []


def test_a_transaction_half_taken_is_not_let_go(
    database: Database,
    merchant: MerchantId,
    follow: Follow,
    drain: Drain,
) -> None:
    """Twelve facts of one commit need two calls; after the second failed the log still has all."""
    with database.transaction() as tx:
        written = [append(tx, merchant) for _ in range(12)]
    bus = RecordingBus()
    bus.judge = lambda entries: [Refusal(0, "InternalFailure", "")] if len(entries) == 2 else ()
    feed = follow(bus)

    assert not feed.turn()
    assert not feed.turn()
    assert written[:10] + written[11:] * 2 == bus.ids

    feed._log.close()
    other = RecordingBus()
    drain(other)
    assert written == other.ids


def test_a_bus_that_is_gone_loses_nothing_and_condemns_nothing(
    database: Database,
    merchant: MerchantId,
    follow: Follow,
) -> None:
    """Longer than any patience: the facts are still in the log, in order, and none set aside."""
    written = append_each(database, merchant, 3)

    def gone(_: Sequence[Entry]) -> Sequence[Refusal]:
        raise BusUnavailable("no route")

    bus = RecordingBus(gone)
    feed = follow(bus)
    waits = []
    for _ in range(3 * STRIKES):
        assert not feed.turn()
        waits.append(feed.backoff_seconds())
    bus.judge = lambda _: ()

    assert feed.turn()
    assert written == bus.ids
    assert waits == sorted(waits)
    assert waits[-1] == feed_module.LONGEST_BACKOFF_SECONDS
    assert rejected(database) == []


@pytest.mark.parametrize(
    ("code", "turns"), [("MalformedDetail", 1), ("InvalidArgument", 1), ("Whatever", STRIKES)]
)
def test_a_poison_fact_is_set_aside_and_blocks_nothing(
    *,
    code: str,
    turns: int,
    database: Database,
    merchant: MerchantId,
    follow: Follow,
) -> None:
    """Kept whole in its table, once; everything else is told."""
    written = append_each(database, merchant, 5)
    poison = written[2]

    def judge(entries: Sequence[Entry]) -> Sequence[Refusal]:
        return [Refusal(at, code, "no") for at, one in enumerate(entries) if one.id == poison]

    bus = RecordingBus(judge)
    reached = store.mark_log(database.connection())
    feed = follow(bus)
    for _ in range(turns + 1):
        feed.turn()

    assert [(poison, code)] == rejected(database)
    assert {*written} - {poison} == {*bus.ids}
    assert feed.confirmed >= reached


def test_throttling_condemns_nobody(
    database: Database, merchant: MerchantId, follow: Follow
) -> None:
    """An entry is not to blame for the bus's rate."""
    append_each(database, merchant, 2)
    bus = RecordingBus(lambda _: [Refusal(0, "ThrottlingException", "slow down")])
    feed = follow(bus)

    assert not any(feed.turn() for _ in range(3 * STRIKES))
    assert rejected(database) == []


def test_a_fact_too_large_for_the_bus_is_set_aside_and_never_sent(
    database: Database,
    merchant: MerchantId,
    drain: Drain,
) -> None:
    """The neighbours of the same transaction are told."""
    bus = RecordingBus()
    with database.transaction() as tx:
        first = append(tx, merchant)
        large = changefeed.append_event(
            tx,
            source="payments.events",
            type="payment.created.v1",
            mode="test",
            merchant_id=merchant,
            object_id=ids.text("pay", ids.new_id()),
            data={"x": "☕" * (MAX_BYTES // 3)},
        )
        last = append(tx, merchant)

    report = drain(bus)

    assert [first, last] == bus.ids
    assert [(ids.text("evt", large), "TooLarge")] == rejected(database)
    assert changefeed.Report(is_reader=True, published=2, rejected=1) == report


def test_a_row_that_no_fact_can_be_made_of_is_set_aside_once(
    database: Database,
    merchant: MerchantId,
    drain: Drain,
) -> None:
    """A newer schema must not stop an older feed, and its rows are kept for the newer one."""
    bus = RecordingBus()
    database.connection().execute("ALTER PUBLICATION paynexus_changes ADD TABLE users")
    with database.transaction() as tx:
        tx.execute("INSERT INTO users (id, email) VALUES (%s, 'ada@example.com')", (ids.new_id(),))
        told = append(tx, merchant)

    drain(bus)

    assert [told] == bus.ids
    ((_, code),) = rejected(database)
    assert code == "UnknownFact"
