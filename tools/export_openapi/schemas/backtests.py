"""What answers about back-tests, promotions and settings look like."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from paynexus.events import data
from paynexus.fraud.backtest.changes import ModelState
from paynexus.fraud.backtest.model import State
from paynexus.fraud.model import Verdict
from tools.export_openapi.schemas.fraud import Author, Count
from tools.export_openapi.schemas.words import Closed, Mode, Moment, one_of

MerchantId = Annotated[data.MerchantText | None, Field(description="Null: the platform's.")]
Change = Annotated[dict[str, JsonValue], Field(description="As it was asked for.")]
Outline = Annotated[
    dict[str, JsonValue], Field(description="The change; of entries, how many there are.")
]
Minor = Annotated[int, Field(description="In minor units.")]


class BacktestRate(Closed):
    """A share, with its interval of 95 %; null where there is nothing to have a share in."""

    count: Count
    of: Count
    rate: float | None
    interval: list[float] | None


class BacktestKnown(Closed):
    """How many payments are known to be what."""

    fraud: int
    genuine: int
    unknown: int


class BacktestExamples(Closed):
    """Up to 20 payments of each kind."""

    fraud: list[data.PaymentText]
    genuine: list[data.PaymentText]
    unknown: list[data.PaymentText]


class BacktestFlip(Closed):
    """Payments that are decided otherwise, in one way."""

    from_: Annotated[str, Field(alias="from"), one_of(Verdict)]
    to: Annotated[str, one_of(Verdict)]
    payments: Count
    known: BacktestKnown
    amounts: list[data.Amount]
    examples: BacktestExamples


class BacktestFlips(BacktestRate):
    """All payments that are decided otherwise."""

    decisions: list[BacktestFlip]


class BacktestMoney(Closed):
    """What the change makes of one currency's money."""

    currency: data.Currency
    fraud_stopped: Minor
    fraud_let_through: Minor
    genuine_stopped: Minor
    genuine_let_through: Minor
    unknown_stopped: Minor
    unknown_let_through: Minor
    challenged: BacktestKnown
    difference: Annotated[int, Field(description="Money kept less money lost.")]
    interval: list[int]
    confidence: float
    resamples: Count


class BacktestFraudsLetThrough(Closed):
    """Frauds that were held up and no longer are."""

    count: Count
    examples: list[data.PaymentText]


class BacktestDetection(Closed):
    """How right the decisions are, among payments of which the truth is known."""

    verdicts: Annotated[dict[str, Count], Field(description="How many payments, by verdict.")]
    precision: BacktestRate
    recall: BacktestRate
    false_positive_rate: BacktestRate


class BacktestDetections(Closed):
    """As things stand, and with the change."""

    base: BacktestDetection
    candidate: BacktestDetection


class BacktestOfMerchant(Closed):
    """Genuine payments of one merchant that are held up."""

    merchant: data.MerchantText
    base: BacktestRate
    candidate: BacktestRate
    increase: float


class BacktestFalsePositives(Closed):
    """Genuine payments that are held up, by merchant."""

    merchants: list[BacktestOfMerchant]
    merchants_left_out: Count


class BacktestRuleErrors(Closed):
    """Payments for which a rule erred."""

    base: Count
    candidate: Count


class FraudBacktestReport(Closed):
    """What the change would have done; docs/fraud/backtests.md says what each figure is."""

    payments: Count
    warm_up_payments: Count
    cards: Count
    payer_no_longer_kept: Count
    rule_errors: BacktestRuleErrors
    label_delay_days: Count
    known: BacktestKnown
    flipped: BacktestFlips
    money: list[BacktestMoney]
    frauds_let_through: BacktestFraudsLetThrough
    detection: BacktestDetections
    false_positives: BacktestFalsePositives


class FraudBacktest(Closed):
    """A change that is replayed over a period, with its report once there is one."""

    id: data.BacktestText
    object: Literal["fraud_backtest"]
    merchant: MerchantId
    status: Annotated[str, one_of(State)]
    change: Change
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment
    warm_up_from: Moment
    report: FraudBacktestReport | None
    failure: Literal["interrupted", "out_of_time", "change_is_gone"] | None
    requested_by: Author
    mode: Mode
    created: Moment
    finished: Moment | None


class FraudGateCheck(Closed):
    """One thing that the gate asked, and what the answer was."""

    name: str
    is_met: bool
    actual: float | bool | None
    limit: float | bool


class FraudPromotion(Closed):
    """A change that took effect, and whether it was put back."""

    id: data.PromotionText
    object: Literal["fraud_promotion"]
    merchant: MerchantId
    backtest: data.BacktestText
    subject: Annotated[str, Field(description="A rule, a list, `model`, `thresholds`, `limits`.")]
    change: Outline
    because: str | None
    promoted_by: Author
    reverted_by: str | None
    mode: Mode
    created: Moment
    reverted: Moment | None
    replaced: Annotated[dict[str, JsonValue], Field(description="What stood before.")]
    checks: list[FraudGateCheck]


class FraudGate(Closed):
    """What a back-test has to show."""

    flipped_max: float
    false_positive_increase_max: float
    money_floor_minor: Minor
    payments_min: Count
    age_days_max: Count


class FraudSettings(Closed):
    """Which model scores payments and from where on it speaks, and what the gate asks."""

    object: Literal["fraud_settings"]
    model: str | None
    model_state: Annotated[str, one_of(ModelState)]
    challenge_at: float | None
    block_at: float | None
    gate: FraudGate
