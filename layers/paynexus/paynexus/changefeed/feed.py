"""One reader's place in the log, and its judgement of what the bus refuses."""

import datetime as dt
import json
from collections.abc import Sequence
from itertools import takewhile

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.changefeed import store
from paynexus.changefeed.facts import UnknownFact, entry_of
from paynexus.changefeed.pgoutput import Row, Transaction, transactions
from paynexus.changefeed.port import MAX_BYTES, Bus, Entry, Refusal, batches
from paynexus.clock import Clock
from paynexus.db import Connection
from paynexus.errors import BusUnavailable, ChangefeedLost
from paynexus.observability import count, gauge, logger

CHANGES_PER_TURN = 5_000
"""Reading begins at the slot each time, so fewer, larger turns read the log less often."""
MEASURE_SECONDS = 5.0
FIRST_BACKOFF_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 5.0

MALFORMED = frozenset(
    {
        "413",
        "InvalidArgument",
        "MalformedDetail",
        "RedactionFailure",
        "RequestEntityTooLargeException",
        "ValidationException",
    }
)
"""Refusals that are about the entry itself: the bus will never take it."""
THROTTLED = frozenset({"ThrottlingException"})
"""Refusals that say nothing about the entry, however often they come."""
STRIKES = 5
"""An entry refused so often, while others of its call were taken, is refused for ever."""

COUNTED_SOURCES = frozenset({"payments.events", "fraud.alerts"})
"""Facts that are metrics, too. Settlement counts its own, with the amounts it knows."""

type Facts = tuple[Transaction, list[Entry]]


