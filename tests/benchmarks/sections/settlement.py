"""A night of settlement: what many merchants are owed into batches, and a statement against it."""

import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg

from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.settlement.batching.service import make_settlements
from tests.benchmarks import reconciling
from tests.benchmarks.figures import Figure
from tests.benchmarks.reconciling import KIBIBYTES_A_MEGABYTE, Done
from tests.benchmarks.run import Part, Run
from tests.benchmarks.unsettled import merchants_with

ENTRIES = (100_000, 1_000_000)
MERCHANTS = 1_000
LEAST_ENTRIES_A_MERCHANT = 20
LINES = 100_000
"""Of the bank's statement."""
ENTRIES_A_PAYMENT = 2
ROUNDS = 3
LINEAR_GOAL = 11

SQL_PLAIN = """
SELECT e.account_id, a.currency, a.mode, sum(-e.delta)
FROM ledger_entries AS e INNER JOIN accounts AS a ON a.id = e.account_id
WHERE a.type = 'merchant_payable' AND e.type = 'posted'
GROUP BY e.account_id, a.currency, a.mode
"""


@dataclass(frozen=True, slots=True)
class Night:
    """One run of settlement."""

    made: int
    seconds: float
    megabytes: float
    """The most that its process held."""


def measured(run: Run) -> Iterator[Part]:
    """The same merchants with few entries and with ten times as many; each is audited after it."""
    sizes = run.settings.entries[-2:] or ENTRIES
    merchants = min(MERCHANTS, sizes[0] // LEAST_ENTRIES_A_MERCHANT)
    nights, plain, urls = {}, {}, {}
    for entries in sizes:
        urls[entries] = merchants_with(
            run.servers.postgres, f"unsettled_{entries}", entries=entries, merchants=merchants
        )
        plain[entries] = min(_plain(urls[entries]) for _ in range(ROUNDS))
        nights[entries] = _night(urls[entries])
        run.audit(urls[entries])
    few, many = sizes
    name = f"settlement of {many:,} entries of {merchants:,} merchants"
    growth = nights[many].seconds / nights[few].seconds
    figures = [
        Figure(f"{name}: settlements made", nights[many].made, "", better="higher"),
        Figure(name, many / nights[many].seconds, "entries/s", better="higher"),
        Figure(f"{name} / plain GROUP BY", nights[many].seconds / plain[many], "x"),
        Figure(f"{name}: peak memory", nights[many].megabytes, "MB"),
        Figure(
            f"settlement: time for {many / few:.0f} times as many", growth, "x", goal=LINEAR_GOAL
        ),
    ]
    yield Part("Settlement", figures)
    lines = min(LINES, many // ENTRIES_A_PAYMENT)
    yield Part("Reconciliation", _reconciliation(run, urls, lines))


def _reconciliation(run: Run, urls: dict[int, str], lines: int) -> list[Figure]:
    few, many = sorted(urls)
    now = system_clock()
    instructed = reconciling.pay_out(urls[many], now=now)
    reconciling.pay_out(urls[few], now=now)
    done, plain = _statement(run, urls[many], lines)
    tenth, _ = _statement(run, urls[few], lines // 10)
    name = f"statement of {lines:,} lines"
    matched = done.verdicts["paid"] + done.verdicts["gateway"]
    return [
        Figure("payouts in files, validated and sent", instructed, "s"),
        Figure(f"{name}: lines matched", matched, "", goal=lines, better="higher"),
        Figure(name, lines / done.seconds, "lines/s", better="higher"),
        Figure(f"{name} / plain parse", done.seconds / plain.seconds, "x"),
        Figure(f"{name}: memory", done.megabytes, "MB"),
        Figure(f"{name}: memory of a plain parse", plain.megabytes, "MB"),
        Figure(
            f"statement of 10 times the {lines // 10:,} lines",
            done.seconds / tenth.seconds,
            "x",
            goal=LINEAR_GOAL,
        ),
    ]


def _statement(run: Run, url: str, lines: int) -> tuple[Done, Done]:
    path = run.folder / f"reconciled-{lines}.xml"
    reconciling.charge(url, lines)
    reconciling.write_statement(url, path, lines)
    plain = reconciling.parsed(path)
    return reconciling.reconciled(url, path, now=system_clock()), plain


def _plain(url: str) -> float:
    with psycopg.connect(url) as connection:
        started = time.perf_counter()
        connection.execute(SQL_PLAIN).fetchall()
        return time.perf_counter() - started


def _night(url: str) -> Night:
    # In a process of its own: what it holds at most is its own.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_settle, (url,))


def _settle(url: str) -> Night:
    now = system_clock()
    with closing(Database(lambda: url)) as database:
        started = time.perf_counter()
        run = make_settlements(database, now=now, cutoff=now)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIBIBYTES_A_MEGABYTE
    return Night(run.made, seconds, peak)
