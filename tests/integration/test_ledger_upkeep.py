"""What each minute does for the books: batch by batch, so many a run, and told as metrics."""

import datetime as dt
import json
from collections.abc import Callable

import pytest

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading, store, upkeep
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.ledger.upkeep import Tended
from paynexus.money import Money

SQL_SAMPLES = "SELECT count(*) FROM ledger_entries WHERE id % 101 = 0"
SQL_CHECKPOINTS = "SELECT count(*) FROM balance_checkpoints"
SQL_LATER = """
CREATE OR REPLACE FUNCTION ledger_mark(OUT marked_at TIMESTAMPTZ, OUT transaction XID8)
LANGUAGE sql AS $$ SELECT now() + INTERVAL '10 seconds', pg_current_xact_id() $$
"""
"""Checkpoints keep ten seconds behind the clock; for a test those have passed."""


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches a run, of two each."""
    monkeypatch.setattr(upkeep, "BATCH", 2)
    monkeypatch.setattr(upkeep, "BATCHES_PER_RUN", 2)


def payment(merchant: MerchantId) -> Transfer:
    """A transfer from the gateway's account to the merchant's."""
    return Transfer(
        TransferId(ids.new_id()),
        TransferKind.PAYMENT,
        Account(AccountType.GATEWAY_RECEIVABLE, "test", "EUR"),
        Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant),
        Money(1, "EUR"),
        "pay_test",
    )


def book(database: Database, *orders: Order) -> None:
    """All of the orders are booked."""
    with database.transaction() as tx:
        for result in store.transfers(tx, orders, with_balances=False):
            result.require_booked()


def number(connection: Connection, query: str) -> int:
    """The one number that the query answers with."""
    [(found,)] = connection.execute(query)
    return int(found)


def measured(printed: str) -> dict[str, tuple[str, float]]:
    """Each metric's unit and value."""
    found = {}
    for line in map(json.loads, printed.splitlines()):
        [definition] = line["_aws"]["CloudWatchMetrics"]
        [metric] = definition["Metrics"]
        [value] = line[metric["Name"]]
        found[metric["Name"]] = (metric["Unit"], value)
    return found


def test_overdue_holds_are_void_batch_by_batch_and_what_is_left_is_the_next_runs(
    database: Database, merchant: MerchantId, capsys: pytest.CaptureFixture[str]
) -> None:
    """The oldest first; how long the oldest of those left is overdue is told after the run."""
    connection, second = database.connection(), dt.timedelta(seconds=1)
    book(database, *(Order.pending(payment(merchant), timeout=second) for _ in range(5)))
    book(database, Order.pending(payment(merchant), timeout=dt.timedelta(hours=1)))
    connection.execute(
        "UPDATE open_holds SET expires_at = clock_timestamp() - number * INTERVAL '1 hour'"
        " FROM (SELECT transfer_id AS id, row_number() OVER (ORDER BY transfer_id) AS number"
        " FROM open_holds) AS n WHERE transfer_id = id AND number <= 5"
    )
    before = reading.overdue_seconds(connection)
    runs, metrics = [], []
    for _ in range(3):
        runs.append(upkeep.tend(database))
        metrics.append(measured(capsys.readouterr().out))

    assert runs == [Tended(4, 0), Tended(1, 0), Tended(0, 0)]
    assert before == pytest.approx(5 * 3600, abs=60)
    assert metrics[0]["HoldOverdueSeconds"][1] == pytest.approx(3600, abs=60)
    assert [one["HoldExpired"] for one in metrics] == [("Count", 4), ("Count", 1), ("Count", 0)]
    assert metrics[2] == {
        "AccountQueue": ("Count", 0),
        "HoldExpired": ("Count", 0),
        "HoldOverdueSeconds": ("Seconds", 0),
        "CheckpointMade": ("Count", 0),
    }


def test_checkpoints_are_made_batch_by_batch_until_every_sample_has_one(
    database: Database, merchant: MerchantId, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four a run and the rest in the last, each counted once."""
    connection = database.connection()
    connection.execute(SQL_LATER)
    while number(connection, SQL_SAMPLES) < 6:
        book(database, *(Order.single(payment(merchant)) for _ in range(100)))
    samples = number(connection, SQL_SAMPLES)
    made: list[int] = []
    while not made or made[-1]:
        tended = upkeep.tend(database)
        made.append(tended.checkpoints)
        assert measured(capsys.readouterr().out)["CheckpointMade"] == ("Count", made[-1])

    assert made[0] == 4
    assert max(made) == 4
    assert sum(made) == samples == number(connection, SQL_CHECKPOINTS)


def test_a_run_makes_no_checkpoint_while_a_transaction_from_before_it_writes(
    database: Database, another_database: Callable[[], Database], merchant: MerchantId
) -> None:
    """Nor does it wait: the next run makes them."""
    connection = database.connection()
    connection.execute(SQL_LATER)
    while number(connection, SQL_SAMPLES) < 2:
        book(database, *(Order.single(payment(merchant)) for _ in range(100)))
    with another_database().transaction() as tx:
        tx.execute("SELECT pg_current_xact_id()")
        blocked = upkeep.tend(database)

    assert blocked == Tended(0, 0)
    assert upkeep.tend(database).checkpoints >= 2
