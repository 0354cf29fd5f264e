"""The days on which banks pay. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

TARGET2 = "TARGET2"
"""The euro system's calendar (ECB, long-term, since 2002): its days follow from the year."""
ZONES = {TARGET2: "Europe/Berlin"}
"""Where a calendar's days begin and end; others are taken to be days of UTC."""
SATURDAY = 6
"""ISO 8601's number; Sunday is 7."""
_DAY = dt.timedelta(days=1)

type Holidays = Mapping[str, frozenset[dt.date]]
"""Of each calendar, the days that are on record."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A bank's business days: not weekends, not `holidays`, and not TARGET2's own if it is that."""

    name: str = TARGET2
    holidays: frozenset[dt.date] = frozenset()

    @classmethod
    def of(cls, name: str, holidays: Holidays) -> Self:
        """The calendar of this name, with what is on record about it."""
        return cls(name, holidays.get(name, frozenset()))

    def day_of(self, at: dt.datetime) -> dt.date:
        """The day that it is for the bank at this moment."""
        return at.astimezone(ZoneInfo(ZONES.get(self.name, "UTC"))).date()

    def is_open(self, day: dt.date) -> bool:
        """Banks pay on this day."""
        if day.isoweekday() >= SATURDAY or day in self.holidays:
            return False
        return self.name != TARGET2 or day not in target2_holidays(day.year)

    def on_or_after(self, day: dt.date) -> dt.date:
        """The day itself if banks pay on it, else the next on which they do."""
        while not self.is_open(day):
            day += _DAY
        return day

    def after(self, day: dt.date, days: int = 1) -> dt.date:
        """The business day that is the n-th after this day."""
        for _ in range(days):
            day = self.on_or_after(day + _DAY)
        return day

    def before(self, day: dt.date) -> dt.date:
        """The last business day before this day."""
        day -= _DAY
        while not self.is_open(day):
            day -= _DAY
        return day

    def deadline(self, execution: dt.date, sent_at: dt.datetime | None, days: int) -> dt.date:
        """The business day that is the n-th after the bank could first pay a file.

        A file that was sent late is paid late: the days count from when the bank had it.
        """
        sent_on = sent_at.astimezone(dt.UTC).date() if sent_at else execution
        return self.after(self.on_or_after(max(execution, sent_on)), days)


def target2_holidays(year: int) -> frozenset[dt.date]:
    """New Year, Good Friday, Easter Monday, 1 May, Christmas Day and the day after."""
    easter = easter_sunday(year)
    return frozenset(
        {
            dt.date(year, 1, 1),
            easter - 2 * _DAY,
            easter + _DAY,
            dt.date(year, 5, 1),
            dt.date(year, 12, 25),
            dt.date(year, 12, 26),
        }
    )


def easter_sunday(year: int) -> dt.date:
    """By the Gregorian computus (Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)
