"""When a merchant is paid: cut-offs in its time zone, on business days, and new tries. Pure."""

import calendar as months
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from paynexus.settlement.calendars import TARGET2, Calendar

LOOK_DAYS = 62
"""The longest way from a day to the next cut-off: a month, and holidays at its end."""
_DAY = dt.timedelta(days=1)


class Frequency(StrEnum):
    """How often a merchant is paid."""

    DAILY = "daily"
    """On each business day."""
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    MANUAL = "manual"
    """Only when a person names a cut-off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed with a merchant for one currency; what isn't, is as here.

    A cut-off is a moment in the merchant's time zone, on a business day of the calendar: one that
    falls on another day is moved to the next business day. Amounts are minor units.
    """

    frequency: Frequency = Frequency.DAILY
    weekday: int | None = None
    month_day: int | None = None
    cutoff_time: dt.time = dt.time(0)
    time_zone: str = "Europe/Berlin"
    calendar: str = TARGET2
    minimum_amount: int = 0
    reserve_basis_points: int = 0
    reserve_days: int = 0

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """What a row of settlement_terms agrees, as JSON; the standard without one."""
        if stored is None:
            return cls()
        time = dt.time.fromisoformat(stored["cutoff_time"])
        frequency = Frequency(stored["frequency"])
        return cls(**{**stored, "cutoff_time": time, "frequency": frequency})


STANDARD = Terms()
"""For merchants with whom nothing else was agreed."""


def latest_cutoff(terms: Terms, calendar: Calendar, at: dt.datetime) -> dt.datetime | None:
    """The last cut-off at or before the moment; None if a person names them."""
    days = _days(terms, calendar, at.astimezone(ZoneInfo(terms.time_zone)).date() + _DAY, -_DAY)
    return next((cutoff for day in days if (cutoff := _moment(terms, day)) <= at), None)


def next_cutoff(terms: Terms, calendar: Calendar, at: dt.datetime) -> dt.datetime | None:
    """The first cut-off after the moment; None if a person names them."""
    days = _days(terms, calendar, at.astimezone(ZoneInfo(terms.time_zone)).date() - _DAY, _DAY)
    return next((cutoff for day in days if (cutoff := _moment(terms, day)) > at), None)


def due_cutoff(
    terms: Terms,
    calendar: Calendar,
    at: dt.datetime,
    *,
    last: dt.datetime | None,
    retry_at: dt.datetime | None,
) -> dt.datetime | None:
    """Up to when the merchant is to be paid now: a cut-off, or the moment of a new try.

    None if the last settlement's cut-off has both behind it.
    """
    retry = retry_at if retry_at and retry_at <= at else None
    moments = (latest_cutoff(terms, calendar, at), retry)
    return max((m for m in moments if m and (last is None or m > last)), default=None)


def payment_days(calendar: Calendar, day: dt.date) -> tuple[dt.date, dt.date]:
    """When the bank is asked to pay, and when the money is there.

    That is by the end of the next business day (Directive (EU) 2015/2366, article 83).
    """
    execution = calendar.on_or_after(day)
    return execution, calendar.after(execution)


def _days(terms: Terms, calendar: Calendar, day: dt.date, step: dt.timedelta) -> Iterator[dt.date]:
    for _ in range(LOOK_DAYS if terms.frequency is not Frequency.MANUAL else 0):
        if _is_cutoff_day(terms, calendar, day):
            yield day
        day += step


def _is_cutoff_day(terms: Terms, calendar: Calendar, day: dt.date) -> bool:
    """A business day that is named itself, or follows closed ones of which one is."""
    if not calendar.is_open(day):
        return False
    first = calendar.before(day) + _DAY
    return any(_is_named(terms, first + n * _DAY) for n in range((day - first).days + 1))


def _is_named(terms: Terms, day: dt.date) -> bool:
    match terms.frequency:
        case Frequency.DAILY:
            return True
        case Frequency.WEEKLY:
            return day.isoweekday() == terms.weekday
        case Frequency.MONTHLY:
            last = months.monthrange(day.year, day.month)[1]
            return day.day == min(terms.month_day or last, last)
        case Frequency.MANUAL:
            return False


def _moment(terms: Terms, day: dt.date) -> dt.datetime:
    # A time that the change to summer leaves out counts as if the clock hadn't moved yet; of one
    # that the change back repeats, the first is meant (PEP 495, fold 0).
    local = dt.datetime.combine(day, terms.cutoff_time, ZoneInfo(terms.time_zone))
    return local.astimezone(dt.UTC)
