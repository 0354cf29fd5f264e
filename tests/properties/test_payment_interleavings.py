"""Two or three at one payment, over real connections: never more returned than was taken.

Each round has a payment of its own, so many that the rare orders of events come up as well.
"""

import datetime as dt
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from paynexus import errors, ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.gateways.port import Operation
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import expiry, operations, sweeper
from paynexus.payments.expiry import EXPIRY_RETRY
from paynexus.payments.model import AUTHORIZATION_LIFETIME, FINAL, Status
from tests.disputing import Bank
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome as End
from tools.sandbox_acquirer.rules import RequestRefused

AMOUNT = 1000
ROUNDS = 60
CROWD = 4
SEED = 20_261_123

type Act = Callable[[Bank, PaymentId, random.Random], object]


@pytest.fixture(name="flows")
def _flows(
    another_database: Callable[[], Database],
    cache: Cache,
    sandbox: Sandbox,
    merchant: MerchantId,
    now: dt.datetime,
) -> list[Flow]:
    gateways = {"test": sandbox.gateway}
    return [Flow(another_database(), cache, gateways, merchant, now) for _ in range(CROWD)]


def capture(bank: Bank, payment_id: PaymentId, chance: random.Random) -> object:
    """Some of it, perhaps for good."""
    amount, is_final = chance.choice([100, 400, 700, None]), chance.random() < 0.3
    return bank.flow.operate(
        Operation.CAPTURE, payment_id, operations.capture, amount=amount, is_final=is_final
    )


def cancel(bank: Bank, payment_id: PaymentId, _: random.Random) -> object:
    """All that is left."""
    return bank.flow.operate(Operation.CANCEL, payment_id, operations.cancel)


def refund(bank: Bank, payment_id: PaymentId, chance: random.Random) -> object:
    """Some of it, or all there is."""
    amount = chance.choice([100, 400, 700, None])
    return bank.flow.operate(
        Operation.REFUND, payment_id, operations.refund, amount=amount, reason=None
    )


def confirm(bank: Bank, payment_id: PaymentId, chance: random.Random) -> object:
    """Yes, mostly."""
    is_authenticated = chance.random() < 0.8
    return bank.flow.operate(
        Operation.CHARGE, payment_id, operations.confirm, is_authenticated=is_authenticated
    )


def expire(bank: Bank, _: PaymentId, __: random.Random) -> object:
    """A week has passed for this one alone."""
    flow = bank.flow
    now = flow.now + AUTHORIZATION_LIFETIME + EXPIRY_RETRY + dt.timedelta(minutes=1)
    return expiry.expire(flow.database, replace(flow, now=now).run, now=now)


def dispute(bank: Bank, payment_id: PaymentId, chance: random.Random) -> object:
    """Some of it, or all there is; won, lost, or not decided yet."""
    name = bank.open(payment_id, chance.choice([100, 400, 700, None]))
    bank.learn(name)
    end = chance.choice([*End, None])
    if end is not None:
        bank.close(name, end)
    return bank.learn(name)


CROWDS: dict[str, tuple[int, str, tuple[Act, ...]]] = {
    "refund, refund": (AMOUNT, "automatic", (refund,)),
    "refund, capture": (AMOUNT, "manual", (capture, refund, capture)),
    "capture, cancel": (AMOUNT, "manual", (capture, cancel)),
    "confirm, confirm": (60_000, "automatic", (confirm,)),
    "confirm, cancel": (60_000, "automatic", (confirm, cancel)),
    "capture, refund, expiry": (AMOUNT, "manual", (capture, refund, expire)),
    "refund, dispute": (AMOUNT, "automatic", (refund, dispute)),
    "capture, refund, dispute": (AMOUNT, "manual", (capture, refund, dispute)),
    "all of it": (60_000, "manual", (confirm, capture, refund, cancel, dispute)),
}


@pytest.mark.proof
@pytest.mark.parametrize("name", CROWDS)
def test_no_interleaving_returns_more_than_was_taken(
    database: Database,
    flows: list[Flow],
    sandbox: Sandbox,
    name: str,
    record_property: Callable[[str, object], None],
) -> None:
    """The acquirer's books and ours agree, and nothing is left half-way."""
    amount, how, acts = CROWDS[name]
    done: list[str] = []
    with ThreadPoolExecutor(CROWD) as pool:
        for number in range(ROUNDS):
            payment_id, _ = flows[0].take(_token(number), amount, capture=how)
            jobs = [
                pool.submit(_act, Bank(flow, sandbox), acts, payment_id, _chance(number, place))
                for place, flow in enumerate(flows)
            ]
            done += [name for job in jobs for name in job.result(60)]
            _heal(flows[0])
            require_agreement(flows[0], sandbox, payment_id)

    record_property("operations that were taken", len(done))
    assert len(done) >= ROUNDS
    assert audit.violations(database) == []


def require_agreement(flow: Flow, sandbox: Sandbox, payment_id: PaymentId) -> None:
    """What we say was taken and returned is what was, and the second is the less."""
    payment = flow.payment(payment_id)
    charge = sandbox.store.charge(ids.text("chg", payment_id))
    assert payment.open_operation is None
    assert payment.status in FINAL | {Status.AUTHORIZED, Status.CHALLENGED}
    assert payment.refunding_amount == 0
    returned = payment.refunded_amount + payment.disputed_amount
    assert 0 <= returned <= payment.captured_amount <= payment.money.amount
    if charge is None:
        assert payment.captured_amount == 0
        return
    assert (charge.captured, charge.refunded) == (payment.captured_amount, payment.refunded_amount)
    assert charge.disputed == payment.disputed_amount + payment.disputed_excess
    assert charge.canceled == (payment.status is Status.CANCELED)
    is_held = not charge.released and charge.captured < charge.amount
    assert payment.status is not Status.COMPLETED or not is_held


def _act(
    bank: Bank, acts: tuple[Act, ...], payment_id: PaymentId, chance: random.Random
) -> list[str]:
    done = []
    for _ in range(3):
        act = chance.choice(acts)
        with suppress(errors.InvalidState, errors.InvalidRequest, RequestRefused):
            act(bank, payment_id, chance)
            done.append(act.__name__)
    return done


def _chance(number: int, place: int) -> random.Random:
    return random.Random(f"{SEED} {number} {place}")  # noqa: S311 - a test's dice, to be thrown again


def _heal(flow: Flow) -> None:
    for minutes in (2, 4):
        now = flow.now + AUTHORIZATION_LIFETIME + EXPIRY_RETRY + dt.timedelta(minutes=minutes)
        sweeper.sweep(flow.database, replace(flow, now=now).run, now=now)


def _token(number: int) -> str:
    """Most answers arrive; some are lost on their way back."""
    lost = {5: "tok_refund_disconnect_after", 11: "tok_capture_disconnect_after"}
    return lost.get(number % 12, "tok_approve")
