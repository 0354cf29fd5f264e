"""Time, as a thing that is handed in: nothing below the edge asks what time it is."""

import datetime as dt
from collections.abc import Callable

type Clock = Callable[[], dt.datetime]
"""Answers the present moment as an aware datetime in UTC."""


def system_clock() -> dt.datetime:
    """The machine's clock, in UTC."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251 - this is the one place that asks
