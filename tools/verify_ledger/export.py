"""The sealed books as plain files: seals.jsonl, and for each seal its entries and records."""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paynexus.db import Connection, Database
from paynexus.ledger.seals import store
from paynexus.ledger.seals.model import NUMBER_BYTES, Seal, Stretch, records_of
from tools.verify_ledger import layout


@dataclass(frozen=True, slots=True)
class Export:
    """What was written."""

    seals: int
    entries: int
    coverage: str


def export(database_url: str, *, since: dt.date, until: dt.date, out: Path) -> Export:
    """The seals of these days (UTC, both included), of one snapshot, are written to `out`."""
    db = Database(lambda: database_url)
    try:
        with db.transaction() as tx:
            store.one_snapshot(tx)
            seals = store.between(tx, _midnight(since), _midnight(until) + dt.timedelta(days=1))
            out.mkdir(parents=True, exist_ok=True)
            entries = sum(_write(tx, seal, out) for seal in seals)
            layout.seals(out).write_text("".join(_described(seals)), encoding="utf-8")
    finally:
        db.close()
    return Export(len(seals), entries, layout.coverage(seals))


def _described(seals: list[Seal]) -> Iterator[str]:
    for seal in seals:
        signature = base64.b64encode(seal.signature).decode()
        yield json.dumps({"statement": seal.statement, "signature": signature}) + "\n"


def _write(tx: Connection, seal: Seal, out: Path) -> int:
    entries = 0
    layout.entries(out, seal).parent.mkdir(parents=True, exist_ok=True)
    with layout.entries(out, seal).open("wb") as file:
        for line in store.lines(tx, Stretch(seal.since, seal.until)):
            file.write(line.text + b"\n")
            entries += 1
    with layout.records(out, seal).open("w", encoding="ascii") as text:
        for one in records_of(store.records(tx, seal.number)):
            entry_id = int.from_bytes(one[:NUMBER_BYTES])
            text.write(f"{one[NUMBER_BYTES:].hex()} {entry_id}\n")
    return entries


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
