"""Which refusals an operation can answer with: derived from what the operation asks for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from paynexus import errors, http, jsontext
from paynexus.payments.resource import PAYMENT_REQUIRED

TOKEN_REQUEST = "issue_token"  # noqa: S105 - an operation's name
"""The operation whose refusals have a form of their own (RFC 6749, 5.2)."""
REQUEST_ID = "req_01jd3x8k5v7wqs2r9h4mc6t0ne"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code, the status it is answered with, and what an answer with it looks like."""

    code: str
    status: int
    title: str
    detail: str
    extra: Mapping[str, Any]

    def example(self) -> dict[str, Any]:
        """A problem as an answer holds it; one that is kept for replays names no request."""
        named = {} if self.status == PAYMENT_REQUIRED else {"request_id": REQUEST_ID}
        return {
            "type": f"https://docs.paynexus.dev/errors#{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **named,
            **self.extra,
        }


def _of(
    kind: type[errors.PayNexusError], detail: str, code: str | None = None, **extra: object
) -> Refusal:
    status = http.status_of(kind.__new__(kind))
    return Refusal(code or kind.code, status, kind.__name__, detail, extra)


def _gateway(operation: str) -> Refusal:
    extra = {"gateway_code": "generic_decline", "safe_new_key": True}
    detail = "The gateway declined."
    code = f"{operation}_refused"
    return Refusal(code, PAYMENT_REQUIRED, "GatewayRefused", detail, extra)


_QR = errors.QrRefused
_PAYMENT = "pay_01jd3x8k5v7wqs2r9h4mc6t0ne"

REFUSALS: Mapping[str, Refusal] = MappingProxyType(
    {
        one.code: one
        for one in (
            _of(
                errors.InvalidRequest,
                "amount: Input should be a valid integer",
                param="amount",
            ),
            _of(
                errors.InvalidRule,
                "expression: 1:1: there is no amout. Did you mean amount?",
                param="expression",
            ),
            _of(
                errors.IdempotencyKeyMissing,
                "Send an Idempotency-Key header: any text of your own that names this request.",
                param="Idempotency-Key",
            ),
            _of(errors.Unauthenticated, "Send a valid access token as Authorization: Bearer."),
            _of(errors.SignatureRefused, "The signature is not this gateway's, or not of now."),
            _gateway("capture"),
            _gateway("cancel"),
            _of(
                errors.Forbidden,
                "This token lacks the scope payments:write.",
                scope="payments:write",
            ),
            _of(errors.NotFound, "There is no such payment."),
            _of(errors.MethodNotAllowed, "This path answers GET, PATCH.", allow=["GET", "PATCH"]),
            _of(errors.NotAcceptable, "A code is drawn as image/svg+xml or image/png."),
            _of(
                errors.OperationRunning,
                "The first request under this key is still at work: repeat it later with the same "
                "key.",
                operation_state="running",
                safe_new_key=False,
                operation_ref=_PAYMENT,
            ),
            _of(
                errors.InvalidState,
                "Only a payment that is AUTHORIZED can be captured; this one is COMPLETED.",
                operation_state="COMPLETED",
                operation_ref=_PAYMENT,
                safe_new_key=True,
            ),
            _of(
                errors.ListFileRefused,
                "Line 3: 'mira@': no e-mail address. Nothing was imported.",
                param="file",
                line=3,
            ),
            _of(
                errors.GateClosed,
                "The gate is closed: payments_min. Change the change, or replay a period that "
                "shows more.",
                checks=[{"name": "payments_min", "is_met": False, "actual": 12, "limit": 1000}],
            ),
            _of(errors.RequestTooLarge, f"The body exceeds {jsontext.BODY_LIMIT_BYTES} bytes."),
            _of(errors.UnsupportedMediaType, "Send the body as `Content-Type: application/json`."),
            _of(
                errors.IdempotencyKeyReused,
                "This Idempotency-Key was used for another request.",
                operation_state="finished",
                safe_new_key=False,
                operation_ref=_PAYMENT,
            ),
            _of(
                _QR,
                "This is no PayNexus code, or it was misread.",
                "qr_unreadable",
                param="payload",
            ),
            _of(_QR, "This code was signed by a key not ours.", "qr_unknown_key", param="payload"),
            _of(_QR, "This is not a code that we signed.", "qr_forged", param="payload"),
            _of(_QR, "There is no such code.", "qr_unknown", param="qr_code"),
            _of(_QR, "The scan is too old: scan again.", "qr_expired", param="qr_code"),
            _of(_QR, "This code has been paid.", "qr_spent", param="qr_code"),
            _of(_QR, "This code takes 60 payments a minute.", "qr_used_too_often", param="qr_code"),
            _of(_QR, "This code is paid with 1250.", "qr_amount_mismatch", param="amount"),
            _of(_QR, "This code is paid in EUR.", "qr_wrong_currency", param="currency"),
            _of(errors.RateLimited, "Too many requests: wait as Retry-After says."),
            _of(errors.DatabaseUnavailable, "The database did not answer: repeat the request."),
            _of(errors.PayNexusError, "Something failed on our side; it has been reported."),
        )
    }
)
"""Every problem that a caller can meet, with one example of each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation asks for, as far as refusals follow from it."""

    name: str
    method: str
    parameters: tuple[tuple[str, str], ...]
    """Where each is and what it is called: `("query", "limit")`."""
    has_body: bool
    has_token: bool

    def has(self, place: str, name: str | None = None) -> bool:
        """Whether it has a parameter there, of this name if one is given."""
        return any(at == place and name in (None, called) for at, called in self.parameters)


