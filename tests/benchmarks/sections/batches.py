"""Transfers by the batch, in one commit each, beside TPC-B."""

from collections.abc import Callable, Iterator

from tests.benchmarks import servers, workloads
from tests.benchmarks.rounds import Round, in_turns
from tests.benchmarks.run import Part, Run, pgbench_turns
from tests.benchmarks.slices import Slice, rate
from tests.benchmarks.workloads import BATCH

TPCB = "TPC-B"
SPREAD = f"batches of {BATCH}"
HOT = f"batches of {BATCH}, hot"


def measured(run: Run) -> Iterator[Part]:
    """Transfers a second, of many merchants and of one."""
    server = run.servers.postgres
    tpcb = workloads.tpcb(server, "batches_tpcb")
    shop = workloads.open_shop(server.migrated("batches"))
    works = {
        TPCB: tpcb,
        SPREAD: workloads.batches(shop),
        HOT: workloads.batches(shop, hot=True),
    }
    rounds = in_turns(
        pgbench_turns(run, works, clients=run.settings.clients),
        number=run.settings.rounds,
        seconds=run.settings.seconds,
        settle=lambda: servers.settle(tpcb.url, shop.url),
    )
    figures = [
        rounds.figure(
            f"transfers in {SPREAD} / TPC-B", _times(SPREAD), "x", goal=4, better="higher"
        ),
        rounds.figure(f"transfers in {HOT} / TPC-B", _times(HOT), "x", goal=3, better="higher"),
        *(
            rounds.of(kind, transfers, "/s", what="transfers", better="higher")
            for kind in (SPREAD, HOT)
        ),
    ]
    yield Part("Batches", figures)
    run.audit(shop.url)


def transfers(batches: Slice) -> float:
    """A second."""
    return batches.rate * BATCH


def _times(kind: str) -> Callable[[Round], float]:
    return lambda one: transfers(one[kind]) / rate(one[TPCB])
