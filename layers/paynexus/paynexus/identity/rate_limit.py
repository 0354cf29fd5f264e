"""Rate limits, exact across the fleet: all buckets of a request in one call to Redis."""

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence

from paynexus.cache import Cache, Script
from paynexus.identity.allowance import Allowances, Charge, Verdict, judged

# The server's clock is the fleet's one clock. A bucket is its debt and when that was so, in
# milliseconds since 1970; what can't be read is an empty one. All numbers are integers below
# 2^53, so the doubles that Lua counts in are exact. A clock that was set back repays nothing
# until it moves on, and is believed from then.
ADMIT = Script("""
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local allowed, debts = 1, {}
for i, key in ipairs(KEYS) do
    local quota, full, cost = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
    local debt, since = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
    debt = math.min(tonumber(debt or 0), full)
    debt = math.max(0, debt - quota * math.max(0, now - tonumber(since or now)))
    if debt + cost > full then allowed = 0 end
    debts[i] = debt
end
for i, key in ipairs(KEYS) do
    local debt = debts[i] + allowed * ARGV[3 * i]
    redis.call('SET', key, string.format('%.0f %.0f', debt, now),
               'PX', math.ceil(debt / ARGV[3 * i - 2]) + 1)
end
return {allowed, unpack(debts)}
""")
"""Keys: the buckets. Arguments, of each: quota, full, cost. Answer: 1 or 0, the debts before."""

LOCAL_BUCKETS_MAX = 4_096
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


class LocalBuckets:
    """The limiter of last resort: this environment alone, a bounded number of buckets."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def admit(self, client_id: str, charges: Sequence[Charge], *, now: dt.datetime) -> Verdict:
        """Each bucket's share of its rate has all of its charges taken, or none has."""
        moment = (now - EPOCH) // dt.timedelta(milliseconds=1)
        shares = [Charge(one.policy.share(), one.amount, one.partition) for one in charges]
        keys = [f"{client_id}:{one.bucket}" for one in shares]
        debts = [self._debt(key, one, moment) for key, one in zip(keys, shares, strict=True)]
        verdict = judged(shares, debts)
        for key, standing in zip(keys, verdict.standings, strict=True):
            self._buckets[key] = (standing.debt, moment)
            self._buckets.move_to_end(key)
        while len(self._buckets) > LOCAL_BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return verdict

    def _debt(self, key: str, share: Charge, moment: int) -> int:
        debt, since = self._buckets.get(key, (0, moment))
        return max(0, debt - share.policy.quota * max(0, moment - since))


class RateLimiter:
    """Charges requests to buckets in Redis, and in this environment alone while Redis is away."""

    def __init__(self, cache: Cache, allowances: Allowances | None = None) -> None:
        self._cache = cache
        self._local = LocalBuckets()
        self.allowances = allowances or Allowances()

    def admit(self, client_id: str, charges: Sequence[Charge], *, now: dt.datetime) -> Verdict:
        """Every charge is taken of its bucket of the client, or, if one does not fit, none."""
        # In a cluster the braces keep a client's buckets together, as one script needs them.
        keys = [f"rate:{{{client_id}}}:{charge.bucket}" for charge in charges]
        numbers = [
            number
            for charge in charges
            for number in (charge.policy.quota, charge.policy.full, charge.cost)
        ]
        verdict = _verdict(charges, self._cache.run(ADMIT, keys, numbers))
        return verdict or self._local.admit(client_id, charges, now=now)


def _verdict(charges: Sequence[Charge], answer: object) -> Verdict | None:
    """What Redis answered, if it can be true."""
    if not isinstance(answer, list) or [type(one) for one in answer] != [int] * (len(charges) + 1):
        return None
    allowed, *debts = answer
    in_bounds = (0 <= debt <= one.policy.full for one, debt in zip(charges, debts, strict=True))
    if not all(in_bounds):
        return None
    verdict = judged(charges, debts)
    return verdict if allowed == int(verdict.is_allowed) else None
