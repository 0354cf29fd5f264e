"""In whatever order a payment's callbacks come, and however often: one same state in the end.

All distinct orders are tried, as a tree: orders that begin alike share what they have in common,
and a savepoint takes the books back to each fork. What was taken back stays in the tables as dead
rows until a vacuum, so each branch is a transaction of its own, with a vacuum behind it.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from math import factorial, prod
from uuid import UUID

import pytest

from paynexus import idempotency, ids
from paynexus.cache import Cache
from paynexus.db import Connection, Database
from paynexus.gateways.port import Instruction, Operation, Outcome, Result, Sent
from paynexus.gateways.sandbox_callbacks import signature_of
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money
from paynexus.payments import callbacks, operations, service
from paynexus.payments.pursuit import reference_of
from paynexus.payments.step import Step
from tests.flow import Flow

pytestmark = pytest.mark.proof

KEY = "the-key"
AMOUNT, DECLINED_AMOUNT = 1000, 77
BRANCH = 3
"""So many callbacks in, a branch of the tree begins that is a transaction of its own."""
EVERY = 200
"""One in so many ends has its whole books audited; all have their state compared."""


@dataclass(frozen=True)
class Life:
    """What happens to a payment, and how often each operation's callback comes."""

    capture: str
    refunds: tuple[int, ...]
    callbacks: tuple[int, ...]
    """Of the charge, the capture if there is one, and each refund."""


LIVES = (
    # A charge, a later capture, three refunds of which one is declined: 8!/2!2!2! orders.
    Life("manual", (300, 200, DECLINED_AMOUNT), (2, 2, 2, 1, 1)),
    # Captured with the charge, and four refunds.
    Life("automatic", (300, 200, DECLINED_AMOUNT, 100), (2, 2, 2, 1, 1)),
)
ORDERS_AT_LEAST = 10_000

SQL_STATE = """
SELECT jsonb_pretty(jsonb_build_object(
    'payment', (SELECT jsonb_build_array(status, captured_amount, refunded_amount,
        refunding_amount, fee_amount, open_operation) FROM transactions),
    'attempts', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', operation, amount, outcome) AS x FROM attempts) AS a),
    'refunds', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', amount, status, failure_code) AS x FROM refunds) AS r),
    'transfers', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', kind, state, amount) AS x FROM transfers) AS t),
    'entries', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', a.type, e.type, e.delta, e.released) AS x FROM ledger_entries AS e
        INNER JOIN accounts AS a ON a.id = e.account_id) AS e),
    'events', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', sequence, type) AS x FROM events) AS e),
    'answers', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', operation, key, status) AS x FROM idempotency_keys) AS k),
    'callbacks', (SELECT jsonb_agg(x ORDER BY x) FROM (
        SELECT concat_ws(' ', split_part(callback_id, '_', 2), state, verdict, deliveries) AS x
        FROM gateway_callbacks) AS c)
))
"""
"""All that callbacks lead to, but for ids, times, and how often the gateway was asked."""


@dataclass
class Deaf:
    """A gateway that does as it is told, and whose answers never arrive: inquiries do."""

    name: str = "sandbox"
    done: dict[str, Result] = field(default_factory=dict)
    asked: int = 0

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """It is done, once; nobody hears of it."""
        is_declined = instruction.money.amount == DECLINED_AMOUNT
        outcome = Outcome.DECLINED if is_declined else Outcome.APPROVED
        self.done.setdefault(instruction.reference, Result(outcome))
        assert deadline_seconds
        return Result(Outcome.UNKNOWN, code="timed_out")

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """What became of it."""
        assert deadline_seconds or sent
        self.asked += 1
        return self.done.get(reference)

    def is_healthy(self) -> bool:
        """As far as anybody knows."""
        return True


