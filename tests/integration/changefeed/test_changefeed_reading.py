"""One reader at a time; whenever it dies, the next goes on from what the bus has taken."""

import datetime as dt
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from paynexus import changefeed, ids
from paynexus.changefeed import Source, backlog, replication, store
from paynexus.changefeed.feed import Feed
from paynexus.changefeed.port import Entry
from paynexus.changefeed.replication import Log
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from paynexus.errors import ChangefeedLost, DatabaseUnavailable
from paynexus.ids import MerchantId
from tests.integration.changefeed.recording import (
    Crash,
    Drain,
    RecordingBus,
    append,
    append_each,
)


def test_a_crash_between_publish_and_confirmation_publishes_again_and_loses_nothing(
    database: Database, merchant: MerchantId, source: Source, slot: str
) -> None:
    """At every call of the bus where the process can die, the next reader tells the rest of it."""
    written, told = append_each(database, merchant, 25), list[str]()
    while told != written:
        bus = RecordingBus()

        def crash(entries: Sequence[Entry], bus: RecordingBus = bus) -> tuple[()]:
            if bus.calls == 2:
                bus.taken += entries
                raise Crash
            return ()

        bus.judge = crash
        with suppress(Crash):
            changefeed.drain(source, bus, slot=slot, clock=system_clock)
        # Nothing is left out, and what is told again is what was not confirmed.
        begins = written.index(bus.ids[0])
        assert begins <= len(told)
        assert bus.ids == written[begins : begins + len(bus.ids)]
        told = written[: max(len(told), begins + len(bus.ids))]


def test_other_tables_move_the_slot_too(
    database: Database, merchant: MerchantId, reader: Connection, drain: Drain
) -> None:
    """A busy database without facts does not pile up its log."""
    with database.transaction() as tx:
        tx.execute("UPDATE merchants SET name = 'Café Schmidt' WHERE id = %s", (merchant,))
    reached = store.mark_log(reader)

    drain(RecordingBus())

    assert _confirmed(reader) >= reached


def _confirmed(reader: Connection) -> int:
    """What the server may forget of the only slot of this database."""
    query = """
        SELECT (confirmed_flush_lsn - '0/0')::BIGINT FROM pg_replication_slots
        WHERE database = current_database()
    """
    ((position,),) = reader.execute(query).fetchall()
    assert isinstance(position, int)
    return position


def test_there_is_one_reader_at_a_time_and_the_next_takes_over(
    database: Database, merchant: MerchantId, source: Source, slot: str
) -> None:
    """The second waits for the slot, and has it as soon as the first is gone."""
    written, bus = append_each(database, merchant, 1), RecordingBus()
    first = source.log()
    first.start(slot, publication=store.PUBLICATION)
    ending = _Ending(bus, after=1)

    def second(wait_seconds: float) -> changefeed.Report:
        return changefeed.run(
            source, bus, slot=slot, clock=ending, deadline=ending.end, wait_seconds=wait_seconds
        )

    assert second(wait_seconds=0.05) == changefeed.Report(is_reader=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second, wait_seconds=30)
        first.close()
        assert waiting.result() == changefeed.Report(is_reader=True, published=1)
    assert written == bus.ids


@dataclass
class _Ending:
    """A clock that runs until the bus has taken so many facts, and then is at the end."""

    bus: RecordingBus
    after: int
    end: dt.datetime = field(default_factory=lambda: system_clock() + dt.timedelta(hours=1))

    def __call__(self) -> dt.datetime:
        return self.end if len(self.bus.taken) >= self.after else system_clock()


def test_a_session_that_says_nothing_loses_the_slot(
    database: Database, merchant: MerchantId, database_url: str, source: Source, slot: str
) -> None:
    """A frozen reader holds up its successor for the time-out that it asked for, no longer."""
    written, bus = append_each(database, merchant, 1), RecordingBus()
    frozen = Log(database_url, options="-c wal_sender_timeout=300ms")
    frozen.start(slot, publication=store.PUBLICATION)
    ending = _Ending(bus, after=1)

    report = changefeed.run(source, bus, slot=slot, clock=ending, deadline=ending.end)

    assert report.is_reader
    assert written == bus.ids
    with pytest.raises(DatabaseUnavailable):
        _read_for_ever(frozen)
    frozen.close()


def _read_for_ever(log: Log) -> None:
    while True:
        log.read(seconds=1)


def test_an_idle_reader_keeps_its_slot_and_the_database_stays_idle(
    database: Database, merchant: MerchantId, database_url: str, source: Source, slot: str
) -> None:
    """Three time-outs long: keepalives are answered, and nothing is written to the log."""
    log, bus = Log(database_url, options="-c wal_sender_timeout=300ms"), RecordingBus()
    log.start(slot, publication=store.PUBLICATION)
    feed = Feed(source.tables, bus, slot=slot, clock=system_clock)
    feed.follow(log)
    was_idle = False
    for _ in range(10):
        before = store.mark_log(database.connection())
        end = system_clock() + dt.timedelta(seconds=0.1)
        while system_clock() < end:
            feed.turn(seconds=0.05)
            feed.measure()
        # The mark itself is the only record, unless the server had housekeeping to do.
        was_idle |= store.mark_log(database.connection()) - before < 200
    written = append_each(database, merchant, 1)
    while not bus.taken:
        feed.turn(seconds=1)
    log.close()

    assert was_idle
    assert written == bus.ids


