"""Every event reaches every endpoint that wants it, in order, once another time at most."""

import datetime as dt
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import InvalidState, NotFound
from paynexus.ids import DeliveryId, MerchantId
from paynexus.notification import service
from paynexus.notification.endpoints import service as endpoints
from paynexus.notification.model import EndpointStatus
from tests.integration.notification_world import NETWORKS, Time, World, running_sink


@pytest.fixture
def world(
    database: Database, merchant: MerchantId, tmp_path: Path, now: dt.datetime
) -> Iterator[World]:
    """A merchant whose server listens; the clock stands a second after now."""
    with running_sink(tmp_path) as sink:
        yield World(database, merchant, sink, Time(now + dt.timedelta(seconds=1)))


def payment() -> str:
    """A payment's id."""
    return ids.text("pay", ids.new_id())


def sequences(world: World, path: str, object_id: str) -> list[int]:
    """The sequences of the object that came to this path, in the order of arrival."""
    bodies = [json.loads(str(one["body"])) for one in world.sink.log.requests(path=path)]
    return [body["sequence"] for body in bodies if body["object_id"] == object_id]


def test_event_is_delivered_signed(world: World) -> None:
    """The merchant gets the envelope itself, verifiable with the secret it was given."""
    _, secret = world.listen()
    event = world.happen(payment())

    service.deliver_event(world.means(), event)
    (request,) = world.sink.log.requests()
    headers = request["headers"]
    assert isinstance(headers, dict)
    # The sandglass of the test may differ from the verifier's clock by seconds only.
    verified = Webhook(secret).verify(str(request["body"]), headers)
    ((delivery, (attempt,)),) = world.deliveries()

    assert event == verified
    assert headers["webhook-id"] == event["id"]
    assert headers["content-type"] == "application/json"
    assert (delivery.state, delivery.next_attempt_at) == ("delivered", None)
    assert (attempt.number, attempt.status_code, attempt.error) == (1, 200, None)
    assert attempt.response == '{"received": true}'


def test_event_fans_out_to_those_who_listen(world: World) -> None:
    """By type and mode; twice told is once delivered; other sources are not for merchants."""
    world.listen("/all")
    world.listen("/completed", ("payment.completed.v1",))
    world.listen("/failed", ("payment.failed.v1",))
    world.listen("/live", mode="live")
    disabled, _ = world.listen("/disabled")
    endpoints.change(
        world.db,
        world.owner,
        disabled,
        {"status": "disabled"},
        networks=NETWORKS,
        now=world.time(),
    )
    event = world.happen(payment())
    alert = world.happen(payment(), "fraud.blocked.v1", source="fraud.alerts")

    for told in (event, event, alert):
        service.deliver_event(world.means(), told)

    assert sorted(str(one["path"]) for one in world.sink.log.requests()) == ["/all", "/completed"]


def test_event_from_before_the_endpoint_is_not_its_own(world: World) -> None:
    """An endpoint is told what happens after it was made, whatever still travels."""
    object_id = payment()
    before = world.happen(object_id, "payment.created.v1")
    world.listen()
    after = world.happen(object_id)

    service.deliver_event(world.means(), after)
    service.deliver_event(world.means(), before)

    assert sequences(world, "/hook", object_id) == [2]


def test_unknown_event_is_asked_for_again(world: World) -> None:
    """The message fails and comes back: the row may not be visible yet."""
    with pytest.raises(NotFound):
        service.deliver_event(world.means(), {"id": ids.text("evt", ids.new_id())})


def test_failures_follow_the_schedule_until_it_succeeds(world: World) -> None:
    """5 seconds, 5 minutes, 30 minutes; each failure is on record, and nothing is early."""
    world.listen("/hook?fail_first=3")
    service.deliver_event(world.means(), world.happen(payment()))
    ((delivery, _),) = world.deliveries()

    for seconds in (5, 300, 1800):
        world.time.turn(seconds=seconds - 1)
        service.attempt(world.means(), delivery.id)
        world.time.turn(seconds=1)
        service.attempt(world.means(), delivery.id)

    ((delivery, attempts),) = world.deliveries()
    assert [attempt.status_code for attempt in attempts] == [500, 500, 500, 200]
    assert [attempt.number for attempt in attempts] == [1, 2, 3, 4]
    assert delivery.state == "delivered"


