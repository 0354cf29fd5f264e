"""Whoever may do anything to the database alters the books, and is found out.

Every way of tampering is tried by itself and, at the end, all of them at once. The audit (the
views, and reading the seals again) and the offline check of an export are asked separately; each
row of the table says what each of them must name, `None` where it can not see it.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from paynexus.db import Connection, Database
from paynexus.ids import TransferId
from paynexus.ledger import audit
from paynexus.ledger.seals import model, service
from paynexus.ledger.seals.model import HOUR
from tests.integration.sealing import (
    Booked,
    Kms,
    as_owner,
    book_a_day,
    cloned,
    move_into_the_past,
    signer,
)
from tools.local_stack import postgres
from tools.verify_ledger import check, export, keys

pytestmark = pytest.mark.proof

SEAL = "entry_differs_from_its_seal"
TABLES = (
    "accounts",
    "account_balances",
    "transfers",
    "open_holds",
    "ledger_entries",
    "ledger_seals",
    "ledger_seal_records",
)
"""What is tampered with, and put back as it was for the next test."""


@dataclass(frozen=True, slots=True)
class Found:
    """What must be named: a rule of the audit with a value of its row; words of the check."""

    rule: str
    value: object
    told: str | None


type Tampering = Callable[[Connection, Booked], Found]


@dataclass(frozen=True, slots=True)
class Books:
    """A database whose books are sealed hour by hour, and what was booked in each hour."""

    url: str
    days: list[Booked]
    kms: Kms
    now: dt.datetime
    head: bytes


def entry(tx: Connection, transfer: TransferId, side: str = "debit") -> int:
    """The number of one of the transfer's two entries."""
    query = "SELECT id FROM ledger_entries WHERE transfer_id = %s AND (delta > 0) = %s"
    [row] = tx.execute(query, (transfer, side == "debit")).fetchall()
    return int(row[0])


def payable(tx: Connection, day: Booked) -> Any:  # noqa: ANN401 - a UUID
    """The merchant's account."""
    query = "SELECT id FROM accounts WHERE merchant_id = %s"
    [row] = tx.execute(query, (day.merchant,)).fetchall()
    return row[0]


def the_amount_of_an_entry(tx: Connection, day: Booked) -> Found:
    """One leg says more than its transfer."""
    number = entry(tx, day.refund)
    tx.execute("UPDATE ledger_entries SET delta = delta + 1 WHERE id = %s", (number,))
    told = f"entry {number}: was altered since it was sealed (contradicts its transfer in delta)"
    return Found("entry_differs_from_its_transfer", number, told)


def an_entry_is_deleted(tx: Connection, day: Booked) -> Found:
    """One leg is gone."""
    number = entry(tx, day.fee)
    tx.execute("DELETE FROM ledger_entries WHERE id = %s", (number,))
    told = f"entry {number}: was there when it was sealed, and is gone"
    return Found("transfer_has_not_two_entries", day.fee, told)


def entries_are_inserted(tx: Connection, day: Booked) -> Found:
    """Two legs that sum to zero, of a transfer that nobody ordered."""
    number = entry(tx, day.payout) + 5
    tx.execute(
        "INSERT INTO ledger_entries SELECT id + 5, transaction_id, account_id, delta,"
        " balance_after, type, created_at, gen_random_uuid(), currency, slot, released,"
        " effective_at FROM ledger_entries WHERE transfer_id = %s",
        (day.payout,),
    )
    return Found(
        "entry_has_no_transfer", number, f"entry {number}: was not there when it was sealed"
    )


def both_legs_alike(tx: Connection, day: Booked) -> Found:
    """They still sum to zero."""
    number = entry(tx, day.refund)
    tx.execute("UPDATE ledger_entries SET delta = delta * 2 WHERE transfer_id = %s", (day.refund,))
    return Found("entry_differs_from_its_transfer", number, f"entry {number}: was altered")


def a_transfer_with_all_that_follows(tx: Connection, day: Booked) -> Found:
    """The refund was larger, says everything: transfer, entries and balances agree."""
    number = entry(tx, day.refund)
    account = payable(tx, day)
    tx.execute("UPDATE transfers SET amount = amount + 100 WHERE id = %s", (day.refund,))
    tx.execute(
        "UPDATE ledger_entries SET delta = delta + sign(delta) * 100 WHERE transfer_id = %s",
        (day.refund,),
    )
    tx.execute(
        "UPDATE ledger_entries SET balance_after = balance_after + 100"
        " WHERE account_id = %s AND id >= %s AND type = 'posted'",
        (account, number),
    )
    _move_balances(tx, day.refund, "posted", 100)
    return Found(SEAL, number, f"entry {number}: was altered since it was sealed")


