"""Decision trees in flat arrays, and the walk through them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

type Row = Sequence[float | None]
"""A value for each feature, in their order; None where it isn't known."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees one after another, and their leaves.

    `low` and `high` are where a node leads when its feature is at most its threshold, and when
    it is above: to the node of that number, or, where negative, to leaf ~number. A column below
    the number of features leads a missing value high; one above, which stands for the feature
    of that column less that number, leads it low.
    """

    roots: tuple[int, ...]
    column: tuple[int, ...]
    threshold: tuple[float, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    leaf: tuple[float, ...]

    def sum(self, row: Row) -> float:
        """The sum of the leaves that the row comes to: log-odds, not yet calibrated."""
        # A missing value is infinite, on the side to which each node leads it.
        values = [inf if value is None else value for value in row]
        values += [-inf if value is None else value for value in row]
        column, threshold, low, high = self.column, self.threshold, self.low, self.high
        total = 0.0
        for root in self.roots:
            node = root
            while node >= 0:
                node = low[node] if values[column[node]] <= threshold[node] else high[node]
            total += self.leaf[~node]
        return total
