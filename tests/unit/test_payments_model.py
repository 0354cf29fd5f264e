"""What may become of a payment, and what of it may still be returned."""

import datetime as dt
from dataclasses import replace
from itertools import product

import pytest

from paynexus import ids
from paynexus.errors import InvalidState
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.money import Money
from paynexus.payments.model import CHARGEABLE, FINAL, TRANSITIONS, Fact, Payment, Status

PAYMENT = Payment(
    id=PaymentId(ids.new_id()),
    merchant_id=MerchantId(ids.new_id()),
    mode="test",
    money=Money(1000, "EUR"),
    status=Status.PENDING,
    capture="automatic",
    payment_method="tok_approve",
    fingerprint="",
    fee_basis_points=150,
    fee_fixed_minor=25,
    transfer_id=TransferId(ids.new_id()),
    created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    idempotency_key="key",
)


@pytest.mark.parametrize(("status", "fact"), list(product(Status, Fact)))
def test_a_fact_leads_where_the_table_says_or_nowhere(status: Status, fact: Fact) -> None:
    """Nothing but the status changes; what the table does not name can't happen, and says so."""
    payment = replace(PAYMENT, status=status)
    following = TRANSITIONS.get((status, fact))
    if following is not None:
        assert payment.after(fact) == replace(payment, status=following)
        return

    with pytest.raises(InvalidState) as raised:
        payment.after(fact)
    assert str(raised.value) == f"A {status} payment can't be {fact}."
    assert raised.value.extra == {"operation_state": status}


def test_final_payments_stay_and_others_do_not() -> None:
    """No fact leads out of a final status, some fact out of every other."""
    left = {status for status, _ in TRANSITIONS}

    assert left == set(Status) - FINAL
    assert not CHARGEABLE & FINAL


def test_refundable_is_what_was_captured_and_is_not_on_its_way_back() -> None:
    """Neither returned nor being returned."""
    payment = replace(PAYMENT, captured_amount=1000, refunded_amount=300, refunding_amount=150)

    assert payment.refundable_amount == 550
