"""One hot merchant where each flush of the log takes a millisecond longer."""

from collections.abc import Iterator

from tests.benchmarks import delayed_flush, pgledger, servers, workloads
from tests.benchmarks.figures import Figure, Unmeasured
from tests.benchmarks.pgbench import Work
from tests.benchmarks.rounds import Rounds, in_turns
from tests.benchmarks.run import Part, Run, pgbench_turns
from tests.benchmarks.servers import Postgres
from tests.benchmarks.slices import p99, rate

CLIENTS = 32
TPCB = "TPC-B, flushes delayed"
HOT = "complete payment, hot, flushes delayed"
PGLEDGER = "two pgledger transfers, hot, flushes delayed"

SLOWER = "hot payments / TPC-B, flushes delayed"
FASTER = "hot payments / two pgledger transfers, flushes delayed"


def measured(run: Run) -> Iterator[Part]:
    """On a server of its own, if the machine can build what delays it."""
    title = f"1 ms added to each flush of the log ({CLIENTS} clients)"
    compiler = delayed_flush.compiler()
    if compiler is None:
        why = "there is no C compiler (cc)"
        yield Part(title, [], [Unmeasured(SLOWER, "≥ 0.65", why), Unmeasured(FASTER, "≥ 12", why)])
        return
    with delayed_flush.running(run.folder, compiler=compiler) as server:
        works = _works(run, server)
        rounds = in_turns(
            pgbench_turns(run, works, clients=CLIENTS, server=server),
            number=run.settings.rounds,
            seconds=run.settings.seconds,
            settle=lambda: servers.settle(*(work.url for work in works.values())),
        )
        commit = Figure("a bare commit", delayed_flush.commit_ms(server), "ms")
        yield _part(title, run, rounds, commit)
        run.audit(works[HOT].url)


def _works(run: Run, server: Postgres) -> dict[str, Work]:
    shop = workloads.open_shop(server.migrated("payments"))
    works = {
        TPCB: workloads.tpcb(server, "tpcb"),
        HOT: workloads.payments(shop, hot=True),
    }
    if run.settings.pgledger is not None:
        works[PGLEDGER] = pgledger.hot(pgledger.install(server, run.settings.pgledger))
    return works


def _part(title: str, run: Run, rounds: Rounds, commit: Figure) -> Part:
    figures = [rounds.ratio(SLOWER, rate, HOT, TPCB, goal=0.65)]
    unmeasured = []
    if run.settings.pgledger is None:
        unmeasured = [Unmeasured(FASTER, "≥ 12", pgledger.WANTED)]
    else:
        figures.append(rounds.ratio(FASTER, rate, HOT, PGLEDGER, goal=12))
        figures.append(rounds.of(PGLEDGER, rate, "/s", what="rate", better="higher"))
    for kind in (TPCB, HOT):
        figures.append(rounds.of(kind, rate, "/s", what="rate", better="higher"))
        figures.append(rounds.of(kind, p99, "ms", what="p99"))
    return Part(title, [*figures, commit], unmeasured)
