"""A payment's whole way below the handlers: accept, then the workflow's steps, on real parts."""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from paynexus import idempotency
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.engine import Engine
from paynexus.gateways.circuit import Health
from paynexus.gateways.port import Gateway, GatewayDispute, Operation, Result
from paynexus.idempotency import Answer, Scope
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import disputes, operations, scoring, service, steps, workflow
from paynexus.payments.model import Customer, Payment
from paynexus.payments.operations import Begun
from paynexus.payments.service import PaymentRequest
from paynexus.payments.step import Step
from paynexus.payments.steps import Next
from paynexus.payments.store.standings import Standing

DEADLINE_SECONDS = 0.5


@dataclass(frozen=True)
class Line:
    """A fleet of one gateway a mode, or of several; how they are is what a test says."""

    gateways: Mapping[str, Gateway | Sequence[Gateway]]
    said: Mapping[str, Health] = field(default_factory=dict)

    def of(self, mode: str) -> Mapping[str, Gateway]:
        """By name."""
        found = self.gateways.get(mode, ())
        several = found if isinstance(found, Sequence) else (found,)
        return {gateway.name: gateway for gateway in several}

    def health(self) -> Mapping[str, Health]:
        """As the test says."""
        return self.said


PATIENCE_SECONDS = 60


@dataclass
class Flow:
    """What the deployed functions do, called one after the other."""

    database: Database
    cache: Cache
    gateways: Mapping[str, Gateway | Sequence[Gateway]]
    merchant: MerchantId
    now: dt.datetime
    health: Mapping[str, Health] = field(default_factory=dict)
    ran: list[Step] = field(default_factory=list)
    engines: dict[Database, Engine] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """What decides, as an environment with this database keeps it."""
        # However busy the machine is: what is skipped, and told, is no matter of its speed.
        patient = Engine(self.database, self.cache, decision_seconds=PATIENCE_SECONDS)
        return self.engines.setdefault(self.database, patient)

    def take(
        self,
        token: str = "tok_approve",
        amount: int = 1000,
        *,
        key: str | None = None,
        capture: str = "automatic",
        email: str | None = None,
        country: str | None = None,
        qr_code: str | None = None,
    ) -> tuple[PaymentId, Answer]:
        """A payment is accepted and run; its id, and the answer its merchant gets."""
        request = PaymentRequest(
            # A card of its own each time: the rules count how often one is used.
            Money(amount, "EUR"),
            f"{token}_{secrets.token_hex(4)}" if key is None else token,
            capture=capture,
            customer=Customer(email=email, country=country) if email or country else None,
            qr_code=qr_code,
        )
        scope = self.scope("POST /payments", key or secrets.token_hex(8))
        fingerprint = idempotency.fingerprint_of(
            "/payments", [amount, request.payment_method if key is None else token]
        )
        accepted = service.accept(
            self.database, scope, request, fingerprint=fingerprint, now=self.now
        )
        if accepted.answer is not None:
            return accepted.payment_id, accepted.answer
        return accepted.payment_id, self.charge(accepted.payment_id)

    def charge(self, payment_id: PaymentId) -> Answer:
        """The workflow brings the payment as far as it goes."""
        self.run(Step(payment_id, Operation.CHARGE, payment_id))
        return self.answer(payment_id, payment_id)

    def operate(
        self,
        operation: Operation,
        payment_id: PaymentId,
        begin: Callable[..., Begun],
        *,
        key: str | None = None,
        **how: object,
    ) -> Answer:
        """A capture, cancel, refund, or a confirm (which goes on to the charge) is run."""
        scope = self.scope(f"{operation} {payment_id}", key or secrets.token_hex(8))
        fingerprint = idempotency.fingerprint_of(str(operation), [how.get("amount")])
        begun = begin(
            self.database, scope, payment_id, fingerprint=fingerprint, now=self.now, **how
        )
        if begun.answer is not None:
            return begun.answer
        is_charge = operation is Operation.CHARGE
        self.run(Step(payment_id, operation, payment_id if is_charge else begun.operation_id))
        return self.answer(payment_id, begun.operation_id)

    def run(self, step: Step) -> str:
        """The state machine of infra/workflows/process_payment.asl.json, state by state."""
        self.ran.append(step)
        blocked, seen = False, None
        if step.operation is Operation.CHARGE:
            scored = scoring.score(self.engine, step.payment_id, now=self.now)
            if scored.next in {Next.CHALLENGE, Next.DONE}:
                return str(scored.next)
            blocked, seen = scored.next is Next.BLOCK, handed_on(scored.seen)
        if not blocked:
            called = steps.call_gateway(
                self.database,
                Line(self.gateways, self.health),
                step,
                clock=lambda: self.now,
                deadline_seconds=DEADLINE_SECONDS,
                seen=seen,
            )
            seen = handed_on(called.seen)
        return steps.finish(self.database, step, blocked=blocked, now=self.now, seen=seen)

    def ask_about(self, gateway: str, gateway_reference: str) -> GatewayDispute | Result:
        """What a gateway says of a dispute."""
        return disputes.asking(lambda: Line(self.gateways, self.health))(gateway, gateway_reference)

    def answer(self, payment_id: PaymentId, operation_id: UUID) -> Answer:
        """What the merchant is told."""
        stored = operations.stored_answer(self.database, operation_id, now=self.now)
        return stored or operations.standing(self.database, payment_id, operation_id)

    def scope(self, operation: str, key: str) -> Scope:
        """Where a key is unique."""
        return Scope(self.merchant, "test", operation, key)

    def payment(self, payment_id: PaymentId) -> Payment:
        """The payment as it stands."""
        return service.find(self.database, payment_id, self.merchant, "test")


def handed_on(seen: Standing | None) -> Standing | None:
    """As the workflow carries it from one function to the next."""
    return workflow.from_seen({"seen": workflow.to_seen(seen)})
