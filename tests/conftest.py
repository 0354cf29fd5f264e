"""Real Postgres and Valkey, started once a run; a fresh clone of the database for each test."""

import datetime as dt
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from paynexus import db, ids
from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.ids import MerchantId
from paynexus.ledger import audit
from tests.flow import Flow
from tests.sandbox import Sandbox
from tools.local_stack import postgres, valkey

ROOT = Path(__file__).parent.parent
PROOF_PREPARES_AFTER = 3
FLUSH_SECONDS = 30
MIGRATIONS = ROOT / "infra/database/migrations"
TEMPLATE = "paynexus_template"
FUZZ_CASES = 700
"""Generated requests in `make test`; `make fuzz` sends twenty thousand."""
SEEDS = 500
"""Scenarios of the simulation in `make check`; `--seeds 2000` plays four times as many."""
STORM_KEYS = 3
"""Keys of a storm in `make check`; `--storm-keys 50` makes it ten thousand requests."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long a storm lasts, how much is simulated, and how much is generated."""
    parser.addoption("--storm-keys", type=int, default=STORM_KEYS, help="200 requests for each")
    parser.addoption("--seeds", type=int, default=SEEDS, help="scenarios of the simulation")
    parser.addoption("--fuzz-cases", type=int, default=FUZZ_CASES, help="requests to generate")
    parser.addoption("--fuzz-seed", type=int, default=1, help="which requests")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the sums of what tests counted, whatever process they ran in.

    A run of faults or sequences that tried nothing must not look like a proof.
    """
    sums: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            sums[name] += value
    for name, total in sorted(sums.items()):
        terminalreporter.write_line(f"{total} {name}")


@pytest.fixture(autouse=True, scope="session")
def _aws_environment() -> Iterator[None]:
    """Nothing in a test can reach a real AWS account."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(("AWS_", "PAYNEXUS_"))]:  # noqa: TID251
        patch.delenv(name)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("POWERTOOLS_LOG_LEVEL", "WARNING")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """A Postgres of this run alone, holding the migrated template database."""
    server = postgres.start(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(server.url, autocommit=True) as admin:
        # A database a test is made and dropped faster; what outlives a loss of power is the
        # business of the servers that tests start for themselves.
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("ALTER SYSTEM SET full_page_writes = off")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    with psycopg.connect(_url(server, TEMPLATE), autocommit=True) as connection:
        db.migrate(connection, MIGRATIONS)
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres_server: postgres.Server) -> Iterator[str]:
    """A database of this test alone, cloned from the migrated template."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(clone.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
        yield _url(postgres_server, name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The product's view of the test's database; the books are audited when the test ends."""
    database = Database(lambda: database_url)
    if request.node.get_closest_marker("proof"):
        # The same statements, thousands of times, on a connection that nobody pools.
        database.connection().prepare_threshold = PROOF_PREPARES_AFTER
    yield database
    violations = audit.violations(database)
    database.close()

    assert violations == []


@pytest.fixture
def another_database(database_url: str) -> Iterator[Callable[[], Database]]:
    """Makes further connections to the test's database, as other environments have them."""
    opened: list[Database] = []

    def connect() -> Database:
        opened.append(Database(lambda: database_url))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.Server]:
    """A Valkey of this run alone."""
    server = valkey.start(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey_server: valkey.Server) -> str:
    """An empty Valkey."""
    # Not by the product's client: on a busy machine its deadline is too near for a fixture.
    with redis.Redis.from_url(valkey_server.url, socket_timeout=FLUSH_SECONDS) as client:
        client.flushall()
    return valkey_server.url


@pytest.fixture
def cache(redis_url: str) -> Cache:
    """The product's view of an empty Valkey."""
    return Cache(redis_url)


@pytest.fixture
def now() -> dt.datetime:
    """The moment at which tests happen."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)  # noqa: TID251 - the tests' edge


@pytest.fixture
def merchant(database: Database) -> MerchantId:
    """A merchant in Germany: 1.5 % and 25 cents a payment, paid out to one test account."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Café Müller')", (merchant_id,))
        tx.execute(
            "INSERT INTO merchant_fees SELECT %s, unnest(ARRAY['EUR', 'USD']), 150, 25",
            (merchant_id,),
        )
        tx.execute(
            "INSERT INTO payout_accounts VALUES"
            " (%s, 'EUR', 'Café Müller', 'DE89370400440532013000', NULL)",
            (merchant_id,),
        )
    return merchant_id


def _url(server: postgres.Server, name: str) -> str:
    return make_conninfo(server.url, dbname=name)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox acquirer of this test alone."""
    sandbox = Sandbox(tmp_path / "acquirer")
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def flow(
    database: Database, cache: Cache, sandbox: Sandbox, merchant: MerchantId, now: dt.datetime
) -> Flow:
    """Payments of the merchant, taken step by step in this process, at the sandbox acquirer."""
    return Flow(database, cache, {"test": sandbox.gateway}, merchant, now)
