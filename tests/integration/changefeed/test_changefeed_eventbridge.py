"""The real adapter and the real function, against AWS' API as moto speaks it."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from botocore.stub import Stubber

from paynexus import changefeed, ids, runtime
from paynexus.changefeed.eventbridge import EventBridge
from paynexus.changefeed.port import Entry, Refusal
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.errors import BusUnavailable
from paynexus.ids import MerchantId
from stream_changes import handler as stream_changes
from tests.integration.changefeed.recording import append_each

FAILURES = (BotoCoreError, ClientError)


def entry(number: int) -> Entry:
    """A small fact."""
    moment = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    return Entry(f"evt_{number}", "payments.events", "payment.created.v1", "o", moment, "{}")


@pytest.fixture(name="stubbed")
def _stubbed() -> Iterator[tuple[EventBridge, Stubber]]:
    """The adapter over a client whose answers the test writes."""
    client = boto3.client("events", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield EventBridge(client, name="payments", failures=FAILURES), stubber
        stubber.assert_no_pending_responses()


def test_a_refused_entry_is_named_by_its_place(stubbed: tuple[EventBridge, Stubber]) -> None:
    """EventBridge answers 200 when it took only some."""
    bus, stubber = stubbed
    results = [{"EventId": "1"}, {"ErrorCode": "InternalFailure", "ErrorMessage": "again"}]
    stubber.add_response("put_events", {"FailedEntryCount": 1, "Entries": results})

    assert [Refusal(1, "InternalFailure", "again")] == bus.publish([entry(1), entry(2)])


def test_a_call_refused_for_its_content_is_tried_one_by_one(
    stubbed: tuple[EventBridge, Stubber],
) -> None:
    """The answer names no entry, so the first that fails alone is the one."""
    bus, stubber = stubbed
    taken = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
    stubber.add_client_error("put_events", "ValidationException")
    stubber.add_response("put_events", taken)
    stubber.add_client_error("put_events", "ValidationException")

    (refusal,) = bus.publish([entry(1), entry(2), entry(3)])

    assert (refusal.position, refusal.code) == (1, "ValidationException")


@pytest.mark.parametrize("code", ["AccessDeniedException", "InternalException", "Throttling"])
def test_any_other_failure_of_a_call_means_that_nothing_may_have_arrived(
    stubbed: tuple[EventBridge, Stubber], code: str
) -> None:
    """Then everything is offered again."""
    bus, stubber = stubbed
    stubber.add_client_error("put_events", code)

    with pytest.raises(BusUnavailable, match="payments"):
        bus.publish([entry(1)])


def test_an_unreachable_bus_is_unavailable() -> None:
    """Whatever the client raises is told in our own words."""

    class Unreachable:
        def put_events(self, **_: object) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="https://events")

    with pytest.raises(BusUnavailable):
        EventBridge(Unreachable(), name="payments", failures=FAILURES).publish([entry(1)])


@pytest.fixture(name="queue")
def _queue(deployed: pytest.MonkeyPatch, slot: str) -> str:
    """A queue behind a rule of the bus that the function is deployed with."""
    name = f"payments-{slot}"
    deployed.setenv("PAYNEXUS_BUS_NAME", name)
    deployed.setenv("PAYNEXUS_CHANGEFEED_SLOT", slot)
    deployed.setattr(stream_changes, "READING_TIME", dt.timedelta(seconds=1))
    sqs, bus = boto3.client("sqs"), boto3.client("events")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    bus.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["payments.events"]})
    bus.put_rule(Name="payments", EventBusName=name, EventPattern=pattern)
    target = {"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}
    bus.put_targets(Rule="payments", EventBusName=name, Targets=[target])
    return url


def test_the_function_puts_committed_facts_on_the_bus(
    queue: str, database: Database, merchant: MerchantId
) -> None:
    """As a rule and a queue see them: source, type and the envelope."""
    written = append_each(database, merchant, 12)

    report = stream_changes.handler({}, _Context())

    assert report == {"is_reader": True, "published": 12, "rejected": 0}
    messages = [json.loads(message["Body"]) for message in _received(queue)]
    assert sorted(written) == sorted(message["detail"]["id"] for message in messages)
    assert {(one["source"], one["detail-type"]) for one in messages} == {
        ("payments.events", "payment.created.v1")
    }
    assert {one["detail"]["merchant_id"] for one in messages} == {ids.text("mer", merchant)}


def test_the_function_tells_facts_again_from_a_time_on(
    queue: str, database: Database, merchant: MerchantId
) -> None:
    """The operator's way back after a lost log."""
    written = append_each(database, merchant, 3)
    since = system_clock() - dt.timedelta(minutes=1)

    answer = stream_changes.handler({"republish_since": since.isoformat()}, _Context())

    assert dt.datetime.fromisoformat(answer["reached"]) > since
    messages = [json.loads(message["Body"]) for message in _received(queue)]
    assert sorted(written) == sorted(message["detail"]["id"] for message in messages)


def test_the_function_leaves_the_slot(
    queue: str, slot: str, another_database: Callable[[], Database]
) -> None:
    """The next invocation needs no patience."""
    stream_changes.handler({}, _Context())

    with runtime.changefeed_source() as source:
        report = changefeed.run(
            source,
            runtime.bus(),
            slot=slot,
            clock=system_clock,
            deadline=system_clock(),
            wait_seconds=0.05,
        )
    assert report.is_reader


class _Context:
    function_name = "stream_changes"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:stream_changes"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def _received(url: str) -> list[Any]:
    sqs, messages = boto3.client("sqs"), list[Any]()
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        messages += batch
    return messages
