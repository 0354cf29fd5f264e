"""What becomes of a charge that nobody could answer for: called off, told late, sent back."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import NotFound
from paynexus.gateways.port import Instruction, Operation, Outcome, Result
from paynexus.ids import MerchantId, PaymentId
from paynexus.payments import authority, endings, operations
from paynexus.payments.authority import Settled
from paynexus.payments.deciding import decide
from paynexus.payments.store import commits
from tests.integration.unknown_world import APPROVED, DECLINED, Lost, Refusing, Shop, Wire
from tests.sandbox import Sandbox

MINUTE = dt.timedelta(minutes=1)
HOUR = 60 * MINUTE


@pytest.fixture(name="shop")
def _shop(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime, tmp_path: Path
) -> Iterator[Shop]:
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    wire = Wire(sandbox.gateway)
    yield Shop(database, cache, {"test": wire}, merchant, now, wire=wire, sandbox=sandbox)
    sandbox.stop()


def test_a_first_call_that_never_left_ends_at_once(shop: Shop) -> None:
    """That is certain: nothing is asked for, nothing is called off."""
    shop.wire.is_dead = True
    payment_id, _ = shop.take()

    assert shop.status(payment_id) == ("FAILED", "connect_refused")
    assert shop.later(7 * HOUR) == 0


def test_a_charge_nobody_answers_for_is_called_off_after_six_hours(shop: Shop) -> None:
    """It had taken effect: the cancel undoes it, is on record, and only then is FAILED proven."""
    payment_id, _ = shop.take("tok_disconnect_after")
    shop.wire.is_deaf = True
    shop.later(5 * HOUR)
    assert shop.status(payment_id) == ("UNKNOWN", None)

    shop.later(HOUR)

    assert shop.status(payment_id) == ("FAILED", "charge_called_off")
    [charge] = [one for _, one, _ in shop.sandbox.store.charges(after=0, limit=10)]
    assert charge.canceled
    assert shop.ask(
        "SELECT operation, left(reference, 4), outcome, code FROM attempts"
        " WHERE payment_id = %s ORDER BY created_at",
        payment_id,
    ) == [
        ("charge", "chg_", "DECLINED", "charge_called_off"),
        ("cancel", "off_", "APPROVED", None),
    ]


def test_a_cancel_that_can_not_be_sent_proves_nothing(shop: Shop) -> None:
    """It is on record, goes out again each hour under the same reference, and ends it then."""
    payment_id, _ = shop.take("tok_disconnect_after")
    shop.wire.is_deaf = shop.wire.is_dead = True
    for _ in range(9):
        shop.later(HOUR)
    assert shop.status(payment_id) == ("UNKNOWN", None)
    query = "SELECT outcome, calls FROM attempts WHERE operation = 'cancel'"
    assert shop.ask(query) == [("UNKNOWN", 4)]

    shop.wire.is_dead = False
    shop.later(HOUR)

    assert shop.ask(query) == [("APPROVED", 5)]
    assert shop.status(payment_id) == ("FAILED", "charge_called_off")


def test_an_approval_found_while_the_cancel_is_under_way_counts_for_nothing(shop: Shop) -> None:
    """Another run finds it just before the cancel strikes: the payment isn't COMPLETED by it."""
    payment_id, _ = shop.take("tok_disconnect_after")
    shop.wire.is_deaf = True
    shop.now += 7 * HOUR
    said: list[Settled] = []
    shop.wire.before_cancel = lambda: said.append(shop.settle(payment_id, APPROVED))

    shop.later(dt.timedelta())

    assert said == [Settled.BEING_CALLED_OFF]
    assert shop.status(payment_id) == ("FAILED", "charge_called_off")


def test_a_cancel_that_is_refused_leaves_the_last_word_to_the_gateway(shop: Shop) -> None:
    """The charge can't be called off: it is asked for on, and its approval counts again."""
    payment_id, _ = shop.take("tok_disconnect_after")
    shop.sandbox.gateway.send(
        Instruction(
            Operation.REFUND,
            "by_somebody_else",
            shop.payment(payment_id).money,
            original_reference=ids.text("chg", payment_id),
        ),
        deadline_seconds=1,
    )
    shop.wire.is_deaf = True
    shop.later(7 * HOUR)
    assert shop.status(payment_id) == ("UNKNOWN", None)

    shop.wire.is_deaf = False
    shop.later(HOUR)

    assert shop.status(payment_id) == ("COMPLETED", None)


def test_a_case_is_opened_once_and_closed_by_whatever_clears_it_up(shop: Shop) -> None:
    """After half a day, with a deadline; the acquirer's file is what comes first here."""
    payment_id, _ = shop.take("tok_disconnect_after")
    shop.wire.is_deaf = shop.wire.is_dead = True
    for _ in range(14):
        shop.later(HOUR)
    query = "SELECT kind, state, due_at > opened_at, resolution, who FROM cases"
    assert shop.ask(query) == [("unknown_outcome", "OPEN", True, None, None)]

    assert shop.settle(payment_id, DECLINED) is Settled.SETTLED

    assert shop.ask(query) == [("unknown_outcome", "CLOSED", True, "DECLINED", "paynexus")]
    assert shop.status(payment_id) == ("FAILED", "insufficient_funds")


@pytest.mark.parametrize(
    ("result", "status"),
    [(APPROVED, ("COMPLETED", None)), (DECLINED, ("FAILED", "insufficient_funds"))],
)
def test_the_settlement_file_has_the_last_word(
    shop: Shop, result: Result, status: tuple[str, str | None]
) -> None:
    """Said once it is settled; said again it was known; books, answer and event follow."""
    payment_id, _ = shop.take("tok_disconnect_after")

    assert shop.settle(payment_id, result) is Settled.SETTLED
    assert shop.settle(payment_id, result) is Settled.KNOWN
    assert shop.status(payment_id) == status
    assert shop.later(2 * HOUR) == 0


