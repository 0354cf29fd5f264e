"""What a bank's files do: each entry moves cash once, and what does not fit is one break."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from paynexus.db import Database
from paynexus.errors import BankFileRefused
from paynexus.ledger.accounts import AccountType
from tests.settlement_world import (
    DAY,
    PAYEE_IBAN,
    Booked,
    SettlementWorld,
    credit,
    debit,
    file_report,
    report,
    statement,
)

A_DAY = dt.timedelta(days=1)


def test_a_file_is_applied_once_whatever_its_name(books: SettlementWorld) -> None:
    """The same bytes again, under this name or another, are recognised."""
    settlement = books.paid(5_000)
    text = statement(debit(settlement))
    done = books.hear(text, text, text)

    assert done.is_repeated
    assert books.status(settlement) == "PAID"
    assert books.verdicts() == ["paid"]
    assert books.breaks() == []


def test_a_bad_file_changes_nothing(books: SettlementWorld) -> None:
    """A file that is refused is not on record, so that a corrected one is taken."""
    settlement = books.paid(5_000)
    text = statement(debit(settlement), debit(settlement))
    broken = text.replace("</BkToCstmrStmt>", "<Stmt/></BkToCstmrStmt>")
    for refused in ("<oops/>", broken, text[: len(text) - 40]):
        with pytest.raises(BankFileRefused):
            books.hear(refused)
    row = books.database.connection().execute(
        "SELECT (SELECT count(*) FROM bank_files WHERE direction = 'in'),"
        " (SELECT count(*) FROM bank_lines), (SELECT count(*) FROM bank_statements)"
    )

    assert row.fetchall() == [(0, 0, 0)]
    assert books.status(settlement) == "INSTRUCTED"
    assert books.posted(AccountType.CASH) == 0


@pytest.mark.parametrize(
    ("entry", "kind", "subject", "currency"),
    [
        (Booked(4_999), "amount", "settlement", "EUR"),
        (Booked(5_000, currency="USD"), "currency", "settlement", "USD"),
        (Booked(5_000, reference="SET-NOBODY"), "extra", "bank_line", "EUR"),
        (Booked(5_000, reference="SET-NOBODY", is_debit=False), "extra", "bank_line", "EUR"),
        (Booked(5_000, reference="NOTPROVIDED"), "extra", "bank_line", "EUR"),
    ],
)
def test_money_without_a_reason_is_in_suspense_with_one_break(
    books: SettlementWorld, entry: Booked, kind: str, subject: str, currency: str
) -> None:
    """Nothing is paid by a line that differs in anything; its money has moved all the same."""
    settlement = books.paid(5_000)
    entry = replace(entry, reference=entry.reference or settlement.end_to_end_id)
    done = books.hear(statement(entry))
    moved = -entry.amount if entry.is_debit else entry.amount

    assert done.unmatched == 1
    assert books.status(settlement) == "INSTRUCTED"
    assert books.posted(AccountType.CASH, currency) == moved
    assert books.posted(AccountType.SUSPENSE, currency) == -moved
    assert books.breaks() == [(kind, subject, moved, "OPEN")]


def test_a_second_wrong_amount_is_a_break_of_its_own(books: SettlementWorld) -> None:
    """Of the line, since the settlement's is taken: suspense is never more than breaks say."""
    settlement = books.paid(5_000)
    books.hear(
        statement(debit(settlement, 4_000), debit(settlement, 4_100)),
        statement(debit(settlement, 4_200), number=2),
    )

    assert books.breaks() == [
        ("amount", "bank_line", -4_200, "OPEN"),
        ("amount", "bank_line", -4_100, "OPEN"),
        ("amount", "settlement", -4_000, "OPEN"),
    ]


