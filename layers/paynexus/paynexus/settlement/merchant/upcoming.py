"""What a merchant is paid next: when, how much so far, and what it waits for. Pure."""

import datetime as dt
from dataclasses import dataclass

from paynexus.settlement.batching.model import Candidate
from paynexus.settlement.calendars import Calendar, Holidays
from paynexus.settlement.merchant.waiting import Wait, waits_for
from paynexus.settlement.terms import next_cutoff, payment_days


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next payout of one currency; no moment where a person starts it.

    `instructed_on` is the day the bank is asked to pay on, `expected_on` the day on which the
    money should be there.
    """

    candidate: Candidate
    cutoff: dt.datetime | None
    instructed_on: dt.date | None
    expected_on: dt.date | None
    waits: tuple[Wait, ...]


def upcoming_of(candidate: Candidate, holidays: Holidays, now: dt.datetime) -> Upcoming:
    """The account's next payout, as things stand."""
    waits = waits_for(candidate, now)
    cutoff = _cutoff(candidate, holidays, now)
    instructed_on = expected_on = None
    if cutoff and candidate.payer:
        bank = Calendar.of(candidate.payer_calendar or "", holidays)
        instructed_on, expected_on = payment_days(bank, bank.day_of(max(cutoff, now)))
    return Upcoming(candidate, cutoff, instructed_on, expected_on, waits)


def _cutoff(candidate: Candidate, holidays: Holidays, now: dt.datetime) -> dt.datetime | None:
    """The cut-off that the next run has still to pay, or the first one to come."""
    due = candidate.due(holidays, now)
    if due and candidate.posted > 0 and candidate.reason_to_carry(now) is None:
        return due
    moments = (next_cutoff(candidate.terms, candidate.calendar(holidays), now), candidate.retry_at)
    return min((moment for moment in moments if moment and moment > now), default=None)
