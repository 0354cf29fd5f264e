"""A LightGBM model in the product's own format, which paynexus.fraud.scoring reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from paynexus.fraud.history.features import FEATURES
from paynexus.fraud.scoring.model import FORMAT, Costs

COSTS = Costs(fraud=100, challenged_fraud=15, challenged=3, blocked=40)
"""A fraud costs its goods and the dispute; a challenge stops six of seven thieves, and drives
three of a hundred payers away; who is blocked without a reason often doesn't come back."""


def document(dump: Mapping[str, Any], *, version: str, slope: float, intercept: float) -> str:
    """The model's file. `dump` is what LightGBM's dump_model says.

    Raises ValueError for trees that the product doesn't walk: of categories, or with zeros that
    count as missing.
    """
    trees = _Trees(columns=len(dump["feature_names"]))
    for tree in dump["tree_info"]:
        trees.roots.append(trees.add(tree["tree_structure"]))
    value = {
        "format": FORMAT,
        "version": version,
        "features": list(FEATURES),
        "calibration": {"slope": slope, "intercept": intercept},
        "costs": asdict(COSTS),
        "challenge_at": COSTS.challenge_at,
        "block_at": COSTS.block_at,
        "trees": trees.arrays(),
    }
    return json.dumps(value, separators=(",", ":")) + "\n"


@dataclass(slots=True)
class _Trees:
    columns: int
    roots: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    low: list[int] = field(default_factory=list)
    high: list[int] = field(default_factory=list)
    leaf: list[float] = field(default_factory=list)

    def arrays(self) -> dict[str, list[Any]]:
        """By the names of paynexus.fraud.scoring.trees.Forest."""
        names = ("roots", "column", "threshold", "low", "high", "leaf")
        return {name: getattr(self, name) for name in names}

    def add(self, node: Mapping[str, Any]) -> int:
        """The number by which the node is named, or its leaf."""
        if "leaf_value" in node:
            self.leaf.append(node["leaf_value"])
            return -len(self.leaf)
        number = len(self.column)
        low_when_missing = _goes_low_when_missing(node)
        self.column.append(node["split_feature"] + self.columns * low_when_missing)
        self.threshold.append(node["threshold"])
        self.low.append(0)
        self.high.append(0)
        self.low[number] = self.add(node["left_child"])
        self.high[number] = self.add(node["right_child"])
        return number


def _goes_low_when_missing(node: Mapping[str, Any]) -> bool:
    if node["decision_type"] != "<=" or node["missing_type"] not in {"None", "NaN"}:
        raise ValueError(f"no such node is walked: {node['decision_type']} {node['missing_type']}")
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    # Where training saw no missing value, LightGBM takes one for a zero.
    return bool(node["threshold"] >= 0)
