"""pgbench, the program that came with the server: its own TPC-B, and scripts of ours."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.slices import Slice
from tools.local_stack import postgres

SCALE = 10
"""Branches: more than clients, so that they rarely wait for one another's."""

TRIAL_TRANSACTIONS = 10

PROTOCOL = "extended"
"""As the product sends its statements: bound values, nothing prepared beforehand. A transaction
pooler forbids prepared statements; simple queries would have values in their text."""


@dataclass(frozen=True, slots=True)
class Work:
    """What each client does over and over: a script of pgbench's own, or one of ours, by chance."""

    url: str
    scripts: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    protocol: str = PROTOCOL
    builtin: str = "tpcb-like"
    """pgbench's own; where there are `scripts`, those are run instead."""


def initialize(url: str) -> None:
    """The tables of TPC-B are filled."""
    _pgbench("--initialize", "--quiet", "--scale", str(SCALE), url)


def run(work: Work, *, clients: int, seconds: float, rate: int | None = None) -> Slice:
    """What was done in this time; less than a second is no measurement, but a trial.

    At `rate` a second by all clients together, or as fast as they can.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        output = _pgbench(
            *("--client", str(clients), "--jobs", str(min(clients, 2))),
            *("--protocol", work.protocol, "--no-vacuum", *_length(seconds)),
            *(() if rate is None else ("--rate", str(rate))),
            *("--log", f"--log-prefix={folder}/latencies"),
            *_script_options(work, folder),
            work.url,
        )
        # A deadlock ends no client: it is only counted.
        assert "number of failed transactions: 0 " in output, output
        latencies = [
            int(line.split()[2]) / 1e6
            for path in folder.glob("latencies*")
            for line in path.read_text().splitlines()
        ]
    found = re.search(r"tps = ([0-9.]+)", output)
    assert found, output
    return Slice(latencies=latencies, seconds=len(latencies) / float(found[1]))


def _length(seconds: float) -> tuple[str, str]:
    # pgbench counts whole seconds.
    if seconds < 1:
        return "--transactions", str(TRIAL_TRANSACTIONS)
    return "--time", str(round(seconds))


def _script_options(work: Work, folder: Path) -> Iterator[str]:
    if not work.scripts:
        yield f"--builtin={work.builtin}"
    for number, text in enumerate(work.scripts):
        script = folder / f"script-{number}.sql"
        script.write_text(text)
        yield f"--file={script}"
    for name, value in work.variables.items():
        yield f"--define={name}={value}"


def _pgbench(*arguments: str) -> str:
    command = [str(postgres.binary("pgbench")), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(f"pgbench failed: {answer.stderr.strip()}")
    return answer.stdout
