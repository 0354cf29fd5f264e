"""Use cases of delivering: fan an event out, attempt, retry, find what was lost.

Order: an event is attempted at an endpoint only when every earlier one of the same object is
resolved there. A later one waits, and goes out at once when the earlier one is through.
"""

import datetime as dt
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from uuid import UUID

from paynexus import idempotency, ids, jsontext
from paynexus.clock import Clock
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.ids import DeliveryId, EventId
from paynexus.notification import backoff, store, views, webhook
from paynexus.notification.endpoints import store as endpoint_store
from paynexus.notification.history import store as history_store
from paynexus.notification.model import (
    LOOK_BACK,
    Claim,
    DeliveryState,
    DisabledReason,
    EndpointStatus,
    Event,
    Owner,
)
from paynexus.notification.port import Channel, Message, Queue, Receipt
from paynexus.notification.webhook import Verdict
from paynexus.observability import count

LEASE = dt.timedelta(seconds=60)
"""How long a worker may hold a delivery: four times what one POST may take."""
WORK_MAX = dt.timedelta(seconds=20)
"""After so long one call begins no further attempt; the queue takes over."""
SOON = dt.timedelta(minutes=1)
"""What is due within this is queued with a delay; the schedule runs as often."""
QUEUED = dt.timedelta(minutes=5)
"""A queued delivery whose message is lost is queued again after this."""
LATE = dt.timedelta(minutes=1)
"""An event this old without deliveries has lost its message."""
BATCH_MAX = 1000
POSTS_MAX = 160
"""More than a batch of messages times ENDPOINTS_MAX: no claimed delivery waits for a thread."""


@dataclass(frozen=True, slots=True)
class Means:
    """What delivering takes."""

    db: Database
    channel: Channel
    queue: Queue
    clock: Clock
    jitter: Callable[[], float] = lambda: random.uniform(-backoff.JITTER, backoff.JITTER)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Swept:
    """What a run of the schedule found: lost events, and deliveries that were due."""

    healed: int
    queued: int


def deliver_event(means: Means, event: Mapping[str, object]) -> None:
    """Each endpoint that listens has the event's delivery, and its turn has been attempted."""
    attempt_all(means, fan_out(means, event))


def attempt(means: Means, delivery_id: DeliveryId) -> None:
    """The delivery was attempted if it was its turn, and then what waited behind it."""
    attempt_all(means, [delivery_id])


def accept(means: Means, body: str) -> list[DeliveryId]:
    """What a message of the queue asks for is on record; answers what to attempt for it.

    A message is an event from the bus, or names a delivery. ValueError, KeyError or a typed
    error for any other.
    """
    message = json.loads(body)
    if not isinstance(message, dict):
        raise InvalidRequest("a message of this queue is a JSON object")
    if "delivery_id" in message:
        return [DeliveryId(ids.parse("del", message["delivery_id"]))]
    return fan_out(means, message["detail"])


def fan_out(means: Means, event: Mapping[str, object]) -> list[DeliveryId]:
    """Each endpoint that listens has a delivery of the event; answers whose turn it is.

    Takes the event's envelope, any number of times. NotFound while its row can't be seen: the
    log may tell of a commit an instant before the database shows it.
    """
    event_id = EventId(ids.parse("evt", str(event["id"])))
    with means.db.transaction() as tx:
        object_id = store.object_of(tx, event_id)
        if object_id is None:
            raise NotFound(f"there is no event {event['id']} yet")
        store.fan_out(tx, event_id, now=means.clock(), look_back=LOOK_BACK)
        return store.heads(tx, object_id)


def attempt_all(means: Means, deliveries: Sequence[DeliveryId]) -> None:
    """Each delivery whose turn it is was attempted, and what its success let go.

    All at once: a slow endpoint holds up no other. The database is this thread's alone.
    """
    until = means.clock() + WORK_MAX
    turns = list(deliveries)
    posts: dict[Future[Receipt], Claim] = {}
    with ThreadPoolExecutor(max_workers=POSTS_MAX) as pool:
        while turns or posts:
            for claim, message in _claims(means, turns):
                posts[pool.submit(means.channel.send, message)] = claim
            turns = _record_first(means, posts)
            if turns and means.clock() >= until:
                means.queue.send([_queued(turn, dt.timedelta(0)) for turn in turns])
                turns = []


def retry(
    db: Database,
    queue: Queue,
    delivery_id: DeliveryId,
    *,
    scope: idempotency.Scope,
    fingerprint: bytes,
    now: dt.datetime,
) -> idempotency.Answer:
    """The delivery is due now, whatever became of it before, and its worker is called.

    Should that call be lost, the schedule finds it.
    """
    owner = Owner(scope.merchant_id, scope.mode)

    def act(tx: Connection, _object_id: UUID) -> idempotency.Answer:
        return idempotency.Answer(202, jsontext.write(_reopen(tx, owner, delivery_id, now=now)), {})

    answer = idempotency.run(
        db, scope, fingerprint=fingerprint, object_id=ids.new_id(), now=now, act=act
    )
    queue.send([_queued(delivery_id, dt.timedelta(0))])
    return answer


