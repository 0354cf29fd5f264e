"""Each refusal of the document is provoked for real, and is what its example says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payments_api.schemas import PaymentOrder
from paynexus import idempotency, ids, runtime
from paynexus.db import Database
from paynexus.idempotency import Scope
from paynexus.identity.allowance import Rate
from paynexus.jsontext import BODY_LIMIT_BYTES, PROBLEM_MEDIA_TYPE
from paynexus.qr import emv, model
from paynexus.qr import payload as payloads
from tests.integration.api import edge
from tests.integration.api.edge import Request
from tests.integration.api.test_examples import DOCUMENT, alike
from tests.integration.api.world import CODE, ORDER, RULE, World
from tests.integration.conftest import Answer
from tests.openapi import validator
from tools.export_openapi.refusals import REFUSALS

OK, TRIES = 200, 20
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def pay(world: World, **order: object) -> Answer:
    """The answer to a payment that differs from the example's."""
    return world.ask("POST", "/payments", {**ORDER, **order})


def scan(world: World, payload: str) -> Answer:
    """The answer to a scan."""
    return world.ask("POST", "/qr-codes/scan", {"payload": payload})


def without_key(world: World) -> Answer:
    """A request that acts, under an empty key."""
    return world.ask("POST", "/payments", ORDER, headers={"Idempotency-Key": ""})


def without_token(_world: World) -> Answer:
    """A request that API Gateway's authorizer refuses."""
    return edge.answer(Request("GET", "/payments"))


def poor(world: World) -> Answer:
    """A payment by a client that may only read."""
    reader = replace(world.call, scope="payments:read")
    return world.ask("POST", "/payments", ORDER, caller=reader)


def refused(token: str, what: str) -> Callable[[World], Answer]:
    """An operation that the gateway declines."""
    return lambda world: world.ask("POST", f"/payments/{world.held(token)}/{what}", {})


def wrong_method(world: World) -> Answer:
    """A method that the path does not answer, of which API Gateway knows nothing yet."""
    path = f"/payments/{world.payment()}"
    route = edge.route_of("GET", path)
    assert route is not None
    return world.call(edge.handler_of(route), "PATCH", path, {})


def running(world: World) -> Answer:
    """A repetition while the first request is at work."""
    who = world.call
    body = PaymentOrder.model_validate(ORDER).model_dump()
    with world.database.transaction() as tx:
        idempotency.claim(
            tx,
            Scope(who.merchant_id, who.mode, "POST /payments", "one"),
            fingerprint=idempotency.fingerprint_of("/payments", body),
            object_id=ids.new_id(),
            now=runtime.clock()(),
        )
    return world.ask("POST", "/payments", ORDER, key="one")


def captured_twice(world: World) -> Answer:
    """The capture of a payment that is COMPLETED."""
    return world.ask("POST", f"/payments/{world.payment()}/capture", {})


def reused(world: World) -> Answer:
    """Another order under the same key."""
    world.ask("POST", "/payments", ORDER, key="one")
    return world.ask("POST", "/payments", {**ORDER, "amount": 1}, key="one")


def spent(world: World) -> Answer:
    """A second payment with a code."""
    token = world.scan()
    pay(world, qr_code=token)
    return pay(world, qr_code=token)


def expired(world: World) -> Answer:
    """A payment with a scan of yesterday."""
    token = world.scan()
    with world.database.transaction() as tx:
        tx.execute("ALTER TABLE qr_scans DISABLE TRIGGER USER")
        tx.execute(
            "UPDATE qr_scans SET scanned_at = now() - '2 days'::INTERVAL, expires_at = now()"
        )
    return pay(world, qr_code=token)


def signed(world: World, seed: bytes) -> str:
    """The text of a code of the merchant, signed by the key of this seed."""
    shown = str(world.made("POST", "/qr-codes", CODE)["payload"])
    said = payloads.verify(shown, runtime.qr_keys())
    return payloads.sign(said, Ed25519PrivateKey.from_private_bytes(seed))


def forged(world: World) -> Answer:
    """The scan of a code whose amount was changed, with a checksum that fits."""
    shown = str(world.made("POST", "/qr-codes", CODE)["payload"])
    return scan(world, emv.sealed(emv.opened(shown).replace("540512.50", "540512.49")))


