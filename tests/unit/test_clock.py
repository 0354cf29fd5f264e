"""A value that is read again: it grows old, and outlives whom it was read from."""

import datetime as dt

import pytest

from paynexus.clock import Renewed

START = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)


class Source:
    """Answers a number more each time; or fails, as long as it is away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False

    def __call__(self) -> int:
        """How often it was asked."""
        self.asked += 1
        if self.is_away:
            raise OSError("away")
        return self.asked


def after(seconds: int) -> dt.datetime:
    """So much later."""
    return START + dt.timedelta(seconds=seconds)


def test_a_value_is_read_again_once_it_is_old() -> None:
    """Not before."""
    value = Renewed(Source(), seconds=60, tell=lambda _: None)

    assert [value(now=after(second)) for second in (0, 59, 60, 119, 120)] == [1, 1, 2, 2, 3]


def test_the_former_value_stays_while_reading_fails_and_it_is_told() -> None:
    """Once for each time that it is tried."""
    source, told = Source(), list[Exception]()
    value = Renewed(source, seconds=60, tell=told.append)
    value(now=START)
    source.is_away = True

    assert [value(now=after(second)) for second in (60, 61, 120)] == [1, 1, 1]
    assert [str(error) for error in told] == ["away", "away"]
    source.is_away = False
    assert value(now=after(180)) == 4


def test_without_a_value_the_failure_is_the_callers() -> None:
    """And the next call tries again at once."""
    source = Source()
    value = Renewed(source, seconds=60, tell=lambda _: None)
    source.is_away = True

    with pytest.raises(OSError, match="away"):
        value(now=START)
    source.is_away = False
    assert value(now=START) == 2
