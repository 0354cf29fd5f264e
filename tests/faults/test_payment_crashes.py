"""Payments whose process dies, or stalls and comes back, at each commit and each gateway call.

An order is a merchant's whole business with one payment. It is played once for each point at
which it can be cut; then the sweeper or the merchant's own repetition heals it. However it was
cut, the order ends as if nothing had happened: one charge, whole books, one answer a key.
"""

import datetime as dt
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.fraud.velocity import service as velocity
from paynexus.gateways.port import Gateway, Operation
from paynexus.idempotency import Answer
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.payments import expiry, operations, sweeper
from paynexus.payments.expiry import EXPIRY_RETRY
from paynexus.payments.model import AUTHORIZATION_LIFETIME, CHALLENGE_LIFETIME
from tests.faults.cuts import CutDatabase, CutGateway, DeadLine, Killed, Knife, Overtaken, die
from tests.flow import Flow
from tests.sandbox import Sandbox

pytestmark = pytest.mark.proof

PATIENCE_SECONDS = 30
RESUMABLE = dt.timedelta(seconds=31)
SWEPT = dt.timedelta(minutes=2)
ROUNDS = 7  # of two minutes: final within a quarter of an hour


@dataclass(frozen=True)
class Act:
    """What a merchant does with its payment after taking it."""

    operation: Operation
    begin: Callable[..., operations.Begun]
    how: Mapping[str, object]


@dataclass(frozen=True)
class Order:
    """A payment, what is done with it, and how it must end."""

    token: str
    amount: int
    status: str
    captured: int
    refunded: int = 0
    capture: str = "automatic"
    acts: tuple[Act, ...] = ()
    said: object = None
    """The status in the last answer, where it isn't the payment's."""
    is_never_charged: bool = False
    lasts: dt.timedelta = dt.timedelta()
    """How long nothing more happens after the acts; then the sweeper comes."""


CONFIRM = Act(Operation.CHARGE, operations.confirm, {"is_authenticated": True})
GIVE_UP = Act(Operation.CHARGE, operations.confirm, {"is_authenticated": False})
CAPTURE_SOME = Act(Operation.CAPTURE, operations.capture, {"amount": 300, "is_final": False})
CAPTURE_PART = Act(Operation.CAPTURE, operations.capture, {"amount": 400})
CANCEL = Act(Operation.CANCEL, operations.cancel, {})
REFUND_PART = Act(Operation.REFUND, operations.refund, {"amount": 300, "reason": None})
REFUND_REST = Act(Operation.REFUND, operations.refund, {"amount": None, "reason": None})

ORDERS = {
    "approved": Order("tok_approve", 1000, "COMPLETED", 1000),
    "declined": Order("tok_decline", 1000, "FAILED", 0),
    "blocked": Order("tok_approve", 1_000_001, "FAILED", 0, is_never_charged=True),
    "confirmed": Order("tok_approve", 50_001, "COMPLETED", 50_001, acts=(CONFIRM,)),
    "given up": Order("tok_approve", 50_001, "FAILED", 0, acts=(GIVE_UP,), is_never_charged=True),
    "captured": Order(
        "tok_approve", 1000, "COMPLETED", 400, capture="manual", acts=(CAPTURE_PART,)
    ),
    "captured in parts": Order(
        "tok_approve", 1000, "COMPLETED", 700, capture="manual", acts=(CAPTURE_SOME, CAPTURE_PART)
    ),
    "captured in part and canceled": Order(
        "tok_approve", 1000, "COMPLETED", 300, capture="manual", acts=(CAPTURE_SOME, CANCEL)
    ),
    "captured in part and refunded": Order(
        "tok_approve",
        1000,
        "AUTHORIZED",
        300,
        300,
        capture="manual",
        acts=(CAPTURE_SOME, REFUND_PART),
        said="COMPLETED",
    ),
    "expired": Order(
        "tok_approve",
        1000,
        "CANCELED",
        0,
        capture="manual",
        said="AUTHORIZED",
        lasts=AUTHORIZATION_LIFETIME + EXPIRY_RETRY,
    ),
    "captured in part and expired": Order(
        "tok_approve",
        1000,
        "COMPLETED",
        300,
        capture="manual",
        acts=(CAPTURE_SOME,),
        said="AUTHORIZED",
        lasts=AUTHORIZATION_LIFETIME + EXPIRY_RETRY,
    ),
    "never confirmed": Order(
        "tok_approve",
        50_001,
        "FAILED",
        0,
        said="CHALLENGED",
        is_never_charged=True,
        lasts=CHALLENGE_LIFETIME,
    ),
    "canceled": Order("tok_approve", 1000, "CANCELED", 0, capture="manual", acts=(CANCEL,)),
    "refunded": Order(
        "tok_approve", 1000, "COMPLETED", 1000, 1000, acts=(REFUND_PART, REFUND_REST)
    ),
    "capture refused": Order(
        "tok_capture_decline",
        1000,
        "AUTHORIZED",
        0,
        capture="manual",
        acts=(CAPTURE_PART,),
        said=402,
    ),
    "refund refused": Order(
        "tok_refund_decline", 1000, "COMPLETED", 1000, acts=(REFUND_PART,), said="FAILED"
    ),
    "answer lost": Order("tok_disconnect_after", 1000, "COMPLETED", 1000),
    "refund's answer lost": Order(
        "tok_refund_disconnect_after", 1000, "COMPLETED", 1000, 300, acts=(REFUND_PART,)
    ),
}


