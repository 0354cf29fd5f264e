"""What is said about the measurements: the figures, by the table they stand in."""

from collections.abc import Callable, Mapping
from functools import partial

from tests.benchmarks.figures import Figure
from tests.benchmarks.round_trips import RoundTrips
from tests.benchmarks.rounds import Halves, Round, Rounds
from tests.benchmarks.slices import Slice

MS = 1000

type Kind = Callable[[Round], Slice]
type Value = Callable[[Slice], float]

KINDS: Mapping[str, Kind] = {
    "TPC-B": lambda one: one.tpcb,
    "complete payment": lambda one: one.spread.whole,
    "accept": lambda one: one.spread.accept,
    "finish": lambda one: one.spread.finish,
    "complete payment, one hot merchant": lambda one: one.hot.whole,
    "whole flow": lambda one: one.flow,
}

Better = partial(Figure, better="higher")


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
    """Written ahead an operation."""
    return one.log_bytes / one.number / 1000


def ratios(rounds: Rounds) -> list[Figure]:
    """Each taken within a round, then the median of the rounds."""

    def ratio(above: str, below: str, value: Value) -> float:
        return rounds.median(lambda one: value(KINDS[above](one)) / value(KINDS[below](one)))

    payment, hot = "complete payment", "complete payment, one hot merchant"
    return [
        Better("complete payments / TPC-B", ratio(payment, "TPC-B", rate), "x", goal=0.6),
        Better("one hot merchant / spread merchants", ratio(hot, payment, rate), "x", goal=0.95),
        Better("whole flows / TPC-B", ratio("whole flow", "TPC-B", rate), "x"),
        Figure("p50: complete payment / TPC-B", ratio(payment, "TPC-B", p50), "x"),
        Figure("p99: complete payment / TPC-B", ratio(payment, "TPC-B", p99), "x", goal=1.5),
        Figure("server CPU: complete payment / TPC-B", ratio(payment, "TPC-B", server_cpu), "x"),
    ]


def speeds(rounds: Rounds) -> list[Figure]:
    """What the ratios are made of."""
    found = []
    for kind in KINDS:
        found += [
            Better(f"{kind}: rate", _median(rounds, kind, rate), "/s"),
            Figure(f"{kind}: p50", _median(rounds, kind, p50), "ms"),
            Figure(f"{kind}: p99", _median(rounds, kind, p99), "ms"),
        ]
    return found


def costs(rounds: Rounds) -> list[Figure]:
    """What one operation uses up."""
    return [
        *(
            Figure(f"{kind}: own CPU", _median(rounds, kind, own_cpu), "ms")
            for kind in ("complete payment", "accept", "finish", "whole flow")
        ),
        *(
            Figure(f"{kind}: server CPU", _median(rounds, kind, server_cpu), "ms")
            for kind in ("TPC-B", "complete payment", "accept", "finish", "whole flow")
        ),
        Figure(
            "complete payment: log written",
            _median(rounds, "complete payment", log_kilobytes),
            "kB",
            goal=3,
        ),
    ]


def alone(tpcb: Slice, payment: Halves) -> list[Figure]:
    """One client: nothing waits for anything but its own work."""
    return [
        Figure("TPC-B, one client: p50", p50(tpcb), "ms"),
        Figure("complete payment, one client: p50", p50(payment.whole), "ms"),
        Figure("complete payment, one client: p99", p99(payment.whole), "ms"),
        Figure("complete payment, one client: own CPU", own_cpu(payment.whole), "ms"),
    ]


def waits(round_trips: Mapping[str, RoundTrips]) -> list[Figure]:
    """How often a payment waits for a server."""
    goals = {"accept": 1, "finish": 1, "charge": 2}
    return [
        *(
            Figure(f"{step}: database round trips", found.database, "", goal=goals.get(step))
            for step, found in round_trips.items()
        ),
        Figure(
            "whole flow: Redis round trips",
            sum(found.cache for found in round_trips.values()),
            "",
            goal=2,
        ),
    ]


def starts(import_seconds: Mapping[str, float]) -> list[Figure]:
    """The dearest first."""
    dearest_first = sorted(import_seconds.items(), key=lambda item: -item[1])
    return [Figure(f"import {module}", taken * MS, "ms") for module, taken in dearest_first]


def _median(rounds: Rounds, kind: str, value: Value) -> float:
    return rounds.median(lambda one: value(KINDS[kind](one)))