class World:
    """One payment on the way through its life; savepoints take it back."""

    def __init__(self, flow: Flow, life: Life) -> None:
        self.flow, self.life, self.gateway = flow, life, Deaf()
        self.flow.gateways = {"test": self.gateway}
        self.payment_id: PaymentId
        self.steps: list[Step] = []
        self.orders = 0
        self.ends: set[str] = set()

    def accept(self) -> None:
        """A payment begins: its charge was sent, and the answer lost."""
        self.steps.clear()
        request = service.PaymentRequest(
            Money(AMOUNT, "EUR"), f"tok_{ids.new_id().hex}", capture=self.life.capture
        )
        scope = self.flow.scope("POST /payments", "order")
        accepted = service.accept(
            self.flow.database, scope, request, fingerprint=b"", now=self.flow.now
        )
        self.payment_id = accepted.payment_id
        self._send(Operation.CHARGE, self.payment_id)

    def go_on(self) -> None:
        """The next operation is sent, as soon as the payment allows it; its answer is lost.

        What must be known before is learned by inquiry, as the sweeper does: callbacks that
        tell of it come late then.
        """
        if len(self.steps) <= self._refunds_begin:
            self.flow.run(self.steps[-1])
        self._send(*self._begun())

    def deliver(self, which: int, nth: int) -> None:
        """A callback of the operation of that number; each repetition is the same callback."""
        while len(self.steps) <= which:
            self.go_on()
        body, now = self._body(self.steps[which]), self.flow.now
        signed = {"acquirer-signature": signature_of(body, key=KEY, at=now)}
        db = self.flow.database
        kept = callbacks.receive(db, "sandbox", signed, body, key=KEY, now=now)
        assert (kept is None) == (nth > 0)
        if kept is not None:
            callbacks.apply(db, self.flow.run, kept, ask=self.flow.ask_about, now=now)

    @property
    def _refunds_begin(self) -> int:
        return 1 if self.life.capture == "automatic" else 2

    def _begun(self) -> tuple[Operation, UUID]:
        number = len(self.steps)
        if number < self._refunds_begin:
            return Operation.CAPTURE, self._begin(operations.capture, "capture", amount=None)
        amount = self.life.refunds[number - self._refunds_begin]
        return Operation.REFUND, self._begin(
            operations.refund, f"refund {number}", amount=amount, reason=None
        )

    def _begin(self, begin: Callable[..., operations.Begun], key: str, **how: object) -> UUID:
        scope = self.flow.scope(key, key)
        fingerprint = idempotency.fingerprint_of(key, [])
        begun = begin(
            self.flow.database,
            scope,
            self.payment_id,
            fingerprint=fingerprint,
            now=self.flow.now,
            **how,
        )
        return begun.operation_id

    def _send(self, operation: Operation, operation_id: UUID) -> None:
        self.steps.append(Step(self.payment_id, operation, operation_id))
        self.flow.run(self.steps[-1])

    def _body(self, step: Step) -> str:
        reference = reference_of(step.operation, step.operation_id)
        is_approved = self.gateway.done[reference].outcome is Outcome.APPROVED
        refund = self.steps.index(step) - self._refunds_begin
        operation = {
            "operation": step.operation,
            "reference": reference,
            "status": "approved" if is_approved else "declined",
            "amount": self.life.refunds[refund] if refund >= 0 else AMOUNT,
            "currency": "EUR",
        }
        return json.dumps({"id": f"cb_{reference}", "operation": operation})

    def deliver_all(self, order: tuple[int, ...]) -> tuple[int, ...]:
        """Callbacks come in this order; how many of each are left then."""
        for place, which in enumerate(order):
            self.deliver(which, order[:place].count(which))
        return left_after(self.life.callbacks, order)

    def explore(self, left: tuple[int, ...]) -> None:
        """Every order of the callbacks that are left, each from here."""
        if not any(left):
            self._end()
        for which, many in enumerate(left):
            if not many:
                continue
            with self._fork():
                self.deliver(which, self.life.callbacks[which] - many)
                self.explore((*left[:which], many - 1, *left[which + 1 :]))

    @contextmanager
    def _fork(self) -> Iterator[None]:
        begun = len(self.steps)
        with self.flow.database.connection().transaction(force_rollback=True):
            yield
        del self.steps[begun:]

    def _end(self) -> None:
        connection = self.flow.database.connection()
        self.orders += 1
        self.ends.add(state_of(connection))
        if self.orders % EVERY == 1:
            assert violations(connection) == []