def used_too_often(world: World) -> Answer:
    """A payment with a static code that has taken its payments of a minute."""
    order = {"currency": "EUR", "usage": "static"}
    shown = str(world.made("POST", "/qr-codes", order)["payload"])
    tokens = [str(scan(world, shown).json()["qr_code"]) for _ in range(2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "STATIC_PAYMENTS_PER_MINUTE", 1)
        pay(world, qr_code=tokens[0])
        return pay(world, qr_code=tokens[1])


def too_often(world: World) -> Answer:
    """One request more than a client may make in a minute; again, should Redis come or go."""
    for _ in range(TRIES):
        now, limiter = runtime.clock()(), runtime.rate_limiter()
        charge = limiter.allowances.request(Rate.READ)
        while limiter.admit(world.call.client_id, [charge], now=now).is_allowed:
            pass
        answer = world.ask("GET", "/payments")
        if answer.status != OK:
            break
    return answer


def broken(world: World) -> Answer:
    """A request of a database that lacks a table: a defect of ours."""
    with world.database.transaction() as tx:
        tx.execute("ALTER TABLE merchant_fees RENAME TO gone")
    return world.ask("GET", "/merchant")


PROVOKED: Mapping[str, Callable[[World], Answer]] = {
    "invalid_request": lambda world: pay(world, amount="5"),
    "invalid_rule": lambda world: world.ask(
        "POST", "/fraud/rules", {**RULE, "expression": "amout > 5"}
    ),
    "idempotency_key_missing": without_key,
    "unauthenticated": without_token,
    "signature_refused": lambda world: world.tell("{}", key="another"),
    "capture_refused": refused("tok_capture_decline", "capture"),
    "cancel_refused": refused("tok_cancel_decline", "cancel"),
    "forbidden": poor,
    "not_found": lambda world: world.ask("GET", f"/payments/{ids.text('pay', ids.new_id())}"),
    "method_not_allowed": wrong_method,
    "not_acceptable": lambda world: world.ask(
        "GET", f"/qr-codes/{world.qr_code()}/image", headers={"Accept": "text/plain"}
    ),
    "operation_running": running,
    "invalid_state": captured_twice,
    "list_file_refused": lambda world: world.ask(
        "POST",
        f"/fraud/lists/{world.fraud_list()}/import",
        {"file": "value\nadam@mail.example\nmira@\n"},
    ),
    "gate_closed": lambda world: world.ask(
        "POST", "/fraud/promotions", {"backtest": world.backtest()}
    ),
    "request_too_large": lambda world: pay(world, description="x" * BODY_LIMIT_BYTES),
    "unsupported_media_type": lambda world: world.ask(
        "POST", "/payments", ORDER, headers={"content-type": "text/plain"}
    ),
    "idempotency_key_reused": reused,
    "qr_unreadable": lambda world: scan(world, "no code of ours"),
    "qr_unknown_key": lambda world: scan(world, signed(world, b"f" * 32)),
    "qr_forged": forged,
    "qr_used_too_often": used_too_often,
    "qr_unknown": lambda world: pay(world, qr_code="qrt_unknown"),
    "qr_expired": expired,
    "qr_spent": spent,
    "qr_amount_mismatch": lambda world: pay(world, qr_code=world.scan(), amount=1),
    "qr_wrong_currency": lambda world: pay(world, qr_code=world.scan(), currency="USD"),
    "rate_limited": too_often,
    "internal_error": broken,
}
"""How each refusal comes about."""
ELSEWHERE = {"database_unavailable"}
"""Refusals that need more than a world: they have a test of their own below."""


def test_every_refusal_is_provoked() -> None:
    """A new one needs a way to come about, or a reason why it has none."""
    assert set(PROVOKED) | ELSEWHERE == set(REFUSALS)
    assert CODE["amount"] == ORDER["amount"], "a payment of the example can spend its code"


@pytest.mark.parametrize("code", PROVOKED)
def test_a_refusal_is_what_its_example_says(world: World, code: str) -> None:
    """Status, code, and the same members."""
    require_like(PROVOKED[code](world), code)


def test_a_database_that_is_away_is_said_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, for an address at which nobody answers."""
    gone = Database(lambda: NOWHERE)
    monkeypatch.setattr(runtime, "database", lambda: gone)

    require_like(world.ask("GET", "/payments"), "database_unavailable")


def require_like(answer: Answer, code: str) -> None:
    """The answer is the refusal of this code, as the document shows it."""
    refusal = REFUSALS[code]
    problem: dict[str, Any] = answer.json()

    assert (answer.status, problem["code"]) == (refusal.status, code)
    assert answer.headers["Content-Type"] == PROBLEM_MEDIA_TYPE
    assert answer.headers["Request-Id"] == problem.get("request_id", answer.headers["Request-Id"])
    validator(DOCUMENT, {"$ref": "#/components/schemas/Problem"}).validate(problem)
    assert alike(problem, refusal.example()), problem
    assert problem["title"] == refusal.title
