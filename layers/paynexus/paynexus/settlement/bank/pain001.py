"""pain.001.001.09: the file that asks a bank to pay."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC
from xml.etree import ElementTree as ET  # writes only; reading: defusedxml, see reader.py

from paynexus.settlement.bank import xsd
from paynexus.settlement.bank.messages import (
    Address,
    BankAccount,
    CreditTransfer,
    Instruction,
    InvalidInstruction,
)
from paynexus.settlement.bank.writing import decimal, leaves, nested

SCHEMA = "pain.001.001.09"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{SCHEMA}"
NAME_LIMIT = 70
"""Characters of a party's name that SEPA carries."""
REMITTANCE_LIMIT = 140
ADDRESS_LIMITS = {"StrtNm": 70, "BldgNb": 16, "PstCd": 16, "TwnNm": 35}
"""Characters of the parts of an address that ISO 20022 carries."""
UNKNOWN = "NOTPROVIDED"
"""What the standard has said where something must stand and nothing is known."""

_OUTSIDE_SEPA = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "&": "+"}
)


def write(instruction: Instruction) -> bytes:
    """The file, valid by the published schema; the same instruction gives the same bytes.

    InvalidInstruction, with what is wrong, when a bank could not take it.
    """
    _require_sense(instruction)
    root = ET.Element("Document", {"xmlns": NAMESPACE})
    body = ET.SubElement(root, "CstmrCdtTrfInitn")
    _header(body, instruction)
    batch = _batch(body, instruction)
    for transfer in instruction.transfers:
        _transfer(batch, transfer)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    if wrong := xsd.violation(document, schema=SCHEMA):
        raise InvalidInstruction(f"{instruction.message_id} breaks {SCHEMA}, {wrong}")
    return document


def sepa_text(text: str, *, limit: int) -> str:
    """The text in the characters every SEPA bank takes: accents dropped, others as spaces."""
    plain = unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = _OUTSIDE_SEPA.sub(" ", plain).split()
    return " ".join(words)[:limit].strip() or UNKNOWN


def _require_sense(instruction: Instruction) -> None:
    """What the schema can't see: sums over nothing, mixed currencies, a reference used twice."""
    transfers = instruction.transfers
    references = {transfer.end_to_end_id for transfer in transfers}
    if not transfers:
        raise InvalidInstruction(f"{instruction.message_id} pays nobody")
    if any(transfer.money.currency != instruction.currency for transfer in transfers):
        raise InvalidInstruction(f"{instruction.message_id} pays in more than one currency")
    if any(transfer.money.amount <= 0 for transfer in transfers):
        raise InvalidInstruction(f"{instruction.message_id} holds an amount that isn't positive")
    if len(references) != len(transfers):
        raise InvalidInstruction(f"{instruction.message_id} uses an end-to-end id twice")


def _header(body: ET.Element, instruction: Instruction) -> None:
    header = ET.SubElement(body, "GrpHdr")
    created = instruction.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    leaves(header, MsgId=instruction.message_id, CreDtTm=created, **_sums(instruction))
    leaves(nested(header, "InitgPty"), Nm=sepa_text(instruction.debtor.holder, limit=NAME_LIMIT))


def _batch(body: ET.Element, instruction: Instruction) -> ET.Element:
    """The one batch of the file, under the file's own name, ready for its transfers."""
    batch = ET.SubElement(body, "PmtInf")
    leaves(batch, PmtInfId=instruction.message_id, PmtMtd="TRF", BtchBookg="false")
    leaves(batch, **_sums(instruction))
    is_sepa = instruction.currency == "EUR"
    if is_sepa:
        leaves(nested(batch, "PmtTpInf", "SvcLvl"), Cd="SEPA")
    leaves(nested(batch, "ReqdExctnDt"), Dt=instruction.execution_date.isoformat())
    _party(batch, "Dbtr", instruction.debtor)
    leaves(_account(batch, "DbtrAcct", instruction.debtor), Ccy=instruction.currency)
    _agent(batch, "DbtrAgt", instruction.debtor)
    leaves(batch, ChrgBr="SLEV" if is_sepa else "SHAR")
    return batch


def _transfer(batch: ET.Element, transfer: CreditTransfer) -> None:
    node = ET.SubElement(batch, "CdtTrfTxInf")
    reference = transfer.end_to_end_id
    leaves(nested(node, "PmtId"), InstrId=reference, EndToEndId=reference)
    amount = ET.SubElement(nested(node, "Amt"), "InstdAmt", {"Ccy": transfer.money.currency})
    amount.text = decimal(transfer.money.amount, transfer.money.currency)
    if transfer.creditor.bic:
        _agent(node, "CdtrAgt", transfer.creditor)
    _party(node, "Cdtr", transfer.creditor)
    _account(node, "CdtrAcct", transfer.creditor)
    leaves(nested(node, "RmtInf"), Ustrd=sepa_text(transfer.remittance, limit=REMITTANCE_LIMIT))


def _sums(instruction: Instruction) -> dict[str, str]:
    total = sum(transfer.money.amount for transfer in instruction.transfers)
    return {
        "NbOfTxs": str(len(instruction.transfers)),
        "CtrlSum": decimal(total, instruction.currency),
    }


def _party(parent: ET.Element, tag: str, account: BankAccount) -> None:
    node = nested(parent, tag)
    leaves(node, Nm=sepa_text(account.holder, limit=NAME_LIMIT))
    if account.address:
        leaves(nested(node, "PstlAdr"), **dict(_address(account.address)))


def _address(address: Address) -> Iterable[tuple[str, str]]:
    """Structured, as banks ask from November 2026: a line of free text is refused there."""
    parts = (address.street, address.building, address.postcode, address.town)
    for (tag, limit), part in zip(ADDRESS_LIMITS.items(), parts, strict=True):
        text = sepa_text(part or "", limit=limit)
        if text != UNKNOWN or tag == "TwnNm":
            yield tag, text
    yield "Ctry", address.country


def _account(parent: ET.Element, tag: str, account: BankAccount) -> ET.Element:
    node = nested(parent, tag)
    leaves(nested(node, "Id"), IBAN=account.iban)
    return node


def _agent(parent: ET.Element, tag: str, account: BankAccount) -> None:
    institution = nested(parent, tag, "FinInstnId")
    if account.bic:
        leaves(institution, BICFI=account.bic)
    else:
        leaves(nested(institution, "Othr"), Id=UNKNOWN)
