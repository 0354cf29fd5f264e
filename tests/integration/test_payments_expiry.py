"""The end of waiting: challenges and authorisations whose time is up, and no others."""

import datetime as dt
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from paynexus import errors, ids
from paynexus.db import Database
from paynexus.gateways.port import Operation
from paynexus.ledger import reading
from paynexus.payments import expiry, operations, sweeper
from paynexus.payments.expiry import EXPIRY_RETRY
from paynexus.payments.model import (
    AUTHORIZATION_LIFETIME,
    CHALLENGE_LIFETIME,
    Failure,
    Status,
)
from paynexus.payments.step import Step
from tests.flow import Flow
from tests.sandbox import Sandbox

MOMENT = dt.timedelta(seconds=1)


def expire(flow: Flow, after: dt.timedelta) -> int:
    """How many payments were found to be over, that much later."""
    flow.now += after
    return expiry.expire(flow.database, flow.run, now=flow.now)


def pending(flow: Flow) -> int:
    """What is still reserved for the merchant."""
    (found,) = reading.balances(flow.database.connection(), flow.merchant, "test")
    return found.balance.pending_in


def test_an_unanswered_challenge_fails(flow: Flow, sandbox: Sandbox) -> None:
    """After a quarter of an hour, not before; no gateway hears of it; then it's too late."""
    payment_id, _ = flow.take(amount=60_000)

    assert expire(flow, CHALLENGE_LIFETIME) == 0
    assert expire(flow, MOMENT) == 1
    payment = flow.payment(payment_id)
    assert (payment.status, payment.failure and payment.failure.code) == (
        Status.FAILED,
        "challenge_expired",
    )
    assert (pending(flow), sandbox.charges()) == (0, [])
    with pytest.raises(errors.InvalidState):
        flow.operate(Operation.CHARGE, payment_id, operations.confirm, is_authenticated=True)
    assert expire(flow, MOMENT) == 0


def test_an_uncaptured_authorization_is_canceled(flow: Flow, sandbox: Sandbox) -> None:
    """At the gateway and here, after a week; the payment says why, in its event too."""
    payment_id, _ = flow.take(capture="manual")

    assert expire(flow, AUTHORIZATION_LIFETIME) == 0
    assert expire(flow, MOMENT) == 1
    payment = flow.payment(payment_id)
    assert (payment.status, payment.failure and payment.failure.code) == (
        Status.CANCELED,
        "authorization_expired",
    )
    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    assert (charge.canceled, pending(flow)) == (True, 0)
    row = (
        flow.database.connection()
        .execute(
            "SELECT type, data #>> '{failure,code}' FROM events WHERE object_id = %s"
            " ORDER BY sequence DESC LIMIT 1",
            (ids.text("pay", payment_id),),
        )
        .fetchone()
    )
    assert row == ("payment.canceled.v1", "authorization_expired")


def test_a_partly_captured_authorization_is_completed(flow: Flow) -> None:
    """With what was captured: that was no failure."""
    payment_id, _ = flow.take(capture="manual")
    flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=400, is_final=False)

    assert expire(flow, AUTHORIZATION_LIFETIME + MOMENT) == 1
    payment = flow.payment(payment_id)
    assert (payment.status, payment.captured_amount) == (Status.COMPLETED, 400)
    assert (payment.failure, pending(flow)) == (None, 0)


def test_what_is_final_or_at_work_does_not_expire(flow: Flow) -> None:
    """Nor does a payment of which nobody knows whether it was charged."""
    flow.take()
    flow.take("tok_decline")
    captured, _ = flow.take("tok_capture_timeout_after", capture="manual")
    flow.operate(Operation.CAPTURE, captured, operations.capture, amount=None)
    assert flow.payment(captured).open_operation is not None

    assert expire(flow, 2 * AUTHORIZATION_LIFETIME) == 0


def test_a_gateway_that_refuses_is_asked_again_later(flow: Flow) -> None:
    """The payment stays AUTHORIZED, without a failure: the money may still be held."""
    payment_id, _ = flow.take("tok_cancel_decline", capture="manual")

    assert expire(flow, AUTHORIZATION_LIFETIME + MOMENT) == 1
    payment = flow.payment(payment_id)
    assert (payment.status, payment.open_operation) == (Status.AUTHORIZED, None)
    assert payment.failure is None
    assert expire(flow, EXPIRY_RETRY) == 0
    assert expire(flow, MOMENT) == 1


def test_who_dies_after_the_cancel_is_on_record_leaves_it_to_the_sweeper(flow: Flow) -> None:
    """It was recorded before it was attempted; nothing else may begin meanwhile."""
    payment_id, _ = flow.take(capture="manual")
    later = flow.now + AUTHORIZATION_LIFETIME + MOMENT

    def die(_: Step) -> None:
        raise errors.DatabaseUnavailable("gone")

    assert expiry.expire(flow.database, die, now=later) == 1
    with pytest.raises(errors.InvalidState, match="expiry is under way"):
        flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)
    sweeper.sweep(flow.database, flow.run, now=later + dt.timedelta(minutes=2))

    payment = flow.payment(payment_id)
    assert payment.status is Status.CANCELED
    assert isinstance(payment.failure, Failure)


def test_any_number_of_runs_expire_each_payment_once(
    flow: Flow, another_database: Callable[[], Database]
) -> None:
    """Eight at once over six payments: one event and one cancel each."""
    taken = [flow.take(capture="manual")[0] for _ in range(3)]
    taken += [flow.take(amount=60_000)[0] for _ in range(3)]
    later = flow.now + AUTHORIZATION_LIFETIME + MOMENT

    def run(_: int) -> None:
        mine = Flow(another_database(), flow.cache, flow.gateways, flow.merchant, later)
        expiry.expire(mine.database, mine.run, now=later)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))

    ends = [str(flow.payment(payment_id).status) for payment_id in taken]
    assert ends == ["CANCELED"] * 3 + ["FAILED"] * 3
    rows = flow.database.connection().execute(
        "SELECT count(*) FROM attempts WHERE operation = 'cancel'"
        " UNION ALL SELECT count(*) FROM events WHERE type IN"
        " ('payment.canceled.v1', 'payment.failed.v1')"
    )
    assert sorted(row[0] for row in rows) == [3, 6]


def test_an_expired_challenge_keeps_its_first_answer(flow: Flow) -> None:
    """A repetition is told what was answered; the payment tells what is."""
    flow.take(amount=60_000, key="order-1")
    expire(flow, CHALLENGE_LIFETIME + MOMENT)
    _, again = flow.take(amount=60_000, key="order-1")

    assert (again.status, json.loads(again.body)["status"]) == (202, "CHALLENGED")
