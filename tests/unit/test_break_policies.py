"""Which policy a break falls under, by when it is due, how old it is; the page says the same."""

import datetime as dt
import re
from pathlib import Path

import pytest

from paynexus.settlement.breaks.model import (
    BreakType,
    Found,
    break_id,
    object_id,
    resolution_id,
    transfer_id,
)
from paynexus.settlement.breaks.policies import (
    POLICIES,
    Age,
    Due,
    Handler,
    age_of,
    policy_of,
)

PAGE = Path(__file__).parents[2] / "docs/settlement/breaks.md"
ROW = re.compile(r"^\| `(\w+)` \| .* \| (.*) \| (.*) \| (\w+) \|$", re.MULTILINE)
WEDNESDAY = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def found(type: BreakType, subject: str, **details: object) -> Found:  # noqa: A002 - as Found
    """A difference about it."""
    return Found(type=type, subject=subject, mode="test", currency="EUR", amount=1, details=details)


@pytest.mark.parametrize(
    ("difference", "policy"),
    [
        (found(BreakType.RETURNED, "settlement:set_1"), "book_it_back"),
        (
            found(BreakType.RETURNED, "settlement:set_1", code="AC04", is_back_on_balance=True),
            "back_on_balance",
        ),
        (
            found(BreakType.RETURNED, "settlement:set_1", code="AM04", is_back_on_balance=True),
            "put_our_account_right",
        ),
        (found(BreakType.RETURNED, "settlement:set_1", is_back_on_balance="yes"), "book_it_back"),
        (found(BreakType.AMOUNT, "settlement:set_1", code="AM04"), "correct_the_amount"),
        (found(BreakType.TIMING, "payout_file:PNX-1"), "ask_the_silent_bank"),
        (found(BreakType.TIMING, "gateway_payout:sandbox:1"), "wait_for_the_gateways_payout"),
        (found(BreakType.TIMING, "bank_line:a:1"), "wait"),
        (found(BreakType.MISSING, "transfer:1"), "wait_for_the_gateways_file"),
        (found(BreakType.MISSING, "bank_file:a"), "ask_the_bank"),
        (found(BreakType.EXTRA, "bank_line:a:1"), "find_the_reason_of_money"),
        (found(BreakType.EXTRA, "gateway_line:sandbox:a:charge"), "find_the_payment"),
        (found(BreakType.EXTRA, "gateway_payout:sandbox:1"), "find_the_reason"),
        (found(BreakType.FEE, "gateway_line:sandbox:a:charge"), "claim_the_fee"),
        (found(BreakType.CURRENCY, "gateway_line:sandbox:a:charge"), "correct_the_currency"),
        (found(BreakType.DUPLICATE, "bank_file:a"), "stop_the_second"),
    ],
)
def test_the_policy_of_a_difference(difference: Found, policy: str) -> None:
    """By the bank's code, then money that is back, then the subject, then the type."""
    assert policy_of(difference).name == policy


def test_each_policy_is_on_the_page() -> None:
    """With its time and severity; where a person is expected, the page says so."""
    rows = {
        name: (by, within, severity) for name, by, within, severity in ROW.findall(PAGE.read_text())
    }

    assert rows.keys() == POLICIES.keys()
    for name, (by, within, severity) in rows.items():
        policy = POLICIES[name]
        assert severity == policy.severity
        assert (by == "a person") == (policy.handler is Handler.PERSON)
        assert within == ("at once" if policy.resolution else written(policy.due)), name


def written(due: Due) -> str:
    """As the page has it."""
    if due.hours:
        return f"{due.hours} hours"
    return f"{due.working_days} working day{'s' if due.working_days > 1 else ''}"


@pytest.mark.parametrize(
    ("due", "days"),
    [
        (Due(hours=4), 4 / 24),
        (Due(working_days=1), 1),
        (Due(working_days=2), 2),
        (Due(working_days=3), 5),
        (Due(working_days=8), 12),
    ],
)
def test_weekends_are_no_working_days(due: Due, days: float) -> None:
    """Counted from a Wednesday, in whatever zone it is written."""
    expected = WEDNESDAY + dt.timedelta(days=days)

    assert due.after(WEDNESDAY) == expected
    assert due.after(WEDNESDAY.astimezone(dt.timezone(dt.timedelta(hours=14)))) == expected


def test_found_on_a_weekend_it_is_due_on_monday() -> None:
    """One working day is the next that there is."""
    saturday, sunday = WEDNESDAY + dt.timedelta(days=3), WEDNESDAY + dt.timedelta(days=4)

    assert Due(working_days=1).after(saturday) == WEDNESDAY + dt.timedelta(days=5)
    assert Due(working_days=1).after(sunday) == WEDNESDAY + dt.timedelta(days=5)


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (0, Age.UNDER_1_DAY),
        (1, Age.UNDER_3_DAYS),
        (3, Age.UNDER_7_DAYS),
        (7, Age.OLDER),
    ],
)
def test_ages_begin_where_the_younger_ends(days: int, age: Age) -> None:
    """To the microsecond."""
    opened, least = WEDNESDAY, dt.timedelta(microseconds=1)

    assert age_of(opened, now=opened + dt.timedelta(days=days)) is age
    if days:
        assert age_of(opened, now=opened + dt.timedelta(days=days) - least) is not age


def test_ids_follow_from_what_they_name() -> None:
    """The same for the same, of the form that ids have, and different for all else."""
    one, other = (break_id(kind, "transfer:1") for kind in (BreakType.FEE, BreakType.AMOUNT))
    proposals = [resolution_id(of, number) for of in (one, other) for number in (0, 1)]

    assert one == break_id(BreakType.FEE, "transfer:1")
    assert one.version == 8
    assert object_id(one).startswith("brk_")
    assert len({one, other, *proposals, *map(transfer_id, proposals)}) == 10
