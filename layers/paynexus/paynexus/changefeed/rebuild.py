"""The facts, told again from the tables: the way back when the log of them is lost.

The rows are the truth and the log only their order, so every event can be made again, with its
own id and sequence. Consumers drop what they have seen and sort an object's by `sequence`.
"""

import datetime as dt
from collections.abc import Iterator

from paynexus.changefeed import store
from paynexus.changefeed.facts import UnknownFact, entry_of, unreadable
from paynexus.changefeed.pgoutput import Row
from paynexus.changefeed.port import MAX_BYTES, Bus, Entry, batches
from paynexus.clock import Clock
from paynexus.db import Connection, typed_errors
from paynexus.errors import BusUnavailable

WINDOW = dt.timedelta(minutes=1)


def republish(
    connection: Connection, bus: Bus, *, since: dt.datetime, clock: Clock, deadline: dt.datetime
) -> dt.datetime:
    """Facts from `since` on are on the bus again, up to the answered time: go on from there.

    Stops at the deadline or at the time of the call, whichever is first: what is committed
    meanwhile is the new log's. BusUnavailable names the time to go on from.
    """
    reached, end = since, clock()
    while reached < end and clock() < deadline:
        until = min(reached + WINDOW, end)
        with typed_errors():
            rows = store.facts_between(connection, reached, until)
        _publish(bus, list(_tellable(connection, rows, at=reached)), reached)
        reached = until
    return reached


def _tellable(connection: Connection, rows: list[Row], *, at: dt.datetime) -> Iterator[Entry]:
    """The rows' facts; what can't be told or can't be sent is set aside."""
    for row in rows:
        try:
            entry = entry_of(row)
        except UnknownFact as error:
            entry = unreadable(row, f"{row.table}-{row.values.get('id')}", at=at)
            store.reject(connection, entry, code="UnknownFact", message=str(error))
            continue
        if entry.size > MAX_BYTES:
            store.reject(connection, entry, code="TooLarge", message=f"{entry.size} bytes")
            continue
        yield entry


def _publish(bus: Bus, entries: list[Entry], reached: dt.datetime) -> None:
    for batch in batches(entries):
        if refusals := bus.publish(batch):
            raise BusUnavailable(
                f"the bus refused {len(refusals)} facts ({refusals[0].code}): "
                f"go on from {reached.isoformat()}"
            )
