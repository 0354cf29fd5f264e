"""The schedule is the standard's; chance and the receiver move it within bounds only."""

import datetime as dt

import pytest

from paynexus.notification.backoff import JITTER, SCHEDULE, next_wait, parse_retry_after

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
SECONDS = [0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]


def test_schedule_is_the_standards() -> None:
    """Ten attempts over 75 hours and a half."""
    assert [wait.total_seconds() for wait in SCHEDULE] == SECONDS


@pytest.mark.parametrize("attempts", range(1, 10))
def test_each_wait_follows_its_attempt(attempts: int) -> None:
    """After attempt n comes wait n, a fifth more or less at most."""
    wait = dt.timedelta(seconds=SECONDS[attempts])

    assert wait == next_wait(attempts, jitter=0)
    assert wait * 0.8 == next_wait(attempts, jitter=-JITTER)
    assert wait * 1.2 == next_wait(attempts, jitter=JITTER)


def test_tenth_failure_is_the_last() -> None:
    """There is no eleventh attempt unless somebody asks for it, and none after that."""
    assert next_wait(10, jitter=0) is None
    assert next_wait(11, jitter=0) is None


@pytest.mark.parametrize(("attempts", "jitter"), [(0, 0.0), (1, 0.3), (1, -0.21)])
def test_nonsense_is_refused(attempts: int, jitter: float) -> None:
    """A wait before any attempt, or a jitter out of bounds, is a programmer's error."""
    with pytest.raises(ValueError, match="jitter"):
        next_wait(attempts, jitter=jitter)


def test_receiver_may_ask_for_more_time_but_not_for_less() -> None:
    """Retry-After lengthens a wait, never shortens it, and never beyond a day."""
    assert dt.timedelta(seconds=60) == next_wait(1, jitter=0, retry_after=dt.timedelta(seconds=60))
    assert dt.timedelta(minutes=5) == next_wait(2, jitter=0, retry_after=dt.timedelta(seconds=1))
    assert dt.timedelta(days=1) == next_wait(1, jitter=0, retry_after=dt.timedelta(days=400))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("99999999999999999999", 86400),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 12:02:00 -0000", 120),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str, seconds: int) -> None:
    """Seconds or an HTTP date; the past asks for nothing."""
    assert dt.timedelta(seconds=seconds) == parse_retry_after(value, now=NOW)


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "٣", "Sun, 99 Nov 2026"])
def test_unreadable_retry_after_says_nothing(value: str | None) -> None:
    """What can't be read is ignored."""
    assert parse_retry_after(value, now=NOW) is None
