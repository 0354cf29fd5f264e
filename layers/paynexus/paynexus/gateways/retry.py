"""Sending again in place: only what certainly had no effect, and only while there is time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from paynexus.gateways.outcomes import RETRY_IN_VAIN
from paynexus.gateways.port import Outcome, Result

SENDS_MAX = 3
BACKOFF_BASE_SECONDS = 0.1
BACKOFF_MAX_SECONDS = 2.0
SEND_SECONDS_MIN = 0.25
"""With less time than this left, a send would only end in a time-out of our own making."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where waiting and chance come from, so that a test can hand in its own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    random: Callable[[], float] = random.random


def send_with_retries(
    send: Callable[[float], Result],
    *,
    deadline_seconds: float,
    pace: Pace,
) -> Result:
    """The last of at most three results; each but the last was NOT_SENT.

    `send` is given the seconds that are left. The waits have full jitter: anything between
    nothing and a ceiling that doubles, so that many callers don't come back together.
    """
    end = pace.monotonic() + deadline_seconds
    result = send(deadline_seconds)
    for retry in range(SENDS_MAX - 1):
        if result.outcome is not Outcome.NOT_SENT or result.code in RETRY_IN_VAIN:
            break
        wait = pace.random() * min(BACKOFF_BASE_SECONDS * 2**retry, BACKOFF_MAX_SECONDS)
        if end - pace.monotonic() - wait < SEND_SECONDS_MIN:
            break
        pace.sleep(wait)
        result = send(end - pace.monotonic())
    return result
