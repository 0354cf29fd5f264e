"""A model as its file holds it: trees, calibration, thresholds and what they rest on. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import tanh
from typing import Any, Self, cast

from paynexus.fraud.features import FEATURES
from paynexus.fraud.model import Value
from paynexus.fraud.scoring.trees import Forest

FORMAT = 1
"""A file of another format isn't read."""


class ModelRefused(ValueError):
    """The file isn't a model for this code; the message says why."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What each outcome costs, in one unit of any money."""

    fraud: float
    """A fraud that goes through."""
    challenged_fraud: float
    """A fraud that is challenged: some get through."""
    challenged: float
    """A genuine payment that is challenged: some payers leave."""
    blocked: float
    """A genuine payment that is blocked."""

    @property
    def challenge_at(self) -> float:
        """From this probability on a challenge costs less than to let the payment through."""
        saved = self.fraud - self.challenged_fraud
        return self.challenged / (self.challenged + saved)

    @property
    def block_at(self) -> float:
        """From this probability on it costs less to block than to challenge."""
        lost = self.blocked - self.challenged
        return lost / (lost + self.challenged_fraud)


@dataclass(frozen=True, slots=True)
class Score:
    """What the model says of a payment."""

    probability: float
    seen: Mapping[str, Value]
    """The features that it read, and their values."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that fits this code."""

    format: int
    version: str
    features: tuple[str, ...]
    forest: Forest
    slope: float
    """Of the calibration: log-odds are `slope` times the sum of the leaves plus `intercept`."""
    intercept: float
    costs: Costs
    challenge_at: float
    """From this probability on a challenge costs less than to let the payment through."""
    block_at: float
    """From this probability on it costs less to block than to challenge."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ModelRefused for a file of another format or feature set, or a broken one."""
        try:
            value = json.loads(text)
            model = cls(
                format=value["format"],
                version=value["version"],
                features=tuple(value["features"]),
                forest=_forest(value["trees"]),
                slope=float(value["calibration"]["slope"]),
                intercept=float(value["calibration"]["intercept"]),
                costs=Costs(**value["costs"]),
                challenge_at=float(value["challenge_at"]),
                block_at=float(value["block_at"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as broken:
            raise ModelRefused(f"the file isn't a model: {broken!r}") from broken
        _check(model)
        return model

    def score(self, values: Mapping[str, Value]) -> Score:
        """The probability of fraud; `values` holds each of the model's features, None if unknown.

        Raises KeyError when one of them is absent.
        """
        seen = {name: cast("float | None", values[name]) for name in self.features}
        return Score(self.probability(self.forest.sum(list(seen.values()))), seen)

    def probability(self, total: float) -> float:
        """What a sum of leaves means."""
        return (1 + tanh((self.slope * total + self.intercept) / 2)) / 2


def _forest(trees: Mapping[str, Any]) -> Forest:
    return Forest(
        roots=tuple(trees["roots"]),
        column=tuple(trees["column"]),
        threshold=tuple(map(float, trees["threshold"])),
        low=tuple(trees["low"]),
        high=tuple(trees["high"]),
        leaf=tuple(map(float, trees["leaf"])),
    )


def _check(model: Model) -> None:
    """All that a walk and a decision rely on."""
    if model.format != FORMAT:
        raise ModelRefused(f"the file's format is {model.format}, not {FORMAT}")
    unknown = [name for name in model.features if name not in FEATURES]
    if unknown:
        raise ModelRefused(f"version {model.version} reads unknown features: {unknown}")
    worded = [name for name in model.features if FEATURES[name].kind in {"string", "bool"}]
    if worded or len(set(model.features)) != len(model.features):
        raise ModelRefused(f"version {model.version} must read distinct numbers: {worded}")
    if not 0 < model.challenge_at <= model.block_at <= 1 or model.slope <= 0:
        raise ModelRefused(f"version {model.version} has thresholds out of order")
    _check_forest(model.version, model.forest, columns=2 * len(model.features))


def _check_forest(version: str, forest: Forest, *, columns: int) -> None:
    """Every step leads onwards, so that each walk ends at a leaf."""
    nodes, leaves = len(forest.column), len(forest.leaf)
    if not len(forest.threshold) == len(forest.low) == len(forest.high) == nodes:
        raise ModelRefused(f"version {version} has arrays of different lengths")
    steps = ((node, step) for side in (forest.low, forest.high) for node, step in enumerate(side))
    if (
        any(not 0 <= column < columns for column in forest.column)
        or any(not -leaves <= root < nodes for root in forest.roots)
        or any(not (node < step < nodes or -leaves <= step < 0) for node, step in steps)
    ):
        raise ModelRefused(f"version {version} has a tree that leads nowhere")
