"""Allowances: what a client may take in a minute, in exact integers (GCRA, a leaky bucket).

A bucket is one number: its debt, what was taken and has not come back. It is counted in units
(requests, or minor units of money) times milliseconds. Taking a unit adds the window, each
millisecond takes the quota away, and the bucket is full at quota times window. So nothing is
ever divided or rounded, neither here nor in the doubles of Redis' Lua.

In any span of time a bucket lets pass at most its quota and what comes back in that span.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from paynexus.errors import RateLimited
from paynexus.money import EXPONENTS, LARGEST_PAYMENT_MAJOR_UNITS, Money

REQUESTS = "requests"
MINOR_UNITS = "minor-units"
WINDOW_SECONDS = 60
MILLISECONDS = 1_000
EXACT_DEBT_MAX = 2**52
"""A debt and what is to be added to it, each of this size, still add up exactly in a double."""
SHARE = 4
"""Without Redis each execution environment grants this fraction of a rate by itself."""

REQUESTS_PER_MINUTE = 6_000
REQUESTS_PER_MINUTE_MAX = 1_000_000
CONFIGURES_PER_MINUTE = 120
"""Changes of configuration, which no program makes in numbers."""
TOKENS_PER_MINUTE = 60
"""Each costs a signature by KMS and is good for many minutes."""
VALUE_PER_MINUTE_MAX = EXACT_DEBT_MAX // (
    WINDOW_SECONDS * MILLISECONDS * 10 ** max(EXPONENTS.values())
)
"""Major units; with three decimals, more of them could not be counted exactly."""


class Rate(StrEnum):
    """The class of a request: each has a bucket of its own."""

    READ = "read"
    WRITE = "write"
    CONFIGURE = "configure"
    TOKEN = "token"  # noqa: S105 - a class of requests, no secret


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` units in `window_seconds`, all at once or evenly spread."""

    name: str
    quota: int
    window_seconds: int = WINDOW_SECONDS
    unit: str = REQUESTS

    @property
    def window(self) -> int:
        """The window in milliseconds, which is also the debt of one unit."""
        return self.window_seconds * MILLISECONDS

    @property
    def full(self) -> int:
        """The debt above which nothing passes."""
        return self.quota * self.window

    def share(self) -> "Policy":
        """What one environment grants on its own count: this rate by SHARE.

        Of requests a part of the quota; of money all of it, in a longer window, so that the
        largest payment passes without Redis too.
        """
        if self.unit == REQUESTS:
            return Policy(self.name, max(1, self.quota // SHARE), self.window_seconds)
        return Policy(self.name, self.quota, self.window_seconds * SHARE, self.unit)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request takes of one bucket of its client: the one of `policy` and `partition`."""

    policy: Policy
    amount: int = 1
    partition: str = ""

    @property
    def bucket(self) -> str:
        """The bucket's name among those of its client."""
        return f"{self.policy.name}:{self.partition}" if self.partition else self.policy.name

    @property
    def cost(self) -> int:
        """The debt that this makes."""
        return self.amount * self.policy.window

    def fits(self, debt: int) -> bool:
        """Whether it passes on top of `debt`."""
        return debt + self.cost <= self.policy.full


@dataclass(frozen=True, slots=True)
class Standing:
    """A bucket after a verdict: its debt, and what the request asked of it."""

    charge: Charge
    debt: int

    @property
    def remaining(self) -> int:
        """Units that would pass right now."""
        return (self.charge.policy.full - self.debt) // self.charge.policy.window

    @property
    def reset_seconds(self) -> int:
        """Seconds, rounded up, until the whole allowance is back."""
        return _seconds_to_repay(self.debt, self.charge.policy)

    @property
    def wait_seconds(self) -> int | None:
        """The fewest whole seconds after which the charge passes; None if it never does."""
        policy = self.charge.policy
        if not self.charge.fits(0):
            return None
        return _seconds_to_repay(self.debt + self.charge.cost - policy.full, policy)

    def policy_item(self) -> str:
        """The policy as an item of `RateLimit-Policy`."""
        policy = self.charge.policy
        unit = "" if policy.unit == REQUESTS else f';qu="{policy.unit}"'
        quota = f'"{policy.name}";q={policy.quota};w={policy.window_seconds}'
        return f"{quota}{unit}{self._partition_key()}"

    def item(self) -> str:
        """The standing as an item of `RateLimit`."""
        name = self.charge.policy.name
        return f'"{name}";r={self.remaining};t={self.reset_seconds}{self._partition_key()}'

    def _partition_key(self) -> str:
        partition = self.charge.partition
        return f";pk=:{base64.b64encode(partition.encode()).decode()}:" if partition else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and how each bucket that it was charged to stands then."""

    is_allowed: bool
    standings: tuple[Standing, ...]

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`."""
        return {
            "RateLimit-Policy": ", ".join(one.policy_item() for one in self.standings),
            "RateLimit": ", ".join(one.item() for one in self.standings),
        }

    def require_allowed(self) -> None:
        """Raise RateLimited unless the request may pass."""
        if self.is_allowed:
            return
        refusing = [one for one in self.standings if not one.charge.fits(one.debt)]
        waits = [one.wait_seconds for one in refusing]
        of_money = any(one.charge.policy.unit == MINOR_UNITS for one in refusing)
        raise RateLimited(
            _detail_of(refusing),
            retry_after=None if None in waits else max(filter(None, waits)),
            param="amount" if of_money else None,
        )


class Allowances:
    """The policies of one installation."""

    def __init__(
        self,
        *,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        value_per_minute: int = LARGEST_PAYMENT_MAJOR_UNITS,
    ) -> None:
        quotas = {
            Rate.READ: requests_per_minute,
            Rate.WRITE: requests_per_minute,
            Rate.CONFIGURE: CONFIGURES_PER_MINUTE,
            Rate.TOKEN: TOKENS_PER_MINUTE,
        }
        self._requests = {rate: Charge(Policy(rate.value, quotas[rate])) for rate in Rate}
        self._value_per_minute = value_per_minute

    def request(self, rate: Rate) -> Charge:
        """One request of this class."""
        return self._requests[rate]

    def value(self, money: Money) -> Charge:
        """So much money, of the client's bucket for its currency."""
        quota: int = self._value_per_minute * 10 ** EXPONENTS[money.currency]
        policy = Policy("value", quota, unit=MINOR_UNITS)
        return Charge(policy, money.amount, partition=money.currency)


def judged(charges: Sequence[Charge], debts: Sequence[int]) -> Verdict:
    """All of the charges pass on top of their buckets' debts, or none is taken."""
    is_allowed = all(charge.fits(debt) for charge, debt in zip(charges, debts, strict=True))
    standings = tuple(
        Standing(charge, debt + charge.cost if is_allowed else debt)
        for charge, debt in zip(charges, debts, strict=True)
    )
    return Verdict(is_allowed, standings)


def _seconds_to_repay(debt: int, policy: Policy) -> int:
    return max(0, -(-debt // (policy.quota * MILLISECONDS)))


def _detail_of(refusing: Sequence[Standing]) -> str:
    for standing in refusing:
        policy = standing.charge.policy
        if standing.wait_seconds is None:
            return (
                f"The amount exceeds {policy.quota} minor units, all that this client may take "
                f"in {policy.window_seconds} seconds: it never passes."
            )
        if policy.unit == MINOR_UNITS:
            return (
                f"Too much money at once: {policy.quota} minor units of the currency come back "
                f"in {policy.window_seconds} seconds. Wait as Retry-After says."
            )
    return "Too many requests: wait as Retry-After says."
