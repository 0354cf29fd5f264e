"""Use cases of payout files: assemble them, send them, and ask about those the bank ignores."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.ids import SettlementId
from paynexus.observability import count, logger
from paynexus.settlement.bank import pain001
from paynexus.settlement.bank.messages import InvalidInstruction
from paynexus.settlement.bank.port import Bank
from paynexus.settlement.batching import store as batching
from paynexus.settlement.breaks import service as breaks
from paynexus.settlement.breaks.model import BreakType, Found
from paynexus.settlement.calendars import Calendar
from paynexus.settlement.lifecycle import Move, advance
from paynexus.settlement.model import Status
from paynexus.settlement.payouts import model, store
from paynexus.settlement.payouts.model import FILE_LIMIT, Payout, PayoutFile

BEFORE_ALL = SettlementId(UUID(int=0))


@dataclass(slots=True)
class Sent:
    """What one run sent: settlements that are instructed now, and files that failed."""

    instructed: int = 0
    failed: int = 0


def assemble(db: Database, *, now: dt.datetime) -> int:
    """Every settlement that a bank can be asked for is in a file, and in one; how many files.

    Runs at once wait for each other: what one has put into a file the next one doesn't see.
    What can't be written (a payee's details are no bank's) waits, and is counted at each run.
    """
    made, after = 0, BEFORE_ALL
    while True:
        with db.transaction() as tx:
            store.lock_assembly(tx)
            waiting = store.lock_waiting(tx, after=after, limit=FILE_LIMIT)
            for group in model.grouped(waiting):
                payouts = _writable(group, now)
                if payouts:
                    store.insert(tx, _name(payouts), payouts, now=now)
                    made += 1
        if len(waiting) < FILE_LIMIT:
            return made
        after = waiting[-1].id


def send(db: Database, bank: Bank, *, now: dt.datetime) -> Sent:
    """Every assembled file lies in the outbox, and is on record as sent."""
    sent = Sent()
    with db.reading() as connection:
        files = store.unsent(connection)
    for file in files:
        try:
            sent.instructed += _send(db, bank, file, now)
        except PayNexusError as error:
            sent.failed += 1
            _report(error, file=file.message_id)
    return sent


def watch(db: Database, bank: Bank, *, now: dt.datetime) -> int:
    """Each file that the bank has ignored past its deadline is a break, and asked about.

    The very same bytes are sent again: a bank that has the file refuses it and so says that it
    has it, one that lost it pays it now, once. How many files there are.
    """
    today = now.astimezone(dt.UTC).date()
    with db.reading() as connection:
        files, holidays = store.unanswered(connection, today=today), batching.holidays(connection)
    silent = [file for file in files if file.deadline(Calendar.of(file.calendar, holidays)) < today]
    for file in silent:
        try:
            _inquire(db, bank, file, now)
        except PayNexusError as error:
            _report(error, file=file.message_id)
    return len(silent)


def _writable(payouts: list[Payout], now: dt.datetime) -> list[Payout]:
    """Those that a bank can be asked for: one bad payee must not keep the others waiting."""
    if _fault(payouts, now) is None:
        return payouts
    good = []
    for payout in payouts:
        fault = _fault([payout], now)
        if fault is None:
            good.append(payout)
        else:
            _report(fault, settlement=str(payout.id))
    return good


def _fault(payouts: Sequence[Payout], now: dt.datetime) -> InvalidInstruction | None:
    try:
        pain001.write(model.instruction(_name(payouts), now, payouts))
    except InvalidInstruction as error:
        return error
    return None


def _name(payouts: Sequence[Payout]) -> str:
    return model.message_id([payout.end_to_end_id for payout in payouts])


def _send(db: Database, bank: Bank, file: PayoutFile, now: dt.datetime) -> int:
    """The file is at the bank first, then on record as sent.

    A crash between is healed by the next run, which writes the same bytes under the same name
    and message id.
    """
    document = _document(db, file)
    with db.statement() as connection:
        if not store.count_send(connection, file.message_id):
            return 0
    bank.instruct(file.name, document)
    with db.transaction() as tx:
        pending = store.lock_pending(tx, file.message_id)
        if not store.mark_sent(tx, file, hashlib.sha256(document).digest(), now=now):
            return 0
        advance(tx, [Move(one, Status.INSTRUCTED) for one in pending], now=now)
    count("PayoutFilesSent", mode=file.mode)
    logger.info("payout file sent", file=file.message_id, transfers=file.transfers)
    return len(pending)


def _inquire(db: Database, bank: Bank, file: PayoutFile, now: dt.datetime) -> None:
    document = _document(db, file)
    is_same = hashlib.sha256(document).digest() == file.sha256
    with db.transaction() as tx:
        if not store.lock_unanswered(tx, file.message_id):
            return
        breaks.record(tx, [_silence(file)], now=now)
        is_due = is_same and file.may_inquire(now) and store.count_inquiry(tx, file, now=now)
    if not is_same:
        # Other bytes under its name could be paid besides it: a person has to ask.
        logger.error("payout file is written otherwise now", file=file.message_id)
    if is_due:
        bank.instruct(replace(file, inquiries=file.inquiries + 1).inquiry_name, document)
        count("BankInquired", mode=file.mode)
        logger.warning("bank inquired", file=file.message_id, inquiry=file.inquiries + 1)


def _silence(file: PayoutFile) -> Found:
    """They say nothing, we say that the file's amount left."""
    return Found(
        type=BreakType.TIMING,
        subject=file.subject,
        mode=file.mode,
        currency=file.currency,
        amount=file.amount,
        details={
            "message_id": file.message_id,
            "transfers": file.transfers,
            "execution_date": file.execution_date.isoformat(),
            "sent_at": file.sent_at.isoformat() if file.sent_at else None,
        },
    )


def _document(db: Database, file: PayoutFile) -> bytes:
    with db.reading() as connection:
        payouts = store.members(connection, file.message_id)
    return pain001.write(model.instruction(file.message_id, file.created_at, payouts))


def _report(error: PayNexusError, **about: str) -> None:
    count("SettlementRunFailed", code=error.code)
    extra: dict[str, object] = {"code": error.code, "reason": error.detail, **about}
    logger.error("left for the next run", extra=extra)
