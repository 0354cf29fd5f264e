"""What gateways charge, as bookings: one a payout and file. Pure."""

from collections.abc import Sequence

from paynexus import ids
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.money import Money
from paynexus.settlement.acquirers import model
from paynexus.settlement.acquirers.model import File


def orders(file: File, costs: Sequence[tuple[str, str, str, int]]) -> list[Order]:
    """The bookings of what each payout (its reference, mode, currency) was charged in the file."""
    return [
        Order.single(_transfer(file, reference, mode, Money(amount, currency)))
        for reference, mode, currency, amount in costs
    ]


def _transfer(file: File, reference: str, mode: str, money: Money) -> Transfer:
    payout = model.named(file.gateway, mode, reference)
    debit, credit = AccountType.GATEWAY_COSTS, AccountType.GATEWAY_RECEIVABLE
    if money.amount < 0:
        # More was given back of earlier fees than was charged.
        debit, credit = credit, debit
    return Transfer(
        id=model.transfer_id(payout, "cost", file.sha256.hex()),
        kind=TransferKind.GATEWAY_COST,
        debit=Account(debit, mode, money.currency),
        credit=Account(credit, mode, money.currency),
        money=Money(abs(money.amount), money.currency),
        object_id=ids.text("gpo", payout),
    )
