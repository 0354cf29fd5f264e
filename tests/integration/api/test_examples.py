"""Each example of the document is sent, and what comes back is what the document says."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from paynexus import runtime
from paynexus.http import JSON
from paynexus.identity import service as identity
from paynexus.identity.model import Mode
from tests.integration.api.world import CODE, ENDPOINT, World, snooze_order
from tests.integration.conftest import Answer, answer_of, form, gateway_event
from tests.openapi import operations, validator
from tokens_api.handler import handler as tokens_api
from tools import export_openapi
from tools.export_openapi.examples import EXAMPLES, Example

DOCUMENT = export_openapi.document()
OPERATIONS = {
    one["operationId"]: (method.upper(), path, one) for method, path, one in operations(DOCUMENT)
}

NEEDED: Mapping[str, Callable[[World], str]] = {
    "read_payment": World.payment,
    "read_payment_timeline": World.payment,
    "capture_payment": World.held,
    "cancel_payment": World.held,
    "confirm_payment": World.challenged,
    "refund_payment": World.payment,
    "read_refund": World.refund,
    "read_dispute": World.dispute,
    "read_qr_code": World.qr_code,
    "draw_qr_code": World.qr_code,
    "read_settlement": World.settlement,
    "read_settlement_statement": World.settlement,
    "read_webhook_endpoint": World.endpoint,
    "change_webhook_endpoint": World.endpoint,
    "delete_webhook_endpoint": World.endpoint,
    "rotate_webhook_secret": World.endpoint,
    "read_client": World.client,
    "revoke_client": World.client,
    "rotate_client_secret": World.client,
    "read_event": World.event,
    "retry_delivery": World.delivery,
    "read_fraud_rule": World.rule,
    "add_fraud_rule_version": World.rule,
    "list_fraud_rule_versions": World.rule,
    "shadow_fraud_rule": World.rule,
    "stop_fraud_rule_shadow": World.rule,
    "disable_fraud_rule": World.rule,
    "snooze_fraud_rule": World.rule,
    "list_fraud_snoozes": World.snoozed,
    "end_fraud_snooze": World.snooze,
    "read_fraud_list": World.fraud_list,
    "change_fraud_list": World.fraud_list,
    "add_fraud_list_entry": World.fraud_list,
    "list_fraud_list_entries": World.filled_list,
    "remove_fraud_list_entry": World.list_entry,
    "import_fraud_list": World.fraud_list,
    "list_fraud_rescreenings": World.screened_list,
    "list_fraud_list_hits": World.screened_list,
    "read_fraud_backtest": World.backtest,
    "read_fraud_promotion": World.promotion,
    "revert_fraud_promotion": World.promotion,
    "read_fraud_case": World.case,
    "assign_fraud_case": World.case,
    "note_fraud_case": World.case,
    "close_fraud_case": World.case,
    "reopen_fraud_case": World.closed_case,
}
"""What the operation's path has to name, so that its examples succeed."""
LISTED: Mapping[str, Callable[[World], str]] = {
    "list_payments": World.payment,
    "list_disputes": World.dispute,
    "list_settlements": World.settlement,
    "list_webhook_endpoints": World.endpoint,
    "list_clients": World.client,
    "list_events": World.event,
    "list_deliveries": World.delivery,
    "list_ledger_entries": World.payment,
    "read_next_settlements": World.payment,
    "read_balances": World.payment,
    "read_merchant": World.configured,
    "list_fraud_rules": World.rule,
    "list_fraud_lists": World.fraud_list,
    "list_fraud_backtests": World.backtest,
    "list_fraud_promotions": World.promotion,
    "list_fraud_cases": World.case,
}
"""What has to be there to be seen."""
BODIES: Mapping[str, Callable[[World, str], object]] = {
    "scan_qr_code": lambda world, _: {"payload": world.made("POST", "/qr-codes", CODE)["payload"]},
    "create_webhook_endpoint": lambda *_: ENDPOINT,
    "shadow_fraud_rule": lambda world, rule: {
        "version": world.made("GET", f"/fraud/rules/{rule}")["newest"]["id"]
    },
    "order_fraud_backtest": lambda world, _: {
        **EXAMPLES["order_fraud_backtest"][0].request,
        "change": world.change(),
    },
    "promote_fraud_change": lambda world, _: {"backtest": world.promotable()},
    "snooze_fraud_rule": lambda *_: snooze_order(),
}
"""Bodies that name what is there, or a moment to come: made for the object that the path names."""
MAPS = {"features", "seen"}
"""Members whose own members are by name: each answer has others."""
UNDECIDED: Mapping[str, Callable[[World], str]] = {
    "capture_payment": lambda world: world.held("tok_capture_error_before"),
    "cancel_payment": lambda world: world.held("tok_cancel_error_before"),
    "confirm_payment": lambda world: world.challenged("tok_error_before"),
    "refund_payment": lambda world: world.payment("tok_refund_error_before"),
}
"""What a gateway that says nothing leaves undecided: the way to a 202."""

