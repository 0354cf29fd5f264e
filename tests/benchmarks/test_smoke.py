"""The benchmark runs: each figure is there, and the books are in order. How fast is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, object]]]:
    """What one quick run prints and writes."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    command = [
        *(sys.executable, "-m", "tests.benchmarks", "--seconds", "0.2", "--rounds", "1"),
        *("--clients", "2", "--handlers", "payments_api.handler", "--output", str(output)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout, json.loads(output.read_text())["figures"]


def test_every_figure_has_its_shape(run: tuple[str, list[dict[str, object]]]) -> None:
    """Name, value, unit, goal and direction; none is missing."""
    _, figures = run

    assert {figure["name"] for figure in figures} >= NAMES
    for figure in figures:
        assert set(figure) == {"name", "value", "unit", "goal", "better"}
        assert isinstance(figure["value"], int | float)
        assert figure["better"] in {"higher", "lower"}


def test_names_are_unique(run: tuple[str, list[dict[str, object]]]) -> None:
    """A figure can be followed from run to run by its name."""
    names = [figure["name"] for figure in run[1]]

    assert len(names) == len(set(names))


def test_the_tables_show_every_figure(run: tuple[str, list[dict[str, object]]]) -> None:
    """People and machines read the same."""
    printed, figures = run

    assert all(str(figure["name"]) in printed for figure in figures)


def test_the_books_are_in_order(run: tuple[str, list[dict[str, object]]]) -> None:
    """The audit finds nothing in what the run has left behind."""
    values = {figure["name"]: figure["value"] for figure in run[1]}

    assert values["violations of the books"] == 0
