"""The benchmark runs: each figure is there, and the books are in order. How fast is not asked."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = {
    "complete payments / TPC-B",
    "one hot merchant / spread merchants",
    "p99: complete payment / TPC-B",
    "TPC-B: rate",
    "complete payment: own CPU",
    "accept: own CPU",
    "finish: own CPU",
    "accept: database round trips",
    "import payments_api.handler",
    "violations of the books",
    "load average before",
}


def test_a_quick_run_prints_and_writes_every_figure(tmp_path: Path) -> None:
    """One test, so that one run does: figures of the right shape, all printed, a clean audit."""
    output = tmp_path / "bench.json"
    command = [
        *(sys.executable, "-m", "tests.benchmarks", "--seconds", "0.2", "--rounds", "1"),
        *("--clients", "2", "--handlers", "payments_api.handler", "--output", str(output)),
    ]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    figures = json.loads(output.read_text())["figures"]
    values = {figure["name"]: figure["value"] for figure in figures}
    assert values.keys() >= NAMES
    assert len(values) == len(figures)
    for figure in figures:
        assert set(figure) == {"name", "value", "unit", "goal", "better"}
        assert isinstance(figure["value"], int | float)
        assert figure["better"] in {"higher", "lower"}
        assert figure["name"] in done.stdout
    assert values["violations of the books"] == 0
