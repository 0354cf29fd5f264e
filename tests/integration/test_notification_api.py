"""Webhook endpoints, events and deliveries over HTTP, and the two functions that deliver."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from standardwebhooks import Webhook

import deliver_notification.handler as deliver
import retry_notifications.handler as retry
from merchants_api.handler import handler
from paynexus import ids, runtime
from paynexus.db import Database
from paynexus.ids import MerchantId
from tests.integration.conftest import Answer, Caller
from tests.integration.notification_world import Time, World, running_sink
from tools.webhook_sink import Sink

ENDPOINTS = "/webhook-endpoints"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """The merchant's server."""
    with running_sink(tmp_path) as sink:
        yield sink


@pytest.fixture
def queue_url(deployed: pytest.MonkeyPatch) -> str:
    """The queue of notifications, and loopback as a network for webhooks."""
    url: str = boto3.client("sqs").create_queue(QueueName="notifications")["QueueUrl"]
    deployed.setenv("PAYNEXUS_NOTIFICATION_QUEUE_URL", url)
    deployed.setenv("PAYNEXUS_WEBHOOK_NETWORKS", "127.0.0.0/8")
    runtime.settings.cache_clear()
    runtime.webhook_networks.cache_clear()
    return url


@pytest.fixture
def world(
    database: Database, merchant: MerchantId, sink: Sink, now: dt.datetime, queue_url: str
) -> World:
    """Makes events happen."""
    return World(database, merchant, sink, Time(now))


def create(call: Caller, sink: Sink, *, key: str = "one", **order: Any) -> Answer:  # noqa: ANN401 - good or bad
    """The answer to POST /webhook-endpoints."""
    body = {"url": f"{sink.url}/hook", **order}
    return call(handler, "POST", ENDPOINTS, body, headers={"Idempotency-Key": key})


def from_bus(*envelopes: dict[str, object]) -> dict[str, Any]:
    """The batch that Lambda hands over for these events."""
    return from_queue(*(json.dumps({"detail": envelope}) for envelope in envelopes))


