"""The circuit's rules: when a gateway is called, rested and tried again. Pure.

breaker.py runs the same rules in Redis for the whole fleet; these are their definition, what its
script is tested against, and what an environment counts by when Redis is gone. All times are
whole microseconds.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SECOND = 1_000_000


class State(enum.StrEnum):
    """CLOSED lets calls pass, OPEN refuses them, HALF_OPEN lets a few try."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Verdict(enum.StrEnum):
    """What a call says of the gateway's health; a decline is a success."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    PROBE_SUCCESS = "probe_success"
    PROBE_FAILURE = "probe_failure"


@dataclass(frozen=True, slots=True)
class Policy:
    """How much a gateway may fail, how long it rests, and how often it may be called."""

    failures_to_open: int = 5
    """Consecutive ones; a gateway that fails now and then is judged by the window."""
    window_seconds: float = 30.0
    """Calls are judged together with those of the window before."""
    least_calls: int = 20
    """Fewer in both windows say nothing about a rate."""
    failed_percent: int = 50
    slow_percent: int = 80
    slow_seconds: float = 5.0
    """A call that takes this long is slow, whatever its answer."""
    open_seconds: float = 15.0
    probe_permits: int = 1
    permit_seconds: float = 30.0
    """After this long a trial's caller is taken for dead and its permit is given anew."""
    calls_per_second: float = 500.0
    burst: int = 1000

    @property
    def window(self) -> int:
        """How long calls are counted before the next count begins."""
        return int(self.window_seconds * SECOND)

    @property
    def open_time(self) -> int:
        """How long an open circuit rests."""
        return int(self.open_seconds * SECOND)

    @property
    def permit_time(self) -> int:
        """How long permits are out."""
        return int(self.permit_seconds * SECOND)

    @property
    def interval(self) -> int:
        """The time that one call uses up of the rate."""
        return int(SECOND / self.calls_per_second)

    @property
    def tolerance(self) -> int:
        """How far a burst may run ahead of the rate."""
        return self.interval * (self.burst - 1)


@dataclass(frozen=True, slots=True)
class Counts:
    """The calls of one window."""

    calls: int = 0
    failed: int = 0
    slow: int = 0


@dataclass(frozen=True, slots=True)
class Circuit:
    """All that is remembered of a gateway; as it begins, unless told otherwise.

    `epoch` counts the changes of state: a call admitted in one state says nothing in the next.
    """

    state: State = State.CLOSED
    epoch: int = 0
    failures: int = 0
    opened_at: int = 0
    permits_out: int = 0
    permits_until: int = 0
    next_at: int = 0
    """When the token bucket is full again (the rate as one number: GCRA)."""
    window: int = 0
    """Which one `latest` counts: the time divided by a window's length."""
    latest: Counts = Counts()
    earlier: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Health:
    """How a gateway is, as far as that is known."""

    state: State = State.CLOSED
    success_rates: Mapping[str, float] = field(default_factory=dict)
    """By currency, of late."""


class Refusal(enum.StrEnum):
    """Why a call isn't made."""

    NONE = ""
    CIRCUIT = "circuit"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Change:
    """The fleet's circuit went from one state to another, at a time of the fleet's own clock."""

    before: State
    after: State
    at: int


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may be made, and the epoch to report its result under."""

    refusal: Refusal
    state: State
    epoch: int
    is_local: bool = False
    changes: tuple[Change, ...] = field(default=(), compare=False)
    """What admitting the call did to the fleet's circuit: told once the call has ended."""


def admit(circuit: Circuit, policy: Policy, *, now: int) -> tuple[Circuit, Admission]:
    """The circuit after one more call asks to be made, and the answer to it."""
    trial = _trial(circuit, policy, now)
    if trial is None:
        return circuit, Admission(Refusal.CIRCUIT, circuit.state, circuit.epoch)
    full_at = max(trial.next_at, now)
    if full_at - now > policy.tolerance:
        return circuit, Admission(Refusal.RATE, circuit.state, circuit.epoch)
    admitted = replace(trial, next_at=full_at + policy.interval)
    return admitted, Admission(Refusal.NONE, admitted.state, admitted.epoch)


