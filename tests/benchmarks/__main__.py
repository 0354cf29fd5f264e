"""`make bench`: the product's speed beside others', in one run on the same machine."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks import cold_start, figures, servers
from tests.benchmarks.figures import Figure, Unmeasured
from tests.benchmarks.run import Run, Section, Settings
from tests.benchmarks.sections import (
    bank_files,
    batches,
    cache_away,
    circuits,
    decisions,
    delayed_flush,
    feed,
    fraud_model,
    hostile,
    lambdas,
    large,
    payments,
    peers,
    rules,
    settlement,
    signatures,
    starts,
    velocity,
)

ROOT = Path(__file__).parents[2]

LARGE = (100_000, 1_000_000, 10_000_000)
"""How many ledger entries the large databases hold."""

SECTIONS: Mapping[str, Section] = {
    "payments": payments.measured,
    "batches": batches.measured,
    "delayed-flush": delayed_flush.measured,
    "changefeed": feed.measured,
    "python": lambdas.measured,
    "circuits": circuits.measured,
    "redis-away": cache_away.measured,
    "signatures": signatures.measured,
    "velocity": velocity.measured,
    "decisions": decisions.measured,
    "fraud-model": fraud_model.measured,
    "hostile": hostile.measured,
    "rules": rules.measured,
    "settlement": settlement.measured,
    "bank-files": bank_files.measured,
    "peers": peers.measured,
    "large": large.measured,
    "starts": starts.measured,
}


def main() -> int:
    """Everything is measured, printed and written; 1 when the books are not in order."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    before = os.getloadavg()[0]
    with _state_folder() as folder, servers.running(folder) as both:
        run = Run(both, folder, _settings(options))
        found, unmeasured = _measured(run, options.only)
    found += [
        Figure("violations of the books", run.breaches.total(), "", goal=0),
        Figure("load average before", before, ""),
        Figure("load average after", os.getloadavg()[0], ""),
    ]
    sys.stdout.write(figures.table("The run", found[-3:]) + "\n")
    sys.stdout.write(figures.goals(found, unmeasured))
    figures.write(options.output, found, unmeasured)
    for rule, rows in run.breaches.items():
        sys.stdout.write(f"  {rule}: {rows} or more\n")
    return 1 if run.breaches else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="the length of a slice")
    parser.add_argument("--rounds", type=int, default=5, help="how many slices of each kind")
    parser.add_argument("--clients", type=int, default=8, help="how many at the same time")
    parser.add_argument("--pgledger", type=Path, help="a checkout of pgledger, to compare with")
    parser.add_argument("--peers", action="store_true", help="compare with ledgers from PyPI")
    parser.add_argument(
        "--large",
        nargs="*",
        type=int,
        help="measure among so many ledger entries, smallest number first; on its own: 10⁵ to 10⁷",
    )
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--handlers", nargs="*", default=cold_start.handlers())
    parser.add_argument("--output", type=Path, default=ROOT / ".local/bench.json")
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        seconds=options.seconds,
        rounds=options.rounds,
        clients=options.clients,
        handlers=options.handlers,
        pgledger=options.pgledger,
        entries=LARGE if options.large == [] else options.large or (),
        peers=ROOT / ".local/bench-peers" if options.peers else None,
    )


@contextmanager
def _state_folder() -> Iterator[Path]:
    # Below .local, not in /tmp: that may be memory, where flushing costs nothing.
    local = ROOT / ".local"
    local.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=local, prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _measured(run: Run, sections: Sequence[str]) -> tuple[list[Figure], list[Unmeasured]]:
    found: list[Figure] = []
    unmeasured: list[Unmeasured] = []
    for name in sections:
        for part in SECTIONS[name](run):
            if part.figures:
                sys.stdout.write(figures.table(part.title, part.figures) + "\n")
                sys.stdout.flush()
            found += part.figures
            unmeasured += part.unmeasured
    return found, unmeasured


if __name__ == "__main__":
    sys.exit(main())
