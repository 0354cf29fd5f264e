"""How old breaks and clearing accounts are, as metrics that alarms and the dashboard watch."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Database
from paynexus.identity.model import Mode
from paynexus.ledger.accounts import AccountType
from paynexus.money import EXPONENTS
from paynexus.observability import gauge
from paynexus.settlement.breaks.policies import AGE_LIMITS, SILENCE, Age
from paynexus.settlement.breaks.store import ageing as store
from paynexus.settlement.breaks.store.ageing import Clearing, Group

CLEARING = (
    AccountType.GATEWAY_RECEIVABLE,
    AccountType.SETTLEMENT_IN_TRANSIT,
    AccountType.SUSPENSE,
    AccountType.DISPUTE,
)
"""Accounts that return to zero once all is explained."""
CENTS = 2
"""Decimal places of a currency that we take no payments in."""


@dataclass(frozen=True, slots=True)
class Ageing:
    """What one look found, of both modes."""

    breaks: int
    overdue: int
    clearing_accounts: int
    """Those that hold something."""


def age(db: Database, *, now: dt.datetime) -> Ageing:
    """What is unresolved, how much and for how long, is measured; and what clearing accounts hold.

    `BreakValue` is in major units, all currencies added up as they are: a measure, not an
    amount of money. A clearing account is as old as the oldest entry that is still in its
    balance, first in, first out (`oldest_in_balance`).
    """
    limits = [limit for limit, _ in AGE_LIMITS]
    with db.reading() as connection:
        groups = store.groups(connection, limits=limits, silence=SILENCE.name, now=now)
        accounts = store.clearing(connection, CLEARING)
    for mode in Mode:
        of_mode = [group for group in groups if group.mode == mode]
        _measure(mode, of_mode, now=now)
        _measure_buckets(mode, of_mode)
    _measure_clearing(accounts, now=now)
    return Ageing(
        breaks=sum(group.breaks for group in groups),
        overdue=sum(group.overdue for group in groups),
        clearing_accounts=sum(account.balance != 0 for account in accounts),
    )


def _measure(mode: str, groups: Sequence[Group], *, now: dt.datetime) -> None:
    """Each is told when it is zero, too: an alarm ends by that."""
    oldest = min((group.oldest for group in groups), default=now)
    _number("BreakCount", sum(group.breaks for group in groups), mode=mode)
    _number("BreakOverdue", sum(group.overdue for group in groups), mode=mode)
    _number("BankSilent", sum(group.silent for group in groups), mode=mode)
    gauge("BreakValue", _value(groups), unit=MetricUnit.NoUnit, mode=mode)
    seconds = max((now - oldest).total_seconds(), 0.0)
    gauge("BreakOldestSeconds", seconds, unit=MetricUnit.Seconds, mode=mode)


def _measure_buckets(mode: str, groups: Iterable[Group]) -> None:
    by_bucket: dict[tuple[str, Age], list[Group]] = defaultdict(list)
    for group in groups:
        by_bucket[group.type, list(Age)[group.bucket]].append(group)
    for (kind, age), found in by_bucket.items():
        _number("BreakCount", sum(one.breaks for one in found), mode=mode, type=kind, age=age)
        unit = MetricUnit.NoUnit
        gauge("BreakValue", _value(found), unit=unit, mode=mode, type=kind, age=age)


def _measure_clearing(accounts: Iterable[Clearing], *, now: dt.datetime) -> None:
    ages: dict[tuple[str, str], float] = defaultdict(float)
    for account in accounts:
        mode, currency = account.mode, account.currency
        unit = MetricUnit.NoUnit
        gauge(
            "ClearingBalance",
            account.balance,
            unit=unit,
            account=account.type,
            mode=mode,
            currency=currency,
        )
        seconds = max((now - (account.oldest or now)).total_seconds(), 0.0)
        ages[account.type, mode] = max(ages[account.type, mode], seconds)
    for (kind, mode), seconds in ages.items():
        gauge("ClearingAgeSeconds", seconds, unit=MetricUnit.Seconds, account=kind, mode=mode)


def _value(groups: Iterable[Group]) -> float:
    return sum(float(group.amount / 10 ** EXPONENTS.get(group.currency, CENTS)) for group in groups)


def _number(name: str, value: int, **dimensions: str) -> None:
    gauge(name, value, unit=MetricUnit.Count, **dimensions)
