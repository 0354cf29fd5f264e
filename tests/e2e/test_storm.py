"""Hundreds of identical requests at once, while Redis and Postgres are taken away under them.

Of a key nothing but its one payment may come: one charge, and one answer to all who asked.
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import redis
import urllib3

from paynexus import ids
from tests.e2e.client import REPEAT, Answer, Client, card
from tests.e2e.stack import Stack, charge_of
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.proof]

IDENTICAL = 200
"""Requests that are sent under each key, all at once as far as the stack can take them."""
IN_FLIGHT = 8
"""So many of them are answered at a time: each starts workers of its own, in every function."""
STRIKE_AT = 3
"""So few answers in, most of those who ask don't know yet how the payment ended."""
DISASTERS = ("flush", "kill redis", "kill postgres")
"""What befalls every key in turn, while its requests are on their way."""
SQL_PAYMENTS = "SELECT idempotency_key, id FROM transactions WHERE merchant_id = %s"


@dataclass
class Wave:
    """One request, sent so many times at once under one key; what each was answered."""

    number: int
    key: str = field(default_factory=lambda: f"storm-{secrets.token_hex(8)}")
    answers: list[Answer | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        order = {"amount": 1000 + self.number, "currency": "EUR", "payment_method": card()}
        self.text = json.dumps(order)

    @property
    def bodies(self) -> set[bytes]:
        """The different final answers that were heard."""
        return {one.body for one in self.answers if one and one.status not in REPEAT}


@pytest.fixture(autouse=True)
def healed(stack: Stack) -> None:
    """It begins with a stack that is whole, and trusts its acquirer again."""
    stack.up()
    stack.invoke("probe_gateways")


def test_two_hundred_identical_requests_at_once_are_one_payment(
    stack: Stack,
    merchant: Client,
    storm_keys: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Whatever dies meanwhile: one charge for each key, and the same answer to everybody."""
    _warm_up(merchant)
    charged_before = len(stack.charges())
    waves = [Wave(number) for number in range(storm_keys)]
    with ThreadPoolExecutor(IN_FLIGHT) as clients:
        for wave in waves:
            _send_all(stack, merchant, clients, wave)

    payments = _require_one_answer_each(merchant, waves)
    eventually(lambda: _all_are_swept(stack, merchant), what="every payment has ended")
    _require_one_charge_each(stack, merchant, payments, charged_before)
    heard = Counter(one.status if one else 0 for wave in waves for one in wave.answers)
    record_property("identical requests in a storm", heard.total())
    record_property("keys they were sent under", len(waves))
    record_property("final answers in the storm", sum(heard[one] for one in heard if one == 201))
    record_property("requests in a storm that were put off", heard.total() - heard[201])


def _warm_up(merchant: Client) -> None:
    """Every worker that the storm needs runs; more and more of them, not all in one moment."""
    merchant.token()
    for many in (1, 2, 4, IN_FLIGHT):
        with ThreadPoolExecutor(many) as clients:
            for each in [clients.submit(merchant.pay) for _ in range(many)]:
                assert each.result().status in {201, 202}


def _send_all(stack: Stack, merchant: Client, clients: ThreadPoolExecutor, wave: Wave) -> None:
    running = [clients.submit(_ask_once, merchant, wave) for _ in range(IDENTICAL)]
    eventually(lambda: len(wave.answers) >= STRIKE_AT, what="some have been answered")
    _strike(stack, DISASTERS[wave.number % len(DISASTERS)])
    stack.up()
    for each in running:
        each.result()


def _ask_once(merchant: Client, wave: Wave) -> None:
    headers = {"idempotency-key": wave.key}
    try:
        wave.answers.append(merchant.send("POST", "/payments", text=wave.text, headers=headers))
    except urllib3.exceptions.HTTPError:
        wave.answers.append(None)


def _strike(stack: Stack, disaster: str) -> None:
    if disaster == "flush":
        with redis.Redis.from_url(stack.described["redis_url"]) as cache:
            cache.flushall()
    else:
        stack.kill("valkey" if disaster == "kill redis" else "postgres")


def _require_one_answer_each(merchant: Client, waves: list[Wave]) -> dict[str, str]:
    """Of each key its payment: what the storm was answered is what is answered now."""
    payments = {}
    for wave in waves:
        answer = merchant.settle("/payments", json.loads(wave.text), key=wave.key)
        assert answer.status == 201, answer
        assert wave.bodies | {answer.body} == {answer.body}
        again = merchant.settle("/payments", json.loads(wave.text), key=wave.key)
        assert again.body == answer.body
        assert again.is_replay
        payments[wave.key] = answer.json["id"]
    return payments


def _all_are_swept(stack: Stack, merchant: Client) -> bool:
    stack.invoke("sweep_payments")
    query = "SELECT count(*) FROM transactions WHERE merchant_id = %s AND status <> 'COMPLETED'"
    return stack.rows(query, ids.parse("mer", merchant.merchant_id)) == [(0,)]


def _require_one_charge_each(
    stack: Stack, merchant: Client, payments: dict[str, str], charged_before: int
) -> None:
    rows = stack.rows(SQL_PAYMENTS, ids.parse("mer", merchant.merchant_id))
    made = {(key, ids.text("pay", id_)) for key, id_ in rows if key.startswith("storm-")}
    assert made == set(payments.items())
    charges = [charge["reference"] for charge in stack.charges()[charged_before:]]
    assert sorted(charges) == sorted(charge_of(payment) for payment in payments.values())
    assert stack.violations() == 0
