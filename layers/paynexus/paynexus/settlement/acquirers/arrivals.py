"""What arrives at the bank, against what gateways said they pay out."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from paynexus.db import Connection
from paynexus.ids import text
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Transfer, TransferKind
from paynexus.money import Money
from paynexus.observability import count
from paynexus.settlement.acquirers import model, naming
from paynexus.settlement.acquirers.model import TOLERANCE_DAYS, Payout
from paynexus.settlement.acquirers.store import payouts as store
from paynexus.settlement.breaks import service as breaks
from paynexus.settlement.breaks.model import BreakType, Explained, Found

BY_PAYOUT = "gateway_payout_reference"
BY_ATTEMPT = "attempt_reference"
BY_AMOUNT = "amount_and_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Money that a bank booked to our account; negative: that it took for a gateway.

    `key` is the line: its file's SHA-256 and position. `texts` are all that may name a payout.
    """

    key: tuple[bytes, int]
    mode: str
    currency: str
    amount: int
    booked_on: dt.date
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A credit that is a gateway's payout; the caller books the transfers."""

    key: tuple[bytes, int]
    rule: str
    transfers: tuple[Transfer, ...]


type Matches = dict[Payout, list[tuple[Credit, str]]]
"""Credits that are of each payout, with the rule that says so."""


def match(tx: Connection, credits: Sequence[Credit], *, now: dt.datetime) -> list[Arrival]:  # noqa: A002 - the bank's word
    """Credits that are payouts of gateways, in their order; what is not among them is another's.

    Each payout is marked as arrived. One of another amount, on another day, or once more than
    was told of, is on record as a break. The transfers of a credit add up to it exactly; the
    caller books them in this transaction, after everything else that it locks.
    """
    found: Matches = defaultdict(list)
    left = _by_payout(tx, credits, found)
    left = _by_attempt(tx, left, found)
    _by_amount(tx, left, found)
    _arrive(tx, found, now)
    order = {credit.key: at for at, credit in enumerate(credits)}
    arrivals = [
        _arrival(payout, credit, rule)
        for payout, matched in found.items()
        for credit, rule in matched
    ]
    return sorted(arrivals, key=lambda arrival: order[arrival.key])


def _by_payout(tx: Connection, credits: Sequence[Credit], found: Matches) -> list[Credit]:  # noqa: A002
    """The first rule: a text holds a payout's reference. What is left."""
    keys = {credit.key: naming.keys_of(credit.texts) for credit in credits}
    named: dict[str, list[Payout]] = defaultdict(list)
    for payout, key in store.lock_named(tx, sorted(set().union(*keys.values()))):
        named[key].append(payout)
    left = []
    for credit in credits:
        several = {p for key in keys[credit.key] for p in named[key] if _is_of(p, credit)}
        if len(several) == 1:
            found[several.pop()].append((credit, BY_PAYOUT))
        else:
            left.append(credit)
    return left


def _by_attempt(tx: Connection, credits: Sequence[Credit], found: Matches) -> list[Credit]:  # noqa: A002
    """The second: a text holds the reference of one payment, which is paid out by itself."""
    names = {credit.key: naming.references_of(credit.texts) for credit in credits}
    wanted = sorted(set().union(*names.values()))
    one = {row[3]: row for row in store.attempts_named(tx, wanted)} if wanted else {}
    left, made = [], []
    for credit in credits:
        several = [one[name] for name in names[credit.key] if name in one]
        payout = Payout(*several[0], credit.booked_on) if len(several) == 1 else None
        if payout is not None and _is_of(payout, credit):
            made.append((payout, credit))
        else:
            left.append(credit)
    if made:
        store.insert_of_one(tx, [payout for payout, _ in made])
        keys = [model.key_of(payout.reference) for payout, _ in made]
        known = {(p.gateway, p.reference): p for p, _ in store.lock_named(tx, keys)}
        for payout, credit in made:
            found[known[payout.gateway, payout.reference]].append((credit, BY_ATTEMPT))
    return left


