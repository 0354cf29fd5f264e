"""`python -m tests.benchmarks.explain`: what a complete payment's time is spent on.

Postgres by statement (pg_stat_statements, nested ones too), our own code by function (CPU time,
not waiting). One client; figures under a profiler are too high, their order is what counts.
"""

import cProfile
import io
import pstats
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg

from paynexus.cache import Cache
from paynexus.db import Connection, Database
from paynexus.ids import MerchantId
from tests.benchmarks import payments, servers, workloads
from tests.benchmarks.payments import Till

NUMBER = 400
STATEMENTS = 24
FUNCTIONS = 24

SQL_STATEMENTS = """
SELECT calls / %(number)s::FLOAT, (total_plan_time + total_exec_time) / %(number)s,
    total_plan_time / %(number)s, toplevel, left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
FROM pg_stat_statements
ORDER BY total_plan_time + total_exec_time DESC LIMIT %(limit)s
"""


def main() -> None:
    """Both commits are profiled and printed."""
    local = Path(__file__).parents[2] / ".local"
    local.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=local, prefix="bench-") as name:
        Path(name).chmod(0o755)
        with (
            servers.running(Path(name)) as both,
            closing(Database(lambda: both.payments_url)) as database,
            psycopg.connect(both.payments_url, autocommit=True) as admin,
        ):
            cache = Cache(both.redis_url)
            merchants = workloads.onboard(database, 8)
            _explain(Till(database, cache), merchants, admin)


def _explain(till: Till, merchants: list[MerchantId], admin: Connection) -> None:
    _complete(till, merchants, admin, cProfile.Profile(), cProfile.Profile())
    _count_statements(admin)
    accept, finish = (cProfile.Profile(time.process_time) for _ in range(2))
    _complete(till, merchants, admin, accept, finish)
    sys.stdout.write("Postgres, each payment: calls, ms, of it planning, sent by us, statement\n")
    values = {"number": NUMBER, "limit": STATEMENTS}
    for calls, total, planning, is_ours, text in admin.execute(SQL_STATEMENTS, values):
        sent = "*" if is_ours else " "
        sys.stdout.write(f"{calls:5.1f} {total:8.4f} {planning:8.4f} {sent} {text}\n")
    for name, profile in (("accept", accept), ("finish", finish)):
        sys.stdout.write(f"\nOwn CPU of {NUMBER} x {name}\n{_functions(profile)}")


def _complete(
    till: Till,
    merchants: list[MerchantId],
    admin: Connection,
    accept: cProfile.Profile,
    finish: cProfile.Profile,
) -> None:
    with accept:
        accepted = [till.accept(merchants[index % len(merchants)]) for index in range(NUMBER)]
    payments.record_approvals(admin)
    with finish:
        for payment_id in accepted:
            till.finish(payment_id)


def _count_statements(admin: Connection) -> None:
    admin.execute("VACUUM ANALYZE")
    admin.execute("CREATE EXTENSION pg_stat_statements")
    admin.execute("ALTER SYSTEM SET pg_stat_statements.track = 'all'")
    admin.execute("ALTER SYSTEM SET pg_stat_statements.track_planning = on")
    admin.execute("SELECT pg_reload_conf(), pg_stat_statements_reset()")


def _functions(profile: cProfile.Profile) -> str:
    text = io.StringIO()
    stats = pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime")
    stats.print_stats(FUNCTIONS)
    return text.getvalue().partition("\n\n")[2]


if __name__ == "__main__":
    main()
