"""Changes of circuits as facts: each once, in order, and never at a payment's cost."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from redis import Redis

from merchants_api.handler import handler as merchants_api
from paynexus import ids
from paynexus.cache import Cache
from paynexus.changefeed.facts import envelope
from paynexus.db import LOCK_TIMEOUT_MS, Database
from paynexus.events import require_valid
from paynexus.gateways.announcing import announcing, id_of
from paynexus.gateways.breaker import Breaker
from paynexus.gateways.circuit import SECOND, Change, Policy, State, Verdict
from paynexus.gateways.port import Instruction, Outcome, Result, Sent
from paynexus.gateways.service import GuardedGateway
from tests.integration.conftest import Caller
from tests.integration.test_gateways_service import HASTY, _charge
from tests.sandbox import Sandbox

POLICY = Policy(failures_to_open=3, open_seconds=0)
CALLERS = 50

type Made = Callable[[Database], Breaker]


@pytest.fixture(name="made")
def _made(redis_url: str) -> Made:
    """Makes one environment's breaker of the sandbox's circuit."""

    def make(database: Database) -> Breaker:
        cache = Cache(redis_url)
        # A busy machine is waited for: a miss would be counted locally.
        cache._client = Redis.from_url(redis_url, socket_timeout=30, single_connection_client=True)
        announce = announcing(database, mode="test")
        return Breaker(cache, gateway="sandbox", policy=POLICY, announce=announce)

    return make


def told(database: Database) -> list[tuple[int, str, str, str]]:
    """Sequence, type, state before and state since, of all events about circuits."""
    rows = database.connection().execute(
        "SELECT sequence, type, data ->> 'before', data ->> 'state' FROM events"
        " WHERE source = 'gateways.events' ORDER BY sequence"
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def fail(breaker: Breaker, times: int = 1) -> None:
    """So many calls of the gateway, none of which it answers."""
    for _ in range(times):
        breaker.record(breaker.admit(), Verdict.FAILURE)


OPENED = "gateway.circuit_opened.v1"
HALF_OPENED = "gateway.circuit_half_opened.v1"
CLOSED = "gateway.circuit_closed.v1"


def test_a_gateway_that_fails_and_returns_is_three_facts(
    database: Database, made: Made, sandbox: Sandbox
) -> None:
    """Behind its circuit, as payments call it."""
    guarded = GuardedGateway(sandbox.gateway, breaker=made(database), pace=HASTY)
    sandbox.stop()
    assert guarded.send(_charge("a"), deadline_seconds=5).outcome is Outcome.NOT_SENT
    sandbox.start()
    assert guarded.send(_charge("b"), deadline_seconds=5).outcome is Outcome.APPROVED

    assert told(database) == [
        (1, OPENED, "CLOSED", "OPEN"),
        (2, HALF_OPENED, "OPEN", "HALF_OPEN"),
        (3, CLOSED, "HALF_OPEN", "CLOSED"),
    ]


def test_each_is_an_event_as_promised(database: Database, made: Made) -> None:
    """Of no merchant, of the gateway's mode, about the gateway."""
    fail(made(database), 3)
    row = (
        database.connection()
        .execute(
            "SELECT id, type, created_at, mode, merchant_id, object_id, sequence, data FROM events"
        )
        .fetchone()
    )
    assert row is not None
    assert row[3:6] == ("test", None, id_of("sandbox"))
    assert row[7]["id"] == row[5]
    require_valid(
        envelope(
            id=row[0],
            type=row[1],
            created=row[2],
            mode=row[3],
            merchant_id=row[4],
            object_id=row[5],
            sequence=row[6],
            data=row[7],
        )
    )


def test_a_crowd_that_fails_at_once_opens_it_once(
    another_database: Callable[[], Database], database: Database, made: Made
) -> None:
    """Each on a connection of its own: Redis tells one of them, and that one tells."""
    breakers = [made(another_database()) for _ in range(CALLERS)]
    admitted = [(one, one.admit()) for one in breakers]
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda one: one[0].record(one[1], Verdict.FAILURE), admitted))

    assert told(database) == [(1, OPENED, "CLOSED", "OPEN")]


def test_the_order_survives_a_redis_that_forgets(
    database: Database, made: Made, redis_url: str
) -> None:
    """Its own count of changes begins anew; the sequence does not."""
    for _ in range(3):
        fail(made(database), 3)
        Redis.from_url(redis_url).flushall()

    assert told(database) == [(n, OPENED, "CLOSED", "OPEN") for n in (1, 2, 3)]


def test_changes_at_the_same_moment_stand_one_behind_the_other(
    another_database: Callable[[], Database], database: Database
) -> None:
    """Whoever tells them, and of however many gateways."""
    tellers = [announcing(another_database(), mode="test") for _ in range(6)]

    def tell(number: int) -> None:
        for n in range(10):
            tellers[number](("one", "two")[n % 2], Change(State.CLOSED, State.OPEN, n))

    with ThreadPoolExecutor(len(tellers)) as pool:
        list(pool.map(tell, range(len(tellers))))
    rows = database.connection().execute(
        "SELECT array_agg(sequence ORDER BY sequence) FROM events GROUP BY object_id"
    )

    assert rows.fetchall() == [(list(range(1, 31)),)] * 2


