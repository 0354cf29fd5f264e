"""What a payment should have told the world, and what the world heard of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

from standardwebhooks import Webhook

from paynexus import ids
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually
from tests.e2e.webhooks import Endpoint

SOURCES = ("payments.events", "ledger.changes", "settlements.events", "fraud.alerts")
READ_MAX = 10
ACCOUNT = "000000000000"

SQL_EVENTS: LiteralString = """
SELECT id, source, type, object_id, sequence FROM events
WHERE object_id = ANY(%s) OR source = 'fraud.alerts' AND data ->> 'payment' = ANY(%s)
"""
SQL_TRANSFERS: LiteralString = """
SELECT id, coalesce(pending_id, id), state, sequence FROM transfers WHERE transaction_id = ANY(%s)
"""
TRANSFER_TYPES = {
    "pending": "transfer.pending.v1",
    "single": "transfer.posted.v1",
    "post": "transfer.posted.v1",
    "void": "transfer.voided.v1",
    "expire": "transfer.expired.v1",
}

COMPLETED = {
    "payments.events": [["payment.created.v1", "payment.completed.v1"]],
    # The payment's money reserved and posted, and the fee.
    "ledger.changes": [["transfer.pending.v1", "transfer.posted.v1"], ["transfer.posted.v1"]],
}
FAILED = {
    "payments.events": [["payment.created.v1", "payment.failed.v1"]],
    "ledger.changes": [["transfer.pending.v1", "transfer.voided.v1"]],
}
"""Per source, what each object of a payment says, in its order."""

type Story = dict[str, list[list[str]]]
type Fact = tuple[str, str, str, str, int]


class BusRecorder:
    """Everything that the bus carries from now on, by a rule and a queue of its own.

    `heard` holds envelopes with their `source`, in the order of the bus.
    """

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.name = stack, name
        self.heard: list[dict[str, Any]] = []
        self._sqs, self._events = stack.aws("sqs"), stack.aws("events")
        self._bus = stack.described["bus"]
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        queue = self._sqs.create_queue(QueueName=f"{self.name}.fifo", Attributes=attributes)
        self._queue_url = queue["QueueUrl"]
        self._events.put_rule(
            Name=self.name,
            EventBusName=self._bus,
            EventPattern=json.dumps({"source": list(SOURCES)}),
        )
        arn = f"arn:aws:sqs:{self.stack.described['region']}:{ACCOUNT}:{self.name}.fifo"
        target = {"Id": "all", "Arn": arn, "SqsParameters": {"MessageGroupId": "all"}}
        answer = self._events.put_targets(Rule=self.name, EventBusName=self._bus, Targets=[target])
        assert not answer["FailedEntryCount"], answer

    def read(self) -> list[dict[str, Any]]:
        """All that the bus has carried so far."""
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=READ_MAX
            )
            messages = answer.get("Messages", [])
            if not messages:
                return self.heard
            for message in messages:
                event = json.loads(message["Body"])
                assert event["detail-type"] == event["detail"]["type"]
                self.heard.append({**event["detail"], "source": event["source"]})
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=handles)

    def close(self) -> None:
        """The bus is as it was."""
        self._events.remove_targets(Rule=self.name, EventBusName=self._bus, Ids=["all"])
        self._events.delete_rule(Name=self.name, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._queue_url)


def recorded(stack: Stack, payments: Sequence[str]) -> set[Fact]:
    """The facts that the database holds about these payments: (source, id, type, object, n)."""
    uuids = [ids.parse("pay", payment) for payment in payments]
    facts: set[Fact] = {
        (source, ids.text("evt", id_), type_, object_id, sequence)
        for id_, source, type_, object_id, sequence in stack.rows(
            SQL_EVENTS, list(payments), list(payments)
        )
    }
    for id_, transfer, state, sequence in stack.rows(SQL_TRANSFERS, uuids):
        type_, object_id = TRANSFER_TYPES[state], ids.text("tr", transfer)
        facts.add(("ledger.changes", ids.text("evt", id_), type_, object_id, sequence))
    return facts


def require_facts_on_bus(
    recorder: BusRecorder, payments: Sequence[str], *, may_repeat: bool = False
) -> list[dict[str, Any]]:
    """The bus carried exactly the payments' facts, each object's in order; its envelopes.

    With `may_repeat`, for days on which something failed, an envelope may come again as it was.
    """
    expected = recorded(recorder.stack, payments)

    def heard() -> list[dict[str, Any]]:
        envelopes = _about(recorder.read(), payments)
        missing = expected - {_fact(envelope) for envelope in envelopes}
        assert not missing, f"{len(missing)} of {len(expected)} missing: {sorted(missing)[:3]}"
        return envelopes

    envelopes = eventually(heard, what="every fact is on the bus")
    assert {_fact(envelope) for envelope in envelopes} == expected
    unique = _first_of_each(envelopes)
    assert may_repeat or len(envelopes) == len(unique)
    require_order(unique)
    return unique


def require_webhooks(
    stack: Stack, endpoint: Endpoint, payments: Sequence[str]
) -> list[dict[str, Any]]:
    """Each payments.events fact reached the endpoint, signed, in order per object; all of them."""
    expected = {fact for fact in recorded(stack, payments) if fact[0] == "payments.events"}

    def heard() -> list[dict[str, Any]]:
        requests = stack.webhooks(endpoint.path)
        told = [{**verified(one, endpoint.secret), "source": "payments.events"} for one in requests]
        envelopes = _about(told, payments)
        missing = expected - {_fact(envelope) for envelope in envelopes}
        assert not missing, f"{len(missing)} of {len(expected)} missing: {sorted(missing)[:3]}"
        return envelopes

    envelopes = _first_of_each(eventually(heard, what="every webhook has arrived"))
    assert {_fact(envelope) for envelope in envelopes} == expected
    require_order(envelopes)
    return envelopes


def require_order(envelopes: Iterable[Mapping[str, Any]]) -> None:
    """Each object's sequences are 1, 2, 3 … in the order given."""
    last: dict[str, int] = {}
    for envelope in envelopes:
        object_id = envelope["object_id"]
        assert envelope["sequence"] == last.get(object_id, 0) + 1, envelope
        last[object_id] = envelope["sequence"]


