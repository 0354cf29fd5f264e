"""The fleet's circuit and call rate of one gateway: one script in Redis to ask, one to report."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from paynexus.cache import Cache, Script
from paynexus.gateways import circuit
from paynexus.gateways.circuit import (
    SECOND,
    Admission,
    Circuit,
    Policy,
    Refusal,
    State,
    Verdict,
)
from paynexus.observability import count, logger

FORGET_SECONDS = 24 * 3600
"""A gateway that nobody calls for this long begins anew."""
REPORT_INTERVAL_SECONDS = 60.0

# The rules of circuit.py. Lua prints large numbers as 1.7e+15, hence the format. A refusal
# writes nothing. ARGV[1] is the time; 0 takes the server's own, the one clock of the fleet.
_OPENING = """
local function whole(number) return string.format('%.0f', number) end
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local stored = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'failures', 'opened_at',
  'permits_out', 'permits_until', 'next_at')
local state = stored[1] or 'CLOSED'
local epoch = tonumber(stored[2] or 0)
local failures = tonumber(stored[3] or 0)
local opened_at = tonumber(stored[4] or 0)
local permits_out = tonumber(stored[5] or 0)
local permits_until = tonumber(stored[6] or 0)
local next_at = tonumber(stored[7] or 0)
local function save(forget_seconds)
  redis.call('HSET', KEYS[1], 'state', state, 'epoch', whole(epoch), 'failures', whole(failures),
    'opened_at', whole(opened_at), 'permits_out', whole(permits_out),
    'permits_until', whole(permits_until), 'next_at', whole(next_at))
  redis.call('EXPIRE', KEYS[1], forget_seconds)
end
"""

ADMIT = Script(
    _OPENING
    + """
local open_time, permits, permit_time = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local interval, tolerance = tonumber(ARGV[6]), tonumber(ARGV[7])
local was, was_epoch = state, epoch
if state == 'OPEN' then
  if now < opened_at + open_time then return {'circuit', state, epoch} end
  state, epoch, permits_out = 'HALF_OPEN', epoch + 1, 0
elseif state == 'HALF_OPEN' and now >= permits_until then
  permits_out = 0
end
if state == 'HALF_OPEN' then
  if permits_out >= permits then return {'circuit', was, was_epoch} end
  if permits_out == 0 then permits_until = now + permit_time end
  permits_out = permits_out + 1
end
local full_at = math.max(next_at, now)
if full_at - now > tolerance then return {'rate', was, was_epoch} end
next_at = full_at + interval
save(ARGV[2])
return {'', state, epoch, was}
"""
)

RECORD = Script(
    _OPENING
    + """
local call_epoch, verdict, failures_to_open = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local was = state
local function open()
  state, epoch, failures, opened_at, permits_out = 'OPEN', epoch + 1, 0, now, 0
end
local function close()
  state, epoch, failures, permits_out = 'CLOSED', epoch + 1, 0, 0
end
if verdict == 'probe_success' or verdict == 'probe_failure' then
  if state == 'CLOSED' then return {was, state} end
  if verdict == 'probe_success' then close() else open() end
elseif call_epoch ~= epoch or state == 'OPEN' then
  return {was, state}
elseif state == 'HALF_OPEN' then
  if verdict == 'success' then close()
  elseif verdict == 'failure' then open()
  else permits_out = math.max(permits_out - 1, 0) end
elseif verdict == 'failure' then
  failures = failures + 1
  if failures >= failures_to_open then open() end
elseif verdict == 'success' and failures > 0 then
  failures = 0
else
  return {was, state}
end
save(ARGV[2])
return {was, state}
"""
)

LOOK = Script("return redis.call('HGET', KEYS[1], 'state') or 'CLOSED'")

_METRICS: Mapping[State, str] = MappingProxyType(
    {
        State.OPEN: "CircuitOpened",
        State.HALF_OPEN: "CircuitHalfOpened",
        State.CLOSED: "CircuitClosed",
    },
)


class Breaker:
    """Asked before each call to a gateway and told how it ended.

    With Redis gone each environment counts for itself, and says so in a metric.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        gateway: str,
        policy: Policy,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._gateway = gateway
        self._key = f"gateway:{gateway}:circuit"
        self._policy = policy
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._local = Circuit()
        self._reported_at: float | None = None

    def admit(self, *, at: int = 0) -> Admission:
        """Whether the gateway may be called now (or `at`, in microseconds)."""
        policy = self._policy
        arguments = (policy.open_time, policy.probe_permits, policy.permit_time)
        rate = (policy.interval, policy.tolerance)
        answer = self._cache.run(ADMIT, [self._key], [at, FORGET_SECONDS, *arguments, *rate])
        if answer is None:
            return self._admit_locally()
        refusal, state, epoch, *was = answer
        for before in was:
            self._report(State(before.decode()), State(state.decode()))
        return Admission(Refusal(refusal.decode()), State(state.decode()), epoch)

    def record(self, admission: Admission, verdict: Verdict, *, at: int = 0) -> None:
        """The circuit knows how an admitted call ended."""
        if not admission.is_local and self._record(admission.epoch, verdict, at):
            return
        epoch = admission.epoch if admission.is_local else self._local.epoch
        self._record_locally(epoch, verdict)

    def probed(self, verdict: Verdict, *, at: int = 0) -> None:
        """The circuit knows what a health probe found."""
        self._record(0, verdict, at)
        self._record_locally(0, verdict)

    def state(self) -> State:
        """Where the fleet's circuit stands; this environment's own when Redis is gone."""
        answer = self._cache.run(LOOK, [self._key], [])
        return self._local.state if answer is None else State(answer.decode())

    def _record(self, epoch: int, verdict: Verdict, at: int) -> bool:
        arguments = (at, FORGET_SECONDS, epoch, verdict.value, self._policy.failures_to_open)
        answer = self._cache.run(RECORD, [self._key], arguments)
        if answer is None:
            return False
        before, after = (State(state.decode()) for state in answer)
        self._report(before, after)
        return True

    def _admit_locally(self) -> Admission:
        self._report_local()
        with self._lock:
            before = self._local.state
            self._local, admission = circuit.admit(self._local, self._policy, now=self._now())
        self._report(before, self._local.state)
        return replace(admission, is_local=True)

    def _record_locally(self, epoch: int, verdict: Verdict) -> None:
        with self._lock:
            before = self._local.state
            self._local = circuit.record(
                self._local, self._policy, epoch=epoch, verdict=verdict, now=self._now()
            )
        self._report(before, self._local.state)

    def _now(self) -> int:
        return int(self._monotonic() * SECOND)

    def _report(self, before: State, after: State) -> None:
        if before is after:
            return
        logger.warning("circuit changed", gateway=self._gateway, before=before, after=after)
        count(_METRICS[after], gateway=self._gateway)

    def _report_local(self) -> None:
        now = self._monotonic()
        if self._reported_at is None or now - self._reported_at >= REPORT_INTERVAL_SECONDS:
            self._reported_at = now
            count("CircuitCountedLocally", gateway=self._gateway)
