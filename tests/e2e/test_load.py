"""Two hundred payments by eight clients, while Redis forgets everything and then dies."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from threading import Semaphore

import pytest
import redis

from paynexus import ids
from tests.e2e.client import Answer, Client, card
from tests.e2e.facts import BusRecorder, require_facts_on_bus, require_webhooks
from tests.e2e.stack import Stack, charge_of
from tests.e2e.webhooks import listen

pytestmark = [pytest.mark.e2e, pytest.mark.long]

PAYMENTS = 200
CLIENTS = 8
PAYMENTS_PER_JOINING = 3
FLUSH_AT, KILL_AT = 60, 100
SQL_PAYMENTS = "SELECT id FROM transactions WHERE merchant_id = %s"


def test_every_payment_ends_once_while_redis_is_flushed_and_killed(
    stack: Stack, merchant: Client, recorder: BusRecorder
) -> None:
    """Redis is a hint: without it nothing is lost, doubled or untold."""
    endpoint = listen(stack, merchant)
    charged_before = len(stack.charges())
    orders = [_order(number) for number in range(PAYMENTS)]

    with _disturbed(stack) as notice, ThreadPoolExecutor(CLIENTS) as clients:
        turns = _Turns()
        answers = list(clients.map(lambda order: _final(merchant, order, turns, notice), orders))

    statuses = Counter(answer.json["status"] for answer in answers)
    assert statuses == {"COMPLETED": PAYMENTS * 9 // 10, "FAILED": PAYMENTS // 10}
    payments = {answer.json["id"] for answer in answers}
    assert len(payments) == PAYMENTS
    assert _payments_of(stack, merchant) == payments
    approved = [one.json["id"] for one in answers if one.json["status"] == "COMPLETED"]
    charges = [charge["reference"] for charge in stack.charges()[charged_before:]]
    assert sorted(charges) == sorted(charge_of(payment) for payment in approved)
    assert stack.violations() == 0
    require_facts_on_bus(recorder, sorted(payments), may_repeat=True)
    require_webhooks(stack, endpoint, sorted(payments))


def _order(number: int) -> dict[str, object]:
    behaviour = "decline_do_not_honor" if number % 10 == 0 else "approve"
    return {"amount": 1000 + number, "currency": "EUR", "payment_method": card(behaviour)}


class _Turns:
    """Clients join one by one, so that the stack need not start forty workers in one moment."""

    def __init__(self) -> None:
        self._free = Semaphore(1)
        self._joining = iter(range((CLIENTS - 1) * PAYMENTS_PER_JOINING))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """A client's turn; some turns' ends let one more client in, until all are at work."""
        with self._free:
            yield
        if next(self._joining, 1) % PAYMENTS_PER_JOINING == 0:
            self._free.release()


def _final(
    merchant: Client, order: dict[str, object], turns: _Turns, notice: Callable[[], None]
) -> Answer:
    key = secrets.token_hex(12)
    with turns():
        answer = merchant.settle("/payments", order, key=key)
    notice()
    assert answer.status == 201, answer
    assert merchant.settle("/payments", order, key=key).body == answer.body
    return answer


@contextmanager
def _disturbed(stack: Stack) -> Iterator[Callable[[], None]]:
    """Redis is flushed after some payments, dead after more, and well again in the end."""
    done = count(1)

    def notice() -> None:
        match next(done):
            case number if number == FLUSH_AT:
                with redis.Redis.from_url(stack.described["redis_url"]) as cache:
                    cache.flushall()
            case number if number == KILL_AT:
                stack.kill("valkey")

    yield notice
    stack.up()


def _payments_of(stack: Stack, merchant: Client) -> set[str]:
    rows = stack.rows(SQL_PAYMENTS, ids.parse("mer", merchant.merchant_id))
    return {ids.text("pay", id_) for (id_,) in rows}