def enqueue_due(db: Database, queue: Queue, *, now: dt.datetime) -> Swept:
    """What is due within a minute is in the queue; events whose message was lost have deliveries.

    Queued after the commit: a message that is then lost is sent again when QUEUED is over.
    """
    with db.transaction() as tx:
        lost = store.lost_events(tx, since=now - LOOK_BACK, until=now - LATE, limit=BATCH_MAX)
        for event_id in lost:
            store.fan_out(tx, event_id, now=now, look_back=LOOK_BACK)
        due = store.take_due(
            tx, now=now, horizon=now + SOON, queued_until=now + QUEUED, limit=BATCH_MAX
        )
    queue.send([_queued(one.id, one.next_attempt_at - now) for one in due])
    if lost:
        count("WebhookEventHealed", len(lost))
    return Swept(healed=len(lost), queued=len(due))


def _reopen(
    tx: Connection, owner: Owner, delivery_id: DeliveryId, *, now: dt.datetime
) -> dict[str, object]:
    delivery = history_store.delivery(tx, owner, delivery_id)
    if delivery is None:
        raise NotFound("There is no such delivery.")
    endpoint = endpoint_store.find(tx, owner, delivery.endpoint_id, lock=True)
    if endpoint is None or endpoint.status != EndpointStatus.ENABLED:
        raise InvalidState("The delivery's endpoint is disabled or deleted: it is sent nothing.")
    store.reopen(tx, delivery_id, now=now)
    reopened = history_store.delivery(tx, owner, delivery_id)
    assert reopened is not None, "it was there a statement ago"  # noqa: S101 - says why
    return views.delivery(reopened, history_store.attempts_of(tx, [delivery_id]))


def _claims(means: Means, turns: Sequence[DeliveryId]) -> list[tuple[Claim, Message]]:
    return [claimed for turn in turns if (claimed := _claim(means, turn)) is not None]


def _claim(means: Means, delivery_id: DeliveryId) -> tuple[Claim, Message] | None:
    now = means.clock()
    with means.db.transaction() as tx:
        claim = store.claim(tx, delivery_id, now=now, until=now + LEASE)
        if claim is None:
            return None
        return claim, _message(claim, store.event_of(tx, claim), now=now)


def _message(claim: Claim, event: Event, *, now: dt.datetime) -> Message:
    secrets = (claim.secret, claim.previous_secret)
    return Message(
        endpoint_id=claim.endpoint_id,
        url=claim.url,
        id=ids.text("evt", event.id),
        body=webhook.canonical_json(views.event(event)),
        sealed_secrets=tuple(secret for secret in secrets if secret is not None),
        timestamp=now,
    )


def _record_first(means: Means, posts: dict[Future[Receipt], Claim]) -> list[DeliveryId]:
    done, _ = wait(posts, return_when=FIRST_COMPLETED)
    turns: list[DeliveryId] = []
    for post in done:
        turns += _record(means, posts.pop(post), post.result())
    return turns


def _record(means: Means, claim: Claim, receipt: Receipt) -> list[DeliveryId]:
    """The attempt is on record; answers whose turn has come now."""
    now = means.clock()
    verdict = webhook.verdict(receipt.status_code)
    count("WebhookDelivered" if verdict is Verdict.ACCEPTED else "WebhookFailed")
    pause = _next_wait(means, claim, receipt, now=now) if verdict is Verdict.FAILED else None
    with means.db.transaction() as tx:
        store.end_attempt(tx, claim, receipt, now=now)
        if pause is None:
            return _resolve(tx, claim, verdict, now=now)
        is_soon = pause <= SOON
        queued_until = now + pause + QUEUED if is_soon else None
        is_ours = store.postpone(tx, claim, at=now + pause, queued_until=queued_until)
    if is_soon and is_ours:
        means.queue.send([_queued(claim.delivery_id, pause)])
    return []


def _resolve(
    tx: Connection, claim: Claim, verdict: Verdict, *, now: dt.datetime
) -> list[DeliveryId]:
    if verdict is Verdict.GONE:
        endpoint_store.disable(tx, claim.endpoint_id, DisabledReason.GONE, now=now)
        return []
    if verdict is Verdict.ACCEPTED:
        # Even if the lease ran out and another worker is at it: the success has happened.
        store.resolve(tx, claim.delivery_id, DeliveryState.DELIVERED, now=now)
    else:
        store.resolve(tx, claim.delivery_id, DeliveryState.EXHAUSTED, now=now, number=claim.number)
        count("WebhookExhausted")
    return store.heads(tx, claim.object_id, endpoint_id=claim.endpoint_id)


def _next_wait(
    means: Means, claim: Claim, receipt: Receipt, *, now: dt.datetime
) -> dt.timedelta | None:
    retry_after = backoff.parse_retry_after(receipt.retry_after, now=now)
    return backoff.next_wait(claim.number, jitter=means.jitter(), retry_after=retry_after)


def _queued(delivery_id: DeliveryId, wait: dt.timedelta) -> tuple[str, int]:
    # Rounded up: a message that comes early finds nothing due.
    seconds = max(0, math.ceil(wait.total_seconds()))
    return json.dumps({"delivery_id": ids.text("del", delivery_id)}), seconds
