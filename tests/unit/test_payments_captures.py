"""One authorisation in parts, by the pure rules: the same fee however it is cut."""

import datetime as dt
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from paynexus import ids
from paynexus.gateways.port import Outcome, Result
from paynexus.ids import MerchantId, PaymentId, TransferId
from paynexus.ledger.model import Order
from paynexus.money import EXPONENTS, Money
from paynexus.payments import endings
from paynexus.payments.endings import Ended
from paynexus.payments.model import OpenOperation, Payment, Status

AMOUNTS_LIMIT = 100_000


def authorized(money: Money, basis_points: int, fixed: int) -> Payment:
    """A payment that may be captured."""
    return Payment(
        id=PaymentId(ids.new_id()),
        merchant_id=MerchantId(ids.new_id()),
        mode="test",
        money=money,
        status=Status.AUTHORIZED,
        capture="manual",
        payment_method="tok_approve",
        fingerprint="",
        fee_basis_points=basis_points,
        fee_fixed_minor=fixed,
        transfer_id=TransferId(ids.new_id()),
        created_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        idempotency_key="key",
    )


def captured(payment: Payment, amount: int, *, is_final: bool) -> tuple[Payment, list[Order]]:
    """The payment after an approved capture, and what it books."""
    opened = OpenOperation("capture", ids.new_id(), amount, is_final=is_final)
    asked = replace(payment, open_operation=opened)
    change = endings.end_capture(Ended(asked, opened.id, None, Result(Outcome.APPROVED)))
    assert change is not None
    return change.payment, list(change.orders)


@given(
    parts=st.lists(st.integers(1, AMOUNTS_LIMIT), min_size=1, max_size=50),
    basis_points=st.integers(0, 10_000),
    fixed=st.integers(0, 500),
    currency=st.sampled_from(sorted(EXPONENTS)),
)
def test_parts_cost_what_the_whole_costs(
    parts: list[int], basis_points: int, fixed: int, currency: str
) -> None:
    """In all and at no moment more than was captured; each part books just what it adds.

    Whatever the exponent of the currency: no unit is lost or made by rounding.
    """
    payment = authorized(Money(sum(parts), currency), basis_points, fixed)
    whole, _ = captured(payment, sum(parts), is_final=True)
    booked = 0
    for number, amount in enumerate(parts, start=1):
        payment, orders = captured(payment, amount, is_final=number == len(parts))
        post, *fees = orders
        assert (post.amount, post.is_final) == (amount, number == len(parts))
        booked += sum(fee.transfer.money.amount for fee in fees if fee.transfer)
        assert booked == payment.fee_amount <= payment.captured_amount

    assert (payment.status, payment.captures) == (Status.COMPLETED, len(parts))
    assert payment.fee_amount == whole.fee_amount
