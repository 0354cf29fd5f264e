"""What the tests of notification share: a merchant's server, a queue in hand, a clock to turn."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from paynexus import ids
from paynexus.changefeed import append_event
from paynexus.changefeed.facts import envelope
from paynexus.db import Database
from paynexus.idempotency import Scope
from paynexus.ids import EndpointId, EventId, MerchantId
from paynexus.lists.model import Page
from paynexus.notification.addresses import parse_networks
from paynexus.notification.channel import WebhookChannel
from paynexus.notification.endpoints import service as endpoints
from paynexus.notification.history import service as history
from paynexus.notification.model import Attempt, Delivery, Owner
from paynexus.notification.service import Means
from paynexus.sealing import Vault
from tools.webhook_sink import Log, Sink

KEY = bytes(range(32))
NETWORKS = parse_networks(["127.0.0.0/8"])
EVERYTHING = Page[UUID](100)


@dataclass(slots=True)
class Hand:
    """A queue whose messages are looked at instead of worked off."""

    bodies: list[tuple[str, int]] = field(default_factory=list)

    def send(self, bodies: list[tuple[str, int]]) -> None:
        """The messages are in hand."""
        self.bodies += bodies

    def empty(self) -> list[tuple[str, int]]:
        """The messages, which are gone from here."""
        bodies, self.bodies = self.bodies, []
        return bodies


@dataclass(slots=True)
class Time:
    """A clock that stands still until it is turned."""

    now: dt.datetime

    def __call__(self) -> dt.datetime:
        """The moment it shows."""
        return self.now

    def turn(self, **by: float) -> None:
        """It shows a later moment."""
        self.now += dt.timedelta(**by)


@dataclass(slots=True)
class World:
    """One merchant in test mode, its server, and what delivers to it."""

    db: Database
    merchant_id: MerchantId
    sink: Sink
    time: Time
    queue: Hand = field(default_factory=Hand)
    vault: Vault = field(default_factory=lambda: Vault(KEY))
    mode: str = "test"
    deadline_seconds: float = 5.0

    @property
    def owner(self) -> Owner:
        """Whose things these are."""
        return Owner(self.merchant_id, self.mode)

    def means(self, db: Database | None = None) -> Means:
        """What delivering takes; with another database connection, as another worker has it."""
        channel = WebhookChannel(self.vault, NETWORKS, deadline_seconds=self.deadline_seconds)
        return Means(db or self.db, channel, self.queue, self.time, jitter=lambda: 0.0)

    def scope(self, operation: str) -> Scope:
        """A fresh idempotency key."""
        return Scope(self.merchant_id, self.mode, operation, str(ids.new_id()))

    def listen(
        self, path: str = "/hook", event_types: tuple[str, ...] = (), *, mode: str = "test"
    ) -> tuple[EndpointId, str]:
        """An endpoint at the sink and its secret."""
        answer = endpoints.create(
            self.db,
            self.vault,
            endpoints.Wanted(self.sink.url + path, "", list(event_types)),
            networks=NETWORKS,
            scope=Scope(self.merchant_id, mode, "POST /webhook-endpoints", str(ids.new_id())),
            fingerprint=b"",
            now=self.time(),
        )
        made = json.loads(answer.body)
        return EndpointId(ids.parse("we", made["id"])), made["secret"]

    def happen(
        self,
        object_id: str,
        type_: str = "payment.completed.v1",
        *,
        source: str = "payments.events",
        mode: str = "test",
    ) -> dict[str, object]:
        """An event of the object is committed; its envelope, as the bus carries it."""
        with self.db.transaction() as tx:
            event_id = append_event(
                tx,
                source=source,
                type=type_,
                mode=mode,
                merchant_id=self.merchant_id,
                object_id=object_id,
                data={"name": "Café", "amount": {"amount": 1250, "currency": "EUR"}},
            )
        return self.envelope(event_id, mode=mode)

    def envelope(self, event_id: EventId, *, mode: str = "test") -> dict[str, object]:
        """The event of this id as every consumer sees it."""
        event = history.event(self.db, Owner(self.merchant_id, mode), event_id)
        return envelope(
            id=event.id,
            type=event.type,
            created=event.created_at,
            mode=event.mode,
            merchant_id=event.merchant_id,
            object_id=event.object_id,
            sequence=event.sequence,
            data=event.data,
        )

    def deliveries(self) -> list[tuple[Delivery, list[Attempt]]]:
        """Every delivery of the merchant with its attempts, the oldest first."""
        found, _ = history.deliveries(self.db, self.owner, EVERYTHING)
        return found[::-1]

    def states(self) -> list[str]:
        """The states of the deliveries, the oldest first."""
        return [delivery.state for delivery, _ in self.deliveries()]


@contextmanager
def running_sink(state: Path) -> Iterator[Sink]:
    """A webhook sink on a free port."""
    sink = Sink(0, Log(state))
    thread = threading.Thread(target=sink.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield sink
    sink.shutdown()
    sink.server_close()
    thread.join()
