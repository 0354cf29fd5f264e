"""Cut-offs, business days and new tries, against the clock, the calendar and published dates."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.errors import InvalidRequest
from paynexus.settlement import retries
from paynexus.settlement.bank.messages import Address, BankAccount
from paynexus.settlement.calendars import TARGET2, Calendar, easter_sunday, target2_holidays
from paynexus.settlement.merchant.agreements.model import account_of, changed, holiday_of, is_iban
from paynexus.settlement.merchant.failures import SENTENCES, sentence_of
from paynexus.settlement.retries import Hold, after_failure, retry_moment
from paynexus.settlement.terms import (
    STANDARD,
    Frequency,
    Terms,
    due_cutoff,
    latest_cutoff,
    next_cutoff,
    payment_days,
)

BERLIN = ZoneInfo("Europe/Berlin")
BANK = Calendar()
PUBLISHED = {
    2024: "01-01 03-29 04-01 05-01 12-25 12-26",
    2025: "01-01 04-18 04-21 05-01 12-25 12-26",
    2026: "01-01 04-03 04-06 05-01 12-25 12-26",
    2027: "01-01 03-26 03-29 05-01 12-25 12-26",
    2028: "01-01 04-14 04-17 05-01 12-25 12-26",
    2029: "01-01 03-30 04-02 05-01 12-25 12-26",
    2030: "01-01 04-19 04-22 05-01 12-25 12-26",
}
"""TARGET's closing days, as the ECB publishes them (weekends apart)."""
ZONES = [
    *("Europe/Berlin", "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Pacific/Apia", "America/St_Johns", "Africa/Casablanca"),
]
NOW = dt.datetime(2026, 11, 25, 10, tzinfo=dt.UTC)
PAYEE = {"holder": "Café", "iban": "DE89370400440532013000", "bic": None, "address": None}
OTHER = {**PAYEE, "iban": "DE75512108001245126199"}

