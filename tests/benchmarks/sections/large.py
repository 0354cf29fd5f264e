"""Books with a long past: payments, past balances and the audit among millions of entries."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg

from paynexus.ledger import audit
from tests.benchmarks import history, payments, pgbench, servers, workloads
from tests.benchmarks.figures import Figure, Unmeasured
from tests.benchmarks.rounds import in_turns
from tests.benchmarks.run import Part, Run, pgbench_turns
from tests.benchmarks.slices import Slice, joined, p50, p99, rate
from tests.benchmarks.workloads import Shop

WANTED = "make bench LARGE=1"
LOOK_SECONDS = 0.02
SLOWEST_RULES = 5

SQL_KEPT_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND %s = ANY(pg_blocking_pids(pid))
"""


def measured(run: Run) -> Iterator[Part]:
    """Books of the sizes that the run is to have, smallest first; each of them is audited."""
    if not run.settings.entries:
        yield Part("Books with a long past", [], _unmeasured())
        return
    server = run.servers.postgres
    shops = {entries: history.shop_with(server, entries) for entries in run.settings.entries}
    *_, middle, most = shops
    yield _payments(run, shops)
    yield _past_balances(run, most, shops[most])
    yield _audits(run, {entries: shops[entries] for entries in (middle, most)})
    yield _payments_beside_the_audit(run, shops[most])


def _unmeasured() -> list[Unmeasured]:
    return [
        Unmeasured("payments among 10,000,000 entries / 100,000", "≥ 0.9", WANTED),
        Unmeasured("balance at a past time, 10,000,000 entries: p99", "≤ 5 ms", WANTED),
        Unmeasured("audit of 10,000,000 entries", "≤ 120 s", WANTED),
        Unmeasured("audit, time an entry: 10,000,000 / 1,000,000", "≤ 1.25", WANTED),
        Unmeasured("payments that waited for a lock of the audit", "0", WANTED),
    ]


def _payments(run: Run, shops: Mapping[int, Shop]) -> Part:
    least, *_, most = shops
    kinds = {entries: f"complete payment, {entries:,} entries" for entries in (least, most)}
    works = {kinds[entries]: workloads.payments(shops[entries]) for entries in (least, most)}
    rounds = in_turns(
        pgbench_turns(run, works, clients=run.settings.clients),
        number=run.settings.rounds,
        seconds=run.settings.seconds,
        settle=lambda: servers.settle(shops[least].url, shops[most].url),
    )
    ratio = f"payments among {most:,} entries / {least:,}"
    figures = [rounds.ratio(ratio, rate, kinds[most], kinds[least], goal=0.9)]
    for kind in kinds.values():
        figures.append(rounds.of(kind, rate, "/s", what="rate", better="higher"))
        figures.append(rounds.of(kind, p99, "ms", what="p99"))
    return Part("Payments among many entries", figures)


def _past_balances(run: Run, entries: int, shop: Shop) -> Part:
    work = workloads.past_balances(shop)
    pgbench.run(work, clients=1, seconds=run.settings.seconds)
    found = pgbench.run(work, clients=1, seconds=run.settings.seconds * run.settings.rounds)
    name = f"balance at a past time, {entries:,} entries"
    figures = [
        Figure(f"{name}: p50", p50(found), "ms"),
        Figure(f"{name}: p99", p99(found), "ms", goal=5),
    ]
    return Part("Past balances", figures)


def _audits(run: Run, shops: Mapping[int, Shop]) -> Part:
    taken = {entries: _audit(run, shop) for entries, shop in shops.items()}
    middle, most = taken
    total = {entries: sum(rules.values()) for entries, rules in taken.items()}
    slowest = sorted(taken[most].items(), key=lambda item: -item[1])[:SLOWEST_RULES]
    figures = [
        Figure(f"audit of {most:,} entries", total[most], "s", goal=120),
        Figure(f"audit of {middle:,} entries", total[middle], "s"),
        Figure(
            f"audit, time an entry: {most:,} / {middle:,}",
            (total[most] / most) / (total[middle] / middle),
            "x",
            goal=1.25,
        ),
        *(Figure(f"audit of {most:,} entries: {rule}", took, "s") for rule, took in slowest),
    ]
    return Part("The audit", figures)


def _audit(run: Run, shop: Shop) -> dict[str, float]:
    """What each rule took, in seconds; breaches are on record."""
    with psycopg.connect(shop.url) as connection:
        payments.record_approvals(connection)
        connection.commit()
        return _audited(connection, run.breaches)


def _audited(connection: psycopg.Connection, breaches: Counter[str]) -> dict[str, float]:
    # Not `audit.violations`: the product's connections give up a statement after ten seconds,
    # and how long it takes is the question.
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    taken = {}
    for rule in audit.rules(connection):
        started = time.perf_counter()
        found = audit._breaches(connection, rule)
        taken[rule] = time.perf_counter() - started
        breaches.update(breach.rule for breach in found)
    return taken


def _payments_beside_the_audit(run: Run, shop: Shop) -> Part:
    work, seconds = workloads.payments(shop), run.settings.seconds
    clients = run.settings.clients
    alone = pgbench.run(work, clients=clients, seconds=seconds * run.settings.rounds)
    slices: list[Slice] = []
    with (
        psycopg.connect(shop.url) as auditor,
        psycopg.connect(shop.url, autocommit=True) as guard,
        ThreadPoolExecutor() as pool,
    ):
        # What it finds does not count: payments are at work whose charge is made up for later.
        auditing = pool.submit(_audited, auditor, Counter())
        waited = pool.submit(_kept_waiting, guard, auditor.info.backend_pid, auditing.done)
        while not (auditing.done() and slices):
            slices.append(pgbench.run(work, clients=clients, seconds=seconds))
        auditing.result()
    beside = joined(slices)
    figures = [
        Figure("payments that waited for a lock of the audit", waited.result(), "", goal=0),
        Figure("p99: payments beside the audit / alone", p99(beside) / p99(alone), "x"),
        Figure("payments beside the audit / alone", rate(beside) / rate(alone), "x"),
        Figure("payments beside the audit: p99", p99(beside), "ms"),
        Figure("payments alone: p99", p99(alone), "ms"),
    ]
    return Part("Payments beside the audit", figures)


def _kept_waiting(guard: psycopg.Connection, backend: int, is_done: Callable[[], bool]) -> int:
    """How often somebody was seen to wait for a lock of this backend."""
    seen = 0
    while not is_done():
        row = guard.execute(SQL_KEPT_WAITING, (backend,)).fetchone()
        assert row
        seen += row[0]
        time.sleep(LOOK_SECONDS)
    return seen
