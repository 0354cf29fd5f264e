"""One authorisation captured in parts: what each part books, and how the last one comes."""

import json
from typing import Any

import pytest

from paynexus import errors, ids
from paynexus.gateways.port import Instruction, Operation
from paynexus.ids import PaymentId
from paynexus.ledger import reading
from paynexus.ledger.model import PARTS_LIMIT, Balance
from paynexus.money import Money
from paynexus.payments import operations
from paynexus.payments.model import Status
from tests.flow import Flow
from tests.sandbox import Sandbox


def capture(
    flow: Flow, payment_id: PaymentId, amount: int | None, *, is_final: bool
) -> dict[str, Any]:
    """What the capture is answered."""
    answer = flow.operate(
        Operation.CAPTURE, payment_id, operations.capture, amount=amount, is_final=is_final
    )
    said: dict[str, Any] = json.loads(answer.body)
    return said


def refund(flow: Flow, payment_id: PaymentId, amount: int | None) -> str:
    """The status that the refund ends in."""
    answer = flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=amount, reason=None
    )
    return str(json.loads(answer.body)["status"])


def balance(flow: Flow) -> Balance:
    """What the merchant is owed in EUR."""
    (found,) = reading.balances(flow.database.connection(), flow.merchant, "test")
    return found.balance


def told(flow: Flow, payment_id: PaymentId) -> list[str]:
    """What merchants are told of the payment, after it was taken."""
    rows = flow.database.connection().execute(
        "SELECT type FROM events WHERE object_id = %s ORDER BY sequence OFFSET 2",
        (ids.text("pay", payment_id),),
    )
    return [row[0] for row in rows]


def test_parts_are_booked_as_they_are_captured(flow: Flow, sandbox: Sandbox) -> None:
    """Each is owed at once less its own fee; the fixed part is charged once; the rest is held."""
    payment_id, _ = flow.take(capture="manual", amount=1000)

    first = capture(flow, payment_id, 400, is_final=False)
    assert (first["status"], first["captured"]["amount"]) == ("AUTHORIZED", 400)
    assert first["fee"]["amount"] == 31
    assert balance(flow) == Balance("EUR", 369, 600, 0)

    second = capture(flow, payment_id, 300, is_final=False)
    assert (second["captured"]["amount"], second["fee"]["amount"]) == (700, 35)
    assert balance(flow) == Balance("EUR", 665, 300, 0)

    last = capture(flow, payment_id, 100, is_final=True)
    assert (last["status"], last["captured"]["amount"]) == ("COMPLETED", 800)
    assert balance(flow) == Balance("EUR", 763, 0, 0)
    assert told(flow, payment_id) == [
        "payment.partially_captured.v1",
        "payment.partially_captured.v1",
        "payment.completed.v1",
    ]
    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    assert charge.captured == 800


def test_the_capture_of_all_that_is_left_is_the_last(flow: Flow) -> None:
    """Whatever it said of itself: with and without an amount."""
    for amount in (600, None):
        payment_id, _ = flow.take(capture="manual", amount=1000)
        capture(flow, payment_id, 400, is_final=False)

        assert capture(flow, payment_id, amount, is_final=False)["status"] == "COMPLETED"
        assert flow.payment(payment_id).captured_amount == 1000


def test_the_fiftieth_capture_is_the_last(flow: Flow) -> None:
    """As many parts as a transfer has; the rest is released."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    statuses = [capture(flow, payment_id, 10, is_final=False)["status"] for _ in range(PARTS_LIMIT)]

    assert statuses == ["AUTHORIZED"] * (PARTS_LIMIT - 1) + ["COMPLETED"]
    assert flow.payment(payment_id).captured_amount == 500
    with pytest.raises(errors.InvalidState):
        capture(flow, payment_id, 10, is_final=False)


def test_no_part_takes_more_than_is_left(flow: Flow) -> None:
    """InvalidRequest says how much there is."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    capture(flow, payment_id, 700, is_final=False)

    with pytest.raises(errors.InvalidRequest, match="between 1 and 300"):
        capture(flow, payment_id, 301, is_final=True)


def test_a_refused_part_leaves_the_earlier_ones(flow: Flow, sandbox: Sandbox) -> None:
    """The payment stays AUTHORIZED with what it had."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    capture(flow, payment_id, 400, is_final=False)
    # The acquirer has given the rest up by itself.
    release = Instruction(
        Operation.CANCEL,
        "by-itself",
        Money(1000, "EUR"),
        original_reference=ids.text("chg", payment_id),
    )
    sandbox.gateway.send(release, deadline_seconds=2)

    assert capture(flow, payment_id, 100, is_final=False)["code"] == "capture_refused"
    payment = flow.payment(payment_id)
    assert (payment.status, payment.captured_amount) == (Status.AUTHORIZED, 400)


@pytest.mark.parametrize("parts", [(400,), (300, 200), (1000,), (600, 400)])
def test_the_last_capture_releases_the_rest_at_the_acquirer(
    flow: Flow, sandbox: Sandbox, parts: tuple[int, ...]
) -> None:
    """The payer's money is held no longer than the payment says; before the last it is."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    seen = []
    for number, amount in enumerate(parts, start=1):
        capture(flow, payment_id, amount, is_final=number == len(parts))
        charge = sandbox.store.charge(ids.text("chg", payment_id))
        assert charge is not None
        seen.append((charge.captured, charge.released))

    *before, last = seen
    assert not any(is_released for _, is_released in before)
    assert last == (sum(parts), sum(parts) < 1000)


def test_a_cancel_releases_what_was_not_captured(flow: Flow, sandbox: Sandbox) -> None:
    """COMPLETED with what was; twice is refused; the acquirer keeps it too."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    capture(flow, payment_id, 400, is_final=False)
    answer = flow.operate(Operation.CANCEL, payment_id, operations.cancel)

    assert json.loads(answer.body)["status"] == "COMPLETED"
    assert balance(flow) == Balance("EUR", 369, 0, 0)
    assert told(flow, payment_id)[-1] == "payment.completed.v1"
    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    assert (charge.captured, charge.released, charge.canceled) == (400, True, False)
    with pytest.raises(errors.InvalidState):
        flow.operate(Operation.CANCEL, payment_id, operations.cancel)


def test_what_was_captured_may_go_back_before_the_last_capture(flow: Flow) -> None:
    """But nothing of what is only held, then or later."""
    payment_id, _ = flow.take(capture="manual", amount=1000)
    with pytest.raises(errors.InvalidState):
        refund(flow, payment_id, 1)
    capture(flow, payment_id, 400, is_final=False)

    with pytest.raises(errors.InvalidRequest, match="At most 400"):
        refund(flow, payment_id, 401)
    assert refund(flow, payment_id, None) == "COMPLETED"
    assert capture(flow, payment_id, 100, is_final=True)["status"] == "COMPLETED"
    with pytest.raises(errors.InvalidRequest, match="At most 100"):
        refund(flow, payment_id, 101)
    assert refund(flow, payment_id, 100) == "COMPLETED"
    assert flow.payment(payment_id).refunded_amount == 500
