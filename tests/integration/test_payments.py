"""Payments on real Postgres, Valkey and acquirer: each outcome ends in status, books, answer."""

import datetime as dt
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import psycopg
import pytest

from paynexus import errors, ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.port import Operation
from paynexus.idempotency import Answer
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import reading
from paynexus.ledger.model import Balance
from paynexus.money import Money
from paynexus.payments import operations, service, sweeper
from paynexus.payments.model import RUNNING, Status
from paynexus.payments.step import Step
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.export_lifecycle import LIFECYCLES, Lifecycle


class DeadFlow(Flow):
    """A flow whose workflow never runs."""

    def run(self, step: Step) -> str:
        """Nothing happens."""
        return f"nobody ran {step.operation}"


def body(answer: Answer) -> dict[str, Any]:
    """The answer's JSON."""
    value: dict[str, Any] = json.loads(answer.body)
    return value


def balance(flow: Flow) -> Balance:
    """What the merchant is owed in EUR."""
    (found,) = reading.balances(flow.database.connection(), flow.merchant, "test")
    return found.balance


def events(flow: Flow, object_id: str) -> list[str]:
    """Types of the object's events, in order of their sequence."""
    rows = flow.database.connection().execute(
        "SELECT type FROM events WHERE object_id = %s ORDER BY sequence", (object_id,)
    )
    return [row[0] for row in rows]


def test_an_approved_payment_is_booked_with_its_fee(flow: Flow, sandbox: Sandbox) -> None:
    """COMPLETED, owed less the fee of 1.5 % and 25 cents, answered 201, told in two events."""
    payment_id, answer = flow.take(amount=1000)

    assert (
        answer.status,
        body(answer)["status"],
        body(answer)["fee"]["amount"],
    ) == (201, "COMPLETED", 40)
    assert Balance("EUR", 960, 0, 0) == balance(flow)
    assert events(flow, ids.text("pay", payment_id)) == [
        "payment.created.v1",
        "payment.completed.v1",
    ]
    assert len(sandbox.charges()) == 1


def test_the_gateways_own_words_are_kept_with_the_payment(flow: Flow) -> None:
    """What the acquirer answered to the charge, and nothing of what came after it."""
    payment_id, _ = flow.take(amount=1000)
    flow.operate(Operation.REFUND, payment_id, operations.refund, amount=400, reason=None)

    query = "SELECT gateway_response->>'status', gateway_response->>'amount' FROM transactions"
    assert flow.database.connection().execute(query).fetchone() == ("approved", "1000")


def test_a_declined_payment_leaves_nothing_in_the_books(flow: Flow) -> None:
    """FAILED with the gateway's code; the reservation is void."""
    payment_id, answer = flow.take("tok_decline_insufficient_funds")

    assert body(answer)["failure"]["code"] == "insufficient_funds"
    assert Status.FAILED is flow.payment(payment_id).status
    assert Balance("EUR", 0, 0, 0) == balance(flow)


