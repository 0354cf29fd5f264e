"""A slot and a reader of each test's own."""

from collections.abc import Iterator

import psycopg
import pytest

from paynexus import changefeed, ids
from paynexus.changefeed import Source, store
from paynexus.changefeed.feed import Feed
from paynexus.clock import system_clock
from paynexus.db import Connection
from tests.integration.changefeed.recording import Drain, Follow, GatheredLog, RecordingBus


@pytest.fixture(name="slot")
def _slot(database_url: str) -> Iterator[str]:
    """A slot of this test's database; the log is kept from here on."""
    name = f"test_{ids.new_id().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        changefeed.create_slot(connection, name)
        yield name
        gone = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        connection.execute(f"{gone} WHERE slot_name = %s", (name,))


@pytest.fixture(name="source")
def _source(database_url: str, slot: str) -> Iterator[Source]:
    """The feed's own connections."""
    assert slot
    own = Source(lambda: database_url)
    yield own
    own.close()


@pytest.fixture(name="reader")
def _reader(source: Source) -> Connection:
    """The feed's own connection to the tables."""
    return source.tables.connection()


@pytest.fixture(name="follow")
def _follow(database_url: str, source: Source, slot: str) -> Iterator[Follow]:
    """Makes a feed whose first turn reads at once all that is committed by now."""
    logs = list[GatheredLog]()

    def follow(bus: RecordingBus) -> Feed:
        log = GatheredLog(database_url)
        logs.append(log)
        log.end = store.mark_log(source.tables.connection())
        log.start(slot, publication=store.PUBLICATION)
        feed = Feed(source.tables, bus, slot=slot, clock=system_clock)
        feed.follow(log)
        return feed

    yield follow
    for log in logs:
        log.close()


@pytest.fixture(name="drain")
def _drain(source: Source, slot: str) -> Drain:
    """Publishes all that is committed."""
    return lambda bus: changefeed.drain(source, bus, slot=slot, clock=system_clock)
