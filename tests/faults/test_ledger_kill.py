"""Postgres is killed under eight writers, twenty times: what was acknowledged is in the books.

The server is one of this test alone, which flushes at each commit as production does.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from uuid import UUID

import psycopg
import pytest

from paynexus import db, errors, ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import audit, store
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.results import Status
from paynexus.money import Money
from tests.conftest import MIGRATIONS
from tools.local_stack import postgres

pytestmark = pytest.mark.proof

KILLS = 20
WRITERS = 8
ALIVE_SECONDS = 0.4
"""How long the server lives, at most: long enough for hundreds of transfers."""

GATEWAY = Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR")


@dataclass(slots=True)
class Writer:
    """Reserves and posts, one after the other; what it is not told it asks again, same id."""

    database: Database
    merchant_id: MerchantId
    dice: random.Random
    booked: dict[UUID, int] = field(default_factory=dict)
    unknown: int = 0
    found: int = 0
    """Unknown commits, and how many of them had taken place when asked again."""

    def write(self, stop: threading.Event) -> None:
        """Until it is told to stop, and then until nothing is unknown any more."""
        while not stop.is_set():
            amount = self.dice.randint(1, 100)
            transfer = Transfer(
                id=TransferId(ids.new_id()),
                kind=TransferKind.PAYMENT,
                debit=GATEWAY,
                credit=Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", self.merchant_id),
                money=Money(amount, "EUR"),
                object_id="kill",
            )
            self._until_known(Order.pending(transfer))
            kept = self.dice.randint(1, amount)
            self._until_known(Order.post(transfer.id, id=TransferId(ids.new_id()), amount=kept))

    def _until_known(self, order: Order) -> None:
        is_again = False
        while True:
            try:
                with self.database.transaction() as tx:
                    [result] = store.transfers(tx, [order], with_balances=False)
            except errors.DatabaseUnavailable:
                self.unknown += not is_again
                is_again = True
                time.sleep(0.02)
                continue
            assert result.status is Status.CREATED or (is_again and result.status is Status.EXISTS)
            assert result.amount is not None
            self.found += result.status is Status.EXISTS
            self.booked[order.id] = result.amount
            return


@dataclass(slots=True)
class Mortal:
    """The server that is killed, and started again on the same data."""

    home: Path
    server: postgres.Server

    def kill(self) -> None:
        """Every process of it is gone at once; it answers again when it has recovered."""
        for process in postgres._orphans(self.home / "postgres" / "data"):
            process.kill(SIGKILL)
        self.server = postgres.start(self.home)


@pytest.fixture(name="mortal")
def _mortal(tmp_path: Path) -> Iterator[Mortal]:
    mortal = Mortal(tmp_path, postgres.start(tmp_path))
    with psycopg.connect(mortal.server.url, autocommit=True) as connection:
        db.migrate(connection, MIGRATIONS)
    yield mortal
    mortal.server.stop()


def test_a_killed_postgres_loses_nothing_that_it_acknowledged(
    mortal: Mortal, record_property: Callable[[str, object], None]
) -> None:
    """Every acknowledged transfer is booked once, with its amount, and the books add up."""
    with psycopg.connect(mortal.server.url, autocommit=True) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    url, stop = mortal.server.url, threading.Event()
    writers = [_writer(url, number) for number in range(WRITERS)]
    dice = random.Random(0)  # noqa: S311 - dice, not secrets
    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(writer.write, stop) for writer in writers]
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, ALIVE_SECONDS))
            mortal.kill()
            assert mortal.server.url == url
        stop.set()
        for one in running:
            one.result()
    for writer in writers:
        writer.database.close()

    _require_books(url, writers)
    for name, count in _counts(writers).items():
        record_property(name, count)


def _writer(url: str, number: int) -> Writer:
    merchant_id = MerchantId(ids.new_id())
    database = Database(lambda: url)
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Kill')", (merchant_id,))
    return Writer(database, merchant_id, random.Random(number))  # noqa: S311 - dice, not secrets


def _require_books(url: str, writers: list[Writer]) -> None:
    acknowledged = {id_: amount for writer in writers for id_, amount in writer.booked.items()}
    database = Database(lambda: url)
    rows = database.connection().execute("SELECT id, amount FROM transfers").fetchall()
    assert len(rows) == len(acknowledged)
    assert dict(rows) == acknowledged
    assert audit.violations(database) == []
    database.close()


def _counts(writers: list[Writer]) -> dict[str, int]:
    return {
        "kills of Postgres": KILLS,
        "transfers acknowledged under kills": sum(len(writer.booked) for writer in writers),
        "unknown commits asked again": sum(writer.unknown for writer in writers),
        "unknown commits that had taken place": sum(writer.found for writer in writers),
    }
