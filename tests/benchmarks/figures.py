"""Figures as a table for people and as JSON for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

type Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `goal` is what it should reach, where there is one."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    better: Direction = "lower"

    @property
    def verdict(self) -> str:
        """How the value stands to its goal."""
        if self.goal is None:
            return ""
        is_met = self.value >= self.goal if self.better == "higher" else self.value <= self.goal
        sign = "≥" if self.better == "higher" else "≤"
        return f"{sign} {self.goal:g} {'met' if is_met else 'not met'}"


def table(title: str, figures: Sequence[Figure]) -> str:
    """The figures under a title, one a line."""
    width = max(len(figure.name) for figure in figures)
    lines = [
        f"  {figure.name:<{width}}  {_number(figure.value):>8} {figure.unit:<8} {figure.verdict}"
        for figure in figures
    ]
    return "\n".join([title, *(line.rstrip() for line in lines), ""])


def write(path: Path, figures: Sequence[Figure]) -> None:
    """The figures are in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = [asdict(figure) | {"value": round(figure.value, 4)} for figure in figures]
    path.write_text(json.dumps({"figures": rounded}, indent=1) + "\n")


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value)}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
