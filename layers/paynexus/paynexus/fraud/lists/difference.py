"""What an import changes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from paynexus.fraud.lists.files import CSV_SOURCE
from paynexus.fraud.lists.model import Entry, Written


@dataclass(frozen=True, slots=True)
class Difference:
    """What becomes of a list's imported entries, so that they are those of the file."""

    added: list[Written]
    removed: list[Entry]
    changed: list[tuple[Entry, Written]]
    """The same thing, listed otherwise: the one entry ends, the other begins."""
    unchanged: int


def difference(listed: Iterable[Entry], wanted: Iterable[Written]) -> Difference:
    """How the entries of earlier imports become those of this file.

    Entries of our own layout are the same by their value, OFAC's by their numbers.
    """
    before = {_identity(entry): entry for entry in listed}
    after = {_identity(written): written for written in wanted}
    both = [(before[identity], after[identity]) for identity in after if identity in before]
    changed = [(entry, written) for entry, written in both if _content(entry) != _content(written)]
    return Difference(
        added=[written for identity, written in after.items() if identity not in before],
        removed=[entry for identity, entry in before.items() if identity not in after],
        changed=changed,
        unchanged=len(both) - len(changed),
    )


def _identity(one: Entry | Written) -> str:
    return f"{CSV_SOURCE}:{one.value}" if one.source == CSV_SOURCE else one.source


def _content(one: Entry | Written) -> tuple[object, ...]:
    return one.value, one.note, one.expires_at
