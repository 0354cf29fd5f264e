"""Every way the business can say no. HTTP statuses are http.py's concern alone."""

from typing import ClassVar


class PayNexusError(Exception):
    """Something may happen that a caller must be told about.

    `detail` says what is wrong and what to do; `param` names the offending field; `extra`
    holds further members of the answer. `retryable` says whether the same call may succeed
    later unchanged.
    """

    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, param: str | None = None, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.param = param
        self.extra = extra


class ConfigurationError(PayNexusError):
    """A setting is missing or wrong; its message names the variable."""

    code = "configuration_error"


class InvalidRequest(PayNexusError):
    """The request can't be understood or breaks a rule that its sender can know."""

    code = "invalid_request"


class InvalidRule(InvalidRequest):
    """A fraud rule can't be understood; the message says where, as line:column, and what to do."""

    code = "invalid_rule"


class RequestTooLarge(PayNexusError):
    """The body exceeds the limit named in the message."""

    code = "request_too_large"


class UnsupportedMediaType(PayNexusError):
    """The body is of a type that is not read here."""

    code = "unsupported_media_type"


class Unauthenticated(PayNexusError):
    """No valid credentials came with the request."""

    code = "unauthenticated"


class SignatureRefused(PayNexusError):
    """What came in a gateway's name is not signed by it, or not just now."""

    code = "signature_refused"


class Forbidden(PayNexusError):
    """The credentials are valid, but do not allow this."""

    code = "forbidden"


class NotFound(PayNexusError):
    """There is no such thing among the caller's own."""

    code = "not_found"


class MethodNotAllowed(PayNexusError):
    """The path exists, this method on it does not."""

    code = "method_not_allowed"


class RateLimited(PayNexusError):
    """The caller has used up its rate.

    `retry_after` (seconds) says when the same request passes; None that it never does.
    """

    code = "rate_limited"
    retryable = True

    def __init__(
        self, detail: str, *, retry_after: int | None, param: str | None = None, **extra: object
    ) -> None:
        super().__init__(detail, param=param, **extra)
        self.retry_after = retry_after


class IdempotencyKeyMissing(PayNexusError):
    """A request that acts came without, or with an unusable, Idempotency-Key."""

    code = "idempotency_key_missing"


class IdempotencyKeyReused(PayNexusError):
    """The key was used before with another request."""

    code = "idempotency_key_reused"


class OperationRunning(PayNexusError):
    """The first request under this key is still at work; `retry_after` is in seconds."""

    code = "operation_running"
    retryable = True

    def __init__(
        self, detail: str, *, retry_after: int, param: str | None = None, **extra: object
    ) -> None:
        super().__init__(detail, param=param, **extra)
        self.retry_after = retry_after


class InvalidState(PayNexusError):
    """The object's status does not allow this operation."""

    code = "invalid_state"


class GateClosed(InvalidState):
    """What a back-test showed is not enough for its change to take effect.

    `checks` holds each check that isn't met: its name, what was found and what the limit is.
    """

    code = "gate_closed"


class QrRefused(PayNexusError):
    """A QR code can't be used; `reason` is its own code (`qr_expired`, `qr_spent`, …)."""

    code = "qr_refused"

    def __init__(self, detail: str, *, reason: str, param: str | None = None) -> None:
        super().__init__(detail, param=param)
        self.code = reason  # type: ignore[misc]  # each refusal carries a code of its own


class BankFileRefused(PayNexusError):
    """A file from the bank can't be used; nothing of it was applied."""

    code = "bank_file_refused"


class ListFileRefused(PayNexusError):
    """A file of a fraud list's entries can't be used; nothing of it was imported.

    `extra` has the number of the `line` at fault, where there is one.
    """

    code = "list_file_refused"


class DatabaseUnavailable(PayNexusError):
    """Postgres did not answer, or gave up under contention.

    Nothing was committed, or it isn't known: the same request under the same key is safe.
    """

    code = "database_unavailable"
    retryable = True


class ChangedMeanwhile(DatabaseUnavailable):
    """What was decided about has changed since it was read: read it again and decide again."""


class LedgerError(PayNexusError):
    """The ledger refused a transfer; a subclass names the kind."""

    code = "ledger_error"


class LedgerSealBroken(LedgerError):
    """The last seal of the books is not signed by our key: nothing is sealed on top of it."""

    code = "ledger_seal_broken"


class TransferExistsWithDifference(LedgerError):
    """A transfer of this id exists and differs from the one asked for."""

    code = "transfer_exists_with_difference"


class PendingTransferNotFound(LedgerError):
    """There is no pending transfer of this id."""

    code = "pending_transfer_not_found"


class PendingTransferAlreadyPosted(LedgerError):
    """The pending transfer was posted before; it can't be voided or posted again."""

    code = "pending_transfer_already_posted"


class PendingTransferAlreadyVoided(LedgerError):
    """The pending transfer was voided before; it can't be posted."""

    code = "pending_transfer_already_voided"


class PendingTransferExpired(LedgerError):
    """The pending transfer's time was up before; it can't be posted."""

    code = "pending_transfer_expired"


class PendingTransferExceeded(LedgerError):
    """More was to be posted than is left of the pending transfer, or in too many parts."""

    code = "exceeds_pending_transfer"


class FundsExceeded(LedgerError):
    """A limited account can't give so much, and the transfer's id can't be used again."""

    code = "funds_exceeded"


class TransferAlreadyFailed(LedgerError):
    """A transfer of this id was refused before, and stays refused: use a new id."""

    code = "transfer_already_failed"


class TransferAlreadyReversed(LedgerError):
    """The transfer was moved back before."""

    code = "transfer_already_reversed"


class AccountClosed(LedgerError):
    """One of the accounts is closed: only what is pending on it may still be released."""

    code = "account_closed"


class LinkedTransferFailed(LedgerError):
    """A transfer that this one is linked to was refused, so nothing of either is booked."""

    code = "linked_transfer_failed"


class InvalidTransfer(LedgerError):
    """The order breaks a rule that its sender can know."""

    code = "invalid_transfer"


class TokenRefused(PayNexusError):
    """The token endpoint says no; `reason` is one of the error codes of RFC 6749, 5.2."""

    code = "invalid_request"

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.code = reason  # type: ignore[misc]  # the standard's own codes


class NotAcceptable(PayNexusError):
    """None of the media types that the caller accepts is made here."""

    code = "not_acceptable"


class BankUnavailable(PayNexusError):
    """The bank's boxes can't be reached; what was to be sent is sent by the next run."""

    code = "bank_unavailable"
    retryable = True


class BusUnavailable(PayNexusError):
    """The event bus took nothing of a call, or did not answer; its facts are kept."""

    code = "bus_unavailable"
    retryable = True


class ChangefeedLost(PayNexusError):
    """The server no longer keeps the log for the feed; its runbook rebuilds from the tables."""

    code = "changefeed_lost"
