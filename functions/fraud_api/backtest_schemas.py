"""What requests about back-tests, promotions and settings look like."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fraud_api.list_schemas import Note
from fraud_api.schemas import AMoment, id_of, line
from paynexus import http
from paynexus.fraud.backtest.changes import ENTRIES_MAX, LIMIT_MAX, ModelState
from paynexus.fraud.backtest.model import Period
from paynexus.fraud.backtest.service import Wanted
from paynexus.fraud.lists.normal import VALUE_LENGTH_MAX

MODEL_CHARACTERS_MAX = 64
"""Of a model's version."""
MONEY_MAX = 10**15
"""In minor units."""
COUNT_MAX = 10**6

Limit = Annotated[int, Field(ge=0, le=LIMIT_MAX)]
Share = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(gt=0, le=1)]


class ChangeOfRule(http.Strict):
    """This version of the rule decides; null disables the rule."""

    type: Literal["rule"]
    rule: Annotated[str, id_of("frl")]
    version: Annotated[str, id_of("frv")] | None


class ProposedEntry(http.Strict):
    """An entry that the list doesn't have yet."""

    value: Annotated[str, line(VALUE_LENGTH_MAX), http.NoCardNumber]
    note: Note = ""
    expires: AMoment | None = None


class ChangeOfList(http.Strict):
    """Entries come onto the list, others off it."""

    type: Literal["list"]
    list: Annotated[str, id_of("fls")]
    add: Annotated[tuple[ProposedEntry, ...], Field(strict=False, max_length=ENTRIES_MAX)] = ()
    remove: Annotated[
        tuple[Annotated[str, id_of("fle")], ...], Field(strict=False, max_length=ENTRIES_MAX)
    ] = ()


class ChangeOfModel(http.Strict):
    """This model scores the merchant's payments."""

    type: Literal["model"]
    model: Annotated[
        str, StringConstraints(pattern=f"^[a-z0-9][a-z0-9._-]{{0,{MODEL_CHARACTERS_MAX - 1}}}$")
    ]
    state: Annotated[ModelState, Field(strict=False)]


class ChangeOfThresholds(http.Strict):
    """From these probabilities of fraud on, the model's score challenges and blocks."""

    type: Literal["thresholds"]
    challenge_at: Probability
    block_at: Probability


class ChosenLimits(http.Strict):
    """ChosenLimits of the merchant's configuration; those not named stay."""

    challenge_above_minor: Limit | None = None
    block_above_minor: Limit | None = None
    max_payments_per_hour: Limit | None = None


class ChangeOfLimits(http.Strict):
    """The merchant's limits."""

    type: Literal["limits"]
    limits: ChosenLimits


class BacktestOrder(http.Strict):
    """A change, and the period over which it is replayed."""

    change: Annotated[
        ChangeOfRule | ChangeOfList | ChangeOfModel | ChangeOfThresholds | ChangeOfLimits,
        Field(discriminator="type"),
    ]
    begins: Annotated[AMoment, Field(alias="from", description="the period's first moment")]
    ends: Annotated[AMoment, Field(alias="to", description="the first after it, in the past")]

    def to_wanted(self) -> Wanted:
        """The order in the product's own words."""
        change: dict[str, Any] = self.change.model_dump(mode="json")
        if isinstance(self.change, ChangeOfLimits):
            change["limits"] = self.change.limits.model_dump(exclude_none=True)
        return Wanted(change, Period(self.begins, self.ends))


class PromotionOrder(http.Strict):
    """The back-test whose change is to take effect."""

    backtest: Annotated[str, id_of("fbt")]


class GateChange(http.Strict):
    """What the gate asks; null returns to what the platform asks, what is absent stays."""

    payments_min: Annotated[int, Field(ge=1, le=COUNT_MAX)] | None = None
    flipped_max: Share | None = None
    false_positive_increase_max: Share | None = None
    money_floor_minor: Annotated[int, Field(ge=-MONEY_MAX, le=MONEY_MAX)] | None = None
    age_days_max: Annotated[int, Field(ge=1, le=COUNT_MAX)] | None = None


class SettingsChange(http.Strict):
    """What changes; model and thresholds change through the gate alone."""

    gate: GateChange
