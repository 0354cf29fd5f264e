"""Disputes: their table, and what a payment covers of one."""

import datetime as dt
from itertools import product

import pytest

from paynexus import ids
from paynexus.errors import InvalidState
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.money import Money
from paynexus.payments.dispute import (
    DISPUTE_TRANSITIONS,
    FINAL_DISPUTE,
    DisputeFact,
    DisputeStatus,
    cover_of,
    dispute_after,
)
from paynexus.payments.model import Payment, Status

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


def payment(*, captured: int, refunded: int = 0, refunding: int = 0) -> Payment:
    """A payment of 10 euro, of which so much was captured and went back."""
    return Payment(
        id=PaymentId(ids.new_id()),
        merchant_id=MerchantId(ids.new_id()),
        mode="test",
        money=Money(1000, "EUR"),
        status=Status.COMPLETED,
        capture="automatic",
        payment_method="tok_visa",
        fingerprint="fp",
        fee_basis_points=0,
        fee_fixed_minor=0,
        transfer_id=TransferId(ids.new_id()),
        created_at=NOW,
        idempotency_key="key",
        captured_amount=captured,
        refunded_amount=refunded,
        refunding_amount=refunding,
    )


@pytest.mark.parametrize(("status", "fact"), list(product(DisputeStatus, DisputeFact)))
def test_only_the_table_moves_a_dispute(status: DisputeStatus, fact: DisputeFact) -> None:
    """What the table lists happens, and all else is refused."""
    following = DISPUTE_TRANSITIONS.get((status, fact))
    if following is not None:
        assert dispute_after(status, fact) is following
        return
    with pytest.raises(InvalidState):
        dispute_after(status, fact)


def test_final_disputes_stay_as_they_are() -> None:
    """Exactly those that nothing leads away from are final."""
    assert set(DisputeStatus) - {old for old, _ in DISPUTE_TRANSITIONS} == FINAL_DISPUTE


@pytest.mark.parametrize(
    ("refunded", "refunding", "disputed", "covered"),
    [(0, 0, 1000, 1000), (0, 0, 400, 400), (300, 200, 1000, 500), (1000, 0, 1000, 0)],
)
def test_a_dispute_is_covered_by_what_was_not_returned(
    refunded: int, refunding: int, disputed: int, covered: int
) -> None:
    """Covered and excess are the disputed amount, and no more is covered than is left."""
    held = payment(captured=1000, refunded=refunded, refunding=refunding)
    cover = cover_of(held, Money(disputed, "EUR"))
    assert cover.covered == Money(covered, "EUR")
    assert cover.covered + cover.excess == Money(disputed, "EUR")


def test_a_dispute_in_another_currency_is_refused() -> None:
    """Amounts of two currencies are never held against each other."""
    with pytest.raises(ValueError, match="USD"):
        cover_of(payment(captured=1000), Money(1000, "USD"))
