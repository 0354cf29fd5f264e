"""Which policy a break falls under: who clears it up, by when, how much depends on it. Pure."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from paynexus.settlement.breaks.model import BreakType, Found
from paynexus.settlement.calendars import Calendar

WORKING_DAYS = Calendar("UTC")
"""The days on which people are asked: Saturdays and Sundays are none, holidays are."""


class Handler(StrEnum):
    """Who is expected to clear a break up."""

    POLICY = "policy"
    """The world will, by itself; a person only once it is overdue."""
    PERSON = "person"


class Severity(StrEnum):
    """How much depends on it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Due:
    """How soon a break must be resolved: after so many hours, or working days (UTC)."""

    hours: int = 0
    working_days: int = 0

    def after(self, moment: dt.datetime) -> dt.datetime:
        """The moment so much later: see WORKING_DAYS."""
        due = moment.astimezone(dt.UTC) + dt.timedelta(hours=self.hours)
        return dt.datetime.combine(WORKING_DAYS.after(due.date(), self.working_days), due.timetz())


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to breaks of one kind.

    Those with a `resolution` are resolved as they are recorded: nothing is left to do.
    """

    name: str
    handler: Handler
    severity: Severity
    due: Due
    resolution: str | None = None
    is_in_suspense: bool = False
    """Its money lies in suspense: only a transfer that takes it out of there resolves it."""


_POLICY, _PERSON = Handler.POLICY, Handler.PERSON
_LOW, _MEDIUM, _HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH

BACK_ON_BALANCE = Policy(
    "back_on_balance",
    _POLICY,
    _LOW,
    Due(working_days=1),
    resolution="The money is on the merchant's balance again and goes into a later settlement.",
)
"""A rejected or returned payout that is booked back: the books say all that there is to say."""

OWN_ACCOUNT = Policy("put_our_account_right", _PERSON, _HIGH, Due(hours=4))
"""The bank refuses to pay from our account: all payouts fail until that is put right."""

SILENCE = Policy("ask_the_silent_bank", _POLICY, _HIGH, Due(hours=24))
"""The bank has not answered a file of payouts by its deadline."""

POLICY_OF_CODE: Mapping[tuple[BreakType, str], Policy] = MappingProxyType(
    {(BreakType.RETURNED, code): OWN_ACCOUNT for code in ("AC02", "AC05", "AC13", "AM04", "AM14")}
)
"""Codes of ISO 20022 that say that the trouble is with the debtor, or its cover: with us."""

POLICY_OF_SUBJECT: Mapping[tuple[BreakType, str], Policy] = MappingProxyType(
    {
        (BreakType.MISSING, "transfer"): Policy(
            "wait_for_the_gateways_file", _POLICY, _MEDIUM, Due(working_days=3)
        ),
        (BreakType.TIMING, "payout_file"): SILENCE,
        (BreakType.TIMING, "gateway_payout"): Policy(
            "wait_for_the_gateways_payout", _POLICY, _MEDIUM, Due(working_days=3)
        ),
        (BreakType.EXTRA, "bank_line"): Policy(
            "find_the_reason_of_money", _PERSON, _HIGH, Due(working_days=1), is_in_suspense=True
        ),
        (BreakType.EXTRA, "gateway_line"): Policy(
            "find_the_payment", _PERSON, _HIGH, Due(working_days=1)
        ),
    }
)
"""By what the subject begins with."""

POLICY_OF_TYPE: Mapping[BreakType, Policy] = MappingProxyType(
    {
        BreakType.MISSING: Policy("ask_the_bank", _PERSON, _HIGH, Due(working_days=1)),
        BreakType.EXTRA: Policy("find_the_reason", _PERSON, _HIGH, Due(working_days=1)),
        BreakType.AMOUNT: Policy("correct_the_amount", _PERSON, _MEDIUM, Due(working_days=2)),
        BreakType.FEE: Policy("claim_the_fee", _PERSON, _LOW, Due(working_days=5)),
        BreakType.CURRENCY: Policy("correct_the_currency", _PERSON, _HIGH, Due(working_days=1)),
        BreakType.TIMING: Policy("wait", _POLICY, _MEDIUM, Due(working_days=3)),
        BreakType.DUPLICATE: Policy("stop_the_second", _PERSON, _HIGH, Due(hours=4)),
        BreakType.RETURNED: Policy("book_it_back", _PERSON, _HIGH, Due(working_days=1)),
    }
)
"""For all that the tables above don't name."""

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            BACK_ON_BALANCE,
            OWN_ACCOUNT,
            *POLICY_OF_SUBJECT.values(),
            *POLICY_OF_TYPE.values(),
        )
    }
)
"""Each policy by its name, as breaks carry it."""


def policy_of(found: Found) -> Policy:
    """The one policy for what was found.

    The bank's code first; then money that is back already; then the subject; then the type.
    """
    coded = POLICY_OF_CODE.get((found.type, str(found.details.get("code"))))
    if coded is not None:
        return coded
    if found.type is BreakType.RETURNED and found.details.get("is_back_on_balance") is True:
        return BACK_ON_BALANCE
    kind = found.subject.partition(":")[0]
    return POLICY_OF_SUBJECT.get((found.type, kind)) or POLICY_OF_TYPE[found.type]


class Age(StrEnum):
    """How old a break is."""

    UNDER_1_DAY = "under_1d"
    UNDER_3_DAYS = "1d_to_3d"
    UNDER_7_DAYS = "3d_to_7d"
    OLDER = "over_7d"


AGE_LIMITS: tuple[tuple[dt.timedelta, Age], ...] = (
    (dt.timedelta(days=1), Age.UNDER_1_DAY),
    (dt.timedelta(days=3), Age.UNDER_3_DAYS),
    (dt.timedelta(days=7), Age.UNDER_7_DAYS),
)
"""Below which age each bucket ends; the last has no end."""


def age_of(opened_at: dt.datetime, *, now: dt.datetime) -> Age:
    """The bucket that the break is in."""
    return next((age for limit, age in AGE_LIMITS if now - opened_at < limit), Age.OLDER)
