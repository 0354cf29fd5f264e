"""What each fact of a payment books in the ledger. Pure: from a payment to a transfer."""

from paynexus import ids
from paynexus.ids import TransferId
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.chart import BOOKINGS
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.merchants.model import FeeSchedule
from paynexus.money import Money
from paynexus.payments.dispute import Dispute
from paynexus.payments.model import Payment, Refund


def payment_transfer(payment: Payment) -> Transfer:
    """What the payment reserves when it is accepted: the gateway will owe us, we the merchant."""
    return Transfer(
        id=payment.transfer_id,
        kind=TransferKind.PAYMENT,
        debit=_platform(AccountType.GATEWAY_RECEIVABLE, payment),
        credit=_payable(payment),
        money=payment.money,
        object_id=ids.text("pay", payment.id),
        transaction_id=payment.id,
    )


def fee_transfer(payment: Payment, fee: int, transfer_id: TransferId) -> Transfer:
    """What the merchant pays for one capture of the payment."""
    return Transfer(
        id=transfer_id,
        kind=TransferKind.FEE,
        debit=_payable(payment),
        credit=_platform(AccountType.FEES, payment),
        money=Money(fee, payment.money.currency),
        object_id=ids.text("pay", payment.id),
        transaction_id=payment.id,
    )


def refund_transfer(payment: Payment, refund: Refund) -> Transfer:
    """What a refund reserves until the gateway has returned the money."""
    return Transfer(
        id=refund.transfer_id,
        kind=TransferKind.REFUND,
        debit=_payable(payment),
        credit=_platform(AccountType.GATEWAY_RECEIVABLE, payment),
        money=refund.money,
        object_id=ids.text("re", refund.id),
        transaction_id=payment.id,
    )


def late_transfer(payment: Payment, money: Money, transfer_id: TransferId) -> Transfer:
    """What a gateway took for the payment when it had ended without: it is the payer's money."""
    return Transfer(
        id=transfer_id,
        kind=TransferKind.LATE_APPROVAL,
        debit=_platform(AccountType.GATEWAY_RECEIVABLE, payment),
        credit=_platform(AccountType.SUSPENSE, payment),
        money=money,
        object_id=ids.text("pay", payment.id),
        transaction_id=payment.id,
    )


def dispute_transfer(
    dispute: Dispute, kind: TransferKind, amount: int, transfer_id: TransferId
) -> Transfer:
    """One movement of a dispute's money, between the accounts that the chart names for its kind.

    DISPUTE: the gateway has taken it. DISPUTE_WON: it has given it back. DISPUTE_COVER: what the
    merchant bears, should it be lost. DISPUTE_EXCESS: what was taken though it had been returned
    before; whose that is, a person finds out.
    """
    debit, credit = (_account(of, dispute) for of in BOOKINGS[kind])
    return Transfer(
        id=transfer_id,
        kind=kind,
        debit=debit,
        credit=credit,
        money=Money(amount, dispute.money.currency),
        object_id=ids.text("dp", dispute.id),
        transaction_id=dispute.payment_id,
    )


def fee_on(payment: Payment) -> int:
    """The fee for all that was captured, by the schedule in force when it was accepted.

    A capture's own fee is what it adds to this: however often a payment is captured, its
    merchant pays the fixed part once, and in all what one capture of the whole would cost.
    """
    schedule = FeeSchedule(payment.fee_basis_points, payment.fee_fixed_minor)
    return schedule.fee_on(Money(payment.captured_amount, payment.money.currency)).amount


def _account(kind: AccountType, dispute: Dispute) -> Account:
    merchant_id = dispute.merchant_id if kind is AccountType.MERCHANT_PAYABLE else None
    return Account(kind, dispute.mode, dispute.money.currency, merchant_id)


def _platform(kind: AccountType, payment: Payment) -> Account:
    return Account(kind, payment.mode, payment.money.currency)


def _payable(payment: Payment) -> Account:
    return Account(
        AccountType.MERCHANT_PAYABLE, payment.mode, payment.money.currency, payment.merchant_id
    )
