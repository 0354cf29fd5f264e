"""What lists say of a payment. Pure.

`keys` is what the database is asked for, `judge` reads its answer, and `matches` says the same of
entries in hand, for back-tests.
"""

import datetime as dt
import functools
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from paynexus import ids
from paynexus.fraud.lists import names, normal
from paynexus.fraud.lists.model import (
    CANDIDATES_MAX,
    HITS_MAX,
    Candidate,
    Entry,
    FraudList,
    Kind,
    State,
)
from paynexus.fraud.model import Action, Hit, Source, Subject

ENTRY_PREFIX = "fle"
BLOCKS_REMEMBERED = 20_000
"""Listed names whose blocks a back-test has at hand from one payment to the next."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Under what a payer may be listed, in normal form, as `fraud_list_candidates` takes it."""

    merchant_id: UUID
    fingerprint: str
    email: list[str]
    """The address, and its domain behind an @."""
    ip: str | None
    country: str | None
    bin: list[str]
    name: str | None
    name_blocks: list[int]
    """Of the platform's names and of the merchant's."""

    def of(self, kind: Kind) -> frozenset[str]:
        """The values of this kind that an entry may have; networks and names are no values."""
        values: Mapping[Kind, Iterable[str | None]] = {
            Kind.FINGERPRINT: [self.fingerprint],
            Kind.EMAIL: self.email,
            Kind.COUNTRY: [self.country],
            Kind.BIN: self.bin,
        }
        return frozenset(value for value in values.get(kind, ()) if value)


def keys(subject: Subject) -> Keys:
    """What is looked up for the payment; what can't be read of its payer is left out."""
    name = normal.name_or_none(subject.name)
    scopes: tuple[UUID | None, ...] = (None, subject.merchant_id)
    found = [names.blocks(name, scope, is_listed=False) for scope in scopes] if name else []
    return Keys(
        merchant_id=subject.merchant_id,
        fingerprint=subject.fingerprint,
        email=normal.email_forms(subject.email),
        ip=normal.address(subject.ip),
        country=normal.country_or_none(subject.country),
        bin=normal.bins(subject.card_bin),
        name=name,
        name_blocks=[block for blocks in found for block in blocks],
    )


def judge(candidates: Iterable[Candidate], subject: Subject) -> tuple[Hit, ...]:
    """What speaks of the payment: all that was found exactly, and the names alike enough."""
    name = normal.name_or_none(subject.name)
    hits = (_hit(candidate, name) for candidate in candidates)
    return tuple(hit for hit in hits if hit)


def matches(
    entries: Iterable[tuple[FraudList, Entry]], subject: Subject, *, now: dt.datetime
) -> tuple[Hit, ...]:
    """The hits of these entries as of `now`, as the database and `judge` find them."""
    wanted = keys(subject)
    exact: list[Candidate] = []
    alike: list[tuple[int, int, UUID, Candidate]] = []
    for one, entry in entries:
        if not _is_asked(one, subject) or not entry.is_listed(now):
            continue
        found = _candidate(one, entry)
        if one.kind is not Kind.NAME:
            if _is_met(one.kind, entry.value, wanted):
                exact.append(found)
        elif common := _in_common(one, entry, wanted):
            alike.append((*common, entry.id, found))
    exact.sort(key=lambda found: (list(Action).index(found.action), found.entry_id))
    alike.sort(key=lambda found: found[:3])
    nearest = [found for *_, found in alike[:CANDIDATES_MAX]]
    return judge([*exact[:HITS_MAX], *nearest], subject)


def entry_blocks(merchant_id: UUID | None, kind: Kind, value: str) -> list[int] | None:
    """Under what a listed name is found; None for other kinds."""
    return names.blocks(value, merchant_id, is_listed=True) if kind is Kind.NAME else None


def _hit(candidate: Candidate, name: str | None) -> Hit | None:
    quality = None
    if candidate.kind is Kind.NAME:
        quality = names.quality(candidate.value or "", name or "") if name else 0.0
        if quality < candidate.min_quality:
            return None
        quality = round(quality, 1)
    return Hit(
        source=Source.LIST,
        id=ids.text(ENTRY_PREFIX, candidate.entry_id),
        code=f"{candidate.kind}_listed",
        action=candidate.action,
        detail=candidate.note,
        is_platform=candidate.is_platform,
        quality=quality,
    )


def _is_asked(one: FraudList, subject: Subject) -> bool:
    return one.state is State.ACTIVE and one.merchant_id in {None, subject.merchant_id}


def _is_met(kind: Kind, value: str, wanted: Keys) -> bool:
    if kind is not Kind.IP:
        return value in wanted.of(kind)
    return wanted.ip is not None and ipaddress.ip_address(wanted.ip) in ipaddress.ip_network(value)


def _in_common(one: FraudList, entry: Entry, wanted: Keys) -> tuple[int, int] | None:
    """By what candidates are sorted: blocks in common, the most first, then the listed name's."""
    blocks = _blocks(entry.value, one.merchant_id)
    common = len(blocks.intersection(wanted.name_blocks))
    return (-common, len(blocks)) if common else None


@functools.lru_cache(maxsize=BLOCKS_REMEMBERED)
def _blocks(listed: str, merchant_id: UUID | None) -> frozenset[int]:
    return frozenset(names.blocks(listed, merchant_id, is_listed=True))


def _candidate(one: FraudList, entry: Entry) -> Candidate:
    is_name = one.kind is Kind.NAME
    return Candidate.of(
        {
            "entry_id": entry.id,
            "kind": one.kind,
            "action": one.action,
            "note": one.note,
            "is_platform": one.merchant_id is None,
            "value": entry.value if is_name else None,
            "min_quality": one.min_quality,
        }
    )
