"""A settlement's statement as ISO 20022's camt.053.001.08, as banks write it. Pure.

The account is the merchant's with us: its lines come in, the payout and the reserve go out. What
is paid is all that came in, so every settlement opens and closes at nothing, to the cent.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from paynexus import ids
from paynexus.ledger.model import TransferKind
from paynexus.settlement.bank.writing import decimal, leaves, nested
from paynexus.settlement.merchant.model import Line, Statement
from paynexus.settlement.merchant.views import payment_of
from paynexus.settlement.model import transfer_id

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
NAME_LIMIT = 140
"""Characters of a party's name (Max140Text)."""
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CREDIT, _DEBIT = "CRDT", "DBIT"

_CORRECTION = {_CREDIT: ("ACMT", "MCOP", "ADJT"), _DEBIT: ("ACMT", "MDOP", "ADJT")}
_CODES = {
    TransferKind.PAYMENT: ("PMNT", "MCRD", "POSC"),
    TransferKind.REFUND: ("PMNT", "MCRD", "RIMB"),
    TransferKind.FEE: ("PMNT", "MCRD", "CHRG"),
    TransferKind.DISPUTE_COVER: ("PMNT", "MCRD", "UPCT"),
    TransferKind.PAYOUT: ("PMNT", "ICDT", "OTHR"),
    TransferKind.PAYOUT_REJECTED: ("PMNT", "ICDT", "RRTN"),
    TransferKind.PAYOUT_RETURNED: ("PMNT", "ICDT", "RRTN"),
}
"""Domain, family and subfamily (ISO 20022 external code sets); other kinds are corrections."""


@dataclass(frozen=True, slots=True)
class _Entry:
    amount: int
    kind: str
    booked_on: dt.date
    value_on: dt.date
    reference: str
    end_to_end_id: str
    remittance: str

    @property
    def side(self) -> str:
        return _side(self.amount)


def document(found: Statement) -> str:
    """The statement, or its page, valid by the schema: opening + entries = closing balance.

    The same lines give the same bytes, at any time.
    """
    entries = list(_entries(found))
    root = ET.Element("Document", xmlns=NAMESPACE)
    body = ET.SubElement(root, "BkToCstmrStmt")
    made = found.settlement.created_at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    name = f"{found.settlement.object_id}-{found.page}" if _is_page(found) else None
    name = name or found.settlement.object_id
    leaves(nested(body, "GrpHdr"), MsgId=name, CreDtTm=made)
    node = nested(body, "Stmt")
    leaves(node, Id=name)
    if _is_page(found):
        last = "false" if found.has_more else "true"
        leaves(nested(node, "StmtPgntn"), PgNb=str(found.page), LastPgInd=last)
    leaves(node, CreDtTm=made)
    _account(node, found)
    _balances(node, found, entries)
    _totals(node, entries, found.settlement.currency)
    for entry in entries:
        _entry(node, entry, found.settlement.currency)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _is_page(found: Statement) -> bool:
    return found.has_more or found.before.count > 0


def _entries(found: Statement) -> Iterator[_Entry]:
    """The page's lines; the last page has what was paid and held back, too."""
    yield from map(_line, found.lines)
    if found.has_more:
        return
    settlement = found.settlement
    made_on = settlement.created_at.astimezone(dt.UTC).date()
    gone = (
        (TransferKind.PAYOUT, settlement.amount, settlement.expected_on),
        (TransferKind.RESERVE_HOLD, settlement.reserve_amount, made_on),
    )
    for kind, amount, value_on in gone:
        if amount:
            yield _Entry(
                amount=-amount,
                kind=kind.value,
                booked_on=made_on,
                value_on=value_on,
                reference=ids.text("tr", transfer_id(settlement.id, kind)),
                end_to_end_id=settlement.end_to_end_id,
                remittance=f"{kind.value} {settlement.object_id}",
            )