REPLAYED = "Idempotent-Replayed"
WITH_KEY = [
    name
    for name, (_, _, operation) in OPERATIONS.items()
    if any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
]
"""Operations that act once, however often they are asked."""
CASES = [
    pytest.param(name, example, id=f"{name}: {example.title}")
    for name, examples in EXAMPLES.items()
    for example in examples
]


def test_every_operation_has_examples() -> None:
    """And no example is of an operation that is gone."""
    assert set(EXAMPLES) == set(OPERATIONS)
    for name, (_, _, operation) in OPERATIONS.items():
        succeeding = {int(status) for status in operation["responses"] if status.startswith("2")}
        assert {example.status for example in EXAMPLES[name]} == succeeding, name


@pytest.mark.parametrize(("name", "example"), CASES)
def test_an_example_is_what_happens(world: World, name: str, example: Example) -> None:
    """Its status, its media type, its schema, and its members with their types."""
    answer = sent(world, name, example)
    response = OPERATIONS[name][2]["responses"][str(example.status)]

    assert answer.status == example.status, answer
    assert answer.headers["Content-Type"] == example.media_type
    for header in response["headers"]:
        if DOCUMENT["components"]["headers"][header].get("required"):
            assert answer.headers[header]
    if example.media_type == JSON:
        validator(DOCUMENT, response["content"][JSON]["schema"]).validate(answer.json())
        assert alike(answer.json(), example.answer), answer.body


@pytest.mark.parametrize("name", WITH_KEY)
def test_a_replay_is_the_same_answer(world: World, name: str) -> None:
    """Status and body, byte for byte, with the header that says so."""
    ask = prepared(world, name, EXAMPLES[name][0])
    first, again = ask("one"), ask("one")

    assert (again.status, again.body) == (first.status, first.body)
    assert (first.headers.get(REPLAYED), again.headers.get(REPLAYED)) == (None, "true")


def sent(world: World, name: str, example: Example) -> Answer:
    """The answer to the example's request, all that it needs being there."""
    if name in LISTED:
        LISTED[name](world)
    if name == "take_callback":
        return told(world)
    if name == "issue_token":
        return token(world, example)
    return prepared(world, name, example)("any")


def prepared(world: World, name: str, example: Example) -> Callable[[str], Answer]:
    """Sends the example's request, as often as it is called, under the given key."""
    method, path, _ = OPERATIONS[name]
    object_id = ""
    if "{" in path:
        needed = (UNDECIDED if example.status == 202 and name in UNDECIDED else NEEDED)[name]
        object_id = needed(world)
    path = re.sub(r"\{\w+\}", object_id, path)
    body = body_of(world, name, example, object_id)
    now = {one: runtime.clock()().isoformat() for one in example.query if one == "at"}
    query = {**example.query, **now} or None
    headers = {"Accept": example.media_type}
    return lambda key: world.ask(method, path, body, key=key, query=query, headers=headers)


def body_of(world: World, name: str, example: Example, object_id: str) -> object:
    """What the example sends to the object."""
    return BODIES[name](world, object_id) if name in BODIES else example.request


def told(world: World) -> Answer:
    """The answer to the sandbox's own callback about a charge."""
    world.payment()
    [(_, body)] = world.acquirer.store.pending_callbacks()
    assert EXAMPLES["take_callback"][0].request.keys() == json.loads(body).keys()
    return world.tell(body)


def token(world: World, example: Example) -> Answer:
    """The answer to the form, with the credentials in the header."""
    client = identity.register_client(world.database, world.call.merchant_id, mode=Mode.TEST)
    fields = {"client_id": client.client_id, "client_secret": client.client_secret}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    text = form(**example.request, **fields)
    return answer_of(
        tokens_api(gateway_event("POST", "/oauth/token", text=text, headers=headers), None)
    )


def alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Whether both have the same members of the same kinds; null is like anything.

    Of a list, each of the other's items has one that is like it.
    """
    match one, other:
        case (None, _) | (_, None):
            return True
        case dict(), dict():
            return one.keys() == other.keys() and all(
                k in MAPS or alike(one[k], other[k]) for k in one
            )
        case list(), list():
            return not one or all(any(alike(mine, yours) for mine in one) for yours in other)
        case _:
            return type(one) is type(other)
