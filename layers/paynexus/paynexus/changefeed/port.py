"""The bus, as the changefeed needs it."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

MAX_ENTRIES = 10
"""EventBridge takes ten entries in one call …"""
MAX_BYTES = 256 * 1024
"""… and 256 kB, over all of them."""

TIME_BYTES = 14
"""What EventBridge counts for an entry's time."""


@dataclass(frozen=True)
class Entry:
    """One fact on its way to the bus; `detail` is the envelope as JSON."""

    id: str
    source: str
    type: str
    object_id: str
    time: dt.datetime
    detail: str

    @cached_property
    def size(self) -> int:
        """Bytes that the bus counts for this entry."""
        written = f"{self.source}{self.type}{self.detail}"
        return TIME_BYTES + len(written.encode())


@dataclass(frozen=True, slots=True)
class Refusal:
    """The bus did not take the entry at `position` of the call."""

    position: int
    code: str
    message: str


class Bus(Protocol):
    """Where facts go. At least once: an entry may be handed over again after a failure."""

    def publish(self, entries: Sequence[Entry]) -> Sequence[Refusal]:
        """The entries are on the bus, but for those refused; BusUnavailable when none may be."""
        ...


def batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries in order, in calls that the bus can take: each within both limits.

    An entry beyond the limit on its own travels alone, for the bus to refuse.
    """
    start, size = 0, 0
    for position, entry in enumerate(entries):
        is_full = position - start == MAX_ENTRIES or size + entry.size > MAX_BYTES
        if is_full and position > start:
            yield entries[start:position]
            start, size = position, 0
        size += entry.size
    if start < len(entries):
        yield entries[start:]
