"""What one step hands to the next spares a look and decides nothing: it may be old, or anything."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus import ids
from paynexus.gateways.port import Operation, Outcome, Result
from paynexus.idempotency import fingerprint_of
from paynexus.ids import PaymentId
from paynexus.money import Money
from paynexus.payments import authority, operations, scoring, service, steps, workflow
from paynexus.payments.model import Customer, Status
from paynexus.payments.step import Step
from paynexus.payments.store import standings
from paynexus.payments.store.standings import Standing
from tests.flow import Flow, Line, handed_on
from tests.sandbox import Sandbox


@dataclass
class Run:
    """One payment's workflow, step by step."""

    flow: Flow
    payment_id: PaymentId

    @property
    def step(self) -> Step:
        """Its charge."""
        return Step(self.payment_id, Operation.CHARGE, self.payment_id)

    def score(self) -> Standing | None:
        """What scoring hands on."""
        return scoring.score(self.flow.engine, self.payment_id, now=self.flow.now).seen

    def charge(self, seen: Standing | None) -> steps.Called:
        """What came of the call."""
        return steps.call_gateway(
            self.flow.database,
            Line(self.flow.gateways),
            self.step,
            clock=lambda: self.flow.now,
            deadline_seconds=1,
            seen=seen,
        )

    def finish(self, seen: Standing | None) -> str:
        """Where the payment stands."""
        now = self.flow.now
        return steps.finish(self.flow.database, self.step, blocked=False, now=now, seen=seen)


@pytest.fixture(name="accept")
def _accept(flow: Flow) -> Callable[..., Run]:
    """Puts payments on record."""

    def accept(token: str = "tok_approve", capture: str = "automatic") -> Run:
        request = service.PaymentRequest(
            Money(1000, "EUR"),
            f"{token}_{ids.new_id().hex[-8:]}",
            capture=capture,
            reference="order 1",
            description="Lunch",
            customer=Customer("customer-1", "ada@example.com", "DE"),
            metadata={"table": "7"},
        )
        scope = flow.scope("POST /payments", ids.new_id().hex)
        accepted = service.accept(
            flow.database, scope, request, fingerprint=fingerprint_of("/", []), now=flow.now
        )
        return Run(flow, accepted.payment_id)

    return accept


def test_what_is_handed_on_is_what_was_read(accept: Callable[..., Run]) -> None:
    """But for what no later step needs: address and country are not in it."""
    run = accept()
    seen = run.score()
    assert seen is not None
    text = workflow.to_seen(seen)

    again = standings.read(text)

    assert "ada@example.com" not in text
    customer = Customer("customer-1")
    assert again == replace(seen, payment=replace(seen.payment, customer=customer))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_anything_else_is_no_standing(accept: Callable[..., Run], data: st.DataObject) -> None:
    """Cut short, of another version, of another type: then it is read anew."""
    text = workflow.to_seen(accept().score())
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    nested = "[" * 200_000
    other = text.replace('"version": 1', '"version": "1"')
    junk = data.draw(
        st.one_of(st.text(), st.integers(), st.none(), st.sampled_from([cut, nested, other]))
    )
    assert workflow.from_seen({"seen": junk}) is None
    assert workflow.from_seen({}) is None


def test_a_payment_with_more_text_than_a_workflow_holds_hands_nothing_on(
    accept: Callable[..., Run],
) -> None:
    """Fifty values of five hundred smiles each: the next step looks for itself."""
    seen = accept().score()
    assert seen is not None
    much = {f"key-{n}": "\U0001f600" * 500 for n in range(50)}
    assert workflow.to_seen(replace(seen, row={**seen.row, "metadata": much})) == ""
    some = {f"key-{n}": "plain" * 100 for n in range(50)}
    assert workflow.to_seen(replace(seen, row={**seen.row, "metadata": some})) != ""


