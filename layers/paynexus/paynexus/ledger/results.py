"""What became of an order, in the words of TigerBeetle's results."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from paynexus import errors
from paynexus.errors import LedgerError

DIFFERENT = "exists_with_different_"


class Status(StrEnum):
    """CREATED and EXISTS are successes; every other is a refusal that changed nothing."""

    CREATED = "created"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENCE = "exists_with_difference"
    """A transfer of this id exists with other values; `Result.field` names the first."""
    LINKED_EVENT_FAILED = "linked_event_failed"
    LINKED_EVENT_CHAIN_OPEN = "linked_event_chain_open"
    ID_ALREADY_FAILED = "id_already_failed"
    EXCEEDS_CREDITS = "exceeds_credits"
    EXCEEDS_DEBITS = "exceeds_debits"
    DEBIT_ACCOUNT_ALREADY_CLOSED = "debit_account_already_closed"
    CREDIT_ACCOUNT_ALREADY_CLOSED = "credit_account_already_closed"
    ACCOUNTS_MUST_BE_DIFFERENT = "accounts_must_be_different"
    AMOUNT_MUST_BE_POSITIVE = "amount_must_be_positive"
    TIMEOUT_RESERVED_FOR_PENDING_TRANSFER = "timeout_reserved_for_pending_transfer"
    TIMEOUT_MUST_BE_POSITIVE = "timeout_must_be_positive"
    PENDING_TRANSFER_NOT_FOUND = "pending_transfer_not_found"
    PENDING_TRANSFER_NOT_PENDING = "pending_transfer_not_pending"
    PENDING_TRANSFER_ALREADY_POSTED = "pending_transfer_already_posted"
    PENDING_TRANSFER_ALREADY_VOIDED = "pending_transfer_already_voided"
    PENDING_TRANSFER_EXPIRED = "pending_transfer_expired"
    EXCEEDS_PENDING_TRANSFER_AMOUNT = "exceeds_pending_transfer_amount"
    TOO_MANY_PARTS = "too_many_parts"
    TRANSFER_NOT_FOUND = "transfer_not_found"
    TRANSFER_NOT_POSTED = "transfer_not_posted"
    TRANSFER_ALREADY_REVERSED = "transfer_already_reversed"
    STATE_NOT_UNDERSTOOD = "state_not_understood"


ERRORS: Mapping[Status, type[LedgerError]] = MappingProxyType(
    {
        Status.EXISTS_WITH_DIFFERENCE: errors.TransferExistsWithDifference,
        Status.LINKED_EVENT_FAILED: errors.LinkedTransferFailed,
        Status.LINKED_EVENT_CHAIN_OPEN: errors.InvalidTransfer,
        Status.ID_ALREADY_FAILED: errors.TransferAlreadyFailed,
        Status.EXCEEDS_CREDITS: errors.FundsExceeded,
        Status.EXCEEDS_DEBITS: errors.FundsExceeded,
        Status.DEBIT_ACCOUNT_ALREADY_CLOSED: errors.AccountClosed,
        Status.CREDIT_ACCOUNT_ALREADY_CLOSED: errors.AccountClosed,
        Status.ACCOUNTS_MUST_BE_DIFFERENT: errors.InvalidTransfer,
        Status.AMOUNT_MUST_BE_POSITIVE: errors.InvalidTransfer,
        Status.TIMEOUT_RESERVED_FOR_PENDING_TRANSFER: errors.InvalidTransfer,
        Status.TIMEOUT_MUST_BE_POSITIVE: errors.InvalidTransfer,
        Status.PENDING_TRANSFER_NOT_FOUND: errors.PendingTransferNotFound,
        Status.PENDING_TRANSFER_NOT_PENDING: errors.InvalidTransfer,
        Status.PENDING_TRANSFER_ALREADY_POSTED: errors.PendingTransferAlreadyPosted,
        Status.PENDING_TRANSFER_ALREADY_VOIDED: errors.PendingTransferAlreadyVoided,
        Status.PENDING_TRANSFER_EXPIRED: errors.PendingTransferExpired,
        Status.EXCEEDS_PENDING_TRANSFER_AMOUNT: errors.PendingTransferExceeded,
        Status.TOO_MANY_PARTS: errors.PendingTransferExceeded,
        Status.TRANSFER_NOT_FOUND: errors.InvalidTransfer,
        Status.TRANSFER_NOT_POSTED: errors.InvalidTransfer,
        Status.TRANSFER_ALREADY_REVERSED: errors.TransferAlreadyReversed,
        Status.STATE_NOT_UNDERSTOOD: errors.InvalidTransfer,
    }
)
"""What each refusal is raised as."""


@dataclass(frozen=True, slots=True)
class Net:
    """An account's balance after a transfer: debits less credits, in minor units."""

    account_id: UUID
    posted: int
    pending: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the order of this `id`.

    `amount` is what was moved, of a balancing order too; `debit` and `credit` are the balances
    after it, of transfers that exist, where they were asked for.
    """

    id: UUID
    status: Status
    field: str | None = None
    amount: int | None = None
    debit: Net | None = None
    credit: Net | None = None

    @property
    def is_booked(self) -> bool:
        """The transfer exists as it was ordered, from now on or from before."""
        return self.status in {Status.CREATED, Status.EXISTS}

    def require_booked(self) -> "Result":
        """Itself; a refusal is raised as the LedgerError that it means."""
        if self.is_booked:
            return self
        raise ERRORS[self.status](f"transfer {self.id}: {self.status}", param=self.field)


def status_of(text: str) -> Status:
    """The status that the database's word stands for."""
    return Status.EXISTS_WITH_DIFFERENCE if text.startswith(DIFFERENT) else Status(text)
