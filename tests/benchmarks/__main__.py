"""`make bench`: the product's speed as ratios to pgbench's TPC-B in the same run."""

import argparse
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.ledger import audit
from tests.benchmarks import cold_start, figures, payments, pgbench, report, round_trips, servers
from tests.benchmarks.crew import at_work
from tests.benchmarks.figures import Figure
from tests.benchmarks.rounds import Bench
from tests.benchmarks.servers import Servers

ROOT = Path(__file__).parents[2]
MERCHANTS = 64


def main() -> int:
    """Everything is measured, printed and written; 1 when the books are not in order."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = [Figure("load average before", os.getloadavg()[0], "")]
    with _state_folder() as folder, servers.running(folder) as both:
        for title, part in _measured(both, options):
            sys.stdout.write(figures.table(title, part) + "\n")
            sys.stdout.flush()
            found += part
        violations = _violations(both)
    last = [
        Figure("violations of the books", len(violations), "", goal=0),
        *found[:1],
        Figure("load average after", os.getloadavg()[0], ""),
    ]
    sys.stdout.write(figures.table("The run", last))
    figures.write(options.output, [*found[1:], *last])
    for rule, rows in Counter(violation.rule for violation in violations).items():
        sys.stdout.write(f"  {rule}: {rows} or more\n")
    return 1 if violations else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5, help="the length of a slice")
    parser.add_argument("--rounds", type=int, default=5, help="how many slices of each kind")
    parser.add_argument("--clients", type=int, default=8, help="how many at the same time")
    parser.add_argument("--handlers", nargs="*", default=cold_start.handlers())
    parser.add_argument("--output", type=Path, default=ROOT / ".local/bench.json")
    return parser.parse_args()


@contextmanager
def _state_folder() -> Iterator[Path]:
    # Below .local, not in /tmp: that may be memory, where flushing costs nothing.
    local = ROOT / ".local"
    local.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=local, prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _measured(both: Servers, options: argparse.Namespace) -> Iterator[tuple[str, list[Figure]]]:
    clients, seconds = options.clients, options.seconds
    pgbench.initialize(both.tpcb_url)
    with closing(Database(lambda: both.payments_url)) as database:
        merchants = tuple(payments.onboard(database, Cache(both.redis_url), MERCHANTS))
    with at_work(both, clients=clients) as crew, closing(Bench(both, crew, merchants)) as bench:
        rounds = bench.rounds(options.rounds, clients=clients, seconds=seconds)
        yield f"Ratios ({clients} clients, medians of {options.rounds})", report.ratios(rounds)
        yield "Speed", report.speeds(rounds)
        yield "Cost of one operation", report.costs(rounds)
        tpcb = bench.tpcb(clients=1, seconds=seconds)
        yield "One client", report.alone(tpcb, bench.spread(clients=1, seconds=seconds))
    yield "Waits", report.waits(round_trips.of_a_payment(both, merchants[0]))
    started = cold_start.import_seconds(options.handlers, rounds=2)
    yield "Cold start: own CPU of imports", report.starts(started)


def _violations(both: Servers) -> list[audit.Violation]:
    with closing(Database(lambda: both.payments_url)) as database:
        return audit.violations(database)


if __name__ == "__main__":
    sys.exit(main())