def _by_amount(tx: Connection, credits: Sequence[Credit], found: Matches) -> None:  # noqa: A002
    """The third: it is the only credit that one payout, and no other, can be."""
    if not credits:
        return
    days = [credit.booked_on for credit in credits]
    tolerance = dt.timedelta(days=TOLERANCE_DAYS)
    open_ones = store.lock_open(
        tx,
        amounts=sorted({credit.amount for credit in credits}),
        since=min(days) - tolerance,
        until=max(days) + tolerance,
    )
    # A payout that a credit of this call named is no longer to come.
    by_sum: Mapping[tuple[str, str, int], list[Payout]] = _grouped(
        payout for payout in open_ones if payout not in found
    )
    fits = {
        credit.key: [
            payout
            for payout in by_sum.get((credit.mode, credit.currency, credit.amount), [])
            if abs(payout.expected_on - credit.booked_on) <= tolerance
        ]
        for credit in credits
    }
    claims = Counter(payout for payouts in fits.values() for payout in payouts)
    for credit in credits:
        several = fits[credit.key]
        if len(several) == 1 and claims[several[0]] == 1:
            found[several[0]].append((credit, BY_AMOUNT))


def _grouped(payouts: Iterable[Payout]) -> dict[tuple[str, str, int], list[Payout]]:
    groups: dict[tuple[str, str, int], list[Payout]] = defaultdict(list)
    for payout in payouts:
        groups[payout.mode, payout.currency, payout.amount].append(payout)
    return groups


def _arrive(tx: Connection, found: Matches, now: dt.datetime) -> None:
    """The payouts are marked, and their breaks on record or settled."""
    if not found:
        return
    told: list[Found] = []
    for payout, matched in found.items():
        sums = sum(credit.amount for credit, _ in matched)
        told += _breaks(payout, [credit for credit, _ in matched], sums)
    store.arrived(
        tx,
        [
            (payout, sum(credit.amount for credit, _ in matched), matched[0][0].key)
            for payout, matched in found.items()
        ],
        now=now,
    )
    breaks.record(tx, told, now=now)
    breaks.settle_all(tx, _explained(found), now=now)
    count("GatewayPayoutArrived", len(found))


def _breaks(payout: Payout, credits: list[Credit], sums: int) -> list[Found]:  # noqa: A002
    """How what came differs: in parts it is right when the parts add up."""
    before = payout.arrived_amount
    found = []
    if before is None and _is_late(payout, credits[0]):
        found.append(payout.lateness)
    if (before or 0) + sums == payout.amount:
        return found
    details = {"told": payout.amount, "arrived": (before or 0) + sums}
    if before == payout.amount or (before is None and credits[0].amount == payout.amount):
        extra = sums if before is not None else sums - payout.amount
        return [*found, payout.broken(BreakType.DUPLICATE, extra, details)]
    difference = (before or 0) + sums - payout.amount
    return [*found, payout.broken(BreakType.AMOUNT, difference, details)]


def _explained(found: Matches) -> list[Explained]:
    """What the money's coming explains: that it was late, or that a part of it was missing."""
    explained = []
    for payout, matched in found.items():
        before = payout.arrived_amount
        sums = sum(credit.amount for credit, _ in matched)
        if before is None:
            # Its bank's line may have come late to us, though it is of the right day.
            explained.append(_explain(BreakType.TIMING, payout, "arrived late"))
        elif before + sums == payout.amount:
            explained.append(_explain(BreakType.AMOUNT, payout, "the rest arrived"))
    return explained


def _explain(kind: BreakType, payout: Payout, why: str) -> Explained:
    return Explained(type=kind, subject=payout.subject, resolution=why)


def _is_late(payout: Payout, credit: Credit) -> bool:
    return credit.booked_on > payout.expected_on + dt.timedelta(days=TOLERANCE_DAYS)


def _is_of(payout: Payout, credit: Credit) -> bool:
    """Whether a payout can be the credit at all: by mode, currency and direction."""
    return (payout.mode, payout.currency) == (credit.mode, credit.currency) and (
        payout.amount > 0
    ) == (credit.amount > 0)


def _arrival(payout: Payout, credit: Credit, rule: str) -> Arrival:
    debit, credited = AccountType.CASH, AccountType.GATEWAY_RECEIVABLE
    if credit.amount < 0:
        debit, credited = credited, debit
    sha256, position = credit.key
    transfer = Transfer(
        id=model.transfer_id(payout.id, "arrival", sha256.hex(), str(position)),
        kind=TransferKind.GATEWAY_PAYOUT,
        debit=Account(debit, credit.mode, credit.currency),
        credit=Account(credited, credit.mode, credit.currency),
        money=Money(abs(credit.amount), credit.currency),
        object_id=text("gpo", payout.id),
    )
    return Arrival(credit.key, rule, (transfer,))
