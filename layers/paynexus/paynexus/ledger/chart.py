"""The chart of accounts as data: where each account stands, and what each kind books. Pure.

docs/ledger.md prints these tables; tests hold the database and the product's bookings to them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from paynexus.ledger.accounts import AccountType
from paynexus.ledger.model import TransferKind

PURPOSES: Mapping[AccountType, str] = MappingProxyType(
    {
        AccountType.GATEWAY_RECEIVABLE: "charged at a gateway, not yet in our bank account",
        AccountType.MERCHANT_PAYABLE: "owed to a merchant; one a merchant",
        AccountType.RESERVE: "owed to a merchant, but held back for a time",
        AccountType.FEES: "what the platform earned",
        AccountType.GATEWAY_COSTS: "what gateways charged the platform",
        AccountType.CASH: "money in the bank",
        AccountType.SETTLEMENT_IN_TRANSIT: "instructed to the bank, not yet confirmed",
        AccountType.SUSPENSE: "money whose reason is not yet known",
        AccountType.DISPUTE: "taken back by a payer's bank while a dispute is open",
        AccountType.REFUND_IN_FLIGHT: "on its way back to a payer",
    }
)
"""What the balance of each account says."""

DEBIT_NORMAL = frozenset(
    {
        AccountType.GATEWAY_RECEIVABLE,
        AccountType.GATEWAY_COSTS,
        AccountType.CASH,
        AccountType.DISPUTE,
    }
)
"""Accounts that grow by debits: what we have or spent. The others: what we owe or earned."""

RETURN_TO_ZERO = frozenset(
    {
        AccountType.SETTLEMENT_IN_TRANSIT,
        AccountType.SUSPENSE,
        AccountType.DISPUTE,
        AccountType.REFUND_IN_FLIGHT,
    }
)
"""Accounts on which money only passes through: what stays is a question."""

BOOKINGS: Mapping[TransferKind, tuple[AccountType, AccountType]] = MappingProxyType(
    {
        TransferKind.PAYMENT: (AccountType.GATEWAY_RECEIVABLE, AccountType.MERCHANT_PAYABLE),
        TransferKind.FEE: (AccountType.MERCHANT_PAYABLE, AccountType.FEES),
        TransferKind.REFUND: (AccountType.MERCHANT_PAYABLE, AccountType.GATEWAY_RECEIVABLE),
        TransferKind.PAYOUT: (AccountType.MERCHANT_PAYABLE, AccountType.SETTLEMENT_IN_TRANSIT),
        TransferKind.PAYOUT_PAID: (AccountType.SETTLEMENT_IN_TRANSIT, AccountType.CASH),
        TransferKind.PAYOUT_REJECTED: (
            AccountType.SETTLEMENT_IN_TRANSIT,
            AccountType.MERCHANT_PAYABLE,
        ),
        TransferKind.PAYOUT_RETURNED: (AccountType.CASH, AccountType.MERCHANT_PAYABLE),
        TransferKind.RESERVE_HOLD: (AccountType.MERCHANT_PAYABLE, AccountType.RESERVE),
        TransferKind.RESERVE_RELEASE: (AccountType.RESERVE, AccountType.MERCHANT_PAYABLE),
        TransferKind.GATEWAY_PAYOUT: (AccountType.CASH, AccountType.GATEWAY_RECEIVABLE),
        TransferKind.GATEWAY_COST: (AccountType.GATEWAY_COSTS, AccountType.GATEWAY_RECEIVABLE),
        TransferKind.UNEXPLAINED_IN: (AccountType.CASH, AccountType.SUSPENSE),
        TransferKind.UNEXPLAINED_OUT: (AccountType.SUSPENSE, AccountType.CASH),
        TransferKind.DISPUTE: (AccountType.DISPUTE, AccountType.GATEWAY_RECEIVABLE),
        TransferKind.DISPUTE_COVER: (AccountType.MERCHANT_PAYABLE, AccountType.DISPUTE),
        TransferKind.DISPUTE_EXCESS: (AccountType.SUSPENSE, AccountType.DISPUTE),
        TransferKind.DISPUTE_WON: (AccountType.GATEWAY_RECEIVABLE, AccountType.DISPUTE),
        TransferKind.LATE_APPROVAL: (AccountType.GATEWAY_RECEIVABLE, AccountType.SUSPENSE),
    }
)
"""What the product books: the account that is debited, and the one that is credited.

The other kinds are corrections and imports: they name their accounts themselves.
"""
