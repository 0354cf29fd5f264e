"""How a merchant wants its charges routed: the `routing` section of its configuration."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from paynexus import http
from paynexus.gateways.routing import BRANDS

AMOUNT_MAX = 10**15
RULES_MAX = 50
WEIGHT_MAX = 1000

type Gateway = Literal["sandbox", "sandbox_two", "stripe"]
type Minor = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]
type Brand = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(BRANDS))})$")]


class Amounts(http.Strict):
    """Between these, both included, in minor units of the payment's currency."""

    at_least: Minor | None = None
    at_most: Minor | None = None


class Conditions(http.Strict):
    """All that are given have to hold."""

    currencies: list[Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]] | None = None
    countries: list[Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]] | None = None
    brands: list[Brand] | None = None
    amount: Amounts | None = None


class Rule(http.Strict):
    """Payments that fit go to these gateways, in this order or by these shares, to no others."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    when: Conditions | None = None
    gateways: Annotated[list[Gateway], Field(min_length=1, max_length=10)] | None = None
    split: (
        Annotated[
            dict[Gateway, Annotated[int, Field(ge=1, le=WEIGHT_MAX)]],
            Field(min_length=2, max_length=10),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _has_one_way(self) -> Self:
        if (self.gateways is None) == (self.split is None):
            raise ValueError(
                "name either `gateways`, in order, or a `split` with a weight for each"
            )
        return self


class Routing(http.Strict):
    """The first rule that fits decides; without one the configuration's order does."""

    rules: Annotated[list[Rule], Field(max_length=RULES_MAX)] | None = None
    by_success_rate: bool | None = None
    explore_percent: Annotated[int, Field(ge=0, le=50)] | None = None
