"""Finding what Stripe holds under one of our references, which it keeps as metadata."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from paynexus.gateways.port import Outcome
from paynexus.gateways.stripe.answers import CAPTURE_REFERENCE, REFERENCE, Body, reference_of
from paynexus.gateways.stripe.line import CallEnded, Line

PAGE_OBJECTS = 10
"""An answer of ten intents fits what we read of one."""
PAGES_MAX = 20


@dataclass(frozen=True, slots=True)
class Lookup:
    """The intent, if it was found; otherwise how far the look went."""

    intent: Body | None
    is_complete: bool = True
    """All the intents that there are were looked at."""
    is_searched: bool = False
    """Stripe's search knows none, as of some time ago."""


def intent_of(line: Line, intent_id: str) -> Body:
    """The intent as it stands, with the charge that it came to. Raises CallEnded."""
    params: Any = {"expand": ["latest_charge"]}
    return line.ask(lambda: line.api.payment_intents.retrieve(intent_id, params))


def find_intent(line: Line, reference: str) -> Lookup:
    """The intent that a charge under `reference` made. Raises CallEnded.

    Stripe's search is of its whole history but some minutes behind, and not offered in every
    country; its list is exact, so the latest intents are looked through too.
    """
    found, is_searched = _searched(line, reference)
    if found is None:
        listed = _listed(line, reference)
        if listed.intent is None:
            return replace(listed, is_searched=is_searched)
        found = listed.intent
    return Lookup(intent_of(line, str(found["id"])))


def find_refund(line: Line, intent_id: str, reference: str) -> Body | None:
    """The refund that was made under `reference` of one intent. Raises CallEnded."""
    mine = [one for one in refunds_of(line, intent_id) if reference_of(one) == reference]
    return mine[0] if mine else None


def refunds_of(line: Line, intent_id: str) -> list[Body]:
    """All refunds of one intent, latest first. Raises CallEnded."""
    found: list[Body] = []
    params: Any = {"payment_intent": intent_id, "limit": PAGE_OBJECTS}
    while True:
        page: Any = _page(line.api.refunds.list, line, params)
        found += page["data"]
        if not page["has_more"]:
            return found
        params = _next(params, page)


def is_captured_under(intent: Body, reference: str) -> bool:
    """Whether this capture is the one that the intent was last marked with, and was made."""
    marked = reference_of(intent, CAPTURE_REFERENCE)
    return marked == reference and intent.get("status") == "succeeded"


def _searched(line: Line, reference: str) -> tuple[Body | None, bool]:
    """What the search finds, and whether there is one."""
    params: Any = {"query": f'metadata["{REFERENCE}"]:"{_quoted(reference)}"', "limit": 1}
    try:
        page: Any = line.ask(lambda: line.api.payment_intents.search(params))
    except CallEnded as end:
        if end.result.outcome is Outcome.DECLINED:
            return None, False
        raise
    return next((one for one in page["data"] if reference_of(one) == reference), None), True


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _listed(line: Line, reference: str) -> Lookup:
    params: Any = {"limit": PAGE_OBJECTS}
    for _ in range(PAGES_MAX):
        page: Any = _page(line.api.payment_intents.list, line, params)
        for one in page["data"]:
            if reference_of(one) == reference:
                return Lookup(one)
        if not page["has_more"]:
            return Lookup(None)
        params = _next(params, page)
    return Lookup(None, is_complete=False)


def _page(ask: Callable[..., Any], line: Line, params: dict[str, Any]) -> Body:
    return line.ask(lambda: ask(params))


def _next(params: dict[str, Any], page: Any) -> dict[str, Any]:  # noqa: ANN401 - Stripe's JSON
    return params | {"starting_after": page["data"][-1]["id"]}