class Feed:
    """Publishes what the log holds; everything before `confirmed` is on the bus or set aside.

    Belongs to the session that holds the right to read. Nothing behind the first failure is
    confirmed: it is read and offered again, in order.
    """

    def __init__(
        self,
        connection: Connection,
        bus: Bus,
        *,
        slot: str,
        clock: Clock,
        deadline: dt.datetime | None = None,
    ) -> None:
        self.published = 0
        self.rejected = 0
        self.confirmed = 0
        self._connection = connection
        self._bus = bus
        self._slot = slot
        self._clock = clock
        self._deadline = deadline
        self._snapshot: int | None = 0
        self._failures = 0
        self._strikes: dict[str, int] = {}
        # Facts behind `confirmed` that are dealt with already: their transaction is not whole.
        self._done: set[str] = set()
        self._oldest_waiting: dt.datetime | None = None
        self._measured_at: dt.datetime | None = None
        self._require_slot()

    def turn(self) -> bool:
        """What the log holds is published and let go; false when the bus refused a part."""
        flushed = self._news()
        if flushed is None:
            return True
        messages = store.peek(self._connection, self._slot, changes=CHANGES_PER_TURN)
        facts = [(read, self._entries(read)) for read in transactions(messages)]
        self._publish([entry for _, entries in facts for entry in entries])
        whole = list(takewhile(self._is_done, facts))
        end = whole[-1][0].end_lsn if whole else 0
        if len(messages) < CHANGES_PER_TURN and len(whole) == len(facts):
            # Nothing older is waiting, so the log goes also where nothing in it was a fact.
            end = max(end, flushed)
        self._confirm(end, whole)
        self._oldest_waiting = facts[len(whole)][0].committed_at if facts[len(whole) :] else None
        return self._failures == 0

    def backoff_seconds(self) -> float:
        """How long to leave the bus alone after so many failures in a row."""
        wait = FIRST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 10)
        return min(wait, LONGEST_BACKOFF_SECONDS)

    def measure(self) -> None:
        """The lag is on record, every few seconds."""
        now = self._clock()
        if self._measured_at and (now - self._measured_at).total_seconds() < MEASURE_SECONDS:
            return
        self._measured_at = now
        slot = self._require_slot()
        waiting = max(0.0, (now - (self._oldest_waiting or now)).total_seconds())
        gauge("ChangefeedLagBytes", slot.lag_bytes, unit=MetricUnit.Bytes)
        gauge("ChangefeedLagSeconds", waiting, unit=MetricUnit.Seconds)

    def _require_slot(self) -> store.Slot:
        slot = store.slot_of(self._connection, self._slot)
        if slot is None or slot.wal_status == "lost":
            count("ChangefeedLost")
            raise ChangefeedLost(
                f"the slot {self._slot} is gone: follow docs/runbooks/changefeed-lost.md"
            )
        return slot

    def _news(self) -> int | None:
        """How far the log is safe on disk; None when we are there already.

        A snapshot record lets the slot start later. It is written only when somebody else
        wrote since our last one, so that an idle database stays idle.
        """
        positions = store.positions(self._connection)
        if self._snapshot not in {positions.written, None}:
            self._snapshot = store.log_snapshot(self._connection)
        return None if positions.flushed == self.confirmed else positions.flushed

    def _entries(self, read: Transaction) -> list[Entry]:
        """The transaction's facts; what can't be told or can't be sent is set aside here."""
        entries = []
        for number, row in enumerate(read.rows):
            try:
                entry = entry_of(row)
            except UnknownFact as error:
                entry = _unreadable(read, number, row)
                self._set_aside(entry, code="UnknownFact", message=str(error))
            if entry.size > MAX_BYTES:
                self._set_aside(entry, code="TooLarge", message=f"{entry.size} bytes")
            entries.append(entry)
        return entries

    def _publish(self, entries: Sequence[Entry]) -> None:
        """The entries are on the bus up to the first failure, or to the deadline."""
        for batch in batches([entry for entry in entries if entry.id not in self._done]):
            if self._deadline and self._clock() >= self._deadline:
                return
            refusals = self._offer(batch)
            taken = batch[: refusals[0].position] if refusals else batch
            self._done.update(entry.id for entry in taken)
            self.published += len(taken)
            for entry in taken:
                _count(entry)
            if refusals:
                self._judge(batch, refusals)
                return
            self._failures = 0

    def _offer(self, batch: Sequence[Entry]) -> Sequence[Refusal]:
        try:
            refusals = self._bus.publish(batch)
        except BusUnavailable as error:
            refusals = [Refusal(at, error.code, error.detail) for at in range(len(batch))]
        return sorted(refusals, key=lambda refusal: refusal.position)

    def _judge(self, batch: Sequence[Entry], refusals: Sequence[Refusal]) -> None:
        """The first refused entry waits for its next turn, or is set aside for a person."""
        first = refusals[0]
        entry = batch[first.position]
        is_alone = len(refusals) < len(batch) and first.code not in THROTTLED
        strikes = self._strikes[entry.id] = self._strikes.get(entry.id, 0) + is_alone
        if first.code in MALFORMED or strikes >= STRIKES:
            self._set_aside(entry, code=first.code, message=first.message)
            return
        self._failures += 1
        count("ChangefeedRefused", len(refusals))
        logger.warning("the bus refused facts", code=first.code, refused=len(refusals))

    def _set_aside(self, entry: Entry, *, code: str, message: str) -> None:
        """The fact is kept in `changefeed_rejects` and blocks nothing behind it."""
        if entry.id in self._done:
            return
        store.reject(self._connection, entry, code=code, message=message)
        self._done.add(entry.id)
        self._strikes.pop(entry.id, None)
        self.rejected += 1
        count("ChangefeedRejected")
        logger.error("a fact was set aside", event_id=entry.id, type=entry.type, code=code)

    def _is_done(self, facts: Facts) -> bool:
        return all(entry.id in self._done for entry in facts[1])

    def _confirm(self, end: int, whole: Sequence[Facts]) -> None:
        """The log up to `end` is let go, and what was remembered about it."""
        if end > self.confirmed:
            store.advance(self._connection, self._slot, to=end)
            self.confirmed = end
        self._done.difference_update(entry.id for _, entries in whole for entry in entries)


def _count(entry: Entry) -> None:
    """One business metric a fact, named after it: payment.completed.v1 is PaymentCompleted."""
    if entry.source in COUNTED_SOURCES:
        noun, verb, _version = entry.type.split(".")
        count(noun.title() + verb.title())


def _unreadable(read: Transaction, number: int, row: Row) -> Entry:
    """A row that no fact could be made of, under a name that is the same at every reading."""
    return Entry(
        id=f"{read.end_lsn:X}-{number}",
        source="unknown",
        type=row.table,
        object_id="",
        time=read.committed_at,
        detail=json.dumps(dict(row.values), ensure_ascii=False),
    )
