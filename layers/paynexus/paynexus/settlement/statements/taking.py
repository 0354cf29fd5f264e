"""A bank's file on its way into Postgres: read in chunks, each line once. What it says of ours."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched

from paynexus.db import Connection
from paynexus.settlement.bank.messages import Entry, Part, PaymentStatus, Record, Statement
from paynexus.settlement.statements.model import Verdict
from paynexus.settlement.statements.store import lines as store
from paynexus.settlement.statements.store.lines import Head, Row

CHUNK_LINES = 5_000
"""Lines that are in memory at a time."""
STATEMENTS = "camt.053"
"""The message whose entries were booked; those of all others come again in one."""


@dataclass(slots=True)
class Taken:
    """What was taken of a file."""

    sha256: bytes
    kind: str
    heads: list[Head] = field(default_factory=list)
    lines: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    """Of lines that are judged as they are read."""


def take(tx: Connection, taken: Taken, records: Iterable[Record]) -> None:
    """Every record is on record as a line; those that move nothing have their verdict."""
    for chunk in batched(_rows(tx, taken, records), CHUNK_LINES, strict=False):
        store.copy(tx, taken.sha256, chunk)


def _rows(tx: Connection, taken: Taken, records: Iterable[Record]) -> Iterator[Row]:
    for record in records:
        match record:
            case PaymentStatus():
                yield _status(taken, record)
            case Statement():
                _begin(tx, taken, record)
            case Entry():
                yield from _entry(taken, record)


def _begin(tx: Connection, taken: Taken, statement: Statement) -> None:
    is_booked = taken.kind == STATEMENTS
    position = len(taken.heads)
    head = (
        store.insert_statement(tx, taken.sha256, position, statement)
        if is_booked
        else Head(position, statement.account_iban, None, is_repeated=False)
    )
    taken.heads.append(head)


def _status(taken: Taken, status: PaymentStatus) -> Row:
    taken.lines += 1
    return Row(
        position=taken.lines - 1,
        kind="status",
        reference=status.original_message_id,
        message_id=status.original_message_id,
        end_to_end_id=status.end_to_end_id,
        code=status.status,
        reason_code=status.reason,
        remittance=status.information,
    )


def _entry(taken: Taken, entry: Entry) -> Iterator[Row]:
    head = taken.heads[entry.statement]
    verdict = _verdict(taken, head, entry)
    kind = "notice" if verdict in {Verdict.NOTICE, Verdict.NOT_BOOKED} else "entry"
    if verdict:
        taken.verdicts[verdict] += 1
    position = taken.lines
    several: tuple[Entry | Part, ...] = (entry, *entry.transfers)
    for one in several:
        yield _row(taken, entry, one, head, kind, verdict, whole=position)
        taken.lines += 1


def _verdict(taken: Taken, head: Head, entry: Entry) -> Verdict | None:
    if taken.kind != STATEMENTS:
        return Verdict.NOTICE
    if head.mode is None:
        return Verdict.FOREIGN
    if head.is_repeated:
        return Verdict.REPEATED
    return None if entry.is_booked else Verdict.NOT_BOOKED


def _row(  # noqa: PLR0917 - what a line is made of
    taken: Taken,
    entry: Entry,
    one: Entry | Part,
    head: Head,
    kind: str,
    verdict: Verdict | None,
    *,
    whole: int,
) -> Row:
    is_part = isinstance(one, Part) and kind == "entry"
    money = one.money
    return Row(
        position=taken.lines,
        statement=head.position,
        kind="part" if is_part else kind,
        whole=whole if is_part else None,
        account_iban=head.account_iban,
        reference=one.reference,
        message_id=one.message_id,
        end_to_end_id=one.end_to_end_id,
        reason_code=one.return_reason,
        amount=None if money is None else money.amount,
        currency=(money or entry.money).currency,
        is_debit=one.is_debit,
        is_return=one.is_return,
        booked_on=entry.booked_on,
        value_on=entry.value_on,
        remittance=one.remittance or None,
        counterparty=one.counterparty,
        verdict=verdict,
    )
