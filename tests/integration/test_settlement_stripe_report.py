"""Stripe's reports of balance transactions against the ledger."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.errors import BankFileRefused
from paynexus.gateways.port import Operation
from paynexus.ids import MerchantId
from paynexus.payments import operations
from tests import shown_by_the_bank
from tests.acquirer_files import AcquirerDay, reference_of
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.sandbox_acquirer.disputes import Outcome

COLUMNS = (
    "balance_transaction_id",
    "created_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "automatic_payout_id",
    "automatic_payout_effective_at_utc",
    "payment_intent_id",
    "payment_metadata[paynexus_reference]",
    "payment_metadata[paynexus_capture]",
    "refund_metadata[paynexus_reference]",
)


@dataclass
class Report:
    """A report as Stripe writes it: amounts in major units, our references in metadata."""

    at: dt.datetime
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, category: str, gross: int, fee: int = 0, **given: str) -> None:
        """One more balance transaction, of which `payout` pays it."""
        payout = given.pop("payout", "po_1")
        self.rows.append(
            {
                "balance_transaction_id": f"txn_{len(self.rows)}",
                "created_utc": f"{self.at:%Y-%m-%d %H:%M:%S}",
                "currency": "eur",
                "gross": _major(gross),
                "fee": _major(fee),
                "net": _major(gross - fee),
                "reporting_category": category,
                "automatic_payout_id": payout,
                "automatic_payout_effective_at_utc": f"{self.at:%Y-%m-%d} 00:00:00",
                **given,
            }
        )

    def text(self, columns: Sequence[str] = COLUMNS) -> str:
        """The report with these columns."""
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.rows)
        return out.getvalue()


def _major(minor: int) -> str:
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02}"


@pytest.fixture
def stripe(
    database: Database, cache: Cache, merchant: MerchantId, now: dt.datetime, tmp_path: Path
) -> Iterator[AcquirerDay]:
    """A gateway whose attempts are Stripe's; what it took, a report of ours tells."""
    sandbox = Sandbox(tmp_path / "stripe", name="stripe_test")
    sandbox.start()
    yield AcquirerDay(Flow(database, cache, {"test": sandbox.gateway}, merchant, now), sandbox)
    shown_by_the_bank.show(database, now=now)
    sandbox.stop()


def a_month(stripe: AcquirerDay) -> Report:
    """Charges, a capture of less than was held, refunds and disputes, over two payouts."""
    flow, report = stripe.flow, Report(stripe.flow.now)
    for number in range(6):
        payment_id = flow.take(amount=1000 + number)[0]
        report.add("charge", 1000 + number, 45, **named(stripe, reference_of(payment_id)))
    held = flow.take(amount=9000, capture="manual")[0]
    flow.operate(Operation.CAPTURE, held, operations.capture, amount=4000, is_final=True)
    [(capture,)] = stripe.ask("SELECT reference FROM attempts WHERE operation = 'capture'")
    of_both = named(stripe, reference_of(held)) | {"payment_metadata[paynexus_capture]": capture}
    report.add("charge", 9000, 160, **of_both)
    report.add("partial_capture_reversal", -5000, -75, **of_both)
    flow.operate(Operation.REFUND, held, operations.refund, amount=700, reason=None)
    [(refund, theirs)] = stripe.ask(
        "SELECT reference, gateway_reference FROM attempts WHERE operation = 'refund'"
    )
    of_refund = {"refund_metadata[paynexus_reference]": refund, "source_id": theirs}
    report.add("refund", -700, payout="po_2", **of_refund)
    disputed = flow.take(amount=3000)[0]
    report.add("charge", 3000, 70, **named(stripe, reference_of(disputed)))
    stripe.payers.dispute(disputed, 3000, Outcome.WON)
    [(dispute,)] = stripe.ask("SELECT gateway_reference FROM disputes")
    report.add("dispute", -3000, 1500, source_id=dispute, payout="po_2")
    report.add("dispute_reversal", 3000, -1500, source_id=dispute, payout="po_2")
    report.add("fee", -200, source_id="", payout="po_2")
    report.add("network_cost", -31, source_id="", payout="po_2")
    return report


