"""All that decides about one merchant's payments, and what it is with a change. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

from paynexus.fraud.backtest.changes import (
    Change,
    LimitChange,
    ListChange,
    ModelChange,
    RuleChange,
    ThresholdChange,
)
from paynexus.fraud.backtest.proposed import Proposed

type Chosen = Mapping[str, Any]
"""Choices by name: `model`, `model_state`, `challenge_at`, `block_at`; or limits by theirs."""


@dataclass(frozen=True, slots=True)
class Configuration[Rule]:
    """What decides about the payments of one merchant."""

    rules: Mapping[UUID, Rule] = field(default_factory=dict)
    """The platform's and its own, by the rule's id: the version that decides."""
    removed: frozenset[UUID] = frozenset()
    """Entries of lists that a payment may match, and that say nothing."""
    proposed: Proposed | None = None
    """Entries that no list has yet."""
    platform: Chosen = field(default_factory=dict)
    """What the platform chose for all merchants."""
    own: Chosen = field(default_factory=dict)
    """What the merchant chose for itself: it lies over that."""
    limits: Chosen = field(default_factory=dict)
    """What the merchant chose of its limits."""

    @property
    def settings(self) -> Chosen:
        """What holds for the merchant."""
        chosen = {name: value for name, value in self.own.items() if value is not None}
        return {**self.platform, **chosen}

    def applied(
        self,
        change: Change,
        *,
        is_platform: bool,
        rule: Rule | None = None,
        proposed: Proposed | None = None,
    ) -> Self:
        """The configuration with the change, the platform's or the merchant's.

        `rule` is the version that a change of a rule names, `proposed` what one of a list adds.
        """
        match change:
            case RuleChange(rule_id):
                kept = {key: value for key, value in self.rules.items() if key != rule_id}
                return replace(self, rules=kept if rule is None else {**kept, rule_id: rule})
            case ListChange(_, _, removed):
                return replace(self, removed=self.removed.union(removed), proposed=proposed)
            case ModelChange(model, state):
                chosen: Chosen = {"model": model, "model_state": str(state)}
            case ThresholdChange(challenge_at, block_at):
                chosen = {"challenge_at": challenge_at, "block_at": block_at}
            case LimitChange(limits):
                return replace(self, limits={**self.limits, **limits})
        if is_platform:
            return replace(self, platform={**self.platform, **chosen})
        return replace(self, own={**self.own, **chosen})
