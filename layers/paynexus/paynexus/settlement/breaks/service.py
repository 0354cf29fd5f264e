"""Use cases of breaks: record what was found, settle what explained itself, resolve the rest.

What one person proposes another approves: four eyes. Approving books the correcting transfer
and resolves the break, in one transaction.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

from paynexus.db import Connection, Database
from paynexus.errors import InvalidRequest, InvalidState, NotFound
from paynexus.ids import TransferId
from paynexus.ledger import store as ledger
from paynexus.observability import count, logger
from paynexus.settlement.breaks import corrections, model, policies
from paynexus.settlement.breaks.model import (
    Break,
    BreakId,
    BreakStatus,
    BreakType,
    Correction,
    Explained,
    Found,
    Resolution,
)
from paynexus.settlement.breaks.store import breaks as store
from paynexus.settlement.breaks.store import resolutions

THE_POLICY = "paynexus"
"""Who decides where no person does; nobody may be called so."""
BATCH = 5_000
"""Breaks that one statement records or settles."""
LIST_MAX = 1_000
"""Breaks that one listing shows."""
TEXT_MAX = 2_000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class BreakFile:
    """A break with all that was proposed about it, in turn."""

    broken: Break
    resolutions: Sequence[Resolution]

    @property
    def proposal(self) -> Resolution | None:
        """What waits for a decision."""
        return next((one for one in self.resolutions if one.decided_at is None), None)


def record(tx: Connection, found: Sequence[Found], *, now: dt.datetime) -> int:
    """There is one break for each type and subject; how many are new.

    Each has its policy and the moment by which it must be resolved. Those that their policy
    resolves are so at once. What was recorded before stays as it is, resolved or not.
    """
    made = [
        row
        for batch in batched(found, BATCH, strict=False)
        for row in store.record(tx, [(one, policies.policy_of(one)) for one in batch], now=now)
    ]
    for kind, number in Counter(kind for kind, _ in made).items():
        count("BreakOpened", number, type=kind)
    resolved = sum(status == BreakStatus.RESOLVED for _, status in made)
    _tell_resolved(resolved, by="policy")
    if made:
        logger.info("breaks recorded", extra={"breaks": len(made), "resolved": resolved})
    return len(made)


def settle(
    tx: Connection,
    *,
    type: BreakType,  # noqa: A002 - the plan's own word
    subject: str,
    resolution: str,
    now: dt.datetime,
    transfer_id: TransferId | None = None,
) -> bool:
    """The break is resolved by its policy: the world has explained it. False if none was open."""
    one = Explained(type=type, subject=subject, resolution=resolution, transfer_id=transfer_id)
    return settle_all(tx, [one], now=now) == 1


def settle_all(tx: Connection, explained: Sequence[Explained], *, now: dt.datetime) -> int:
    """Each break that was unresolved is resolved so; how many.

    What somebody had proposed about one is refused: there is nothing left to correct.
    """
    settled = sum(
        len(store.settle(tx, batch, by=THE_POLICY, now=now))
        for batch in batched(explained, BATCH, strict=False)
    )
    _tell_resolved(settled, by="policy")
    return settled


def listing(
    db: Database,
    *,
    type: BreakType | None = None,  # noqa: A002 - the plan's own word
    status: BreakStatus | None = None,
    mode: str | None = None,
) -> list[Break]:
    """LIST_MAX breaks at most: the most urgent first, resolved ones latest first.

    Without a status: those that are not resolved.
    """
    with db.reading() as connection:
        return store.listing(connection, type=type, status=status, mode=mode, limit=LIST_MAX)


def find(db: Database, of: BreakId) -> BreakFile:
    """The break with all that was proposed about it; NotFound."""
    with db.transaction() as tx:
        return _file(tx, store.find(tx, of))


def assign(db: Database, of: BreakId, *, assignee: str) -> None:
    """The break is in that person's hands; InvalidState when it is resolved."""
    _require_name(assignee, "assignee")
    with db.transaction() as tx:
        file = _file(tx, store.lock(tx, of))
        _require_unresolved(file)
        store.assign(tx, of, assignee)


def propose(
    db: Database,
    of: BreakId,
    correction: Correction | None,
    *,
    by: str,
    because: str,
    now: dt.datetime,
    is_more_allowed: bool = False,
) -> Resolution:
    """The break is PROPOSED: it waits for another person to approve of it, or refuse.

    A correction moves at most what the break explains, unless `is_more_allowed`. Without one it
    is an explanation. Raises InvalidRequest for what can't be, InvalidState unless it is OPEN.
    """
    _require_name(by, "by")
    _require_text(because)
    with db.transaction() as tx:
        file = _file(tx, store.lock(tx, of))
        _require_open(file)
        _require_possible(tx, file.broken, correction, is_more_allowed=is_more_allowed)
        number = len(file.resolutions)
        proposal = Resolution(
            id=model.resolution_id(of, number),
            number=number,
            correction=correction,
            because=because,
            proposed_by=by,
            proposed_at=now,
        )
        resolutions.propose(tx, of, proposal)
    count("BreakProposed")
    return proposal


