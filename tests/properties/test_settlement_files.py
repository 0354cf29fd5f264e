"""A bank's files under anything that may be thrown at them."""

import contextlib
import datetime as dt
import io
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from mockbank import messages as bank_messages
from mockbank import schema as bank_schema
from mockbank import validate

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS, Money
from paynexus.settlement.bank import pain001, reader, stream
from paynexus.settlement.bank.messages import (
    Address,
    BankAccount,
    CreditTransfer,
    Entry,
    Instruction,
    Record,
)
from paynexus.settlement.bank.values import minor_units

TODAY = dt.date(2026, 11, 23)
CREATED = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
HOUSE = BankAccount("PayNexus", "NL41MOCK0000000001", "MOCKNL2A")
LARGEST_AMOUNT = 999_999_999_99
TAGS = (
    *("GrpHdr", "MsgId", "Stmt", "Acct", "Id", "IBAN", "Ntry", "Amt", "CdtDbtInd", "Sts", "Cd"),
    *("BookgDt", "Dt", "NtryDtls", "TxDtls", "OrgnlGrpInfAndSts", "OrgnlMsgId", "GrpSts"),
    *("OrgnlPmtInfAndSts", "TxInfAndSts", "TxSts", "Bal", "TxInf"),
)
currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.lists(st.integers(1, LARGEST_AMOUNT), min_size=1, max_size=5)
texts = st.text(max_size=200)
addresses = st.builds(
    Address,
    street=st.none() | texts,
    building=st.none() | texts,
    postcode=st.none() | texts,
    town=texts,
    country=st.sampled_from(["DE", "NL", "JP"]),
)


@pytest.fixture(scope="module")
def published() -> xmlschema.XMLSchema:
    """The copy of the schema that sepaxml has, read by another library than ours."""
    import sepaxml  # noqa: PLC0415

    folder = next(iter(sepaxml.__path__))
    return xmlschema.XMLSchema(f"{folder}/schemas/pain.001.001.09.xsd")


def _document(name: str, values: list[int], currency: str, address: Address | None = None) -> bytes:
    creditor = BankAccount(name, "DE89370400440532013000", None, address)
    transfers = tuple(
        CreditTransfer(f"SET-{n}", creditor, Money(amount, currency), name)
        for n, amount in enumerate(values)
    )
    return pain001.write(Instruction("PNX-1", CREATED, TODAY, HOUSE, currency, transfers))


@given(name=texts, values=amounts, currency=currencies, address=st.none() | addresses)
def test_any_name_address_and_amounts_make_a_file_without_findings(
    published: xmlschema.XMLSchema,
    name: str,
    values: list[int],
    currency: str,
    address: Address | None,
) -> None:
    """Emoji, control characters, right-to-left text: the schema and the bank find nothing."""
    document = _document(name, values, currency, address)

    assert validate.validate(document, today=TODAY) == []
    assert published.is_valid(document.decode())
    assert document == _document(name, values, currency, address)


@given(values=amounts, currency=currencies)
def test_amounts_survive_the_way_out_and_back(values: list[int], currency: str) -> None:
    """What is written in any currency is read as the same minor units, and the sum is theirs."""
    root = ET.fromstring(_document("Café", values, currency))  # noqa: S314
    namespace = f"{{{pain001.NAMESPACE}}}"
    exponent = EXPONENTS[currency]
    written = [node.text or "" for node in root.iter(f"{namespace}InstdAmt")]
    total = next(root.iter(f"{namespace}CtrlSum")).text or ""

    assert [minor_units(text, exponent) for text in written] == values
    assert minor_units(total, exponent) == sum(values)


def _records(document: bytes) -> list[Record]:
    return list(reader.read(io.BytesIO(document)).records())


@given(
    values=amounts,
    currency=currencies,
    words=st.lists(
        st.text("abcXYZ äöü€<>&'\"", max_size=140).map(str.strip).filter(bool), max_size=4
    ),
    is_debit=st.booleans(),
)
def test_what_a_bank_writes_is_read_as_it_meant_it(
    values: list[int],
    currency: str,
    words: list[str],
    is_debit: bool,  # noqa: FBT001
) -> None:
    """mock-bank's own writer and our reader agree on amounts, sides, references and words."""
    side = "DBIT" if is_debit else "CRDT"
    booked = [
        {
            "Amt": bank_schema.Amount(value, currency),
            "CdtDbtInd": side,
            "Sts": {"Cd": "BOOK"},
            "BookgDt": {"Dt": TODAY},
            "AcctSvcrRef": f"B-{n}",
            "BkTxCd": {
                "Domn": {"Cd": "PMNT", "Fmly": {"Cd": "RCDT", "SubFmlyCd": "ESCT"}},
            },
            "NtryDtls": [
                {"TxDtls": [{"Refs": {"EndToEndId": f"E-{n}"}, "RmtInf": {"Ustrd": words}}]}
            ],
        }
        for n, value in enumerate(values)
    ]
    document = bank_schema.serialize(
        bank_messages.CAMT054,
        {
            "BkToCstmrDbtCdtNtfctn": {
                "GrpHdr": {"MsgId": "N-1", "CreDtTm": CREATED},
                "Ntfctn": [
                    {
                        "Id": "N-1",
                        "CreDtTm": CREATED,
                        "Acct": {"Id": {"IBAN": HOUSE.iban}, "Ccy": currency},
                        "Ntry": booked,
                    }
                ],
            }
        },
    )
    read = [record for record in _records(document) if isinstance(record, Entry)]

    assert [(one.money, one.is_debit, one.end_to_end_id, one.reference) for one in read] == [
        (Money(value, currency), is_debit, f"E-{n}", f"B-{n}") for n, value in enumerate(values)
    ]
    assert {one.remittance for one in read} == {" ".join(words)}


@given(document=st.binary(max_size=300))
def test_no_bytes_do_worse_than_be_refused(document: bytes) -> None:
    """Reading never raises anything but BankFileRefused."""
    with contextlib.suppress(BankFileRefused):
        _records(document)


@given(
    kind=st.sampled_from(
        ["pain.002.001.10", "camt.053.001.08", "camt.054.001.08", "pacs.004.001.09"]
    ),
    body=st.recursive(
        st.sampled_from(["", "x", "2026-11-23", "DBIT", "<!-- -->", "<![CDATA[1]]>", "<?p?>"]),
        lambda inner: st.builds(
            lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
            st.sampled_from(TAGS),
            st.lists(inner, max_size=4),
        ),
        max_leaves=20,
    ),
    chunk=st.integers(1, 200),
)
@settings(deadline=None)
def test_no_shape_of_a_known_message_does_worse(kind: str, body: str, chunk: int) -> None:
    """Right namespace, any structure, any chunks: taken, or refused in words, and alike."""
    root = reader.KINDS[kind[:8]].path[1]
    namespace = f"urn:iso:std:iso:20022:tech:xsd:{kind}"
    head = "<GrpHdr><MsgId>M</MsgId></GrpHdr>"
    document = f'<Document xmlns="{namespace}"><{root}>{head}{body}</{root}></Document>'.encode()
    with pytest.MonkeyPatch.context() as patched:
        whole = _outcome(document)
        patched.setattr(stream, "CHUNK_BYTES", chunk)

        assert _outcome(document) == whole


def _outcome(document: bytes) -> list[Record] | None:
    try:
        return _records(document)
    except BankFileRefused:
        return None
