"""The reader's process is killed, without a last word, between publishing and letting go."""

import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from paynexus import changefeed, ids
from paynexus.db import Database
from paynexus.ids import MerchantId

FACTS = 60

READER = """
import os, signal, sys
import psycopg
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

with psycopg.connect(url, autocommit=True) as connection:
    changefeed.drain(connection, FileBus(), slot=slot, clock=system_clock)
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
    """Killed after each of its six calls in turn; the reader after that tells all, in order."""
    written = _append(database, merchant)
    told = []
    for deadly_call in range(1, 8):
        path = tmp_path / f"taken-{deadly_call}"
        command = [sys.executable, "-c", READER, database_url, slot, str(path), str(deadly_call)]
        ended = subprocess.run(command, check=False, timeout=60, capture_output=True)
        told.append(path.read_text().split())
        assert ended.returncode == (-signal.SIGKILL if deadly_call < 7 else 0)

    for deadly_call, facts in enumerate(told, 1):
        assert facts == written[: 10 * min(deadly_call, 6)]


def _append(database: Database, merchant: MerchantId) -> list[str]:
    written = []
    for _ in range(FACTS):
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