def approve(db: Database, of: BreakId, *, by: str, now: dt.datetime) -> BreakFile:
    """The break is RESOLVED as was proposed, its transfer booked: both, or neither.

    Once, however often it is asked for. Raises InvalidState when nothing waits for approval, or
    for the proposer; and what the ledger raises, such as AccountClosed: then nothing has changed.
    """
    _require_name(by, "by")
    with db.transaction() as tx:
        file = _file(tx, store.find(tx, of))
        if not _was_approved_by(file, by):
            _approve(tx, file, by=by, now=now)
        return _file(tx, store.find(tx, of))


def refuse(db: Database, of: BreakId, *, by: str, because: str, now: dt.datetime) -> None:
    """The break is OPEN again. InvalidState when nothing was proposed, or for the proposer."""
    _require_name(by, "by")
    _require_text(because)
    with db.transaction() as tx:
        file = _file(tx, store.lock(tx, of))
        proposal = _require_proposal(file, by=by)
        resolutions.refuse(tx, of, proposal, by=by, because=because, now=now)
    count("BreakRefused")


def _approve(tx: Connection, file: BreakFile, *, by: str, now: dt.datetime) -> None:
    proposal = _require_proposal(file, by=by)
    transfer = corrections.transfer_of(file.broken, proposal)
    if transfer is not None:
        # Before the break is locked, as whoever applies files does it: in one order, nobody
        # waits in a circle. Was the proposal overtaken, all of this is undone.
        ledger.post(tx, transfer)
    is_approved = resolutions.approve(
        tx,
        file.broken.id,
        proposal,
        by=by,
        transfer_id=None if transfer is None else transfer.id,
        now=now,
    )
    if not is_approved:
        raise InvalidState("Somebody was faster: look at the break again.")
    _tell_resolved(1, by="people")


def _was_approved_by(file: BreakFile, by: str) -> bool:
    return any(
        one.is_approved and model.person(one.decided_by or "") == model.person(by)
        for one in file.resolutions
    )


def _file(tx: Connection, broken: Break | None) -> BreakFile:
    if broken is None:
        raise NotFound("There is no such break.")
    return BreakFile(broken, resolutions.of_break(tx, broken.id))


def _require_unresolved(file: BreakFile) -> None:
    if file.broken.status is BreakStatus.RESOLVED:
        raise InvalidState(
            f"The break is resolved: {file.broken.resolution}",
            operation_state=str(file.broken.status),
        )


def _require_open(file: BreakFile) -> None:
    _require_unresolved(file)
    if file.proposal is not None:
        raise InvalidState(
            f"{file.proposal.proposed_by} has proposed something: approve or refuse that first.",
            operation_state=str(file.broken.status),
        )


def _require_proposal(file: BreakFile, *, by: str) -> Resolution:
    _require_unresolved(file)
    proposal = file.proposal
    if proposal is None:
        raise InvalidState(
            "Nothing is proposed about the break.", operation_state=str(file.broken.status)
        )
    if model.person(proposal.proposed_by) == model.person(by):
        raise InvalidState(
            f"{proposal.proposed_by} has proposed it: another person decides (four eyes).",
            operation_state=str(file.broken.status),
        )
    return proposal


def _require_possible(
    tx: Connection, broken: Break, correction: Correction | None, *, is_more_allowed: bool
) -> None:
    fault = corrections.fault_of(broken, correction, is_more_allowed=is_more_allowed)
    if fault is not None:
        raise InvalidRequest(fault, param="transfer")
    for side in (correction.debit, correction.credit) if correction else ():
        if side.merchant_id is not None and not resolutions.has_merchant(tx, side.merchant_id):
            raise NotFound("There is no such merchant.", param="transfer")


def _require_name(name: str, param: str) -> None:
    if not name.isprintable() or not 0 < len(model.person(name)) <= model.NAME_MAX:
        raise InvalidRequest(
            f"{param}: a name has 1 to {model.NAME_MAX} visible characters", param=param
        )
    if model.person(name) == THE_POLICY:
        raise InvalidRequest(f"{param}: {THE_POLICY} is no person", param=param)


def _require_text(text: str) -> None:
    if not 0 < len(text.strip()) <= TEXT_MAX:
        raise InvalidRequest(f"because: say why, in at most {TEXT_MAX} characters", param="because")


def _tell_resolved(number: int, *, by: str) -> None:
    if number:
        count("BreakResolved", number, by=by)
