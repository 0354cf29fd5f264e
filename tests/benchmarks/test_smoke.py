"""The benchmark runs: each figure is there, and the books are in order. How fast is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.proof, pytest.mark.long]

ROOT = Path(__file__).parents[2]
NAMES = {
    "complete payments / TPC-B",
    "p99: complete payment / TPC-B",
    "hot payments / spread",
    "monthly partitions / none",
    "complete payment: log written",
    "transfers in batches of 50 / TPC-B",
    "transfers in batches of 50, hot / TPC-B",
    "payments among 6,000 entries / 600",
    "audit of 6,000 entries",
    "payments that waited for a lock of the audit",
    "changefeed drain / peak payments",
    "Python: complete payment / TPC-B",
    "Python: complete payment: own CPU",
    "accept: database round trips",
    "import payments_api.handler",
    "asked and told / bare EVALSHA, 2 clients",
    "Redis hanging, idle environments: added at p99",
    "velocity by Redis, new payers: memory of a payment",
    "QR code verified / bare Ed25519 verification",
    "worst hostile body",
    "fraud model: score of a payment",
    "fraud decision: p50",
    "slowest rule",
    "settlement: time for 5 times as many",
    "bank file read / plain iterparse",
    "violations of the books",
    "load average before",
}
MISSING = {"complete payments / two pgledger transfers"}
"""What can't be measured without being given another's software."""


def test_a_quick_run_prints_and_writes_every_figure(tmp_path: Path) -> None:
    """One test, so that one run does: figures of the right shape, all printed, a clean audit."""
    output = tmp_path / "bench.json"
    command = [
        *(sys.executable, "-m", "tests.benchmarks", "--seconds", "0.2", "--rounds", "1"),
        *(
            "--clients",
            "2",
            "--large",
            "600",
            "1200",
            "6000",
            "--handlers",
            "payments_api.handler",
            "--output",
            str(output),
        ),
    ]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    written = json.loads(output.read_text())
    values = {figure["name"]: figure["value"] for figure in written["figures"]}
    assert values.keys() >= NAMES
    assert len(values) == len(written["figures"])
    assert {one["name"] for one in written["not_measured"]} >= MISSING
    for figure in written["figures"]:
        assert set(figure) == {"name", "value", "unit", "goal", "better"}
        assert isinstance(figure["value"], int | float)
        assert figure["better"] in {"higher", "lower"}
        assert figure["name"] in done.stdout
    assert values["violations of the books"] == 0