def a_transfer_never_was(tx: Connection, day: Booked) -> Found:
    """The open hold is gone with its entries, and its share of the balances."""
    number = entry(tx, day.open_hold)
    _move_balances(tx, day.open_hold, "pending", -300)
    tx.execute("DELETE FROM open_holds WHERE transfer_id = %s", (day.open_hold,))
    tx.execute("DELETE FROM ledger_entries WHERE transfer_id = %s", (day.open_hold,))
    tx.execute("DELETE FROM transfers WHERE id = %s", (day.open_hold,))
    return Found(SEAL, number, f"entry {number}: was there when it was sealed, and is gone")


def a_balance(tx: Connection, day: Booked) -> Found:
    """Derived from entries, so nothing of it is exported."""
    account = payable(tx, day)
    tx.execute(
        "UPDATE account_balances SET credits_posted = credits_posted + 5 WHERE account_id = %s",
        (account,),
    )
    return Found("balance_differs_from_its_entries", account, None)


def an_open_hold_is_removed(tx: Connection, day: Booked) -> Found:
    """Nobody could capture or cancel it any more. Derived, too."""
    tx.execute("DELETE FROM open_holds WHERE transfer_id = %s", (day.open_hold,))
    return Found("hold_differs_from_its_transfers", day.open_hold, None)


def the_currency_of_an_account(tx: Connection, day: Booked) -> Found:
    """Cents become yen."""
    tx.execute("UPDATE accounts SET currency = 'JPY' WHERE merchant_id = %s", (day.merchant,))
    number = entry(tx, day.payout)
    told = f"entry {number}: was altered since it was sealed (contradicts its transfer in account"
    return Found("transfer_differs_from_its_accounts", day.hold, told)


def the_normal_side_of_an_account(tx: Connection, day: Booked) -> Found:
    """What is owed to the merchant reads as owed by it."""
    tx.execute("UPDATE accounts SET normal_side = 'debit' WHERE merchant_id = %s", (day.merchant,))
    number = entry(tx, day.payout)
    return Found(
        "account_stands_on_the_wrong_side", payable(tx, day), f"entry {number}: was altered"
    )


def the_flags_of_an_account(tx: Connection, day: Booked) -> Found:
    """Its limit is off, or on, where only the database's function may say so."""
    tx.execute("UPDATE accounts SET closed = TRUE WHERE merchant_id = %s", (day.merchant,))
    return Found("account_flags_differ_from_its_slots", payable(tx, day), None)


def the_owner_of_an_account(tx: Connection, day: Booked) -> Found:
    """Another merchant's money from now on."""
    tx.execute(
        "UPDATE accounts SET merchant_id = gen_random_uuid() WHERE id = %s", (payable(tx, day),)
    )
    number = entry(tx, day.payout)
    return Found(SEAL, number, f"entry {number}: was altered")


def the_effective_time_of_an_entry(tx: Connection, day: Booked) -> Found:
    """Into the month before, on one leg."""
    number = entry(tx, day.refund)
    tx.execute(
        "UPDATE ledger_entries SET effective_at = effective_at - INTERVAL '1 month' WHERE id = %s",
        (number,),
    )
    told = f"entry {number}: was altered since it was sealed (contradicts its transfer in effective"
    return Found("entry_differs_from_its_transfer", number, told)


def the_effective_time_of_a_transfer(tx: Connection, day: Booked) -> Found:
    """Into the month before, on both legs and on the transfer."""
    number = entry(tx, day.payout)
    for table, column in (("ledger_entries", "transfer_id"), ("transfers", "id")):
        query = sql.SQL(
            "UPDATE {} SET effective_at = effective_at - INTERVAL '1 month' WHERE {} = %s"
        )
        tx.execute(query.format(sql.Identifier(table), sql.Identifier(column)), (day.payout,))
    return Found(SEAL, number, f"entry {number}: was altered")


def a_balance_after(tx: Connection, day: Booked) -> Found:
    """What the merchant's statement says beside the entry."""
    number = entry(tx, day.refund)
    tx.execute(
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE id = %s", (number,)
    )
    return Found(
        "balance_after_differs_from_the_running_sum", number, f"entry {number}: was altered"
    )


def the_metadata_of_a_transfer(tx: Connection, day: Booked) -> Found:
    """What the caller had said of it."""
    number = entry(tx, day.fee)
    tx.execute(
        'UPDATE transfers SET metadata = \'{"reference": "order-4712"}\' WHERE id = %s',
        (day.fee,),
    )
    return Found(SEAL, number, f"entry {number}: was altered")


def the_object_of_a_transfer(tx: Connection, day: Booked) -> Found:
    """What it was booked for."""
    number = entry(tx, day.refund)
    tx.execute("UPDATE transfers SET object_id = 'pay_other' WHERE id = %s", (day.refund,))
    return Found(SEAL, number, f"entry {number}: was altered")


