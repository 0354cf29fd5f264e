"""What answers about fraud look like: features, rules, snoozes, cases."""

from typing import Annotated, Literal

from pydantic import Field

from paynexus.events import data
from paynexus.fraud.cases.model import CaseOutcome, CaseState, NoteKind
from paynexus.fraud.features import Kind
from paynexus.fraud.model import Action, EntityKind, Verdict
from paynexus.fraud.rulebook.model import State
from tools.export_openapi.schemas.timeline import FraudReason, FraudTrace
from tools.export_openapi.schemas.words import Closed, Mode, Moment, id_of, one_of

RuleText = Annotated[str, id_of("frl", "The rule.")]
VersionText = Annotated[str, id_of("frv", "The version.")]
SnoozeText = Annotated[str, id_of("fsn", "The snooze.")]
Count = Annotated[int, Field(ge=0)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"})]
Author = Annotated[str, Field(description="The client.")]


class FraudFeature(Closed):
    """One thing that a rule may read of a payment."""

    object: Literal["fraud_feature"]
    name: str
    type: Annotated[str, one_of(Kind)]
    meaning: str
    optional: Annotated[bool, Field(description="It may be unknown: ask `has_<name>` first.")]


class FraudRuleVersion(Closed):
    """One wording of a rule, which never changes."""

    id: VersionText
    object: Literal["fraud_rule_version"]
    number: Annotated[int, Field(ge=1)]
    expression: str
    action: Annotated[str, one_of(Action)]
    message: str
    author: Author
    created: Moment


class FraudRule(Closed):
    """A rule: its newest version, the one that decides, and the one in shadow."""

    id: RuleText
    object: Literal["fraud_rule"]
    code: str
    scope: Literal["platform", "merchant"]
    state: Annotated[str, one_of(State)]
    newest: FraudRuleVersion
    live: FraudRuleVersion | None
    shadow: FraudRuleVersion | None
    created: Moment


class FraudRuleStatistics(Closed):
    """What a version did; most payments that it hit have no label yet."""

    object: Literal["fraud_rule_statistics"]
    version: VersionText
    number: Annotated[int, Field(ge=1)]
    mode: Mode
    evaluated: Count
    hits: Count
    errors: Count
    hits_allowed: Count
    hits_challenged: Count
    hits_blocked: Count
    hits_labelled_fraud: Count
    hits_labelled_genuine: Count


class FraudRuleFile(FraudRule):
    """A rule, and what its versions did from `since` to before `until`."""

    since: Day
    until: Day
    statistics: list[FraudRuleStatistics]


class FraudSnooze(Closed):
    """Until it ends, a rule says nothing about payments of one entity, which is not shown."""

    id: SnoozeText
    object: Literal["fraud_snooze"]
    rule: RuleText
    entity_kind: Annotated[str, one_of(EntityKind)]
    ends: Moment
    author: Author
    reason: str
    created: Moment


class EndedFraudSnooze(Closed):
    """A snooze that holds no longer."""

    id: SnoozeText
    object: Literal["fraud_snooze"]
    ended: Literal[True]


class FraudCase(Closed):
    """A payment that a person looks at."""

    id: data.FraudCaseText
    object: Literal["fraud_case"]
    payment: data.PaymentText
    verdict: Annotated[str, one_of(Verdict)]
    score: Annotated[float | None, Field(description="The probability of fraud.")]
    amount: data.Amount
    state: Annotated[str, one_of(CaseState)]
    outcome: Annotated[str, one_of(CaseOutcome)] | None
    assignee: str | None
    mode: Mode
    created: Moment
    closed: Moment | None


class FraudCaseNote(Closed):
    """One entry of a case's diary; it never changes."""

    id: Annotated[str, id_of("frn", "The entry.")]
    object: Literal["fraud_case_note"]
    kind: Annotated[str, one_of(NoteKind)]
    text: str
    author: Author
    created: Moment


class FraudCaseDecision(Closed):
    """What was decided about the payment, and why."""

    reasons: list[FraudReason]
    trace: FraudTrace


class FraudCaseFile(FraudCase):
    """A case with its diary's latest 500 entries, and the decision that it is about."""

    notes: list[FraudCaseNote]
    decision: FraudCaseDecision
