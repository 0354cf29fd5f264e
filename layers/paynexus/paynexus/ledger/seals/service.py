"""The books are sealed hour by hour, behind the payments, and read again."""

import datetime as dt
import time

from aws_lambda_powertools.metrics import MetricUnit

from paynexus import errors
from paynexus.db import Database
from paynexus.ledger.audit import REPORTED_ROWS_LIMIT, Violation
from paynexus.ledger.seals import model, store
from paynexus.ledger.seals.model import Seal, Stretch
from paynexus.ledger.seals.signing import Signer
from paynexus.observability import gauge, logger

SEALS_PER_RUN = 200
"""A run ends: after an outage of months, the next ones go on."""
PATIENCE = dt.timedelta(seconds=20)
"""So long are transactions waited for that began before the mark. Payments end sooner."""
POLL_SECONDS = 0.05
RECENT = dt.timedelta(hours=25)
"""Seals as young as this are read again in each run: what is altered today is found today."""


def seal(
    db: Database, signer: Signer, *, now: dt.datetime, patience: dt.timedelta = PATIENCE
) -> list[Seal]:
    """All that was recorded up to the last settled hour is sealed; the seals that were added.

    None, when a transaction from before that hour outlasts `patience`: the next run will. Takes
    no lock that a booking waits for. LedgerSealBroken when the last seal is not our key's: what
    was sealed before it must be looked at first.
    """
    mark = store.mark(db.connection())
    until = model.whole_hour(min(mark.at, now) - model.SETTLING)
    last = store.latest(db.connection())
    if last is not None and not signer.keys.have_signed(last):
        raise errors.LedgerSealBroken(f"The signature of seal {last.number} is not our key's.")
    added: list[Seal] = []
    since = _end_of(db, last, until)
    if since < until and _is_settled(db, mark, patience):
        while since < until and len(added) < SEALS_PER_RUN:
            last = _seal_next(db, signer, last, Stretch(since, until), now=now)
            if last is None:
                break
            added.append(last)
            since = last.until
    unsealed = max(now - since, dt.timedelta())
    gauge("LedgerUnsealedSeconds", unsealed.total_seconds(), unit=MetricUnit.Seconds)
    return added


def read_again(db: Database, signer: Signer, *, now: dt.datetime) -> list[Violation]:
    """Entries that are no longer what was sealed, of the last day's seals and of others in turn.

    The last day is read in each run, everything within model.ROTATION runs.
    """
    due = store.due(
        db.connection(), recent=now - RECENT, rotation=model.ROTATION, turn=model.turn_of(now)
    )
    return [found for one in due for found in altered(db, signer, one)]


def altered(db: Database, signer: Signer, one: Seal) -> list[Violation]:
    """What differs from what was sealed, at most REPORTED_ROWS_LIMIT of it; the first first."""
    name = {"seal": str(one.number)}
    if not signer.keys.have_signed(one):
        return [Violation("seal_is_not_signed_by_our_key", name)]
    with db.transaction() as tx:
        store.one_snapshot(tx)
        records = store.records(tx, one.number)
        if model.chained(one.previous, model.records_of(records)) != one.head:
            return [Violation("seal_differs_from_its_records", name)]
        lines = store.lines(tx, Stretch(one.since, one.until))
        found = (model.record(line.entry_id, line.text) for line in lines)
        # All of them, also beyond the limit: what is being copied is read to its end.
        different = list(model.differences(model.records_of(records), found))
    return [
        Violation(
            "entry_differs_from_its_seal",
            {**name, "entry_id": str(entry.entry_id), "found": entry.found},
        )
        for entry in different[:REPORTED_ROWS_LIMIT]
    ]


def _end_of(db: Database, last: Seal | None, until: dt.datetime) -> dt.datetime:
    if last is not None:
        return last.until
    return model.whole_hour(store.first_entry_at(db.connection()) or until)


def _is_settled(db: Database, mark: store.Mark, patience: dt.timedelta) -> bool:
    deadline = time.monotonic() + patience.total_seconds()
    while not store.is_settled(db.connection(), mark):
        if time.monotonic() >= deadline:
            logger.warning("ledger not sealed: an old transaction still runs")
            return False
        time.sleep(POLL_SECONDS)
    return True


def _seal_next(
    db: Database, signer: Signer, last: Seal | None, waiting: Stretch, *, now: dt.datetime
) -> Seal | None:
    """The next seal, on one day at most; None when another run was quicker."""
    previous = model.GENESIS if last is None else last.hash
    chain, until = _read(db, waiting, model.Chain(previous))
    # KMS is asked between the transactions, as the house wants it.
    made = signer.signed(
        Seal(
            number=1 if last is None else last.number + 1,
            since=waiting.since,
            until=until,
            entries=chain.entries,
            moved=chain.moved,
            previous=previous,
            head=chain.head,
            sealed_at=now.replace(microsecond=0),
            key=b"",
        )
    )
    with db.transaction() as tx:
        return made if store.insert(tx, made, bytes(chain.records)) else None


def _read(db: Database, waiting: Stretch, chain: model.Chain) -> tuple[model.Chain, dt.datetime]:
    hour, end = waiting.since, min(waiting.until, model.end_of_day(waiting.since))
    with db.transaction() as tx:
        store.one_snapshot(tx)
        while hour < end and chain.entries < model.STRETCH_ENTRIES:
            for line in store.lines(tx, Stretch(hour, hour + model.HOUR)):
                chain.add(line.entry_id, line.delta, line.text)
            hour += model.HOUR
    return chain, hour
