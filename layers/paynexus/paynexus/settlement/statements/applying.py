"""What a file's lines come to: verdicts, moves, bookings and breaks, before any is written."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from paynexus.db import Connection
from paynexus.ledger.accounts import AccountType
from paynexus.ledger.model import Transfer
from paynexus.settlement.acquirers import arrivals
from paynexus.settlement.acquirers.arrivals import Credit
from paynexus.settlement.bank.messages import Header
from paynexus.settlement.breaks.model import BreakType, Found
from paynexus.settlement.model import Status
from paynexus.settlement.statements import answers, entries, found, model
from paynexus.settlement.statements.model import (
    Answer,
    Judged,
    Leftover,
    Line,
    Match,
    Standing,
    Verdict,
)
from paynexus.settlement.statements.store import lines as store
from paynexus.settlement.statements.store import standings


@dataclass(slots=True)
class Applied:
    """What is to be written. The moves are in the standings' steps."""

    judged: list[Judged]
    found: list[Found] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    spoken_of: set[str] = field(default_factory=set)
    """Message ids of payout files of ours."""


def of_answers(
    tx: Connection, header: Header, said: Sequence[Answer], several: Sequence[Standing]
) -> Applied:
    """What the answers to payout files come to."""
    files = standings.asked(tx, sorted({answer.message_id for answer in said}))
    rejected = [one.id for one in several if one.status is Status.REJECTED]
    heard = answers.Heard(
        standings=several,
        files=files,
        made_at=header.created_at,
        rejected_at=standings.rejected_at(tx, rejected) if rejected else {},
    )
    outcome = answers.judge(said, heard)
    failed = [found.failed(one, is_return=False) for one in outcome.rejected]
    return Applied(outcome.judged, [*outcome.found, *failed], spoken_of=set(files))


def of_entries(
    tx: Connection, sha256: bytes, several: Sequence[Standing], now: dt.datetime
) -> Applied:
    """What the entries of statements come to: each moves cash by its whole amount."""
    by_message: dict[str, list[Standing]] = {}
    for one in several:
        by_message.setdefault(one.message_id or "", []).append(one)
    payouts = entries.Payouts({one.end_to_end_id: one for one in several}, by_message)
    outcome = entries.judge(store.lines(tx, sha256), payouts)
    applied = Applied(outcome.judged, matches=outcome.matches)
    left = [*outcome.leftovers, *_arrive(tx, sha256, outcome.unmatched, applied, now)]
    _leave(tx, sha256, left, applied)
    applied.found += [found.failed(one, is_return=True) for one in outcome.returned]
    applied.found += [_repeated(sha256, *one) for one in store.repeated(tx, sha256)]
    applied.spoken_of = {one.message_id for one in several if one.message_id and one.is_touched}
    return applied


def _arrive(
    tx: Connection, sha256: bytes, unmatched: Sequence[Line], applied: Applied, now: dt.datetime
) -> list[Leftover]:
    """Gateways' money is what they said they pay out; what else there is, is left."""
    if not unmatched:
        return []
    texts = store.texts(tx, sha256, [line.position for line in unmatched])
    credits_ = [
        Credit(
            key=(sha256, line.position),
            mode=line.mode,
            currency=line.currency,
            amount=line.moved,
            booked_on=line.booked_on,
            texts=texts[line.position],
        )
        for line in unmatched
    ]
    arrived = {one.key[1]: one for one in arrivals.match(tx, credits_, now=now)}
    for position, arrival in arrived.items():
        applied.transfers += arrival.transfers
        applied.matches += [
            Match(transfer.id, position, arrival.rule, _moved(transfer))
            for transfer in arrival.transfers
        ]
    applied.judged += [
        Judged(line.position, Verdict.GATEWAY if line.position in arrived else Verdict.EXTRA)
        for line in unmatched
    ]
    return [
        Leftover(line, line.moved, Verdict.EXTRA)
        for line in unmatched
        if line.position not in arrived
    ]


def _moved(transfer: Transfer) -> int:
    amount = transfer.money.amount
    return amount if transfer.debit.type is AccountType.CASH else -amount


def _leave(tx: Connection, sha256: bytes, left: Sequence[Leftover], applied: Applied) -> None:
    """Money without a reason is in suspense, and a break says how much."""
    references = [one.standing.end_to_end_id for one in left if one.standing]
    differed = store.differed(tx, sha256, references) if references else set()
    applied.found += found.leftovers(sha256, left, differed)
    applied.transfers += [found.suspense(sha256, one) for one in left]
    for one in left:
        position = one.line.position
        transfer_id = model.line_transfer_id(sha256, position)
        applied.matches.append(Match(transfer_id, position, one.verdict, one.amount))


def _repeated(sha256: bytes, mode: str, currency: str, amount: int) -> Found:
    """They say again what was booked; nothing of it is booked once more."""
    return Found(
        type=BreakType.DUPLICATE,
        subject=model.file_subject(sha256),
        mode=mode,
        currency=currency,
        amount=amount,
        details={"file": sha256.hex()},
    )
