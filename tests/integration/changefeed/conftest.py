"""A slot and a reader of each test's own."""

from collections.abc import Iterator

import psycopg
import pytest

from paynexus import changefeed, ids
from paynexus.clock import system_clock
from paynexus.db import Connection, Database
from tests.integration.changefeed.recording import Drain


@pytest.fixture(name="slot")
def _slot(database_url: str) -> Iterator[str]:
    """A slot of this test's database; the log is kept from here on."""
    name = f"test_{ids.new_id().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        changefeed.create_slot(connection, name)
        yield name
        gone = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        connection.execute(f"{gone} WHERE slot_name = %s", (name,))


@pytest.fixture(name="reader")
def _reader(database_url: str, slot: str) -> Iterator[Connection]:
    """The feed's own connection."""
    assert slot
    own = Database(lambda: database_url)
    yield own.connection()
    own.close()


@pytest.fixture(name="drain")
def _drain(reader: Connection, slot: str) -> Drain:
    """Publishes all that is committed."""
    return lambda bus: changefeed.drain(reader, bus, slot=slot, clock=system_clock)
