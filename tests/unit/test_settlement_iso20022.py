"""The files a bank gets are what it expects; the files it sends are taken for what they say."""

import datetime as dt
from xml.etree import ElementTree as ET

import pytest
from mockbank import validate
from sepaxml.validation import try_valid_xml

from paynexus.errors import BankFileRefused
from paynexus.money import Money
from paynexus.settlement import iso20022
from paynexus.settlement.iso20022 import CreditTransfer, Instruction
from paynexus.settlement.model import BankAccount

NAMESPACE = f"{{{iso20022.PAIN_001}}}"
CAMT_053 = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
HOUSE = BankAccount("PayNexus", "NL41MOCK0000000001", "MOCKNL2A")
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


@pytest.mark.parametrize(
    "instruction",
    [
        _instruction(12_345),
        _instruction(1, 99, 1_000_000_00),
        _instruction(12_345, creditor=BankAccount("X" * 200, CAFE.iban, None)),
        _instruction(12_345, debtor=BankAccount("PayNexus", HOUSE.iban, None)),
        _instruction(12_345, creditor=BankAccount("株式会社", CAFE.iban, CAFE.bic)),
        _instruction(5_000, currency="JPY"),
        _instruction(1_234, currency="KWD"),
    ],
)
def test_a_file_is_valid_by_the_schema_and_by_a_bank(instruction: Instruction) -> None:
    """The published XSD and a bank's own checks (counts, control sums, IBANs) find nothing."""
    document = iso20022.write_pain001(instruction)
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
    root = ET.fromstring(iso20022.write_pain001(_instruction(amount, currency=currency)))  # noqa: S314

    assert [node.text for node in root.iter(f"{NAMESPACE}CtrlSum")] == [text, text]
    assert [node.text for node in root.iter(f"{NAMESPACE}InstdAmt")] == [text]


def test_the_same_instruction_gives_the_same_bytes() -> None:
    """What is written again after a crash is the file that the bank may have already."""
    assert iso20022.write_pain001(_instruction(5)) == iso20022.write_pain001(_instruction(5))


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
    assert iso20022.sepa_text(text, limit=70) == expected


def _statement(entries: str, namespace: str = CAMT_053) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{namespace}"><BkToCstmrStmt><GrpHdr><MsgId>S-1</MsgId></GrpHdr>
<Stmt><Acct><Id><IBAN>{HOUSE.iban}</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt>
</Document>""".encode()


def _details(*parts: tuple[str, str | None]) -> str:
    return "".join(
        f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>"
        + (f'<Amt Ccy="EUR">{amount}</Amt>' if amount else "")
        + "</TxDtls>"
        for reference, amount in parts
    )


def _entry(
    details: str, *, amount: str = "30.00", status: str = "<Cd>BOOK</Cd>", extra: str = ""
) -> str:
    return f"""<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd>{extra}
<Sts>{status}</Sts><BookgDt><DtTm>2026-11-23T23:59:59+01:00</DtTm></BookgDt>
<AcctSvcrRef>B-1</AcctSvcrRef><NtryDtls>{details}</NtryDtls></Ntry>"""


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (_entry(_details(("A", None))), [("A", 3_000)]),
        (_entry(_details(("A", "10.00"), ("B", "20.00"))), [("A", 1_000), ("B", 2_000)]),
        (_entry(_details(("A", "10.00"), ("B", None))), [(None, 3_000)]),
        (_entry(""), [(None, 3_000)]),
    ],
)
def test_an_entry_is_split_only_where_its_parts_state_their_amounts(
    entry: str, expected: list[tuple[str | None, int]]
) -> None:
    """One movement of several payments names each; one that does not say stays whole."""
    message = iso20022.read(_statement(entry))

    assert isinstance(message, iso20022.AccountStatement)
    assert [(e.end_to_end_id, e.money.amount) for e in message.entries] == expected
    assert {e.booked_on for e in message.entries} == {TODAY}


@pytest.mark.parametrize(
    ("entry", "is_debit", "is_booked"),
    [
        (_entry(_details(("A", None))), True, True),
        (_entry(_details(("A", None)), status="BOOK"), True, True),
        (_entry(_details(("A", None)), status="<Cd>PDNG</Cd>"), True, False),
        (_entry(_details(("A", None)), extra="<RvslInd>true</RvslInd>"), False, True),
    ],
)
def test_only_a_booked_debit_is_money_that_left(
    entry: str,
    is_debit: bool,  # noqa: FBT001
    is_booked: bool,  # noqa: FBT001
) -> None:
    """Pending entries and reversals are told apart, in the old form of the status and the new."""
    message = iso20022.read(_statement(entry))

    assert isinstance(message, iso20022.AccountStatement)
    assert [(e.is_debit, e.is_booked) for e in message.entries] == [(is_debit, is_booked)]


BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]><lolz>&lol2;</lolz>"""
EXTERNAL = b"""<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>"""


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\x00\xff",
        b"not xml",
        _statement(_entry(""))[:-40],
        BILLION_LAUGHS,
        EXTERNAL,
        b"<Document/>",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>',
        _statement("", namespace="urn:example:camt.053.001.08"),
        _statement("", namespace=iso20022.PAIN_001),
        _statement(_entry("", amount="30.001")),
        _statement(_entry("", amount="-30.00")),
        _statement(_entry("", amount="NaN")),
        _statement(_entry("", amount="1e400")),
        _statement(_entry("").replace('Ccy="EUR"', 'Ccy="XXX"')),
        _statement(_entry("").replace("2026-11-23", "2026-23-11")),
        _statement("<Ntry><CdtDbtInd>DBIT</CdtDbtInd></Ntry>"),
    ],
)
def test_what_is_not_a_banks_message_is_refused(document: bytes) -> None:
    """Entities, truncation, foreign namespaces and impossible amounts end in one typed error."""
    with pytest.raises(BankFileRefused):
        iso20022.read(document)
