"""The adapter for the sandbox acquirer, where test payments go."""

import datetime as dt
from http import HTTPStatus
from urllib.parse import quote

from paynexus.gateways.outcomes import Failure, failed, refused
from paynexus.gateways.port import (
    DisputeState,
    GatewayDispute,
    Instruction,
    Operation,
    Outcome,
    Result,
    Sent,
)
from paynexus.gateways.wire import Answer, exchange
from paynexus.money import EXPONENTS, Money, limit_of

HEALTH_SECONDS = 2.0
_ACTIONS = {
    Operation.CAPTURE: "capture",
    Operation.CANCEL: "cancel",
    Operation.REFUND: "refunds",
}
_OUTCOMES = {
    "approved": Outcome.APPROVED,
    "declined": Outcome.DECLINED,
    "processing": Outcome.UNKNOWN,
}


_STATES = {
    "open": DisputeState.OPEN,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}


class SandboxGateway:
    """Speaks the protocol of docs/sandbox.md; one exchange a call, never repeated here."""

    def __init__(self, url: str, *, api_key: str, name: str = "sandbox") -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What came of the instruction."""
        answer = exchange(
            "POST",
            self._url + _path_of(instruction),
            headers=self._headers,
            body=_body_of(instruction),
            deadline_seconds=deadline_seconds,
        )
        if isinstance(answer, Failure):
            return failed(answer)
        return _result_of(answer, instruction.reference)

    def inquire(
        self,
        reference: str,
        *,
        deadline_seconds: float,
        sent: Sent | None = None,  # noqa: ARG002 - the acquirer knows its references
    ) -> Result | None:
        """What became of `reference`; None when the acquirer itself says it never saw it."""
        answer = self._look("operations", reference, deadline_seconds)
        if isinstance(answer, Result):
            return answer
        if answer.status == HTTPStatus.OK:
            return _result_of(answer, reference)
        code = _error_code(answer)
        if answer.status == HTTPStatus.NOT_FOUND and code == "unknown_reference":
            return None
        return Result(Outcome.UNKNOWN, code=code or f"gateway_status_{answer.status}")

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """The dispute as it stands at the acquirer."""
        answer = self._look("disputes", gateway_reference, deadline_seconds)
        if isinstance(answer, Result):
            return answer
        if answer.status == HTTPStatus.OK:
            return _dispute_of(answer, gateway_reference)
        code = _error_code(answer)
        is_none = answer.status == HTTPStatus.NOT_FOUND and code == "unknown_dispute"
        outcome = Outcome.DECLINED if is_none else Outcome.UNKNOWN
        return Result(outcome, code=code or f"gateway_status_{answer.status}")

    def is_healthy(self) -> bool:
        """Whether the acquirer answers its health question."""
        answer = exchange("GET", f"{self._url}/health", headers={}, deadline_seconds=HEALTH_SECONDS)
        return isinstance(answer, Answer) and answer.body.get("status") == "ok"

    def _look(self, kind: str, name: str, deadline_seconds: float) -> Answer | Result:
        answer = exchange(
            "GET",
            f"{self._url}/v1/{kind}/{quote(name, safe='')}",
            headers=self._headers,
            deadline_seconds=deadline_seconds,
        )
        if isinstance(answer, Failure):
            # Whatever the moment: a question that wasn't heard leaves things unknown.
            return Result(Outcome.UNKNOWN, code=answer.code)
        return answer


def _path_of(instruction: Instruction) -> str:
    if instruction.original_reference is None:
        return "/v1/charges"
    charge = quote(instruction.original_reference, safe="")
    return f"/v1/charges/{charge}/{_ACTIONS[instruction.operation]}"


def _body_of(instruction: Instruction) -> dict[str, object]:
    body: dict[str, object] = {"reference": instruction.reference}
    if instruction.description is not None:
        body["description"] = instruction.description
    if instruction.operation is not Operation.CANCEL:
        body |= {"amount": instruction.money.amount, "currency": instruction.money.currency}
    if instruction.operation is Operation.CAPTURE:
        body |= {"final": instruction.is_final}
    if instruction.operation is Operation.CHARGE:
        body |= {"payment_method": instruction.payment_method, "capture": instruction.capture}
    return body


def _result_of(answer: Answer, reference: str) -> Result:
    if answer.status != HTTPStatus.OK:
        return refused(answer.status, _error_code(answer))
    body = answer.body
    outcome = _OUTCOMES.get(str(body.get("status")))
    if outcome is None or body.get("reference") != reference:
        # Something answered 200 that isn't about our request: it proves nothing.
        return Result(Outcome.UNKNOWN, code="answer_unreadable")
    code = "processing" if outcome is Outcome.UNKNOWN else _text(body.get("code"))
    return Result(
        outcome,
        gateway_reference=_text(body.get("gateway_reference")),
        code=code,
        message=_text(body.get("message")),
        response=body,
    )


def _dispute_of(answer: Answer, gateway_reference: str) -> GatewayDispute | Result:
    body = answer.body
    amount, currency, charge = body.get("amount"), body.get("currency"), body.get("reference")
    state, respond_by = _STATES.get(str(body.get("status"))), _moment(body.get("respond_by"))
    if (
        body.get("id") != gateway_reference
        or not (isinstance(charge, str) and isinstance(currency, str) and type(amount) is int)
        or state is None
        or currency not in EXPONENTS
        or not 0 < amount <= limit_of(currency)
    ):
        return Result(Outcome.UNKNOWN, code="answer_unreadable")
    money, reason = Money(amount, currency), _text(body.get("reason"))
    return GatewayDispute(gateway_reference, charge, state, money, reason, respond_by)


def _moment(value: object) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(value)).astimezone(dt.UTC)
    except ValueError:
        return None


def _error_code(answer: Answer) -> str | None:
    error = answer.body.get("error")
    return _text(error.get("code")) if isinstance(error, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
