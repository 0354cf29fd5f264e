"""Two at one payment: workflow runs, senders, operations. One effect, and one story about it."""

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.gateways.port import Gateway, Instruction, Operation, Outcome, Result, Sent
from paynexus.ids import PaymentId
from paynexus.ledger import reading
from paynexus.ledger.model import Balance
from paynexus.money import Money, limit_of
from paynexus.payments import operations, service
from paynexus.payments.model import Status
from paynexus.payments.step import Step
from paynexus.settlement.service import Run, settle
from tests.flow import Flow
from tests.sandbox import Sandbox

PATIENCE_SECONDS = 20
TEN_EUROS = Money(1000, "EUR")


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

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """As the gateway itself answers."""
        return self.inner.inquire(reference, deadline_seconds=deadline_seconds, sent=sent)

    def is_healthy(self) -> bool:
        """As the gateway itself answers."""
        return self.inner.is_healthy()


def accepted(flow: Flow, money: Money = TEN_EUROS) -> PaymentId:
    """A payment on record that nobody has begun to charge."""
    request = service.PaymentRequest(money, "tok_approve")
    scope = flow.scope("POST /payments", "order-1")
    return service.accept(
        flow.database, scope, request, fingerprint=b"same", now=flow.now
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


def test_of_a_capture_and_a_cancel_at_once_one_is_done(
    flow: Flow, sandbox: Sandbox, another_database: Callable[[], Database]
) -> None:
    """Eight requests, each under its own key: the first holds the payment, the others are told."""
    payment_id, _ = flow.take(capture="manual")

    def act(number: int) -> int:
        mine = flow_like(flow, another_database())
        try:
            if number % 2:
                mine.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)
            else:
                mine.operate(Operation.CANCEL, payment_id, operations.cancel)
        except errors.InvalidState:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(act, range(8))) == 1

    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    is_canceled = flow.payment(payment_id).status is Status.CANCELED
    assert (charge.canceled, charge.captured) == ((True, 0) if is_canceled else (False, 1000))


def test_refunds_at_once_never_return_more_than_was_taken(
    flow: Flow, sandbox: Sandbox, another_database: Callable[[], Database]
) -> None:
    """Eight refunds of 300 out of 1000: three are made, five are refused."""
    payment_id, _ = flow.take(amount=1000)

    def refund(_: int) -> int:
        mine = flow_like(flow, another_database())
        try:
            mine.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)
        except errors.InvalidRequest:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(refund, range(8))) == 3

    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    assert charge.refunded == flow.payment(payment_id).refunded_amount == 900


def test_a_challenge_is_answered_once(
    flow: Flow, sandbox: Sandbox, another_database: Callable[[], Database]
) -> None:
    """Eight answers at once, yes and no, each under its own key: one counts."""
    payment_id, _ = flow.take(amount=60_000)

    def confirm(number: int) -> int:
        mine = flow_like(flow, another_database())
        try:
            mine.operate(
                Operation.CHARGE,
                payment_id,
                operations.confirm,
                is_authenticated=bool(number % 2),
            )
        except errors.InvalidState:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(confirm, range(8))) == 1

    is_paid = flow.payment(payment_id).status is Status.COMPLETED
    assert len(sandbox.charges()) == is_paid


def test_taking_refunding_and_settling_at_once_wait_for_each_other_without_a_deadlock(
    flow: Flow, another_database: Callable[[], Database]
) -> None:
    """Four tills and two settlers on one merchant's account: nobody is turned away."""
    bank = Outbox()

    def work(number: int) -> None:
        mine = flow_like(flow, another_database())
        for turn in range(8):
            if number < 2:
                _settle(mine.database, bank, flow.now + dt.timedelta(minutes=turn))
                continue
            payment_id, _ = mine.take(amount=1000)
            if turn % 2:
                mine.operate(
                    Operation.REFUND, payment_id, operations.refund, amount=200, reason=None
                )

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))

    last = _settle(flow.database, bank, flow.now + dt.timedelta(hours=1))
    assert last.failed == 0
    (owed,) = reading.balances(flow.database.connection(), flow.merchant, "test")
    assert owed.balance == Balance("EUR", posted=0, pending_in=0, pending_out=0)


@pytest.mark.parametrize(
    ("currency", "amount", "schedule", "fee"),
    [
        ("JPY", 1, (0, 0), 0),
        ("JPY", 1, (10_000, 500), 1),
        ("JPY", limit_of("JPY"), (150, 25), 150_025),
        ("KWD", limit_of("KWD"), (150, 25), 150_000_025),
        ("EUR", 1, (150, 25), 1),
        ("EUR", 1, (150, 0), 0),
    ],
)
def test_the_smallest_and_the_largest_amounts_add_up(
    flow: Flow, currency: str, amount: int, schedule: tuple[int, int], fee: int
) -> None:
    """Taken, its fee booked if there is one, and returned whole: the merchant bears the fee."""
    with flow.database.transaction() as tx:
        tx.execute(
            "INSERT INTO merchant_fees VALUES (%s, %s, %s, %s) ON CONFLICT (merchant_id, currency)"
            " DO UPDATE SET basis_points = excluded.basis_points,"
            " fixed_minor = excluded.fixed_minor",
            (flow.merchant, currency, *schedule),
        )
        tx.execute(
            "UPDATE merchants SET configuration ="
            """ '{"fraud": {"challenge_above_minor": 1000000000000,"""
            """ "block_above_minor": 1000000000000}}' WHERE id = %s""",
            (flow.merchant,),
        )
    payment_id = accepted(flow, Money(amount, currency))
    flow.charge(payment_id)
    assert flow.payment(payment_id).fee_amount == fee

    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=None, reason=None)

    (owed,) = reading.balances(flow.database.connection(), flow.merchant, "test")
    assert owed.balance == Balance(currency, posted=-fee, pending_in=0, pending_out=0)


@dataclass
class Outbox:
    """A bank that takes every file."""

    files: dict[str, bytes] = field(default_factory=dict)

    def instruct(self, name: str, document: bytes) -> None:
        """One name, one content."""
        assert self.files.setdefault(name, document) == document

    def receive(self, name: str) -> BinaryIO:
        """It never says anything."""
        raise AssertionError(name)


def _settle(database: Database, bank: Outbox, at: dt.datetime) -> Run:
    return settle(database, bank, now=at, cutoff=at)


def flow_like(flow: Flow, database: Database) -> Flow:
    """The same flow in a process of its own."""
    return Flow(database, flow.cache, flow.gateways, flow.merchant, flow.now)


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