@pytest.mark.parametrize(("result", "returned"), [(APPROVED, 300), (DECLINED, 0)])
def test_the_file_speaks_of_refunds_too(shop: Shop, result: Result, returned: int) -> None:
    """Their reservation is posted or released, and the key answers."""
    payment_id, _ = shop.take("tok_refund_disconnect_after")
    shop.operate(Operation.REFUND, payment_id, operations.refund, amount=300, reason=None)
    [(reference,)] = shop.ask("SELECT reference FROM attempts WHERE operation = 'refund'")

    authority.settle_unknown(shop.database, str(reference), result, now=shop.now)

    payment = shop.payment(payment_id)
    assert (payment.refunded_amount, payment.refunding_amount) == (returned, 0)


def test_the_last_word_must_be_sure_and_about_something_of_ours(shop: Shop) -> None:
    """Nothing is guessed."""
    payment_id, _ = shop.take("tok_disconnect_after")

    for outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT):
        with pytest.raises(ValueError, match="only an approval or a decline"):
            shop.settle(payment_id, Result(outcome))
    with pytest.raises(NotFound):
        authority.settle_unknown(shop.database, "chg_nobody", APPROVED, now=shop.now)
    assert shop.status(payment_id) == ("UNKNOWN", None)


def test_a_word_against_what_was_certain_is_a_persons_business(shop: Shop) -> None:
    """An approved charge that the file denies: nothing changes, one case is opened."""
    payment_id, _ = shop.take()

    for _ in range(2):
        assert shop.settle(payment_id, DECLINED) is Settled.CONTRADICTED

    assert shop.status(payment_id) == ("COMPLETED", None)
    assert shop.ask("SELECT kind, state FROM cases") == [("contradiction", "OPEN")]


def test_money_that_comes_after_a_cancel_is_sent_back(shop: Shop) -> None:
    """Called off for certain, then approved all the same: booked in, reversed, booked out."""
    payment_id, _ = shop.take("tok_disconnect_before")
    shop.later(11 * MINUTE)
    assert shop.status(payment_id) == ("FAILED", "charge_called_off")

    assert shop.settle(payment_id, APPROVED) is Settled.LATE
    assert shop.suspense() == -1000
    assert shop.settle(payment_id, APPROVED) is Settled.LATE
    assert shop.suspense() == -1000
    shop.later(2 * MINUTE)

    assert shop.suspense() == 0
    assert shop.status(payment_id) == ("FAILED", "charge_called_off")
    assert shop.events(payment_id)[-2:] == [
        "payment.late_approved.v1",
        "payment.late_approval_returned.v1",
    ]
    assert shop.later(2 * HOUR) == 0


def test_the_return_is_repeated_until_the_gateway_has_heard_it(shop: Shop) -> None:
    """Under one reference, at the ladder's pace; the money stands in suspense meanwhile."""
    payment_id = _late(shop)
    shop.wire.is_deaf = shop.wire.is_dead = True
    for _ in range(5):
        shop.later(HOUR)
    assert shop.suspense() == -1000

    shop.wire.is_deaf = shop.wire.is_dead = False
    shop.later(HOUR)

    assert shop.suspense() == 0
    [charge] = [one for _, one, _ in shop.sandbox.store.charges(after=0, limit=10)]
    assert charge.canceled
    query = "SELECT count(*) FROM attempts WHERE payment_id = %s AND reference LIKE 'can_%%'"
    assert shop.ask(query, payment_id) == [(1,)]


def test_what_can_not_be_canceled_is_refunded(shop: Shop) -> None:
    """The cancel is declined: the same money goes back by a refund."""
    payment_id = _late(shop, token="tok_cancel_decline")

    shop.later(2 * MINUTE)
    shop.later(2 * MINUTE)

    [charge] = [one for _, one, _ in shop.sandbox.store.charges(after=0, limit=10)]
    assert (charge.canceled, charge.refunded) == (False, 1000)
    assert shop.suspense() == 0
    assert shop.status(payment_id)[0] == "CANCELED"


def test_money_that_the_gateway_keeps_is_a_persons_business(shop: Shop) -> None:
    """Neither way back is open: it stays in suspense, and one case is opened."""
    payment_id, _ = shop.take("tok_decline")
    shop.settle(payment_id, APPROVED)  # of which the acquirer's own books know nothing
    shop.gateways = {"test": Refusing(shop.wire.inner)}

    for _ in range(4):
        shop.later(2 * MINUTE)

    assert shop.suspense() == -1000
    assert shop.ask("SELECT kind, state FROM cases") == [("late_approval_kept", "OPEN")]
    assert shop.later(2 * MINUTE) == 0


def _late(shop: Shop, token: str = "tok_approve") -> PaymentId:
    """A charge whose approval is found when its payment had been CANCELED without it."""
    shop.wire.is_deaf = True
    lost = Lost(shop.wire.inner)
    shop.gateways = {"test": lost}
    payment_id, _ = shop.take(token)
    shop.gateways = {"test": shop.wire}
    decide(
        shop.database,
        payment_id,
        payment_id,
        lambda connection, standing: commits.end(
            connection, endings.canceled(standing.payment), now=shop.now
        ),
    )
    assert shop.status(payment_id) == ("CANCELED", None)
    shop.wire.is_deaf = False
    shop.later(MINUTE)
    assert shop.events(payment_id)[-1] == "payment.late_approved.v1"
    assert shop.suspense() == -1000
    return payment_id
