"""The changefeed beside the payments that it tells of."""

from collections.abc import Iterator

from psycopg.conninfo import make_conninfo

from tests.benchmarks import changefeed
from tests.benchmarks.run import Part, Run


def measured(run: Run) -> Iterator[Part]:
    """How fast it drains what a peak left, and how soon it tells at a steady rate."""
    yield Part("Changefeed", changefeed.figures(run.servers))
    run.audit(make_conninfo(run.servers.postgres.url, dbname="changefeed"))
