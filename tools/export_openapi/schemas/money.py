"""What answers about money look like: balances, ledger entries, settlements."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.ledger.model import TransferKind
from paynexus.settlement.batching.model import Carry
from paynexus.settlement.model import Status
from paynexus.settlement.terms import Frequency
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
    """Why the bank did not pay: ISO 20022's code, and what it means for the merchant."""

    code: str
    message: str


class Settlement(data.SettlementData):
    """What the merchant is paid for a period; read by itself, it is explained, too."""

    status: Annotated[str, one_of(Status)]  # type: ignore[assignment]  # the enum's own words
    failure: SettlementFailure | None  # type: ignore[assignment]  # with its sentence


class SettlementShare(Closed):
    """So many entries, and what they come to."""

    count: int
    amount: data.Amount


class SettlementSummary(Closed):
    """What the settlement is made of, by kind; what the one before had left over is apart."""

    payments: SettlementShare
    refunds: SettlementShare
    fees: SettlementShare
    disputes: SettlementShare
    adjustments: SettlementShare
    returned_payouts: SettlementShare
    reserves_released: SettlementShare


class SettlementDetail(Settlement):
    """A settlement, explained: `summary` and `carried_over`, less `reserve`, are its `amount`."""

    summary: SettlementSummary
    carried_over: SettlementShare
    reserve_release: Annotated[
        Moment | None, Field(description="When the reserve goes back to the balance.")
    ]
    paid: Moment | None
    returned: Moment | None


class Reserve(Closed):
    """The share of payments that is held back, in hundredths of a percent, and for how long."""

    basis_points: int
    days: int


class SettlementWait(Closed):
    """Why nothing, or not all, is paid yet, and what to do about it."""

    code: Annotated[str, one_of(Carry), Field(description="or `manual`")]
    message: str
    until: Annotated[Moment | None, Field(description="When it passes by itself.")]


class NextSettlement(Closed):
    """What is paid next in one currency; no moment where payouts are made on request."""

    object: Literal["next_settlement"]
    currency: data.Currency
    mode: data.Mode
    amount: Annotated[data.Amount, Field(description="What is owed so far; it may be negative.")]
    cutoff: Annotated[Moment | None, Field(description="What is booked before it is paid.")]
    instructed_on: Annotated[
        data.Day | None, Field(description="The day on which the bank is asked to pay.")
    ]
    expected_on: Annotated[data.Day | None, Field(description="When the money should be there.")]
    minimum: data.Amount
    reserve: Reserve
    payout_account: data.PayoutAccount | None
    waits_for: list[SettlementWait]


class SettlementTerms(Closed):
    """When the merchant is paid in one currency, by its own clock."""

    currency: data.Currency
    frequency: Annotated[str, one_of(Frequency)]
    weekday: Annotated[int | None, Field(description="1 is Monday; of weekly payouts.")]
    month_day: Annotated[
        int | None,
        Field(description="Of monthly payouts; the last day of a month that is shorter."),
    ]
    cutoff_time: Annotated[str, Field(pattern=r"^\d{2}:\d{2}$")]
    time_zone: str
    calendar: Annotated[str, Field(description="On which days banks pay.")]
    minimum: data.Amount
    reserve: Reserve


class StatementLine(Closed):
    """One ledger entry that the settlement pays out, or takes back."""

    entry: Annotated[str, Field(pattern=r"^\d+$")]
    kind: Annotated[str, one_of(TransferKind)]
    object_id: ObjectId
    payment: data.PaymentText | None
    amount: data.Amount
    carried_over: Annotated[
        bool, Field(description="The settlement before could have paid it, and left it over.")
    ]
    created: Moment


class SettlementStatement(Closed):
    """A page of the entries that the settlement pays out: `total` is what all of them come to.

    That is the settlement's `amount` and `reserve`.
    """

    object: Literal["settlement_statement"]
    settlement: Settlement
    lines: list[StatementLine]
    has_more: bool
    total: data.Amount