def verified(request: Mapping[str, Any], secret: str) -> dict[str, Any]:
    """The webhook's content, once its signature was checked by a library of others."""
    content: dict[str, Any] = Webhook(secret).verify(request["body"], request["headers"])
    assert content["id"] == request["headers"]["webhook-id"]
    return content


def _fact(envelope: Mapping[str, Any]) -> Fact:
    names = ("source", "id", "type", "object_id", "sequence")
    source, id_, type_, object_id, sequence = (envelope[name] for name in names)
    return source, id_, type_, object_id, sequence


def _about(envelopes: Iterable[dict[str, Any]], payments: Iterable[str]) -> list[dict[str, Any]]:
    wanted = set(payments)
    return [envelope for envelope in envelopes if _payment_of(envelope) in wanted]


def _payment_of(envelope: Mapping[str, Any]) -> str | None:
    if envelope["source"] in {"ledger.changes", "fraud.alerts"}:
        payment: str | None = envelope["data"].get("payment")
        return payment
    prefix, _, digits = envelope["object_id"].partition("_")
    return f"pay_{digits}" if prefix == "pay" else None


def _first_of_each(envelopes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    unique: dict[str, dict[str, Any]] = {}
    for envelope in envelopes:
        first = unique.setdefault(envelope["id"], envelope)
        assert first == envelope, "a repeated envelope is the same"
    return list(unique.values())


def story_of(envelopes: Iterable[Mapping[str, Any]], payment: str) -> Story:
    """What each object of the payment said, by source."""
    objects: dict[tuple[str, str], list[str]] = {}
    for envelope in envelopes:
        if _payment_of(envelope) == payment:
            key = (envelope["source"], envelope["object_id"])
            objects.setdefault(key, []).append(envelope["type"])
    story: Story = {}
    for (source, _), types in objects.items():
        story.setdefault(source, []).append(types)
    return {source: sorted(each) for source, each in story.items()}
