"""Settlement files of gateways: what is read of them, and for what a file is refused whole."""

import datetime as dt
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS
from paynexus.settlement.acquirers import model, naming, rows, sandbox, stripe_report
from paynexus.settlement.acquirers.dialects import DIALECTS, dialect_of
from paynexus.settlement.acquirers.model import FileLine, Line, Payout
from paynexus.settlement.acquirers.rows import Row
from paynexus.settlement.acquirers.service import gateway_of
from tools.sandbox_acquirer import settlement as acquirer

HEAD = ",".join(acquirer.COLUMNS)
GOOD = (
    "1,chg_a,charge,chg_a,EUR,1250,2,1248,2026-11-27T10:00:00.000+00:00,SBX-20261127-EUR,2026-11-28"
)
STRIPE_HEAD = (
    "balance_transaction_id,created_utc,created,available_on,currency,gross,fee,net,"
    "reporting_category,source_id,description,customer_facing_amount,customer_facing_currency,"
    "automatic_payout_id,automatic_payout_effective_at_utc,payment_intent_id,charge_id,"
    "payment_metadata[paynexus_reference],payment_metadata[paynexus_capture],"
    "refund_metadata[paynexus_reference]"
)


def stripe_row(**given: str) -> str:
    """A row of Stripe's report."""
    row = {
        "balance_transaction_id": "txn_1",
        "created_utc": "2026-11-27 10:00:00",
        "created": "2026-11-27 11:00:00",
        "currency": "eur",
        "gross": "12.50",
        "fee": "0.43",
        "net": "12.07",
        "reporting_category": "charge",
        "source_id": "ch_1",
        "automatic_payout_id": "po_1",
        "automatic_payout_effective_at_utc": "2026-11-30 00:00:00",
        "payment_intent_id": "pi_1",
        "payment_metadata[paynexus_reference]": "chg_a",
        **given,
    }
    return ",".join(row.get(column, "") for column in STRIPE_HEAD.split(","))


def read(text: str | bytes, dialect: str = "sandbox") -> list[FileLine]:
    """The file's lines."""
    content = text if isinstance(text, bytes) else text.encode()
    return list(DIALECTS[dialect].read(io.BytesIO(content)))


