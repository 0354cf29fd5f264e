"""What answers about money look like: balances, ledger entries, settlements."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.ledger.model import TransferKind
from paynexus.settlement.model import Status
from tools.export_openapi.schemas.words import (
    Closed,
    Moment,
    ObjectId,
    TransferId,
    one_of,
)


class Hold(Closed):
    """What is left of a pending movement; negative when it will be taken off."""

    transfer: TransferId
    kind: Annotated[str, one_of(TransferKind)]
    object_id: ObjectId
    amount: data.Amount
    expires: Moment | None


class HoldList(Closed):
    """The oldest holds; `has_more` says whether there are others."""

    data: list[Hold]
    has_more: bool


class Balance(Closed):
    """What the merchant is owed in one currency.

    `holds` is there when it was asked for, `at` and `known_at` when a past moment was.
    """

    object: Literal["balance"]
    currency: data.Currency
    pending: Annotated[data.Amount, Field(description="What may still come, or go.")]
    posted: Annotated[data.Amount, Field(description="What is booked.")]
    available: Annotated[data.Amount, Field(description="What can be paid out or refunded.")]
    # A factory makes a member that may be absent, and yet is never null.
    holds: HoldList = Field(default_factory=lambda: HoldList(data=[], has_more=False))
    at: Moment = Field(default_factory=str)
    known_at: Moment = Field(default_factory=str)


class LedgerEntry(Closed):
    """One line of the merchant's account; positive is in its favour."""

    id: Annotated[str, Field(pattern=r"^\d+$")]
    object: Literal["ledger_entry"]
    transfer: TransferId
    kind: Annotated[str, one_of(TransferKind)]
    type: Literal["pending", "posted", "voided"]
    amount: data.Amount
    balance_after: data.Amount
    object_id: ObjectId
    created: Moment


class SettlementFailure(Closed):
    """Why the bank did not pay, in ISO 20022's codes."""

    code: str


class Settlement(data.SettlementData):
    """What the merchant is paid for a period."""

    status: Annotated[str, one_of(Status)]  # type: ignore[assignment]  # the enum's own words
    failure: SettlementFailure | None  # type: ignore[assignment]  # a code alone


class StatementLine(Closed):
    """One ledger entry that the settlement pays out, or takes back."""

    entry: Annotated[str, Field(pattern=r"^\d+$")]
    kind: Annotated[str, one_of(TransferKind)]
    object_id: ObjectId
    payment: data.PaymentText | None
    amount: data.Amount
    created: Moment


class SettlementStatement(Closed):
    """Every entry that the settlement pays out; their sum is its amount."""

    object: Literal["settlement_statement"]
    settlement: Settlement
    lines: list[StatementLine]
    total: data.Amount