def test_the_same_key_answers_byte_for_byte(flow: Flow, sandbox: Sandbox) -> None:
    """A replay says so in a header and charges nothing."""
    _, first = flow.take(key="order-1")
    _, again = flow.take(key="order-1")

    assert (first.status, first.body) == (again.status, again.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(sandbox.charges()) == 1


def test_the_same_key_with_another_body_is_refused(flow: Flow, sandbox: Sandbox) -> None:
    """Neither charged nor answered with the other's answer."""
    flow.take(key="order-1")

    with pytest.raises(errors.IdempotencyKeyReused):
        flow.take(key="order-1", amount=2000)
    assert len(sandbox.charges()) == 1


def test_the_fees_of_a_payment_are_those_in_force(flow: Flow) -> None:
    """From the next payment on, whatever anybody remembers; the ones before keep theirs."""
    before, _ = flow.take(amount=10_000, capture="manual")
    flow.database.connection().execute("UPDATE merchant_fees SET basis_points = 300")
    after, _ = flow.take(amount=10_000)
    flow.operate(Operation.CAPTURE, before, operations.capture, amount=None)

    assert [flow.payment(one).fee_amount for one in (before, after)] == [175, 325]


def test_a_currency_without_agreed_fees_is_refused(flow: Flow) -> None:
    """By its name, leaving nothing behind; what was taken while it was agreed is answered."""
    taken = flow.take(key="order-1")
    flow.database.connection().execute("DELETE FROM merchant_fees WHERE currency = 'EUR'")

    with pytest.raises(errors.InvalidRequest, match="takes no payments in EUR") as refused:
        flow.take(key="order-2")
    assert refused.value.param == "currency"
    assert flow.take(key="order-1")[1].body == taken[1].body
    rows = flow.database.connection().execute("SELECT key FROM idempotency_keys").fetchall()
    assert rows == [("order-1",)]


def test_a_key_at_work_is_not_run_again(flow: Flow) -> None:
    """While the first request is at work the second waits; once that died it is resumed."""
    scope = flow.scope("POST /payments", "order-1")
    request = service.PaymentRequest(Money(1000, "EUR"), "tok_approve")

    def accept(now: dt.datetime) -> service.Accepted:
        return service.accept(flow.database, scope, request, fingerprint=b"same", now=now)

    first = accept(flow.now)
    with pytest.raises(errors.OperationRunning):
        accept(flow.now + dt.timedelta(seconds=5))
    resumed = accept(flow.now + dt.timedelta(seconds=31))

    assert first.payment_id == resumed.payment_id


def test_fifty_requests_at_once_under_one_key_charge_once(
    flow: Flow, sandbox: Sandbox, another_database: Callable[[], Database]
) -> None:
    """The storm: one charge, one payment; the others are told to wait or get the same answer."""
    local = threading.local()

    def take(_: int) -> str:
        if not hasattr(local, "flow"):
            local.flow = Flow(
                another_database(), flow.cache, flow.gateways, flow.merchant, flow.now
            )
        try:
            return str(local.flow.take(key="storm")[1].body)
        except errors.OperationRunning:
            return ""

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(take, range(50))) - {""}

    assert len(answers) == 1
    assert len(sandbox.charges()) == 1


def test_a_large_payment_is_challenged_then_confirmed(flow: Flow, sandbox: Sandbox) -> None:
    """202 and no charge until the payer has proved who they are; then it completes."""
    payment_id, answer = flow.take(amount=90_000)

    assert (answer.status, body(answer)["status"]) == (202, "CHALLENGED")
    assert sandbox.charges() == []

    confirmed = flow.operate(
        Operation.CHARGE, payment_id, operations.confirm, is_authenticated=True
    )

    assert (confirmed.status, body(confirmed)["status"]) == (200, "COMPLETED")
    assert len(sandbox.charges()) == 1


def test_a_failed_challenge_fails_the_payment(flow: Flow, sandbox: Sandbox) -> None:
    """The gateway is never asked."""
    payment_id, _ = flow.take(amount=90_000)
    answer = flow.operate(Operation.CHARGE, payment_id, operations.confirm, is_authenticated=False)

    assert (answer.status, body(answer)["status"]) == (200, "FAILED")
    assert sandbox.charges() == []


def test_a_very_large_payment_is_blocked(flow: Flow, sandbox: Sandbox) -> None:
    """FAILED before any gateway was asked."""
    _, answer = flow.take(amount=2_000_000)

    assert body(answer)["failure"]["code"] == "fraud_blocked"
    assert sandbox.charges() == []


@pytest.mark.parametrize("token", ["tok_timeout_after", "tok_error_after", "tok_disconnect_after"])
def test_an_unknown_outcome_is_found_out_by_inquiry(
    flow: Flow, sandbox: Sandbox, token: str
) -> None:
    """UNKNOWN, never FAILED; the sweeper asks the gateway and finds the charge: one, not two."""
    payment_id, answer = flow.take(token)

    assert (answer.status, body(answer)["status"]) == (202, "UNKNOWN")

    swept = sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=2))

    assert swept == 1
    assert Status.COMPLETED is flow.payment(payment_id).status
    assert len(sandbox.charges()) == 1


