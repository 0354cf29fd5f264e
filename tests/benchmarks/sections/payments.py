"""Complete payments as the database takes them: the product's SQL, by pgbench, beside TPC-B."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.benchmarks import pgledger, servers, workloads
from tests.benchmarks.figures import Figure, Unmeasured
from tests.benchmarks.pgbench import Work
from tests.benchmarks.rounds import Rounds, in_turns
from tests.benchmarks.run import Part, Run, pgbench_turns
from tests.benchmarks.slices import log_kilobytes, p50, p99, page_kilobytes, rate, server_cpu

TPCB = "TPC-B"
SPREAD = "complete payment"
HOT = "complete payment, hot"
BOOKS = "the books of a complete payment"
IN_ONE_PIECE = "complete payment, tables in one piece"
TPCB_SIMPLE = "TPC-B, simple queries"
PGLEDGER = "two pgledger transfers"
PGLEDGER_HOT = "two pgledger transfers, hot"

FASTER = "complete payments / two pgledger transfers"


def measured(run: Run) -> Iterator[Part]:
    """Payments of many merchants and of one; with and without partitions; beside pgledger."""
    works = _works(run)
    urls = {work.url for work in works.values()}
    rounds = in_turns(
        pgbench_turns(run, works, clients=run.settings.clients),
        number=run.settings.rounds,
        seconds=run.settings.seconds,
        settle=lambda: servers.settle(*urls),
    )
    title = f"({run.settings.clients} clients, medians of {run.settings.rounds} rounds)"
    yield Part(f"Payments in SQL {title}", _ratios(rounds))
    yield _beside_pgledger(run, rounds)
    yield Part("What the ratios are made of", _absolutes(rounds, works))
    for kind in (SPREAD, IN_ONE_PIECE):
        run.audit(works[kind].url)


def _works(run: Run) -> dict[str, Work]:
    server, checkout = run.servers.postgres, run.settings.pgledger
    tpcb = workloads.tpcb(server, "payments_tpcb")
    shop = workloads.open_shop(server.migrated("payments_sql"))
    whole = workloads.open_shop(server.unpartitioned("payments_in_one_piece"))
    works = {
        TPCB: tpcb,
        SPREAD: workloads.payments(shop),
        IN_ONE_PIECE: workloads.payments(whole),
        HOT: workloads.payments(shop, hot=True),
        BOOKS: workloads.bookings(shop),
        TPCB_SIMPLE: replace(tpcb, protocol="simple"),
    }
    if checkout is not None:
        url = pgledger.install(server, checkout)
        works |= {PGLEDGER: pgledger.spread(url), PGLEDGER_HOT: pgledger.hot(url)}
    return works


def _ratios(rounds: Rounds) -> list[Figure]:
    return [
        rounds.ratio("complete payments / TPC-B", rate, SPREAD, TPCB, goal=0.6),
        rounds.ratio("p99: complete payment / TPC-B", p99, SPREAD, TPCB, goal=1.5, better="lower"),
        rounds.ratio("hot payments / spread", rate, HOT, SPREAD, goal=0.95),
        rounds.ratio("monthly partitions / none", rate, SPREAD, IN_ONE_PIECE, goal=0.9),
        rounds.of(SPREAD, log_kilobytes, "kB", what="log written", goal=3),
        rounds.of(SPREAD, page_kilobytes, "kB", what="whole pages after a checkpoint"),
        rounds.ratio("p50: complete payment / TPC-B", p50, SPREAD, TPCB, better="lower"),
        rounds.ratio("the books alone / TPC-B", rate, BOOKS, TPCB),
        rounds.ratio("complete payments / TPC-B, simple queries", rate, SPREAD, TPCB_SIMPLE),
    ]


def _beside_pgledger(run: Run, rounds: Rounds) -> Part:
    title = "Payments beside pgledger"
    if run.settings.pgledger is None:
        unmeasured = [
            Unmeasured(FASTER, "≥ 3", pgledger.WANTED),
            Unmeasured(f"{FASTER}, hot", "≥ 6", pgledger.WANTED),
        ]
        return Part(title, [], unmeasured)
    figures = [
        rounds.ratio(FASTER, rate, SPREAD, PGLEDGER, goal=3),
        rounds.ratio(f"{FASTER}, hot", rate, HOT, PGLEDGER_HOT, goal=6),
        rounds.ratio("two pgledger transfers / TPC-B", rate, PGLEDGER, TPCB),
        rounds.ratio("two pgledger transfers, hot / TPC-B", rate, PGLEDGER_HOT, TPCB),
    ]
    return Part(title, figures)


def _absolutes(rounds: Rounds, works: Mapping[str, Work]) -> list[Figure]:
    found = []
    for kind in works:
        found += [
            rounds.of(kind, rate, "/s", what="rate", better="higher"),
            rounds.of(kind, p50, "ms", what="p50"),
            rounds.of(kind, p99, "ms", what="p99"),
            rounds.of(kind, server_cpu, "ms", what="server CPU"),
        ]
    return found
