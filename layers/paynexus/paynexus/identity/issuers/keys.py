"""The keys of foreign issuers, kept for a while: whatever tokens come, fetches stay few."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from paynexus.identity.issuers.jwks import usable_keys
from paynexus.identity.issuers.model import VerifyingKey, without_query
from paynexus.identity.unverified import Refused
from paynexus.observability import count, logger

FETCH_INTERVAL = dt.timedelta(seconds=30)
"""Between two fetches of one key set, whether the first failed or not."""
FRESH_FOR = dt.timedelta(minutes=5)
"""Older keys are fetched again: a key that its issuer withdrew verifies no longer than this."""
KEPT_FOR = dt.timedelta(hours=1)
"""How long keys that can't be fetched again are still believed."""
KEY_SETS_MAX = 256
"""Key sets that an environment holds."""

type Fetch = Callable[[str], bytes]
"""What stands at an address now; FetchFailed when that can't be said."""


class FetchFailed(Exception):
    """Nothing usable came from an address; the message says why and quotes nothing."""


@dataclass(slots=True)
class _KeySet:
    tried_at: dt.datetime
    fetched_at: dt.datetime | None = None
    keys: dict[str, VerifyingKey] = field(default_factory=dict)

    def is_older_than(self, age: dt.timedelta, now: dt.datetime) -> bool:
        return self.fetched_at is None or now - self.fetched_at >= age


class KeyCache:
    """The usable keys at each address, fetched once in 30 seconds at most."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._sets: dict[str, _KeySet] = {}

    def find(self, url: str, kid: str, *, now: dt.datetime) -> VerifyingKey:
        """The key named `kid` among those at `url`; Refused when there is none to be had."""
        held = self._current(url, kid, now)
        key = held.keys.get(kid)
        if key is None or held.is_older_than(KEPT_FOR, now):
            raise Refused("no such key")
        return key

    def _current(self, url: str, kid: str, now: dt.datetime) -> _KeySet:
        held = self._sets.get(url)
        if held is None:
            self._make_room(now)
            held = self._sets[url] = _KeySet(tried_at=now)
            self._refresh(url, held, now)
        elif now - held.tried_at >= FETCH_INTERVAL and (
            kid not in held.keys or held.is_older_than(FRESH_FOR, now)
        ):
            self._refresh(url, held, now)
        return held

    def _refresh(self, url: str, held: _KeySet, now: dt.datetime) -> None:
        held.tried_at = now
        try:
            held.keys = usable_keys(self._fetch(url))
        except (FetchFailed, ValueError) as error:
            reason = str(error) if isinstance(error, FetchFailed) else "no usable key set"
            logger.warning("issuer's keys unavailable", url=without_query(url), reason=reason)
            count("IssuerKeysUnavailable")
            return
        held.fetched_at = now

    def _make_room(self, now: dt.datetime) -> None:
        """Only a set that may be fetched again is forgotten: else a flood could fetch at will."""
        if len(self._sets) < KEY_SETS_MAX:
            return
        oldest = min(self._sets, key=lambda url: self._sets[url].tried_at)
        if now - self._sets[oldest].tried_at < FETCH_INTERVAL:
            raise Refused("too many issuers at once")
        del self._sets[oldest]
