"""What is killed in mid-flow is healed by `up`, and the sweeper ends what it left."""

import secrets
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from signal import SIGKILL

import pytest
import urllib3

from paynexus import ids
from tests.e2e.client import Answer, Client, card
from tests.e2e.facts import require_webhooks
from tests.e2e.stack import Stack, charge_of
from tests.e2e.waiting import eventually
from tests.e2e.webhooks import Endpoint, listen

pytestmark = pytest.mark.e2e

CLIENTS = 3
ORDERS = 6
STEPS = ("payments_api", "score_fraud", "charge_gateway", "finish_payment")
FINAL = {"COMPLETED", "FAILED"}

SQL_AT_THE_GATEWAY = """
SELECT count(*) FROM attempts JOIN transactions AS t ON t.id = payment_id
WHERE t.merchant_id = %s AND outcome IS NULL
"""
SQL_STATUSES = "SELECT id, status FROM transactions WHERE merchant_id = %s"
SQL_AGE = """
UPDATE transactions SET updated_at = updated_at - interval '2 minutes'
WHERE merchant_id = %s AND status NOT IN ('COMPLETED', 'FAILED')
"""


@dataclass(slots=True)
class Order:
    """One payment that a client asked for once, and what it was told, if anything."""

    body: dict[str, object]
    key: str = field(default_factory=lambda: secrets.token_hex(12))
    answer: Answer | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether the client knows how its payment ended."""
        return self.answer is not None and self.answer.status == 201


@pytest.fixture(autouse=True)
def healed(stack: Stack) -> None:
    """Each test begins with a stack that is whole, and trusts its acquirer again."""
    stack.up()
    stack.invoke("probe_gateways")


@pytest.fixture(scope="module")
def endpoint(stack: Stack, merchant: Client) -> Endpoint:
    """Where the merchant is told of everything."""
    return listen(stack, merchant)


@pytest.mark.parametrize(
    "victim",
    [
        "postgres",
        "workers",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("sandbox_acquirer", "ministack")),
    ],
)
def test_a_crash_in_mid_flow_loses_no_payment_and_charges_none_twice(
    stack: Stack, merchant: Client, endpoint: Endpoint, victim: str
) -> None:
    """Acknowledged payments stay as they were told, and the others end without their clients."""
    merchant_id = ids.parse("mer", merchant.merchant_id)
    known, charged_before = set(_statuses(stack, merchant)), len(stack.charges())
    # Two of the first cards take two seconds at the acquirer: the crash finds payments there.
    orders = [Order(_body("slow" if number in {0, 2} else "approve")) for number in range(ORDERS)]

    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(_ask_once, merchant, order) for order in orders]
        eventually(
            lambda: stack.rows(SQL_AT_THE_GATEWAY, merchant_id)[0][0],
            what="a payment is at the gateway",
        )
        _crash(stack, victim)
        _wait(running)
    stack.up()
    if victim == "ministack":
        # The reader of the log died with it; its schedule would start it within a minute.
        stack.start("stream_changes")

    _require_swept(stack, merchant)
    ended = {id_: status for id_, status in _statuses(stack, merchant).items() if id_ not in known}
    for order in orders:
        if order.answer is not None and order.is_acknowledged:
            told = order.answer.json
            assert ended[told["id"]] == told["status"]
    _require_every_order_ends_once(stack, merchant, orders, known, charged_before)
    if victim != "ministack":
        # It forgets its queues: what was in them is told again minutes later, by the schedule.
        require_webhooks(stack, endpoint, sorted(_statuses(stack, merchant)))


def _require_every_order_ends_once(
    stack: Stack, merchant: Client, orders: list[Order], known: set[str], charged_before: int
) -> None:
    """Each client learns how its payment ended by asking again; nobody paid twice."""
    answers = [merchant.settle("/payments", order.body, key=order.key) for order in orders]

    for order, answer in zip(orders, answers, strict=True):
        if order.answer is not None and order.is_acknowledged:
            assert answer.body == order.answer.body
    statuses = {answer.json["id"]: answer.json["status"] for answer in answers}
    assert len(statuses) == ORDERS
    assert statuses == {k: v for k, v in _statuses(stack, merchant).items() if k not in known}
    completed = [charge_of(id_) for id_, status in statuses.items() if status == "COMPLETED"]
    charges = [charge["reference"] for charge in stack.charges()[charged_before:]]
    assert sorted(charges) == sorted(completed)
    assert stack.violations() == 0


def _require_swept(stack: Stack, merchant: Client) -> None:
    """The sweeper alone brings each payment to its end, once it has lain for a minute."""
    merchant_id = ids.parse("mer", merchant.merchant_id)

    def all_final() -> bool:
        stack.as_admin(SQL_AGE, merchant_id)
        stack.invoke("sweep_payments")
        left = [status for status in _statuses(stack, merchant).values() if status not in FINAL]
        assert not left, left
        return True

    eventually(all_final, what="every payment has ended")


def _ask_once(merchant: Client, order: Order) -> None:
    # A client that gives up: whatever it does not learn, nobody repeats for it.
    with suppress(urllib3.exceptions.HTTPError):
        order.answer = merchant.post("/payments", order.body, key=order.key)


def _crash(stack: Stack, victim: str) -> None:
    if victim != "workers":
        stack.kill(victim)
        return
    for worker in [worker for step in STEPS for worker in stack.workers(step)]:
        worker.kill(SIGKILL)


def _wait(running: Iterable[Future[None]]) -> None:
    for each in running:
        each.result()


def _body(behaviour: str) -> dict[str, object]:
    return {"amount": 1250, "currency": "EUR", "payment_method": card(behaviour)}


def _statuses(stack: Stack, merchant: Client) -> dict[str, str]:
    rows = stack.rows(SQL_STATUSES, ids.parse("mer", merchant.merchant_id))
    return {ids.text("pay", id_): status for id_, status in rows}