def test_ten_failures_exhaust_a_delivery(world: World) -> None:
    """After the tenth nothing more is sent by itself; what waited behind it goes out."""
    world.listen("/hook?status=500", ("payment.created.v1",))
    service.deliver_event(world.means(), world.happen(payment(), "payment.created.v1"))

    for _ in range(20):
        world.time.turn(days=2)
        service.enqueue_due(world.db, world.queue, now=world.time())
        for body, _delay in world.queue.empty():
            service.attempt_all(world.means(), service.accept(world.means(), body))

    ((delivery, attempts),) = world.deliveries()
    assert (delivery.state, len(attempts)) == ("exhausted", 10)
    assert len(world.sink.log.requests()) == 10


def test_receiver_is_given_the_time_it_asks_for(world: World) -> None:
    """Retry-After postpones the next attempt beyond the schedule."""
    world.listen("/hook?status=503&retry_after=600")
    service.deliver_event(world.means(), world.happen(payment()))
    ((delivery, _),) = world.deliveries()

    assert delivery.next_attempt_at == world.time() + dt.timedelta(seconds=600)


def test_later_events_wait_for_earlier_ones(world: World) -> None:
    """While the first fails, none overtakes it; then all follow at once, in order."""
    world.listen("/hook?fail_first=1")
    object_id, other = payment(), payment()
    events = [world.happen(object_id) for _ in range(4)]
    for event in events:
        service.deliver_event(world.means(), event)
    for delivery, _ in world.deliveries()[1:]:
        service.attempt(world.means(), delivery.id)
    waiting = sequences(world, "/hook", object_id)
    service.deliver_event(world.means(), world.happen(other))
    world.time.turn(seconds=5)
    service.attempt(world.means(), world.deliveries()[0][0].id)

    assert waiting == [1]
    assert sequences(world, "/hook", other) == [1]
    assert sequences(world, "/hook", object_id) == [1, 1, 2, 3, 4]
    assert set(world.states()) == {"delivered"}


def test_a_late_message_is_not_overtaken(world: World) -> None:
    """The bus may tell of the third event first: the earlier two go out before it."""
    world.listen()
    object_id = payment()
    events = [world.happen(object_id) for _ in range(3)]

    service.deliver_event(world.means(), events[2])
    service.deliver_event(world.means(), events[0])

    assert sequences(world, "/hook", object_id) == [1, 2, 3]


def test_exhausted_event_lets_the_next_pass(world: World) -> None:
    """A delivery that is given up blocks its object no longer."""
    world.listen("/hook?fail_first=10")
    object_id = payment()
    for event in [world.happen(object_id), world.happen(object_id)]:
        service.deliver_event(world.means(), event)
    first = world.deliveries()[0][0].id
    for _ in range(9):
        world.time.turn(days=2)
        service.attempt(world.means(), first)

    assert world.states() == ["exhausted", "delivered"]
    assert sequences(world, "/hook", object_id) == [1] * 10 + [2]


def test_410_disables_the_endpoint(world: World) -> None:
    """Gone means gone: what waited is canceled, what happens next is not sent."""
    gone, _ = world.listen("/gone?status=410")
    world.listen("/here")
    object_id = payment()
    for event in [world.happen(object_id), world.happen(object_id)]:
        service.deliver_event(world.means(), event)
    endpoint = endpoints.find(world.db, world.owner, gone)

    assert (endpoint.status, endpoint.disabled_reason) == (EndpointStatus.DISABLED, "gone")
    assert sequences(world, "/gone", object_id) == [1]
    assert sequences(world, "/here", object_id) == [1, 2]
    assert sorted(world.states()) == ["canceled", "delivered", "delivered"]


def test_redirect_is_a_failure(world: World) -> None:
    """Nobody is sent on to an address that was not checked."""
    world.listen("/hook?status=302")
    service.deliver_event(world.means(), world.happen(payment()))

    ((delivery, (attempt,)),) = world.deliveries()
    assert (delivery.state, attempt.status_code) == ("pending", 302)
    assert len(world.sink.log.requests()) == 1


