"""An acquirer in memory, by the sandbox acquirer's own rules, and the line to it.

The books do what docs/sandbox.md says: one reference has one effect, a repetition is answered
from the books, and a cancel bars a charge that never came. The line loses, delays and doubles.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from paynexus.gateways.port import (
    DisputeState,
    GatewayDispute,
    Instruction,
    Operation,
    Outcome,
    Result,
    Sent,
)
from paynexus.money import Money
from tests.faults.scheduling import Schedule
from tools.sandbox_acquirer import rules
from tools.sandbox_acquirer.disputes import Dispute, closed, require_disputable
from tools.sandbox_acquirer.disputes import Outcome as End
from tools.sandbox_acquirer.rules import Charge, Request
from tools.sandbox_acquirer.tokens import behaviour_of

LOST = Result(Outcome.UNKNOWN, code="answer_timed_out")
DELAYS = (0.5, 8, 50, 400, 1500, 5000, 30_000)
"""Seconds after which a message may arrive that nobody waits for any more."""


@dataclass
class Books:
    """Charges, and the one answer to each reference."""

    charges: dict[str, Charge] = field(default_factory=dict)
    answers: dict[str, tuple[str, Result]] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    """What was told of disputes: an acquirer repeats that until it is taken."""
    effects: list[str] = field(default_factory=list)
    """References in the order in which they took effect."""
    tell: Callable[[str], None] = lambda _: None
    """Takes the callback of each approval."""

    def take(self, request: Request) -> Result:
        """The answer to the request, which has its effect once."""
        known = self.answers.get(request.reference)
        if known is not None:
            is_same = known[0] == request.fingerprint
            return known[1] if is_same else Result(Outcome.UNKNOWN, code="reference_reused")
        effect = self._effect(request)
        if effect == "unknown_charge":
            return Result(Outcome.DECLINED, code=effect)
        if isinstance(effect, str):
            return self._answered(request, Result(Outcome.DECLINED, code=effect))
        if effect.charge is not None:
            self.charges[effect.charge.reference] = effect.charge
        self.effects.append(request.reference)
        result = self._answered(request, Result(Outcome.APPROVED, f"sbx_{request.reference}"))
        self.tell(self._callback(request))
        return result

    def found(self, reference: str) -> Result | None:
        """What became of the reference; None when it never took hold here."""
        known = self.answers.get(reference)
        return known[1] if known else None

    def dispute(self, charge: Charge, amount: int) -> Dispute:
        """The payer has the money back for now."""
        require_disputable(charge, amount)
        name = f"dsp_{charge.reference}_{len(self.disputes)}"
        opened = Dispute(name, charge.reference, amount, charge.currency, "fraudulent", "", "")
        self.charges[charge.reference] = replace(charge, disputed=charge.disputed + amount)
        self._tell_of(opened)
        return opened

    def decide(self, name: str, outcome: End) -> None:
        """The payer keeps the money, or not."""
        ended = closed(self.disputes[name], outcome)
        if outcome is End.WON:
            charge = self.charges[ended.charge_reference]
            self.charges[charge.reference] = replace(
                charge, disputed=charge.disputed - ended.amount
            )
        self._tell_of(ended)

    def _tell_of(self, dispute: Dispute) -> None:
        self.disputes[dispute.id] = dispute
        body = json.dumps({"id": f"cb_{dispute.id}_{dispute.status}", "dispute": dispute.fields})
        self.news.append(body)
        self.tell(body)

    def _answered(self, request: Request, result: Result) -> Result:
        self.answers[request.reference] = (request.fingerprint, result)
        return result

    def _effect(self, request: Request) -> rules.Effect | str:
        charge = self.charges.get(request.charge_reference)
        token = charge.payment_method if charge else request.payment_method
        declined = behaviour_of(token, request.operation.value).decline if token else None
        if declined:
            return declined
        if request.operation is rules.Operation.CHARGE:
            is_barred = request.reference in self.barred
            return rules.opened(request, canceled_before=is_barred)
        if charge is not None:
            return rules.changed(request, charge)
        is_known = request.charge_reference in self.answers
        if request.operation is not rules.Operation.CANCEL:
            return "charge_declined" if is_known else "unknown_charge"
        if not is_known:
            self.barred.add(request.charge_reference)
        return rules.Effect(None)

    def _callback(self, request: Request) -> str:
        operation = {
            "operation": request.operation,
            "reference": request.reference,
            "status": "approved",
            "amount": request.amount,
            "currency": request.currency,
        }
        return json.dumps({"id": f"cb_{request.reference}", "operation": operation})


def request_of(instruction: Instruction) -> Request:
    """The instruction, as the acquirer is asked for it."""
    is_cancel = instruction.operation is Operation.CANCEL
    is_charge = instruction.operation is Operation.CHARGE
    return Request(
        operation=rules.Operation(instruction.operation.value),
        reference=instruction.reference,
        charge_reference=instruction.original_reference or instruction.reference,
        amount=None if is_cancel else instruction.money.amount,
        currency=None if is_cancel else instruction.money.currency,
        payment_method=instruction.payment_method,
        capture=is_charge and instruction.capture,
        description=instruction.description,
        final=instruction.operation is Operation.CAPTURE and instruction.is_final,
    )


@dataclass
class Line:
    """The gateway at the end of a line that loses, delays and doubles what it carries."""

    books: Books
    schedule: Schedule
    is_well: bool = False
    name: str = "sandbox"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What came of it, as far as the line lets it be known."""
        assert deadline_seconds
        schedule, request = self.schedule, request_of(instruction)
        schedule.point(f"send {instruction.operation}")
        fate = self._fate(("refused", "lost", "delayed", "delayed", "unanswered", "doubled"))
        schedule.note(f"{instruction.operation} is {fate}")
        if fate == "refused":
            return Result(Outcome.NOT_SENT, code="connect_refused")
        if fate in {"delayed", "doubled"}:
            self._arrives_later(request)
        if fate in {"lost", "delayed"}:
            schedule.point("no answer")
            return LOST
        result = self.books.take(request)
        schedule.point(f"sent {instruction.operation}")
        return LOST if fate == "unanswered" else result

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """What became of it, likewise."""
        assert deadline_seconds or sent
        self.schedule.point("inquire")
        fate = self._fate(("refused", "lost"))
        found = self.books.found(reference)
        self.schedule.note(f"inquiry is {fate}: {found.outcome if found else None}")
        self.schedule.point("inquired")
        return found if fate == "heard" else LOST

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """The dispute as it stands, likewise."""
        assert deadline_seconds
        self.schedule.point("ask about a dispute")
        fate, found = self._fate(("refused", "lost")), self.books.disputes[gateway_reference]
        self.schedule.note(f"question about a dispute is {fate}: {found.status}")
        self.schedule.point("asked about a dispute")
        if fate != "heard":
            return LOST
        state, money = DisputeState(found.status.upper()), Money(found.amount, found.currency)
        return GatewayDispute(found.id, found.charge_reference, state, money, found.reason)

    def is_healthy(self) -> bool:
        """As far as anybody knows."""
        return True

    def _fate(self, fates: tuple[str, ...]) -> str:
        schedule = self.schedule
        if self.is_well or schedule.dice.random() >= schedule.weather.line:
            return "heard"
        return schedule.dice.choice(fates)

    def _arrives_later(self, request: Request) -> None:
        def arrive() -> None:
            self.schedule.note(f"late {request.operation}: {self.books.take(request).outcome}")

        self.schedule.at(self.schedule.dice.choice(DELAYS), arrive)
