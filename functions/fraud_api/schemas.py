"""What requests about rules and snoozes look like."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from paynexus import http, ids
from paynexus.fraud.model import Action, EntityKind
from paynexus.fraud.rulebook.language import EXPRESSION_CHARACTERS_MAX
from paynexus.fraud.rulebook.model import CODE, MESSAGE_CHARACTERS_MAX, Wording
from paynexus.fraud.rulebook.snoozing import REASON_CHARACTERS_MAX
from paynexus.lists.model import EARLIEST, LATEST
from paynexus.lists.query import Moment

VALUE_CHARACTERS_MAX = 254
"""Of what names an entity: no e-mail address is longer."""


def id_of(prefix: str) -> StringConstraints:
    """An id in a body."""
    digits = f"[0-7][{ids.ALPHABET}]{{{ids.TEXT_LENGTH - 1}}}"
    return StringConstraints(pattern=f"^{prefix}_{digits}$")


def _within(moment: dt.datetime) -> dt.datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"give a moment from {EARLIEST.year} to before {LATEST.year}")
    return moment


def line(length: int, *, least: int = 1) -> StringConstraints:
    """One line of so many characters at most."""
    return StringConstraints(pattern=f"^{http.PLAIN}{{{least},{length}}}$")


# Strict models take no text for a moment; JSON has nothing else.
AMoment = Annotated[
    Moment,
    Field(strict=False),
    AfterValidator(_within),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Nothing(http.Strict):
    """A request that takes no fields."""


NOTHING = Nothing()
"""What a request without a body asks for."""


class WordingOrder(http.Strict):
    """When a version hits, what it then asks for, and in which words."""

    expression: Annotated[
        str,
        StringConstraints(min_length=1, max_length=EXPRESSION_CHARACTERS_MAX),
        http.NoCardNumber,
        Field(description="in CEL, over the features: true is a hit"),
    ]
    action: Literal["block", "challenge", "review"]
    message: Annotated[
        str,
        line(MESSAGE_CHARACTERS_MAX),
        http.NoCardNumber,
        Field(description="of each hit, for people to read: no personal data"),
    ]

    def to_wording(self) -> Wording:
        """The same in the product's own words."""
        return Wording(self.expression, Action(self.action), self.message)


class RuleOrder(WordingOrder):
    """A rule to be made; it begins as a draft."""

    code: Annotated[
        str,
        StringConstraints(pattern=f"^{CODE.pattern}$"),
        Field(description="what decisions call the rule, once in a merchant's rules"),
    ]


class ShadowOrder(http.Strict):
    """The version that is to run in shadow."""

    version: Annotated[str, id_of("frv")]


class EntityOrder(http.Strict):
    """Whose payments: named by `value`, or as `payment` has it; the merchant by neither."""

    # Strict models take no text for an enum; JSON has nothing else.
    kind: Annotated[EntityKind, Field(strict=False)]
    value: Annotated[str, line(VALUE_CHARACTERS_MAX), http.NoCardNumber] | None = None
    payment: Annotated[str, id_of("pay")] | None = None


class SnoozeOrder(http.Strict):
    """For how long a rule is to say nothing about an entity's payments, and why."""

    entity: EntityOrder
    ends_at: AMoment
    reason: Annotated[str, line(REASON_CHARACTERS_MAX), http.NoCardNumber]
