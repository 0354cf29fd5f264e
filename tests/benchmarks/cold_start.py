"""What importing each handler costs a fresh process: the part of a cold start that is our own."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

FUNCTIONS = Path(__file__).parents[2] / "functions"


def handlers() -> list[str]:
    """The modules that Lambda imports."""
    return [f"{path.parent.name}.handler" for path in sorted(FUNCTIONS.glob("*/handler.py"))]


def import_seconds(modules: list[str], *, rounds: int) -> dict[str, float]:
    """User CPU seconds of each import, the bare interpreter's taken off: medians of rounds.

    The first round, which may compile, is not counted.
    """
    bare = median(_user_seconds("pass") for _ in range(rounds + 1))
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(rounds + 1):
        for module in modules:
            taken[module].append(_user_seconds(f"import {module}"))
    return {module: max(0.0, median(times[1:]) - bare) for module, times in taken.items()}


def _user_seconds(statement: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", statement])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{statement!r} failed")
    return usage.ru_utime
