"""One exchange, and the values that examples share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paynexus.events import FACTS
from paynexus.http import JSON

ID = "01jd3x8k5v7wqs2r9h4mc6t0ne"
CREATED = "2026-11-22T16:50:00.123456Z"
EUR_12_50 = {"amount": 1250, "currency": "EUR"}
PAYMENT, TRANSFER = f"pay_{ID}", f"tr_{ID}"


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange: what is sent, if anything, and what comes back with which status."""

    title: str
    answer: Any
    status: int = 200
    request: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON


def said(kind: str) -> dict[str, Any]:
    """The object as the fact's sample tells of it."""
    return dict(FACTS[kind].sample["data"])


def one_page(*items: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A list with nothing after it."""
    return {"data": list(items), "has_more": False}
