"""What a payout file is called, holds, and when its silence is one."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.ids import SettlementId
from paynexus.settlement.calendars import Calendar
from paynexus.settlement.payouts import model
from paynexus.settlement.payouts.model import FILE_LIMIT, INQUIRIES_LIMIT, Payout, PayoutFile

MONDAY = dt.date(2026, 11, 23)
SENT = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
DEBTOR = {"holder": "PayNexus", "iban": "NL41MOCK0000000001", "bic": "MOCKNL2A", "address": None}
CREDITOR = {"holder": "Café", "iban": "DE89370400440532013000", "bic": None, "address": None}


def _payout(number: int, *, day: str = "2026-11-23", currency: str = "EUR") -> Payout:
    instruction = {"debtor": DEBTOR, "creditor": CREDITOR, "execution_date": day}
    settlement = SettlementId(UUID(int=number))
    return Payout(settlement, f"SET-{number:026}", 100, "test", currency, instruction)


def _file(**changes: object) -> PayoutFile:
    file = PayoutFile(
        message_id="PNX-1",
        mode="test",
        currency="EUR",
        debtor=DEBTOR,
        execution_date=MONDAY,
        transfers=1,
        amount=100,
        created_at=SENT,
        sha256=b"",
        sent_at=SENT,
        inquired_at=None,
        inquiries=0,
        calendar="TARGET2",
        repeat_days=10,
        deadline_days=1,
    )
    return replace(file, **changes)  # type: ignore[arg-type]


@given(st.permutations([f"SET-{n}" for n in range(6)]))
def test_a_files_name_follows_from_what_it_pays(references: list[str]) -> None:
    """In any order; one more, or one less, is another file. It fits every bank."""
    name = model.message_id(references)

    assert name == model.message_id(sorted(references))
    assert name != model.message_id(references[1:])
    assert len(name) <= 35
    assert name.replace("-", "").isalnum()
    assert name.isupper()


def test_a_files_name_stays_what_it_is() -> None:
    """Pinned: another name for a file that was sent would be paid once more."""
    assert model.message_id(["SET-A", "SET-B"]) == "PNX-032TYPC1KK50APKJ29KVK90HR1"


def test_a_file_is_of_one_day_currency_and_account() -> None:
    """And holds FILE_LIMIT payouts at most."""
    days, currencies = ("2026-11-23", "2026-11-24"), ("EUR", "USD")
    payouts = [_payout(n, day=days[n % 2], currency=currencies[n // 2 % 2]) for n in range(40)]
    many = [_payout(n) for n in range(FILE_LIMIT + 1)]

    assert [len(group) for group in model.grouped(payouts)] == [10, 10, 10, 10]
    assert all(len({repr(one.group) for one in group}) == 1 for group in model.grouped(payouts))
    assert [len(group) for group in model.grouped(many)] == [FILE_LIMIT, 1]


@given(st.permutations([_payout(n) for n in range(5)]))
def test_a_file_asks_in_the_same_words_whatever_the_order(payouts: list[Payout]) -> None:
    """So that its bytes follow from its rows alone."""
    asked = model.instruction("PNX-1", SENT, payouts)

    assert asked == model.instruction("PNX-1", SENT, sorted(payouts, key=lambda one: one.id))
    assert [one.end_to_end_id for one in asked.transfers] == sorted(
        one.end_to_end_id for one in payouts
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, dt.date(2026, 11, 24)),
        ({"deadline_days": 0}, MONDAY),
        ({"deadline_days": 5}, dt.date(2026, 11, 30)),
        # Sent on Saturday for a Monday that is past: it is paid on the next.
        ({"sent_at": SENT + dt.timedelta(days=5)}, dt.date(2026, 12, 1)),
        # Christmas is none of the bank's days.
        ({"execution_date": dt.date(2026, 12, 24)}, dt.date(2026, 12, 28)),
    ],
)
def test_a_bank_may_be_silent_for_its_days(changes: dict[str, object], expected: dt.date) -> None:
    """Business days of the account's calendar, from when the bank had the file on."""
    assert _file(**changes).deadline(Calendar()) == expected


@pytest.mark.parametrize(
    ("changes", "after", "may"),
    [
        ({}, dt.timedelta(days=2), True),
        ({}, dt.timedelta(days=9, hours=23), True),
        # Later the bank might have forgotten that it paid.
        ({}, dt.timedelta(days=10), False),
        ({"repeat_days": 0}, dt.timedelta(days=2), False),
        ({"sent_at": None}, dt.timedelta(days=2), False),
        ({"inquiries": INQUIRIES_LIMIT}, dt.timedelta(days=2), False),
        ({"inquiries": 1, "inquired_at": SENT}, dt.timedelta(hours=23), False),
        ({"inquiries": 1, "inquired_at": SENT}, dt.timedelta(hours=24), True),
    ],
)
def test_a_silent_bank_is_asked_while_it_refuses_what_it_has(
    changes: dict[str, object],
    after: dt.timedelta,
    may: bool,  # noqa: FBT001 - the case's answer
) -> None:
    """Once a day, three times, and only within the days for which it knows message ids."""
    assert _file(**changes).may_inquire(SENT + after) is may