def an_entry_on_another_account(tx: Connection, day: Booked) -> Found:
    """The fee is the costs' gain, not the platform's: one row."""
    number = entry(tx, day.fee, "credit")
    tx.execute("UPDATE ledger_entries SET account_id = gen_random_uuid() WHERE id = %s", (number,))
    return Found("entry_differs_from_its_transfer", number, f"entry {number}: was altered")


def a_seal(tx: Connection, day: Booked) -> Found:
    """It says that less was recorded."""
    seal = _seal_of(tx, day)
    tx.execute("UPDATE ledger_seals SET entries = entries - 1 WHERE number = %s", (seal,))
    told = f"seal {seal}: the signature is not over this statement"
    return Found("seal_differs_from_its_statement", seal, told)


def a_seal_with_its_hash(tx: Connection, day: Booked) -> Found:
    """The same, and its hash fits; but the next seal names the old one."""
    seal = _seal_of(tx, day)
    tx.execute("UPDATE ledger_seals SET entries = entries - 1 WHERE number = %s", (seal,))
    tx.execute(
        "UPDATE ledger_seals AS s SET hash ="
        " sha256(convert_to(ledger_seal_statement(s), 'UTF8')) WHERE number = %s",
        (seal,),
    )
    told = f"seal {seal + 1}: it was made after another seal {seal}"
    return Found("seal_does_not_follow_the_one_before", seal + 1, told)


def the_records_of_a_seal(tx: Connection, day: Booked) -> Found:
    """An entry is altered, and so is what was kept to tell which."""
    seal = _seal_of(tx, day)
    tx.execute(
        "UPDATE ledger_seal_records"
        " SET records = set_byte(records, 29, 255 - get_byte(records, 29)) WHERE seal = %s",
        (seal,),
    )
    tx.execute("UPDATE transfers SET object_id = 'pay_other' WHERE id = %s", (day.refund,))
    told = f"seal {seal}: neither its entries nor its records are what was sealed"
    return Found("seal_differs_from_its_records", seal, told)


