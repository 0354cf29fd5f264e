"""Disputes: asked of the gateway, on record once, booked, and told to the merchant.

A callback about a dispute is a reason to ask, as any other is. An open one is asked about each
day besides: the callback of its end may never come.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from uuid import UUID

from paynexus import ids
from paynexus.db import Connection, Database
from paynexus.errors import NotFound, PayNexusError
from paynexus.gateways.port import (
    DisputeDesk,
    DisputeState,
    Fleet,
    GatewayDispute,
    Operation,
    Outcome,
    Result,
)
from paynexus.ids import DisputeId, MerchantId, PaymentId
from paynexus.lists.model import Page, cut
from paynexus.observability import count, logger
from paynexus.payments import cases, dispute_endings, steps
from paynexus.payments.cases import Kind
from paynexus.payments.dispute import FINAL_DISPUTE, Dispute, DisputeStatus
from paynexus.payments.dispute_endings import Disputed
from paynexus.payments.model import Payment
from paynexus.payments.preparing import NO_GATEWAY
from paynexus.payments.store import callbacks, commits, payments
from paynexus.payments.store import disputes as store
from paynexus.payments.sweeper import Runner
from paynexus.payments.verdicts import Asked, Verdict

ASK_SECONDS = 5.0
"""How long a gateway may take to tell of a dispute."""
ASKED_AGAIN_AFTER = dt.timedelta(days=1)
SWEEP_LIMIT = 20
"""Open disputes that one run asks about: the next one is a minute away."""
MODES = ("test", "live")

type Ask = Callable[[str, str], GatewayDispute | Result]
"""What the gateway of this name says of the dispute that it calls so."""

END: Mapping[DisputeState, Callable[[Payment, Dispute], Disputed]] = MappingProxyType(
    {DisputeState.WON: dispute_endings.won, DisputeState.LOST: dispute_endings.lost}
)


def asking(fleet: Callable[[], Fleet]) -> Ask:
    """Asks the fleet's gateways; UNKNOWN of one that is not there, or tells of no disputes.

    The fleet is built by the first question: most callbacks are about something else.
    """

    def ask(gateway: str, gateway_reference: str) -> GatewayDispute | Result:
        for mode in MODES:
            desk = fleet().of(mode).get(gateway)
            if isinstance(desk, DisputeDesk):
                return desk.dispute(gateway_reference, deadline_seconds=ASK_SECONDS)
        return Result(Outcome.UNKNOWN, code=NO_GATEWAY)

    return ask


def learn(
    db: Database, run: Runner, ask: Ask, gateway: str, gateway_reference: str, *, now: dt.datetime
) -> tuple[Asked | None, Verdict]:
    """The dispute is as the gateway says when asked, with its payment and the books.

    The charge that it speaks of, and what came of it: CONFIRMED, WITHOUT_NEWS of one that has
    taken no money yet, ASK when the gateway or its charge can't be asked now, or why the
    gateway's word was refused. A charge whose outcome is open is cleared up first.
    """
    said = ask(gateway, gateway_reference)
    if isinstance(said, Result):
        is_none = said.outcome is Outcome.DECLINED
        return None, Verdict.UNKNOWN_REFERENCE if is_none else Verdict.ASK
    asked = _charge_of(db, run, gateway, said, now)
    refusal = _refusal(said, asked)
    if refusal is not None or asked is None:
        return asked, refusal or Verdict.UNKNOWN_REFERENCE
    return asked, _record(db, asked, gateway, said, now)


def sweep(
    db: Database,
    run: Runner,
    ask: Ask,
    *,
    now: dt.datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> int:
    """Open disputes not asked about for a day are as their gateways say; how many were asked about.

    One that can't be asked about now has its next turn a day later, and keeps none of the others
    from theirs.
    """
    for number in range(SWEEP_LIMIT):
        if number and not has_time():
            return number
        with db.transaction() as tx:
            due = store.take_up(tx, before=now - ASKED_AGAIN_AFTER, now=now)
        if due is None:
            return number
        _ask_again(db, run, ask, *due, now=now)
    return SWEEP_LIMIT


def find(db: Database, dispute_id: DisputeId, merchant_id: MerchantId, mode: str) -> Dispute:
    """The merchant's dispute; NotFound for another's."""
    with db.reading() as connection:
        found = store.find(connection, dispute_id, merchant_id, mode)
    if found is None:
        raise NotFound("There is no such dispute.")
    return found


def page(
    db: Database, merchant_id: MerchantId, mode: str, page: Page[UUID]
) -> tuple[list[Dispute], bool]:
    """One page of the merchant's disputes, newest first, and whether there are more."""
    with db.reading() as connection:
        return cut(store.page(connection, merchant_id, mode, page), page)


