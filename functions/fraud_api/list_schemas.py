"""What requests about lists look like."""

from typing import Annotated

from pydantic import Field

from fraud_api.schemas import AMoment, line
from paynexus import http
from paynexus.fraud.lists.checking import QUALITY_MAX
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import (
    MIN_QUALITY_LEAST,
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    Kind,
    State,
    Wanted,
)
from paynexus.fraud.lists.normal import VALUE_LENGTH_MAX
from paynexus.fraud.model import Action
from paynexus.jsontext import BODY_LIMIT_BYTES

# Strict models take no text for an enum; JSON has nothing else.
OneAction = Annotated[Action, Field(strict=False)]
Note = Annotated[str, line(NOTE_LENGTH_MAX, least=0), http.NoCardNumber]
Quality = Annotated[
    float,
    Field(
        ge=MIN_QUALITY_LEAST,
        le=QUALITY_MAX,
        description="of lists of names: how much of a name has to be alike",
    ),
]


class ListOrder(http.Strict):
    """A list to be made; it is asked at each decision."""

    name: Annotated[str, line(NAME_LENGTH_MAX), http.NoCardNumber]
    kind: Annotated[Kind, Field(strict=False)]
    action: OneAction
    note: Annotated[Note, Field(description="of each hit, for people to read")] = ""
    min_quality: Quality | None = None

    def to_wanted(self) -> Wanted:
        """The list in the product's own words."""
        return Wanted(self.name, self.kind, self.action, self.note, self.min_quality)


class ListChange(http.Strict):
    """What changes; what is absent stays."""

    note: Note | None = None
    action: OneAction | None = None
    state: Annotated[State, Field(strict=False)] | None = None
    min_quality: Quality | None = None


class EntryOrder(http.Strict):
    """A value to be listed, in any way to write it."""

    value: Annotated[str, line(VALUE_LENGTH_MAX), http.NoCardNumber]
    note: Note = ""
    expires_at: AMoment | None = None


class ImportOrder(http.Strict):
    """A file of entries: with the request around it, no larger than any body."""

    layout: Annotated[
        Layout,
        Field(
            strict=False,
            description="csv: a heading value,note,expires_at; ofac_sdn: OFAC's sdn.csv",
        ),
    ] = Layout.CSV
    file: Annotated[
        str,
        # A file that is too large is a body that is too large: it gets that refusal.
        Field(
            min_length=1,
            description=f"the file's text; the whole body has {BODY_LIMIT_BYTES} bytes at most",
        ),
    ]