def _trial(circuit: Circuit, policy: Policy, now: int) -> Circuit | None:
    """The circuit with a permit handed out where one is needed; None when none is to be had."""
    if circuit.state is State.CLOSED:
        return circuit
    out = circuit.permits_out
    if circuit.state is State.OPEN:
        if now < circuit.opened_at + policy.open_time:
            return None
        circuit = replace(circuit, state=State.HALF_OPEN, epoch=circuit.epoch + 1)
        out = 0
    elif now >= circuit.permits_until:
        out = 0
    if out >= policy.probe_permits:
        return None
    until = circuit.permits_until if out else now + policy.permit_time
    return replace(circuit, permits_out=out + 1, permits_until=until)


def record(
    circuit: Circuit,
    policy: Policy,
    *,
    epoch: int,
    verdict: Verdict,
    now: int,
    is_slow: bool = False,
) -> Circuit:
    """The circuit after a call ended. News from an earlier epoch changes nothing.

    A probe speaks of the gateway as it is, whatever the epoch, but only ends or prolongs a rest.
    """
    if verdict in {Verdict.PROBE_SUCCESS, Verdict.PROBE_FAILURE}:
        if circuit.state is State.CLOSED:
            return circuit
        return _closed(circuit) if verdict is Verdict.PROBE_SUCCESS else _opened(circuit, now)
    if epoch != circuit.epoch or circuit.state is State.OPEN:
        return circuit
    if circuit.state is State.HALF_OPEN:
        return _tried(circuit, verdict, now, is_slow=is_slow)
    if verdict is Verdict.NEUTRAL:
        return circuit
    counted = _counted(circuit, policy, now, has_failed=verdict is Verdict.FAILURE, is_slow=is_slow)
    return _opened(counted, now) if _is_bad(counted, policy) else counted


def _counted(
    circuit: Circuit, policy: Policy, now: int, *, has_failed: bool, is_slow: bool
) -> Circuit:
    window = now // policy.window
    latest, earlier = circuit.latest, circuit.earlier
    if window > circuit.window:
        earlier = latest if window == circuit.window + 1 else Counts()
        latest = Counts()
    return replace(
        circuit,
        failures=circuit.failures + 1 if has_failed else 0,
        window=max(window, circuit.window),
        latest=Counts(latest.calls + 1, latest.failed + has_failed, latest.slow + is_slow),
        earlier=earlier,
    )


def _is_bad(circuit: Circuit, policy: Policy) -> bool:
    if circuit.failures >= policy.failures_to_open:
        return True
    latest, earlier = circuit.latest, circuit.earlier
    calls = latest.calls + earlier.calls
    return calls >= policy.least_calls and (
        100 * (latest.failed + earlier.failed) >= policy.failed_percent * calls
        or 100 * (latest.slow + earlier.slow) >= policy.slow_percent * calls
    )


def _tried(circuit: Circuit, verdict: Verdict, now: int, *, is_slow: bool) -> Circuit:
    if verdict is Verdict.FAILURE or (verdict is Verdict.SUCCESS and is_slow):
        return _opened(circuit, now)
    if verdict is Verdict.SUCCESS:
        return _closed(circuit)
    return replace(circuit, permits_out=max(circuit.permits_out - 1, 0))


def _opened(circuit: Circuit, now: int) -> Circuit:
    opened = replace(circuit, state=State.OPEN, opened_at=now)
    return _anew(opened)


def _closed(circuit: Circuit) -> Circuit:
    return _anew(replace(circuit, state=State.CLOSED))


def _anew(circuit: Circuit) -> Circuit:
    return replace(
        circuit,
        epoch=circuit.epoch + 1,
        failures=0,
        permits_out=0,
        window=0,
        latest=Counts(),
        earlier=Counts(),
    )
