"""The days on which banks pay. Pure."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

TARGET2 = "TARGET2"
"""The euro system's calendar (ECB, long-term, since 2002): its days follow from the year."""
ZONES = {TARGET2: "Europe/Berlin"}
"""Where a calendar's days begin and end; others are taken to be days of UTC."""
SATURDAY = 6
"""ISO 8601's number; Sunday is 7."""
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A bank's business days: not weekends, not `holidays`, and not TARGET2's own if it is that."""

    name: str = TARGET2
    holidays: frozenset[dt.date] = frozenset()

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
