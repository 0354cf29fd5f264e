"""Hostile bodies, to every operation that reads JSON: refused as problems, and nothing is done."""

import base64
import re
from typing import Any

import pytest

from paynexus import ids
from paynexus.jsontext import PROBLEM_MEDIA_TYPE
from tests import hostile_json
from tests.integration.api import edge
from tests.integration.api.test_examples import OPERATIONS
from tests.integration.api.test_isolation import everything
from tests.integration.api.world import ORDER, World
from tests.integration.conftest import Answer, answer_of, gateway_event
from tools.export_openapi.document import PREFIX_OF
from tools.export_openapi.examples import EXAMPLES

READING = [
    name
    for name, (method, _, operation) in OPERATIONS.items()
    if method in {"POST", "PATCH"}
    and "application/json" in operation.get("requestBody", {}).get("content", {})
]
"""Operations that take a JSON body; a new one is attacked by itself."""
STRANGER = {"client_id": "pnx_test_" + "0" * 22, "name": "sandbox"}
"""Names in paths that are no ids of ours."""


def test_there_are_operations_to_attack() -> None:
    """And bodies to attack them with."""
    assert len(READING) >= 12
    assert len(hostile_json.bodies(ORDER)) >= 60


@pytest.mark.parametrize("name", READING)
def test_hostile_bodies_are_refused_and_change_nothing(world: World, name: str) -> None:
    """4xx, as a problem that names its request; no row is written, and no gateway asked."""
    world.payment()
    before = everything(world)
    example = next(one.request for one in EXAMPLES[name] if one.request is not None)
    for what, body in hostile_json.bodies(example).items():
        answer = sent(world, name, body)
        told = f"{what}: {answer.status} {answer.body[:300]!r}"

        assert 400 <= answer.status < 500, told
        assert answer.headers["Content-Type"] == PROBLEM_MEDIA_TYPE, told
        assert answer.headers["Request-Id"] == answer.json()["request_id"], told

    assert everything(world) == before


METADATA: dict[str, dict[str, str]] = {
    "51 keys": {f"key {number}": "x" for number in range(51)},
    "a key of 41 characters": {"k" * 41: "x"},
    "an empty key": {"": "x"},
    "a value of 501 characters": {"k": "x" * 501},
    "NUL in a value": {"k": "a\0b"},
    "a newline in a key": {"a\nb": "x"},
    "a card number as a value": {"k": "4242 4242 4242 4242"},
}


@pytest.mark.parametrize("what", METADATA)
def test_metadata_has_limits(world: World, what: str) -> None:
    """400 names the field; at the limits themselves the payment is taken."""
    refused = world.ask("POST", "/payments", {**ORDER, "metadata": METADATA[what]})
    within = {f"key {number:036}": "x" * 500 for number in range(50)}
    taken = world.ask("POST", "/payments", {**ORDER, "metadata": within})

    assert (refused.status, refused.json()["param"].split(".")[0]) == (400, "metadata"), refused
    assert taken.status == 201, taken
    assert taken.json()["metadata"] == within


WRONG_TYPES = ["text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json"]


@pytest.mark.parametrize("media_type", WRONG_TYPES)
def test_a_body_of_another_type_is_refused(world: World, media_type: str) -> None:
    """Whatever it holds."""
    answer = world.ask("POST", "/payments", ORDER, headers={"content-type": media_type})

    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")


def sent(world: World, name: str, body: str | bytes) -> Answer:
    """The answer to a body as it stands, for an object that nobody has."""
    method, path, _ = OPERATIONS[name]
    path = re.sub(r"\{(\w+)\}", lambda found: _nobodys(found[1]), path)
    if isinstance(body, str):
        return world.ask(method, path, text=body)
    event = _base64(world, method, path, body)
    route = edge.route_of(method, path)
    assert route is not None
    return answer_of(edge.handler_of(route)(event, None))


def _nobodys(parameter: str) -> str:
    prefix = PREFIX_OF.get(parameter)
    return STRANGER[parameter] if prefix is None else ids.text(prefix, ids.new_id())


def _base64(world: World, method: str, path: str, body: bytes) -> dict[str, Any]:
    context = {
        "merchant_id": ids.text("mer", world.call.merchant_id),
        "client_id": world.call.client_id,
        "mode": world.call.mode,
        "scope": world.call.scope,
        "expires_at": str(2**40),
    }
    text = base64.b64encode(body).decode()
    headers = {"Idempotency-Key": ids.new_id().hex}
    event = gateway_event(method, path, text=text, headers=headers, authorizer=context)
    return {**event, "isBase64Encoded": True}
