"""What may be agreed with a merchant about its payouts. Pure."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from paynexus.errors import InvalidRequest
from paynexus.money import BASIS_POINTS_PER_UNIT, EXPONENTS
from paynexus.settlement.bank.messages import BankAccount
from paynexus.settlement.calendars import SATURDAY, TARGET2
from paynexus.settlement.terms import Frequency, Terms

RESERVE_DAYS_LIMIT = 730
"""Days for which money may be held back."""
NAME_LIMIT = 70
"""Characters of a holder's name and of each part of an address that banks pass on."""
_IBAN = re.compile("[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC = re.compile("[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
_COUNTRY = re.compile("[A-Z]{2}")


def changed(terms: Terms, changes: Mapping[str, Any], *, calendars: frozenset[str]) -> Terms:
    """The terms with the changes; InvalidRequest for what makes no sense, and why.

    A frequency takes back the weekday or the day of the month that another one had. `calendars`
    are those that have holidays on record.
    """
    frequency = Frequency(changes.get("frequency", terms.frequency))
    kept = {
        "weekday": terms.weekday if frequency is Frequency.WEEKLY else None,
        "month_day": terms.month_day if frequency is Frequency.MONTHLY else None,
    }
    new = replace(terms, **{**kept, **changes, "frequency": frequency})
    _require_days(new)
    _require_times(new, calendars)
    _require_amounts(new)
    return new


def require_currency(currency: str) -> str:
    """The currency; InvalidRequest for one that ISO 4217 does not list."""
    if currency not in EXPONENTS:
        raise InvalidRequest(f"currency: {currency!r} is none: use a code such as EUR")
    return currency


def account_of(account: BankAccount) -> BankAccount:
    """The account with its IBAN and BIC as banks write them; InvalidRequest for a wrong one."""
    iban = re.sub(r"\s", "", account.iban).upper()
    if not is_iban(iban):
        raise InvalidRequest("iban: this is none: a character is missing, or another one")
    bic = account.bic.strip().upper() if account.bic else None
    if bic and not _BIC.fullmatch(bic):
        raise InvalidRequest("bic: this is none: it has 8 or 11 characters, such as COBADEFFXXX")
    _require_name("holder", account.holder)
    address = account.address
    if address:
        if not _COUNTRY.fullmatch(address.country):
            raise InvalidRequest("country: use the two letters of ISO 3166-1, such as DE")
        for name in ("town", "street", "building", "postcode"):
            value = getattr(address, name)
            if value is not None or name == "town":
                _require_name(name, value or "")
    return replace(account, iban=iban, bic=bic)


def holiday_of(day: dt.date, name: str) -> tuple[dt.date, str]:
    """A day on which banks are closed, with its name; InvalidRequest for a weekend."""
    if day.isoweekday() >= SATURDAY:
        raise InvalidRequest(f"{day}: a weekend, on which banks are closed anyway")
    _require_name("name", name)
    return day, name


def is_iban(text: str) -> bool:
    """The check digits are right (ISO 13616: the rearranged number leaves 1 when divided by 97)."""
    if not _IBAN.fullmatch(text):
        return False
    digits = "".join(str(int(character, 36)) for character in text[4:] + text[:4])
    return int(digits) % 97 == 1


def _require_days(terms: Terms) -> None:
    if (terms.frequency is Frequency.WEEKLY) != (terms.weekday is not None):
        raise InvalidRequest("weekday: a weekly payout has one, 1 (Monday) to 7; others have none")
    if terms.weekday is not None and not 1 <= terms.weekday <= 7:  # noqa: PLR2004 - ISO 8601
        raise InvalidRequest("weekday: 1 is Monday, 7 is Sunday")
    if (terms.frequency is Frequency.MONTHLY) != (terms.month_day is not None):
        raise InvalidRequest("month_day: a monthly payout has one, 1 to 31; others have none")
    if terms.month_day is not None and not 1 <= terms.month_day <= 31:  # noqa: PLR2004
        raise InvalidRequest("month_day: 1 to 31; the last day of a month that is shorter")


def _require_times(terms: Terms, calendars: frozenset[str]) -> None:
    if terms.cutoff_time.tzinfo or terms.cutoff_time.replace(second=0, microsecond=0) != (
        terms.cutoff_time
    ):
        raise InvalidRequest("cutoff_time: hours and minutes in the merchant's zone, such as 18:30")
    if terms.time_zone not in available_timezones():
        raise InvalidRequest(
            f"time_zone: {terms.time_zone!r} is none: use a name such as Europe/Berlin"
        )
    if terms.calendar not in calendars | {TARGET2}:
        known = ", ".join(sorted(calendars | {TARGET2}))
        raise InvalidRequest(
            f"calendar: {terms.calendar!r} has no holidays on record: add them, or use {known}"
        )


def _require_amounts(terms: Terms) -> None:
    if terms.minimum_amount < 0:
        raise InvalidRequest("minimum_amount: minor units, zero or more")
    if not 0 <= terms.reserve_basis_points <= BASIS_POINTS_PER_UNIT:
        raise InvalidRequest("reserve_basis_points: 0 to 10000, which is all")
    if not 0 <= terms.reserve_days <= RESERVE_DAYS_LIMIT:
        raise InvalidRequest(f"reserve_days: 0 to {RESERVE_DAYS_LIMIT}")
    if terms.reserve_basis_points and not terms.reserve_days:
        raise InvalidRequest("reserve_days: a reserve is held for a day at least")


def _require_name(what: str, text: str) -> None:
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        raise InvalidRequest(f"{what}: 1 to {NAME_LIMIT} characters that can be printed")
