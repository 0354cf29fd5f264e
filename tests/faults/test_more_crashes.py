"""Cut at each call of Redis, in the callback's flow, and a second time while the first heals."""

import datetime as dt
import json
import secrets
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import pytest

from paynexus import ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.velocity import service as velocity
from paynexus.gateways.port import Operation
from paynexus.idempotency import Answer
from paynexus.ids import MerchantId, PaymentId
from paynexus.ledger import audit
from paynexus.lists.model import Page
from paynexus.payments import callbacks, disputes, operations
from paynexus.payments.pursuit import reference_of
from tests.disputing import Bank
from tests.faults.asking import ask, hear, is_final, watch
from tests.faults.cuts import CutCache, CutDatabase, CutGateway, Killed, Knife, die
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome as End

pytestmark = pytest.mark.proof

AGAIN = dt.timedelta(seconds=31)
MINUTE = dt.timedelta(minutes=1)
MINUTES_TO_HEAL = 15
AMOUNT = 1000
PAIRS_APART = 6
"""The second cut of a pair is tried at one in so many points, a different one each time."""

type Begin = tuple[Operation, Callable[..., operations.Begun], dict[str, object]]

ORDERS: dict[str, tuple[str, int, str, tuple[Begin, ...]]] = {
    "approved": ("tok_approve", AMOUNT, "automatic", ()),
    "declined": ("tok_decline", AMOUNT, "automatic", ()),
    "answer lost": ("tok_disconnect_after", AMOUNT, "automatic", ()),
    "confirmed": (
        "tok_approve",
        60_000,
        "automatic",
        ((Operation.CHARGE, operations.confirm, {"is_authenticated": True}),),
    ),
    "captured in part and refunded": (
        "tok_approve",
        AMOUNT,
        "manual",
        (
            (Operation.CAPTURE, operations.capture, {"amount": 400}),
            (Operation.REFUND, operations.refund, {"amount": 300, "reason": None}),
        ),
    ),
    "canceled": (
        "tok_approve",
        AMOUNT,
        "manual",
        ((Operation.CANCEL, operations.cancel, {}),),
    ),
}


@dataclass
class Shop:
    """A merchant's orders on real parts, and whoever may be cut while it takes them."""

    database: Database
    url: str
    redis_url: str
    sandbox: Sandbox
    merchant: MerchantId
    now: dt.datetime

    def healthy(self, *, after: dt.timedelta = dt.timedelta()) -> Flow:
        """A process that nothing cuts, some time later."""
        gateways = {"test": self.sandbox.gateway}
        return Flow(self.database, Cache(self.redis_url), gateways, self.merchant, self.now + after)

    def cut(
        self, knife: Knife, act: Callable[[Flow], object], *, after: dt.timedelta, only: str = ""
    ) -> None:
        """The act in a process of its own, as far as the knife lets it come."""
        nothing = Knife(-1, die)
        database = CutDatabase(self.url, nothing if only else knife, before_commits=True)
        gateway = CutGateway(self.sandbox.gateway, nothing if only else knife)
        cache = CutCache(self.redis_url, knife)
        with closing(database), suppress(Killed):
            act(Flow(database, cache, {"test": gateway}, self.merchant, self.now + after))


@pytest.fixture(name="shop")
def _shop(  # noqa: PLR0917 - fixtures
    database: Database,
    database_url: str,
    redis_url: str,
    sandbox: Sandbox,
    merchant: MerchantId,
    now: dt.datetime,
) -> Shop:
    # As its upkeep leaves it: Redis counts, so that its call is what may be cut.
    velocity.tend(database, Cache(redis_url), now)
    return Shop(database, database_url, redis_url, sandbox, merchant, now)


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_that_dies_around_a_call_of_redis_is_brought_to_its_end(
    shop: Shop, name: str, record_property: Callable[[str, object], None]
) -> None:
    """Before and after each: what Redis knows and what it does not know are both right."""
    for at in count():
        key, knife = secrets.token_hex(8), Knife(at, die)
        shop.cut(knife, partial(play, name=name, key=key), after=0 * MINUTE, only="redis")
        if not knife.has_struck:
            break
        require_healed(shop, name, key)

    record_property("calls of Redis around which a payment was killed", at)
    # What it knows of the request; and what it is told, if that is final.
    assert at >= 2


