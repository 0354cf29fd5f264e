"""What a bank says in its files, record by record.

pain.002, camt.052, camt.053, camt.054 and pacs.004 are read, in every version from the second on
(pacs.004 from its first). They are told apart by `header.kind`: only camt.053 says what was booked.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from types import MappingProxyType
from typing import BinaryIO
from xml.etree.ElementTree import Element  # a type; see stream.py for who parses

from paynexus.errors import BankFileRefused
from paynexus.settlement.bank import accounts, answers, entries
from paynexus.settlement.bank.entries import MOST_PARTS
from paynexus.settlement.bank.messages import Header, Part, Record, Statement
from paynexus.settlement.bank.stream import Piece, Stream, first_tag
from paynexus.settlement.bank.values import Names, moment, required, text

_FIRST_TAG = re.compile(
    r"\{(urn:iso:std:iso:20022:tech:xsd:((?:pain|camt|pacs)\.\d{3})\.001\.\d{2})\}Document",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Message:
    """A bank's file whose head is read, and whose records are read as they are asked for."""

    header: Header
    _records: Iterator[Record]

    def records(self) -> Iterator[Record]:
        """All of them, once, in the file's order.

        BankFileRefused wherever something is wrong, also after records that were given before:
        apply them in one transaction.
        """
        return self._records


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the records of a message are made of: its pieces, and what lies beside them."""

    stream: Stream
    pieces: Iterator[Piece]
    names: Names
    created: date | None


type _Reading = Callable[[_Opened], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where the records of a kind of message lie, and how they are read; see Stream."""

    path: tuple[str, ...]
    whole: int
    read: _Reading


def read(file: BinaryIO) -> Message:
    """The message; BankFileRefused, with what is wrong and where, for anything that is not one."""
    tag = first_tag(file)
    known = _FIRST_TAG.fullmatch(tag)
    if known is None:
        raise BankFileRefused(f"not an ISO 20022 bank message: {tag[:100]}")
    kind = KINDS.get(known[2])
    if kind is None:
        raise BankFileRefused(f"{known[2]} is not a message that the bank sends us")
    stream = Stream(file, known[1], kind.path, whole=kind.whole)
    names = Names(known[1])
    pieces = stream.pieces()
    first = next(pieces, None)
    header = _header(stream.body, names, known[2])
    opened = _Opened(
        stream,
        pieces if first is None else chain([first], pieces),
        names,
        header.created_at.date() if header.created_at else None,
    )
    return Message(header, _located(kind.read(opened)))


def _header(body: Element, names: Names, kind: str) -> Header:
    head = body.find(names.GrpHdr)
    if head is None:
        raise BankFileRefused("GrpHdr is missing")
    created = text(head, names.CreDtTm)
    return Header(kind, required(head, names.MsgId), moment(created) if created else None)


def _located(records: Iterator[Record]) -> Iterator[Record]:
    """The same; a refusal says after how many of them."""
    given = 0
    try:
        for given, record in enumerate(records, start=1):  # noqa: B007 - said in the refusal
            yield record
    except BankFileRefused as error:
        raise BankFileRefused(f"after record {given}: {error.detail}") from error


def _statements(opened: _Opened) -> Iterator[Record]:
    """Each statement's head, then its entries."""
    names, number, parts = opened.names, 0, list[Part]()
    head: Statement | None = None
    for above, node in opened.pieces:
        match above:
            case (_, _, _, whole, _):
                parts.append(entries.part(node, whole, names))
                _require_few(parts)
            case (_, _, its):
                if head is None:
                    head = accounts.statement(its, names, first=node, created=opened.created)
                    yield head
                yield entries.entry(node, names, statement=number, parts=parts, on=head.day)
                parts = []
            case _:
                if head is None:
                    yield accounts.statement(node, names, first=None, created=opened.created)
                elif accounts.booked_balances(node, names) != (head.opening, head.closing):
                    raise BankFileRefused("Bal stands below Ntry")
                number, head = number + 1, None


def _require_few(parts: list[Part]) -> None:
    if len(parts) > MOST_PARTS:
        raise BankFileRefused(f"an entry has more than {MOST_PARTS} payments")


def _statuses(opened: _Opened) -> Iterator[Record]:
    """Each payment that is named, each block that names none, or else the file."""
    names, is_said, is_block_said = opened.names, False, False
    for above, node in opened.pieces:
        group = _group(opened)
        match above:
            case (_, _, block):
                yield answers.payment_status(node, block, group, names)
                is_said = is_block_said = True
            case _:
                status = None if is_block_said else answers.block_status(node, group, names)
                if status:
                    yield status
                    is_said = True
                is_block_said = False
    if not is_said:
        yield answers.file_status(_group(opened), names)


def _group(opened: _Opened) -> Element:
    """What the status report says of the file as a whole; it stands before all else."""
    group = opened.stream.body.find(opened.names.OrgnlGrpInfAndSts)
    if group is None:
        raise BankFileRefused("OrgnlGrpInfAndSts is missing")
    return group


def _returns(opened: _Opened) -> Iterator[Record]:
    """Each return, below the head of the account that it goes to."""
    names, number = opened.names, -1
    head: Statement | None = None
    for (_, body), node in opened.pieces:
        entry = answers.returned(node, body.find(names.OrgnlGrpInf), names, on=opened.created)
        account = answers.account_returned_to(node, names)
        if head is None or head.account_iban != account:
            number += 1
            head = Statement(account, None, entry.booked_on, entry.money.currency, None, None)
            yield head
        yield replace(entry, statement=number)


def _camt(body: str, head: str) -> _Kind:
    path = ("Document", body, head, "Ntry", "NtryDtls", "TxDtls")
    return _Kind(path, whole=path.index("Ntry"), read=_statements)


KINDS = MappingProxyType(
    {
        "pain.002": _Kind(
            ("Document", "CstmrPmtStsRpt", "OrgnlPmtInfAndSts", "TxInfAndSts"), 3, _statuses
        ),
        "camt.052": _camt("BkToCstmrAcctRpt", "Rpt"),
        "camt.053": _camt("BkToCstmrStmt", "Stmt"),
        "camt.054": _camt("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
        "pacs.004": _Kind(("Document", "PmtRtr", "TxInf"), 2, _returns),
    }
)
"""The messages that are read. A dialect of a bank's that another path suffices for goes here."""
