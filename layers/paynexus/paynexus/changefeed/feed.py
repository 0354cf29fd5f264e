"""One reader's way through the log, and its judgement of what the bus refuses."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.changefeed import store
from paynexus.changefeed.backlog import Backlog
from paynexus.changefeed.facts import UnknownFact, entry_of, unreadable
from paynexus.changefeed.pairs import Pairs
from paynexus.changefeed.pgoutput import Begin, Commit, Decoder, Row
from paynexus.changefeed.port import MAX_BYTES, Bus, Entry, Refusal
from paynexus.changefeed.replication import Log, lost
from paynexus.clock import Clock
from paynexus.db import Database
from paynexus.errors import BusUnavailable, ChangefeedLost
from paynexus.observability import count, gauge, logger

MEASURE_SECONDS = 5.0
ANCHOR_SECONDS = 1.0
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


class Feed:
    """Publishes what a log says; everything before `confirmed` is on the bus or set aside.

    Nothing behind the first failure is confirmed: it stays in line and is offered again, in
    order. Another log of the same slot begins there, whatever became of the last one.
    """

    def __init__(
        self,
        tables: Database,
        bus: Bus,
        *,
        slot: str,
        clock: Clock,
        deadline: dt.datetime | None = None,
    ) -> None:
        self.published = 0
        self.rejected = 0
        self.confirmed = 0
        self._tables = tables
        self._bus = bus
        self._slot = slot
        self._clock = clock
        self._deadline = deadline
        self._failures = 0
        self._strikes: dict[str, int] = {}
        self._counts = Counter[str]()
        self._measured_at: dt.datetime | None = None
        self._anchored_at, self._anchored, self._may_anchor = clock(), 0, True

    def follow(self, log: Log) -> None:
        """Facts come from this log from now on; those not confirmed come once more."""
        self._log = log
        self._decoder = Decoder()
        self._pairs = Pairs()
        self._backlog = Backlog()
        self._transaction: Begin | None = None
        self._is_midway = False
        self._row = 0

    def turn(self, *, seconds: float = 0) -> bool:
        """What was committed is on the bus and let go; false when the bus refused a part.

        Waits so long for something to be there.
        """
        if not self._backlog.is_full:
            is_waited_for = self._is_midway or not self._backlog
            self._receive(seconds=seconds if is_waited_for else 0)
        if self._is_midway and not self._backlog.is_full:
            # Its end is on the way: what is told before it would be told again after a crash.
            return True
        went_well = self._publish()
        self._confirm()
        return went_well

    def backoff_seconds(self) -> float:
        """How long to leave the bus alone after so many failures in a row."""
        wait = FIRST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 10)
        return min(wait, LONGEST_BACKOFF_SECONDS)

    def measure(self) -> None:
        """The lag is on record, and what was published, every few seconds."""
        now = self._clock()
        if self._measured_at and (now - self._measured_at).total_seconds() < MEASURE_SECONDS:
            return
        self._measured_at = now
        with self._tables.reading() as connection:
            slot = require_slot(store.slot_of(connection, self._slot), self._slot)
        waiting = max(0.0, (now - (self._backlog.oldest or now)).total_seconds())
        gauge("ChangefeedLagBytes", slot.lag_bytes, unit=MetricUnit.Bytes)
        gauge("ChangefeedLagSeconds", waiting, unit=MetricUnit.Seconds)
        self.tally()

    def keep_close(self) -> None:
        """A successor finds little of the log to read again: it begins two such calls ago.

        Before it can tell the first fact, it has to know which transactions were running. An
        idle database stays idle.
        """
        now = self._clock()
        is_due = (now - self._anchored_at).total_seconds() >= ANCHOR_SECONDS
        if not is_due or not self._may_anchor or self._anchored == self.published:
            return
        with self._tables.reading() as connection:
            self._may_anchor = store.log_snapshot(connection)
        self._anchored_at, self._anchored = now, self.published

    def tally(self) -> None:
        """One business metric a kind of fact: payment.completed.v1 is PaymentCompleted."""
        for kind, number in self._counts.items():
            noun, verb, _version = kind.split(".")
            count(noun.title() + verb.title(), number)
        self._counts.clear()

    def _receive(self, *, seconds: float) -> None:
        """What the log says is in line."""
        for message in self._log.read(seconds=seconds):
            if isinstance(message, int):
                self._backlog.mark(message)
                continue
            match self._decoder.read(message):
                case Row() as row:
                    self._add(self._pairs.add(row))
                case Begin() as begin:
                    self._transaction, self._row, self._is_midway = begin, 0, True
                case Commit() as commit:
                    self._is_midway = False
                    self._add(self._pairs.end())
                    self._backlog.mark(commit.end_lsn)

    def _add(self, rows: Iterable[Row]) -> None:
        """The rows' facts are in line; what can't be told or can't be sent is set aside here."""
        for row in rows:
            self._row += 1
            self._tell(row)

    def _tell(self, row: Row) -> None:
        assert self._transaction, "the decoder lets no row pass outside a transaction"  # noqa: S101 - says why
        try:
            entry = entry_of(row)
        except UnknownFact as error:
            entry = unreadable(
                row,
                f"{self._transaction.final_lsn:X}-{self._row}",
                at=self._transaction.committed_at,
            )
            self._set_aside(entry, code="UnknownFact", message=str(error))
            return
        if entry.size > MAX_BYTES:
            self._set_aside(entry, code="TooLarge", message=f"{entry.size} bytes")
            return
        self._backlog.add(entry, self._transaction.committed_at)

    def _publish(self) -> bool:
        """The line is on the bus up to the first failure, or to the deadline."""
        while call := self._backlog.next_call():
            if self._deadline and self._clock() >= self._deadline:
                break
            refusals = self._offer(call)
            self._take(call[: refusals[0].position] if refusals else call)
            if refusals and not self._judge(call, refusals):
                self._failures += 1
                return False
            self._failures = 0
            self._confirm()
        return True

    def _offer(self, call: Sequence[Entry]) -> Sequence[Refusal]:
        try:
            refusals = self._bus.publish(call)
        except BusUnavailable as error:
            refusals = [Refusal(at, error.code, error.detail) for at in range(len(call))]
        return sorted(refusals, key=lambda refusal: refusal.position)

    def _take(self, taken: Sequence[Entry]) -> None:
        self._backlog.drop(len(taken))
        self.published += len(taken)
        for entry in taken:
            if entry.source in COUNTED_SOURCES:
                self._counts[entry.type] += 1

    def _judge(self, call: Sequence[Entry], refusals: Sequence[Refusal]) -> bool:
        """The first refused fact is set aside for a person; false: it waits for another turn."""
        first = refusals[0]
        entry = call[first.position]
        is_alone = len(refusals) < len(call) and first.code not in THROTTLED
        strikes = self._strikes[entry.id] = self._strikes.get(entry.id, 0) + is_alone
        if first.code in MALFORMED or strikes >= STRIKES:
            self._set_aside(entry, code=first.code, message=first.message)
            self._backlog.drop(1)
            return True
        count("ChangefeedRefused", len(refusals))
        logger.warning("the bus refused facts", code=first.code, refused=len(refusals))
        return False

    def _set_aside(self, entry: Entry, *, code: str, message: str) -> None:
        """The fact is kept in `changefeed_rejects` and blocks nothing behind it."""
        with self._tables.reading() as connection:
            store.reject(connection, entry, code=code, message=message)
        self._strikes.pop(entry.id, None)
        self.rejected += 1
        count("ChangefeedRejected")
        logger.error("a fact was set aside", event_id=entry.id, type=entry.type, code=code)

    def _confirm(self) -> None:
        self.confirmed = max(self.confirmed, self._backlog.reached)
        self._log.confirm(self._backlog.reached)


def require_slot(slot: store.Slot | None, name: str) -> store.Slot:
    """The slot, which the server still keeps the log for; ChangefeedLost otherwise."""
    if slot is None or slot.wal_status == "lost":
        count("ChangefeedLost")
        raise ChangefeedLost(lost(name, "dropped" if slot is None else slot.wal_status))
    return slot
