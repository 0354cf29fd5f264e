"""Follows the log, publishes what it says, and only then lets it go.

At least once, in commit order, exactly the committed facts. The slot moves on behind what the
bus has taken, so a crash at any point publishes some facts again and loses none; consumers
drop an `id` they have seen.
"""

import datetime as dt
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from paynexus.changefeed import store
from paynexus.changefeed.feed import Feed, require_slot
from paynexus.changefeed.port import Bus
from paynexus.changefeed.replication import Log, SlotBusy, Source
from paynexus.clock import Clock
from paynexus.db import Connection
from paynexus.errors import BusUnavailable, DatabaseUnavailable
from paynexus.observability import logger

WAIT_SECONDS = 30.0
IDLE_SECONDS = 1.0
"""How long a reader waits for news before it looks at the clock."""
BUSY_SECONDS = 0.05
"""How often the next reader looks whether the slot is free."""
FIRST_ABSENCE_SECONDS = 0.1
LONGEST_ABSENCE_SECONDS = 2.0
"""How often a reader tries to reach a server that went away."""

type Sleep = Callable[[float], None]


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
    source: Source,
    bus: Bus,
    *,
    slot: str,
    clock: Clock,
    deadline: dt.datetime,
    wait_seconds: float = WAIT_SECONDS,
    sleep: Sleep = time.sleep,
) -> Report:
    """Facts were published as they were committed, until `deadline`.

    Waits for the slot, so that the next invocation takes over without a gap. A server that
    goes away is followed again as soon as it is back; DatabaseUnavailable when it isn't by then.
    """
    feed = Feed(source.tables, bus, slot=slot, clock=clock, deadline=deadline)
    is_reader, until = False, clock() + dt.timedelta(seconds=wait_seconds)
    while log := _taken(source, slot, until=until, clock=clock, sleep=sleep):
        is_reader, until = True, deadline
        try:
            with closing(log):
                _follow(feed, log, until=deadline, clock=clock, sleep=sleep)
        except DatabaseUnavailable:
            if clock() >= deadline:
                raise
        else:
            break
    feed.tally()
    return Report(is_reader, published=feed.published, rejected=feed.rejected)


def drain(source: Source, bus: Bus, *, slot: str, clock: Clock) -> Report:
    """Everything committed before the call is on the bus; BusUnavailable when it refuses."""
    until = clock() + dt.timedelta(seconds=WAIT_SECONDS)
    log = _taken(source, slot, until=until, clock=clock, sleep=time.sleep)
    if log is None:
        return Report(is_reader=False)
    feed = Feed(source.tables, bus, slot=slot, clock=clock)
    with closing(log):
        feed.follow(log)
        with source.tables.reading() as connection:
            end = store.mark_log(connection)
        while feed.confirmed < end:
            if not feed.turn(seconds=IDLE_SECONDS):
                raise BusUnavailable(f"the bus refused facts of {slot}; they are kept")
    feed.tally()
    return Report(is_reader=True, published=feed.published, rejected=feed.rejected)


def _follow(feed: Feed, log: Log, *, until: dt.datetime, clock: Clock, sleep: Sleep) -> None:
    """Facts are published as they come."""
    feed.follow(log)
    while (now := clock()) < until:
        left = (until - now).total_seconds()
        if not feed.turn(seconds=min(IDLE_SECONDS, left)):
            sleep(min(feed.backoff_seconds(), left))
        feed.measure()
        feed.keep_close()


def _taken(
    source: Source, slot: str, *, until: dt.datetime, clock: Clock, sleep: Sleep
) -> Log | None:
    """The log, streaming to us alone; None when another still had the slot at that time."""
    absence = FIRST_ABSENCE_SECONDS
    while True:
        try:
            if log := _started(source, slot):
                return log
        except DatabaseUnavailable:
            if clock() >= until:
                raise
            logger.info("the database is away", retry_in=absence)
            sleep(absence)
            absence = min(2 * absence, LONGEST_ABSENCE_SECONDS)
        else:
            if clock() >= until:
                return None
            sleep(BUSY_SECONDS)


def _started(source: Source, slot: str) -> Log | None:
    """The log from where the slot stands; None while another reads it."""
    with source.tables.reading() as connection:
        found = require_slot(store.slot_of(connection, slot), slot)
    if found.is_active:
        # Asked first, because the server's log counts each refused attempt as an error.
        return None
    log = source.log()
    try:
        log.start(slot, publication=store.PUBLICATION)
    except SlotBusy:
        log.close()
        return None
    except BaseException:
        log.close()
        raise
    return log
