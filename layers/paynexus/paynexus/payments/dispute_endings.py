"""What opening and closing a dispute makes of it and of its payment. Pure."""

from dataclasses import dataclass, replace

from paynexus import ids
from paynexus.ids import TransferId
from paynexus.ledger.model import Order, TransferKind
from paynexus.payments.bookings import dispute_transfer
from paynexus.payments.changes import Change, Told
from paynexus.payments.dispute import Dispute, DisputeFact, cover_of
from paynexus.payments.model import Payment
from paynexus.payments.resource import dispute_resource


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute as it will be, with what its payment and the books become in the same commit."""

    dispute: Dispute
    change: Change


def opened(payment: Payment, dispute: Dispute) -> Disputed:
    """The gateway has taken the money; what the payment still holds of it is reserved.

    Refunds begun from now on have that much less. `dispute` comes without a cover.
    """
    covered = cover_of(payment, dispute.money.amount)
    cover_id = TransferId(ids.new_id()) if covered else None
    held = replace(dispute, covered_amount=covered, cover_id=cover_id)
    orders = [_booked(held, TransferKind.DISPUTE, held.money.amount)]
    if cover_id is not None:
        cover = dispute_transfer(held, TransferKind.DISPUTE_COVER, covered, cover_id)
        orders.append(Order.pending(cover))
    disputed = replace(
        payment,
        disputed_amount=payment.disputed_amount + covered,
        disputed_excess=payment.disputed_excess + held.excess,
    )
    return _told(held, "opened", disputed, orders)


def won(payment: Payment, dispute: Dispute) -> Disputed:
    """The gateway has given the money back; what was reserved is the merchant's again."""
    freed = replace(
        payment,
        disputed_amount=payment.disputed_amount - dispute.covered_amount,
        disputed_excess=payment.disputed_excess - dispute.excess,
    )
    orders = [_booked(dispute, TransferKind.DISPUTE_WON, dispute.money.amount)]
    if dispute.cover_id is not None:
        orders.append(Order.void(dispute.cover_id, id=_transfer_id()))
    return _told(dispute.after(DisputeFact.WON), "won", freed, orders)


def lost(payment: Payment, dispute: Dispute) -> Disputed:
    """The merchant bears what is covered by now, and suspense what the payment could not cover.

    A refund that failed while the dispute was open has left more to cover it with.
    """
    more = cover_of(payment, dispute.excess)
    ended = replace(dispute.after(DisputeFact.LOST), covered_amount=dispute.covered_amount + more)
    orders: list[Order] = []
    if dispute.cover_id is not None:
        orders.append(Order.post(dispute.cover_id, id=_transfer_id()))
    if more:
        orders.append(_booked(ended, TransferKind.DISPUTE_COVER, more))
    if ended.excess:
        orders.append(_booked(ended, TransferKind.DISPUTE_EXCESS, ended.excess))
    borne = replace(
        payment,
        disputed_amount=payment.disputed_amount + more,
        disputed_excess=payment.disputed_excess - more,
    )
    return _told(ended, "lost", borne, orders)


def _told(dispute: Dispute, event: str, payment: Payment, orders: list[Order]) -> Disputed:
    told = Told(f"dispute.{event}.v1", ids.text("dp", dispute.id), dispute_resource(dispute))
    return Disputed(dispute, Change(payment, orders=tuple(orders), told=told))


def _booked(dispute: Dispute, kind: TransferKind, amount: int) -> Order:
    return Order.single(dispute_transfer(dispute, kind, amount, _transfer_id()))


def _transfer_id() -> TransferId:
    return TransferId(ids.new_id())
