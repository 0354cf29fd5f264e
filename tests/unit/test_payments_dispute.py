"""Disputes: their table, and what a payment covers of one."""

import datetime as dt
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus import ids
from paynexus.errors import InvalidState
from paynexus.ids import DisputeId, MerchantId, PaymentId, TransferId
from paynexus.money import Money
from paynexus.payments import dispute_endings
from paynexus.payments.dispute import (
    DISPUTE_TRANSITIONS,
    FINAL_DISPUTE,
    Dispute,
    DisputeFact,
    DisputeStatus,
    cover_of,
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


def dispute(amount: int, status: DisputeStatus = DisputeStatus.OPEN) -> Dispute:
    """A dispute that covers nothing yet."""
    return Dispute(
        id=DisputeId(ids.new_id()),
        payment_id=PaymentId(ids.new_id()),
        merchant_id=MerchantId(ids.new_id()),
        mode="test",
        money=Money(amount, "EUR"),
        covered_amount=0,
        status=status,
        gateway="sandbox",
        gateway_reference="dsp_1",
        cover_id=None,
        created_at=NOW,
    )


@pytest.mark.parametrize(("status", "fact"), list(product(DisputeStatus, DisputeFact)))
def test_only_the_table_moves_a_dispute(status: DisputeStatus, fact: DisputeFact) -> None:
    """What the table lists happens, and all else is refused."""
    following = DISPUTE_TRANSITIONS.get((status, fact))
    if following is not None:
        assert dispute(1, status).after(fact).status is following
        return
    with pytest.raises(InvalidState):
        dispute(1, status).after(fact)


def test_final_disputes_stay_as_they_are() -> None:
    """Exactly those that nothing leads away from are final."""
    assert set(DisputeStatus) - {old for old, _ in DISPUTE_TRANSITIONS} == FINAL_DISPUTE


@pytest.mark.parametrize(
    ("refunded", "refunding", "asked", "covered"),
    [(0, 0, 1000, 1000), (0, 0, 400, 400), (300, 200, 1000, 500), (1000, 0, 1000, 0)],
)
def test_a_dispute_is_covered_by_what_was_not_returned(
    refunded: int, refunding: int, asked: int, covered: int
) -> None:
    """Covered and excess are the amount asked for, and no more is covered than is left."""
    held = payment(captured=1000, refunded=refunded, refunding=refunding)
    opened = dispute_endings.opened(held, dispute(asked))
    assert cover_of(held, asked) == opened.dispute.covered_amount == covered
    assert opened.dispute.excess == asked - covered
    after = opened.change.payment
    assert (after.disputed_amount, after.disputed_excess) == (covered, asked - covered)
    assert after.refundable_amount == 1000 - refunded - refunding - covered


def test_a_won_dispute_leaves_the_payment_as_it_was() -> None:
    """What was reserved for it may be refunded again."""
    held = payment(captured=1000, refunded=300)
    opened = dispute_endings.opened(held, dispute(900))
    won = dispute_endings.won(opened.change.payment, opened.dispute)
    assert won.change.payment == held
    assert won.dispute.status is DisputeStatus.WON


def test_a_lost_dispute_covers_what_a_failed_refund_left() -> None:
    """A refund under way when it was opened failed: its money goes to the dispute."""
    held = payment(captured=1000, refunding=600)
    opened = dispute_endings.opened(held, dispute(1000))
    assert (opened.dispute.covered_amount, opened.dispute.excess) == (400, 600)
    failed = replace(opened.change.payment, refunding_amount=0)
    assert failed.refundable_amount == 0
    lost = dispute_endings.lost(failed, opened.dispute)
    assert (lost.dispute.covered_amount, lost.dispute.excess) == (1000, 0)
    after = lost.change.payment
    assert (after.disputed_amount, after.disputed_excess) == (1000, 0)
    assert [order.state for order in lost.change.orders] == ["post", "single"]


@given(
    captured=st.integers(0, 1000),
    refunded=st.integers(0, 500),
    asked=st.lists(st.integers(1, 1200), min_size=1, max_size=4),
    ends=st.lists(st.sampled_from(["won", "lost", "open"]), min_size=4, max_size=4),
)
def test_disputes_never_cover_more_than_was_captured(
    captured: int, refunded: int, asked: list[int], ends: list[str]
) -> None:
    """However many there are and however they end; all that is asked is covered or excess."""
    held = payment(captured=captured, refunded=min(refunded, captured))
    disputes = []
    for amount in asked:
        opened = dispute_endings.opened(held, dispute(amount))
        held = opened.change.payment
        disputes.append(opened.dispute)
    for n, end in enumerate(ends[: len(disputes)]):
        if end != "open":
            ended = {"won": dispute_endings.won, "lost": dispute_endings.lost}[end](
                held, disputes[n]
            )
            held, disputes[n] = ended.change.payment, ended.dispute
        taken = [one for one in disputes if one.status is not DisputeStatus.WON]
        assert held.disputed_amount == sum(one.covered_amount for one in taken)
        assert held.disputed_excess == sum(one.excess for one in taken)
        assert held.refunded_amount + held.disputed_amount <= held.captured_amount