@pytest.mark.parametrize("token", ["tok_timeout_before_once", "tok_error_before_once"])
def test_a_charge_that_never_arrived_is_sent_again_under_its_reference(
    flow: Flow, sandbox: Sandbox, token: str
) -> None:
    """The inquiry finds nothing; the same reference is sent again and taken once."""
    payment_id, _ = flow.take(token)
    sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=2))

    assert Status.COMPLETED is flow.payment(payment_id).status
    assert len(sandbox.charges()) == 1


def test_an_unreachable_gateway_fails_the_payment_for_certain(flow: Flow, sandbox: Sandbox) -> None:
    """Nothing was sent, so FAILED is the truth: nothing will be charged later."""
    sandbox.stop()
    payment_id, answer = flow.take()
    sandbox.start()

    assert (answer.status, body(answer)["status"]) == (201, "FAILED")
    assert Status.FAILED is flow.payment(payment_id).status
    assert sandbox.charges() == []


def test_a_gateway_that_vanishes_leaves_the_payment_unknown_until_it_is_back(
    flow: Flow, sandbox: Sandbox
) -> None:
    """No number of sweeps makes an UNKNOWN payment FAILED."""
    payment_id, _ = flow.take("tok_timeout_after")
    sandbox.stop()
    for minutes in (2, 4, 6):
        sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=minutes))

    assert Status.UNKNOWN is flow.payment(payment_id).status

    sandbox.start()
    sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=60))

    assert Status.COMPLETED is flow.payment(payment_id).status


def test_a_payment_whose_request_died_is_swept(flow: Flow, sandbox: Sandbox) -> None:
    """Accepted and then left: the sweeper brings it to its end, and its key answers."""
    dead = DeadFlow(flow.database, flow.cache, flow.gateways, flow.merchant, flow.now)
    payment_id, answer = dead.take(key="order-1")

    assert answer.status == 202

    sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=2))
    again_id, again = flow.take(key="order-1")

    assert (payment_id, 201, "COMPLETED") == (again_id, again.status, body(again)["status"])
    assert len(sandbox.charges()) == 1


@pytest.mark.parametrize(("amount", "owed"), [(None, 960), (400, 369)])
def test_manual_capture_takes_all_or_part(flow: Flow, amount: int | None, owed: int) -> None:
    """AUTHORIZED reserves; the capture books what was captured, less its fee."""
    payment_id, answer = flow.take(capture="manual")

    assert body(answer)["status"] == "AUTHORIZED"
    assert Balance("EUR", 0, 1000, 0) == balance(flow)

    captured = flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=amount)

    assert (captured.status, body(captured)["status"]) == (200, "COMPLETED")
    assert Balance("EUR", owed, 0, 0) == balance(flow)


def test_an_authorised_payment_can_be_canceled(flow: Flow) -> None:
    """CANCELED: nothing is owed, nothing can be captured any more."""
    payment_id, _ = flow.take(capture="manual")
    answer = flow.operate(Operation.CANCEL, payment_id, operations.cancel)

    assert body(answer)["status"] == "CANCELED"
    assert Balance("EUR", 0, 0, 0) == balance(flow)
    with pytest.raises(errors.InvalidState):
        flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)


def test_a_refused_capture_leaves_the_payment_authorized(flow: Flow) -> None:
    """The answer says who refused; the next capture may try again."""
    payment_id, _ = flow.take("tok_capture_decline", capture="manual")
    answer = flow.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)

    assert (answer.status, body(answer)["code"]) == (402, "capture_refused")
    assert Status.AUTHORIZED is flow.payment(payment_id).status


def test_refunds_return_at_most_what_was_captured(flow: Flow) -> None:
    """Two partial refunds go back; a third that is more than what is left is refused."""
    payment_id, _ = flow.take(amount=1000)
    for amount in (300, 600):
        answer = flow.operate(
            Operation.REFUND, payment_id, operations.refund, amount=amount, reason=None
        )
        assert (answer.status, body(answer)["status"]) == (201, "COMPLETED")
    with pytest.raises(errors.InvalidRequest, match="At most 100"):
        flow.operate(Operation.REFUND, payment_id, operations.refund, amount=101, reason=None)

    assert Balance("EUR", 60, 0, 0) == balance(flow)


