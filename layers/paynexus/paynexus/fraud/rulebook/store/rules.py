"""Rules, their versions and what of them runs."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from paynexus.db import Connection, bounded
from paynexus.fraud.model import Action
from paynexus.fraud.rulebook.model import (
    Rule,
    RuleId,
    Running,
    State,
    Version,
    VersionId,
    Wording,
)
from paynexus.ids import MerchantId
from paynexus.lists.model import Page, id_range

SQL_REVISED = "SELECT fraud_revised(%s)"
SQL_RUNNING = """
SELECT r.id AS rule_id, v.id AS version_id, r.code, v.expression, v.action, v.message,
    r.merchant_id IS NULL AS is_platform, run.is_shadow
FROM fraud_rule_runs AS run
INNER JOIN fraud_rules AS r ON r.id = run.rule_id
INNER JOIN fraud_rule_versions AS v ON v.id = run.version_id
WHERE run.ended_at IS NULL AND (r.merchant_id IS NULL OR r.merchant_id = %(merchant_id)s)
ORDER BY run.is_shadow, r.merchant_id NULLS FIRST, r.code
"""
SQL_CANDIDATE = """
SELECT r.id AS rule_id, v.id AS version_id, r.code, v.expression, v.action, v.message,
    r.merchant_id IS NULL AS is_platform, FALSE AS is_shadow
FROM fraud_rule_versions AS v
INNER JOIN fraud_rules AS r ON r.id = v.rule_id
WHERE v.id = %(version_id)s
"""
SQL_RULES = """
SELECT r.id, r.merchant_id, r.code, r.created_at,
    (
        SELECT v.id FROM fraud_rule_versions AS v
        WHERE v.rule_id = r.id ORDER BY v.number DESC LIMIT 1
    ) AS newest,
    live.version_id AS live, shadow.version_id AS shadow,
    EXISTS (SELECT FROM fraud_rule_runs AS run WHERE run.rule_id = r.id) AS has_run
FROM fraud_rules AS r
LEFT JOIN fraud_rule_runs AS live
    ON live.rule_id = r.id AND NOT live.is_shadow AND live.ended_at IS NULL
LEFT JOIN fraud_rule_runs AS shadow
    ON shadow.rule_id = r.id AND shadow.is_shadow AND shadow.ended_at IS NULL
WHERE r.merchant_id IS NOT DISTINCT FROM %(merchant_id)s
"""
SQL_RULE = SQL_RULES + "AND r.id = %(rule_id)s"
SQL_PAGE = (
    SQL_RULES
    + """
    AND r.id >= %(least)s AND r.id < %(above)s
    AND r.created_at >= %(since)s AND r.created_at < %(until)s
ORDER BY r.id DESC LIMIT %(limit)s
"""
)
SQL_CODES = "SELECT code FROM fraud_rules WHERE merchant_id IS NOT DISTINCT FROM %s"
SQL_INSERT_RULE = """
INSERT INTO fraud_rules (id, merchant_id, code, created_at) VALUES (%s, %s, %s, %s)
"""
VERSION = "SELECT id, number, expression, action, message, author, created_at"
SQL_VERSIONS_BY_ID = VERSION + " FROM fraud_rule_versions WHERE id = ANY(%s)"
SQL_VERSIONS_OF_RULE = (
    VERSION
    + """
FROM fraud_rule_versions WHERE rule_id = %s ORDER BY number DESC
"""
)
SQL_PAGE_OF_VERSIONS = (
    VERSION
    + """
FROM fraud_rule_versions
WHERE rule_id = %(rule_id)s
    AND id >= %(least)s AND id < %(above)s
    AND created_at >= %(since)s AND created_at < %(until)s
