"""What statements must say together: balances add up, days follow, and payouts are on them."""

import datetime as dt

import pytest

from paynexus.ledger.accounts import AccountType
from paynexus.settlement.calendars import Calendar
from tests.settlement_world import DAY, Booked, SettlementWorld, debit, report, statement

A_DAY = dt.timedelta(days=1)
STRANGER = Booked(300, reference="SOMEBODY", is_debit=False)


def test_a_statement_that_lacks_one_payout_says_which(books: SettlementWorld) -> None:
    """Its balances moved by exactly that one; once it is shown, the break resolves itself."""
    settlement = books.paid(5_000)
    day = Calendar().on_or_after(books.now.date())
    books.hear(statement(opening=10_000, closing=5_000, day=day))

    assert books.breaks() == [("missing", "settlement", 5_000, "OPEN")]
    assert books.status(settlement) == "INSTRUCTED"

    # Its money is in the balances already.
    books.hear(
        statement(
            debit(settlement),
            number=2,
            day=day + A_DAY,
            opening=5_000,
            closing=5_000,
        )
    )

    assert books.breaks() == [("missing", "settlement", 5_000, "RESOLVED")]
    assert books.status(settlement) == "PAID"


def test_what_no_payout_explains_is_the_files_own(books: SettlementWorld) -> None:
    """Two alike, none, or money that came: nobody can say which it is."""
    for merchant in (None, books.another_merchant()):
        books.take(5_000, merchant=merchant)
    books.settle()
    today = books.now.date()
    books.hear(
        statement(opening=10_000, closing=5_000, day=today),
        statement(opening=5_000, closing=5_700, number=2, day=today + A_DAY),
    )

    assert sorted(books.breaks()) == [
        ("missing", "bank_file", -700, "OPEN"),
        ("missing", "bank_file", 5_000, "OPEN"),
    ]


def test_the_same_statement_in_other_bytes_is_booked_once(books: SettlementWorld) -> None:
    """Nothing of the second is booked, whatever it says; somebody has to look."""
    settlement = books.paid(5_000)
    books.hear(
        statement(debit(settlement), opening=10_000),
        statement(debit(settlement), STRANGER, opening=10_000, note="again"),
    )

    assert books.verdicts() == ["paid", "repeated", "repeated"]
    assert books.posted(AccountType.CASH) == -5_000
    assert books.breaks() == [("duplicate", "bank_file", -4_700, "OPEN")]


def test_a_statement_that_does_not_begin_where_the_last_one_ended_is_a_break(
    books: SettlementWorld,
) -> None:
    """At once, whichever of the two is read first: nothing can lie between them."""
    books.hear(
        statement(number=8, day=DAY + A_DAY, opening=900, closing=900),
        statement(number=7, opening=1_000, closing=1_000),
    )

    assert books.breaks() == [("missing", "bank_file", 100, "OPEN")]


def test_a_missing_statement_is_one_break_until_it_comes(books: SettlementWorld) -> None:
    """A day later, since files come in any order; the payouts on it are not told besides."""
    settlement = books.paid(5_000)
    first = Calendar().on_or_after(books.now.date())
    days = [first - A_DAY, first, *(first + n * A_DAY for n in range(1, 6))]
    books.hear(
        report(settlement, "ACCP"),
        statement(number=1, day=days[0], opening=10_000, closing=10_000),
        *(
            statement(number=n + 1, day=day, opening=5_000, closing=5_000)
            for n, day in enumerate(days)
            if n > 1
        ),
    )

    assert books.breaks() == []

    books.watch(after=8 * A_DAY)

    assert books.breaks() == [("missing", "bank_file", 5_000, "OPEN")]

    books.hear(statement(debit(settlement), number=2, day=days[1], opening=10_000))

    assert books.breaks() == [("missing", "bank_file", 5_000, "RESOLVED")]
    assert books.status(settlement) == "PAID"


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_payout_that_no_statement_shows_in_time_is_a_break(
    books: SettlementWorld,
    is_answered: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    """If the bank has answered; a silent one is another fault, and it is told once."""
    settlement = books.paid(5_000)
    if is_answered:
        books.hear(report(settlement, "ACCP"))
    for n in range(8):
        day = books.now.date()
        books.hear(statement(number=n + 1, day=day, opening=10_000, closing=10_000))
        books.watch(after=A_DAY)
    expected = ("missing", "settlement") if is_answered else ("timing", "payout_file")

    assert books.breaks() == [(*expected, 5_000, "OPEN")]

    books.hear(statement(debit(settlement), number=9, day=books.now.date(), opening=10_000))

    assert books.breaks() == [(*expected, 5_000, "RESOLVED")]
    assert books.status(settlement) == "PAID"


def test_days_that_no_statement_covers_make_no_break(books: SettlementWorld) -> None:
    """The bank has taken the file, and none of its statements has come: they may yet."""
    books.hear(report(books.paid(5_000), "ACCP"))
    for _ in range(8):
        books.watch(after=A_DAY)

    assert books.breaks() == []


def test_statements_without_balances_or_numbers_are_taken(books: SettlementWorld) -> None:
    """A bank that states less is held to less."""
    settlement = books.paid(5_000)
    books.hear(
        statement(debit(settlement), number=None),
        statement(number=None, day=DAY + 3 * A_DAY),
    )
    books.watch(after=2 * A_DAY)

    assert books.status(settlement) == "PAID"
    assert books.breaks() == []