@pytest.mark.parametrize("name", ["approved", "answer lost"])
def test_an_order_that_dies_twice_is_brought_to_its_end(
    shop: Shop, name: str, record_property: Callable[[str, object], None]
) -> None:
    """Cut anywhere, and again anywhere while its merchant repeats it."""
    pairs = 0
    for first in count():
        for second in count(first % PAIRS_APART, PAIRS_APART):
            key, knife, other = secrets.token_hex(8), Knife(first, die), Knife(second, die)
            act = partial(play, name=name, key=key)
            shop.cut(knife, act, after=0 * MINUTE)
            if not knife.has_struck:
                break
            shop.cut(other, act, after=AGAIN)
            if not other.has_struck:
                break
            pairs += 1
            require_healed(shop, name, key)
        if not knife.has_struck:
            break

    record_property("pairs of points at which a payment was killed", pairs)
    assert pairs >= 30


@pytest.mark.parametrize("is_repeated", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize("who", ["receiver", "sweeper"])
@pytest.mark.parametrize("operation", [Operation.CHARGE, Operation.CAPTURE, Operation.REFUND])
def test_a_callback_whose_taker_dies_anywhere_is_acted_on(
    shop: Shop,
    operation: Operation,
    who: str,
    is_repeated: bool,  # noqa: FBT001 - a parameter of the case
    record_property: Callable[[str, object], None],
) -> None:
    """By whom it is received, or by whom it is taken up; whether or not it comes again."""
    for at in count():
        payment_id, body = _unheard(shop, operation)
        knife = Knife(at, die)
        if who == "receiver":
            shop.cut(knife, partial(hear, body=body), after=dt.timedelta(seconds=1))
        else:
            hear(shop.healthy(), body, is_acted_on=False)
            shop.cut(knife, _sweep_callbacks, after=2 * MINUTE)
        if is_repeated:
            hear(shop.healthy(after=2 * MINUTE), body)
        _let_heal(shop)
        _require_heard(shop, operation, payment_id, body)
        if not knife.has_struck:
            break

    record_property("points at which a callback's taker was killed", at)
    assert at >= 6


@pytest.mark.parametrize("who", ["receiver", "sweeper"])
@pytest.mark.parametrize("charge", ["known", "unheard"])
@pytest.mark.parametrize("end", list(End))
def test_a_dispute_whose_taker_dies_anywhere_is_on_record_once(
    shop: Shop, end: End, charge: str, who: str, record_property: Callable[[str, object], None]
) -> None:
    """Opened and ended, each booked and told once, also of a charge that nobody had heard of."""
    for at in count():
        flow, knife = shop.healthy(), Knife(at, die)
        payment_id, _ = flow.take("tok_approve" if charge == "known" else "tok_disconnect_after")
        body = _dispute(shop, payment_id, end)
        if who == "receiver":
            shop.cut(knife, partial(hear, body=body), after=dt.timedelta(seconds=1))
            hear(shop.healthy(after=2 * MINUTE), body)
        else:
            hear(flow, body, is_acted_on=False)
            shop.cut(knife, _sweep_callbacks, after=2 * MINUTE)
        _let_heal(shop)
        _require_disputed_once(shop, payment_id, end)
        if not knife.has_struck:
            break

    record_property("points at which a dispute's taker was killed", at)
    assert at >= 9


def play(flow: Flow, name: str, key: str) -> tuple[PaymentId, list[Answer]]:
    """The merchant's requests, each under its key, as the API answers them."""
    token, amount, capture, acts = ORDERS[name]
    answers = [
        ask(flow, key, lambda: flow.take(f"{token}_{key}", amount, key=key, capture=capture)[1])
    ]
    payment_id = PaymentId(ids.parse("pay", json.loads(answers[0].body)["id"]))
    for number, (operation, begin, how) in enumerate(acts):
        own = f"{key}-{number}"
        act = partial(flow.operate, operation, payment_id, begin, key=own, **how)
        answers.append(ask(flow, own, act))
    return payment_id, answers


def require_healed(shop: Shop, name: str, key: str) -> None:
    """Sweepers come, then the merchant repeats: one charge, whole books, one answer a key."""
    _let_heal(shop)
    assert _left_half_way(shop) == 0
    play(shop.healthy(after=MINUTES_TO_HEAL * MINUTE + AGAIN), name, key)
    _let_heal(shop)
    payment_id, answers = play(shop.healthy(after=20 * MINUTE), name, key)
    _, repeated = play(replace(shop.healthy(after=25 * MINUTE), cache=Cache("")), name, key)

    assert [one.body for one in answers] == [one.body for one in repeated]
    assert all(is_final(one) for one in answers)
    token = ORDERS[name][0]
    rows = shop.sandbox.store.charges(after=0, limit=100_000)
    references = [one.reference for _, one, _ in rows if one.payment_method == f"{token}_{key}"]
    assert references == ([] if name == "declined" else [ids.text("chg", payment_id)])


def _let_heal(shop: Shop) -> None:
    for minute in (1, 2, 4, 8, 11, 13, MINUTES_TO_HEAL):
        watch(shop.healthy(after=minute * MINUTE))


def _left_half_way(shop: Shop) -> int:
    query = (
        "SELECT (SELECT count(*) FROM transactions WHERE status IN ('PENDING', 'UNKNOWN')"
        " OR open_operation IS NOT NULL) + (SELECT count(*) FROM refunds WHERE status = 'PENDING')"
    )
    [row] = shop.database.connection().execute(query.encode()).fetchall()
    assert audit.violations(shop.database) == []
    return int(row[0])


def _sweep_callbacks(flow: Flow) -> None:
    callbacks.sweep(flow.database, flow.run, ask=flow.ask_about, now=flow.now)


def _dispute(shop: Shop, payment_id: PaymentId, end: End) -> str:
    """A dispute that is opened and ended before we hear of it, and the callback that tells."""
    bank = Bank(shop.healthy(), shop.sandbox)
    name = bank.open(payment_id)
    bank.close(name, end)
    return json.dumps({"id": f"cb_{name}", "dispute": {"id": name}})


def _require_disputed_once(shop: Shop, payment_id: PaymentId, end: End) -> None:
    flow = shop.healthy()
    found, _ = disputes.page(flow.database, flow.merchant, "test", Page(1))
    assert [(one.payment_id, str(one.status)) for one in found] == [(payment_id, end.upper())]
    name = ids.text("dp", found[0].id)
    query = "SELECT type, sequence FROM events WHERE object_id = %s ORDER BY sequence"
    told = shop.database.connection().execute(query, (name,)).fetchall()
    assert told == [("dispute.opened.v1", 1), (f"dispute.{end}.v1", 2)]
    payment = flow.payment(payment_id)
    assert str(payment.status) == "COMPLETED"
    assert payment.disputed_amount == (AMOUNT if end is End.LOST else 0)
    assert _left_half_way(shop) == 0


def _unheard(shop: Shop, operation: Operation) -> tuple[PaymentId, str]:
    """A payment whose operation was approved and never answered, and the callback of it."""
    flow = shop.healthy()
    if operation is Operation.CHARGE:
        payment_id, _ = flow.take("tok_disconnect_after")
    elif operation is Operation.CAPTURE:
        payment_id, _ = flow.take("tok_capture_disconnect_after", capture="manual")
        flow.operate(operation, payment_id, operations.capture, amount=None)
    else:
        payment_id, _ = flow.take("tok_refund_disconnect_after")
        flow.operate(operation, payment_id, operations.refund, amount=None, reason=None)
    reference = reference_of(operation, flow.ran[-1].operation_id)
    told = {
        "operation": operation,
        "reference": reference,
        "status": "approved",
        "amount": AMOUNT,
        "currency": "EUR",
    }
    return payment_id, json.dumps({"id": f"cb_{reference}", "operation": told})


def _require_heard(shop: Shop, operation: Operation, payment_id: PaymentId, body: str) -> None:
    payment = shop.healthy().payment(payment_id)
    returned = AMOUNT if operation is Operation.REFUND else 0
    assert str(payment.status) == "COMPLETED"
    assert (payment.captured_amount, payment.refunded_amount) == (AMOUNT, returned)
    charge = shop.sandbox.store.charge(ids.text("chg", payment_id))
    assert charge is not None
    assert (charge.captured, charge.refunded) == (AMOUNT, returned)
    query = "SELECT state FROM gateway_callbacks WHERE callback_id = %s"
    states = shop.database.connection().execute(query, (json.loads(body)["id"],)).fetchall()
    # One that was never kept was never acknowledged either: the ladder learned of it instead.
    assert states in ([("APPLIED",)], [])
    assert _left_half_way(shop) == 0
