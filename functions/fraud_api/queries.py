"""What lists and statistics are asked for in a query."""

import datetime as dt
import re
from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from paynexus import http, ids
from paynexus.fraud.cases.model import CaseOutcome, CaseState
from paynexus.fraud.lists.model import Kind, State
from paynexus.fraud.lists.normal import VALUE_LENGTH_MAX
from paynexus.fraud.model import Action
from paynexus.lists.query import Asked, PaymentName

STATISTICS_DAYS = 30
"""Days of a rule's statistics that are told unless others are asked for, today among them."""
_DAY = re.compile(r"20\d\d-\d\d-\d\d", re.ASCII)


def _written(day: object) -> object:
    if not isinstance(day, str) or not _DAY.fullmatch(day):
        raise ValueError("write a day of this century, such as 2026-11-27")
    return day


def _id(prefix: str, text: object) -> UUID:
    return ids.parse(prefix, str(text))


type Day = Annotated[
    dt.date, BeforeValidator(_written), WithJsonSchema({"type": "string", "format": "date"})
]


type RescreeningName = Annotated[
    UUID, BeforeValidator(partial(_id, "frs")), WithJsonSchema({"type": "string"})
]


class CasesAsked(Asked):
    """Which cases are asked for."""

    state: CaseState | None = None
    outcome: CaseOutcome | None = None
    payment: PaymentName | None = None


class ListsAsked(Asked):
    """Which lists are asked for."""

    kind: Kind | None = None
    action: Action | None = None
    state: State | None = None


class EntriesAsked(Asked):
    """Which entries of a list are asked for."""

    value: Annotated[
        str | None,
        Field(
            pattern=f"^{http.PLAIN}{{1,{VALUE_LENGTH_MAX}}}$",
            description="in its normal form, as the entry shows it",
        ),
    ] = None


class HitsAsked(Asked):
    """Which hits of past payments are asked for."""

    rescreening: RescreeningName | None = None


class DaysAsked(BaseModel):
    """Of which days, by UTC, a rule's statistics are asked for."""

    model_config = ConfigDict(frozen=True)
    since: Day | None = None
    until: Day | None = None

    def span(self, *, today: dt.date) -> tuple[dt.date, dt.date]:
        """The first day, and the one after the last."""
        until = self.until or today + dt.timedelta(days=1)
        return self.since or until - dt.timedelta(days=STATISTICS_DAYS), until