def state_of(connection: Connection) -> str:
    """What the callbacks have led to."""
    row = connection.execute(SQL_STATE).fetchone()
    assert row is not None
    text: str = row[0]
    return text


def violations(connection: Connection) -> list[str]:
    """Rules of the audit that are broken, by their names, as this transaction sees it."""
    views = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'audit'")
    return [
        name
        for (name,) in views.fetchall()
        if connection.execute(f'SELECT FROM audit."{name}" LIMIT 1'.encode()).rowcount
    ]


def orders_of(many: tuple[int, ...]) -> int:
    """How many distinct orders there are."""
    return factorial(sum(many)) // prod(factorial(one) for one in many)


def left_after(many: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    """How many of each are left when these have come."""
    return tuple(one - order.count(which) for which, one in enumerate(many))


def beginnings(many: tuple[int, ...], length: int) -> Iterator[tuple[int, ...]]:
    """Every way in which so many of them may come first."""
    for order in product(range(len(many)), repeat=length):
        if min(left_after(many, order)) >= 0:
            yield order


PARTS = [(life, first) for life in LIVES for first in range(len(life.callbacks))]
"""The orders, apart by what comes first, so that several processes share them."""


@pytest.fixture(name="flow")
def _flow(database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime) -> Flow:
    return Flow(database, cache, {}, merchant, now)


@pytest.mark.parametrize(
    ("life", "first"),
    [pytest.param(*part, marks=pytest.mark.long if part[1] else ()) for part in PARTS],
    ids=[f"{life.capture}-{first}" for life, first in PARTS],
)
def test_every_order_of_callbacks_leads_to_one_state(
    flow: Flow, life: Life, first: int, record_property: Callable[[str, object], None]
) -> None:
    """To the one that the payment reaches without any callback, by inquiries alone."""
    connection = flow.database.connection()
    # A busy machine may make the audit wait.
    connection.execute("SET statement_timeout = '2min'")
    world = World(flow, life)
    with connection.transaction(force_rollback=True):
        world.accept()
        silent = life_without_callbacks(world)
    for order in beginnings(life.callbacks, BRANCH):
        if order[0] == first:
            with connection.transaction(force_rollback=True):
                world.accept()
                world.explore(world.deliver_all(order))
            connection.execute("VACUUM")

    record_property("orders of a payment's callbacks", world.orders)
    assert world.orders == orders_of(left_after(life.callbacks, (first,)))
    (end,) = world.ends
    reached = json.loads(end)
    told = reached.pop("callbacks")
    assert reached == silent
    assert reached["payment"][:4] == ["COMPLETED", AMOUNT, sum(life.refunds) - DECLINED_AMOUNT, 0]
    assert len(told) == len(life.callbacks)
    assert all(" APPLIED confirmed " in one for one in told)
    assert sorted(int(one[-1]) for one in told) == sorted(life.callbacks)


def test_the_orders_are_as_many_as_promised() -> None:
    """Over all parts, and each part is of its own orders."""
    parts = [left_after(life.callbacks, (first,)) for life, first in PARTS]

    assert sum(map(orders_of, parts)) >= ORDERS_AT_LEAST
    assert sum(map(orders_of, parts)) == sum(orders_of(life.callbacks) for life in LIVES)


def life_without_callbacks(world: World) -> dict[str, object]:
    """Where the payment ends when each lost answer is inquired for."""
    while len(world.steps) < len(world.life.callbacks):
        world.go_on()
    for step in world.steps:
        world.flow.run(step)
    state: dict[str, object] = json.loads(state_of(world.flow.database.connection()))
    del state["callbacks"]
    return state
