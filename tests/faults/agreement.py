"""What must hold of a payment when nothing more is on its way: ours and the acquirer's agree."""

from paynexus import ids
from paynexus.gateways.port import Outcome
from paynexus.ids import PaymentId
from paynexus.payments.model import FINAL, Payment, Status
from tests.faults.acquirer import Books
from tests.flow import Flow
from tools.sandbox_acquirer.rules import Charge

SQL_PENDING_REFUNDS = (
    "SELECT count(*) FROM refunds WHERE payment_id = ANY(%s) AND status = 'PENDING'"
)


def require_at_rest(flow: Flow, books: Books, payments: list[PaymentId]) -> None:
    """Nothing is under way: final, or waiting for its merchant; and whatever was taken is known."""
    for payment_id in payments:
        payment = flow.payment(payment_id)
        assert payment.status in FINAL | {Status.AUTHORIZED, Status.CHALLENGED}, payment.status
        assert payment.open_operation is None, payment.open_operation
        assert payment.refunding_amount == 0
    row = flow.database.connection().execute(SQL_PENDING_REFUNDS, (payments,)).fetchone()
    assert row == (0,), "a refund is left half-way"
    require_agreement(flow, books, payments)


def require_final(flow: Flow, payments: list[PaymentId]) -> None:
    """No payment waits for anybody any more."""
    for payment_id in payments:
        assert flow.payment(payment_id).status in FINAL


def require_agreement(flow: Flow, books: Books, payments: list[PaymentId]) -> None:
    """What we say was taken and returned is what was, and the second is the less."""
    cards = [charge.payment_method for charge in books.charges.values() if not charge.canceled]
    assert len(cards) == len(set(cards)), "two charges of one order"
    assert len(books.effects) == len(set(books.effects)), "two effects of one reference"
    known = {ids.text("chg", payment_id) for payment_id in payments}
    assert set(books.charges) <= known, "a charge without a payment"
    for payment_id in payments:
        _require_one_story(flow.payment(payment_id), books)


def _require_one_story(payment: Payment, books: Books) -> None:
    charge = books.charges.get(ids.text("chg", payment.id))
    returned = payment.refunded_amount + payment.disputed_amount
    assert 0 <= returned <= payment.captured_amount <= payment.money.amount
    disputed = payment.disputed_amount + payment.disputed_excess
    assert disputed == (charge.disputed if charge else 0)
    if payment.status is Status.FAILED:
        assert charge is None or charge.canceled or _is_disputed(charge, books), "failed, charged"
        _require_told(payment, books)
        return
    if charge is None:
        assert payment.captured_amount == 0
        assert payment.status in {Status.CHALLENGED, Status.CANCELED}, payment.status
        return
    assert (charge.captured, charge.refunded) == (payment.captured_amount, payment.refunded_amount)
    assert charge.canceled == (payment.status is Status.CANCELED)
    is_held = not charge.released and charge.captured < charge.amount
    assert payment.status is not Status.COMPLETED or not is_held, "completed, and money held"


def _is_disputed(charge: Charge, books: Books) -> bool:
    """What its payer disputes can't be sent back; it is a person's business."""
    return charge.reference in {one.charge_reference for one in books.disputes.values()}


def _require_told(payment: Payment, books: Books) -> None:
    """It has failed by somebody's word, never by time: declined, barred, or known never sent."""
    reference = ids.text("chg", payment.id)
    answer = books.found(reference)
    code = payment.failure.code if payment.failure else None
    assert code is not None
    if code == "charge_called_off":
        assert (
            reference in books.barred
            or (charge := books.charges.get(reference)) is None
            or charge.canceled
        )
    elif answer is not None:
        assert answer.outcome is Outcome.DECLINED or books.charges[reference].canceled, code
