"""A bus that remembers, and the facts to put on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import override

from paynexus import changefeed, ids
from paynexus.changefeed.feed import Feed
from paynexus.changefeed.port import Entry, Refusal
from paynexus.changefeed.replication import Log, Message
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId

type Drain = Callable[[RecordingBus], changefeed.Report]
type Follow = Callable[[RecordingBus], Feed]
type Judgement = Callable[[Sequence[Entry]], Sequence[Refusal]]


class GatheredLog(Log):
    """A log that hands over at once all that was committed before `end`.

    What has arrived by when is chance otherwise, and so is what stands in one call of the bus.
    """

    end: int
    passed = 0

    @override
    def read(self, *, seconds: float) -> list[Message]:
        messages = super().read(seconds=seconds)
        while self.passed < self.end:
            messages += super().read(seconds=seconds or 1)
            self.passed = max(one for one in [0, *messages] if isinstance(one, int))
        return messages


class Crash(BaseException):
    """The process ends here: nothing may handle it."""


@dataclass(slots=True)
class RecordingBus:
    """A bus that keeps what it took; `judge` says what it refuses of each call."""

    judge: Judgement = field(default=lambda _: ())
    taken: list[Entry] = field(default_factory=list)
    calls: int = 0

    def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """The entries are kept, but for those refused."""
        self.calls += 1
        refusals = self.judge(entries)
        refused = {refusal.position for refusal in refusals}
        self.taken += [entry for at, entry in enumerate(entries) if at not in refused]
        return refusals

    @property
    def ids(self) -> list[str]:
        """What was taken, in order, every copy."""
        return [entry.id for entry in self.taken]


def append(tx: Connection, merchant: MerchantId, object_id: str | None = None) -> str:
    """A fact is part of `tx`; its id as the bus shows it."""
    event_id = changefeed.append_event(
        tx,
        source="payments.events",
        type="payment.created.v1",
        mode="test",
        merchant_id=merchant,
        object_id=object_id or ids.text("pay", ids.new_id()),
        data={"note": "Café ☕"},
    )
    return ids.text("evt", event_id)


def append_each(database: Database, merchant: MerchantId, number: int) -> list[str]:
    """So many facts, each in a transaction of its own."""
    written = []
    for _ in range(number):
        with database.transaction() as tx:
            written.append(append(tx, merchant))
    return written


def rejected(database: Database) -> list[tuple[str, str]]:
    """What was set aside: id and code, oldest first."""
    query = "SELECT id, code FROM changefeed_rejects ORDER BY rejected_at, id"
    return database.connection().execute(query).fetchall()