def _ask_again(
    db: Database, run: Runner, ask: Ask, gateway: str, gateway_reference: str, *, now: dt.datetime
) -> None:
    verdict = Verdict.ASK
    try:
        _, verdict = learn(db, run, ask, gateway, gateway_reference, now=now)
    except PayNexusError as error:
        logger.warning("dispute not asked about", gateway=gateway, code=error.code)
    if verdict is not Verdict.CONFIRMED:
        logger.warning("dispute unclear", gateway=gateway, verdict=str(verdict))
        count("DisputeUnclear")


def _charge_of(
    db: Database, run: Runner, gateway: str, said: GatewayDispute, now: dt.datetime
) -> Asked | None:
    asked = _asked(db, gateway, said)
    if asked is None or asked.operation is not Operation.CHARGE:
        return asked
    step = asked.step
    if asked.outcome in {None, Outcome.UNKNOWN}:
        run(step)
        asked = _asked(db, gateway, said)
    # Whoever learned of it may have died before the payment's end.
    steps.finish(db, step, blocked=False, now=now)
    return asked


def _asked(db: Database, gateway: str, said: GatewayDispute) -> Asked | None:
    with db.reading() as connection:
        return callbacks.asked(connection, gateway, said.charge_reference)


def _refusal(said: GatewayDispute, asked: Asked | None) -> Verdict | None:
    """Why nothing is done; None when the dispute is one of a charge that was approved."""
    if asked is None:
        return Verdict.UNKNOWN_REFERENCE
    if asked.operation is not Operation.CHARGE:
        return Verdict.WRONG_OPERATION
    if said.money.currency != asked.currency:
        return Verdict.WRONG_CURRENCY
    if said.state is DisputeState.INQUIRY:
        return Verdict.WITHOUT_NEWS
    if asked.outcome is Outcome.APPROVED:
        return None
    return Verdict.ASK if asked.outcome in {None, Outcome.UNKNOWN} else Verdict.CONTRADICTS


def _record(
    db: Database, asked: Asked, gateway: str, said: GatewayDispute, now: dt.datetime
) -> Verdict:
    with db.transaction() as tx:
        payments.lock(tx, asked.payment_id)
        dispute = store.known(tx, gateway, said.gateway_reference)
        if dispute is None:
            dispute = _open(tx, asked, gateway, said, now)
        if (dispute.payment_id, dispute.money) != (asked.payment_id, said.money):
            return Verdict.WRONG_AMOUNT
        if said.state not in END or str(dispute.status) == str(said.state):
            return Verdict.CONFIRMED
        if dispute.status in FINAL_DISPUTE:
            _tell_a_person(tx, Kind.CONTRADICTION, asked, dispute, now)
            return Verdict.CONTRADICTS
        _commit(tx, END[said.state](_payment(tx, asked.payment_id), dispute), now)
        return Verdict.CONFIRMED


def _open(
    tx: Connection, asked: Asked, gateway: str, said: GatewayDispute, now: dt.datetime
) -> Dispute:
    payment = _payment(tx, asked.payment_id)
    dispute = Dispute(
        id=DisputeId(ids.new_id()),
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        money=said.money,
        covered_amount=0,
        status=DisputeStatus.OPEN,
        gateway=gateway,
        gateway_reference=said.gateway_reference,
        cover_id=None,
        created_at=now,
        reason=said.reason,
        respond_by=said.respond_by,
    )
    opened = _commit(tx, dispute_endings.opened(payment, dispute), now)
    if opened.excess:
        _tell_a_person(tx, Kind.DISPUTE_EXCESS, asked, opened, now)
    return opened


def _tell_a_person(
    tx: Connection, kind: Kind, asked: Asked, dispute: Dispute, now: dt.datetime
) -> None:
    charge, payment = asked.attempt_id, asked.payment_id
    cases.open_case(tx, kind, charge, payment, now=now, dispute_id=dispute.id)


def _payment(tx: Connection, payment_id: PaymentId) -> Payment:
    payment = payments.get(tx, payment_id)
    assert payment is not None, "payments are never deleted"  # noqa: S101 - a trigger's rule
    return payment


def _commit(tx: Connection, disputed: Disputed, now: dt.datetime) -> Dispute:
    commits.end(tx, disputed.change, now=now)
    store.put(tx, disputed.dispute, now=now)
    if disputed.dispute.status is DisputeStatus.WON:
        cases.close_of_dispute(tx, disputed.dispute.id, now=now)
    logger.warning(
        "dispute changed",
        payment_id=str(disputed.dispute.payment_id),
        status=str(disputed.dispute.status),
    )
    count("DisputeChanged", status=str(disputed.dispute.status))
    return disputed.dispute
