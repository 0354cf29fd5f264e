"""Files and settlements under anything that may be thrown at them."""

import contextlib
import datetime as dt
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from mockbank import validate

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS, Money
from paynexus.settlement import iso20022
from paynexus.settlement.iso20022 import CreditTransfer, Instruction
from paynexus.settlement.model import BankAccount

TODAY = dt.date(2026, 11, 23)
HOUSE = BankAccount("PayNexus", "NL41MOCK0000000001", "MOCKNL2A")
LARGEST_AMOUNT = 999_999_999_99
TAGS = (
    *("GrpHdr", "MsgId", "Stmt", "Acct", "Id", "IBAN", "Ntry", "Amt", "CdtDbtInd", "Sts", "Cd"),
    *("BookgDt", "Dt", "NtryDtls", "TxDtls", "OrgnlGrpInfAndSts", "OrgnlMsgId", "GrpSts"),
    *("OrgnlPmtInfAndSts", "TxInfAndSts", "TxSts"),
)
currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.lists(st.integers(1, LARGEST_AMOUNT), min_size=1, max_size=5)


def _document(name: str, values: list[int], currency: str) -> bytes:
    creditor = BankAccount(name, "DE89370400440532013000", None)
    transfers = tuple(
        CreditTransfer(f"SET-{n}", creditor, Money(amount, currency), name)
        for n, amount in enumerate(values)
    )
    created = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    return iso20022.write_pain001(Instruction("PNX-1", created, TODAY, HOUSE, currency, transfers))


@given(name=st.text(max_size=200), values=amounts)
def test_any_name_and_amounts_make_a_file_without_findings(name: str, values: list[int]) -> None:
    """Emoji, control characters, right-to-left text: the bank takes the file."""
    assert validate.validate(_document(name, values, "EUR"), today=TODAY) == []


@given(values=amounts, currency=currencies)
def test_amounts_survive_the_way_out_and_back(values: list[int], currency: str) -> None:
    """What is written in any currency is read as the same minor units, and the sum is theirs."""
    root = ET.fromstring(_document("Café", values, currency))  # noqa: S314
    namespace = f"{{{iso20022.PAIN_001}}}"
    written = [node.text or "" for node in root.iter(f"{namespace}InstdAmt")]
    total = next(root.iter(f"{namespace}CtrlSum")).text or ""

    assert [iso20022._money(text, currency).amount for text in written] == values
    assert iso20022._money(total, currency).amount == sum(values)


@given(document=st.binary(max_size=300))
def test_no_bytes_do_worse_than_be_refused(document: bytes) -> None:
    """Reading never raises anything but BankFileRefused."""
    with contextlib.suppress(BankFileRefused):
        iso20022.read(document)


@given(
    kind=st.sampled_from(["pain.002.001.10", "camt.053.001.08", "camt.054.001.08"]),
    body=st.recursive(
        st.sampled_from(["", "x", "2026-11-23", "DBIT"]),
        lambda inner: st.builds(
            lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
            st.sampled_from(TAGS),
            st.lists(inner, max_size=4),
        ),
        max_leaves=20,
    ),
)
def test_no_shape_of_a_known_message_does_worse(kind: str, body: str) -> None:
    """Right namespace, any structure: taken, or refused in words."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:{kind}"
    document = f'<Document xmlns="{namespace}"><Message>{body}</Message></Document>'.encode()
    with contextlib.suppress(BankFileRefused):
        iso20022.read(document)
