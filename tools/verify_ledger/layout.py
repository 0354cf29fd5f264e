"""Which file of an export holds what."""

from collections.abc import Sequence
from pathlib import Path

from paynexus.ledger.seals.model import Seal


def seals(folder: Path) -> Path:
    """One line a seal: its statement and the signature over it."""
    return folder / "seals.jsonl"


def entries(folder: Path, seal: Seal) -> Path:
    """One line an entry; the very bytes that were sealed."""
    return folder / f"{seal.since:%Y-%m-%d}" / f"seal-{seal.number}.jsonl"


def records(folder: Path, seal: Seal) -> Path:
    """One line an entry: the SHA-256 of its line, and its number, when it was sealed."""
    return folder / f"{seal.since:%Y-%m-%d}" / f"seal-{seal.number}.records"


def coverage(found: Sequence[Seal]) -> str:
    """From when to when the seals reach."""
    if not found:
        return "nothing is sealed there"
    return f"recorded from {found[0].since:%Y-%m-%d %H:%M} to {found[-1].until:%Y-%m-%d %H:%M} UTC"
