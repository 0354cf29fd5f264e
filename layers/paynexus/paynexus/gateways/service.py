"""A gateway as the rest of the house calls it: behind its circuit, with safe retries."""

import time
from collections.abc import Callable, Mapping, Sequence

from paynexus.cache import Cache
from paynexus.gateways import breaker
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import Admission, Health, Refusal, State, Verdict
from paynexus.gateways.outcomes import CIRCUIT_OPEN, GATEWAY_BUSY, STILL_ANSWERS
from paynexus.gateways.port import (
    DisputeDesk,
    Gateway,
    GatewayDispute,
    Instruction,
    Outcome,
    Result,
    Sent,
)
from paynexus.gateways.retry import Pace, send_with_retries

NO_DISPUTES = "gateway_tells_no_disputes"
HEALTH_SECONDS = 1.0
"""How long an environment believes its last look at how the gateways are. It only prefers by it: a
circuit that has opened since refuses the call itself, and the next gateway is asked."""
NEUTRAL_CODES = frozenset({"gateway_rate_limited"})


class GuardedGateway:
    """A Gateway: `adapter` behind its circuit and call rate, retried in place where safe."""

    def __init__(
        self,
        adapter: Gateway,
        *,
        breaker: Breaker,
        pace: Pace | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._adapter = adapter
        self._breaker = breaker
        self._pace = pace or Pace()

    @property
    def name(self) -> str:
        """The adapter's name."""
        return self._adapter.name

    def send(self, instruction: Instruction, *, deadline_seconds: float) -> Result:
        """What came of at most three sends; an open circuit answers at once with NOT_SENT."""
        return send_with_retries(
            lambda left: self._send_once(instruction, left),
            deadline_seconds=deadline_seconds,
            pace=self._pace,
        )

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """What became of `reference`; with the circuit open that stays UNKNOWN."""
        admission = self._breaker.admit()
        if admission.refusal:
            return Result(Outcome.UNKNOWN, code=_refusal_code(admission))
        return self._judged(
            admission,
            lambda: self._adapter.inquire(reference, deadline_seconds=deadline_seconds, sent=sent),
        )

    def dispute(
        self, gateway_reference: str, *, deadline_seconds: float
    ) -> GatewayDispute | Result:
        """The dispute as it stands; UNKNOWN with the circuit open, or of one that tells of none."""
        adapter = self._adapter
        if not isinstance(adapter, DisputeDesk):
            return Result(Outcome.UNKNOWN, code=NO_DISPUTES)
        admission = self._breaker.admit()
        if admission.refusal:
            return Result(Outcome.UNKNOWN, code=_refusal_code(admission))
        return self._judged(
            admission, lambda: adapter.dispute(gateway_reference, deadline_seconds=deadline_seconds)
        )

    def is_healthy(self) -> bool:
        """Whether the gateway answers its health question, whatever the circuit says."""
        return self._adapter.is_healthy()

    def state(self) -> State:
        """Where the circuit stands."""
        return self._breaker.state()

    def probe(self) -> State:
        """Where the circuit stands after an open one was probed: a healthy gateway closes it."""
        if self.state() is not State.CLOSED:
            healthy = self._adapter.is_healthy()
            self._breaker.probed(Verdict.PROBE_SUCCESS if healthy else Verdict.PROBE_FAILURE)
        return self.state()

    def _send_once(self, instruction: Instruction, seconds: float) -> Result:
        admission = self._breaker.admit()
        if admission.refusal:
            return Result(Outcome.NOT_SENT, code=_refusal_code(admission))
        return self._judged(
            admission, lambda: self._adapter.send(instruction, deadline_seconds=seconds)
        )

    def _judged[T: Result | GatewayDispute | None](
        self, admission: Admission, call: Callable[[], T]
    ) -> T:
        """The call's result; the circuit knows how it ended and how long it took."""
        verdict, began = Verdict.FAILURE, self._monotonic()
        try:
            result = call()
            verdict = verdict_on(result) if isinstance(result, Result) else Verdict.SUCCESS
            return result
        finally:
            self._breaker.record(admission, verdict, seconds=self._monotonic() - began)


class Gateways:
    """The gateways of each mode, in the order in which they are preferred. A Fleet."""

    def __init__(
        self,
        cache: Cache,
        by_mode: Mapping[str, Sequence[GuardedGateway]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._monotonic = monotonic
        self._looked_at: float | None = None
        self._seen: Mapping[str, Health] = {}
        self._by_mode = {mode: {one.name: one for one in those} for mode, those in by_mode.items()}

    def of(self, mode: str) -> Mapping[str, GuardedGateway]:
        """Those of the mode, by name; none where none is configured."""
        return self._by_mode.get(mode, {})

    def all(self) -> list[GuardedGateway]:
        """Those of every mode."""
        return [one for those in self._by_mode.values() for one in those.values()]

    def health(self) -> Mapping[str, Health]:
        """How each is, or was a second ago; nothing is asked where no mode has a choice."""
        if all(len(those) < 2 for those in self._by_mode.values()):  # noqa: PLR2004 - a choice takes two
            return {}
        now = self._monotonic()
        if self._looked_at is None or now - self._looked_at > HEALTH_SECONDS:
            self._looked_at = now
            self._seen = breaker.health(self._cache, [one.name for one in self.all()])
        return self._seen


def verdict_on(result: Result) -> Verdict:
    """What a result says of the gateway's health: a decline is as healthy as an approval."""
    if result.outcome in {Outcome.APPROVED, Outcome.DECLINED} or result.code in STILL_ANSWERS:
        return Verdict.SUCCESS
    return Verdict.NEUTRAL if result.code in NEUTRAL_CODES else Verdict.FAILURE


def _refusal_code(admission: Admission) -> str:
    return CIRCUIT_OPEN if admission.refusal is Refusal.CIRCUIT else GATEWAY_BUSY
