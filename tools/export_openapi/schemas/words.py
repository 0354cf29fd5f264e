"""The words that answers share: moments, modes, ids, lists."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from paynexus import ids

CLIENT_ID = "^pnx_(test|live)_[0-9A-Za-z]{22}$"


def one_of(kind: type[StrEnum]) -> Any:  # noqa: ANN401 - pydantic's own FieldInfo
    """The enum's values, as the product has them."""
    return Field(json_schema_extra={"enum": [str(one) for one in kind]})


def id_of(prefix: str, what: str) -> Any:  # noqa: ANN401 - pydantic's own FieldInfo
    """Text as `ids.text` writes it."""
    return Field(pattern=pattern_of(prefix), description=what)


def pattern_of(prefix: str) -> str:
    """What ids with the prefix look like: 128 bits, so that the first digit is below eight."""
    return f"^{prefix}_[0-7][{ids.ALPHABET}]{{{ids.TEXT_LENGTH - 1}}}$"


Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$",
        json_schema_extra={"format": "date-time"},
    ),
]
Mode = Annotated[Literal["test", "live"], Field(description="The money it moves: none, or real.")]
ObjectId = Annotated[
    str,
    Field(
        pattern=pattern_of("[a-z]+"),
        description="The object it is about: `pay_…`, `re_…`, `dp_…`, `set_…`.",
    ),
]
TransferId = Annotated[str, id_of("tr", "A movement in the books.")]
EndpointId = Annotated[str, id_of("we", "The endpoint.")]
DeliveryId = Annotated[str, id_of("del", "The delivery.")]


class Closed(BaseModel):
    """A resource: these members and no others."""

    model_config = ConfigDict(extra="forbid")