@dataclass
class Shop:
    """A merchant's orders on real parts, each played under keys of its own."""

    database: Database
    url: str
    cache: Cache
    sandbox: Sandbox
    merchant: MerchantId
    now: dt.datetime

    def healthy(self, *, after: dt.timedelta, gateway: Gateway | None = None) -> Flow:
        """A flow that nothing cuts, some time later."""
        gateways = {"test": gateway or self.sandbox.gateway}
        return Flow(self.database, self.cache, gateways, self.merchant, self.now + after)

    @contextmanager
    def cut(self, knife: Knife, how: str) -> Iterator[Flow]:
        """A flow that the knife cuts, in a process of its own."""
        gateway, database = CutGateway(self.sandbox.gateway, knife), Database(lambda: self.url)
        if how == "unheard":
            gateway = DeadLine(self.sandbox.gateway, knife)
        else:
            database = CutDatabase(self.url, knife, before_commits=how == "killed")
        yield Flow(database, self.cache, {"test": gateway}, self.merchant, self.now)
        database.close()


@pytest.fixture(name="shop")
def _shop(  # noqa: PLR0917 - fixtures
    database: Database,
    database_url: str,
    cache: Cache,
    merchant: MerchantId,
    now: dt.datetime,
    tmp_path: Path,
) -> Iterator[Shop]:
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    # As its upkeep leaves it: Redis counts, so that its call is what may be cut.
    velocity.tend(database, cache, now)
    yield Shop(database, database_url, cache, sandbox, merchant, now)
    sandbox.stop()


@pytest.mark.parametrize("healer", ["sweeper", "merchant"])
@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_dies_anywhere_is_brought_to_its_end(
    shop: Shop, name: str, healer: str, record_property: Callable[[str, object], None]
) -> None:
    """Killed before and after each commit and each gateway call."""
    for at in count():
        key, knife = secrets.token_hex(8), Knife(at, die)
        with shop.cut(knife, "killed") as flow, suppress(Killed):
            play(flow, ORDERS[name], key)
        if not knife.has_struck:
            break
        if healer == "sweeper":
            sweep(shop, ORDERS[name], key)
        require_healed(shop, ORDERS[name], key)

    record_property("points at which a payment was killed", at)
    assert at >= 8


@pytest.mark.parametrize("how", ["stalled", "unheard"])
@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_stalls_anywhere_and_comes_back_changes_nothing(
    shop: Shop, name: str, how: str, record_property: Callable[[str, object], None]
) -> None:
    """Stalled after a commit or around a gateway call, taken for dead, healed by others: back.

    Unheard: it stalled before a send, which then can't connect while its healer's send is on
    the wire. It knows so of itself alone. What is for days later is left to others: whoever came
    back then would find a charge that nobody has seen for long, and call it off.
    """
    own = ORDERS[name] if how == "stalled" else replace(ORDERS[name], lasts=dt.timedelta())
    for at in count():
        key = secrets.token_hex(8)
        stalled, back = threading.Event(), threading.Event()
        knife = Knife(at, _stall(stalled, back))
        with shop.cut(knife, how) as flow:
            zombie = threading.Thread(target=_play_on, args=(flow, own, key, stalled))
            zombie.start()
            assert stalled.wait(PATIENCE_SECONDS)

            def come_back(zombie: threading.Thread = zombie, back: threading.Event = back) -> None:
                back.set()
                zombie.join(PATIENCE_SECONDS)

            if knife.has_struck:
                sweep(shop, ORDERS[name], key, meanwhile=come_back if how == "unheard" else None)
            come_back()
        if not knife.has_struck:
            break
        sweep(shop, ORDERS[name], key)
        require_healed(shop, ORDERS[name], key)

    record_property(f"points at which a payment was {how}", at)
    assert at or ORDERS[name].is_never_charged


