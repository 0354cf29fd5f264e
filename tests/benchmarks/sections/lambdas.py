"""What a Lambda pays: the product's Python below the handlers, eight processes of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import psycopg

from paynexus.db import Database
from paynexus.ids import MerchantId
from tests.benchmarks import payments, pgbench, round_trips, servers, workloads
from tests.benchmarks.crew import Accept, Crew, Finish, Take, at_work
from tests.benchmarks.figures import Figure
from tests.benchmarks.pgbench import Work
from tests.benchmarks.round_trips import RoundTrips
from tests.benchmarks.rounds import Round, Rounds, in_turns
from tests.benchmarks.run import Part, Run, pgbench_turns
from tests.benchmarks.servers import Servers
from tests.benchmarks.slices import (
    Slice,
    one_after_the_other,
    own_cpu,
    p50,
    p99,
    rate,
    server_cpu,
)
from tests.benchmarks.workloads import MERCHANTS

TPCB = "TPC-B, beside Python"
PAYMENT = "Python: complete payment"
ACCEPT = f"{PAYMENT}, accept"
FINISH = f"{PAYMENT}, finish"
HOT = f"{PAYMENT}, hot"
FLOW = "Python: whole flow"
SIMPLE = "pgbench: simple-update"
KINDS = (TPCB, SIMPLE, PAYMENT, ACCEPT, FINISH, HOT, FLOW)


def measured(run: Run) -> Iterator[Part]:
    """Both commits, whole flows, one client, and how often a payment waits for a server."""
    with closing(Database(lambda: run.servers.payments_url)) as database:
        merchants = tuple(workloads.onboard(database, MERCHANTS))
    pgbench.initialize(run.servers.tpcb_url)
    with at_work(run.servers, clients=run.settings.clients) as crew:
        yield from _measured(run, Tills(run.servers, crew), merchants)
    yield Part("Waits", _waits(round_trips.of_a_payment(run.servers, merchants[0])))
    run.audit(run.servers.payments_url)


class Tills:
    """Clients in processes of their own, who take payments."""

    def __init__(self, servers: Servers, crew: Crew) -> None:
        self._servers = servers
        self._crew = crew

    def complete(
        self, kind: str, merchants: Sequence[MerchantId], seconds: float, *, clients: int
    ) -> Round:
        """Complete payments: accepted all, then finished all."""
        # The gateway's attempts are recorded between the halves, where nothing is measured.
        # Half of the time is for accepting; finishing takes as long as it takes.
        order = Accept(tuple(merchants), seconds / 2)
        accept = self._metered(order, clients)
        with psycopg.connect(self._servers.payments_url, autocommit=True) as connection:
            payments.record_approvals(connection)
        finish = self._metered(Finish(), clients)
        whole = one_after_the_other(accept, finish)
        return {kind: whole, f"{kind}, accept": accept, f"{kind}, finish": finish}

    def flows(self, merchants: Sequence[MerchantId], seconds: float, *, clients: int) -> Round:
        """Payments, each from its acceptance to its end."""
        return {FLOW: self._metered(Take(tuple(merchants), seconds), clients)}

    def _metered(self, order: Accept | Finish | Take, clients: int) -> Slice:
        return self._servers.postgres.metered(lambda: self._crew.follow(order, clients=clients))


def _measured(run: Run, tills: Tills, merchants: Sequence[MerchantId]) -> Iterator[Part]:
    clients, seconds = run.settings.clients, run.settings.seconds
    turns = [
        *pgbench_turns(run, _yardsticks(run), clients=clients),
        lambda seconds: tills.complete(PAYMENT, merchants, seconds, clients=clients),
        lambda seconds: tills.complete(HOT, merchants[:1], seconds, clients=clients),
        lambda seconds: tills.flows(merchants, seconds, clients=clients),
    ]
    rounds = in_turns(
        turns,
        number=run.settings.rounds,
        seconds=seconds,
        settle=lambda: servers.settle(run.servers.tpcb_url, run.servers.payments_url),
    )
    yield Part(f"Payments through Python ({clients} processes)", _ratios(rounds))
    yield Part("Their speed", _speeds(rounds))
    yield Part("What one operation uses up", _costs(rounds))
    alone = in_turns(
        [
            *pgbench_turns(run, _yardsticks(run), clients=1),
            lambda seconds: tills.complete(PAYMENT, merchants, seconds, clients=1),
            lambda seconds: tills.flows(merchants, seconds, clients=1),
        ],
        number=run.settings.rounds,
        seconds=seconds,
        settle=lambda: servers.settle(run.servers.tpcb_url, run.servers.payments_url),
    )
    yield Part("One client", _alone(alone))


def _yardsticks(run: Run) -> dict[str, Work]:
    """A commit of three updates and an insertion, and one of a single update and the insertion."""
    url = run.servers.tpcb_url
    return {TPCB: Work(url), SIMPLE: Work(url, builtin="simple-update")}


def _ratios(rounds: Rounds) -> list[Figure]:
    """Each taken within a round, then the median of the rounds."""
    return [
        rounds.ratio(f"{PAYMENT} / TPC-B", rate, PAYMENT, TPCB),
        rounds.ratio(f"{HOT} / spread", rate, HOT, PAYMENT),
        rounds.ratio(f"{FLOW} / TPC-B", rate, FLOW, TPCB),
        rounds.ratio(f"{PAYMENT} / simple-update", rate, PAYMENT, SIMPLE),
        rounds.ratio(f"{FLOW} / simple-update", rate, FLOW, SIMPLE),
        rounds.ratio(f"{PAYMENT} / TPC-B: p50", p50, PAYMENT, TPCB, better="lower"),
        rounds.ratio(f"{PAYMENT} / TPC-B: p99", p99, PAYMENT, TPCB, better="lower"),
    ]


def _speeds(rounds: Rounds) -> list[Figure]:
    found = []
    for kind in KINDS:
        found += [
            rounds.of(kind, rate, "/s", what="rate", better="higher"),
            rounds.of(kind, p50, "ms", what="p50"),
            rounds.of(kind, p99, "ms", what="p99"),
        ]
    return found


def _costs(rounds: Rounds) -> list[Figure]:
    kinds = (PAYMENT, ACCEPT, FINISH, FLOW)
    return [
        *(rounds.of(kind, own_cpu, "ms", what="own CPU") for kind in kinds),
        *(rounds.of(kind, server_cpu, "ms", what="server CPU") for kind in kinds),
    ]


def _alone(rounds: Rounds) -> list[Figure]:
    """One client: nothing waits for anything but its own work."""
    figures = []
    for kind in (SIMPLE, PAYMENT, FLOW):
        figures += [
            rounds.of(kind, rate, "/s", what="rate, one client", better="higher"),
            rounds.of(kind, p50, "ms", what="p50, one client"),
            rounds.of(kind, p99, "ms", what="p99, one client"),
        ]
    return [
        *figures,
        *(rounds.of(kind, own_cpu, "ms", what="own CPU, one client") for kind in (PAYMENT, FLOW)),
        rounds.ratio(f"{PAYMENT} / simple-update, one client", rate, PAYMENT, SIMPLE),
        rounds.ratio(f"{FLOW} / simple-update, one client", rate, FLOW, SIMPLE),
    ]


def _waits(found: Mapping[str, RoundTrips]) -> list[Figure]:
    goals = {"accept": 1, "finish": 1, "charge": 2}
    return [
        *(
            Figure(f"{step}: database round trips", one.database, "", goal=goals.get(step))
            for step, one in found.items()
        ),
        Figure(
            "whole flow: Redis round trips", sum(one.cache for one in found.values()), "", goal=2
        ),
    ]
