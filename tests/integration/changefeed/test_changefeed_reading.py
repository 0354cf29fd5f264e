"""One reader at a time; whenever it dies, the next goes on from what the bus has taken."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from paynexus import changefeed, ids
from paynexus.changefeed import store
from paynexus.changefeed.port import Entry
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.errors import ChangefeedLost
from paynexus.ids import MerchantId
from tests.integration.changefeed.recording import (
    Crash,
    Drain,
    RecordingBus,
    append_each,
)


def test_a_crash_between_publish_and_advance_publishes_again_and_loses_nothing(
    database: Database,
    another_database: Callable[[], Database],
    merchant: MerchantId,
    slot: str,
) -> None:
    """At every call of the bus where the process can die, the next reader tells all of it."""
    written = append_each(database, merchant, 25)
    for crash_at in (1, 2, 3):
        bus = RecordingBus()

        def crash(_: Sequence[Entry], bus: RecordingBus = bus, at: int = crash_at) -> tuple[()]:
            if bus.calls == at:
                raise Crash
            return ()

        bus.judge = crash
        dying = another_database()
        with pytest.raises(Crash):
            changefeed.drain(dying.connection(), bus, slot=slot, clock=system_clock)
        dying.close()
    survivor = RecordingBus()

    changefeed.drain(another_database().connection(), survivor, slot=slot, clock=system_clock)

    assert written == survivor.ids


def test_other_tables_move_the_slot_too(
    database: Database,
    merchant: MerchantId,
    reader: Connection,
    slot: str,
    drain: Drain,
) -> None:
    """A busy database without facts does not pile up its log."""
    with database.transaction() as tx:
        tx.execute("UPDATE merchants SET name = 'Café Schmidt' WHERE id = %s", (merchant,))
    reached = store.positions(reader).flushed

    drain(RecordingBus())

    query = "SELECT (confirmed_flush_lsn - '0/0')::BIGINT FROM pg_replication_slots"
    (row,) = reader.execute(f"{query} WHERE slot_name = %s", (slot,)).fetchall()
    assert row[0] >= reached


def test_there_is_one_reader_at_a_time_and_the_next_takes_over(
    another_database: Callable[[], Database], slot: str
) -> None:
    """The second waits for the right to read, and has it as soon as the first is gone."""
    first, second = another_database(), another_database()
    assert store.acquire(first.connection(), slot, wait_seconds=1)
    refused = changefeed.run(
        second.connection(),
        RecordingBus(),
        slot=slot,
        clock=system_clock,
        deadline=system_clock() + dt.timedelta(seconds=60),
        wait_seconds=0.05,
    )
    assert refused == changefeed.Report(is_reader=False)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.acquire, second.connection(), slot, wait_seconds=30)
        first.close()
        assert waiting.result()


def test_a_run_tells_what_is_committed_while_it_runs_and_ends_at_its_deadline(
    database: Database, merchant: MerchantId, reader: Connection, slot: str
) -> None:
    """Facts committed during a pause are on the bus after the next look."""
    bus, written, moment = RecordingBus(), list[str](), system_clock()
    hour = dt.timedelta(hours=1)
    times = [moment, moment]

    def sleep(_: float) -> None:
        nonlocal written
        assert bus.ids == written
        written += append_each(database, merchant, 2)
        if len(written) == 6:
            times.append(moment + hour)

    report = changefeed.run(
        reader,
        bus,
        slot=slot,
        clock=lambda: times[-1],
        deadline=moment + hour,
        sleep=sleep,
    )

    assert written[:4] == bus.ids
    assert changefeed.Report(is_reader=True, published=4) == report


def test_the_deadline_ends_publishing_in_the_middle_and_keeps_what_was_done(
    database: Database, merchant: MerchantId, reader: Connection, slot: str
) -> None:
    """A slow bus makes a run end late by one call at most, and the next goes on from there."""
    written = append_each(database, merchant, 25)
    moment = system_clock()
    now = [moment]
    bus = RecordingBus()

    def one_call_only(_: Sequence[Entry]) -> tuple[()]:
        now[0] += dt.timedelta(minutes=2)
        return ()

    bus.judge = one_call_only
    deadline = moment + dt.timedelta(minutes=1)
    for _ in range(2):
        now[0] = moment
        changefeed.run(
            reader, bus, slot=slot, clock=lambda: now[0], deadline=deadline, sleep=lambda _: None
        )

    assert written[:20] == bus.ids


def test_a_lost_slot_is_an_error_that_names_its_runbook(reader: Connection) -> None:
    """Silence would look like an idle database."""
    with pytest.raises(ChangefeedLost, match=r"docs/runbooks/changefeed-lost\.md"):
        changefeed.drain(reader, RecordingBus(), slot="no_such_slot", clock=system_clock)


def test_creating_a_slot_twice_changes_nothing(reader: Connection, slot: str) -> None:
    """The migration may run at each deployment."""
    assert not changefeed.create_slot(reader, slot)
    assert store.slot_of(reader, slot)


@pytest.fixture(name="replicator_url")
def _replicator_url(database_url: str) -> Iterator[str]:
    """A login that is no superuser, with no more than the feed needs."""
    name = f"replicator_{ids.new_id().hex}"
    role = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN REPLICATION PASSWORD 'x'").format(role))
        admin.execute(sql.SQL("GRANT INSERT ON changefeed_rejects TO {}").format(role))
        yield make_conninfo(database_url, user=name, password="x")
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


def test_the_feed_needs_no_superuser(
    database: Database, merchant: MerchantId, replicator_url: str, slot: str
) -> None:
    """The attribute REPLICATION is enough: what else it would use it does without."""
    written, bus = append_each(database, merchant, 3), RecordingBus()
    own = Database(lambda: replicator_url)

    changefeed.drain(own.connection(), bus, slot=slot, clock=system_clock)
    own.close()

    assert written == bus.ids
