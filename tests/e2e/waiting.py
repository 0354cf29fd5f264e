"""Waiting for what will be true soon, with a bound."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 300
PAUSE_SECONDS = 0.1


def eventually[T](check: Callable[[], T], *, what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """What `check` answers once it is truthy or stops failing its assertions.

    `check` may assert: what it says last is what the failure says.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := check():
                return answer
            complaint = f"last seen: {answer!r}"
        except AssertionError as error:
            complaint = str(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; {complaint}")
        time.sleep(PAUSE_SECONDS)
