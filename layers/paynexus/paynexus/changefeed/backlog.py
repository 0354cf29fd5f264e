"""Facts that were read and are not on the bus yet, and how far the log may be let go. Pure."""

import datetime as dt
from collections import deque
from collections.abc import Sequence
from itertools import islice

from paynexus.changefeed.port import MAX_ENTRIES, Entry, batches

MOST_ENTRIES = 5_000
MOST_BYTES = 4 * 1024 * 1024


class Backlog:
    """A line of facts in the order of their commits, with marks between them.

    A mark is a position of the log; it is reached when every fact before it is dealt with.
    """

    def __init__(self) -> None:
        self.reached = 0
        self._waiting: deque[tuple[Entry, dt.datetime]] = deque()
        self._marks: deque[tuple[int, int]] = deque()
        self._bytes = 0
        self._added = 0
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether more of the log had better stay with the server for now."""
        return len(self._waiting) >= MOST_ENTRIES or self._bytes >= MOST_BYTES

    @property
    def oldest(self) -> dt.datetime | None:
        """When the first fact in line was committed."""
        return self._waiting[0][1] if self._waiting else None

    def add(self, entry: Entry, committed_at: dt.datetime) -> None:
        """The fact is last in line."""
        self._waiting.append((entry, committed_at))
        self._added += 1
        self._bytes += entry.size

    def mark(self, position: int) -> None:
        """The log may go up to `position` once the facts now in line are dealt with."""
        if self._marks and self._marks[-1][0] == self._added:
            # No fact lies between: an idle line doesn't grow.
            position = max(position, self._marks.pop()[1])
        self._marks.append((self._added, position))
        self._pass_marks()

    def next_call(self) -> Sequence[Entry]:
        """The first facts in line, as many as the bus can take in one call."""
        head = [entry for entry, _ in islice(self._waiting, MAX_ENTRIES)]
        return next(batches(head), ())

    def drop(self, number: int) -> None:
        """So many facts at the head are dealt with."""
        for _ in range(number):
            entry, _ = self._waiting.popleft()
            self._bytes -= entry.size
        self._dropped += number
        self._pass_marks()

    def _pass_marks(self) -> None:
        while self._marks and self._marks[0][0] <= self._dropped:
            self.reached = max(self.reached, self._marks.popleft()[1])
