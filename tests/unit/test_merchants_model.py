"""Fees and configuration: arithmetic and laying over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.merchants.model import FeeSchedule, PayoutAccount, merged
from paynexus.money import Money

schedules = st.builds(FeeSchedule, st.integers(0, 10_000), st.integers(0, 10**6))
amounts = st.integers(1, 10**12).map(lambda amount: Money(amount, "EUR"))
settings = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
configurations = st.dictionaries(st.sampled_from("abc"), settings, max_size=3)


@given(schedule=schedules, money=amounts)
def test_a_fee_is_never_negative_nor_more_than_the_payment(
    schedule: FeeSchedule, money: Money
) -> None:
    """The merchant never owes for having been paid."""
    fee = schedule.fee_on(money)

    assert 0 <= fee.amount <= money.amount
    assert fee.currency == money.currency


def test_fee_of_an_ordinary_payment() -> None:
    """1.5 % and 25 cents; halves go to the even cent."""
    schedule = FeeSchedule(150, 25)

    assert schedule.fee_on(Money(1_250, "EUR")) == Money(44, "EUR")
    assert schedule.fee_on(Money(100, "EUR")) == Money(27, "EUR")
    assert schedule.fee_on(Money(10, "EUR")) == Money(10, "EUR")


@pytest.mark.parametrize(("points", "fixed"), [(-1, 0), (10_001, 0), (0, -1)])
def test_impossible_schedules(points: int, fixed: int) -> None:
    """A schedule that would pay the merchant, or take everything twice, can't be made."""
    with pytest.raises(ValueError, match="neither negative"):
        FeeSchedule(points, fixed)


@given(before=configurations)
def test_no_change_changes_nothing(before: dict[str, object]) -> None:
    """Laying nothing over anything leaves it."""
    assert merged(before, {}) == before


@given(before=configurations, change=configurations)
def test_a_change_made_twice_is_made_once(
    before: dict[str, object], change: dict[str, object]
) -> None:
    """PATCH is idempotent."""
    once = merged(before, change)

    assert merged(once, change) == once


def test_only_the_ends_of_an_iban_show() -> None:
    """Enough to recognise, not enough to pay into."""
    account = PayoutAccount("EUR", "Shop", "DE89370400440532013000", None)

    assert account.masked_iban() == "DE89…3000"
