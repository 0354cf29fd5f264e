"""When to try again: the Standard Webhooks schedule, with jitter, minding Retry-After."""

import datetime as dt
from email.utils import parsedate_to_datetime

SCHEDULE = (
    dt.timedelta(0),
    dt.timedelta(seconds=5),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=30),
    dt.timedelta(hours=2),
    dt.timedelta(hours=5),
    dt.timedelta(hours=10),
    dt.timedelta(hours=14),
    dt.timedelta(hours=20),
    dt.timedelta(hours=24),
)
"""The wait before each attempt, the first included: 75 hours and a half in all."""

JITTER = 0.2
"""The most that chance lengthens or shortens a wait, as a part of it."""

RETRY_AFTER_MAX = SCHEDULE[-1]
"""No receiver can put us off for longer than the schedule itself would."""


def next_wait(
    attempts: int, *, jitter: float, retry_after: dt.timedelta | None = None
) -> dt.timedelta | None:
    """How long to wait after the failure of attempt number `attempts`; None: give up.

    `jitter` lies between -JITTER and JITTER. A receiver that asks for more time with
    Retry-After gets it, but never sooner than the schedule and never a longer schedule.
    """
    if attempts < 1 or abs(jitter) > JITTER:
        raise ValueError("an attempt was made, and jitter stays within its bounds")
    if attempts >= len(SCHEDULE):
        return None
    wait = SCHEDULE[attempts] * (1 + jitter)
    asked = min(retry_after or dt.timedelta(0), RETRY_AFTER_MAX)
    return max(wait, asked)


def parse_retry_after(value: str | None, *, now: dt.datetime) -> dt.timedelta | None:
    """What a Retry-After header asks for, in seconds or as a date; None if it says nothing."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return dt.timedelta(seconds=min(int(value[:9]), RETRY_AFTER_MAX.total_seconds()))
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(until - now, dt.timedelta(0))
