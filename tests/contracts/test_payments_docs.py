"""docs/payments.md and docs/lifecycle.* say of a payment's life what the code does."""

import re
from pathlib import Path

from paynexus.events import FACTS
from paynexus.gateways import outcomes
from paynexus.payments import endings
from paynexus.payments.dispute import DisputeStatus
from paynexus.payments.model import Failure, Status
from tools import export_lifecycle

PAGE = (Path(__file__).parents[2] / "docs/payments.md").read_text(encoding="utf-8")


def test_the_lifecycles_are_current() -> None:
    """docs/lifecycle.md and docs/lifecycle.json say what the code says (`make generate`)."""
    stale = export_lifecycle.differences(export_lifecycle.wanted(), export_lifecycle.DOCS)

    assert list(stale) == []


def test_no_lifecycle_leads_out_of_its_end_or_gets_stuck() -> None:
    """Every status is reached from the first one; from all but the final ones a way leads on."""
    for one in export_lifecycle.LIFECYCLES:
        reached = {one.initial, *one.transitions.values()}
        left = {old for (old, _), new in one.transitions.items() if new != old}
        assert reached == set(one.statuses), one.name
        assert left == set(one.statuses) - one.final, one.name


def test_the_page_explains_each_status() -> None:
    """One row a status, of payments and of disputes."""
    explained = re.findall(r"^\| `([A-Z]+)` \| \w", PAGE, re.MULTILINE)

    assert explained == [*Status, *DisputeStatus]


def test_the_page_explains_our_own_failure_codes() -> None:
    """What a merchant is shown, besides a gateway's own codes, can be looked up."""
    codes = {one.code for one in vars(endings).values() if isinstance(one, Failure)}
    codes |= {"gateway_not_configured"}
    codes |= {outcomes.CIRCUIT_OPEN, outcomes.GATEWAY_BUSY, *outcomes.REFUSED_UNREAD.values()}
    not_sent = [moment for moment, outcome in outcomes.FAILURES.items() if outcome == "NOT_SENT"]
    codes |= {f"{moment}_…" for moment in not_sent}

    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_the_page_names_each_event_of_payments() -> None:
    """In full for the first of its family, by its last word for the others."""
    kinds = [kind for kind, fact in FACTS.items() if fact.topic == "payments.events"]

    for kind in kinds:
        family, name, _ = kind.split(".")
        assert f"`{kind}`" in PAGE or f"`.{name}`" in PAGE, f"{family}: {name}"
