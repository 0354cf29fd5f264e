"""What importing each handler costs a fresh process."""

from collections.abc import Iterator

from tests.benchmarks import cold_start
from tests.benchmarks.figures import Figure
from tests.benchmarks.run import Part, Run
from tests.benchmarks.slices import MS


def measured(run: Run) -> Iterator[Part]:
    """The dearest first."""
    taken = cold_start.import_seconds(list(run.settings.handlers), rounds=2)
    dearest_first = sorted(taken.items(), key=lambda item: -item[1])
    figures = [Figure(f"import {module}", seconds * MS, "ms") for module, seconds in dearest_first]
    yield Part("Cold start: own CPU of imports", figures)
