"""Reconciliation: take the bank's answers and statements, each once, losing nothing of them."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit

from paynexus.db import Connection, Database
from paynexus.ledger.model import TransferKind
from paynexus.observability import count, gauge, logger
from paynexus.settlement import iso20022, model, store
from paynexus.settlement.lifecycle import announce, book, mark_instructed
from paynexus.settlement.model import BankEntry, BankLine, Settlement, Status, Unmatched
from paynexus.settlement.port import Bank


@dataclass(slots=True)
class Reconciliation:
    """What one file of the bank's changed; `is_repeated` when the same bytes came before."""

    file: str
    now: datetime
    is_repeated: bool = False
    unmatched: int = 0
    moved: list[Settlement] = field(default_factory=list)
    bookings: list[tuple[Settlement, TransferKind]] = field(default_factory=list)


def reconcile(db: Database, bank: Bank, *, object_key: str, now: datetime) -> Reconciliation:
    """Everything in the bank's file is applied once, or on record with the reason why not.

    BankFileRefused when the file can't be read; nothing of it was applied then.
    """
    document = bank.receive(object_key)
    message = iso20022.read(document)
    sha256 = hashlib.sha256(document).digest()
    done = Reconciliation(file=object_key, now=now)
    lines: list[BankLine] = []
    with db.transaction() as tx:
        is_new = store.insert_file(
            tx,
            direction="in",
            sha256=sha256,
            name=object_key,
            kind=message.kind,
            message_id=message.message_id,
            now=now,
        )
        if is_new:
            lines = _apply(tx, message, done)
            book(tx, done.bookings)
            store.insert_lines(tx, file_sha256=sha256, lines=lines)
    done.is_repeated = not is_new
    done.unmatched = sum(line.reason is not None for line in lines)
    _report(done, lines)
    return done


def _apply(tx: Connection, message: iso20022.BankMessage, done: Reconciliation) -> list[BankLine]:
    """What each line of the message changes is changed.

    Settlements are locked in the order of their references, so that two files never wait for
    each other.
    """
    match message:
        case iso20022.StatusReport():
            statuses = sorted(enumerate(message.statuses), key=lambda s: s[1].end_to_end_id or "")
            return [_apply_status(tx, at, status, done) for at, status in statuses]
        case iso20022.AccountStatement():
            entries = sorted(enumerate(message.entries), key=lambda e: e[1].end_to_end_id or "")
            return [_apply_entry(tx, at, entry, done) for at, entry in entries]
        case _:
            return []


def _apply_status(
    tx: Connection, position: int, status: iso20022.PaymentStatus, done: Reconciliation
) -> BankLine:
    found = (
        store.lock_by_reference(tx, status.end_to_end_id)
        if status.end_to_end_id
        else store.lock_by_message(tx, status.original_message_id)
    )
    reason = None
    if found is None or found.message_id != status.original_message_id:
        reason = Unmatched.UNKNOWN_REFERENCE
    else:
        answer = model.answer(found, code=status.status, reason=status.reason)
        if isinstance(answer, Unmatched):
            reason = answer
        elif answer is not None:
            _advance(tx, found, answer, done, failure_code=status.reason)
    return BankLine(
        position=position,
        kind="status",
        reference=status.original_message_id,
        end_to_end_id=status.end_to_end_id,
        code="/".join(filter(None, (status.status, status.reason))),
        amount=None,
        currency=None,
        booked_on=None,
        matched=found.id if found and reason is None else None,
        reason=reason,
    )


def _apply_entry(tx: Connection, position: int, entry: BankEntry, done: Reconciliation) -> BankLine:
    found = store.lock_by_reference(tx, entry.end_to_end_id) if entry.end_to_end_id else None
    reason = model.mismatch(entry, found)
    if found and reason is None:
        _advance(tx, found, Status.PAID, done)
    return BankLine(
        position=position,
        kind="entry",
        reference=entry.reference,
        end_to_end_id=entry.end_to_end_id,
        code="DBIT" if entry.is_debit else "CRDT",
        amount=entry.money.amount,
        currency=entry.money.currency,
        booked_on=entry.booked_on,
        matched=found.id if found and reason is None else None,
        reason=reason,
    )


def _advance(
    tx: Connection,
    settlement: Settlement,
    status: Status,
    done: Reconciliation,
    *,
    failure_code: str | None = None,
) -> None:
    if settlement.status == Status.PENDING:
        # The bank answers a file that we have not yet noted as sent: it has been.
        settlement = mark_instructed(tx, settlement)
    if status is Status.ACCEPTED:
        done.moved.append(store.move(tx, settlement, status))
        return
    kind, fact = {
        Status.PAID: (TransferKind.PAYOUT_PAID, "settlement.paid.v1"),
        Status.FAILED: (TransferKind.PAYOUT_RETURNED, "settlement.failed.v1"),
    }[status]
    moved = store.move(
        tx,
        settlement,
        status,
        processed_at=done.now,
        closing_id=model.transfer_id(settlement.id, kind),
        failure_code=failure_code if status is Status.FAILED else None,
    )
    done.bookings.append((moved, kind))
    announce(tx, moved, fact)
    done.moved.append(moved)


def _report(done: Reconciliation, lines: list[BankLine]) -> None:
    for settlement in done.moved:
        logger.info("settlement moved", settlement=settlement.object_id, status=settlement.status)
        if settlement.status == Status.PAID:
            count("SettlementPaid")
            lag = done.now - settlement.cutoff
            gauge("SettlementLagSeconds", lag.total_seconds(), unit=MetricUnit.Seconds)
        elif settlement.status == Status.FAILED:
            count("SettlementFailed")
    for line in lines:
        if line.reason and line.reason not in model.WAITING:
            count("BankLineUnmatched", reason=line.reason)
            logger.error(
                "bank line unmatched",
                file=done.file,
                position=line.position,
                reason=line.reason,
                reference=line.end_to_end_id or line.reference,
            )