def from_queue(*bodies: str) -> dict[str, Any]:
    """The batch that Lambda hands over for these messages."""
    return {
        "Records": [
            {"messageId": str(number), "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


def test_endpoint_lives_its_life(call: Caller, world: World) -> None:
    """Created, read, listed, changed, switched off and on, deleted; its secret shown once."""
    created = create(call, world.sink, event_types=["refund.failed.v1", "payment.failed.v1"])
    endpoint = created.json()
    path = f"{ENDPOINTS}/{endpoint['id']}"
    secret = endpoint.pop("secret")
    changed = call(handler, "PATCH", path, {"event_types": [], "description": "Till 4"})
    stopped = call(handler, "PATCH", path, {"status": "disabled"}).json()
    started = call(handler, "PATCH", path, {"status": "enabled"}).json()
    listed = call(handler, "GET", ENDPOINTS).json()
    deleted = call(handler, "DELETE", path)

    assert created.status == 201
    assert secret.startswith("whsec_")
    assert endpoint["event_types"] == ["payment.failed.v1", "refund.failed.v1"]
    assert changed.json() == endpoint | {"event_types": [], "description": "Till 4"}
    assert (stopped["status"], stopped["disabled_reason"]) == ("disabled", "merchant")
    assert listed == {"data": [started], "has_more": False}
    assert deleted.json() == {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
    assert call(handler, "GET", path).status == 404


def test_creating_twice_under_one_key_is_once(
    call: Caller, world: World, database: Database
) -> None:
    """The replay shows the same secret, byte for byte; no table holds it in the clear."""
    first, second = create(call, world.sink), create(call, world.sink)
    other = create(call, world.sink, url=f"{world.sink.url}/other")
    secret = first.json()["secret"]
    with database.transaction() as tx:
        rows = tx.execute(
            "SELECT to_jsonb(webhook_endpoints)::TEXT FROM webhook_endpoints"
            " UNION ALL SELECT to_jsonb(idempotency_keys)::TEXT FROM idempotency_keys"
        ).fetchall()

    assert first.body == second.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert other.status == 422
    assert len(call(handler, "GET", ENDPOINTS).json()["data"]) == 1
    assert not [row for (row,) in rows if secret in row or secret.removeprefix("whsec_") in row]


@pytest.mark.parametrize(
    ("order", "param"),
    [
        ({"url": "https://127.0.0.1.example/#x"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "ftp://merchant.example"}, "url"),
        ({"url": 5}, "url"),
        ({"event_types": ["payment.exploded.v1"]}, "event_types.0"),
        ({"event_types": ["transfer.posted.v1"]}, "event_types.0"),
        ({"event_types": "payment.failed.v1"}, "event_types"),
        ({"description": "a\nb"}, "description"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_bad_order_names_its_field(
    call: Caller, world: World, order: dict[str, Any], param: str
) -> None:
    """And nothing is written."""
    answer = create(call, world.sink, **order)

    assert (answer.status, answer.json()["param"]) == (400, param)
    assert call(handler, "GET", ENDPOINTS).json()["data"] == []


@pytest.mark.parametrize("route", ["", "/{id}/rotate-secret"])
def test_acting_needs_an_idempotency_key(call: Caller, world: World, route: str) -> None:
    """Without one nothing happens."""
    endpoint = create(call, world.sink).json()
    body = {"url": world.sink.url} if not route else None
    answer = call(handler, "POST", ENDPOINTS + route.format(**endpoint), body)

    assert (answer.status, answer.json()["code"]) == (400, "idempotency_key_missing")


def test_there_is_an_end_to_endpoints(call: Caller, world: World) -> None:
    """Sixteen a merchant and mode; deleting one makes room."""
    made = [create(call, world.sink, key=str(number)).json() for number in range(16)]
    refused = create(call, world.sink, key="16")
    call(handler, "DELETE", f"{ENDPOINTS}/{made[0]['id']}")

    assert (refused.status, refused.json()["code"]) == (409, "invalid_state")
    assert create(call, world.sink, key="17").status == 201


def test_nothing_of_another_merchant_or_mode_is_seen(call: Caller, world: World) -> None:
    """Each route answers 404, as if there were no such thing."""
    endpoint = create(call, world.sink).json()
    event = world.happen(ids.text("pay", ids.new_id()))
    deliver.handler(from_bus(event), None)
    (delivery,) = call(handler, "GET", "/deliveries").json()["data"]
    path = f"{ENDPOINTS}/{endpoint['id']}"
    key = {"Idempotency-Key": "theirs"}

    for stranger in (
        replace(call, mode="live"),
        replace(call, merchant_id=MerchantId(ids.new_id())),
    ):
        answers = [
            stranger(handler, "GET", path),
            stranger(handler, "PATCH", path, {"status": "disabled"}),
            stranger(handler, "DELETE", path),
            stranger(handler, "POST", f"{path}/rotate-secret", headers=key),
            stranger(handler, "GET", f"/events/{event['id']}"),
            stranger(handler, "POST", f"/deliveries/{delivery['id']}/retry", headers=key),
        ]
        lists = [stranger(handler, "GET", f"/{name}") for name in ("events", "deliveries")]

        assert {answer.status for answer in answers} == {404}
        assert [answer.json()["data"] for answer in lists] == [[], []]


@pytest.mark.parametrize("name", ["webhook-endpoints", "events", "deliveries"])
def test_bad_cursor_is_refused(call: Caller, queue_url: str, name: str) -> None:
    """A cursor is the id of such an item."""
    answer = call(handler, "GET", f"/{name}", query={"starting_after": "pay_1"})

    assert (answer.status, answer.json()["param"]) == (400, "starting_after")


def test_function_delivers_what_the_bus_announces(call: Caller, world: World) -> None:
    """From a message to a verified webhook, an event that can be read, a delivery on record."""
    endpoint = create(call, world.sink).json()
    object_id = ids.text("pay", ids.new_id())
    events = [world.happen(object_id, "payment.created.v1"), world.happen(object_id)]
    batch = from_bus(*events)
    batch["Records"].append({**batch["Records"][0], "messageId": "broken", "body": "{}"})
    answer = deliver.handler(batch, None)
    listed = call(handler, "GET", "/events").json()["data"]
    deliveries = call(handler, "GET", "/deliveries", query={"endpoint": endpoint["id"]}).json()
    completed = call(handler, "GET", "/events", query={"type": "payment.completed.v1"}).json()
    requests = world.sink.log.requests()
    bodies = [
        Webhook(endpoint["secret"]).verify(str(one["body"]), one["headers"])  # type: ignore[arg-type]  # a dict of texts
        for one in requests
    ]

    assert answer == {"batchItemFailures": [{"itemIdentifier": "broken"}]}
    assert bodies == events
    assert listed == events[::-1]
    assert completed["data"] == [events[1]]
    assert call(handler, "GET", f"/events/{events[0]['id']}").json() == events[0]
    assert [one["event"] for one in deliveries["data"]] == [one["id"] for one in events[::-1]]
    assert [one["attempts"][0]["status_code"] for one in deliveries["data"]] == [200, 200]


def test_failed_post_comes_back_by_the_queue(call: Caller, world: World, queue_url: str) -> None:
    """The first retry is queued by the failure itself; a retry by hand, at once."""
    create(call, world.sink, url=f"{world.sink.url}/hook?fail_first=1")
    event = world.happen(ids.text("pay", ids.new_id()))
    failed = deliver.handler(from_bus(event), None)
    (delivery,) = call(handler, "GET", "/deliveries", query={"state": "pending"}).json()["data"]
    retried = call(
        handler,
        "POST",
        f"/deliveries/{delivery['id']}/retry",
        headers={"Idempotency-Key": "again"},
    )
    messages = boto3.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
    bodies = [message["Body"] for message in messages["Messages"]]
    deliver.handler(from_queue(*bodies), None)
    (delivered,) = call(handler, "GET", "/deliveries").json()["data"]

    assert failed == {"batchItemFailures": []}
    assert (retried.status, retried.json()["state"]) == (202, "pending")
    assert bodies == [json.dumps({"delivery_id": delivery["id"]})]
    assert delivered["state"] == "delivered"
    assert [one["status_code"] for one in delivered["attempts"]] == [500, 200]


def test_schedule_answers_what_it_found(call: Caller, world: World, queue_url: str) -> None:
    """Nothing, when there is nothing."""
    assert retry.handler({}, None) == {"healed": 0, "queued": 0}
