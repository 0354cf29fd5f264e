"""The books are audited: every view in the schema `audit` is an invariant, every row a breach."""

from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import dict_row

from paynexus.db import Connection, Database

REPORTED_ROWS_LIMIT = 100
"""Violations of one rule that are reported in full."""

RULE_SECONDS_LIMIT = 300
"""A rule reads the whole books: it may take longer than a payment's statement may."""

# Rules that group all entries do it in memory; nothing else runs in this session.
SQL_PREPARE = f"""
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL statement_timeout = '{RULE_SECONDS_LIMIT}s';
SET LOCAL work_mem = '64MB'
"""
# Materialized: with a limit in sight, the planner would look up millions of entries one by one.
SQL_BREACHES = """
WITH breaches AS MATERIALIZED (SELECT * FROM audit.{}) SELECT * FROM breaches LIMIT {}
"""
SQL_RULES = "SELECT viewname FROM pg_views WHERE schemaname = 'audit' ORDER BY viewname"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule and the row that breaks it."""

    rule: str
    row: dict[str, str]


def violations(database: Database) -> list[Violation]:
    """Every breach of every rule, at most REPORTED_ROWS_LIMIT each; empty when all is well.

    All rules see one snapshot, so that a payment in mid-flight can't look like a breach.
    """
    with database.transaction() as tx:
        tx.execute(SQL_PREPARE)
        return [found for rule in rules(tx) for found in _breaches(tx, rule)]


def rules(connection: Connection) -> list[str]:
    """The names of all rules."""
    return [row[0] for row in connection.execute(SQL_RULES)]


def _breaches(tx: Connection, rule: str) -> list[Violation]:
    query = sql.SQL(SQL_BREACHES)
    with tx.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query.format(sql.Identifier(rule), REPORTED_ROWS_LIMIT))
        return [
            Violation(rule, {name: str(value) for name, value in row.items()}) for row in cursor
        ]