def test_a_run_tells_what_is_committed_while_it_runs_and_ends_at_its_deadline(
    database: Database, merchant: MerchantId, source: Source, slot: str
) -> None:
    """Facts committed while others are published are next."""
    written = append_each(database, merchant, 2)

    def one_more(_: Sequence[Entry]) -> tuple[()]:
        nonlocal written
        written += append_each(database, merchant, 2) if len(written) < 6 else []
        return ()

    bus = RecordingBus(one_more)
    ending = _Ending(bus, after=6)

    report = changefeed.run(source, bus, slot=slot, clock=ending, deadline=ending.end)

    assert written == bus.ids
    assert changefeed.Report(is_reader=True, published=6) == report


def test_the_deadline_ends_publishing_in_the_middle_and_keeps_what_was_done(
    database: Database, merchant: MerchantId, source: Source, slot: str
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
        changefeed.run(source, bus, slot=slot, clock=lambda: now[0], deadline=deadline)

    assert bus.calls == 2
    assert written[: len(bus.ids)] == bus.ids


def test_a_transaction_of_any_length_takes_a_bounded_part_of_the_memory(
    database: Database,
    merchant: MerchantId,
    source: Source,
    slot: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the line has no room for stays with the server; its commit is confirmed at the end."""
    monkeypatch.setattr(backlog, "MOST_ENTRIES", 50)
    monkeypatch.setattr(replication, "READ_BYTES", 10_000)
    with database.transaction() as tx:
        begun = store.mark_log(tx)
        written = [append(tx, merchant) for _ in range(500)]
    bus, seen = RecordingBus(), set[tuple[int, bool]]()

    def look(_: Sequence[Entry]) -> tuple[()]:
        seen.add((len(feed._backlog), feed.confirmed > begun))
        return ()

    bus.judge = look
    log = source.log()
    log.start(slot, publication=store.PUBLICATION)
    feed = Feed(source.tables, bus, slot=slot, clock=system_clock)
    feed.follow(log)
    while len(bus.taken) < 500 or feed.confirmed < begun:
        assert feed.turn(seconds=1)
    log.close()

    assert written == bus.ids
    assert max(length for length, _ in seen) < 100
    assert not any(is_confirmed for _, is_confirmed in seen)


def test_a_lost_slot_is_an_error_that_names_its_runbook(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence would look like an idle database."""
    with pytest.raises(ChangefeedLost, match=r"docs/runbooks/changefeed-lost\.md"):
        changefeed.drain(source, RecordingBus(), slot="no_such_slot", clock=system_clock)
    assert "ChangefeedLost" in capsys.readouterr().out


def test_a_slot_that_is_lost_at_the_last_moment_is_the_same_error(source: Source) -> None:
    """Between the look at it and the start."""
    log = source.log()
    with pytest.raises(ChangefeedLost, match=r"docs/runbooks/changefeed-lost\.md"):
        log.start("no_such_slot", publication=store.PUBLICATION)
    log.close()


def test_creating_a_slot_twice_changes_nothing(reader: Connection, slot: str) -> None:
    """The migration may run at each deployment."""
    assert not changefeed.create_slot(reader, slot)
    assert store.slot_of(reader, slot)


def test_a_successor_finds_little_of_the_log_to_read_again(
    database: Database, merchant: MerchantId, source: Source, reader: Connection, slot: str
) -> None:
    """Where the server begins to read follows what is told, while the reader is still there."""
    query = "SELECT (restart_lsn - '0/0')::BIGINT FROM pg_replication_slots WHERE slot_name = %s"
    begun, moment, bus = store.mark_log(reader), [system_clock()], RecordingBus()
    log = source.log()
    log.start(slot, publication=store.PUBLICATION)
    feed = Feed(source.tables, bus, slot=slot, clock=lambda: moment[0])
    feed.follow(log)
    for _ in range(20):
        append_each(database, merchant, 1)
        moment[0] += dt.timedelta(seconds=2)
        end = store.mark_log(reader)
        while feed.confirmed < end:
            feed.turn(seconds=1)
        feed.keep_close()
    log.close()

    ((restart,),) = reader.execute(query, (slot,)).fetchall()
    assert restart > begun


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
    own, ending = Source(lambda: replicator_url), _Ending(bus, after=3)

    changefeed.run(own, bus, slot=slot, clock=ending, deadline=ending.end)
    assert not store.log_snapshot(own.tables.connection())
    own.close()

    assert written == bus.ids