def _line(line: Line) -> _Entry:
    return _Entry(
        amount=line.amount,
        kind=line.kind,
        booked_on=line.recorded_at.astimezone(dt.UTC).date(),
        value_on=line.created_at.astimezone(dt.UTC).date(),
        reference=str(line.entry_id),
        end_to_end_id=(payment_of(line) or line.object_id)[:35],
        remittance=f"{line.kind} {line.object_id}",
    )


def _account(node: ET.Element, found: Statement) -> None:
    account = nested(node, "Acct")
    leaves(nested(account, "Id", "Othr"), Id=ids.text("acc", found.about.account_id))
    leaves(account, Ccy=found.settlement.currency)
    name = _NOT_XML.sub(" ", found.about.merchant_name)[:NAME_LIMIT].strip()
    if name:
        leaves(nested(account, "Ownr"), Nm=name)


def _balances(node: ET.Element, found: Statement, entries: Sequence[_Entry]) -> None:
    opening = found.before.amount
    closing = opening + sum(entry.amount for entry in entries)
    made_on = found.settlement.created_at.astimezone(dt.UTC).date()
    opened_on = entries[0].booked_on if entries else made_on
    closed_on = entries[-1].booked_on if entries else made_on
    for code, amount, day in (
        ("ITBD" if found.before.count else "OPBD", opening, opened_on),
        ("ITBD" if found.has_more else "CLBD", closing, closed_on),
    ):
        balance = nested(node, "Bal")
        leaves(nested(balance, "Tp", "CdOrPrtry"), Cd=code)
        _amount(balance, amount, found.settlement.currency)
        leaves(nested(balance, "Dt"), Dt=day.isoformat())


def _totals(node: ET.Element, entries: Sequence[_Entry], currency: str) -> None:
    totals = nested(node, "TxsSummry")
    net = sum(entry.amount for entry in entries)
    whole = _counted(nested(totals, "TtlNtries"), entries, currency)
    # Without a currency, other than amounts elsewhere.
    leaves(nested(whole, "TtlNetNtry"), Amt=decimal(abs(net), currency), CdtDbtInd=_side(net))
    for tag, side in (("TtlCdtNtries", _CREDIT), ("TtlDbtNtries", _DEBIT)):
        _counted(nested(totals, tag), [one for one in entries if one.side == side], currency)


def _counted(node: ET.Element, entries: Sequence[_Entry], currency: str) -> ET.Element:
    turnover = sum(abs(entry.amount) for entry in entries)
    leaves(node, NbOfNtries=str(len(entries)), Sum=decimal(turnover, currency))
    return node


def _entry(node: ET.Element, entry: _Entry, currency: str) -> None:
    booked = nested(node, "Ntry")
    _amount(booked, entry.amount, currency)
    leaves(nested(booked, "Sts"), Cd="BOOK")
    leaves(nested(booked, "BookgDt"), Dt=entry.booked_on.isoformat())
    leaves(nested(booked, "ValDt"), Dt=entry.value_on.isoformat())
    leaves(booked, AcctSvcrRef=entry.reference)
    code = nested(booked, "BkTxCd")
    domain, family, subfamily = _codes(entry)
    meant = nested(code, "Domn")
    leaves(meant, Cd=domain)
    leaves(nested(meant, "Fmly"), Cd=family, SubFmlyCd=subfamily)
    leaves(nested(code, "Prtry"), Cd=entry.kind, Issr="PayNexus")
    details = nested(booked, "NtryDtls", "TxDtls")
    leaves(nested(details, "Refs"), EndToEndId=entry.end_to_end_id)
    leaves(nested(details, "RmtInf"), Ustrd=entry.remittance)


def _codes(entry: _Entry) -> Iterable[str]:
    return _CODES.get(TransferKind(entry.kind), _CORRECTION[entry.side])


def _amount(node: ET.Element, amount: int, currency: str) -> None:
    """The amount without its sign, which the side says."""
    ET.SubElement(node, "Amt", Ccy=currency).text = decimal(abs(amount), currency)
    leaves(node, CdtDbtInd=_side(amount))


def _side(amount: int) -> str:
    return _CREDIT if amount >= 0 else _DEBIT