def test_a_line_of_the_sandbox_is_read() -> None:
    """In whole minor units, with what pays it."""
    [line] = read(f"\ufeff{HEAD}\r\n{GOOD}\r\n")

    assert line == FileLine(
        line_id="charge:1",
        reference="chg_a",
        gateway_reference="chg_a",
        operation="charge",
        currency="EUR",
        gross=1250,
        fee=2,
        occurred_at=dt.datetime(2026, 11, 27, 10, tzinfo=dt.UTC),
        payout_reference="SBX-20261127-EUR",
        payout_on=dt.date(2026, 11, 28),
    )


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 1, "not even a head"),
        ("line,reference\n", 1, "the head lacks operation, charge_reference"),
        (f"{HEAD},line\n", 1, "a column twice"),
        (f"{HEAD}\n{GOOD}\n{GOOD},more\n", 3, "12 fields, but the head has 11"),
        (f"{HEAD}\n{GOOD}\n\n", 3, "0 fields"),
        (f"{HEAD}\n{GOOD.replace(',1248,', ',1250,')}\n", 2, "net is 1250"),
        (f"{HEAD}\n{GOOD.replace('1250', '12.50')}\n", 2, "gross: no whole number"),
        (f"{HEAD}\n{GOOD.replace('1250', '1' * 17)}\n", 2, "gross: no whole number"),
        (f"{HEAD}\n{GOOD.replace('EUR', 'XXX')}\n", 2, "currency: no currency 'XXX'"),
        (f"{HEAD}\n{GOOD.replace('2026-11-27T10', 'today')}\n", 2, "created: no time"),
        (f"{HEAD}\n{GOOD.replace('2026-11-28', '28.11.2026')}\n", 2, "payout_on: no day"),
        (f"{HEAD}\n{GOOD.replace('chg_a', '', 1)}\n", 2, "reference is empty"),
        (f"{HEAD}\n{GOOD.replace('chg_a', 'a' * 256, 1)}\n", 2, "longer than 255"),
        (f"{HEAD}\n{GOOD.replace('chg_a', 'a\x00b', 1)}\n", 2, "unprintable"),
        (f"{HEAD}\n{GOOD}\n{GOOD.replace('chg_a', '"chg"_a', 1)}\n", 3, "no CSV"),
        (f"{HEAD}\n{GOOD.replace('chg_a', 'a' * rows.LINE_BYTES_MAX, 1)}\n", 2, "bytes"),
        (f"{HEAD}\n{GOOD}\n".encode() + b"\xff\xfe", 3, "not UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_refuses_the_file(text: str | bytes, at: int, why: str) -> None:
    """Whoever repairs it finds it at once."""
    with pytest.raises(BankFileRefused, match=why) as refused:
        read(text)

    assert refused.value.extra["line"] == at
    assert refused.value.detail.startswith(f"line {at}: ")


def test_a_file_of_too_many_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is named."""
    monkeypatch.setattr(rows, "LINES_MAX", 2)

    assert len(read(f"{HEAD}\n{GOOD}\n{GOOD}\n")) == 2
    with pytest.raises(BankFileRefused, match="more than 2 lines"):
        read(f"{HEAD}\n{GOOD}\n{GOOD}\n{GOOD}\n")


def test_lines_are_read_one_by_one() -> None:
    """What is not asked for is not read: a large file needs no more memory than a small one."""

    class Endless(io.RawIOBase):
        """A file that never ends."""

        def __init__(self) -> None:
            self.texts = iter([f"{HEAD}\n".encode()])

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size > 0
            return next(self.texts, f"{GOOD}\n".encode())

    lines = sandbox.read(Endless())  # type: ignore[arg-type]  # all of a file that is asked for
    assert [next(lines).gross for _ in range(10_000)] == [1250] * 10_000


@pytest.mark.parametrize(
    ("given", "operation", "reference", "theirs"),
    [
        ({}, Line.CHARGE, "chg_a", "pi_1"),
        ({"payment_metadata[paynexus_capture]": "cap_b"}, Line.CAPTURE, "cap_b", "pi_1"),
        ({"payment_metadata[paynexus_reference]": ""}, Line.CHARGE, None, "pi_1"),
        (
            {
                "reporting_category": "partial_capture_reversal",
                "payment_metadata[paynexus_capture]": "cap_b",
            },
            Line.RELEASE,
            "cap_b",
            "pi_1",
        ),
        (
            {
                "reporting_category": "refund",
                "source_id": "re_1",
                "refund_metadata[paynexus_reference]": "ref_c",
            },
            Line.REFUND,
            "ref_c",
            "re_1",
        ),
        ({"reporting_category": "dispute", "source_id": "dp_1"}, Line.DISPUTE, None, "dp_1"),
        (
            {"reporting_category": "dispute_reversal", "source_id": "dp_1"},
            Line.DISPUTE_WON,
            None,
            "dp_1",
        ),
        ({"reporting_category": "network_cost", "source_id": ""}, Line.COST, None, None),
        ({"reporting_category": "payout", "source_id": "po_1"}, Line.PAYOUT, None, "po_1"),
        ({"reporting_category": "topup", "source_id": "tu_1"}, "topup", None, "tu_1"),
    ],
)
def test_what_a_line_of_stripe_is_about(
    given: dict[str, str], operation: str, reference: str | None, theirs: str | None
) -> None:
    """By its category and the metadata that we gave Stripe."""
    [line] = read(f"{STRIPE_HEAD}\n{stripe_row(**given)}\n", "stripe")

    assert (line.operation, line.reference, line.gateway_reference) == (
        operation,
        reference,
        theirs,
    )
    assert (line.gross, line.fee, line.net, line.currency) == (1250, 43, 1207, "EUR")
    assert line.occurred_at == dt.datetime(2026, 11, 27, 10, tzinfo=dt.UTC)
    assert (line.payout_reference, line.payout_on) == ("po_1", dt.date(2026, 11, 30))


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [
        ("EUR", "0.05", 5),
        ("EUR", "-0.05", -5),
        ("EUR", "12", 1200),
        ("EUR", "12.5", 1250),
        ("EUR", "12.500", 1250),
        ("JPY", "1250", 1250),
        ("JPY", "1250.00", 1250),
        ("KWD", "1.234", 1234),
        ("EUR", "90071992547409.93", 9007199254740993),
    ],
)
def test_major_units_are_exact(currency: str, text: str, minor: int) -> None:
    """No amount passes through a float."""
    assert Row(1, {"gross": text}).major("gross", currency) == minor


@pytest.mark.parametrize(
    ("currency", "text"),
    [
        ("EUR", "12.505"),
        ("JPY", "0.5"),
        ("EUR", "1,50"),
        ("EUR", "1e3"),
        ("EUR", ""),
        ("EUR", ".5"),
    ],
)
def test_what_is_no_amount_is_refused(currency: str, text: str) -> None:
    """Nothing is rounded."""
    with pytest.raises(BankFileRefused):
        Row(1, {"gross": text}).major("gross", currency)


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(-(10**15), 10**15))
def test_an_amount_comes_back_as_it_was_written(currency: str, minor: int) -> None:
    """In every currency."""
    exponent = EXPONENTS[currency]
    whole, part = divmod(abs(minor), 10**exponent)
    text = f"{'-' if minor < 0 else ''}{whole}.{part:0{exponent}}" if exponent else str(minor)

    assert Row(1, {"gross": text}).major("gross", currency) == minor


def test_what_the_acquirer_writes_we_read() -> None:
    """One format, written and read by two programs."""
    day = dt.date(2026, 11, 27)
    at = "2026-11-27T10:00:00.000+00:00"
    lines = [acquirer.Line(1, "a,b", "charge", 'a"b', "JPY", 1250, 2, at)]

    [line] = read(acquirer.csv_of("sandbox_two", day, lines))
    [paid] = acquirer.payouts_of("sandbox_two", day, lines)

    assert (line.reference, line.payout_reference) == ("a,b", "SBX2-20261127-JPY")
    assert (paid["reference"], paid["amount"]) == ("SBX2-20261127-JPY", line.net)
    assert acquirer.COLUMNS == sandbox.COLUMNS


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2026-11-27.csv", dt.date(2026, 11, 27)),
        ("report-2026-11-27-again.csv", dt.date(2026, 11, 27)),
        ("2026-11-01_2026-11-30.csv", None),
        ("2026-11-27_2026-11-27.csv", dt.date(2026, 11, 27)),
        ("2026-13-27.csv", None),
        ("12026-11-271.csv", None),
        ("november.csv", None),
    ],
)
def test_the_day_in_a_name(name: str, day: dt.date | None) -> None:
    """One day, or none."""
    assert model.day_of(name) == day


def test_only_gateways_that_are_known_have_files() -> None:
    """Under the names that attempts have, in the mode in which their money is."""
    assert gateway_of("gateways/sandbox/2026-11-27.csv") == "sandbox"
    assert {name: one.mode for name, one in DIALECTS.items()} == {
        "sandbox": "test",
        "sandbox_two": "test",
        "stripe": "live",
        "stripe_test": "test",
    }
    for name in ("inbox/a.xml", "gateways/a.csv", "gateways//a.csv", "gateways/a/"):
        with pytest.raises(BankFileRefused):
            gateway_of(name)
    with pytest.raises(BankFileRefused, match="no settlement files are known"):
        dialect_of("acme")


def test_what_names_a_payout_in_a_banks_text() -> None:
    """Words as letters and digits in capitals; our own references with or without their line."""
    digits = "01m8frjhpye07rdbrjx3ejdv8h"

    assert naming.keys_of(["SANDBOX SBX-20261127-EUR/REF", "po_1AbC23 it"]) == {
        "SANDBOX",
        "SBX20261127EUR",
        "PO1ABC23",
    }
    assert naming.references_of([f"CHG {digits.upper()}", f"/cap_{digits}/", f"ref{digits}"]) == {
        f"chg_{digits}",
        f"cap_{digits}",
        f"ref_{digits}",
    }
    assert naming.references_of([f"xchg_{digits}", f"chg_{digits}0", "chg_short"]) == set()


def test_a_payout_is_known_by_its_name() -> None:
    """Two names are two ids, and the same is always the same."""
    one = Payout("sandbox", "test", "EUR", "SBX-1", 1, dt.date(2026, 11, 27))
    two = Payout("sandbox", "live", "EUR", "SBX-1", 1, dt.date(2026, 11, 27))

    assert one.object_id == Payout("sandbox", "test", "USD", "SBX-1", 9, one.expected_on).object_id
    assert one.object_id != two.object_id
    assert one.object_id.startswith("gpo_")
    assert stripe_report.COLUMNS[0] == "balance_transaction_id"
