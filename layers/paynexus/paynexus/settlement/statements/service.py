"""Use cases: a bank's file is applied, once and whole; what statements lack is told."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Connection, Database
from paynexus.observability import count, gauge, logger
from paynexus.settlement.bank import reader
from paynexus.settlement.bank.reader import Message
from paynexus.settlement.breaks import service as breaks
from paynexus.settlement.breaks.model import BreakType, Explained
from paynexus.settlement.lifecycle import advance, book
from paynexus.settlement.model import FAILED, Status
from paynexus.settlement.statements import applying, checks, model
from paynexus.settlement.statements.applying import Applied
from paynexus.settlement.statements.model import LOUD, Standing
from paynexus.settlement.statements.store import lines as store
from paynexus.settlement.statements.store import standings
from paynexus.settlement.statements.taking import Taken, take


@dataclass(slots=True)
class Reconciliation:
    """What one file of the bank's changed; `is_repeated` when the same bytes came before.

    `moved` counts the steps of settlements by status, `verdicts` the lines. `lag_seconds` is how
    long that settlement took from its cut-off on that took longest.
    """

    file: str
    kind: str
    is_repeated: bool = False
    lines: int = 0
    moved: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    lag_seconds: float | None = None

    @property
    def unmatched(self) -> int:
        """Lines that somebody must look at."""
        return sum(self.verdicts[verdict] for verdict in LOUD)


def apply(db: Database, file: BinaryIO, *, name: str, now: dt.datetime) -> Reconciliation:
    """Everything in the file is applied once, or on record with the reason why not.

    One transaction. BankFileRefused when the file can't be read; nothing of it was applied then.
    """
    sha256 = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # any file
    file.seek(0)
    message = reader.read(file)
    done = Reconciliation(file=name, kind=message.header.kind)
    with db.transaction() as tx:
        store.be_patient(tx)
        if store.insert_file(tx, message.header, sha256=sha256, name=name, now=now):
            _apply(tx, message, sha256, done, now)
        else:
            done.is_repeated = True
    _report(done)
    return done


def watch(db: Database, *, now: dt.datetime) -> None:
    """What statements should say by now and don't is on record as breaks."""
    with db.transaction() as tx:
        checks.follow(tx, now=now)
    checks.require_shown(db, now=now)


def _apply(
    tx: Connection, message: Message, sha256: bytes, done: Reconciliation, now: dt.datetime
) -> None:
    taken = Taken(sha256, message.header.kind)
    take(tx, taken, message.records())
    several = standings.lock(tx, sha256)
    said = store.answers(tx, sha256)
    if said:
        applied = applying.of_answers(tx, message.header, said, several)
    else:
        applied = applying.of_entries(tx, sha256, several, now)
    _write(tx, sha256, applied, several, now)
    if taken.heads:
        store.count_entries(tx, sha256)
        _check(tx, sha256, several, now)
    done.lines = taken.lines
    done.verdicts = Counter(str(one.verdict) for one in applied.judged)
    done.verdicts.update(taken.verdicts)
    done.moved = Counter(str(step.status) for one in several for step in one.steps)
    lags = [now - one.cutoff for one in several if _is_paid(one)]
    done.lag_seconds = max(lags).total_seconds() if lags else None


def _write(
    tx: Connection,
    sha256: bytes,
    applied: Applied,
    several: Sequence[Standing],
    now: dt.datetime,
) -> None:
    """The moves first, then the money of all of them at once, then what is told of it."""
    transfers = list(applied.transfers)
    for wave in model.waves(several):
        transfers += advance(tx, wave, now=now)
    book(tx, transfers)
    store.match(tx, sha256, applied.matches)
    store.judge(tx, sha256, applied.judged)
    answered = standings.answered(tx, sorted(applied.spoken_of), now=now)
    breaks.settle_all(tx, [_spoken_of(message_id) for message_id in answered], now=now)
    breaks.record(tx, applied.found, now=now)


def _spoken_of(message_id: str) -> Explained:
    return Explained(
        type=BreakType.TIMING,
        subject=model.payout_file_subject(message_id),
        resolution="The bank has spoken of the file.",
    )


def _check(tx: Connection, sha256: bytes, several: Sequence[Standing], now: dt.datetime) -> None:
    subjects = {one.subject: one.amount for one in several if _is_paid(one)}
    late = checks.left_out(tx, list(subjects))
    checks.foot(tx, sha256, late=sum(subjects[one] for one in late), now=now)
    checks.shown(tx, late, now=now)
    checks.follow(tx, now=now)


def _is_paid(one: Standing) -> bool:
    return any(step.status is Status.PAID for step in one.steps)


def _report(done: Reconciliation) -> None:
    logger.info(
        "bank file applied",
        extra={"file": done.file, "kind": done.kind, "lines": done.lines, "moved": done.moved},
    )
    if paid := done.moved[Status.PAID]:
        count("SettlementPaid", paid)
    if failed := sum(done.moved[status] for status in FAILED):
        count("SettlementFailed", failed)
    if done.lag_seconds is not None:
        gauge("SettlementLagSeconds", done.lag_seconds, unit=MetricUnit.Seconds)
    for verdict in sorted(LOUD):
        if number := done.verdicts[verdict]:
            count("BankLineUnmatched", number, reason=verdict)
            logger.error(
                "bank lines unmatched",
                extra={"file": done.file, "reason": verdict, "lines": number},
            )
