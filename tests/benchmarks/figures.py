"""Figures as tables for people and as JSON for machines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
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
    extent: tuple[float, float] | None = None
    """The least and the greatest of what `value` is the median of."""

    @property
    def verdict(self) -> str:
        """How the value stands to its goal."""
        if self.goal is None:
            return ""
        is_met = self.value >= self.goal if self.better == "higher" else self.value <= self.goal
        sign = "≥" if self.better == "higher" else "≤"
        return f"{sign} {self.goal:g} {'met' if is_met else 'not met'}"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A goal whose figure was not taken in this run, and what it takes to have it."""

    name: str
    goal: str
    why: str


def table(title: str, figures: Sequence[Figure]) -> str:
    """The figures under a title, one a line."""
    rows = [
        (one.name, f"{_number(one.value):>8}", one.unit, _extent(one), one.verdict)
        for one in figures
    ]
    return _lines(title, rows)


def goals(figures: Sequence[Figure], unmeasured: Sequence[Unmeasured]) -> str:
    """Every goal beside its figure, or beside why there is none."""
    rows = [
        (one.name, f"{_number(one.value):>8}", one.unit, _extent(one), one.verdict)
        for one in figures
        if one.goal is not None
    ]
    rows += [
        (one.name, f"{'-':>8}", "", "", f"{one.goal} not measured: {one.why}") for one in unmeasured
    ]
    return _lines("Goals", rows)


def write(path: Path, figures: Sequence[Figure], unmeasured: Sequence[Unmeasured]) -> None:
    """All of them are in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = [
        {
            "name": one.name,
            "value": round(one.value, 4),
            "unit": one.unit,
            "goal": one.goal,
            "better": one.better,
        }
        for one in figures
    ]
    missing = [{"name": one.name, "goal": one.goal, "why": one.why} for one in unmeasured]
    text = json.dumps({"figures": measured, "not_measured": missing}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n")


def _lines(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([title, *(line.rstrip() for line in lines), ""])


def _extent(figure: Figure) -> str:
    if figure.extent is None:
        return ""
    least, greatest = figure.extent
    return f"({_number(least)} to {_number(greatest)})"


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value)}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