def test_a_payment_without_what_was_seen_goes_the_same_way(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """Every hand-over lost: one more look each, and one charge."""
    run = accept()
    run.score()
    assert run.charge(None).outcome is Outcome.APPROVED
    assert run.finish(None) == "COMPLETED"
    assert len(sandbox.charges()) == 1


def test_a_payment_that_another_run_has_begun_is_not_charged_again(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """Both have seen it untouched: the second finds the first one's attempt, and its outcome."""
    run = accept()
    first, second = run.score(), run.score()
    assert run.charge(handed_on(first)).outcome is Outcome.APPROVED
    assert run.charge(handed_on(second)).outcome is Outcome.APPROVED
    assert len(sandbox.charges()) == 1
    attempts = run.flow.database.connection().execute("SELECT calls FROM attempts").fetchall()
    assert attempts == [(1,)]


def test_a_payment_that_has_ended_meanwhile_is_not_charged(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """It was blocked after it had been seen."""
    run = accept()
    seen = handed_on(run.score())
    steps.finish(run.flow.database, run.step, blocked=True, now=run.flow.now)

    run.charge(seen)

    assert sandbox.charges() == []
    assert run.flow.payment(run.payment_id).status is Status.FAILED


def test_another_payments_standing_is_not_believed(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """Neither to charge by nor to finish by."""
    one, other = accept(), accept("tok_decline")
    seen = one.score()
    other.score()
    called = other.charge(handed_on(seen))
    assert called.outcome is Outcome.DECLINED
    assert one.charge(None).outcome is Outcome.APPROVED
    assert one.finish(handed_on(called.seen)) == "COMPLETED"
    assert other.finish(handed_on(called.seen)) == "FAILED"
    assert len(sandbox.charges()) == 1


def test_an_outcome_that_is_not_on_record_is_not_booked(accept: Callable[..., Run]) -> None:
    """An approval that nobody gave is held against the attempt, and the attempt counts."""
    run = accept("tok_decline")
    run.score()
    called = run.charge(handed_on(run.score()))
    assert called.seen is not None
    assert called.seen.attempt is not None
    forged = replace(called.seen, attempt=replace(called.seen.attempt, outcome="APPROVED"))

    assert run.finish(handed_on(forged)) == "FAILED"
    assert run.flow.payment(run.payment_id).captured_amount == 0


def test_an_outcome_that_has_become_certain_is_not_overlooked(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """UNKNOWN when it was seen, found out since: the payment ends as it was found out."""
    run = accept("tok_error_after")
    called = run.charge(handed_on(run.score()))
    assert called.outcome is Outcome.UNKNOWN
    reference = ids.text("chg", run.payment_id)
    authority.settle_unknown(
        run.flow.database, reference, Result(Outcome.APPROVED), now=run.flow.now
    )

    assert run.finish(handed_on(called.seen)) == "COMPLETED"
    assert len(sandbox.charges()) == 1


def test_what_was_seen_of_a_charge_says_nothing_of_another_operation(
    accept: Callable[..., Run], sandbox: Sandbox
) -> None:
    """An approved charge doesn't book a capture that nobody has made."""
    run = accept(capture="manual")
    called = run.charge(handed_on(run.score()))
    seen = handed_on(called.seen)
    run.finish(seen)
    flow = run.flow
    begun = operations.capture(
        flow.database,
        flow.scope("capture", "1"),
        run.payment_id,
        amount=None,
        fingerprint=b"",
        now=flow.now,
    )
    step = Step(run.payment_id, Operation.CAPTURE, begun.operation_id)

    status = steps.finish(flow.database, step, blocked=False, now=flow.now, seen=seen)

    assert status == "AUTHORIZED"
    assert flow.payment(run.payment_id).captured_amount == 0
    assert sandbox.store.charge(ids.text("chg", run.payment_id)) is not None


def test_a_capture_between_two_steps_is_not_undone(accept: Callable[..., Run]) -> None:
    """A run that was left behind finishes by what it had seen: nothing changes."""
    run = accept(capture="manual")
    called = run.charge(handed_on(run.score()))
    assert run.finish(handed_on(called.seen)) == "AUTHORIZED"
    run.flow.operate(Operation.CAPTURE, run.payment_id, operations.capture, amount=None)
    run.flow.now += dt.timedelta(minutes=1)

    assert run.finish(handed_on(called.seen)) == "COMPLETED"
    assert run.flow.payment(run.payment_id).captures == 1
