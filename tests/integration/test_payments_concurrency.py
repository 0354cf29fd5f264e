"""Two at one payment: workflow runs, senders, operations. One effect, and one story about it."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import operations, service
from paynexus.payments.model import Status
from paynexus.payments.steps import Step
from tests.flow import Flow
from tests.sandbox import Sandbox

PATIENCE_SECONDS = 20


@pytest.fixture(name="sandbox")
def _sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture(name="flow")
def _flow(
    database: Database, cache: Cache, sandbox: Sandbox, merchant: MerchantId, now: dt.datetime
) -> Flow:
    return Flow(database, cache, {"test": sandbox.gateway}, merchant, now)


@dataclass
class Held:
    """A gateway whose every send waits until it is let go; `unheard` ones never leave."""

    inner: Gateway
    unheard: bool = False
    sending: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    name: str = "sandbox"

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What comes of it, once it is let go."""
        self.sending.set()
        assert self.go.wait(PATIENCE_SECONDS)
        if self.unheard:
            return Result(Outcome.NOT_SENT, code="connect_refused")
        return self.inner.send(instruction, deadline_seconds=deadline_seconds)

    def inquire(self, reference: str, *, deadline_seconds: float) -> Result | None:
        """As the gateway itself answers."""
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds)

    def is_healthy(self) -> bool:
        """As the gateway itself answers."""
        return self.inner.is_healthy()


def accepted(flow: Flow) -> PaymentId:
    """A payment on record that nobody has begun to charge."""
    request = service.PaymentRequest(Money(1000, "EUR"), "tok_approve")
    scope = flow.scope("POST /payments", "order-1")
    return service.accept(
        flow.database, flow.cache, scope, request, fingerprint=b"same", now=flow.now
    ).payment_id


@pytest.mark.parametrize("operation", [Operation.CHARGE, Operation.CAPTURE, Operation.REFUND])
def test_a_call_that_never_left_does_not_speak_for_another(
    flow: Flow,
    sandbox: Sandbox,
    another_database: Callable[[], Database],
    operation: Operation,
) -> None:
    """One sender fails to connect while another, under the same reference, is on the wire.

    The first knows only of itself: what it did not send, the other did, and the payer paid.
    """
    step = begun(flow, operation)
    deaf, slow = Held(sandbox.gateway, unheard=True), Held(sandbox.gateway)
    first = Flow(another_database(), flow.cache, {"test": deaf}, flow.merchant, flow.now)
    second = Flow(another_database(), flow.cache, {"test": slow}, flow.merchant, flow.now)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first.run, step)
        assert deaf.sending.wait(PATIENCE_SECONDS)
        other = pool.submit(second.run, step)
        assert slow.sending.wait(PATIENCE_SECONDS)
        deaf.go.set()
        one.result(PATIENCE_SECONDS)
        slow.go.set()
        other.result(PATIENCE_SECONDS)

    (_, charge, _) = sandbox.store.charges(after=0, limit=1)[0]
    payment = flow.payment(step.payment_id)
    assert Status.COMPLETED is payment.status
    assert (charge.captured, charge.refunded) == (payment.captured_amount, payment.refunded_amount)
    assert operations.stored_answer(flow.database, step.operation_id, now=flow.now) is not None


def begun(flow: Flow, operation: Operation) -> Step:
    """The operation on record, its gateway not yet asked."""
    if operation is Operation.CHARGE:
        payment_id = accepted(flow)
        return Step(payment_id, operation, payment_id)
    capture = "manual" if operation is Operation.CAPTURE else "automatic"
    payment_id, _ = flow.take(capture=capture)
    begin: Callable[..., operations.Begun] = operations.capture
    how: dict[str, object] = {"amount": 400}
    if operation is Operation.REFUND:
        begin, how = operations.refund, how | {"reason": None}
    scope = flow.scope(f"{operation} {payment_id}", "operation-1")
    done = begin(flow.database, scope, payment_id, fingerprint=b"same", now=flow.now, **how)
    return Step(payment_id, operation, done.operation_id)
