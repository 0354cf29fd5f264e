"""docs/payments.md says of a payment's life what the code does."""

import re
from pathlib import Path

from paynexus.events import FACTS
from paynexus.gateways import outcomes
from paynexus.payments import endings
from paynexus.payments.model import FINAL, TRANSITIONS, Status

PAGE = (Path(__file__).parents[2] / "docs/payments.md").read_text(encoding="utf-8")


def lifecycle() -> list[str]:
    """The diagram, as the table of the lifecycle draws it."""
    moves = [f"    {old} --> {new}: {fact}" for (old, fact), new in TRANSITIONS.items()]
    ends = [f"    {status} --> [*]" for status in Status if status in FINAL]
    return ["```mermaid", "stateDiagram-v2", "    [*] --> PENDING", *moves, *ends, "```"]


def test_the_page_draws_the_lifecycle() -> None:
    """Paste the expected lines into the page when this fails."""
    _, _, rest = PAGE.partition("<!-- lifecycle: ")
    _, _, body = rest.partition("-->\n")
    drawn, _, _ = body.partition("<!-- /lifecycle -->")

    assert drawn.splitlines() == lifecycle()


def test_the_page_explains_each_status() -> None:
    """One row a status."""
    explained = re.findall(r"^\| `([A-Z]+)` \| \w", PAGE, re.MULTILINE)

    assert explained == list(Status)


def test_the_page_explains_our_own_failure_codes() -> None:
    """What a merchant is shown, besides a gateway's own codes, can be looked up."""
    codes = {endings.BLOCKED.code, endings.NOT_AUTHENTICATED.code, "gateway_not_configured"}
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