def test_an_account_that_is_not_ours_is_kept_and_moves_nothing(books: SettlementWorld) -> None:
    """A bank writes statements of all its accounts; whose they are, its lines say."""
    settlement = books.paid(5_000)
    books.hear(statement(debit(settlement), iban=PAYEE_IBAN, opening=0))

    assert books.verdicts() == ["foreign"]
    assert books.status(settlement) == "INSTRUCTED"
    assert books.posted(AccountType.CASH) == 0
    assert books.breaks() == []


def test_notices_and_what_is_not_booked_move_nothing(books: SettlementWorld) -> None:
    """Their facts come again in the day's statement."""
    settlement = books.paid(5_000)
    pending = replace(debit(settlement), status="PDNG")
    books.hear(statement(debit(settlement), kind="camt.054"), statement(pending))

    assert books.verdicts() == ["notice", "not_booked"]
    assert books.status(settlement) == "INSTRUCTED"
    assert books.posted(AccountType.CASH) == 0


def test_a_settlement_paid_twice_is_paid_once_and_told(books: SettlementWorld) -> None:
    """The second debit has left our account: it is in suspense, of whom it is known."""
    settlement = books.paid(5_000)
    books.hear(
        statement(debit(settlement), debit(settlement)), statement(debit(settlement), number=2)
    )

    assert books.verdicts() == ["paid", "duplicate", "duplicate"]
    assert books.posted(AccountType.CASH) == -15_000
    assert books.breaks() == [("duplicate", "bank_line", -5_000, "OPEN")] * 2
    rows = books.database.connection().execute("SELECT DISTINCT merchant_id FROM breaks")
    assert rows.fetchall() == [(books.merchant,)]


def test_contradictions_of_the_bank_change_nothing_and_are_told(books: SettlementWorld) -> None:
    """Rejected after it was paid, accepted after it was rejected: the books stand."""
    paid, rejected = books.paid(5_000), books.paid(700)
    books.hear(
        statement(debit(paid)),
        report(paid, "RJCT", "AC04"),
        report(rejected, "RJCT", "MS03", at="2026-11-23T09:00:00Z"),
        report(rejected, "ACCP", at="2026-11-23T10:00:00Z"),
    )

    assert (books.status(paid), books.status(rejected)) == ("PAID", "REJECTED")
    assert books.breaks() == [
        ("extra", "settlement", -700, "OPEN"),
        ("extra", "settlement", 5_000, "OPEN"),
        ("returned", "settlement", 700, "RESOLVED"),
    ]


def test_an_answer_to_what_we_never_asked_is_kept(books: SettlementWorld) -> None:
    """Another file's, or a payment that is not in the file."""
    settlement = books.paid(5_000)
    done = books.hear(
        file_report("PNX-NOBODY", "ACCP"), report(replace(settlement, message_id="PNX-X"), "RJCT")
    )

    assert done.unmatched == 1
    assert books.verdicts() == ["unknown_reference"] * 2
    assert books.status(settlement) == "INSTRUCTED"


def test_a_duplicate_file_is_not_a_rejection(books: SettlementWorld) -> None:
    """A file that the bank has twice though we sent it once: the first of them is on its way."""
    settlement = books.paid(5_000)
    books.hear(file_report(settlement.message_id, "RJCT", "DUPL"))

    assert books.status(settlement) == "INSTRUCTED"
    assert books.verdicts() == ["duplicate_file"]
    assert books.breaks() == [("duplicate", "payout_file", -5_000, "OPEN")]


