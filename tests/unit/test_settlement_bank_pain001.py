"""The files a bank gets are what it expects, by the published schema and by a bank's checks."""

import datetime as dt
from dataclasses import asdict, replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from mockbank import validate
from sepaxml.validation import try_valid_xml

from paynexus.money import Money
from paynexus.settlement.bank import pain001
from paynexus.settlement.bank.messages import (
    Address,
    BankAccount,
    CreditTransfer,
    Instruction,
    InvalidInstruction,
)

NAMESPACE = f"{{{pain001.NAMESPACE}}}"
HOUSE = BankAccount(
    "PayNexus",
    "NL41MOCK0000000001",
    "MOCKNL2A",
    Address("Herengracht", "1", "1015 BA", "Amsterdam", "NL"),
)
CAFE = BankAccount("Café Müller & Söhne", "DE89370400440532013000", "COBADEFFXXX")
TODAY = dt.date(2026, 11, 23)


def _instruction(
    *amounts: int, currency: str = "EUR", creditor: BankAccount = CAFE, debtor: BankAccount = HOUSE
) -> Instruction:
    return Instruction(
        message_id="PNX-1",
        created_at=dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC),
        execution_date=TODAY,
        debtor=debtor,
        currency=currency,
        transfers=tuple(
            CreditTransfer(f"SET-{n}", creditor, Money(amount, currency), f"Payout {n}")
            for n, amount in enumerate(amounts)
        ),
    )


def _addressed(**parts: str | None) -> BankAccount:
    address: dict[str, Any] = {
        "street": None,
        "building": None,
        "postcode": None,
        "town": "Berlin",
        "country": "DE",
    }
    return replace(CAFE, address=Address(**address | parts))


@pytest.mark.parametrize(
    "instruction",
    [
        _instruction(12_345),
        _instruction(1, 99, 1_000_000_00),
        _instruction(12_345, creditor=BankAccount("X" * 200, CAFE.iban, None)),
        _instruction(12_345, debtor=BankAccount("PayNexus", HOUSE.iban, None)),
        _instruction(12_345, creditor=BankAccount("株式会社", CAFE.iban, CAFE.bic)),
        _instruction(12_345, creditor=_addressed()),
        _instruction(
            12_345, creditor=_addressed(street="Straße " * 20, building="1" * 40, postcode="ß" * 30)
        ),
        _instruction(12_345, creditor=_addressed(town="東京都", country="JP")),
        _instruction(5_000, currency="JPY"),
        _instruction(1_234, currency="KWD"),
        _instruction(*range(1, 2_001)),
    ],
)
def test_a_file_is_valid_by_the_schema_and_by_a_bank(instruction: Instruction) -> None:
    """The published XSD and a bank's own checks (counts, control sums, IBANs) find nothing."""
    document = pain001.write(instruction)
    try_valid_xml(document, "pain.001.001.09")

    assert validate.validate(document, today=TODAY) == []


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(5, "EUR", "0.05"), (123_456, "EUR", "1234.56"), (7, "JPY", "7"), (1_001, "KWD", "1.001")],
)
def test_amounts_are_written_in_the_currencys_own_digits(
    amount: int, currency: str, text: str
) -> None:
    """Amount and control sum carry as many decimals as the currency has."""
    root = ET.fromstring(pain001.write(_instruction(amount, currency=currency)))  # noqa: S314

    assert [node.text for node in root.iter(f"{NAMESPACE}CtrlSum")] == [text, text]
    assert [node.text for node in root.iter(f"{NAMESPACE}InstdAmt")] == [text]


def test_an_address_is_written_in_its_parts_and_never_in_lines() -> None:
    """EPC's rules of November 2026: in this order, without those that nobody gave."""
    whole = _addressed(street="Hauptstraße", building="12 a", postcode="10115")
    root = ET.fromstring(pain001.write(_instruction(5, creditor=whole)))  # noqa: S314
    least = ET.fromstring(pain001.write(_instruction(5, creditor=_addressed())))  # noqa: S314

    assert [_address_of(document, "Cdtr") for document in (root, least)] == [
        [
            ("StrtNm", "Hauptstrasse"),
            ("BldgNb", "12 a"),
            ("PstCd", "10115"),
            ("TwnNm", "Berlin"),
            ("Ctry", "DE"),
        ],
        [("TwnNm", "Berlin"), ("Ctry", "DE")],
    ]
    assert _address_of(root, "Dbtr")[-1] == ("Ctry", "NL")
    assert list(root.iter(f"{NAMESPACE}AdrLine")) == []


def _address_of(root: ET.Element, party: str) -> list[tuple[str, str | None]]:
    [address] = root.iterfind(f".//{NAMESPACE}{party}/{NAMESPACE}PstlAdr")
    return [(part.tag.removeprefix(NAMESPACE), part.text) for part in address]


def test_the_same_instruction_gives_the_same_bytes() -> None:
    """What is written again after a crash is the file that the bank may have already."""
    assert pain001.write(_instruction(5, 6)) == pain001.write(_instruction(5, 6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Café Müller & Söhne", "Cafe Muller + Sohne"),
        ("Straße_12 <b>", "Strasse 12 b"),
        ("  Łódź  Æther  ", "Lodz AEther"),
        ("株式会社", "NOTPROVIDED"),
    ],
)
def test_names_are_written_in_the_characters_of_sepa(text: str, expected: str) -> None:
    """No bank refuses a file for a letter."""
    assert pain001.sepa_text(text, limit=70) == expected


GOOD = _instruction(5, 6)
TWICE = tuple(replace(one, end_to_end_id="SET-0") for one in GOOD.transfers)


@pytest.mark.parametrize(
    ("instruction", "wrong"),
    [
        (replace(GOOD, transfers=()), "pays nobody"),
        (replace(GOOD, currency="USD"), "more than one currency"),
        (_instruction(5, 0), "isn't positive"),
        (_instruction(5, -5), "isn't positive"),
        (replace(GOOD, transfers=TWICE), "end-to-end id twice"),
        (replace(GOOD, message_id="P" * 36), "MsgId"),
        (replace(GOOD, message_id=""), "MsgId"),
        (replace(GOOD, message_id="\x00"), "Char 0x0"),
        (_instruction(5, creditor=replace(CAFE, iban="DE89 3704")), "IBAN"),
        (_instruction(5, creditor=replace(CAFE, bic="cobadeff")), "BICFI"),
        (_instruction(5, creditor=_addressed(country="Germany")), "Ctry"),
        (_instruction(10**18 + 1), "totalDigits"),
    ],
)
def test_what_a_bank_could_not_take_never_leaves(instruction: Instruction, wrong: str) -> None:
    """The schema's own words, or ours where the schema can't see it, are in the refusal."""
    with pytest.raises(InvalidInstruction, match=wrong):
        pain001.write(instruction)


@pytest.mark.parametrize("account", [CAFE, HOUSE])
def test_an_account_comes_back_from_its_fields(account: BankAccount) -> None:
    """Those that `asdict` made, the address among them."""
    assert BankAccount.restored(asdict(account)) == account
