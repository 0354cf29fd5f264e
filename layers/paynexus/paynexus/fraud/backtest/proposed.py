"""Entries that a list is to have, as if it had them. Pure."""

import datetime as dt
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from paynexus import ids
from paynexus.fraud.backtest.changes import Proposal
from paynexus.fraud.lists.model import Entry, FraudList, Kind
from paynexus.fraud.lists.rules import Keys, entry_blocks, keys, matches
from paynexus.fraud.model import Hit, Subject

type Place = str | int
"""Where an entry is looked for: its value, a network, or a block of a name."""


class Proposed:
    """The proposals of one list. What each payment costs doesn't grow with their number."""

    def __init__(self, of: FraudList, proposals: Sequence[Proposal], *, now: dt.datetime) -> None:
        self._list = of
        self._now = now
        self._places: dict[Place, list[Entry]] = defaultdict(list)
        for entry in (_entry(of, proposal, now) for proposal in proposals):
            for place in _places_of(of, entry):
                self._places[place].append(entry)
        listed = self._places if of.kind is Kind.IP else ()
        self._networks = sorted({ipaddress.ip_network(str(one)).prefixlen for one in listed})

    def hits(self, subject: Subject) -> tuple[Hit, ...]:
        """What the entries would say of the payment, by the same rules as those that are listed."""
        near = {
            entry.id: entry
            for place in self._asked(keys(subject))
            for entry in self._places.get(place, ())
        }
        if not near:
            return ()
        return matches(((self._list, entry) for entry in near.values()), subject, now=self._now)

    def _asked(self, wanted: Keys) -> Iterable[Place]:
        if self._list.kind is Kind.NAME:
            return wanted.name_blocks
        if self._list.kind is Kind.IP:
            return self._networks_of(wanted.ip)
        return wanted.of(self._list.kind)

    def _networks_of(self, ip: str | None) -> Iterator[str]:
        address = ipaddress.ip_address(ip) if ip else None
        for bits in self._networks if address else ():
            if address and bits <= address.max_prefixlen:
                yield str(ipaddress.ip_network((address, bits), strict=False))


def _entry(of: FraudList, proposal: Proposal, now: dt.datetime) -> Entry:
    return Entry(
        id=ids.new_id(),
        list_id=of.id,
        value=proposal.value,
        note=proposal.note,
        author="",
        source="",
        created_at=now,
        expires_at=proposal.expires_at,
    )


def _places_of(of: FraudList, entry: Entry) -> Sequence[Place]:
    return entry_blocks(of.merchant_id, of.kind, entry.value) or [entry.value]
