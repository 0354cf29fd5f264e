"""The fleet's circuit and call rate of one gateway: one script in Redis to ask, one to report."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from paynexus.cache import Cache, Script
from paynexus.gateways import circuit
from paynexus.gateways.circuit import (
    SECOND,
    Admission,
    Change,
    Circuit,
    Health,
    Policy,
    Refusal,
    State,
    Verdict,
)
from paynexus.observability import count, logger, trace_of

FORGET_SECONDS = 24 * 3600
"""A gateway that nobody calls for this long begins anew."""
REPORT_INTERVAL_SECONDS = 60.0

# The rules of circuit.py. Lua prints large numbers as 1.7e+15, hence the format. A refusal
# writes nothing. ARGV[1] is the time; 0 takes the server's own, the one clock of the fleet.
_OPENING = """
local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local names = {'epoch', 'failures', 'opened_at', 'permits_out', 'permits_until', 'next_at',
  'window', 'calls', 'failed', 'slow', 'earlier_calls', 'earlier_failed', 'earlier_slow'}
local stored = redis.call('HMGET', KEYS[1], 'state', unpack(names))
local state = stored[1] or 'CLOSED'
local c = {}
for n, name in ipairs(names) do c[name] = tonumber(stored[n + 1] or 0) end
local function save(forget_seconds)
  local pairs_of = {'state', state}
  for _, name in ipairs(names) do
    pairs_of[#pairs_of + 1] = name
    pairs_of[#pairs_of + 1] = string.format('%.0f', c[name])
  end
  redis.call('HSET', KEYS[1], unpack(pairs_of))
  redis.call('EXPIRE', KEYS[1], forget_seconds)
end
"""

ADMIT = Script(
    _OPENING
    + """
local open_time, permits, permit_time = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local interval, tolerance = tonumber(ARGV[6]), tonumber(ARGV[7])
local was, was_epoch = state, c.epoch
if state == 'OPEN' then
  if now < c.opened_at + open_time then return {'circuit', state, c.epoch} end
  state, c.epoch, c.permits_out = 'HALF_OPEN', c.epoch + 1, 0
elseif state == 'HALF_OPEN' and now >= c.permits_until then
  c.permits_out = 0
end
if state == 'HALF_OPEN' then
  if c.permits_out >= permits then return {'circuit', was, was_epoch} end
  if c.permits_out == 0 then c.permits_until = now + permit_time end
  c.permits_out = c.permits_out + 1
end
local full_at = math.max(c.next_at, now)
if full_at - now > tolerance then return {'rate', was, was_epoch} end
c.next_at = full_at + interval
save(ARGV[2])
return {'', state, c.epoch, was, now}
"""
)

RECORD = Script(
    _OPENING
    + """
local call_epoch, verdict, is_slow = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local failures_to_open, window_time = tonumber(ARGV[6]), tonumber(ARGV[7])
local least_calls = tonumber(ARGV[8])
local failed_percent, slow_percent = tonumber(ARGV[9]), tonumber(ARGV[10])
local was = state
local function begin(next_state)
  state, c.epoch, c.failures, c.permits_out, c.window = next_state, c.epoch + 1, 0, 0, 0
  c.calls, c.failed, c.slow = 0, 0, 0
  c.earlier_calls, c.earlier_failed, c.earlier_slow = 0, 0, 0
  if next_state == 'OPEN' then c.opened_at = now end
end
local function counted()
  local window = math.floor(now / window_time)
  if window > c.window then
    local is_next = window == c.window + 1
    c.earlier_calls = is_next and c.calls or 0
    c.earlier_failed = is_next and c.failed or 0
    c.earlier_slow = is_next and c.slow or 0
    c.window, c.calls, c.failed, c.slow = window, 0, 0, 0
  end
  c.calls, c.slow = c.calls + 1, c.slow + is_slow
  if verdict == 'failure' then
    c.failures, c.failed = c.failures + 1, c.failed + 1
  else
    c.failures = 0
  end
end
local function is_bad()
  if c.failures >= failures_to_open then return true end
  local calls = c.calls + c.earlier_calls
  return calls >= least_calls and (
    100 * (c.failed + c.earlier_failed) >= failed_percent * calls
    or 100 * (c.slow + c.earlier_slow) >= slow_percent * calls)
end
if verdict == 'probe_success' or verdict == 'probe_failure' then
  if state == 'CLOSED' then return {was, state, now} end
  begin(verdict == 'probe_success' and 'CLOSED' or 'OPEN')
elseif call_epoch ~= c.epoch or state == 'OPEN' then
  return {was, state, now}
elseif state == 'HALF_OPEN' then
  if verdict == 'failure' or (verdict == 'success' and is_slow == 1) then begin('OPEN')
  elseif verdict == 'success' then begin('CLOSED')
  else c.permits_out = math.max(c.permits_out - 1, 0) end
elseif verdict == 'neutral' then
  return {was, state, now}
else
  counted()
  if is_bad() then begin('OPEN') end
end
save(ARGV[2])
return {was, state, now}
"""
)

LOOK = Script("return redis.call('HGET', KEYS[1], 'state') or 'CLOSED'")
# An open circuit whose rest is over may be tried: who chooses it gets the permit, or not.
LOOK_AT_ALL = Script("""
local found = {redis.call('GET', KEYS[1]) or ''}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
for n = 2, #KEYS do
  local stored = redis.call('HMGET', KEYS[n], 'state', 'opened_at')
  local state = stored[1] or 'CLOSED'
  if state == 'OPEN' and now >= tonumber(stored[2] or 0) + tonumber(ARGV[1]) then
    state = 'HALF_OPEN'
  end
  found[n] = state
end
return found
""")
RATES_KEY = "gateways:success-rates"
RATES_SECONDS = 600
"""Older rates say nothing of now."""

_METRICS: Mapping[State, str] = MappingProxyType(
    {
        State.OPEN: "CircuitOpened",
        State.HALF_OPEN: "CircuitHalfOpened",
        State.CLOSED: "CircuitClosed",
    },
)


type Rates = Mapping[str, Mapping[str, float]]
"""By gateway and currency: the share of charges that were approved, between 0 and 1."""


def health(cache: Cache, gateways: Sequence[str], policy: Policy = Policy()) -> dict[str, Health]:  # noqa: B008 - frozen
    """How each gateway is, by one look at Redis; of none anything when Redis is away."""
    keys = [RATES_KEY, *(_key_of(gateway) for gateway in gateways)]
    answer = cache.run(LOOK_AT_ALL, keys, [policy.open_time])
    if answer is None:
        return {}
    rates = _rates_from(answer[0])
    states = zip(gateways, answer[1:], strict=True)
    return {name: Health(State(state.decode()), rates.get(name, {})) for name, state in states}


def remember_rates(cache: Cache, rates: Rates) -> None:
    """Whoever chooses a gateway in the next minutes knows how each has done."""
    cache.set(RATES_KEY, json.dumps(rates).encode(), ttl_seconds=RATES_SECONDS)


def _rates_from(stored: bytes) -> Rates:
    # What Redis says is believed only if it has the right shape.
    try:
        found = json.loads(stored or b"{}")
        return {
            str(name): {
                str(currency): min(max(float(rate), 0.0), 1.0) for currency, rate in of.items()
            }
            for name, of in found.items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _key_of(gateway: str) -> str:
    return f"gateway:{gateway}:circuit"


type Announce = Callable[[str, Change], None]
"""Takes a gateway's name and a change of its circuit."""


def announce_nothing(_gateway: str, _change: Change) -> None:
    """For whoever has no place to record facts: log and metric say it all the same."""


class Breaker:
    """Asked before each call to a gateway and told how it ended.

    With Redis gone each environment counts for itself, and says so in a metric. What the
    fleet's circuit does, which is one change whoever is told of it, is announced, but never
    between a call's admission and its end: no call waits for it.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        gateway: str,
        policy: Policy,
        announce: Announce = announce_nothing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = cache
        self._gateway = gateway
        self._key = _key_of(gateway)
        self._policy = policy
        self._announce = announce
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
        refusal, state, epoch, *was_at = answer
        changes = self._changes(was_at[0], state, was_at[1]) if was_at else ()
        return Admission(Refusal(refusal.decode()), State(state.decode()), epoch, changes=changes)

    def record(
        self, admission: Admission, verdict: Verdict, *, seconds: float = 0.0, at: int = 0
    ) -> None:
        """The circuit knows how an admitted call ended, and how long it took."""
        is_slow = seconds >= self._policy.slow_seconds
        changes = None
        if not admission.is_local:
            changes = self._record(admission.epoch, verdict, at, is_slow=is_slow)
        if changes is None:
            epoch = admission.epoch if admission.is_local else self._local.epoch
            self._record_locally(epoch, verdict, is_slow=is_slow)
        self._tell(*admission.changes, *(changes or ()))

    def probed(self, verdict: Verdict, *, at: int = 0) -> None:
        """The circuit knows what a health probe found."""
        changes = self._record(0, verdict, at)
        self._record_locally(0, verdict)
        self._tell(*(changes or ()))

    def state(self) -> State:
        """Where the fleet's circuit stands; this environment's own when Redis is gone."""
        answer = self._cache.run(LOOK, [self._key], [])
        return self._local.state if answer is None else State(answer.decode())

    def _record(
        self, epoch: int, verdict: Verdict, at: int, *, is_slow: bool = False
    ) -> tuple[Change, ...] | None:
        """What it did to the fleet's circuit; None when Redis is away."""
        policy = self._policy
        limits = (policy.failures_to_open, policy.window, policy.least_calls)
        rates = (policy.failed_percent, policy.slow_percent)
        call = (epoch, verdict.value, int(is_slow))
        arguments = (at, FORGET_SECONDS, *call, *limits, *rates)
        answer = self._cache.run(RECORD, [self._key], arguments)
        return None if answer is None else self._changes(*answer)

    def _admit_locally(self) -> Admission:
        self._report_local()
        with self._lock:
            before = self._local.state
            self._local, admission = circuit.admit(self._local, self._policy, now=self._now())
        self._report(before, self._local.state)
        return replace(admission, is_local=True)

    def _record_locally(self, epoch: int, verdict: Verdict, *, is_slow: bool = False) -> None:
        with self._lock:
            before = self._local.state
            self._local = circuit.record(
                self._local,
                self._policy,
                epoch=epoch,
                verdict=verdict,
                is_slow=is_slow,
                now=self._now(),
            )
        self._report(before, self._local.state)

    def _now(self) -> int:
        return int(self._monotonic() * SECOND)

    def _changes(self, was: bytes, state: bytes, at: int) -> tuple[Change, ...]:
        change = Change(State(was.decode()), State(state.decode()), at)
        self._report(change.before, change.after)
        return () if change.before is change.after else (change,)

    def _tell(self, *changes: Change) -> None:
        for change in changes:
            try:
                self._announce(self._gateway, change)
            except Exception as error:  # noqa: BLE001 - whatever failed, the payment goes on
                logger.warning("circuit event lost", gateway=self._gateway, trace=trace_of(error))
                count("CircuitEventLost", gateway=self._gateway)

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
