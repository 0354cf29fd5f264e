"""Settlement's use cases: pay merchants what they are owed, and show them how it adds up."""

import hashlib
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

from aws_lambda_powertools.metrics import MetricUnit

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, NotFound, PayNexusError
from paynexus.ids import MerchantId, SettlementId
from paynexus.ledger.model import TransferKind
from paynexus.lists.model import Page, cut
from paynexus.observability import count, gauge, logger
from paynexus.settlement import iso20022, model, store
from paynexus.settlement.lifecycle import book, mark_instructed
from paynexus.settlement.model import (
    Carry,
    Position,
    Settlement,
    StatementLine,
    Status,
)
from paynexus.settlement.port import Bank

PENDING_LIMIT = 10_000
"""Files that one run writes at most; the next run writes the rest."""


@dataclass(slots=True)
class Run:
    """What one run of settlement did."""

    made: int = 0
    instructed: int = 0
    failed: int = 0
    carried: dict[str, int] = field(default_factory=dict)


def settle(db: Database, bank: Bank, *, now: datetime, cutoff: datetime | None = None) -> Run:
    """Every merchant's money posted before the cut-off (`now` unless given) is on its way.

    Runs of one cut-off, at once or again, make one settlement for each merchant, currency and
    mode, and what an earlier run left without a file gets it now. What can't be paid stays on
    the merchant's balance and is counted with its reason.
    """
    cutoff = min(cutoff or now, now)
    run = Run()
    with db.reading() as connection:
        positions = store.positions(connection, cutoff=cutoff)
    for position in positions:
        try:
            _make(db, position, run, cutoff=cutoff, now=now)
        except PayNexusError as error:
            # One merchant's trouble must not keep the others from their money.
            _report_failure(run, error, merchant=ids.text("mer", position.merchant_id))
    with db.reading() as connection:
        pending = store.pending(connection, limit=PENDING_LIMIT)
    for settlement in pending:
        try:
            _instruct(db, bank, settlement, now=now)
        except PayNexusError as error:
            _report_failure(run, error, settlement=settlement.object_id)
        else:
            run.instructed += 1
    # A bank that says nothing at all shows here: nothing else would.
    with db.reading() as connection:
        oldest = store.oldest_open_cutoff(connection) or now
    lag = max((now - oldest).total_seconds(), 0.0)
    gauge("SettlementLagSeconds", lag, unit=MetricUnit.Seconds)
    logger.info("settlement run", **asdict(run))
    return run


def list_settlements(
    db: Database,
    page: Page[UUID],
    *,
    merchant_id: MerchantId,
    mode: str,
) -> tuple[list[Settlement], bool]:
    """A page of the merchant's settlements, newest first, and whether there are more."""
    with db.reading() as connection:
        found = store.page(connection, page, merchant_id=merchant_id, mode=mode)
    return cut(found, page)


def settlement(
    db: Database, settlement_id: str, *, merchant_id: MerchantId, mode: str
) -> Settlement:
    """The merchant's own settlement of this id; NotFound for anybody else's."""
    own_id = _parse(settlement_id)
    with db.reading() as connection:
        found = store.settlement(connection, own_id, merchant_id=merchant_id, mode=mode)
    if found is None:
        raise NotFound("There is no such settlement.")
    return found


def statement(
    db: Database, settlement_id: str, *, merchant_id: MerchantId, mode: str
) -> tuple[Settlement, list[StatementLine]]:
    """The settlement with every entry it pays out; `views` shows them as JSON or CSV."""
    found = settlement(db, settlement_id, merchant_id=merchant_id, mode=mode)
    with db.reading() as connection:
        return found, store.lines(connection, found.id)


def _make(db: Database, position: Position, run: Run, *, cutoff: datetime, now: datetime) -> None:
    with db.transaction() as tx:
        creditor = store.lock_payout_account(tx, position.merchant_id, position.currency)
        debtor = store.house_account(tx, mode=position.mode, currency=position.currency)
        reason = model.reason_to_carry(position, creditor=creditor, debtor=debtor)
        made = None
        if reason is None and creditor and debtor:
            instruction: dict[str, object] = {
                "creditor": asdict(creditor),
                "debtor": asdict(debtor),
                "execution_date": now.date().isoformat(),
            }
            available = store.lock_available(
                tx,
                merchant_id=position.merchant_id,
                currency=position.currency,
                mode=position.mode,
            )
            made = _insert(tx, position, instruction, available=available, cutoff=cutoff, now=now)
            if made is None and available < position.amount:
                reason = Carry.RESERVED
    if reason:
        run.carried[reason] = run.carried.get(reason, 0) + 1
        if reason is not Carry.NOTHING_TO_PAY:
            count("SettlementCarried", reason=reason)
    run.made += made is not None


def _insert(
    tx: Connection,
    position: Position,
    instruction: dict[str, object],
    *,
    available: int,
    cutoff: datetime,
    now: datetime,
) -> Settlement | None:
    settlement_id = model.settlement_id(
        merchant_id=position.merchant_id,
        currency=position.currency,
        mode=position.mode,
        cutoff=cutoff,
    )
    made = store.insert_settlement(
        tx,
        settlement_id=settlement_id,
        position=position,
        available=available,
        cutoff=cutoff,
        message_id=model.message_id(settlement_id),
        end_to_end_id=model.end_to_end_id(settlement_id),
        instruction=instruction,
        payout_id=model.transfer_id(settlement_id, TransferKind.PAYOUT),
        now=now,
    )
    if made is not None:
        book(tx, [(made, TransferKind.PAYOUT)])
    return made


def _instruct(db: Database, bank: Bank, pending: Settlement, *, now: datetime) -> None:
    """The file is at the bank first, then on record as sent.

    A crash between is healed by the next run, which writes the same bytes under the same name
    and message id.
    """
    document = iso20022.write_pain001(
        iso20022.Instruction(
            message_id=pending.message_id,
            created_at=pending.created_at,
            execution_date=pending.execution_date,
            debtor=pending.debtor,
            currency=pending.currency,
            transfers=(
                iso20022.CreditTransfer(
                    end_to_end_id=pending.end_to_end_id,
                    creditor=pending.creditor,
                    money=pending.money,
                    remittance=f"{pending.debtor.holder} {pending.end_to_end_id}",
                ),
            ),
        )
    )
    bank.instruct(pending.file_name, document)
    with db.transaction() as tx:
        settlement = store.lock_by_id(tx, pending.id)
        if settlement is None or settlement.status != Status.PENDING:
            return
        store.insert_file(
            tx,
            direction="out",
            sha256=hashlib.sha256(document).digest(),
            name=pending.file_name,
            kind="pain.001",
            message_id=pending.message_id,
            now=now,
        )
        mark_instructed(tx, settlement)


def _report_failure(run: Run, error: PayNexusError, **about: str) -> None:
    run.failed += 1
    count("SettlementRunFailed", code=error.code)
    extra: dict[str, object] = {"code": error.code, **about}
    logger.exception("settlement left for the next run", extra=extra)


def _parse(settlement_id: str) -> SettlementId:
    try:
        return SettlementId(ids.parse("set", settlement_id))
    except ValueError:
        raise NotFound("There is no such settlement.") from None


def _cursor(text: str | None) -> SettlementId | None:
    try:
        return None if text is None else SettlementId(ids.parse("set", text))
    except ValueError:
        raise InvalidRequest("No such settlement id.", param="starting_after") from None
