"""Whatever is lost, repeated, late, refused or killed: each object's events arrive in order."""

import datetime as dt
import json
import threading
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus import ids
from paynexus.changefeed import append_event
from paynexus.db import Database
from paynexus.idempotency import Scope
from paynexus.ids import EndpointId, MerchantId
from paynexus.notification import service
from paynexus.notification.endpoints import service as endpoints
from paynexus.notification.port import Message, Receipt
from paynexus.notification.service import Means
from paynexus.sealing import Vault
from tests.integration.notification_world import Hand, Time

VAULT = Vault(bytes(32))


@dataclass(slots=True)
class Receiver:
    """Answers as a script says, then always with 200; remembers who was posted what."""

    script: list[int]
    posts: list[tuple[EndpointId, str, int, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, message: Message) -> Receipt:
        """The next answer of the script."""
        event = json.loads(message.body)
        with self.lock:
            status = self.script.pop() if self.script else 200
            post = (message.endpoint_id, event["object_id"], event["sequence"], status)
            self.posts.append(post)
        return Receipt(status, None, 1, "")


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_events_arrive_in_order(database: Database, now: dt.datetime, data: st.DataObject) -> None:
    """Posts of an object to an endpoint never go back, skip none, and end with one success."""
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3), label="events")
    script = data.draw(st.lists(st.sampled_from([200, 302, 429, 500]), max_size=8), label="answers")
    receiver, time, queue = Receiver(script), Time(now + dt.timedelta(seconds=1)), Hand()
    means = Means(database, receiver, queue, time, jitter=lambda: 0.0)
    merchant_id, listeners = _merchant(database, time, count=data.draw(st.integers(1, 2)))
    events = [event for length in lengths for event in _events(database, merchant_id, length)]
    # Some messages are lost, some come twice, all in any order; some workers die at once.
    told = data.draw(st.lists(st.sampled_from(events), max_size=2 * len(events)), label="messages")
    for event in told:
        if data.draw(st.integers(0, 5), label="dies") == 0:
            for turn in service.fan_out(means, event):
                service._claim(means, turn)
        else:
            service.deliver_event(means, event)

    _pass_time(means, queue, time)

    for listener in listeners:
        for object_id in {str(event["object_id"]) for event in events}:
            posts = [post for post in receiver.posts if post[:2] == (listener, object_id)]
            sequences = [sequence for _, _, sequence, _ in posts]
            accepted = [sequence for _, _, sequence, status in posts if status == 200]
            expected = [e["sequence"] for e in events if e["object_id"] == object_id]

            assert sequences == sorted(sequences)
            assert accepted == expected


def _pass_time(means: Means, queue: Hand, time: Time) -> None:
    # Two minutes for what was lost; then days, in which the schedule tries all that waits.
    time.turn(minutes=2)
    while service.enqueue_due(means.db, queue, now=time()).queued or queue.bodies:
        for body, _delay in queue.empty():
            service.attempt_all(means, service.accept(means, body))
        time.turn(days=1)


def _merchant(database: Database, time: Time, *, count: int) -> tuple[MerchantId, list[EndpointId]]:
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'M')", (merchant_id,))
    answers = [
        endpoints.create(
            database,
            VAULT,
            endpoints.Wanted("https://merchant.example/", "", []),
            networks=(),
            scope=Scope(merchant_id, "test", "create", str(number)),
            fingerprint=b"",
            now=time(),
        )
        for number in range(count)
    ]
    made = [json.loads(answer.body) for answer in answers]
    return merchant_id, [EndpointId(ids.parse("we", one["id"])) for one in made]


def _events(database: Database, merchant_id: MerchantId, length: int) -> list[dict[str, object]]:
    object_id = ids.text("pay", ids.new_id())
    events: list[dict[str, object]] = []
    for sequence in range(1, length + 1):
        with database.transaction() as tx:
            event_id = append_event(
                tx,
                source="payments.events",
                type="payment.completed.v1",
                mode="test",
                merchant_id=merchant_id,
                object_id=object_id,
                data={},
            )
        text = ids.text("evt", event_id)
        events.append({"id": text, "object_id": object_id, "sequence": sequence})
    return events