def test_silence_is_a_failure_in_words(world: World) -> None:
    """A port where nobody listens, a server that never answers: recorded, tried again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        world.deadline_seconds = 0.2
        _point(world, f"http://127.0.0.1:{port}/")
        service.deliver_event(world.means(), world.happen(payment()))
    service.deliver_event(world.means(), world.happen(payment()))

    (_, (first,)), (_, (second,)) = world.deliveries()
    assert first.error == "TimeoutError: no complete answer before the deadline"
    assert second.error is not None
    assert second.error.startswith("ConnectionRefusedError")


def test_dripping_server_is_cut_off(world: World) -> None:
    """One byte now and then keeps no worker: the deadline is for the whole exchange."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()
        thread = threading.Thread(target=_drip, args=(server, stopped))
        thread.start()
        world.deadline_seconds = 0.3
        _point(world, f"http://127.0.0.1:{server.getsockname()[1]}/")
        service.deliver_event(world.means(), world.happen(payment()))
        stopped.set()
        thread.join()

    ((_, (attempt,)),) = world.deliveries()
    assert attempt.error == "TimeoutError: no complete answer before the deadline"


def test_address_is_checked_when_sending_too(world: World) -> None:
    """A name that was harmless when registered may be none now; nothing is connected to."""
    endpoint_id, _ = world.listen()
    with world.db.transaction() as tx:
        tx.execute(
            "UPDATE webhook_endpoints SET url = 'https://10.0.0.1/' WHERE id = %s", (endpoint_id,)
        )
    service.deliver_event(world.means(), world.happen(payment()))

    ((_, (attempt,)),) = world.deliveries()
    assert attempt.error is not None
    assert attempt.error.startswith("AddressRefused")


def test_both_secrets_sign_for_a_day_after_rotation(world: World) -> None:
    """Then the old one is out of use."""
    endpoint_id, old = world.listen()
    answer = endpoints.rotate_secret(
        world.db,
        world.vault,
        endpoint_id,
        scope=world.scope("rotate"),
        fingerprint=b"",
        now=world.time(),
    )
    new = json.loads(answer.body)["secret"]
    service.deliver_event(world.means(), world.happen(payment()))
    world.time.turn(hours=24)
    service.deliver_event(world.means(), world.happen(payment()))
    during, after = [one["headers"] for one in world.sink.log.requests()]
    body = str(world.sink.log.requests()[0]["body"])
    assert isinstance(during, dict)
    assert isinstance(after, dict)

    assert Webhook(old).verify(body, during) == Webhook(new).verify(body, during)
    assert len(during["webhook-signature"].split()) == 2
    assert len(after["webhook-signature"].split()) == 1


def test_a_worker_that_died_gives_its_delivery_up(world: World) -> None:
    """The attempt it had begun stays on record, without an outcome; another is made."""
    world.listen()
    event = world.happen(payment())
    (turn,) = service.fan_out(world.means(), event)
    service._claim(world.means(), turn)
    service.attempt(world.means(), turn)
    held = len(world.sink.log.requests())
    world.time.now += service.LEASE
    service.attempt(world.means(), turn)

    ((delivery, attempts),) = world.deliveries()
    assert held == 0
    assert delivery.state == "delivered"
    assert [attempt.status_code for attempt in attempts] == [None, 200]


