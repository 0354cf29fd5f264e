"""Rate limits: the generic cell rate algorithm (GCRA), exact across the fleet.

One number a client is kept: the theoretical arrival time (TAT), the moment at which its
allowance will be whole again. A request moves it by one emission interval, and is refused
when that would put it more than one window ahead.
"""

import datetime as dt
import math
from collections import OrderedDict
from dataclasses import dataclass

from paynexus.cache import Cache, Script

MICROSECONDS = 1_000_000

# The server's clock is the fleet's one clock. Microseconds since 1970 fit a double exactly.
ADMIT = Script("""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local allowed = 0
if tat + interval <= now + window then
    allowed = 1
    tat = tat + interval
    redis.call('SET', KEYS[1], string.format('%.0f', tat),
               'PX', math.ceil((tat - now) / 1000) + 1)
end
return {allowed, string.format('%.0f', tat - now)}
""")


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests in `window_seconds`, all at once or evenly spread."""

    name: str
    quota: int
    window_seconds: int

    @property
    def window(self) -> int:
        """The window in microseconds, as a whole number of emission intervals."""
        return self.interval * self.quota

    @property
    def interval(self) -> int:
        """Microseconds in which one request's worth of allowance comes back."""
        return self.window_seconds * MICROSECONDS // self.quota


DEFAULT = Policy("default", quota=6_000, window_seconds=60)
"""Bursts of 6,000, then 100 a second, for each client."""
LOCAL_SHARE = 4
"""Without Redis each execution environment grants this fraction of the quota on its own."""
LOCAL_CLIENTS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what its client has left under `policy`."""

    policy: Policy
    is_allowed: bool
    backlog: int
    """Microseconds until the whole allowance is back."""

    @property
    def remaining(self) -> int:
        """Requests that would pass right now."""
        return max(0, (self.policy.window - self.backlog) // self.policy.interval)

    @property
    def retry_after(self) -> int:
        """Whole seconds after which one more request passes."""
        missing = self.backlog + self.policy.interval - self.policy.window
        return max(1, math.ceil(missing / MICROSECONDS))

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`, and `Retry-After` on a refusal."""
        policy, reset = self.policy, math.ceil(self.backlog / MICROSECONDS)
        headers = {
            "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window_seconds}',
            "RateLimit": f'"{policy.name}";r={self.remaining};t={reset}',
        }
        return headers if self.is_allowed else {**headers, "Retry-After": str(self.retry_after)}


class LocalBuckets:
    """The limiter of last resort: this environment alone, a bounded number of clients."""

    def __init__(self) -> None:
        self._tats: OrderedDict[str, int] = OrderedDict()

    def admit(self, client_id: str, policy: Policy, *, now: dt.datetime) -> Verdict:
        """One request of the client is counted, if it may pass."""
        policy = Policy(policy.name, max(1, policy.quota // LOCAL_SHARE), policy.window_seconds)
        moment = int(now.timestamp() * MICROSECONDS)
        tat = max(self._tats.pop(client_id, 0), moment)
        is_allowed = tat + policy.interval <= moment + policy.window
        if is_allowed:
            tat += policy.interval
        self._tats[client_id] = tat
        if len(self._tats) > LOCAL_CLIENTS_MAX:
            self._tats.popitem(last=False)
        return Verdict(policy, is_allowed, tat - moment)


class RateLimiter:
    """Counts requests in Redis, and in this environment alone while Redis is away."""

    def __init__(self, cache: Cache, policy: Policy = DEFAULT) -> None:
        self._cache = cache
        self._policy = policy
        self._local = LocalBuckets()

    def admit(self, client_id: str, *, now: dt.datetime) -> Verdict:
        """One request of the client is counted, if it may pass."""
        policy = self._policy
        answer = self._cache.run(
            ADMIT, [f"rate:{policy.name}:{client_id}"], [policy.interval, policy.window]
        )
        match answer:
            case [int(allowed), bytes(backlog)]:
                return Verdict(policy, allowed == 1, int(backlog))
            case _:  # Redis is away, or lies
                return self._local.admit(client_id, policy, now=now)
