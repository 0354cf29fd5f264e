"""What answers about fraud lists look like."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.fraud.lists.model import Kind, State
from paynexus.fraud.model import Action
from tools.export_openapi.schemas.fraud import Author, Count
from tools.export_openapi.schemas.words import Closed, Mode, Moment, id_of, one_of

ListText = Annotated[str, id_of("fls", "The list.")]
EntryText = Annotated[str, id_of("fle", "The entry.")]
RescreeningText = Annotated[str, id_of("frs", "The re-screening.")]
Quality = Annotated[float, Field(ge=0, le=100, description="Of a match by name.")]


class FraudList(Closed):
    """A list, without its entries; only lists of names have a least quality."""

    id: ListText
    object: Literal["fraud_list"]
    name: str
    kind: Annotated[str, one_of(Kind)]
    action: Annotated[str, one_of(Action)]
    note: str
    min_quality: Quality | None
    state: Annotated[str, one_of(State)]
    is_platform: bool
    author: Author
    created: Moment


class FraudListEntry(Closed):
    """A listed value, in its normal form."""

    id: EntryText
    object: Literal["fraud_list_entry"]
    list: ListText
    value: str
    note: str
    source: Annotated[str, Field(description="`manual`, `csv`, or OFAC's numbers.")]
    author: Author
    expires: Moment | None
    removed: Moment | None
    created: Moment


class FraudListImport(Closed):
    """What an import has changed."""

    object: Literal["fraud_list_import"]
    added: Count
    removed: Count
    changed: Count
    unchanged: Count


class FraudRescreening(Closed):
    """How far past payments have been held against the list."""

    id: RescreeningText
    object: Literal["fraud_rescreening"]
    list: ListText
    since: Moment
    examined: Count
    hits: Count
    finished: Moment | None
    created: Moment


class FraudPastHit(Closed):
    """A payment that today's list would have met."""

    id: Annotated[str, id_of("frh", "The hit.")]
    object: Literal["fraud_rescreening_hit"]
    payment: data.PaymentText
    entry: EntryText
    quality: Quality | None
    mode: Mode