def play(flow: Flow, order: Order, key: str) -> tuple[PaymentId, list[Answer]]:
    """The merchant's requests, each under its key; what they were answered."""
    payment_id, answer = flow.take(
        f"{order.token}_{key}", order.amount, key=key, capture=order.capture
    )
    answers = [answer]
    for number, act in enumerate(order.acts):
        answers.append(
            flow.operate(act.operation, payment_id, act.begin, key=f"{key}-{number}", **act.how)
        )
    if order.lasts:
        for late in (order.lasts + SWEPT, order.lasts + 2 * SWEPT):
            watch(replace(flow, now=flow.now + late))
    return payment_id, answers


def watch(flow: Flow) -> int:
    """The scheduled run: what is left half-way goes on, what is over ends."""
    swept = sweeper.sweep(flow.database, flow.run, now=flow.now)
    return swept + expiry.expire(flow.database, flow.run, now=flow.now)


def sweep(
    shop: Shop, order: Order, key: str, *, meanwhile: Callable[[], object] | None = None
) -> None:
    """Nothing is left half-way, a quarter of an hour later at most.

    Where time is to pass, the merchant has repeated its requests long before that.
    """
    sweep_after(shop, dt.timedelta(), meanwhile)
    if order.lasts:
        play(shop.healthy(after=RESUMABLE), replace(order, lasts=dt.timedelta()), key)
        sweep_after(shop, order.lasts + EXPIRY_RETRY + 2 * SWEPT, meanwhile)


def sweep_after(
    shop: Shop, wait: dt.timedelta, meanwhile: Callable[[], object] | None = None
) -> None:
    """The scheduled runs come, beginning then."""
    gateway: Gateway = shop.sandbox.gateway
    if meanwhile:
        gateway = Overtaken(gateway, Knife(-1, die), meanwhile=meanwhile)
    for number in range(1, ROUNDS + 1):
        if not watch(shop.healthy(after=wait + number * SWEPT, gateway=gateway)):
            return
    pytest.fail("something is left half-way after a quarter of an hour")


def require_healed(shop: Shop, order: Order, key: str) -> None:
    """The merchant repeats its requests; all is as if the order had never been cut."""
    assert audit.violations(shop.database) == []
    flow = shop.healthy(after=RESUMABLE)
    play(flow, order, key)
    # Where the gateway's answer was lost, the repetition is what asks for it.
    payment_id, answers = play(flow, order, key)
    _, repeated = play(shop.healthy(after=2 * RESUMABLE), order, key)

    payment = flow.payment(payment_id)
    assert (str(payment.status), payment.captured_amount, payment.refunded_amount) == (
        order.status,
        order.captured,
        order.refunded,
    )
    assert (payment.refunding_amount, payment.open_operation) == (0, None)
    assert json.loads(answers[-1].body)["status"] == (order.said or order.status)
    assert [answer.body for answer in answers] == [answer.body for answer in repeated]
    assert all("Idempotent-Replayed" in answer.headers for answer in repeated)
    require_one_charge(shop, order, payment_id, key)


def require_one_charge(shop: Shop, order: Order, payment_id: PaymentId, key: str) -> None:
    """The acquirer's books hold the order's money once, as ours do."""
    store = shop.sandbox.store
    card = f"{order.token}_{key}"
    charges = [c for _, c, _ in store.charges(after=0, limit=10_000) if c.payment_method == card]
    if order.status == "FAILED":
        assert charges == []
        return
    (charge,) = charges
    assert charge.reference == ids.text("chg", payment_id)
    assert (charge.captured, charge.refunded) == (order.captured, order.refunded)
    assert charge.canceled == (order.status == "CANCELED")


def _stall(stalled: threading.Event, back: threading.Event) -> Callable[[], None]:
    def strike() -> None:
        stalled.set()
        assert back.wait(PATIENCE_SECONDS)

    return strike


def _play_on(flow: Flow, order: Order, key: str, stalled: threading.Event) -> None:
    """The order is played; one that comes back to a world that moved on may be refused."""
    with suppress(PayNexusError):
        play(flow, order, key)
    stalled.set()
