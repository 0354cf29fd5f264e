"""The yardstick: pgbench's TPC-B, the program that came with the server."""

import re
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.slices import Slice
from tools.local_stack import postgres

SCALE = 10
"""Branches: more than clients, so that they rarely wait for one another's."""


def initialize(url: str) -> None:
    """The tables of pgbench are filled."""
    _pgbench("--initialize", "--quiet", "--scale", str(SCALE), url)


def tpcb(url: str, *, clients: int, seconds: float) -> Slice:
    """What TPC-B did in this time; pgbench counts whole seconds."""
    with tempfile.TemporaryDirectory() as folder:
        output = _pgbench(
            *("--client", str(clients), "--jobs", str(min(clients, 2))),
            *("--time", str(max(1, round(seconds))), "--no-vacuum"),
            *("--log", f"--log-prefix={folder}/latencies", url),
        )
        latencies = [
            int(line.split()[2]) / 1e6
            for path in Path(folder).iterdir()
            for line in path.read_text().splitlines()
        ]
    found = re.search(r"tps = ([0-9.]+)", output)
    assert found, output
    return Slice(latencies=latencies, seconds=len(latencies) / float(found[1]))


def _pgbench(*arguments: str) -> str:
    command = [str(postgres.binary("pgbench")), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"pgbench failed: {answer.stderr.strip()}")
    return answer.stdout
