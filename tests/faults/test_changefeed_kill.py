"""The reader's process is killed without a last word, or the server that it reads from."""

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg
import pytest

from paynexus import changefeed, db, ids
from paynexus.changefeed import Source
from paynexus.changefeed.port import Entry, Refusal
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.errors import ChangefeedLost
from paynexus.ids import MerchantId
from tests.e2e.waiting import eventually
from tools.local_stack import postgres

MIGRATIONS = Path(__file__).parents[2] / "infra/database/migrations"
MERCHANT = MerchantId(ids.new_id())
SLOT = "killed"
FACTS = 60
NEVER = 1000
PATIENCE_SECONDS = 30

READER = """
import os, signal, sys
from paynexus import changefeed
from paynexus.clock import system_clock

url, slot, path, deadly_call = sys.argv[1:]

class FileBus:
    calls = 0

    def publish(self, entries):
        with open(path, "a") as taken:
            taken.writelines(entry.id + "\\n" for entry in entries)
        self.calls += 1
        if self.calls == int(deadly_call):
            os.kill(os.getpid(), signal.SIGKILL)
        return ()

source = changefeed.Source(lambda: url)
changefeed.drain(source, FileBus(), slot=slot, clock=system_clock)
source.close()
"""


@pytest.fixture(name="slot")
def _slot(database_url: str) -> str:
    """Dropped with the test's database."""
    name = f"test_{ids.new_id().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        changefeed.create_slot(connection, name)
    return name


def test_a_killed_reader_loses_nothing_and_the_next_need_not_wait(
    database: Database, merchant: MerchantId, database_url: str, slot: str, tmp_path: Path
) -> None:
    """Killed after its first call, or a later one: the next begins where nothing is left out."""
    written = _appended(database, merchant, FACTS)
    reached = 0
    for number, deadly_call in enumerate((1, 2, 1, 3, NEVER)):
        path = tmp_path / f"taken-{number}"
        command = [sys.executable, "-c", READER, database_url, slot, str(path), str(deadly_call)]
        ended = subprocess.run(command, check=False, timeout=60, capture_output=True)
        assert ended.returncode == (0 if deadly_call == NEVER else -signal.SIGKILL)

        told = path.read_text().split()
        begins = written.index(told[0])
        assert begins <= reached
        reached = begins + len(told)
        assert told == written[begins:reached]

    assert reached == FACTS


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a Postgres is at home that tests may kill."""
    home = tmp_path_factory.mktemp("killed")
    server = postgres.start(home)
    with psycopg.connect(server.url, autocommit=True) as connection:
        db.migrate(connection, MIGRATIONS)
        connection.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Café')", (MERCHANT,))
    yield home
    postgres.start(home).stop()


@pytest.fixture(name="server")
def _server(home: Path) -> Iterator[postgres.Server]:
    """The server, with a slot."""
    server = postgres.start(home)
    with psycopg.connect(server.url, autocommit=True) as connection:
        changefeed.create_slot(connection, SLOT)
    yield server
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
        connection.execute("ALTER SYSTEM RESET ALL")


def test_a_reader_outlives_its_server(server: postgres.Server, home: Path) -> None:
    """Killed, then stopped, and started again: one invocation goes on, and nothing is left out."""
    source, bus = Source(lambda: server.url), DeadlyBus(server.process.pid)
    written = _append(server, 3)

    with ThreadPoolExecutor(1) as pool, bus:
        reading = pool.submit(
            changefeed.run, source, bus, slot=SLOT, clock=bus.clock, deadline=bus.end
        )
        assert bus.has_killed.wait(PATIENCE_SECONDS)
        postgres.start(home, port=server.port)
        written += _append(server, 3)
        postgres.start(home).stop()
        postgres.start(home, port=server.port)
        written += _append(server, 3)
        eventually(lambda: written[-1] in bus.told, what="the last fact is told")
        bus.is_over = True
        assert reading.result().is_reader
    source.close()

    assert list(dict.fromkeys(bus.told)) == written


@dataclass
class DeadlyBus:
    """Its first call is the last thing that the server lives to see; its clock ends the run."""

    victim: int
    told: list[str] = field(default_factory=list)
    has_killed: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False
    end: dt.datetime = field(default_factory=lambda: system_clock() + dt.timedelta(hours=1))

    def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """The facts are kept; the victim is dead."""
        self.told += [entry.id for entry in entries]
        if not self.has_killed.is_set():
            os.kill(self.victim, signal.SIGKILL)
            self.has_killed.set()
        return ()

    def clock(self) -> dt.datetime:
        """The time, until it is over."""
        return self.end if self.is_over else system_clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A test that fails leaves no reader behind that nobody ends.
        self.is_over = True


def test_a_slot_that_is_lost_while_it_is_read_rings(
    server: postgres.Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bus that takes too long lets the log grow beyond what the server is told to keep."""
    source = Source(lambda: server.url)
    _append(server, 1)

    class SlowBus:
        """As slow as it takes for the log to grow."""

        def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
            with psycopg.connect(server.url, autocommit=True) as admin:
                admin.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
                admin.execute("SELECT pg_reload_conf()")
                for _ in range(3):
                    admin.execute("SELECT pg_logical_emit_message(TRUE, 'x', 'x'), pg_switch_wal()")
                admin.execute("CHECKPOINT")
            assert entries
            return ()

    with pytest.raises(ChangefeedLost, match=r"docs/runbooks/changefeed-lost\.md"):
        changefeed.run(
            source,
            SlowBus(),
            slot=SLOT,
            clock=system_clock,
            deadline=system_clock() + dt.timedelta(minutes=5),
        )
    source.close()
    assert "ChangefeedLost" in capsys.readouterr().out


def _append(server: postgres.Server, number: int) -> list[str]:
    database = Database(lambda: server.url)
    try:
        return _appended(database, MERCHANT, number)
    finally:
        database.close()


def _appended(database: Database, merchant: MerchantId, number: int) -> list[str]:
    written = []
    for _ in range(number):
        with database.transaction() as tx:
            event_id = changefeed.append_event(
                tx,
                source="payments.events",
                type="payment.created.v1",
                mode="test",
                merchant_id=merchant,
                object_id=ids.text("pay", ids.new_id()),
                data={},
            )
        written.append(ids.text("evt", event_id))
    return written
