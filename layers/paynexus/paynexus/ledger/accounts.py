"""The chart of accounts: what each account is for, and on which side it grows."""

from dataclasses import dataclass
from enum import StrEnum

from paynexus.ids import MerchantId


class AccountType(StrEnum):
    """What an account is for. Every merchant has its own payable; the rest are the platform's."""

    GATEWAY_RECEIVABLE = "gateway_receivable"
    """Charged at a gateway, not yet in our bank account."""
    MERCHANT_PAYABLE = "merchant_payable"
    """Owed to a merchant."""
    RESERVE = "reserve"
    """Owed to a merchant, but held back for a time."""
    FEES = "fees"
    """What the platform earned."""
    GATEWAY_COSTS = "gateway_costs"
    """What gateways charged the platform."""
    CASH = "cash"
    """Money in the bank."""
    SETTLEMENT_IN_TRANSIT = "settlement_in_transit"
    """Instructed to the bank, not yet confirmed. Returns to zero."""
    SUSPENSE = "suspense"
    """Money whose reason is not yet known. Returns to zero."""
    DISPUTE = "dispute"
    """Taken back by a payer's bank while a dispute is open."""
    REFUND_IN_FLIGHT = "refund_in_flight"
    """On its way back to a payer. Returns to zero."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account by its name: it is opened when it is first booked on."""

    type: AccountType
    mode: str
    currency: str
    merchant_id: MerchantId | None = None
