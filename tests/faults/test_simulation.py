"""Thousands of scenarios, each from one seed: whatever goes wrong, all agree in the end."""

import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from paynexus.db import Database
from paynexus.ids import MerchantId
from tests.conftest import TEMPLATE
from tests.faults.acquirer import Books
from tests.faults.scheduling import ScheduledDatabase
from tests.faults.simulation import CONNECTIONS, new_merchant, play
from tools.local_stack import postgres
from tools.sandbox_acquirer import rules
from tools.sandbox_acquirer.rules import Request, RequestRefused
from tools.sandbox_acquirer.service import Acquirer
from tools.sandbox_acquirer.store import Store

pytestmark = pytest.mark.proof

BLOCKS = 8
SAME = 20
REQUESTS = 400


@pytest.fixture(name="databases")
def _databases(database: Database, database_url: str) -> Iterator[list[ScheduledDatabase]]:
    """Connections of a scenario's processes; `database` has the books audited at the end."""
    made = [ScheduledDatabase(database_url) for _ in range(CONNECTIONS)]
    yield made
    for one in made:
        one.close()


@pytest.fixture(name="twins")
def _twins(postgres_server: postgres.Server) -> Iterator[list[ScheduledDatabase]]:
    """Likewise, of a database that nothing ever happened in."""
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE twins TEMPLATE {TEMPLATE}")
        url = make_conninfo(postgres_server.url, dbname="twins")
        made = [ScheduledDatabase(url) for _ in range(CONNECTIONS)]
        yield made
        for one in made:
            one.close()
        admin.execute("DROP DATABASE twins WITH (FORCE)")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_seed_ends_well(
    databases: list[ScheduledDatabase],
    merchant: MerchantId,
    now: dt.datetime,
    block: int,
    request: pytest.FixtureRequest,
) -> None:
    """Crashes, lost and late messages, lies of Redis: one charge, one answer, one story."""
    seeds = range(request.config.getoption("--seeds"))
    for seed in seeds[block::BLOCKS]:
        world = play(seed, databases, merchant, now)
        for name, value in world.counts().items():
            request.node.user_properties.append((f"simulated: {name}", value))


def test_a_seed_is_the_same_scenario_each_time(
    databases: list[ScheduledDatabase], twins: list[ScheduledDatabase], now: dt.datetime
) -> None:
    """Alone or among others, now or later: the same trace, to the millisecond."""
    among = [_trace(seed, databases, now) for seed in range(SAME)]
    later = now + dt.timedelta(minutes=7)
    backwards = [_trace(seed, twins, later) for seed in reversed(range(SAME))]

    assert backwards[::-1] == among
    assert len({tuple(trace) for trace in among}) == SAME


def _trace(seed: int, databases: list[ScheduledDatabase], began: dt.datetime) -> list[str]:
    with closing(databases[0].at_rest()) as database:
        merchant = new_merchant(database)
    return play(seed, databases, merchant, began).schedule.trace


def test_the_acquirer_in_memory_is_the_sandbox_acquirer(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The same requests, answered by both: outcomes, codes and charges are the same."""
    books, dice = Books(), random.Random(1)  # noqa: S311 - a test's dice, to be thrown again
    store = Store(tmp_path)
    sandbox = Acquirer(
        store, sleep=lambda _: None, clock=lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    )
    answers = Counter[str]()
    for _ in range(REQUESTS):
        request = _request(dice)
        result, answered = books.take(request), _of_sandbox(sandbox, request)
        assert (str(result.outcome), result.code) == answered, request
        answers[str(result.outcome)] += 1
        assert books.charges.get(request.charge_reference) == store.charge(request.charge_reference)
    store.close()

    record_property("requests that both acquirers answered alike", answers.total())
    assert min(answers[one] for one in ("APPROVED", "DECLINED", "UNKNOWN")) > 0


def _request(dice: random.Random) -> Request:
    """One of few references, so that repetitions and contradictions come up."""
    kind = dice.choice(list(rules.Operation))
    charge = f"chg_{dice.randrange(40)}"
    is_charge, is_cancel = kind is rules.Operation.CHARGE, kind is rules.Operation.CANCEL
    return Request(
        operation=kind,
        reference=charge if is_charge else f"{kind}_{dice.randrange(80)}",
        charge_reference=charge,
        amount=None if is_cancel else dice.choice([100, 100, 300]),
        currency=None if is_cancel else "EUR",
        payment_method=dice.choice(["tok_approve", "tok_approve", "tok_decline"])
        if is_charge
        else None,
        capture=is_charge and dice.random() < 0.3,
        description=None,
        final=kind is rules.Operation.CAPTURE and dice.random() < 0.3,
    )


def _of_sandbox(sandbox: Acquirer, request: Request) -> tuple[str, str | None]:
    try:
        said = json.loads(sandbox.send(request).answer or "")
    except RequestRefused as refusal:
        is_conflict = refusal.status == 409
        return ("UNKNOWN" if is_conflict else "DECLINED"), refusal.code
    return said["status"].upper(), said["code"]
