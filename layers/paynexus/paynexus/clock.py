"""Time, as a thing that is handed in: nothing below the edge asks what time it is."""

import datetime as dt
from collections.abc import Callable

type Clock = Callable[[], dt.datetime]
"""Answers the present moment as an aware datetime in UTC."""


def system_clock() -> dt.datetime:
    """The machine's clock, in UTC."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - this is the one place that asks


class Renewed[T]:
    """A value from outside that is read again once it is older than so many seconds.

    While reading it again fails, the former one stays and `tell` is told why: what holds the
    value outlives whom it asks.
    """

    def __init__(
        self, read: Callable[[], T], *, seconds: int, tell: Callable[[Exception], None]
    ) -> None:
        self._read = read
        self._tell = tell
        self._lifetime = dt.timedelta(seconds=seconds)
        self._value: T | None = None
        self._read_at: dt.datetime | None = None

    def __call__(self, *, now: dt.datetime) -> T:
        """The value; what `read` raises only while there is none."""
        if self._value is None or self._read_at is None or now - self._read_at >= self._lifetime:
            self._read_at = now
            try:
                self._value = self._read()
            except Exception as error:
                if self._value is None:
                    self._read_at = None
                    raise
                self._tell(error)
        return self._value
