"""What a list is asked for in a query, checked: its page, its times, and no other words."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from paynexus import ids
from paynexus.errors import InvalidRequest
from paynexus.http import PAGE_SIZE_DEFAULT, PAGE_SIZE_LIMIT, Resolver
from paynexus.lists.model import EARLIEST, LATEST, Page

MICROSECOND = dt.timedelta(microseconds=1)
MILLISECOND = dt.timedelta(milliseconds=1)
NAME_SHOWN = 64
"""Characters of an unknown parameter's name that are told back."""

RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _written(moment: object) -> object:
    if not isinstance(moment, str) or not RFC_3339.fullmatch(moment):
        raise ValueError(
            "write a moment with its offset, such as 2026-11-27T09:30:00Z; a + goes as %2B"
        )
    return moment


def _id(prefix: str, text: object) -> UUID:
    return ids.parse(prefix, str(text))


type Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""RFC 3339 with an offset, to the microsecond at most."""
_AS_TEXT = WithJsonSchema({"type": "string"})
type PaymentName = Annotated[UUID, BeforeValidator(partial(_id, "pay")), _AS_TEXT]
type EventName = Annotated[UUID, BeforeValidator(partial(_id, "evt")), _AS_TEXT]
type EndpointName = Annotated[UUID, BeforeValidator(partial(_id, "we")), _AS_TEXT]


class Asked(BaseModel):
    """What every list takes; a list of its own adds fields for what else it filters by."""

    model_config = ConfigDict(frozen=True)
    step: ClassVar[dt.timedelta] = MICROSECOND
    """How exactly the list's objects tell when they were made."""

    limit: Annotated[int, Field(ge=1, le=PAGE_SIZE_LIMIT)] = PAGE_SIZE_DEFAULT
    starting_after: Annotated[
        str | None, Field(max_length=64, description="the id of the last one that was seen")
    ] = None
    created_gte: Annotated[
        Moment | None, Field(alias="created[gte]", description="made then or later")
    ] = None
    created_gt: Annotated[Moment | None, Field(alias="created[gt]", description="later")] = None
    created_lte: Annotated[
        Moment | None, Field(alias="created[lte]", description="made then or before")
    ] = None
    created_lt: Annotated[Moment | None, Field(alias="created[lt]", description="before")] = None

    def page[Key](self, key_of: Callable[[str], Key]) -> Page[Key]:
        """The page that is asked for; InvalidRequest for what no object can be.

        `key_of` reads what an id says, or raises ValueError.
        """
        since, until = self._window()
        return Page(
            self.limit,
            before=self._cursor(key_of),
            since=since,
            until=until,
            like=self.model_dump(exclude=set(Asked.model_fields), exclude_none=True),
        )

    def _cursor[Key](self, key_of: Callable[[str], Key]) -> Key | None:
        if self.starting_after is None:
            return None
        try:
            return key_of(self.starting_after)
        except ValueError as error:
            raise InvalidRequest(f"starting_after: {error}", param="starting_after") from None

    def _window(self) -> tuple[dt.datetime, dt.datetime]:
        given = self._bounds()
        for one, other in (("created[gte]", "created[gt]"), ("created[lte]", "created[lt]")):
            if one in given and other in given:
                raise InvalidRequest(f"{other}: give this or {one}, not both", param=other)
        since = _first(self.created_gte, self.created_gt, self.step, without=EARLIEST)
        until = _first(self.created_lt, self.created_lte, self.step, without=LATEST)
        if since >= until:
            last = self._bounds()[-1]
            raise InvalidRequest(f"{last}: no time is left between the bounds", param=last)
        return since, until

    def _bounds(self) -> list[str]:
        bounds = {
            "created[gte]": self.created_gte,
            "created[gt]": self.created_gt,
            "created[lte]": self.created_lte,
            "created[lt]": self.created_lt,
        }
        return [name for name, moment in bounds.items() if moment is not None]


def require_known(app: Resolver, event: Mapping[str, Any]) -> None:
    """Raise InvalidRequest for a parameter that the route doesn't take, or that is given twice.

    A filter that is misspelt, or that one of two values overrules, would widen a list unseen.
    """
    given = {
        **(event.get("queryStringParameters") or {}),
        **(event.get("multiValueQueryStringParameters") or {}),
    }
    if not given:
        return
    method = event["httpMethod"].upper()
    routes = [route for route in app.routes_on(event["path"]) if route.method == method]
    known = [name for route in routes[:1] for name in _parameters_of(route)]
    for name, value in given.items() if routes else ():
        if name not in known:
            shown = name[:NAME_SHOWN]
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InvalidRequest(f"{shown}: this path has no such parameter; {takes}", param=shown)
        if isinstance(value, list) and len(value) > 1:
            raise InvalidRequest(f"{name}: give this parameter once", param=name)


def _parameters_of(route: Any) -> list[str]:  # noqa: ANN401 - Powertools leaves it open
    names: list[str] = []
    for field in route.dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names += [one.alias or name for name, one in model.model_fields.items()]
        else:
            names.append(field.alias)
    return names


def _first(
    at: dt.datetime | None, after: dt.datetime | None, step: dt.timedelta, *, without: dt.datetime
) -> dt.datetime:
    """The first moment that can be told, from `at` on or later than `after`."""
    moment = at or after
    if moment is None:
        return without
    within = min(max(moment, EARLIEST), LATEST).astimezone(dt.UTC)
    told = (within - EARLIEST) // step
    is_told = (within - EARLIEST) % step == dt.timedelta(0)
    return EARLIEST + step * (told if at is not None and is_told else told + 1)
