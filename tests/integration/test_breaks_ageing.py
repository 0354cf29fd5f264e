"""How old breaks and clearing accounts are: told as metrics, by buckets, of each mode."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import reading
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.breaks import ageing
from paynexus.settlement.breaks.ageing import Ageing
from paynexus.settlement.breaks.model import BreakType, Correction
from tests import shown_by_the_bank
from tests.integration.breaks_world import FEES, SUSPENSE, Desk, difference
from watch_breaks.handler import handler

DAY = dt.timedelta(days=1)
WEDNESDAY = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
SQL_CLOCK = """
CREATE OR REPLACE FUNCTION ledger_mark(OUT marked_at TIMESTAMPTZ, OUT transaction XID8)
LANGUAGE sql AS $$ SELECT now() + INTERVAL '10 seconds', pg_current_xact_id() $$
"""
"""Checkpoints keep ten seconds behind the clock; for a test those have passed."""


@pytest.fixture(name="desk")
def _desk(database: Database, merchant: MerchantId, now: dt.datetime) -> Iterator[Desk]:
    yield Desk(database, merchant, now)
    shown_by_the_bank.show(database, now=now)


def told(printed: str, name: str) -> dict[tuple[str, ...], float]:
    """The metric's last value by its labels, in the order of their names."""
    found = {}
    for line in printed.splitlines():
        written: dict[str, Any] = json.loads(line)
        if name not in written:
            continue
        [definition] = written["_aws"]["CloudWatchMetrics"]
        [labels] = definition["Dimensions"]
        [value] = written[name]
        found[tuple(written[label] for label in sorted(labels))] = value
    return found


def test_breaks_are_counted_by_type_and_age(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """By the clock that is given; resolved ones not at all; yen have no cents."""
    desk.now = WEDNESDAY
    for days in (0, 1, 2.9, 3, 7, 30):
        desk.record(difference(str(days), mode="live"), now=desk.now - days * DAY)
    desk.record(difference("yen", mode="live", currency="JPY", amount=-20))
    desk.record(difference("odd", mode="live", currency="XTS", amount=100))
    gone = desk.open("gone", mode="live")
    desk.propose(gone)
    desk.approve(gone)
    capsys.readouterr()

    assert ageing.age(desk.database, now=desk.now) == Ageing(8, 4, 0)

    printed = capsys.readouterr().out
    count, value = told(printed, "BreakCount"), told(printed, "BreakValue")
    assert {key[0]: found for key, found in count.items() if len(key) == 3} == {
        "under_1d": 3,
        "1d_to_3d": 2,
        "3d_to_7d": 1,
        "over_7d": 2,
    }
    assert (count["live",], value["live",], count["test",]) == (8, 51.0, 0)
    assert value["under_1d", "live", "amount"] == 26.0
    overdue = told(printed, "BreakOverdue")
    assert (overdue["live",], overdue["test",]) == (4, 0)
    assert told(printed, "BreakOldestSeconds")["live",] == 30 * DAY.total_seconds()


def test_a_silent_bank_is_told_until_it_speaks(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """By files of payouts without an answer."""
    of = desk.open("x", type=BreakType.TIMING, subject="payout_file:PNX-1", mode="live")
    desk.open("y", type=BreakType.TIMING, subject="gateway_payout:sandbox:y", mode="live")
    ageing.age(desk.database, now=desk.now)
    assert told(capsys.readouterr().out, "BankSilent")["live",] == 1

    desk.propose(of)
    desk.approve(of)
    capsys.readouterr()
    ageing.age(desk.database, now=desk.now)

    assert told(capsys.readouterr().out, "BankSilent")["live",] == 0


def test_a_clearing_account_is_as_old_as_what_it_holds(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The oldest of its currencies; zero once it has returned to zero."""
    first, second = desk.arrive("a:1", amount=500), desk.arrive("b:1", amount=300)
    with desk.database.transaction() as tx:
        [(since,)] = tx.execute("SELECT min(created_at) FROM transfers")
    later = since + dt.timedelta(hours=5)
    capsys.readouterr()

    assert ageing.age(desk.database, now=later).clearing_accounts == 1
    printed = capsys.readouterr().out
    assert told(printed, "ClearingAgeSeconds")["suspense", "test"] == 5 * 3600
    assert told(printed, "ClearingBalance")["suspense", "EUR", "test"] == 800

    for of, amount in ((first, 500), (second, 300)):
        desk.propose(of, Correction(SUSPENSE, FEES, amount))
        desk.approve(of)
    capsys.readouterr()
    assert ageing.age(desk.database, now=later) == Ageing(0, 0, 0)
    printed = capsys.readouterr().out
    assert told(printed, "ClearingAgeSeconds")["suspense", "test"] == 0
    assert told(printed, "ClearingBalance")["suspense", "EUR", "test"] == 0


def test_the_age_is_found_from_the_ledgers_checkpoints(desk: Desk) -> None:
    """Thousands of entries lie before it: of those no more than some hundreds are read."""
    connection = desk.database.connection()
    connection.execute(SQL_CLOCK)
    for _ in range(100):
        flow = [order for _ in range(100) for order in (came(7), went(7))]
        book(connection, flow)
    book(connection, [came(5), came(6), went(5)])
    [(expected,)] = connection.execute(
        "SELECT created_at FROM transfers WHERE amount = 6 ORDER BY id LIMIT 1"
    )
    [(account,)] = connection.execute("SELECT id FROM accounts WHERE type = 'suspense'")
    unaided = read_by(connection, account)

    mark = reading.mark(connection)
    reading.checkpoint(connection, mark, limit=10_000)
    [(checkpoints,)] = connection.execute(
        "SELECT count(*) FROM balance_checkpoints WHERE account_id = %s", (account,)
    )
    aided = read_by(connection, account)

    assert checkpoints > 50
    assert unaided[0] == aided[0] == expected
    assert aided[1] < unaided[1] / 3


def came(amount: int) -> Order:
    """Money that comes in."""
    return moved(AccountType.CASH, AccountType.SUSPENSE, amount)


def went(amount: int) -> Order:
    """Money that goes on."""
    return moved(AccountType.SUSPENSE, AccountType.FEES, amount)


def moved(debit: AccountType, credit: AccountType, amount: int) -> Order:
    """From one account of the platform's to another."""
    transfer = Transfer(
        TransferId(ids.new_id()),
        TransferKind.IMPORT,
        Account(debit, "test", "EUR"),
        Account(credit, "test", "EUR"),
        Money(amount, "EUR"),
        "imp",
    )
    return Order.single(transfer)


def book(connection: Connection, orders: list[Order]) -> None:
    """All of the orders are booked."""
    with connection.transaction():
        for result in ledger.transfers(connection, orders, with_balances=False):
            result.require_booked()


def read_by(connection: Connection, account: object) -> tuple[dt.datetime, int]:
    """The account's age, and how many pages of Postgres' were looked at for it."""
    plan = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT oldest_in_balance(%s)"
    [(found,)] = connection.execute("SELECT oldest_in_balance(%s)", (account,))
    [([explained],)] = connection.execute(plan, (account,))
    buffers = explained["Plan"]["Shared Hit Blocks"] + explained["Plan"]["Shared Read Blocks"]
    return found, buffers


@pytest.mark.usefixtures("deployed")
def test_the_watch_looks_each_quarter_of_an_hour(desk: Desk) -> None:
    """And says what it saw."""
    desk.open()

    assert handler({}, None) == {"breaks": 1, "overdue": 0, "clearing_accounts": 0}