TERMS = st.builds(
    Terms,
    frequency=st.sampled_from([Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY]),
    weekday=st.integers(1, 7),
    month_day=st.integers(1, 31),
    cutoff_time=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    time_zone=st.sampled_from(ZONES),
)
MOMENTS = st.datetimes(
    dt.datetime(2020, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    dt.datetime(2032, 1, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)
HOLIDAYS = st.frozensets(st.dates(dt.date(2020, 1, 1), dt.date(2032, 1, 1)), max_size=30)


def berlin(text: str) -> dt.datetime:
    """The moment at which clocks in Berlin show this."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(dt.UTC)


@pytest.mark.parametrize("year", PUBLISHED)
def test_target2_is_closed_on_the_published_days(year: int) -> None:
    """Six days a year, by rule, against the published dates."""
    days = {dt.date.fromisoformat(f"{year}-{day}") for day in PUBLISHED[year].split()}

    assert target2_holidays(year) == days
    assert not any(BANK.is_open(day) for day in days)


@pytest.mark.parametrize(
    ("year", "day"), [(1818, "03-22"), (1943, "04-25"), (2000, "04-23"), (2038, "04-25")]
)
def test_easter_falls_on_its_extreme_days(year: int, day: str) -> None:
    """The earliest and the latest that there are."""
    assert easter_sunday(year) == dt.date.fromisoformat(f"{year}-{day}")


def test_another_calendar_is_closed_on_its_own_days_alone() -> None:
    """Days on record count for it, and TARGET2's do not."""
    oslo = Calendar("NO", frozenset({dt.date(2026, 5, 14)}))

    assert not oslo.is_open(dt.date(2026, 5, 14))
    assert oslo.is_open(dt.date(2026, 5, 1))
    assert not Calendar(TARGET2, frozenset({dt.date(2026, 5, 14)})).is_open(dt.date(2026, 5, 14))


def test_business_days_cross_a_years_end() -> None:
    """From 31 December 2026, a Thursday, the next is Monday the 4th."""
    assert BANK.on_or_after(dt.date(2026, 12, 25)) == dt.date(2026, 12, 28)
    assert BANK.after(dt.date(2026, 12, 31)) == dt.date(2027, 1, 4)
    assert BANK.after(dt.date(2026, 12, 30), 3) == dt.date(2027, 1, 5)
    assert BANK.before(dt.date(2027, 1, 4)) == dt.date(2026, 12, 31)


def test_a_day_begins_where_the_bank_is() -> None:
    """Just after midnight in Berlin it is the new day, though not yet in UTC."""
    at = berlin("2026-11-25T00:05")

    assert at.date() == dt.date(2026, 11, 24)
    assert BANK.day_of(at) == dt.date(2026, 11, 25)
    assert Calendar("UK").day_of(at) == dt.date(2026, 11, 24)


@pytest.mark.parametrize(
    ("day", "execution", "expected"),
    [
        ("2026-11-25", "2026-11-25", "2026-11-26"),
        ("2026-11-27", "2026-11-27", "2026-11-30"),
        ("2026-11-28", "2026-11-30", "2026-12-01"),
        ("2026-12-24", "2026-12-24", "2026-12-28"),
        ("2028-02-28", "2028-02-28", "2028-02-29"),
    ],
)
def test_the_bank_pays_on_business_days(day: str, execution: str, expected: str) -> None:
    """Asked on the day or the next that is one; the money is there on the one after."""
    days = payment_days(BANK, dt.date.fromisoformat(day))

    assert days == (dt.date.fromisoformat(execution), dt.date.fromisoformat(expected))


@pytest.mark.parametrize(
    ("terms", "at", "latest", "following"),
    [
        (Terms(), "2026-11-25T10:00", "2026-11-25T00:00", "2026-11-26T00:00"),
        (Terms(), "2026-11-28T10:00", "2026-11-27T00:00", "2026-11-30T00:00"),
        (
            Terms(cutoff_time=dt.time(18)),
            "2026-11-27T17:59",
            "2026-11-26T18:00",
            "2026-11-27T18:00",
        ),
        (
            Terms(cutoff_time=dt.time(18)),
            "2026-11-27T18:00",
            "2026-11-27T18:00",
            "2026-11-30T18:00",
        ),
        # Monday after Easter is closed: a weekly cut-off of Mondays falls on Tuesday.
        (
            Terms(frequency=Frequency.WEEKLY, weekday=1),
            "2026-04-07T12:00",
            "2026-04-07T00:00",
            "2026-04-13T00:00",
        ),
        (
            Terms(frequency=Frequency.WEEKLY, weekday=7),
            "2026-11-25T12:00",
            "2026-11-23T00:00",
            "2026-11-30T00:00",
        ),
        # The 31st: the last day of shorter months, moved on where it is closed.
        (
            Terms(frequency=Frequency.MONTHLY, month_day=31),
            "2026-03-01T12:00",
            "2026-02-02T00:00",
            "2026-03-02T00:00",
        ),
        (
            Terms(frequency=Frequency.MONTHLY, month_day=31),
            "2028-02-29T12:00",
            "2028-02-29T00:00",
            "2028-03-31T00:00",
        ),
        (
            Terms(frequency=Frequency.MONTHLY, month_day=29),
            "2027-02-28T12:00",
            "2027-01-29T00:00",
            "2027-03-01T00:00",
        ),
        # The year's end, and the first business day of the next.
        (
            Terms(frequency=Frequency.MONTHLY, month_day=1),
            "2026-12-31T12:00",
            "2026-12-01T00:00",
            "2027-01-04T00:00",
        ),
    ],
)
def test_cutoffs_are_on_agreed_days(terms: Terms, at: str, latest: str, following: str) -> None:
    """By hand: each kind of frequency, on weekends, holidays and at ends of months and years."""
    assert latest_cutoff(terms, BANK, berlin(at)) == berlin(latest)
    assert next_cutoff(terms, BANK, berlin(at)) == berlin(following)


def test_a_holiday_on_record_moves_a_cutoff() -> None:
    """As TARGET2's own do."""
    calendar = Calendar(TARGET2, frozenset({dt.date(2026, 11, 26)}))

    assert next_cutoff(STANDARD, calendar, berlin("2026-11-25T10:00")) == berlin("2026-11-27T00:00")


def test_a_time_that_summer_leaves_out_counts_as_before_the_change() -> None:
    """On Friday 24 April 2026 Cairo's clocks go from 00:00 to 01:00: there is no 00:30."""
    terms = Terms(cutoff_time=dt.time(0, 30), time_zone="Africa/Cairo")
    at = dt.datetime(2026, 4, 23, 12, tzinfo=dt.UTC)

    assert next_cutoff(terms, BANK, at) == dt.datetime(2026, 4, 23, 22, 30, tzinfo=dt.UTC)


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    """On Friday 30 October 2026 Cairo's clocks go from 24:00 back to 23:00 of Thursday."""
    terms = Terms(cutoff_time=dt.time(23, 30), time_zone="Africa/Cairo")
    at = dt.datetime(2026, 10, 29, 12, tzinfo=dt.UTC)
    found = next_cutoff(terms, BANK, at)

    assert found == dt.datetime(2026, 10, 29, 20, 30, tzinfo=dt.UTC)
    assert next_cutoff(terms, BANK, found) == dt.datetime(2026, 10, 30, 21, 30, tzinfo=dt.UTC)


def test_days_are_23_and_25_hours_long_when_clocks_change() -> None:
    """A Monday's cut-off is at midnight in Berlin before and after the change."""
    before, after = berlin("2026-10-23T12:00"), berlin("2026-10-26T12:00")

    assert next_cutoff(STANDARD, BANK, before) == dt.datetime(2026, 10, 25, 23, tzinfo=dt.UTC)
    assert latest_cutoff(STANDARD, BANK, before) == dt.datetime(2026, 10, 22, 22, tzinfo=dt.UTC)
    assert next_cutoff(STANDARD, BANK, after) == dt.datetime(2026, 10, 26, 23, tzinfo=dt.UTC)


@given(terms=TERMS, at=MOMENTS, holidays=HOLIDAYS)
def test_each_moment_lies_between_two_consecutive_cutoffs(
    terms: Terms, at: dt.datetime, holidays: frozenset[dt.date]
) -> None:
    """One latest and one next, with none between, both on business days at the agreed time."""
    calendar = Calendar(TARGET2, holidays)
    latest, following = latest_cutoff(terms, calendar, at), next_cutoff(terms, calendar, at)

    assert latest is not None
    assert following is not None
    assert latest <= at < following
    assert next_cutoff(terms, calendar, latest) == following
    assert latest_cutoff(terms, calendar, following) == following
    instant = dt.timedelta(microseconds=1)
    assert latest_cutoff(terms, calendar, following - instant) == latest
    for cutoff in (latest, following):
        local = cutoff.astimezone(ZoneInfo(terms.time_zone))
        day = next(
            day
            for day in (local.date(), local.date() - dt.timedelta(days=1))
            if dt.datetime.combine(day, terms.cutoff_time, local.tzinfo).astimezone(dt.UTC)
            == cutoff
        )
        assert calendar.is_open(day)


@given(at=MOMENTS)
def test_manual_terms_have_no_cutoff(at: dt.datetime) -> None:
    """A person names it; a failed payout is tried again all the same."""
    terms = Terms(frequency=Frequency.MANUAL)

    assert latest_cutoff(terms, BANK, at) is None
    assert next_cutoff(terms, BANK, at) is None
    assert due_cutoff(terms, BANK, at, last=None, retry_at=None) is None
    assert due_cutoff(terms, BANK, at, last=None, retry_at=at) == at


def test_due_is_the_later_of_cutoff_and_new_try_that_the_last_settlement_has_not() -> None:
    """And nothing when both are behind it, or the new try is still to come."""
    cutoff = berlin("2026-11-25T00:00")
    retry, later = cutoff + dt.timedelta(hours=2), NOW + dt.timedelta(hours=1)

    assert due_cutoff(STANDARD, BANK, NOW, last=None, retry_at=None) == cutoff
    assert due_cutoff(STANDARD, BANK, NOW, last=cutoff, retry_at=None) is None
    assert due_cutoff(STANDARD, BANK, NOW, last=cutoff, retry_at=retry) == retry
    assert due_cutoff(STANDARD, BANK, NOW, last=retry, retry_at=retry) is None
    assert due_cutoff(STANDARD, BANK, NOW, last=cutoff, retry_at=later) is None


def test_waits_double_up_to_four_days_and_end_with_a_person() -> None:
    """1, 2, 4 … 64 hours, then none: the eighth failure in a row waits for other details."""
    hold, waits = None, []
    for _ in range(retries.FAILURES_LIMIT):
        hold = after_failure(hold, "MS03", PAYEE, now=NOW)
        waits.append(hold.retry_at and (hold.retry_at - NOW) / dt.timedelta(hours=1))

    assert waits == [1, 2, 4, 8, 16, 32, 64, None]


@pytest.mark.parametrize("code", sorted(retries.PERMANENT_CODES))
def test_details_that_were_refused_for_good_are_not_tried_again(code: str) -> None:
    """Not after any time; others are, from the moment they are known."""
    hold = after_failure(None, code, PAYEE, now=NOW)
    changed_at = NOW + dt.timedelta(days=3)

    assert retry_moment(hold, PAYEE, NOW) is None
    assert retry_moment(hold, OTHER, changed_at) == changed_at
    assert sentence_of(code)


def test_other_details_begin_to_count_anew() -> None:
    """Failures in a row are those of one account."""
    first = after_failure(None, "MS03", PAYEE, now=NOW)
    second = after_failure(first, "MS03", OTHER, now=NOW)

    assert (first.failures, second.failures) == (1, 1)


def test_details_that_changed_before_the_refusal_wait_for_the_money_to_be_back() -> None:
    """A try at the moment of the change would find nothing to pay."""
    hold = Hold(1, "AC04", PAYEE, None, NOW)
    found = retry_moment(hold, OTHER, NOW - dt.timedelta(hours=5))

    assert found == NOW + retries.BOOKING_TIME
    assert retry_moment(None, OTHER, NOW) is None
    assert retry_moment(hold, None, None) is None


def test_a_code_without_a_sentence_says_whether_we_try_again() -> None:
    """Whatever a bank invents, the merchant reads a sentence."""
    assert "XX99" not in SENTENCES
    assert "try again" in sentence_of("XX99")
    assert "check its details" in sentence_of("R03")


@pytest.mark.parametrize(
    "iban",
    [
        *("DE89370400440532013000", "NL41MOCK0000000001", "GB29NWBK60161331926819"),
        *("NO9386011117947", "MT84MALT011000012345MTLCAST001S", "FR1420041010050500013M02606"),
    ],
)
def test_an_iban_has_its_check_digits(iban: str) -> None:
    """Any other digit, or two that change places, is found."""
    assert is_iban(iban)
    assert not is_iban(iban[:-1] + ("0" if iban[-1] != "0" else "1"))
    assert not is_iban(iban.lower())
    assert not is_iban(iban[:-1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frequency": "weekly"}, "weekday"),
        ({"weekday": 1}, "weekday"),
        ({"frequency": "weekly", "weekday": 8}, "weekday"),
        ({"frequency": "monthly"}, "month_day"),
        ({"frequency": "monthly", "month_day": 32}, "month_day"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"time_zone": "CEST"}, "time_zone"),
        ({"cutoff_time": dt.time(1, 2, 3)}, "cutoff_time"),
        ({"calendar": "MARS"}, "calendar"),
        ({"minimum_amount": -1}, "minimum_amount"),
        ({"reserve_basis_points": 10_001, "reserve_days": 1}, "reserve_basis_points"),
        ({"reserve_basis_points": 1}, "reserve_days"),
        ({"reserve_days": 731}, "reserve_days"),
    ],
)
def test_impossible_terms_are_refused(changes: dict[str, object], said: str) -> None:
    """With the name of what is wrong."""
    with pytest.raises(InvalidRequest, match=f"^{said}:"):
        changed(STANDARD, changes, calendars=frozenset({"NO"}))


def test_another_frequency_takes_the_former_day_back() -> None:
    """A weekday is no part of a monthly payout."""
    weekly = changed(STANDARD, {"frequency": "weekly", "weekday": 3}, calendars=frozenset())
    monthly = changed(weekly, {"frequency": "monthly", "month_day": 31}, calendars=frozenset())

    assert (weekly.weekday, weekly.month_day) == (3, None)
    assert (monthly.weekday, monthly.month_day) == (None, 31)
    assert changed(monthly, {"frequency": "daily"}, calendars=frozenset()) == STANDARD
    assert changed(STANDARD, {"calendar": "NO"}, calendars=frozenset({"NO"})).calendar == "NO"


def test_an_account_is_written_as_banks_write_it() -> None:
    """Spaces and small letters are put right; what can't be one is refused."""
    given_in = BankAccount("Café", "de89 3704 0044 0532 0130 00", " cobadeffxxx ")

    assert account_of(given_in) == BankAccount("Café", "DE89370400440532013000", "COBADEFFXXX")
    for wrong, said in (
        (BankAccount("Café", "DE88370400440532013000", None), "iban"),
        (BankAccount("Café", "DE89370400440532013000", "COBA"), "bic"),
        (BankAccount(" ", "DE89370400440532013000", None), "holder"),
        (
            BankAccount(
                "C", "DE89370400440532013000", None, Address(None, None, None, "Berlin", "Germany")
            ),
            "country",
        ),
        (
            BankAccount("C", "DE89370400440532013000", None, Address(None, None, None, "", "DE")),
            "town",
        ),
    ):
        with pytest.raises(InvalidRequest, match=f"^{said}:"):
            account_of(wrong)


def test_a_weekend_is_no_holiday() -> None:
    """Banks are closed then anyway; it is told."""
    assert holiday_of(dt.date(2026, 5, 14), "Ascension") == (dt.date(2026, 5, 14), "Ascension")
    with pytest.raises(InvalidRequest, match="weekend"):
        holiday_of(dt.date(2026, 5, 16), "A Saturday")
