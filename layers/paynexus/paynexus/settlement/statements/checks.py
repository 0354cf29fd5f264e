"""Use cases: whether statements add up, follow each other, and show what they should."""

import datetime as dt
from collections.abc import Sequence

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.settlement.batching import store as batching
from paynexus.settlement.breaks import service as breaks
from paynexus.settlement.breaks.model import BreakType, Explained, Found
from paynexus.settlement.calendars import Calendar, Holidays
from paynexus.settlement.statements import model
from paynexus.settlement.statements.store import checks as store
from paynexus.settlement.statements.store.checks import (
    Difference,
    Expected,
    Jump,
    Overdue,
    Unbooked,
)

PATIENCE = dt.timedelta(days=1)
"""How long a statement that isn't there may still be on its way after the one that follows it."""
LOOK_BACK = dt.timedelta(days=92)
"""How old statements may be that are held against each other."""


def foot(tx: Connection, sha256: bytes, *, late: int, now: dt.datetime) -> None:
    """A statement whose entries are not what its balances say is a break: once for its fault.

    `late` is what the file's payouts come to that an earlier statement had left out: their money
    was in its balances then.
    """
    found = [
        _difference(tx, sha256, one) for one in store.footing(tx, sha256) if one.difference != late
    ]
    breaks.record(tx, found, now=now)


def follow(tx: Connection, *, now: dt.datetime) -> None:
    """Statements that don't begin where the last one ended are breaks, until they do."""
    jumps = store.jumps(tx, since=(now - LOOK_BACK).date(), patience=now - PATIENCE)
    found = {one.subject: one for one in map(_jump, jumps)}
    breaks.record(tx, list(found.values()), now=now)
    explained = [
        Explained(
            type=BreakType.MISSING, subject=subject, resolution="The statements follow each other."
        )
        for subject in store.open_jumps(tx)
        if subject not in found
    ]
    breaks.settle_all(tx, explained, now=now)


def require_shown(db: Database, *, now: dt.datetime) -> None:
    """A payout that the bank answered, and that no statement shows in its time, is a break."""
    today = now.astimezone(dt.UTC).date()
    with db.reading() as connection:
        files, holidays = store.unbooked(connection, today=today), batching.holidays(connection)
        jumps = store.jumps(connection, since=(now - LOOK_BACK).date(), patience=now)
    late = [
        file.message_id
        for file in files
        if _is_due(file, holidays, today)
        # What a missing statement says is that statement's fault.
        and not any(_lies_after(jump, file) for jump in jumps)
    ]
    if late:
        with db.transaction() as tx:
            found = [_overdue(one) for one in store.overdue(tx, late)]
            breaks.record(tx, found, now=now)


def left_out(tx: Connection, subjects: Sequence[str]) -> list[str]:
    """Which of the payouts a statement had left out."""
    return store.unresolved(tx, BreakType.MISSING, subjects)


def shown(tx: Connection, subjects: Sequence[str], *, now: dt.datetime) -> None:
    """Payouts that statements had left out are on one, or came back: their breaks are resolved."""
    explained = [
        Explained(
            type=BreakType.MISSING, subject=subject, resolution="The bank has shown the payment."
        )
        for subject in subjects
    ]
    breaks.settle_all(tx, explained, now=now)


def _is_due(file: Unbooked, holidays: Holidays, today: dt.date) -> bool:
    """It should be on a statement that is there."""
    calendar = Calendar.of(file.calendar, holidays)
    deadline = calendar.deadline(file.execution_date, file.sent_at, file.deadline_days)
    return file.covered_to is not None and deadline <= file.covered_to and deadline < today


def _lies_after(jump: Jump, file: Unbooked) -> bool:
    is_its_account = (jump.mode, jump.currency) == (file.mode, file.currency)
    return is_its_account and jump.day >= file.execution_date


def _difference(tx: Connection, sha256: bytes, of: Difference) -> Found:
    """They show so much less, or more, than left by their own balances."""
    expected = store.expected(tx, of) if of.difference < 0 else []
    details: dict[str, object] = {"check": "balances", "day": of.day.isoformat()}
    if len(expected) == 1:
        return _missing(of, expected[0], details)
    return Found(
        type=BreakType.MISSING,
        subject=model.file_subject(sha256),
        mode=of.mode,
        currency=of.currency,
        amount=-of.difference,
        details=details,
    )


def _overdue(one: Overdue) -> Found:
    return _missing(one, one, {"check": "payout"})


def _missing(
    of: Difference | Overdue, one: Expected | Overdue, details: dict[str, object]
) -> Found:
    return Found(
        type=BreakType.MISSING,
        subject=f"settlement:{ids.text('set', one.id)}",
        mode=of.mode,
        currency=of.currency,
        amount=one.amount,
        merchant_id=one.merchant_id,
        details={**details, "settlement": str(one.id)},
    )


def _jump(of: Jump) -> Found:
    return Found(
        type=BreakType.MISSING,
        subject=model.file_subject(of.file_sha256),
        mode=of.mode,
        currency=of.currency,
        amount=of.amount or 0,
        details={
            "check": "sequence",
            "day": of.day.isoformat(),
            "number": of.number,
            "opening": of.opening,
            "before": {
                "day": of.before_day.isoformat(),
                "number": of.before_number,
                "closing": of.before_closing,
            },
        },
    )
