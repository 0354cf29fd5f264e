"""What requests about cases look like."""

from typing import Annotated, Literal

from pydantic import Field

from fraud_api.schemas import id_of, line
from paynexus import http
from paynexus.fraud.cases.model import CaseOutcome
from paynexus.fraud.cases.service import FEEDBACK_KINDS

NOTE_CHARACTERS_MAX = 1_000
"""Of one entry of a case's diary."""
NAME_CHARACTERS_MAX = 100
"""Of whoever has a case in hand."""

Note = Annotated[str, line(NOTE_CHARACTERS_MAX), http.NoCardNumber]
Name = Annotated[str, line(NAME_CHARACTERS_MAX), http.NoCardNumber]


class AssignOrder(http.Strict):
    """Who looks at the case."""

    assignee: Name


class NoteOrder(http.Strict):
    """An entry of the case's diary."""

    text: Note


class FeedbackOrder(http.Strict):
    """What of the payment is put on which of the merchant's lists; what isn't known is left out."""

    list: Annotated[str, id_of("fls")]
    kinds: Annotated[
        tuple[Literal["fingerprint", "email"], ...],
        Field(strict=False, min_length=1, max_length=len(FEEDBACK_KINDS)),
    ]


class CloseOrder(http.Strict):
    """What was found; without a text the diary says the outcome alone."""

    outcome: Annotated[CaseOutcome, Field(strict=False)]
    text: Note | None = None
    feedback: FeedbackOrder | None = None


class ReopenOrder(http.Strict):
    """Who looks at the case again, and why."""

    assignee: Name
    text: Note
