"""What the fault tests tried, counted: a run that cut nothing must not look like a proof."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the sums of what the tests recorded, whatever process they ran in."""
    sums: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            sums[name] += value
    for name, total in sorted(sums.items()):
        terminalreporter.write_line(f"{total} {name}")
