"""Gateways' settlement files: each taken once, every line explained or a break."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from paynexus.db import Connection, Database
from paynexus.errors import BankFileRefused, PayNexusError
from paynexus.gateways.port import Outcome, Result
from paynexus.ledger import store as ledger
from paynexus.observability import count, logger
from paynexus.settlement.acquirers import costs, dialects, model
from paynexus.settlement.acquirers.model import (
    BREAKS_MAX,
    MISSING_AFTER_DAYS,
    TOLERANCE_DAYS,
    Dialect,
    File,
    Payout,
    Verdict,
)
from paynexus.settlement.acquirers.port import FOLDER
from paynexus.settlement.acquirers.store import lines as store
from paynexus.settlement.acquirers.store import payouts
from paynexus.settlement.acquirers.store.lines import News
from paynexus.settlement.breaks import service as breaks
from paynexus.settlement.breaks.model import BreakType, Explained, Found

FILE_SECONDS = 240
"""How long one file may take in the database, or wait for another of its gateway."""
PROOFS_MAX = 500
"""Operations that one run tells the end of; the next run goes on."""

type Prove = Callable[[str, Result, dt.datetime], object]
"""Makes it certain that the attempt under our reference ended so (payments.authority)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a file came to; `is_repeated` when the same bytes were taken before."""

    file: str
    lines: int
    breaks: int
    proved: int
    is_repeated: bool


def take(db: Database, file: BinaryIO, *, name: str, prove: Prove, now: dt.datetime) -> Taken:
    """Each line of `gateways/<gateway>/<file>` is on record, matched or with its break.

    Its fees are booked, its payouts expected. A line about an operation whose outcome is open
    makes it certain by `prove`, after the file's own commit; a run that died before is made good
    by the next, of the same file or another. BankFileRefused, naming the line, for a file that
    can't be read; nothing of it was applied then.
    """
    gateway = gateway_of(name)
    dialect = dialects.dialect_of(gateway)
    sha256 = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # any file
    file.seek(0)
    with db.transaction() as tx:
        store.begin(tx, gateway, seconds=FILE_SECONDS)
        is_repeated = store.is_known(tx, gateway, sha256)
        lines, found = (0, 0)
        if not is_repeated:
            to_take = _file(gateway, dialect, sha256, name)
            lines, found = _bring_in(tx, to_take, dialect, file, now)
    proved = settle_open(db, gateway, prove=prove, now=now)
    taken = Taken(file=name, lines=lines, breaks=found, proved=proved, is_repeated=is_repeated)
    _report(taken)
    return taken


def settle_open(db: Database, gateway: str, *, prove: Prove, now: dt.datetime) -> int:
    """What waited is proven and explained, what is missing or late is a break; how many proofs.

    A proof that fails keeps none of the others from theirs; its error is raised in the end.
    """
    with db.transaction() as tx:
        store.begin(tx, gateway, seconds=FILE_SECONDS)
        _explain_waiting(tx, gateway, now, is_asked=False, has_waited=False)
        open_ones = store.waiting(tx, gateway, limit=PROOFS_MAX)
    failed = _prove(open_ones, prove, now)
    with db.transaction() as tx:
        store.begin(tx, gateway, seconds=FILE_SECONDS)
        # Nobody has waited in vain before its proof was tried.
        has_waited = not failed and len(open_ones) < PROOFS_MAX
        _explain_waiting(tx, gateway, now, is_asked=True, has_waited=has_waited)
        _look_for_missing(tx, gateway, now)
        _look_for_overdue(tx, now)
    if failed:
        raise failed[0]
    return len(open_ones)


def _prove(
    open_ones: Sequence[tuple[str, str | None]], prove: Prove, now: dt.datetime
) -> list[PayNexusError]:
    failed = []
    for reference, gateway_reference in open_ones:
        try:
            prove(reference, Result(Outcome.APPROVED, gateway_reference), now)
        except PayNexusError as error:
            count("GatewayProofFailed")
            logger.exception("not proven", reference=reference, code=error.code)
            failed.append(error)
    return failed


def gateway_of(name: str) -> str:
    """The gateway of a file `gateways/<gateway>/<file>`; BankFileRefused for another name."""
    folder, _, rest = name.partition("/")
    gateway, _, file = rest.partition("/")
    if f"{folder}/" != FOLDER or not gateway or not file:
        raise BankFileRefused(f"{name[:100]!r} is not gateways/<gateway>/<file>")
    return gateway


def _file(gateway: str, dialect: Dialect, sha256: bytes, name: str) -> File:
    return File(
        gateway=gateway,
        mode=dialect.mode,
        sha256=sha256,
        name=name,
        format=dialect.format,
        day=model.day_of(name.rpartition("/")[2]),
    )


def _bring_in(
    tx: Connection, file: File, dialect: Dialect, content: BinaryIO, now: dt.datetime
) -> tuple[int, int]:
    store.bring_in(tx, file.gateway, dialect.read(content))
    lines = store.record(tx, file, now=now)
    store.explain(tx, file, now=now)
    mixed = payouts.mixed(tx)
    if mixed:
        raise BankFileRefused(f"payout {mixed[0]!r} has lines in {mixed[1]}")
    news = _news(tx)
    store.keep_file(tx)
    grown = payouts.grow(tx, file.gateway, file.sha256)
    found = _record(tx, news, file.gateway, now)
    found += breaks.record(tx, [_arrived_otherwise(p) for p in grown if _is_off(p)], now=now)
    _settle_missing(tx, file.gateway, now)
    # The books last: the locks on balances are held for the least time.
    orders = costs.orders(file, payouts.costs(tx, file.gateway, file.sha256))
    for result in ledger.transfers(tx, orders, with_balances=False):
        result.require_booked()
    return lines, found


def _explain_waiting(
    tx: Connection, gateway: str, now: dt.datetime, *, is_asked: bool, has_waited: bool
) -> None:
    since = _waited_since(now) if has_waited else None
    store.explain_waiting(tx, gateway, now=now, waited_since=since, is_asked=is_asked)
    news = _news(tx)
    ended = [line for line in news if line.was == Verdict.EXTRA]
    # What a person has decided meanwhile stays as decided.
    store.keep_extra(tx, [line for line in ended if not _settle_extra(tx, gateway, line, now)])
    _record(tx, [line for line in news if line.was != Verdict.EXTRA], gateway, now)
    _record(tx, [line for line in ended if line.verdict not in _EXPLAINED], gateway, now)
    store.keep_waiting(tx)
    _settle_missing(tx, gateway, now)


_EXPLAINED = frozenset({Verdict.TIMING, Verdict.EXTRA, Verdict.OFFSET})
"""What may become of an extra line without another break."""


def _news(tx: Connection) -> list[News]:
    news = store.news(tx, limit=BREAKS_MAX + 1)
    if len(news) > BREAKS_MAX:
        raise BankFileRefused(
            f"more than {BREAKS_MAX} lines can't be explained: "
            "compare the file's account and mode with the gateway's"
        )
    return news


def _record(tx: Connection, news: Sequence[News], gateway: str, now: dt.datetime) -> int:
    """Breaks of the lines are on record; a late line is explained already, and so settled."""
    found = [_found(gateway, line) for line in news]
    new = breaks.record(tx, found, now=now)
    late = [
        Explained(type=one.type, subject=one.subject, resolution="told of on another day")
        for one in found
        if one.type is BreakType.TIMING
    ]
    breaks.settle_all(tx, late, now=now)
    return new


def _found(gateway: str, line: News) -> Found:
    return Found(
        type=BreakType(line.verdict),
        subject=model.line_subject(gateway, line.reference, line.operation),
        mode=line.mode,
        currency=line.currency,
        amount=_difference(line),
        details=_details(line),
    )


def _difference(line: News) -> int:
    """What they say less what we say."""
    match line.verdict:
        case Verdict.AMOUNT:
            return line.said - (line.expected or 0)
        case Verdict.FEE:
            return line.said_fee - (line.expected_fee or 0)
        case Verdict.TIMING:
            return 0
        case _:
            return line.gross


def _details(line: News) -> Mapping[str, object]:
    given = {
        "file": line.file_sha256.hex(),
        "position": line.position,
        "gross": line.gross,
        "fee": line.fee,
        "occurred_at": line.occurred_at.isoformat(),
        "expected": line.expected,
        "expected_fee": line.expected_fee,
        "expected_currency": line.booked_currency or line.asked_currency,
        "payment_id": str(line.payment_id) if line.payment_id else None,
        "transfer_id": str(line.transfer_id) if line.transfer_id else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _settle_extra(tx: Connection, gateway: str, line: News, now: dt.datetime) -> bool:
    return breaks.settle(
        tx,
        type=BreakType.EXTRA,
        subject=model.line_subject(gateway, line.reference, line.operation),
        resolution="timing",
        now=now,
    )


def _settle_missing(tx: Connection, gateway: str, now: dt.datetime) -> None:
    explained = [
        Explained(
            type=BreakType.MISSING, subject=model.transfer_subject(transfer), resolution="timing"
        )
        for transfer in payouts.told_at_last(tx, gateway)
    ]
    breaks.settle_all(tx, explained, now=now)


def _look_for_missing(tx: Connection, gateway: str, now: dt.datetime) -> None:
    before = now.date() - dt.timedelta(days=MISSING_AFTER_DAYS)
    found = payouts.missing(tx, gateway, before=before, limit=BREAKS_MAX, now=now)
    told = [
        Found(
            type=BreakType.MISSING,
            subject=model.transfer_subject(one.id),
            mode=one.mode,
            currency=one.currency,
            amount=-one.amount,
            merchant_id=one.merchant_id,
            details={
                "gateway": gateway,
                "kind": one.kind,
                "object": one.object_id,
                "day": one.day.isoformat(),
            },
        )
        for one in found
    ]
    breaks.record(tx, told, now=now)


def _look_for_overdue(tx: Connection, now: dt.datetime) -> None:
    before = now.date() - dt.timedelta(days=TOLERANCE_DAYS)
    late = payouts.overdue(tx, before=before, limit=BREAKS_MAX)
    breaks.record(tx, [payout.lateness for payout in late], now=now)


def _is_off(payout: Payout) -> bool:
    return payout.arrived_amount not in {None, payout.amount}


def _arrived_otherwise(payout: Payout) -> Found:
    return payout.broken(
        BreakType.AMOUNT,
        (payout.arrived_amount or 0) - payout.amount,
        {"told": payout.amount, "arrived": payout.arrived_amount},
    )


def _waited_since(now: dt.datetime) -> dt.datetime:
    return now - dt.timedelta(days=MISSING_AFTER_DAYS)


def _report(taken: Taken) -> None:
    count("GatewayFileTaken")
    logger.info(
        "gateway file taken",
        file=taken.file,
        lines=taken.lines,
        breaks=taken.breaks,
        proved=taken.proved,
        repeated=taken.is_repeated,
    )
