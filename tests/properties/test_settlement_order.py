"""Whatever a bank says comes in any order, each file one to three times: the end is the same."""

import datetime as dt
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.ledger import audit
from paynexus.ledger.accounts import AccountType
from paynexus.settlement.model import Settlement
from tests.settlement_world import Booked, SettlementWorld, credit, debit, report, statement

LIVES = ("paid", "returned", "rejected", "rejected late", "silent", "twice", "wrong amount")
DAY = dt.date(2026, 3, 2)

type Script = tuple[str, ...]


def _files(script: Script, settlements: list[Settlement], strangers: list[int]) -> list[str]:
    """What a bank says of settlements that live so: answers, then a statement a day for three."""
    said = [
        answer
        for life, one in zip(script, settlements, strict=True)
        for answer in _answers(life, one)
    ]
    days: list[list[Booked]] = [[], [], []]
    for life, one in zip(script, settlements, strict=True):
        for day, entry in _entries(life, one):
            days[day].append(entry)
    for n, amount in enumerate(strangers):
        days[n % 3].append(Booked(amount, reference=f"STRANGER-{n}", is_debit=n % 2 == 0))
    opening = 1_000_000
    for n, entries in enumerate(days):
        on = DAY + n * dt.timedelta(days=1)
        said.append(statement(*entries, number=n + 1, day=on, opening=opening))
        opening += sum(-e.amount if e.is_debit else e.amount for e in entries)
    return said


def _answers(life: str, one: Settlement) -> list[str]:
    yes = report(one, "ACCP", at="2026-03-02T09:00:00Z")
    no = report(one, "RJCT", "MS03", at="2026-03-02T12:00:00Z")
    return {"rejected": [no], "rejected late": [yes, no], "silent": []}.get(life, [yes])


def _entries(life: str, one: Settlement) -> list[tuple[int, Booked]]:
    paid = (0, debit(one))
    return {
        "rejected": [],
        "rejected late": [],
        "returned": [paid, (2, credit(one, reason="MS03"))],
        "twice": [paid, (1, debit(one))],
        "wrong amount": [(0, debit(one, one.amount - 1))],
    }.get(life, [paid])


def _end(books: SettlementWorld, settlements: list[Settlement]) -> object:
    kinds = (AccountType.CASH, AccountType.SUSPENSE, AccountType.SETTLEMENT_IN_TRANSIT)
    rows = books.database.connection().execute(
        "SELECT b.type, b.amount, b.status FROM breaks AS b"
        " WHERE b.details ->> 'settlement' = ANY(%(ids)s) OR b.merchant_id IS NULL"
        " ORDER BY 1, 2, 3",
        {"ids": [str(one.id) for one in settlements]},
    )
    return (
        [books.status(one) for one in settlements],
        [books.balance(one.merchant_id) for one in settlements],
        [books.posted(kind) for kind in kinds],
        rows.fetchall(),
    )


@pytest.fixture
def fresh(database: Database, merchant: MerchantId, now: dt.datetime) -> SettlementWorld:
    """A world whose every change is undone by the savepoint around it."""
    return SettlementWorld(database, merchant, now + dt.timedelta(hours=1))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    script=st.lists(st.sampled_from(LIVES), min_size=1, max_size=5).map(tuple),
    strangers=st.lists(st.sampled_from([11, 22, 33]), max_size=3),
    dice=st.randoms(use_true_random=False),
)
def test_the_order_of_files_does_not_matter(
    fresh: SettlementWorld, script: Script, strangers: list[int], dice: random.Random
) -> None:
    """In the order of writing, or shuffled with repetitions: same statuses, balances, breaks."""
    in_order = _undone(fresh, script, strangers, None)
    assert _undone(fresh, script, strangers, dice) == in_order


def _undone(
    fresh: SettlementWorld, script: Script, strangers: list[int], dice: random.Random | None
) -> object:
    """The end of a play that leaves nothing behind."""
    with fresh.database.transaction() as tx, tx.transaction(force_rollback=True):
        return _play(fresh, script, strangers, dice)


def _play(
    fresh: SettlementWorld, script: Script, strangers: list[int], dice: random.Random | None
) -> object:
    books = replace(fresh, bank=type(fresh.bank)())
    merchants = [books.another_merchant() for _ in script]
    for n, merchant in enumerate(merchants):
        books.take(1_000 + n, merchant=merchant)
    books.settle()
    settlements = [books.settlements(merchant)[0] for merchant in merchants]
    files = _files(script, settlements, strangers)
    if dice:
        files = [file for file in files for _ in range(dice.randint(1, 3))]
        dice.shuffle(files)
    books.hear(*files)
    with books.database.transaction() as tx:
        assert [found for rule in audit.rules(tx) for found in audit._breaches(tx, rule)] == []
    return _end(books, settlements)