ORDER BY id DESC LIMIT %(limit)s
"""
)
SQL_INSERT_VERSION = """
INSERT INTO fraud_rule_versions
    (id, rule_id, number, expression, action, message, author, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
SQL_RULE_OF_VERSION = """
SELECT r.id, r.merchant_id FROM fraud_rules AS r
INNER JOIN fraud_rule_versions AS v ON v.rule_id = r.id WHERE v.id = %s
"""
SQL_END_RUNS = """
UPDATE fraud_rule_runs SET ended_at = greatest(started_at, %(now)s), ended_by = %(author)s
WHERE rule_id = %(rule_id)s AND is_shadow = ANY(%(kinds)s) AND ended_at IS NULL
RETURNING version_id
"""
SQL_START_RUN = """
INSERT INTO fraud_rule_runs (rule_id, version_id, is_shadow, started_at, started_by)
VALUES (%s, %s, %s, %s, %s)
"""


def revise(tx: Connection, merchant_id: MerchantId | None) -> None:
    """Rules of this scope are read anew; other changes of it wait for this transaction."""
    tx.execute(SQL_REVISED, (merchant_id,))


def load(connection: Connection, merchant_id: MerchantId) -> list[Running]:
    """The versions that run for the merchant's payments: those that decide before shadows."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(SQL_RUNNING, {"merchant_id": merchant_id})
        return [_running(row) for row in rows]


def load_within(
    connection: Connection, merchant_id: MerchantId, *, milliseconds: int
) -> list[Running]:
    """The same in one round trip, or QueryCanceled (psycopg) when the time is up."""
    values: dict[str, object] = {"merchant_id": merchant_id}
    with bounded(
        connection, SQL_RUNNING, values, milliseconds=milliseconds, row_factory=dict_row
    ) as cursor:
        return [_running(row) for row in cursor]


def candidate(connection: Connection, version_id: VersionId) -> Running | None:
    """The version as it would run live; None if there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(SQL_CANDIDATE, {"version_id": version_id}).fetchone()
    return _running(row) if row else None


def rule(connection: Connection, rule_id: RuleId, merchant_id: MerchantId | None) -> Rule | None:
    """The scope's rule of this id."""
    values = {"rule_id": rule_id, "merchant_id": merchant_id}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = _rules(connection, cursor.execute(SQL_RULE, values).fetchall())
    return found[0] if found else None


def page(connection: Connection, wanted: Page[UUID], merchant_id: MerchantId | None) -> list[Rule]:
    """The scope's rules of the page, newest first, and one more if there is one."""
    values = {"merchant_id": merchant_id, **_bounds(wanted)}
    with connection.cursor(row_factory=dict_row) as cursor:
        return _rules(connection, cursor.execute(SQL_PAGE, values).fetchall())


def codes(tx: Connection, merchant_id: MerchantId | None) -> set[str]:
    """The codes of all rules of the scope."""
    return {row[0] for row in tx.execute(SQL_CODES, (merchant_id,))}


def insert_rule(
    tx: Connection,
    rule_id: RuleId,
    code: str,
    *,
    merchant_id: MerchantId | None,
    created_at: dt.datetime,
) -> None:
    """The rule exists, without a version."""
    tx.execute(SQL_INSERT_RULE, (rule_id, merchant_id, code, created_at))


def insert_version(tx: Connection, rule_id: RuleId, version: Version) -> None:
    """The rule has this version."""
    said = version.wording
    tx.execute(
        SQL_INSERT_VERSION,
        (
            version.id,
            rule_id,
            version.number,
            said.expression,
            said.action,
            said.message,
            version.author,
            version.created_at,
        ),
    )


def versions(connection: Connection, rule_id: RuleId) -> list[Version]:
    """All versions of the rule, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_version(row) for row in cursor.execute(SQL_VERSIONS_OF_RULE, (rule_id,))]


def page_of_versions(connection: Connection, wanted: Page[UUID], rule_id: RuleId) -> list[Version]:
    """The rule's versions of the page, newest first, and one more if there is one."""
    values = {"rule_id": rule_id, **_bounds(wanted)}
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_version(row) for row in cursor.execute(SQL_PAGE_OF_VERSIONS, values)]


def owner_of(tx: Connection, version_id: VersionId) -> tuple[RuleId, MerchantId | None] | None:
    """The version's rule, and whose it is."""
    row = tx.execute(SQL_RULE_OF_VERSION, (version_id,)).fetchone()
    return (RuleId(row[0]), row[1]) if row else None


def end_runs(
    tx: Connection, rule_id: RuleId, *, kinds: Sequence[bool], author: str, now: dt.datetime
) -> list[VersionId]:
    """Nothing of the rule runs live (False in `kinds`) or in shadow (True); what did."""
    values = {"rule_id": rule_id, "kinds": list(kinds), "author": author, "now": now}
    return [row[0] for row in tx.execute(SQL_END_RUNS, values)]


def start_run(
    tx: Connection,
    rule_id: RuleId,
    version_id: VersionId,
    *,
    is_shadow: bool,
    author: str,
    now: dt.datetime,
) -> None:
    """The version runs; none may run before in its place."""
    tx.execute(SQL_START_RUN, (rule_id, version_id, is_shadow, now, author))


def _bounds(wanted: Page[UUID]) -> dict[str, object]:
    least, above = id_range(wanted)
    return {
        "least": least,
        "above": above,
        "since": wanted.since,
        "until": wanted.until,
        "limit": wanted.limit + 1,
    }


def _running(row: dict[str, Any]) -> Running:
    return Running(
        rule_id=RuleId(row["rule_id"]),
        version_id=VersionId(row["version_id"]),
        code=row["code"],
        wording=_wording(row),
        is_platform=row["is_platform"],
        is_shadow=row["is_shadow"],
    )


def _rules(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[Rule]:
    named = {row[name] for row in rows for name in ("newest", "live", "shadow") if row[name]}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(SQL_VERSIONS_BY_ID, (list(named),)).fetchall()
    by_id = {row["id"]: _version(row) for row in found}
    return [
        Rule(
            id=RuleId(row["id"]),
            merchant_id=row["merchant_id"],
            code=row["code"],
            state=_state(row),
            newest=by_id[row["newest"]],
            live=by_id.get(row["live"]),
            shadow=by_id.get(row["shadow"]),
            created_at=row["created_at"],
        )
        for row in rows
    ]


def _state(row: dict[str, Any]) -> State:
    if row["live"]:
        return State.ACTIVE
    if row["shadow"]:
        return State.SHADOW
    return State.DISABLED if row["has_run"] else State.DRAFT


def _version(row: dict[str, Any]) -> Version:
    return Version(
        VersionId(row["id"]), row["number"], _wording(row), row["author"], row["created_at"]
    )


def _wording(row: dict[str, Any]) -> Wording:
    return Wording(row["expression"], Action(row["action"]), row["message"])