_ACTS_ON_STATE = frozenset(
    {
        "capture_payment",
        "cancel_payment",
        "confirm_payment",
        "refund_payment",
        "create_client",
        "revoke_client",
        "create_webhook_endpoint",
        "retry_delivery",
        "create_fraud_rule",
        "add_fraud_rule_version",
        "shadow_fraud_rule",
        "assign_fraud_case",
        "note_fraud_case",
        "close_fraud_case",
        "reopen_fraud_case",
        "create_fraud_list",
        "order_fraud_backtest",
        "promote_fraud_change",
        "revert_fraud_promotion",
        "add_fraud_list_entry",
    }
)
_ASKS_NO_DATABASE = frozenset(
    {"answer_health", "publish_keys", "publish_qr_keys", "list_fraud_features"}
)
_WORDS_A_RULE = frozenset({"create_fraud_rule", "add_fraud_rule_version"})
_SPENDS = (
    "qr_unknown",
    "qr_expired",
    "qr_spent",
    "qr_used_too_often",
    "qr_amount_mismatch",
    "qr_wrong_currency",
)

RULES: tuple[tuple[Callable[[Asked], bool], tuple[str, ...]], ...] = (
    (lambda _: True, ("internal_error",)),
    (lambda asked: asked.name not in _ASKS_NO_DATABASE, ("database_unavailable",)),
    (lambda asked: asked.has_token, ("unauthenticated", "forbidden", "rate_limited")),
    (lambda asked: asked.has("path"), ("not_found",)),
    (lambda asked: asked.has("query"), ("invalid_request",)),
    (lambda asked: asked.has_body, ("invalid_request", "request_too_large")),
    (
        lambda asked: asked.has_token and asked.method in {"post", "patch"},
        ("unsupported_media_type", "invalid_request"),
    ),
    (
        lambda asked: asked.has("header", "Idempotency-Key"),
        ("idempotency_key_missing", "operation_running", "idempotency_key_reused"),
    ),
    (lambda asked: asked.name in _ACTS_ON_STATE, ("invalid_state",)),
    (lambda asked: asked.name == "import_fraud_list", ("list_file_refused",)),
    (lambda asked: asked.name == "promote_fraud_change", ("gate_closed", "not_found")),
    (lambda asked: asked.name == "order_fraud_backtest", ("not_found",)),
    (lambda asked: asked.name in _WORDS_A_RULE, ("invalid_rule",)),
    (lambda asked: asked.name == "capture_payment", ("capture_refused",)),
    (lambda asked: asked.name == "cancel_payment", ("cancel_refused",)),
    (lambda asked: asked.name == "take_payment", _SPENDS),
    (
        lambda asked: asked.name == "scan_qr_code",
        ("qr_unreadable", "qr_unknown_key", "qr_forged", "qr_unknown", "qr_expired", "qr_spent"),
    ),
    (
        lambda asked: asked.name in {"draw_qr_code", "read_settlement_statement"},
        ("not_acceptable",),
    ),
    (lambda asked: asked.name == "take_callback", ("signature_refused",)),
)
"""The one table: an operation for which a rule holds can answer with the rule's codes."""


def refusals_of(asked: Asked) -> list[Refusal]:
    """What the operation can be refused with, in the order of REFUSALS."""
    codes = {code for holds, named in RULES if holds(asked) for code in named}
    return [one for one in REFUSALS.values() if one.code in codes]


def by_status(refusals: Iterable[Refusal]) -> dict[int, list[Refusal]]:
    """The refusals, by the status that they are answered with."""
    found: dict[int, list[Refusal]] = {}
    for one in refusals:
        found.setdefault(one.status, []).append(one)
    return dict(sorted(found.items()))
