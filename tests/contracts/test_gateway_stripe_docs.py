"""docs/gateways.md says of Stripe's statuses what the code does."""

from pathlib import Path

import pytest

from paynexus.gateways.port import Outcome
from paynexus.gateways.stripe.answers import INTENTS, REFUNDS

PAGE = Path(__file__).parents[2] / "docs/gateways.md"
ASKED_AFTER = {"requires_action": "DECLINED once it is canceled, else UNKNOWN"}
"""What the adapter itself brings to an end."""


def _said_of(kind: str) -> dict[str, str]:
    """The outcome in the table for each status of this kind of object."""
    section = PAGE.read_text().partition("## What we make of its answers")[2]
    said: dict[str, str] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if line.startswith(f"| {kind} ") and "," not in cells[1].replace("`, `", " "):
            said |= dict.fromkeys(cells[1].split("`")[1::2], cells[2])
        elif line.startswith("| the same without, `requires_confirmation`"):
            said["requires_confirmation"] = cells[2]
    return said


@pytest.mark.parametrize(("kind", "table"), [("intent", INTENTS), ("refund", REFUNDS)])
def test_each_status_is_told_as_it_is_taken(kind: str, table: dict[str, Outcome]) -> None:
    """A status added to the code, or changed, is changed on the page."""
    said = _said_of(kind)
    special = ASKED_AFTER if kind == "intent" else {}

    assert {status: said.get(status) for status in table} == {
        status: special.get(status, outcome.value) for status, outcome in table.items()
    }
