"""Redis: an accelerator that may vanish at any moment. Nothing here is ever the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING, Any, cast

from paynexus.observability import count, logger

# redis is imported at its first use: it costs a tenth of a second that many functions, which
# import this module for its types, need not pay.
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

DEADLINE_SECONDS = 0.035
"""No caller waits longer than this for the cache: a payment, whose way leads through two
environments that may each find it away anew, loses less than a tenth of a second."""
QUIET_SECONDS = 1.0
"""After a failure the cache is left alone this long, so that a hung server costs one wait."""
REPORT_INTERVAL_SECONDS = 60.0

type Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the digest that Redis knows it by."""

    source: str

    @property
    def digest(self) -> str:
        """SHA-1 of the source, as EVALSHA wants it."""
        return sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class Cache:
    """Answers None whenever Redis is absent, hung or failing; never raises.

    An empty `url` is a cache that is always absent.
    """

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._client: Redis | None = None
        self._monotonic = monotonic
        self._quiet_until = 0.0
        self._reported_at: float | None = None

    def get(self, key: str) -> bytes | None:
        """The value under `key`, or None."""
        return cast("bytes | None", self._try(lambda client: client.get(key)))

    def set(self, key: str, value: bytes, *, ttl_seconds: int) -> None:
        """`key` holds `value` for `ttl_seconds`, unless Redis is away."""
        self._try(lambda client: client.set(key, value, ex=ttl_seconds))

    def delete(self, key: str) -> None:
        """`key` holds nothing, unless Redis is away."""
        self._try(lambda client: client.delete(key))

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:  # noqa: ANN401 - a script answers what it likes
        """The script's answer, or None when Redis is away. The script runs at most once."""

        def call(client: Redis) -> object:
            from redis.exceptions import NoScriptError  # noqa: PLC0415 - see the imports

            try:
                return client.evalsha(script.digest, len(keys), *keys, *args)
            except NoScriptError:
                return client.eval(script.source, len(keys), *keys, *args)

        return self._try(call)

    def _try(self, call: Callable[[Redis], object]) -> object:
        if not self._url or self._monotonic() < self._quiet_until:
            return None
        try:
            return call(self._connected())
        # A server that speaks nonsense makes the driver fail in any way there is: ValueError,
        # AttributeError, RecursionError.
        except Exception as error:  # noqa: BLE001 - whatever it is, Redis is of no use
            self._rest(error)
            return None

    def _connected(self) -> Redis:
        # Late: the client connects when it is made, and Redis may be away just then.
        if self._client is None:
            self._client = _client(self._url)
        return self._client

    def _rest(self, error: Exception) -> None:
        now = self._monotonic()
        self._quiet_until = now + QUIET_SECONDS
        if self._reported_at is None or now - self._reported_at >= REPORT_INTERVAL_SECONDS:
            self._reported_at = now
            logger.warning("cache unavailable", error=type(error).__name__)
            count("CacheUnavailable")


def _client(url: str) -> Redis:
    from redis import Redis  # noqa: PLC0415 - see the imports
    from redis.backoff import NoBackoff  # noqa: PLC0415 - likewise
    from redis.retry import Retry  # noqa: PLC0415 - likewise

    # redis-py retries ten times by default: a server that accepts and never answers then
    # holds one GET for seconds.
    return Redis.from_url(
        url,
        socket_timeout=DEADLINE_SECONDS,
        socket_connect_timeout=DEADLINE_SECONDS,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    )
