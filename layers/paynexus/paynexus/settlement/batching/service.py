"""The run: every merchant whose cut-off has come is paid what it is owed."""

import datetime as dt
from dataclasses import asdict, dataclass, field
from itertools import batched

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import PayNexusError
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.observability import count, logger
from paynexus.settlement import model
from paynexus.settlement import store as settlements
from paynexus.settlement.batching import store
from paynexus.settlement.batching.model import Candidate, Carry
from paynexus.settlement.batching.store import Plan, Reserve
from paynexus.settlement.calendars import Calendar, Holidays
from paynexus.settlement.lifecycle import announce, book
from paynexus.settlement.terms import payment_days

MADE = "made"
BATCH_LIMIT = 50
"""Settlements made in one transaction: their merchants' balances are locked meanwhile."""
RESERVES_LIMIT = 500
"""Reserves given back in one transaction."""


@dataclass(slots=True)
class Run:
    """What one run of settlement did."""

    made: int = 0
    failed: int = 0
    released: int = 0
    carried: dict[str, int] = field(default_factory=dict)


def make_settlements(db: Database, *, now: dt.datetime, cutoff: dt.datetime | None = None) -> Run:
    """Whoever is due is paid what was posted before its cut-off: a PENDING settlement each.

    Due is by its terms; with `cutoff`, everybody up to it. Runs at once or again make one
    settlement for a merchant, currency, mode and cut-off. What can't be paid stays on the
    merchant's balance and is counted with its reason. Reserves whose time is over are on the
    balance before.
    """
    run = Run()
    run.released = _release(db, now)
    with db.reading() as connection:
        candidates, holidays = store.candidates(connection), store.holidays(connection)
    plans = [
        plan
        for candidate in candidates
        if (plan := _plan(candidate, holidays, run, now=now, cutoff=cutoff))
    ]
    for batch in batched(plans, BATCH_LIMIT, strict=False):
        _make(db, list(batch), run, now=now)
    logger.info("settlements made", **asdict(run))
    return run


def _release(db: Database, now: dt.datetime) -> int:
    total = 0
    while True:
        with db.transaction() as tx:
            due = store.due_reserves(tx, now=now, limit=RESERVES_LIMIT)
            transfers = [_release_of(reserve) for reserve in due]
            book(tx, transfers)
            store.mark_released(tx, list(zip(due, transfers, strict=True)), now=now)
        total += len(due)
        if len(due) < RESERVES_LIMIT:
            return total


def _release_of(reserve: Reserve) -> Transfer:
    merchant = ids.MerchantId(reserve.merchant_id)
    names = (reserve.mode, reserve.currency, merchant)
    return Transfer(
        id=model.transfer_id(reserve.settlement_id, TransferKind.RESERVE_RELEASE),
        kind=TransferKind.RESERVE_RELEASE,
        debit=Account(AccountType.RESERVE, *names),
        credit=Account(AccountType.MERCHANT_PAYABLE, *names),
        money=Money(reserve.amount, reserve.currency),
        object_id=ids.text("set", reserve.settlement_id),
    )


def _plan(
    candidate: Candidate,
    holidays: Holidays,
    run: Run,
    *,
    now: dt.datetime,
    cutoff: dt.datetime | None,
) -> Plan | None:
    due = min(cutoff, now) if cutoff else candidate.due(holidays, now)
    if due is None or (candidate.last_cutoff and due <= candidate.last_cutoff):
        return None
    reason = candidate.reason_to_carry(now)
    if reason:
        _carry(run, reason)
        return None
    settlement_id = model.settlement_id(
        merchant_id=candidate.merchant_id,
        currency=candidate.currency,
        mode=candidate.mode,
        cutoff=due,
    )
    bank = Calendar.of(candidate.payer_calendar or "", holidays)
    days = payment_days(bank, bank.day_of(now))
    terms = candidate.terms
    return Plan(
        id=settlement_id,
        object_id=ids.text("set", settlement_id),
        account_id=candidate.account_id,
        cutoff=due,
        minimum_amount=terms.minimum_amount,
        reserve_basis_points=terms.reserve_basis_points,
        release_at=due + dt.timedelta(days=terms.reserve_days),
        expected_on=days[1],
        end_to_end_id=model.end_to_end_id(settlement_id),
        instruction={
            "creditor": candidate.payee,
            "debtor": candidate.payer,
            "execution_date": days[0].isoformat(),
        },
        payout_id=model.transfer_id(settlement_id, TransferKind.PAYOUT),
        reserve_id=model.transfer_id(settlement_id, TransferKind.RESERVE_HOLD),
    )


def _make(db: Database, plans: list[Plan], run: Run, *, now: dt.datetime) -> None:
    """One merchant's trouble must not keep the others from their money."""
    try:
        with db.transaction() as tx:
            outcomes = store.make(tx, plans, now=now)
            made = [p.id for p, what in zip(plans, outcomes, strict=True) if what == MADE]
            announce(tx, settlements.by_ids(tx, made), "settlement.created.v1")
    except PayNexusError as error:
        if len(plans) == 1:
            _report_failure(run, plans[0], error)
            return
        for plan in plans:
            _make(db, [plan], run, now=now)
        return
    run.made += len(made)
    for outcome in outcomes:
        if outcome != MADE:
            _carry(run, Carry(outcome))


def _carry(run: Run, reason: Carry) -> None:
    run.carried[reason] = run.carried.get(reason, 0) + 1
    if reason is not Carry.NOTHING_TO_PAY:
        count("SettlementCarried", reason=reason)


def _report_failure(run: Run, plan: Plan, error: PayNexusError) -> None:
    run.failed += 1
    count("SettlementRunFailed", code=error.code)
    extra: dict[str, object] = {"code": error.code, "settlement": plan.object_id}
    logger.exception("settlement left for the next run", extra=extra)