def test_without_redis_nothing_is_announced(database: Database) -> None:
    """What one environment counts for itself says nothing of the fleet."""
    announce = announcing(database, mode="test")
    breaker = Breaker(Cache(""), gateway="sandbox", policy=POLICY, announce=announce)
    fail(breaker, 3)
    assert breaker.state() is State.OPEN
    assert told(database) == []


def test_a_payment_does_not_feel_that_it_could_not_be_told(
    made: Made, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database is away: the circuit works as ever, and the loss is counted."""
    away = Database(lambda: "postgresql://127.0.0.1:1/gone")
    guarded = GuardedGateway(sandbox.gateway, breaker=made(away), pace=HASTY)
    sandbox.stop()
    assert guarded.send(_charge("a"), deadline_seconds=5).outcome is Outcome.NOT_SENT
    sandbox.start()
    assert guarded.send(_charge("b"), deadline_seconds=5).outcome is Outcome.APPROVED
    assert capsys.readouterr().out.count('"CircuitEventLost":[1.0]') == 6


class Answering:
    """A gateway that approves, and looks at what was told by the time it is called."""

    name = "sandbox"

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self.told: list[int] = []

    def send(self, _instruction: Instruction, *, deadline_seconds: float) -> Result:
        """Approved."""
        assert deadline_seconds > 0
        self.told.append(self._look())
        return Result(Outcome.APPROVED)

    def inquire(
        self, reference: str, *, deadline_seconds: float, sent: Sent | None = None
    ) -> Result | None:
        """Nothing is known there."""
        assert (reference, sent, deadline_seconds > 0) == ("a", None, True)
        self.told.append(self._look())
        return None

    def is_healthy(self) -> bool:
        """Always."""
        return True


@pytest.mark.parametrize("asks", ["send", "inquire"])
def test_nothing_is_told_before_the_gateway_was_called(
    database: Database, made: Made, asks: str
) -> None:
    """The call that tries a half-open circuit would else wait for the database."""
    breaker = made(database)
    fail(breaker, 3)
    gateway = Answering(lambda: len(told(database)))
    guarded = GuardedGateway(gateway, breaker=breaker, pace=HASTY)
    if asks == "send":
        guarded.send(_charge("a"), deadline_seconds=5)
    else:
        guarded.inquire("a", deadline_seconds=5)

    assert gateway.told == [1]
    assert [kind for _, kind, _, _ in told(database)] == [OPENED, HALF_OPENED, CLOSED]


def test_a_stalled_record_costs_a_payment_little(
    database: Database, database_url: str, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another holds the lock for as long as it likes: the facts are lost, and counted."""
    breaker = made(database)
    fail(breaker, 3)
    guarded = GuardedGateway(Answering(lambda: 0), breaker=breaker, pace=HASTY)
    capsys.readouterr()
    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (id_of("sandbox"),))
        began = time.monotonic()
        assert guarded.send(_charge("a"), deadline_seconds=5).outcome is Outcome.APPROVED
        took = time.monotonic() - began

    # Two waits of half a second; either alone could otherwise last this long.
    assert took < LOCK_TIMEOUT_MS / 1000
    # Of two changes, once in total and once for the gateway.
    assert capsys.readouterr().out.count('"CircuitEventLost":[1.0]') == 4
    assert told(database) == [(1, OPENED, "CLOSED", "OPEN")]


def test_a_change_told_late_says_when_it_was(database: Database, made: Made) -> None:
    """A probe opens the circuit again while the trial call still waits for its answer."""
    trying, probing = made(database), made(database)
    fail(trying, 3)
    start = 2_000_000_000 * SECOND
    admission = trying.admit(at=start + 1)
    probing.probed(Verdict.PROBE_FAILURE, at=start + 2)
    trying.record(admission, Verdict.FAILURE, at=start + 3)
    late = told(database)[1:]
    changed = database.connection().execute(
        "SELECT data ->> 'changed' FROM events WHERE sequence > 1 ORDER BY sequence"
    )

    assert late == [(2, OPENED, "HALF_OPEN", "OPEN"), (3, HALF_OPENED, "OPEN", "HALF_OPEN")]
    assert [row[0] for row in changed] == [
        "2033-05-18T03:33:20.000002Z",
        "2033-05-18T03:33:20.000001Z",
    ]


def test_merchants_never_see_them(call: Caller, database: Database, made: Made) -> None:
    """Neither in their lists, nor by name."""
    fail(made(database), 3)
    [(event_id,)] = database.connection().execute("SELECT id FROM events").fetchall()
    listed = call(merchants_api, "GET", "/events").json()
    found = call(merchants_api, "GET", f"/events/{ids.text('evt', event_id)}")
    assert (listed["data"], found.status) == ([], 404)


def test_an_event_of_no_merchant_is_one_of_a_gateway(database: Database) -> None:
    """Anything else is a violation that the audit names."""
    connection = database.connection()
    connection.execute("BEGIN")
    connection.execute(
        "SELECT append_event(uuidv7(), 'payments.events', 'x.y.v1', 'test', NULL, 'x', '{}')"
    )
    query = "SELECT count(*) FROM audit.event_belongs_to_no_merchant"
    assert connection.execute(query).fetchone() == (1,)
    connection.execute("ROLLBACK")
