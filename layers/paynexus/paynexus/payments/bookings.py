"""What each fact of a payment books in the ledger. Pure: from a payment to a transfer."""

from paynexus import ids
from paynexus.ids import TransferId
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.merchants.model import FeeSchedule
from paynexus.money import Money
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


def fee_on(payment: Payment) -> int:
    """The fee for all that was captured, by the schedule in force when it was accepted.

    A capture's own fee is what it adds to this: however often a payment is captured, its
    merchant pays the fixed part once, and in all what one capture of the whole would cost.
    """
    schedule = FeeSchedule(payment.fee_basis_points, payment.fee_fixed_minor)
    return schedule.fee_on(Money(payment.captured_amount, payment.money.currency)).amount


def _platform(kind: AccountType, payment: Payment) -> Account:
    return Account(kind, payment.mode, payment.money.currency)


def _payable(payment: Payment) -> Account:
    return Account(
        AccountType.MERCHANT_PAYABLE, payment.mode, payment.money.currency, payment.merchant_id
    )