WAYS: list[Tampering] = [
    the_amount_of_an_entry,
    an_entry_is_deleted,
    entries_are_inserted,
    both_legs_alike,
    a_transfer_with_all_that_follows,
    a_transfer_never_was,
    a_balance,
    an_open_hold_is_removed,
    the_currency_of_an_account,
    the_normal_side_of_an_account,
    the_flags_of_an_account,
    the_owner_of_an_account,
    the_effective_time_of_an_entry,
    the_effective_time_of_a_transfer,
    a_balance_after,
    the_metadata_of_a_transfer,
    the_object_of_a_transfer,
    an_entry_on_another_account,
    a_seal,
    a_seal_with_its_hash,
    the_records_of_a_seal,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_tampering_is_named(
    way: Tampering, books: Books, database: Database, tmp_path: Path
) -> None:
    """By the audit, with its row; by the check of an export, where it concerns entries."""
    with database.transaction() as tx:
        as_owner(tx)
        expected = way(tx, books.days[4])

    assert named_by_audit(database, books, expected)
    assert named_by_check(report_on(books, tmp_path), expected)


def test_ten_ways_at_once_are_ten_names(books: Books, database: Database, tmp_path: Path) -> None:
    """Each in an hour of its own; none hides another. More than ten, as there are more ways."""
    with database.transaction() as tx:
        as_owner(tx)
        expected = [way(tx, day) for way, day in zip(WAYS, books.days, strict=True)]

    violations = audited(database, books)
    report = report_on(books, tmp_path)
    assert [one for one in expected if not is_named(violations, one)] == []
    assert [one for one in expected if not named_by_check(report, one)] == []
    assert len(expected) == len(WAYS) >= 10


def test_untouched_books_are_clean(books: Books, database: Database, tmp_path: Path) -> None:
    """Neither the audit nor the check sees what is not there."""
    assert audited(database, books) == []
    assert report_on(books, tmp_path).findings == []


def test_seals_forged_from_a_row_on_are_not_the_keys(
    books: Books, database: Database, tmp_path: Path
) -> None:
    """All seals since are made anew over altered books: chain and hashes fit, signatures don't."""
    forger = Kms()
    with database.transaction() as tx:
        as_owner(tx)
        tx.execute("UPDATE transfers SET object_id = 'pay_other'")
        tx.execute("DELETE FROM ledger_seal_records")
        tx.execute("DELETE FROM ledger_seals")
    service.seal(database, signer(forger), now=books.now)

    assert audit.violations(database) == []
    assert {one.rule for one in audited(database, books)} == {"seal_is_not_signed_by_our_key"}
    assert "it names another key" in report_on(books, tmp_path).findings[0]


@pytest.mark.parametrize("case", ["the last seals are gone", "our own key sealed again"])
def test_a_noted_head_proves_what_a_signature_can_not(
    case: str, books: Books, database: Database, tmp_path: Path
) -> None:
    """Cut off at the end, or sealed anew by the deployed function: only the note disagrees."""
    with database.transaction() as tx:
        as_owner(tx)
        tx.execute("DELETE FROM ledger_seals WHERE until > %s", (books.now - 3 * HOUR,))
        if case == "our own key sealed again":
            tx.execute("DELETE FROM ledger_seals")
            tx.execute("UPDATE transfers SET object_id = 'pay_other'")
        tx.execute(
            "DELETE FROM ledger_seal_records AS r WHERE NOT EXISTS"
            " (SELECT FROM ledger_seals WHERE number = r.seal)"
        )
    if case == "our own key sealed again":
        service.seal(database, signer(books.kms), now=books.now)

    assert report_on(books, tmp_path).findings == []
    [finding] = report_on(books, tmp_path, head=books.head).findings
    assert finding == f"no seal has the hash {books.head.hex()}: it was replaced or left out"


@pytest.fixture(scope="module")
def books(postgres_server: postgres.Server) -> Iterator[Books]:
    """As many days of business as there are ways to tamper, an hour apart, a seal each."""
    with cloned(postgres_server) as url:
        yield _sealed(url)


@pytest.fixture
def database(books: Books) -> Iterator[Database]:
    """The sealed books as they were sealed: this test may do with them what it likes."""
    database = Database(lambda: books.url)
    with database.transaction() as tx:
        as_owner(tx)
        for table in TABLES:
            tx.execute(
                sql.SQL("DELETE FROM {0}; INSERT INTO {0} SELECT * FROM kept.{0}").format(
                    sql.Identifier(table)
                )
            )
    yield database
    database.close()


def audited(db: Database, books: Books) -> list[audit.Violation]:
    """What the audit and the hourly reading find."""
    again = service.read_again(db, signer(books.kms), now=books.now)
    return [*audit.violations(db), *again]


def is_named(violations: list[audit.Violation], expected: Found) -> bool:
    """Whether the rule is broken by a row that holds the value."""
    return any(
        one.rule == expected.rule and str(expected.value) in one.row.values() for one in violations
    )


def named_by_audit(db: Database, books: Books, expected: Found) -> bool:
    """Whether the audit names it."""
    return is_named(audited(db, books), expected)


def named_by_check(report: check.Report, expected: Found) -> bool:
    """Whether the check does; books whose entries are whole are proven whole."""
    if expected.told is None:
        return True
    return any(expected.told in finding for finding in report.findings)


def report_on(books: Books, folder: Path, *, head: bytes | None = None) -> check.Report:
    """What the check says of an export of these books, knowing the key alone."""
    key = folder / "key.pem"
    key.write_bytes(books.kms.pem())
    out = folder / secrets.token_hex(4)
    since = (books.now - dt.timedelta(days=2)).date()
    export.export(books.url, since=since, until=books.now.date(), out=out)
    return check.check(out, keys.read([key]), head=head)


def _sealed(url: str) -> Books:
    db = Database(lambda: url)
    kms = Kms()
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)  # noqa: TID251 - the tests' edge
    days = [book_a_day(db) for _ in WAYS]
    with db.transaction() as tx:
        for hours, day in enumerate(reversed(days), start=2):
            move_into_the_past(tx, day, hours * HOUR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "STRETCH_ENTRIES", 1)
        seals = service.seal(db, signer(kms), now=now)
    assert sum(one.entries for one in seals) == len(WAYS) * 12
    with db.transaction() as tx:
        tx.execute("CREATE SCHEMA kept")
        for table in TABLES:
            keep = sql.SQL("CREATE TABLE kept.{0} AS TABLE {0}")
            tx.execute(keep.format(sql.Identifier(table)))
    db.close()
    return Books(url, days, kms, now, seals[-1].hash)


def _seal_of(tx: Connection, day: Booked) -> int:
    query = (
        "SELECT s.number FROM ledger_seals AS s, transfers AS t"
        " WHERE t.id = %s AND t.created_at >= s.since AND t.created_at < s.until"
    )
    [row] = tx.execute(query, (day.payment,)).fetchall()
    return int(row[0])


def _move_balances(tx: Connection, transfer: TransferId, what: str, amount: int) -> None:
    for side in ("debit", "credit"):
        query = sql.SQL(
            "UPDATE account_balances AS b SET {0} = {0} + %s FROM transfers AS t"
            " WHERE t.id = %s AND b.account_id = t.{1} AND b.slot = t.{2}"
        ).format(*(sql.Identifier(side + name) for name in (f"s_{what}", "_account_id", "_slot")))
        tx.execute(query, (amount, transfer))
