"""ISO 20022 in and out: pain.001 written; pain.002 and camt.053 read. Bytes and values only."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from xml.etree import ElementTree as ET  # writes only; reading: defusedxml

from defusedxml import DefusedXmlException
from defusedxml import ElementTree as SafeET

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS, Money
from paynexus.settlement.model import BankAccount, BankEntry

PAIN_001 = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
NAME_LIMIT = 70
"""Characters of a party's name that SEPA carries."""

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((pain|camt|pacs)\.\d{3})\.001\.\d{2}")
_OUTSIDE_SEPA = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "&": "+"}
)


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One payment to one creditor."""

    end_to_end_id: str
    creditor: BankAccount
    money: Money
    remittance: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """A file of payments from one account, in one currency."""

    message_id: str
    created_at: datetime
    execution_date: date
    debtor: BankAccount
    currency: str
    transfers: tuple[CreditTransfer, ...]


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """What the bank says about one payment, or about a whole file (no end-to-end id)."""

    original_message_id: str
    end_to_end_id: str | None
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """A pain.002: the bank's answer to a file of ours."""

    kind: str
    message_id: str
    statuses: tuple[PaymentStatus, ...]


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """A camt.053: the movements of a day on our accounts."""

    kind: str
    message_id: str
    entries: tuple[BankEntry, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that changes nothing: its facts come again in the day's statement."""

    kind: str
    message_id: str


type BankMessage = StatusReport | AccountStatement | Notice


def write_pain001(instruction: Instruction) -> bytes:
    """The file that asks the bank to pay; the same instruction gives the same bytes."""
    assert instruction.transfers, "a file pays at least one creditor"  # noqa: S101
    count = str(len(instruction.transfers))
    total = _decimal(sum(t.money.amount for t in instruction.transfers), instruction.currency)
    root = ET.Element("Document", {"xmlns": PAIN_001})
    body = ET.SubElement(root, "CstmrCdtTrfInitn")
    header = ET.SubElement(body, "GrpHdr")
    created = instruction.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _texts(header, MsgId=instruction.message_id, CreDtTm=created, NbOfTxs=count, CtrlSum=total)
    _party(header, "InitgPty", instruction.debtor.holder)
    batch = ET.SubElement(body, "PmtInf")
    _texts(batch, PmtInfId=instruction.message_id, PmtMtd="TRF", BtchBookg="false")
    _texts(batch, NbOfTxs=count, CtrlSum=total)
    is_sepa = instruction.currency == "EUR"
    if is_sepa:
        _texts(_path(batch, "PmtTpInf", "SvcLvl"), Cd="SEPA")
    _texts(_path(batch, "ReqdExctnDt"), Dt=instruction.execution_date.isoformat())
    _party(batch, "Dbtr", instruction.debtor.holder)
    account = _account(batch, "DbtrAcct", instruction.debtor)
    _texts(account, Ccy=instruction.currency)
    _agent(batch, "DbtrAgt", instruction.debtor)
    _texts(batch, ChrgBr="SLEV" if is_sepa else "SHAR")
    for transfer in instruction.transfers:
        _transfer(batch, transfer)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _transfer(batch: ET.Element, transfer: CreditTransfer) -> None:
    node = ET.SubElement(batch, "CdtTrfTxInf")
    reference = transfer.end_to_end_id
    _texts(_path(node, "PmtId"), InstrId=reference, EndToEndId=reference)
    amount = ET.SubElement(_path(node, "Amt"), "InstdAmt", {"Ccy": transfer.money.currency})
    amount.text = _decimal(transfer.money.amount, transfer.money.currency)
    if transfer.creditor.bic:
        _agent(node, "CdtrAgt", transfer.creditor)
    _party(node, "Cdtr", transfer.creditor.holder)
    _account(node, "CdtrAcct", transfer.creditor)
    _texts(_path(node, "RmtInf"), Ustrd=sepa_text(transfer.remittance, limit=140))


def sepa_text(text: str, *, limit: int) -> str:
    """The text in the characters every SEPA bank takes: accents dropped, others as spaces."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = _OUTSIDE_SEPA.sub(" ", plain).split()
    return " ".join(words)[:limit].strip() or "NOTPROVIDED"


def _path(parent: ET.Element, *tags: str) -> ET.Element:
    for tag in tags:
        parent = ET.SubElement(parent, tag)
    return parent


def _texts(parent: ET.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text


def _party(parent: ET.Element, tag: str, name: str) -> None:
    _texts(_path(parent, tag), Nm=sepa_text(name, limit=NAME_LIMIT))


def _account(parent: ET.Element, tag: str, account: BankAccount) -> ET.Element:
    node = _path(parent, tag)
    _texts(_path(node, "Id"), IBAN=account.iban)
    return node


def _agent(parent: ET.Element, tag: str, account: BankAccount) -> None:
    institution = _path(parent, tag, "FinInstnId")
    if account.bic:
        _texts(institution, BICFI=account.bic)
    else:
        _texts(_path(institution, "Othr"), Id="NOTPROVIDED")


def _decimal(amount: int, currency: str) -> str:
    """Minor units as the standard writes them: no float on the way."""
    exponent = EXPONENTS[currency]
    whole, fraction = divmod(amount, 10**exponent)
    return f"{whole}.{fraction:0{exponent}d}" if exponent else str(whole)


def read(document: bytes) -> BankMessage:
    """The bank's message; BankFileRefused, with the reason, for anything that is not one."""
    try:
        root = SafeET.fromstring(document, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError) as error:
        raise BankFileRefused(f"not a readable XML document: {type(error).__name__}") from error
    namespace = root.tag.removeprefix("{").partition("}")[0]
    known = _NAMESPACE.fullmatch(namespace)
    if known is None or root.tag != f"{{{namespace}}}Document" or len(root) != 1:
        raise BankFileRefused(f"not an ISO 20022 bank message: {root.tag[:100]}")
    node = _Node(root[0], namespace)
    match known[1]:
        case "pain.002":
            return _read_pain002(node)
        case "camt.053":
            return _read_camt053(node)
        case "camt.052" | "camt.054" | "pacs.004":
            return Notice(known[1], node.text("GrpHdr", "MsgId"))
        case kind:
            raise BankFileRefused(f"{kind} is not a message that the bank sends us")


@dataclass(frozen=True, slots=True)
class _Node:
    """An element seen through its one namespace; a missing mandatory part refuses the file."""

    element: ET.Element
    namespace: str

    def all(self, *tags: str) -> Iterator["_Node"]:
        for found in self.element.iterfind(self._xpath(tags)):
            yield _Node(found, self.namespace)

    def find(self, *tags: str) -> str | None:
        text = self.element.findtext(self._xpath(tags))
        return text.strip() if text and text.strip() else None

    def text(self, *tags: str) -> str:
        text = self.find(*tags)
        if text is None:
            raise BankFileRefused(f"{'/'.join(tags)} is missing")
        return text

    def money(self) -> Money | None:
        """The amount in this element's own Amt, or None when it states none."""
        amount = self.element.find(self._xpath(("Amt",)))
        return None if amount is None else _money(amount.text or "", amount.get("Ccy", ""))

    def _xpath(self, tags: tuple[str, ...]) -> str:
        return "/".join(f"{{{self.namespace}}}{tag}" for tag in tags)


def _read_pain002(node: _Node) -> StatusReport:
    original = node.text("OrgnlGrpInfAndSts", "OrgnlMsgId")
    statuses = [
        PaymentStatus(
            original,
            payment.text("OrgnlEndToEndId"),
            payment.text("TxSts"),
            _reason(payment),
        )
        for payment in node.all("OrgnlPmtInfAndSts", "TxInfAndSts")
    ]
    if not statuses:
        group = next(node.all("OrgnlGrpInfAndSts"))
        statuses = [PaymentStatus(original, None, group.text("GrpSts"), _reason(group))]
    return StatusReport("pain.002", node.text("GrpHdr", "MsgId"), tuple(statuses))


def _reason(node: _Node) -> str | None:
    return node.find("StsRsnInf", "Rsn", "Cd") or node.find("StsRsnInf", "Rsn", "Prtry")


def _read_camt053(node: _Node) -> AccountStatement:
    entries = tuple(
        entry
        for statement in node.all("Stmt")
        for booked in statement.all("Ntry")
        for entry in _entries(booked, statement.text("Acct", "Id", "IBAN"))
    )
    return AccountStatement("camt.053", node.text("GrpHdr", "MsgId"), entries)


def _entries(node: _Node, iban: str) -> Iterator[BankEntry]:
    """The movements of one entry: one by one where each states its own amount."""
    total = node.money()
    if total is None:
        raise BankFileRefused("an entry states no amount")
    details = list(node.all("NtryDtls", "TxDtls"))
    amounts = [detail.money() for detail in details]
    if len(details) == 1:
        yield _entry(node, details[0], iban, total)
    elif details and all(amount is not None for amount in amounts):
        for detail, amount in zip(details, amounts, strict=True):
            assert amount is not None  # noqa: S101
            yield _entry(node, detail, iban, amount)
    else:
        yield _entry(node, None, iban, total)


def _entry(node: _Node, detail: _Node | None, iban: str, money: Money) -> BankEntry:
    is_reversal = node.find("RvslInd") == "true"
    return BankEntry(
        account_iban=iban,
        reference=node.find("AcctSvcrRef") or "",
        end_to_end_id=detail.find("Refs", "EndToEndId") if detail else None,
        money=money,
        is_debit=node.text("CdtDbtInd") == "DBIT" and not is_reversal,
        # Since 2019 the status is a choice of codes; before, it was plain text.
        is_booked=(node.find("Sts", "Cd") or node.find("Sts")) == "BOOK",
        booked_on=_date(node.find("BookgDt", "Dt") or node.text("BookgDt", "DtTm")),
    )


def _money(text: str, currency: str) -> Money:
    try:
        minor = Decimal(text.strip()).scaleb(EXPONENTS[currency])
        amount = int(minor)
    except (KeyError, InvalidOperation, ValueError, OverflowError) as error:
        raise BankFileRefused(f"not an amount: {text[:30]!r} {currency[:3]!r}") from error
    if amount != minor or not 0 <= amount < 1 << 63:
        raise BankFileRefused(f"an amount in parts of a minor unit: {text[:30]!r} {currency}")
    return Money(amount, currency)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise BankFileRefused(f"not a date: {text[:30]!r}") from error
