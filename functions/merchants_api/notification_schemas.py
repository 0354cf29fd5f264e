"""What requests about webhooks look like."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from paynexus import http
from paynexus.events import FACTS
from paynexus.notification.addresses import URL_LENGTH_MAX
from paynexus.notification.model import ANNOUNCED_SOURCES

ANNOUNCED = frozenset(kind for kind, fact in FACTS.items() if fact.topic in ANNOUNCED_SOURCES)


def _announced(kind: str) -> str:
    if kind not in ANNOUNCED:
        raise ValueError(f"no such event type: use one of {', '.join(sorted(ANNOUNCED))}")
    return kind


def _distinct(kinds: list[str]) -> list[str]:
    return sorted(set(kinds))


type EventTypes = Annotated[
    list[
        Annotated[
            str,
            AfterValidator(_announced),
            Field(json_schema_extra={"enum": sorted(ANNOUNCED)}),
        ]
    ],
    Field(max_length=len(ANNOUNCED)),
    AfterValidator(_distinct),
]
type Url = Annotated[str, Field(min_length=1, max_length=URL_LENGTH_MAX)]
type Description = Annotated[
    str, StringConstraints(pattern=f"^{http.PLAIN}{{0,200}}$"), http.NoCardNumber
]


class EndpointOrder(http.Strict):
    """An endpoint to be made; no event types means every one."""

    url: Url
    description: Description = ""
    event_types: EventTypes = Field(default_factory=list)


class EndpointChange(http.Strict):
    """What changes; what is absent stays."""

    url: Url | None = None
    description: Description | None = None
    event_types: EventTypes | None = None
    status: Literal["enabled", "disabled"] | None = None