def test_two_workers_make_one_post_at_a_time(
    world: World, another_database: Callable[[], Database]
) -> None:
    """Eight workers are told of the same events in any order: each is posted once, in order."""
    world.listen("/slow?seconds=0")
    objects = [payment() for _ in range(3)]
    events = [world.happen(object_id) for _ in range(4) for object_id in objects]
    databases = [another_database() for _ in range(8)]

    def work(db: Database, seed: int) -> None:
        for event in random.Random(seed).sample(events, len(events)):  # noqa: S311 - a test's order
            service.deliver_event(world.means(db), event)

    workers = [threading.Thread(target=work, args=(db, seed)) for seed, db in enumerate(databases)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # What a worker found claimed by another, that other has continued; nothing is left.
    for object_id in objects:
        assert sequences(world, "/slow", object_id) == [1, 2, 3, 4]
    assert set(world.states()) == {"delivered"}


def test_schedule_queues_what_is_due_within_a_minute_once(world: World) -> None:
    """With the delay that is left; a parked delivery waits for the one before it."""
    world.listen("/hook?status=500")
    object_id = payment()
    for event in [world.happen(object_id), world.happen(object_id)]:
        service.deliver_event(world.means(), event)
    head = world.deliveries()[0][0]
    soon = world.queue.empty()
    early = service.enqueue_due(world.db, world.queue, now=world.time())
    world.time.turn(seconds=5)
    service.attempt(world.means(), head.id)
    later = world.time() + dt.timedelta(minutes=4, seconds=20)
    service.enqueue_due(world.db, world.queue, now=later)
    service.enqueue_due(world.db, world.queue, now=later)

    body = json.dumps({"delivery_id": ids.text("del", head.id)})
    assert soon == [(body, 5)]
    assert early.queued == 0
    assert world.queue.empty() == [(body, 40)]


def test_lost_events_are_found(world: World) -> None:
    """An event without a delivery after a minute has lost its message; order is kept."""
    world.listen()
    object_id = payment()
    for _ in range(3):
        world.happen(object_id)
    world.happen(payment(), "fraud.blocked.v1", source="fraud.alerts")
    early = service.enqueue_due(world.db, world.queue, now=world.time())
    world.time.turn(seconds=90)
    found = service.enqueue_due(world.db, world.queue, now=world.time())
    again = service.enqueue_due(world.db, world.queue, now=world.time())
    for body, _ in world.queue.empty():
        service.attempt_all(world.means(), service.accept(world.means(), body))

    assert (early.healed, found.healed, again.healed) == (0, 3, 0)
    assert sequences(world, "/hook", object_id) == [1, 2, 3]


def test_retry_by_hand_delivers_again(world: World) -> None:
    """Delivered or exhausted, once more; not to an endpoint that is switched off."""
    endpoint_id, _ = world.listen()
    service.deliver_event(world.means(), world.happen(payment()))
    ((delivery, _),) = world.deliveries()

    def retry(delivery_id: DeliveryId) -> None:
        service.retry(
            world.db,
            world.queue,
            delivery_id,
            scope=world.scope("retry"),
            fingerprint=b"",
            now=world.time(),
        )

    retry(delivery.id)
    ((body, delay),) = world.queue.empty()
    service.attempt_all(world.means(), service.accept(world.means(), body))
    endpoints.delete(world.db, world.owner, endpoint_id, now=world.time())

    assert delay == 0
    assert [len(attempts) for _, attempts in world.deliveries()] == [2]
    assert len(world.sink.log.requests()) == 2
    with pytest.raises(InvalidState):
        retry(delivery.id)
    with pytest.raises(NotFound):
        retry(DeliveryId(ids.new_id()))


def test_changed_subscription_begins_with_the_change(world: World) -> None:
    """What happened before is delivered as it was subscribed to then, the rest as now."""
    endpoint_id, _ = world.listen("/hook", ("payment.created.v1",))
    object_id = payment()
    world.happen(object_id, "payment.created.v1")
    endpoints.change(
        world.db,
        world.owner,
        endpoint_id,
        {"event_types": ["payment.failed.v1"]},
        networks=NETWORKS,
        now=world.time(),
    )
    last = world.happen(object_id, "payment.failed.v1")
    service.deliver_event(world.means(), last)

    assert sequences(world, "/hook", object_id) == [1, 2]


def _point(world: World, url: str) -> None:
    endpoint_id, _ = world.listen()
    changed = endpoints.change(
        world.db, world.owner, endpoint_id, {"url": url}, networks=NETWORKS, now=world.time()
    )
    assert changed.url == url


def _drip(server: socket.socket, stopped: threading.Event) -> None:
    connection, _ = server.accept()
    with connection:
        while not stopped.wait(0.02):
            try:
                connection.sendall(b"H")
            except OSError:
                return
