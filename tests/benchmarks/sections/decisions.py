"""The whole fraud decision: lists, rules, counts, history, model; and its trips counted."""

import datetime as dt
import io
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, redirect_stdout
from random import Random
from statistics import median
from typing import Any

from redis import Redis

from paynexus import ids
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.fraud.features import FEATURES
from paynexus.fraud.lists import service as lists
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import Kind, Wanted
from paynexus.fraud.model import Action
from paynexus.fraud.rulebook import service as rules
from paynexus.fraud.rulebook.model import Wording
from paynexus.fraud.rulebook.service import Change
from paynexus.fraud.velocity import service as velocity
from paynexus.fraud.velocity.windows import WINDOWS
from paynexus.ids import MerchantId
from tests.benchmarks.figures import Figure
from tests.benchmarks.round_trips import counted
from tests.benchmarks.run import Part, Run
from tests.benchmarks.slices import MS, Slice
from tests.fraud_world import Desk
from tests.velocity_world import patient

RULES = 50
SEEDED_RULES = 3
LISTS: Sequence[tuple[Kind, int]] = ((Kind.NAME, 2), (Kind.EMAIL, 3), (Kind.IP, 2), (Kind.BIN, 3))
"""Ten lists, by what they hold."""
ENTRIES_A_SECOND = 10_000
"""Of each list, by the length of a slice: 20,000 with the usual two seconds."""
ENTRIES_MAX = 20_000
PAYMENTS_A_SECOND = 200
CARDS = 50
GOAL_LOAD_MILLISECONDS = 50
FIRST = """
import time
import paynexus.fraud.service
from tests.benchmarks.sections.rules import rules
from paynexus.fraud import scoring
from paynexus.fraud.rulebook.book import book_of
made = rules()
began = time.process_time()
book_of(made)
scoring.load()
print((time.process_time() - began) * 1e3)
"""


def measured(run: Run) -> Iterator[Part]:
    """Payments of known cards, judged on real Postgres and Redis."""
    url = run.servers.postgres.migrated("decisions")
    entries = min(ENTRIES_MAX, max(100, int(ENTRIES_A_SECOND * run.settings.seconds)))
    number = max(20, int(PAYMENTS_A_SECOND * run.settings.seconds))
    # Metrics go to standard output, which is the benchmark's table.
    with closing(Database(lambda: url)) as database, redirect_stdout(io.StringIO()):
        desk = _desk(run, database)
        _furnish(desk, entries)
        figures = _figures(run, desk, number)
    yield Part(f"Fraud decision ({RULES} rules, 10 lists of {entries} entries)", figures)
    run.audit(url)


def _desk(run: Run, database: Database) -> Desk:
    merchant = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Shop')", (merchant,))
    return Desk(database, patient(run.servers.redis_url), merchant, system_clock())


def _furnish(desk: Desk, entries: int) -> None:
    """Rules in force, lists that are full, cards that have paid before, and Redis that knows it."""
    by = Change(desk.merchant, "benchmark", desk.now)
    names = [name for name, feature in FEATURES.items() if feature.kind == "int"]
    with desk.database.transaction() as tx:
        for number in range(RULES - SEEDED_RULES):
            condition = " && ".join(f"{name} > {10**9 + number}" for name in names[:4])
            wording = Wording(condition, Action.CHALLENGE, "Never so much.")
            rule = rules.create_rule(tx, f"rule_{number}", wording, by=by)
            rules.activate(tx, rule.newest.id, author="benchmark", now=desk.now)
    chance = Random(1)  # noqa: S311 - nothing secret
    for kind, of_kind in LISTS:
        for number in range(of_kind):
            _list(desk, kind, f"{kind} {number}", entries, chance)
    for number in range(20 * CARDS):
        ago = dt.timedelta(days=1, minutes=number)
        desk.pay(1_000 + number % 700, ago=ago, **_payer(number))
    velocity.rebuild(desk.database, desk.cache, desk.now)
    desk.database.connection().execute("VACUUM ANALYZE")


def _list(desk: Desk, kind: Kind, name: str, entries: int, chance: Random) -> None:
    wanted = Wanted(name, kind, Action.BLOCK, "Listed.")
    made = lists.create_list(
        desk.database, wanted, merchant_id=desk.merchant, author="benchmark", now=desk.now
    )
    values = {_value(kind, number, chance) for number in range(entries)}
    lists.import_csv(
        desk.database,
        ids.text("fls", made.id),
        "".join(["value,note,expires_at\n", *(f'"{value}",,\n' for value in values)]).encode(),
        layout=Layout.CSV,
        merchant_id=desk.merchant,
        author="benchmark",
        now=desk.now,
    )


def _value(kind: Kind, number: int, chance: Random) -> str:
    match kind:
        case Kind.NAME:
            words = ("".join(chance.choices("abdefgiklmnorstu", k=7)).title() for _ in range(2))
            return " ".join(words)
        case Kind.EMAIL:
            return f"listed{number}@example.net"
        case Kind.IP:
            return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"
        case _:
            return f"{30_000_000 + number}"


def _figures(run: Run, desk: Desk, number: int) -> list[Figure]:
    subjects = [desk.pay(1_000 + n % 700, **_payer(n)) for n in range(number + 2)]
    desk.assess(subjects[0])
    with Redis.from_url(run.servers.redis_url) as redis:
        trips = counted(desk.database, redis, lambda: desk.assess(subjects[1]))
    latencies = []
    for subject in subjects[2:]:
        began = time.perf_counter()
        decision = desk.assess(subject)
        latencies.append(time.perf_counter() - began)
        assert not decision.skipped, decision.skipped
    taken = Slice(latencies=latencies, seconds=sum(latencies))
    bare = _bare(desk, number)
    first = median(_first_load() for _ in range(max(3, run.settings.rounds)))
    p50 = taken.percentile(50)
    return [
        Figure("fraud decision: p50", p50 * MS, "ms"),
        Figure("fraud decision: p99", taken.percentile(99) * MS, "ms"),
        Figure("fraud decision / bare SELECT 1", p50 / bare, "x"),
        Figure("fraud decision: trips to Postgres, one to record it", trips.database, "", goal=2),
        Figure("fraud decision: trips to Redis", trips.cache, "", goal=1),
        Figure("fraud decision: windows counted", len(WINDOWS), "", better="higher"),
        Figure("rules and model loaded", first, "ms", goal=GOAL_LOAD_MILLISECONDS),
    ]


def _payer(number: int) -> dict[str, Any]:
    card = number % CARDS
    return {
        "card": f"card {card}",
        "customer_id": f"customer {card}",
        "email": f"payer{card}@example.com",
        "name": "Augusta Lovelace",
        "ip": f"203.0.113.{card}",
        "card_bin": "42424242",
    }


def _bare(desk: Desk, number: int) -> float:
    latencies = []
    for _ in range(number):
        began = time.perf_counter()
        desk.database.connection().execute("SELECT 1").fetchall()
        latencies.append(time.perf_counter() - began)
    return median(latencies)


def _first_load() -> float:
    done = subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True, text=True)
    return float(done.stdout)