def named(stripe: AcquirerDay, reference: str) -> dict[str, str]:
    """The columns that name a charge."""
    query = "SELECT gateway_reference FROM attempts WHERE reference = %s"
    [(intent,)] = stripe.ask(query, reference)
    return {
        "payment_intent_id": intent,
        "source_id": f"ch_{intent}",
        "payment_metadata[paynexus_reference]": reference,
    }


def test_a_month_is_explained_to_the_cent(stripe: AcquirerDay) -> None:
    """Costs of its own, a collected payout and a capture in two lines among them."""
    report = a_month(stripe)

    stripe.give(report.text(), "2026-11.csv")

    assert stripe.verdicts() == {"matched": 12, "cost": 2}
    assert stripe.ask("SELECT reference, amount FROM gateway_payouts ORDER BY 1") == [
        ("po_1", 6 * 1000 + 15 - 6 * 45 + 4000 - 85 + 3000 - 70),
        ("po_2", -700 - 200 - 31),
    ]
    first, second = (row[0] for row in stripe.ask("SELECT amount FROM gateway_payouts ORDER BY 1"))
    arrivals = stripe.bank(stripe.credit(max(first, second), "STRIPE PO 1"))
    arrivals += stripe.bank(stripe.credit(min(first, second), "STRIPE"))
    assert [one.rule for one in arrivals] == ["amount_and_day", "amount_and_day"]
    assert stripe.balance("gateway_receivable") == 0
    assert stripe.balance("gateway_costs") == 6 * 45 + 85 + 70 + 231
    assert stripe.breaks() == []


def test_without_our_references_theirs_are_enough(stripe: AcquirerDay) -> None:
    """Intents and refunds are known by Stripe's ids, once their answers have come."""
    report = a_month(stripe)

    stripe.give(report.text([name for name in COLUMNS if "metadata" not in name]), "month.csv")

    assert stripe.verdicts() == {"matched": 12, "cost": 2}
    assert stripe.breaks() == []


def test_reports_may_overlap_and_the_later_may_name_the_payout(stripe: AcquirerDay) -> None:
    """A balance transaction is one line, and counts in its payout once."""
    report = a_month(stripe)
    payout = ("automatic_payout_id", "automatic_payout_effective_at_utc")

    stripe.give(report.text([name for name in COLUMNS if name not in payout]), "activity.csv")
    assert stripe.ask("SELECT count(*) FROM gateway_payouts") == [(0,)]
    stripe.give(report.text(), "payouts.csv")
    stripe.give("".join(report.text().splitlines(keepends=True)[:9]), "payouts-again.csv")

    assert stripe.verdicts() == {"matched": 12, "cost": 2, "repeated": 14 + 8}
    assert stripe.ask("SELECT sum(lines) FROM gateway_payouts") == [(14,)]
    assert stripe.breaks() == []


def test_what_stripe_alone_knows_is_a_break(stripe: AcquirerDay) -> None:
    """A top-up by hand, and a refund that failed after it had been booked."""
    report = a_month(stripe)
    refund = next(row for row in report.rows if row["reporting_category"] == "refund")
    of_refund = {name: refund[name] for name in ("source_id", COLUMNS[-1])}
    report.add("topup", 5000, source_id="tu_1")
    report.add("refund_failure", 700, 0, **of_refund)

    stripe.give(report.text(), "month.csv")

    assert [(one[0], one[2]) for one in stripe.breaks()] == [("extra", 700), ("extra", 5000)]


def test_a_payout_in_two_currencies_is_refused(stripe: AcquirerDay) -> None:
    """And nothing of the file is applied."""
    report = a_month(stripe)
    report.rows[0]["currency"] = "usd"

    with pytest.raises(BankFileRefused, match="'po_1' has lines in EUR and USD"):
        stripe.give(report.text(), "month.csv")
    assert stripe.ask("SELECT count(*) FROM gateway_lines") == [(0,)]
    assert stripe.ask("SELECT count(*) FROM gateway_files") == [(0,)]
