"""An export is verified: signature → seal → chain → every line, and the sums of each transfer."""

import base64
import binascii
import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paynexus.ledger.seals.model import (
    NUMBER_BYTES,
    Chain,
    Difference,
    Seal,
    chained,
    differences,
    records_of,
)
from paynexus.ledger.seals.signing import PublicKeys
from tools.verify_ledger import layout
from tools.verify_ledger.rules import contradictions

LATE = dt.timedelta(hours=26)
"""The alarm rings when sealing takes as long."""


class CanNotCheck(Exception):
    """A file is missing or is not one of an export; nothing is said about the books."""


@dataclass(slots=True)
class Report:
    """What was verified, and what is wrong with it; the first finding is the earliest."""

    first: int
    last: int
    coverage: str
    head: bytes
    entries: int = 0
    findings: list[str] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    """Seals that were made long after their time: no proof of anything, but worth a question."""


def check(folder: Path, keys: PublicKeys, *, head: bytes | None = None) -> Report:
    """Whether the export is what holders of these keys have sealed, and which row is not.

    `head` is the hash of a seal, noted where nobody could alter it: it must be among them.
    """
    seals = _seals(folder)
    report = Report(seals[0].number, seals[-1].number, layout.coverage(seals), seals[-1].hash)
    for before, seal in zip([None, *seals[:-1]], seals, strict=True):
        report.findings += _of_seal(seal, before, keys)
        report.findings += _of_entries(folder, seal, report)
        if seal.sealed_at - seal.until > LATE:
            report.late.append(seal.number)
    if head is not None and head not in {seal.hash for seal in seals}:
        report.findings.append(f"no seal has the hash {head.hex()}: it was replaced or left out")
    return report


def _of_seal(seal: Seal, before: Seal | None, keys: PublicKeys) -> Iterator[str]:
    name = f"seal {seal.number}"
    if seal.key not in keys.fingerprints:
        yield f"{name}: it names another key, {seal.key.hex()}"
    elif not keys.have_signed(seal):
        yield f"{name}: the signature is not over this statement"
    if before is None:
        return
    if seal.number != before.number + 1 or seal.since != before.until:
        yield f"{name}: it does not follow seal {before.number}: seals are missing between them"
    elif seal.previous != before.hash:
        yield f"{name}: it was made after another seal {before.number}"


def _of_entries(folder: Path, seal: Seal, report: Report) -> Iterator[str]:
    chain = Chain(seal.previous)
    said: dict[int, list[str]] = {}
    sums: dict[tuple[str, str], list[int]] = defaultdict(list)
    for position, line in enumerate(_lines(layout.entries(folder, seal)), start=1):
        read = _read(line)
        if read is None:
            yield f"seal {seal.number}, line {position}: this is not an entry"
            continue
        entry, wrong = read
        chain.add(entry["id"], entry["delta"], line)
        sums[entry["transfer_id"], entry["currency"]].append(entry["delta"])
        if wrong:
            said[entry["id"]] = wrong
    report.entries += chain.entries
    yield from _of_chain(folder, seal, chain, said)
    for (transfer_id, currency), deltas in sums.items():
        if sum(deltas) or len(deltas) != 2:  # noqa: PLR2004 - a debit and a credit
            yield (
                f"seal {seal.number}, transfer {transfer_id}: {len(deltas)} entries that sum to"
                f" {sum(deltas)} {currency}"
            )


def _of_chain(folder: Path, seal: Seal, chain: Chain, said: dict[int, list[str]]) -> Iterator[str]:
    name = f"seal {seal.number}"
    if (chain.head, chain.entries, chain.moved) != (seal.head, seal.entries, seal.moved):
        records = _records(layout.records(folder, seal))
        if chained(seal.previous, records_of(records)) == seal.head:
            for one in differences(records_of(records), records_of(bytes(chain.records))):
                yield f"{name}, entry {one.entry_id}: {_told(one, said.pop(one.entry_id, []))}"
        else:
            yield f"{name}: neither its entries nor its records are what was sealed"
    for entry_id, fields in said.items():
        yield f"{name}, entry {entry_id}: contradicts its transfer in {', '.join(fields)}"


def _told(one: Difference, fields: list[str]) -> str:
    told = {
        "missing": "was there when it was sealed, and is gone",
        "inserted": "was not there when it was sealed",
        "altered": "was altered since it was sealed",
    }[one.found]
    return f"{told} (contradicts its transfer in {', '.join(fields)})" if fields else told


def _seals(folder: Path) -> list[Seal]:
    seals = []
    for number, line in enumerate(_lines(layout.seals(folder)), start=1):
        try:
            fields = json.loads(line)
            signature = base64.b64decode(fields["signature"], validate=True)
            seals.append(Seal.parse(fields["statement"], signature))
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise CanNotCheck(f"line {number} of seals.jsonl is not a seal") from error
    if not seals:
        raise CanNotCheck("the export has no seal")
    return seals


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\n")
    except FileNotFoundError as error:
        raise CanNotCheck(f"the export has no {path.name}") from error


def _read(line: bytes) -> tuple[dict[str, Any], list[str]] | None:
    """The entry and where it contradicts itself; None for a line that was never one."""
    try:
        entry: dict[str, Any] = json.loads(line)
        if {type(entry["id"]), type(entry["delta"])} != {int}:
            return None
        entry["id"].to_bytes(NUMBER_BYTES)
        hash((entry["transfer_id"], entry["currency"]))
        return entry, contradictions(entry)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _records(path: Path) -> bytes:
    records = bytearray()
    for line in _lines(path):
        try:
            digest, entry_id = line.split(b" ")
            records += int(entry_id).to_bytes(NUMBER_BYTES) + bytes.fromhex(digest.decode())
        except (ValueError, OverflowError) as error:
            raise CanNotCheck(f"{path.name} does not hold records") from error
    return bytes(records)
