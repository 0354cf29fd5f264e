"""Payments over HTTP, as API Gateway hands requests over: usual ones, odd ones, broken ones."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from merchants_api.handler import handler as merchants
from payments_api.handler import handler
from paynexus.db import Database
from tests.integration.conftest import Answer, Caller, answer_of, gateway_event
from tests.sandbox import Sandbox

ORDER = {"amount": 1250, "currency": "EUR", "payment_method": "tok_approve_api"}
KEY = {"Idempotency-Key": "order-1"}


def take(call: Caller, **order: object) -> Any:  # noqa: ANN401 - any JSON value
    """A payment, as its merchant sees it."""
    answer = call(handler, "POST", "/payments", {**ORDER, **order}, headers=KEY)
    assert answer.status in {201, 202}, answer
    return answer.json()


def act(call: Caller, payment: Mapping[str, Any], what: str, text: str | None) -> Answer:
    """The answer to an operation on the payment."""
    path = f"/payments/{payment['id']}/{what}"
    return call(handler, "POST", path, headers={"Idempotency-Key": what}, text=text)


def payments(database: Database) -> int:
    """How many payments are on record."""
    row = database.connection().execute("SELECT count(*) FROM transactions").fetchone()
    assert row is not None
    count: int = row[0]
    return count


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_an_operation_without_fields_needs_no_body(
    call: Caller, acquirer: Sandbox, text: str | None
) -> None:
    """Capture takes all, refunds return all, cancel releases all; a replay may send `{}`."""
    held = take(call, capture="manual")
    captured = act(call, held, "capture", text)
    again = act(call, held, "capture", "{}")
    refunded = act(call, held, "refunds", text)
    other = call(
        handler,
        "POST",
        "/payments",
        {**ORDER, "capture": "manual"},
        headers={**KEY, "idempotency-key": "2"},
    )
    canceled = act(call, other.json(), "cancel", text)

    assert (captured.status, captured.json()["captured"]["amount"]) == (200, 1250)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (captured.body, "true")
    assert (refunded.status, refunded.json()["amount"]["amount"]) == (201, 1250)
    assert (canceled.status, canceled.json()["status"]) == (200, "CANCELED")


@pytest.mark.parametrize("text", ["null", "[]", "5", '"{}"', " ", "{"])
@pytest.mark.parametrize("what", ["capture", "cancel", "refunds"])
def test_a_body_that_is_no_object_is_refused(
    call: Caller, acquirer: Sandbox, what: str, text: str
) -> None:
    """Only nothing is nothing."""
    answer = act(call, take(call, capture="manual"), what, text)

    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("text", [None, ""])
@pytest.mark.parametrize("path", ["/payments", "/payments/x/confirm"])
def test_a_body_that_is_needed_and_empty_is_said_to_be(
    call: Caller, path: str, text: str | None
) -> None:
    """In a sentence, not in terms of fields."""
    answer = call(handler, "POST", path, text=text, headers=KEY)

    assert (answer.status, answer.json()["detail"]) == (
        400,
        "The body is empty; send a JSON object.",
    )


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/jsonp",
        "application/xml",
        "nonsense",
        "image/png",
    ],
)
def test_what_says_it_is_no_json_is_refused(
    call: Caller, database: Database, media_type: str
) -> None:
    """415, whatever the body holds; nothing is written."""
    headers = {**KEY, "content-type": media_type}
    answer = call(handler, "POST", "/payments", ORDER, headers=headers)
    change = call(merchants, "PATCH", "/merchant", {"name": "X"}, headers=headers)

    for one in (answer, change):
        assert (one.status, one.json()["code"]) == (415, "unsupported_media_type")
        assert one.headers["Content-Type"] == "application/problem+json"
        assert "application/json" in one.json()["detail"]
    assert payments(database) == 0


@pytest.mark.parametrize(
    "media_type", ["application/json", "APPLICATION/JSON", "application/json; charset=UTF-8", ""]
)
def test_json_is_read_however_it_is_named(call: Caller, acquirer: Sandbox, media_type: str) -> None:
    """Media types know no case; a body that says nothing is taken for JSON."""
    headers = {**KEY, "content-type": media_type}
    answer = call(handler, "POST", "/payments", ORDER, headers=headers)

    assert (answer.status, answer.json()["status"]) == (201, "COMPLETED")


def test_an_empty_body_may_say_it_is_a_form(call: Caller, acquirer: Sandbox) -> None:
    """Some clients label every POST so."""
    payment = take(call)
    path = f"/payments/{payment['id']}/refunds"
    headers = {"idempotency-key": "r", "content-type": "application/x-www-form-urlencoded"}

    assert call(handler, "POST", path, headers=headers).status == 201


def raw(call: Caller, method: str = "POST", path: str = "/payments", **changes: Any) -> Answer:  # noqa: ANN401 - any member
    """The answer to an event with these members changed or, with `...`, left out."""
    kept: list[Mapping[str, Any]] = []

    def keep(event: Mapping[str, Any], context: object) -> dict[str, Any]:
        kept.append(event)
        return handler(event, context)

    call(keep, "GET", "/health")
    context = kept[0]["requestContext"]["authorizer"]
    event = gateway_event(method, path, text=json.dumps(ORDER), headers=KEY, authorizer=context)
    changed = {name: value for name, value in {**event, **changes}.items() if value is not ...}
    return answer_of(handler(changed, None))


def test_a_body_may_come_as_base64(call: Caller, acquirer: Sandbox) -> None:
    """As API Gateway sends what it takes for binary."""
    body = base64.b64encode(json.dumps(ORDER).encode()).decode()

    assert raw(call, body=body, isBase64Encoded=True).status == 201


@pytest.mark.parametrize("body", ["%%%", "abc", "YQ==YQ==", "/w==", "é", "7aCA"])
def test_a_body_that_only_says_it_is_base64_is_refused(call: Caller, body: str) -> None:
    """Neither alphabet, padding nor the text inside may be wrong."""
    answer = raw(call, body=body, isBase64Encoded=True)

    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("missing", [None, ...])
def test_an_event_may_lack_what_there_is_none_of(call: Caller, missing: object) -> None:
    """Null or absent: a clear refusal where it is needed, an answer where it is not."""
    absent: dict[str, Any] = {
        "headers": missing,
        "multiValueHeaders": missing,
        "queryStringParameters": missing,
        "multiValueQueryStringParameters": missing,
        "pathParameters": missing,
        "stageVariables": missing,
    }
    listed = raw(call, "GET", body=missing, isBase64Encoded=missing, **absent)
    refused = raw(call, **absent)
    anonymous = raw(call, requestContext=missing)

    assert (listed.status, listed.json()["data"]) == (200, [])
    assert (refused.status, refused.json()["param"]) == (400, "Idempotency-Key")
    assert (anonymous.status, anonymous.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "path",
    [
        "/payments/" + "a" * 20_000,
        "/payments/pay_" + "0" * 20_000,
        "/payments" + "/a" * 10_000,
        "/payments/%2e%2e%2f",
        "/payments/pay_\x00",
        "/payments/pay_\ud800",
        "/payments/🍕",
        "//payments",
        "",
        "/" + "../" * 100 + "payments",
    ],
)
def test_an_odd_path_is_not_found(call: Caller, path: str) -> None:
    """404 in good form, however long or strange."""
    answer = raw(call, "GET", path, body=None)

    assert (answer.status, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "BREW", "get"])
def test_an_unknown_method_is_told_the_known_ones(call: Caller, method: str) -> None:
    """405 and `Allow`; methods know no case here."""
    answer = raw(call, method, body=None)

    if method == "get":
        assert answer.status == 200
    else:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/events", {"object_id": "pay_\x00"}),
        ("/events", {"type": "\ud800"}),
        ("/events", {"type": "x" * 65}),
        ("/deliveries", {"event": "evt_\x00"}),
        ("/ledger-entries", {"starting_after": "9" * 40}),
        ("/ledger-entries", {"limit": "1e1"}),
        ("/settlements", {"starting_after": "set_nonsense"}),
        ("/settlements", {"starting_after": ""}),
        ("/balances", {"at": "0"}),
        ("/balances", {"known_at": "1795366200"}),
    ],
)
def test_an_odd_parameter_is_refused(call: Caller, path: str, query: dict[str, str]) -> None:
    """400, never our own failure."""
    answer = call(merchants, "GET", path, query=query)

    assert (answer.status, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/payments", "/disputes", "/payments/{}/timeline"])
def test_an_empty_cursor_is_no_cursor(call: Caller, acquirer: Sandbox, path: str) -> None:
    """400, as in every list: who means the first page leaves it out."""
    payment = take(call)
    answer = call(handler, "GET", path.format(payment["id"]), query={"starting_after": ""})

    assert (answer.status, answer.json()["param"]) == (400, "starting_after")