@pytest.mark.parametrize("is_before", [True, False])
def test_money_that_comes_back_proves_that_it_was_paid(
    books: SettlementWorld,
    is_before: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    """Whichever statement is read first: PAID, RETURNED, and the account is where it was."""
    settlement = books.paid(5_000)
    days = [
        statement(debit(settlement), number=1, opening=100_000),
        statement(credit(settlement), number=2, day=DAY + A_DAY, opening=95_000),
    ]
    books.hear(*(days[::-1] if is_before else days))
    [returned] = books.settlements()

    assert (returned.status, returned.failure_code) == ("RETURNED", "AC04")
    assert books.facts(settlement) == ["created", "instructed", "paid", "returned"]
    assert books.posted(AccountType.CASH) == 0
    assert books.posted(AccountType.SETTLEMENT_IN_TRANSIT) == 0
    assert books.balance() == 5_000
    assert [one[:3] for one in books.breaks()] == [("returned", "settlement", 5_000)]


def test_a_return_that_is_less_is_money_of_its_own(books: SettlementWorld) -> None:
    """The payee's bank kept a charge: the settlement stays paid, the rest is for a person."""
    settlement = books.paid(5_000)
    books.hear(statement(debit(settlement), credit(settlement, 4_900)))

    assert books.status(settlement) == "PAID"
    assert books.breaks() == [("amount", "settlement", 4_900, "OPEN")]


def test_one_debit_pays_many(books: SettlementWorld) -> None:
    """By parts with amounts, by parts without, and by the name of the file alone."""
    merchants = [books.another_merchant() for _ in range(6)]
    files = []
    for pair in (merchants[:2], merchants[2:4], merchants[4:]):
        for merchant in pair:
            books.take(100, merchant=merchant)
        books.settle(after=dt.timedelta(minutes=1))
        files.append([books.settlements(merchant)[0] for merchant in pair])
    references = [[one.end_to_end_id for one in file] for file in files]
    books.hear(
        statement(
            Booked(200, parts=[(reference, 100) for reference in references[0]]),
            Booked(200, parts=[(reference, None) for reference in references[1]]),
            Booked(200, message_id=files[2][0].message_id),
            opening=1_000,
        )
    )

    assert {books.status(one) for file in files for one in file} == {"PAID"}
    assert books.verdicts() == ["batch", "paid", "paid", "batch", "paid", "paid", "batch"]
    assert books.posted(AccountType.CASH) == -600
    assert books.breaks() == []


def test_of_a_batch_only_what_fits_is_applied(books: SettlementWorld) -> None:
    """A stranger among its parts: ours are paid, the rest is one break of the line."""
    settlement = books.paid(5_000)
    parts = [(settlement.end_to_end_id, 5_000), ("SOMEBODY", 300)]
    books.hear(statement(Booked(5_300, parts=parts)))

    assert books.status(settlement) == "PAID"
    assert books.posted(AccountType.CASH) == -5_300
    assert books.breaks() == [("extra", "bank_line", -300, "OPEN")]


def test_two_statements_at_once_book_all_their_payouts(
    books: SettlementWorld, another_database: Callable[[], Database]
) -> None:
    """Each in one batch, in an order of its own; none waits for the other in a circle."""
    merchants = [books.another_merchant() for _ in range(12)]
    for merchant in merchants:
        books.take(100, merchant=merchant)
    books.settle()
    entries = sorted(
        (debit(books.settlements(merchant)[0]) for merchant in merchants),
        key=lambda entry: entry.reference or "",
    )
    texts = [statement(*entries[n::2][:: 1 - 2 * n], number=n + 1) for n in (0, 1)]
    worlds = [replace(books, database=another_database(), files=10 * n + 10) for n in range(2)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda world, text: world.hear(text), worlds, texts))

    assert [one.moved["PAID"] for one in done] == [6, 6]
    assert books.posted(AccountType.CASH) == -1_200
    assert books.posted(AccountType.SETTLEMENT_IN_TRANSIT) == 0


def test_what_two_files_say_at_once_of_one_settlement_is_said_twice(
    books: SettlementWorld, another_database: Callable[[], Database]
) -> None:
    """One of them pays it; the other one's money is in suspense."""
    settlement = books.paid(5_000)
    worlds = [replace(books, database=another_database(), files=10 * n + 10) for n in range(4)]
    texts = [statement(debit(settlement), number=n + 1) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda world, text: world.hear(text), worlds, texts))

    assert sorted(books.verdicts()) == ["duplicate"] * 3 + ["paid"]
    assert books.breaks() == [("duplicate", "bank_line", -5_000, "OPEN")] * 3
