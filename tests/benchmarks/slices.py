"""What one slice of work took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

MS = 1000


@dataclass(frozen=True, slots=True)
class Slice:
    """Operations of one kind, done side by side in `seconds`; each one's time in order."""

    latencies: list[float]
    seconds: float
    own_cpu_seconds: float = 0
    """Of the clients' processes."""
    server_cpu_seconds: float = 0
    """Of Postgres."""
    log_bytes: int = 0
    """Written ahead, without the following."""
    log_page_bytes: int = 0
    """Whole pages in the log: each page once after a checkpoint."""

    @property
    def number(self) -> int:
        """How many operations."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.number / self.seconds

    def percentile(self, percent: float) -> float:
        """The time within which this share of the operations was done."""
        ordered = sorted(self.latencies)
        return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


type Value = Callable[[Slice], float]


def rate(one: Slice) -> float:
    """Operations a second."""
    return one.rate


def p50(one: Slice) -> float:
    """Milliseconds."""
    return one.percentile(50) * MS


def p99(one: Slice) -> float:
    """Milliseconds."""
    return one.percentile(99) * MS


def own_cpu(one: Slice) -> float:
    """Milliseconds of the clients an operation."""
    return one.own_cpu_seconds / one.number * MS


def server_cpu(one: Slice) -> float:
    """Milliseconds of Postgres an operation."""
    return one.server_cpu_seconds / one.number * MS


def log_kilobytes(one: Slice) -> float:
    """Written ahead an operation, without whole pages."""
    return one.log_bytes / one.number / 1000


def page_kilobytes(one: Slice) -> float:
    """Whole pages written ahead an operation."""
    return one.log_page_bytes / one.number / 1000


def side_by_side(slices: Sequence[Slice]) -> Slice:
    """What several clients did at the same time; it took as long as the slowest."""
    return Slice(
        latencies=[latency for one in slices for latency in one.latencies],
        seconds=max(one.seconds for one in slices),
        own_cpu_seconds=sum(one.own_cpu_seconds for one in slices),
    )


def joined(slices: Sequence[Slice]) -> Slice:
    """Other operations of the same kind, one slice after the other."""
    return Slice(
        latencies=[latency for one in slices for latency in one.latencies],
        seconds=sum(one.seconds for one in slices),
    )


def one_after_the_other(first: Slice, second: Slice) -> Slice:
    """Two halves of the same operations: the n-th of one goes with the n-th of the other."""
    return Slice(
        latencies=[a + b for a, b in zip(first.latencies, second.latencies, strict=True)],
        seconds=first.seconds + second.seconds,
        own_cpu_seconds=first.own_cpu_seconds + second.own_cpu_seconds,
        server_cpu_seconds=first.server_cpu_seconds + second.server_cpu_seconds,
        log_bytes=first.log_bytes + second.log_bytes,
        log_page_bytes=first.log_page_bytes + second.log_page_bytes,
    )