def test_an_unknown_refund_is_found_out_by_inquiry(flow: Flow) -> None:
    """The refund stays reserved while nobody knows, and is posted once it is found."""
    payment_id, _ = flow.take("tok_refund_error_after")
    answer = flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=500, reason="broken"
    )

    assert (answer.status, body(answer)["status"]) == (202, "UNKNOWN")
    assert Balance("EUR", 960, 0, 500) == balance(flow)

    sweeper.sweep(flow.database, flow.run, now=flow.now + dt.timedelta(minutes=2))

    assert Balance("EUR", 460, 0, 0) == balance(flow)


def test_a_refused_refund_gives_the_money_back_to_the_merchant(flow: Flow) -> None:
    """FAILED, and the reservation is void."""
    payment_id, _ = flow.take("tok_refund_decline")
    answer = flow.operate(Operation.REFUND, payment_id, operations.refund, amount=None, reason=None)

    assert body(answer)["status"] == "FAILED"
    assert Balance("EUR", 960, 0, 0) == balance(flow)


def test_live_payments_need_a_live_gateway(flow: Flow) -> None:
    """A mode without a gateway fails for certain instead of charging in another."""
    flow.gateways = {}
    _, answer = flow.take()

    assert body(answer)["failure"]["code"] == "gateway_not_configured"


@pytest.mark.parametrize("number", ["4242424242424242", "4242 4242 4242 4242"])
def test_a_card_number_is_refused(flow: Flow, number: str) -> None:
    """Tokens only: the number is neither stored nor sent."""
    with pytest.raises(errors.InvalidRequest, match="looks like a card number"):
        service.require_chargeable(service.PaymentRequest(Money(100, "EUR"), number))


@pytest.mark.parametrize("lifecycle", LIFECYCLES, ids=lambda one: one.name)
def test_the_database_holds_the_same_lifecycle(database: Database, lifecycle: Lifecycle) -> None:
    """`…_may_become` allows exactly what the table in the code leads to."""
    allowed = {(old, new) for (old, _), new in lifecycle.transitions.items()}
    function = f"SELECT {lifecycle.name}_may_become(%s, %s)"
    for old, new in product(lifecycle.statuses, repeat=2):
        given = [None if status == RUNNING else status for status in (old, new)]
        row = database.connection().execute(function.encode(), given).fetchone()
        assert row is not None
        assert ((old, new) in allowed) == row[0], (old, new)


def test_a_final_payment_never_changes(flow: Flow) -> None:
    """Postgres itself refuses a step outside the lifecycle, and any deletion."""
    payment_id, _ = flow.take()
    connection = flow.database.connection()

    for statement in (
        "UPDATE transactions SET status = 'FAILED' WHERE id = %s",
        "UPDATE transactions SET amount = 1 WHERE id = %s",
        "DELETE FROM transactions WHERE id = %s",
    ):
        with pytest.raises(psycopg.Error, match=r"can not become|never"):
            connection.execute(statement.encode(), (payment_id,))


def test_another_merchants_payment_does_not_exist(flow: Flow) -> None:
    """Neither read nor captured."""
    payment_id, _ = flow.take(capture="manual")
    stranger = Flow(flow.database, flow.cache, flow.gateways, MerchantId(ids.new_id()), flow.now)

    with pytest.raises(errors.NotFound):
        stranger.payment(payment_id)
    with pytest.raises(errors.NotFound):
        stranger.operate(Operation.CAPTURE, payment_id, operations.capture, amount=None)


def test_redis_is_not_needed(
    database: Database, sandbox: Sandbox, merchant: MerchantId, now: dt.datetime
) -> None:
    """With no Redis at all, payments are taken once all the same."""
    flow = Flow(database, Cache(""), {"test": sandbox.gateway}, merchant, now)
    first, again = flow.take(key="order-1"), flow.take(key="order-1")

    assert first[1].body == again[1].body
    assert len(sandbox.charges()) == 1


def test_unknown_payment(flow: Flow) -> None:
    """An id that nobody was given is not found."""
    with pytest.raises(errors.NotFound):
        flow.charge(PaymentId(ids.new_id()))
