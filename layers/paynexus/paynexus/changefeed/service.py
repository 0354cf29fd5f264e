"""Reads the log, publishes what it says, and only then lets it go.

At least once, in commit order, exactly the committed facts. The slot moves on behind what the
bus has taken, so a crash at any point publishes some facts again and loses none; consumers
drop an `id` they have seen.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from paynexus.changefeed import store
from paynexus.changefeed.feed import Feed
from paynexus.changefeed.port import Bus
from paynexus.clock import Clock
from paynexus.db import Connection, typed_errors
from paynexus.errors import BusUnavailable

POLL_SECONDS = 0.1
WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What one invocation did; `is_reader` is false when another was still reading."""

    is_reader: bool
    published: int = 0
    rejected: int = 0


def create_slot(connection: Connection, slot: str) -> bool:
    """The log is kept from here on for the feed; true when this call began it."""
    return store.create_slot(connection, slot)


def run(
    connection: Connection,
    bus: Bus,
    *,
    slot: str,
    clock: Clock,
    deadline: dt.datetime,
    poll_seconds: float = POLL_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Facts were published as they were committed, until `deadline`.

    `connection` is the feed's own, straight to the server: the right to read is a lock of its
    session. Waits for that right, so that the next invocation takes over without a gap.
    """
    with _right_to_read(connection, slot, wait_seconds=wait_seconds) as is_reader:
        if not is_reader:
            return Report(is_reader=False)
        feed = Feed(connection, bus, slot=slot, clock=clock, deadline=deadline)
        while clock() < deadline:
            went_well = feed.turn()
            feed.measure()
            sleep(poll_seconds if went_well else feed.backoff_seconds())
        return Report(is_reader=True, published=feed.published, rejected=feed.rejected)


def drain(connection: Connection, bus: Bus, *, slot: str, clock: Clock) -> Report:
    """Everything committed before the call is on the bus; BusUnavailable when it refuses."""
    with _right_to_read(connection, slot, wait_seconds=WAIT_SECONDS) as is_reader:
        if not is_reader:
            return Report(is_reader=False)
        feed = Feed(connection, bus, slot=slot, clock=clock)
        target = store.positions(connection).flushed
        while feed.confirmed < target:
            if not feed.turn():
                raise BusUnavailable(f"the bus refused facts of {slot}; they are kept")
        return Report(is_reader=True, published=feed.published, rejected=feed.rejected)


@contextmanager
def _right_to_read(connection: Connection, slot: str, *, wait_seconds: float) -> Iterator[bool]:
    with typed_errors():
        is_reader = store.acquire(connection, slot, wait_seconds=wait_seconds)
        try:
            yield is_reader
        finally:
            if is_reader and not connection.broken:
                store.release(connection, slot)
